from taskcodec.coding import decode_huffman, encode_huffman
from tests.coding.round_trips import check_any_int32_round_trips, check_strange_bytes_raise_only_our_error, sharp


def test_any_int32_round_trips():
    check_any_int32_round_trips(encode_huffman, decode_huffman)


def test_strange_bytes_raise_only_our_error():
    check_strange_bytes_raise_only_our_error(decode_huffman)


def test_huffman_pays_for_whole_bits():
    symbols, tables, ideal = sharp()
    assert len(encode_huffman(symbols, tables)) > 1.2 * ideal
