"""`encode` says so when the data are unlike those the codec was fitted on, and only then."""

import json

import numpy as np
import pytest

from taskcodec.fitting import fit
from tests.cli.test_encode import run

D = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("shift")
    x = np.random.default_rng(0).normal(size=(3000, D)).astype("f4")
    low = x * np.where(np.arange(D) < 4, 1, 0.05).astype("f4")
    np.save(root / "same.npy", x[1500:])
    np.save(root / "wider.npy", 2.5 * x[:1000])
    np.save(root / "elsewhere.npy", low[:1000, ::-1])
    fit(x[:1500], bits=60, method="dimensionwise").save(root / "step.codec")
    fit(low, bits=10).save(root / "narrow.codec")
    return root


def encode(folder, source, codec, *options):
    place = folder / f"{source}-{codec}{''.join(options)}.tcz"
    found = run("encode", folder / f"{source}.npy", place, "--codec", folder / f"{codec}.codec", *options, "--json")
    return found.stderr, json.loads(found.stdout)


@pytest.mark.parametrize("refit", ["--refit", "--no-refit"])
def test_no_word_where_nothing_is_wrong(folder, refit):
    warning, info = encode(folder, "same", "step", refit)
    assert warning == ""
    assert info["shift"]["samples"] == info["samples"] == 1500


def test_tables_that_do_not_fit_suggest_a_refit_and_a_refit_cures_it(folder):
    warning, info = encode(folder, "wider", "step", "--no-refit")
    assert warning.startswith("taskcodec: warning: the codec's tables cost ")
    assert "--refit" in warning
    assert warning.count("\n") == 1
    cured, refitted = encode(folder, "wider", "step", "--refit")
    assert cured == ""
    assert refitted["shift"]["kl_bits"] < 0.1 * info["shift"]["kl_bits"]


def test_directions_that_were_dropped_suggest_a_fit_whatever_is_refitted(folder):
    for option in ("--refit", "--no-refit"):
        warning, info = encode(folder, "elsewhere", "narrow", option)
        assert "fit a codec to these data" in warning
        assert info["shift"]["outside_share"] > 0.9


def test_a_refit_is_not_advised_where_one_was_made(folder):
    place = folder / "appended.tcz"
    run("encode", folder / "same.npy", place, "--codec", folder / "step.codec")
    found = run("encode", folder / "wider.npy", place, "--append")
    assert "was made for other data or from too few samples" in found.stderr
    assert "into a store of their own" in found.stderr
    assert "--refit" not in found.stderr
