from taskcodec.coding import decode_range, encode_block, encode_range
from tests.coding.round_trips import check_any_int32_round_trips, check_strange_bytes_raise_only_our_error, sharp


def test_any_int32_round_trips():
    check_any_int32_round_trips(encode_range, decode_range)


def test_strange_bytes_raise_only_our_error():
    check_strange_bytes_raise_only_our_error(decode_range)


def test_range_matches_ans():
    symbols, tables, ideal = sharp()
    assert len(encode_range(symbols, tables)) < 1.01 * ideal
    assert len(encode_block(symbols, tables)) < 1.01 * ideal
