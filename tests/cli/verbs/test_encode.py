"""`encode` says so when the data are unlike those the codec was fitted on, and only then."""

import json

import numpy as np
import pytest
from PIL import Image

import taskcodec
from taskcodec.fitting import fit
from tests.cli.commands import contents, run

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


def test_a_run_that_codes_nothing_leaves_nothing(place, tmp_path):
    command = ("encode", place / "nan.npy", tmp_path / "y.tcz", "--codec", place / "x.tcz")
    found = run(*command, code=1)
    assert "NaN or infinity" in found.stderr
    assert contents(tmp_path) == {}


def test_a_rate_that_cannot_be_met_is_told(place, tmp_path):
    np.save(tmp_path / "few.npy", np.load(place / "x.npy")[:5])
    found = run("encode", tmp_path / "few.npy", tmp_path / "few.tcz", "--bits", "20")
    assert "--bits 20 was not met" in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert run("encode", place / "x.npy", tmp_path / "x.tcz", "--bits", "20").stderr.count("not met") <= 1
    flat = run("fit", place / "flat.npy", "-o", tmp_path / "y.codec").stderr
    assert "the usual rate of 32 bits was not met" in flat
    assert run("encode", tmp_path / "few.npy", tmp_path / "y.tcz").stderr == ""  # which has no rate to miss


def test_a_store_larger_than_its_source_is_called_so(place, tmp_path):
    np.save(tmp_path / "few.npy", np.load(place / "x.npy")[:5])
    shown = run("encode", tmp_path / "few.npy", tmp_path / "few.tcz", "--bits", "20").stdout
    info = taskcodec.open(tmp_path / "few.tcz").info()
    assert info.store_ratio < 0.1
    assert f"{1 / info.store_ratio:,.0f}x larger" in shown
    assert "0x smaller" not in shown


def test_other_labels_for_a_finished_store(place, tmp_path):
    run("encode", place / "x.npy", tmp_path / "x.tcz", "--bits", "20")
    command = ("encode", place / "x.npy", tmp_path / "x.tcz", "--bits", "20", "--labels", place / "a.csv")
    assert "--overwrite to change them" in run(*command).stderr
    assert taskcodec.open(tmp_path / "x.tcz").labels is None
    assert "--overwrite" not in run(*command, "--overwrite").stderr
    assert taskcodec.open(tmp_path / "x.tcz").labels[:3].tolist() == ["cat", "dog", None]


def test_labels_that_match_in_part_are_told(place, tmp_path):
    (tmp_path / "im").mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(tmp_path / "im" / f"{i}.png")
    table = tmp_path / "im" / "labels.csv"  # which is no sample
    table.write_text("path,label\n0.png,cat\n1.png,dog\nnone.png,cat\n2.png\n")
    told = f"taskcodec: warning: {table}: 1 of 3 ids name no sample; 2 of 4 samples have no label\n"
    found = run("encode", tmp_path / "im", tmp_path / "im.tcz", "--labels", table, "--bits", "100", "--json")
    assert told in found.stderr
    assert json.loads(found.stdout)["samples"] == 4
    assert told in run("fit", tmp_path / "im", "-o", tmp_path / "c", "--labels", table, "--step", "3").stderr
    table.write_text("path,label\n0.png,cat\n1.png,dog\n2.png,cat\n3,dog\n")
    whole = run("encode", tmp_path / "im", tmp_path / "im.tcz", "--labels", table, "--bits", "100", "--overwrite")
    assert "labels.csv" not in whole.stderr
    found = run("encode", place / "x.npy", tmp_path / "x.tcz", "--bits", "20", "--labels", place / "a.csv")
    assert f"{place / 'a.csv'}: 298 of 300 samples have no label" in found.stderr


def test_json_names_what_could_not_be_coded_and_why(tmp_path):
    x = np.random.default_rng(0).normal(size=(200, 4)).astype("f4")
    x[3:150] = np.nan
    np.save(tmp_path / "x.npy", x)
    found = json.loads(run("encode", tmp_path / "x.npy", tmp_path / "x.tcz", "--bits", "8", "--json").stdout)
    assert (found["samples"], found["failures"]) == (53, 147)
    assert [row["id"] for row in found["failed"]] == [str(row) for row in range(3, 103)]  # the first hundred
    assert {row["status"] for row in found["failed"]} == {"NaN or infinity (as float32) among its features"}
    listed = json.loads(run("info", tmp_path / "x.tcz", "--failures", "--json").stdout)
    assert listed["failed"][:100] == found["failed"]


def test_why_no_sample_was_left_to_fit_is_told(place, tmp_path):
    np.save(tmp_path / "huge.npy", np.full((50, 4), 1e300))
    for command, says in (
        (("fit", tmp_path / "huge.npy", "-o", tmp_path / "h.codec"), "found none"),
        (("encode", tmp_path / "huge.npy", tmp_path / "h.tcz"), "none of its 50 samples could be coded"),
    ):
        assert f"{says} (the first fault: NaN or infinity (as float32)" in run(*command, code=1).stderr


def test_one_sample_far_out_spoils_no_other_and_is_named(place, tmp_path):
    x = np.random.default_rng(0).normal(size=(600, 16)).astype("f4")
    run("fit", place / "x.npy", "-o", tmp_path / "c.codec", "--bits", "40")
    np.save(tmp_path / "near.npy", x)
    assert "far from" not in run("encode", tmp_path / "near.npy", tmp_path / "near.tcz", "--bits", "40").stderr
    x[7] *= 1e9
    np.save(tmp_path / "far.npy", x)
    found = run("encode", tmp_path / "far.npy", tmp_path / "far.tcz", "--bits", "40")
    assert "1 sample lies beyond what can be coded and was clipped, such as 7" in found.stderr
    rest = np.delete(np.arange(600), 7)
    error = taskcodec.open(tmp_path / "far.tcz").features[rest] - x[rest]
    assert np.sqrt(np.mean(error**2)) < 0.5
    said = f"{tmp_path / 'far.npy'}: 1 sample lies over 100 times as far from the middle as half of all do (7): "
    assert said in found.stderr
    assert said in run("fit", tmp_path / "far.npy", "-o", tmp_path / "f.codec", "--bits", "40").stderr
    named = run("fit", tmp_path / "far.npy", "-o", tmp_path / "n.codec", "--step", "inf", code=2)
    assert "--step must be a positive number" in named.stderr
    assert "keeps next to nothing" in run("fit", place / "x.npy", "-o", tmp_path / "n.codec", "--step", "1e9").stderr
