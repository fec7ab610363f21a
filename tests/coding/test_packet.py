"""Packets of layers: joined, split, cut, damaged."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcodec.coding.packet import join_layers, split_layers
from taskcodec.errors import CorruptFileError


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.data())
def test_what_was_joined_is_split_and_may_be_cut(parts, data):
    packet = join_layers(parts)
    assert split_layers(packet, len(parts)) == parts
    cut = data.draw(st.integers(len(packet) - sum(map(len, parts)), len(packet)))
    found = split_layers(packet[:cut], len(parts))
    kept = [part for part in found if part is not None]
    assert kept == parts[: len(kept)]
    with pytest.raises(CorruptFileError, match="goes on behind"):
        split_layers(packet + b"\0", len(parts))


@given(st.binary(max_size=40), st.integers(1, 4))
def test_strange_bytes_are_split_or_refused(data, count):
    with suppress(CorruptFileError):
        assert len(split_layers(data, count)) == count


def test_lengths_that_add_up_to_more_than_any_integer_are_cut_off():
    assert split_layers(b"\xff" * 8 + b"\x7f" + b"\xff" * 8 + b"\x7f" + b"\x02", 3) == [None] * 3
