"""Chunks of packets: their framing, and bytes that are none."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcodec.errors import CorruptFileError, FutureVersionError
from taskcodec.store import PacketCodec
from taskcodec.store.format.packets import join_items, split_items


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(0, 5))
def test_items_are_kept_without_the_empty_ones_at_their_end(items, padding):
    chunk = join_items([*items, *[b""] * padding])
    found = split_items(chunk, len(items) + padding)
    assert found == items[: len(found)]
    assert not any(items[len(found) :])
    assert len(chunk) <= 1 + sum(len(item) + 1 for item in items)


@given(st.binary(max_size=60), st.integers(0, 20))
def test_strange_chunks_are_split_or_refused(data, rows):
    with suppress(CorruptFileError):
        assert len(split_items(data, rows)) <= rows


@pytest.mark.parametrize(
    ("data", "rows", "words"),
    [
        (b"", 3, "truncated"),
        (join_items([b"a", b"b"]), 1, "2 packets in a chunk of 1"),
        (join_items([b"a", b"b"])[:-1], 2, "ends elsewhere"),
        (join_items([]) + b"1", 2, "ends elsewhere"),
        (join_items([b"a"]) + b"1", 2, "goes on behind"),
    ],
)
def test_each_fault_is_named(data, rows, words):
    with pytest.raises(CorruptFileError, match=words):
        split_items(data, rows)


def test_its_metadata_are_read_again_or_refused():
    assert PacketCodec.from_dict(PacketCodec().to_dict()) == PacketCodec()
    with pytest.raises(FutureVersionError, match="upgrade"):
        PacketCodec.from_dict({"configuration": {"version": 2}})
    for wrong in ({}, {"configuration": None}, {"configuration": {}}, {"configuration": {"version": "1"}}):
        with pytest.raises(CorruptFileError, match=r"taskcodec\.packets"):
            PacketCodec.from_dict(wrong)
