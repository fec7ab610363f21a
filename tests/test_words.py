import pytest

from taskcodec.words import counted, human_bytes


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_234_567, "1.2 MB"), (-2e9, "-2.0 GB"), (5e15, "5000.0 TB")],
)
def test_bytes_are_said_in_the_unit_that_suits_them(number, words):
    assert human_bytes(number) == words


@pytest.mark.parametrize(
    ("number", "more", "words"),
    [
        (0, (), "0 samples"),
        (1, (), "1 sample"),
        (2000, (), "2,000 samples"),
        (1, ("lots",), "1 sample"),
        (3, ("lots",), "3 lots"),
    ],
)
def test_one_is_said_otherwise_than_many(number, more, words):
    assert counted(number, "sample", *more) == words
