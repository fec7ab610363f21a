"""A test stands where its module stands, and has its name: who knows one finds the other."""

import pytest

from tests import ROOT

SOURCE, TESTS = ROOT / "src" / "taskcodec", ROOT / "tests"
BENCHMARKS = {
    "augmented_mnist": "augmented_mnist/run.py",
    "banana": "banana/run.py",
    "bince_diagnosis": "augmented_mnist/bince_diagnosis.py",
    "layers": "layers/run.py",
}
"""Scripts with tests of their own: a file for each, so that trainings of minutes are shared out among processes."""
ACROSS = {
    "test_docs.py": "the documents",
    "api/test_calls.py": "the names of the package itself",
    "test_floors.py": "the house's rules",
    "test_mirror.py": "this rule",
    "coding/test_golden.py": "committed bitstreams, codecs and stores, also where nothing but the core is installed",
    "entropy_models/test_determinism.py": "whole codecs, in processes with other kernels and threads",
    "symbol_choice/test_determinism.py": "what effort finds, in processes with other threads",
    **{f"benchmarks/test_{name}.py": f"benchmarks/{place}" for name, place in BENCHMARKS.items()},
    "store/test_faults.py": "damage in every file of a store and in codecs, however they are read",
}
"""Tests of no module: what each is of."""


@pytest.mark.parametrize("path", sorted(TESTS.rglob("test_*.py")), ids=lambda path: path.relative_to(TESTS).as_posix())
def test_a_test_is_named_as_its_module(path):
    place = path.relative_to(TESTS)
    if place.as_posix() not in ACROSS:
        module = SOURCE / place.with_name(place.name.removeprefix("test_"))
        assert module.exists(), f"{place}: there is no {module.relative_to(ROOT)}; name the test as what it tests"


def test_those_across_modules_are_there():
    assert all((TESTS / place).exists() for place in ACROSS)


def test_every_room_has_tests():
    rooms = {path.parent.relative_to(SOURCE) for path in SOURCE.rglob("*.py") if path.name != "__init__.py"}
    empty = {room.as_posix() for room in rooms if not list((TESTS / room).rglob("test_*.py"))}
    assert not empty


def test_tests_stay_short():
    assert max(len(path.read_text(encoding="utf-8").splitlines()) for path in TESTS.rglob("*.py")) <= 450
