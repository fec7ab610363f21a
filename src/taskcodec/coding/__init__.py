"""Integer symbols <-> bytes: frozen tables, ANS blocks, single samples. Needs numpy and constriction only."""

from taskcodec.coding.ans import block_shape, decode_block, encode_block
from taskcodec.coding.conditional import AnyTables, ConditionalTables, Group, read_tables
from taskcodec.coding.huffman import decode_huffman, encode_huffman
from taskcodec.coding.integer_network import IntegerNetwork, Layer
from taskcodec.coding.range_coder import decode_range, encode_range
from taskcodec.coding.sample import decode_sample, encode_sample
from taskcodec.coding.shared import SharedTables
from taskcodec.coding.tables import TABLE_BITS, Tables, freeze_pmf, join_tables, tables_from_symbols

__all__ = [
    "TABLE_BITS",
    "AnyTables",
    "ConditionalTables",
    "Group",
    "IntegerNetwork",
    "Layer",
    "SharedTables",
    "Tables",
    "block_shape",
    "decode_block",
    "decode_huffman",
    "decode_range",
    "decode_sample",
    "encode_block",
    "encode_huffman",
    "encode_range",
    "encode_sample",
    "freeze_pmf",
    "join_tables",
    "read_tables",
    "tables_from_symbols",
]
