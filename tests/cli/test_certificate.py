"""`taskcodec evaluate --certificate` as a shell sees it."""

import json

import numpy as np
import pytest

from tests.cli.test_encode import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("certificate"), np.random.default_rng(0)
    x = rng.normal(size=(100, 12)).astype("f4")
    np.save(root / "x.npy", x)
    np.save(root / "views.npy", x + 0.05 * rng.normal(size=(40, 100, 12)).astype("f4"))
    run("encode", root / "x.npy", root / "x.tcz", "--bits", "60")
    return root


def test_words_json_and_what_the_store_keeps(folder):
    arguments = ("evaluate", folder / "x.tcz", "--certificate")
    words = run(*arguments, "--views", folder / "views.npy").stdout
    for says in ("no task that ignores the augmentations loses more than", "95 % confidence", "views.npy"):
        assert says in words
    found = run(*arguments, "--json")
    content = json.loads(found.stdout)
    assert 0 < content["excess_risk_bound_bits"] < 0.1
    assert content["confidence"] == 0.95
    assert {"augmentations", "conditions", "samples", "views", "estimate_bits"} <= set(content)
    assert "kept in" in found.stderr
    run("verify", folder / "x.tcz")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("{}/x.tcz", "--certificate", "--source", "{}/x.npy"), 2, "--views"),
        (("{}/x.tcz", "--certificate", "--views", "{}/x.npy"), 1, "views of shape"),
        (("{}/x.tcz", "--certificate", "--views", "{}/none.npy"), 1, "none.npy"),
        (("{}/x.tcz", "--certificate", "--labels", "y.csv"), 2, "--labels"),
        (("{}/x.tcz", "--certificate", "--views", "{}/views.npy", "--pairs", "9"), 2, "all views in"),
        (("{}/x.tcz", "--certificate", "--pairs", "9"), 2, "--pairs 9: says how many views are made of a --source"),
        (
            ("{}/x.tcz", "--certificate", "--source", "{}/x.npy", "--augmentations", "none", "--pairs", "9"),
            2,
            "--pairs",
        ),
        (("{}/x.tcz", "--pairs", "9"), 2, "--certificate"),
        (("{}/x.npy", "--certificate"), 1, "encode it first"),
        (("{}/nothing", "--certificate"), 1, "nothing"),
    ],
)
def test_nonsense_gives_one_clear_line(folder, arguments, code, says):
    found = run("evaluate", *[argument.replace("{}", str(folder)) for argument in arguments], code=code)
    assert len(found.stderr.strip().splitlines()) == 1
    assert says in found.stderr
