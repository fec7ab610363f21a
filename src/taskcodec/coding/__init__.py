"""Integer symbols <-> bytes: frozen tables, ANS blocks, single samples. Needs numpy and constriction only."""

from taskcodec.coding.ans import block_shape, decode_block, encode_block
from taskcodec.coding.sample import decode_sample, encode_sample
from taskcodec.coding.tables import TABLE_BITS, Tables, freeze_pmf, tables_from_symbols

__all__ = [
    "TABLE_BITS",
    "Tables",
    "block_shape",
    "decode_block",
    "decode_sample",
    "encode_block",
    "encode_sample",
    "freeze_pmf",
    "tables_from_symbols",
]
