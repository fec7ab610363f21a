"""Integer symbols <-> bytes: frozen tables, ANS blocks, single samples. Needs numpy and constriction only."""

from taskcodec.coding.ans import block_shape, decode_block, encode_block
from taskcodec.coding.huffman import decode_huffman, encode_huffman
from taskcodec.coding.models.conditional import ConditionalTables, Group
from taskcodec.coding.models.dependent import DependentTables
from taskcodec.coding.models.integer_network import IntegerNetwork, Linear
from taskcodec.coding.models.kinds import read_model, read_tables
from taskcodec.coding.models.shared import SharedTables
from taskcodec.coding.models.spatial.tables import SpatialTables
from taskcodec.coding.models.tables import TABLE_BITS, Tables, freeze_pmf, join_tables, tables_from_symbols
from taskcodec.coding.range_coder import decode_range, encode_range
from taskcodec.coding.sample import decode_sample, encode_sample
from taskcodec.coding.symbol_model import SymbolModel

__all__ = [
    "TABLE_BITS",
    "ConditionalTables",
    "DependentTables",
    "Group",
    "IntegerNetwork",
    "Linear",
    "SharedTables",
    "SpatialTables",
    "SymbolModel",
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
    "read_model",
    "read_tables",
    "tables_from_symbols",
]
