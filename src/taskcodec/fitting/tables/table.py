"""A table -> the codec of its rows."""

import pyarrow as pa

from taskcodec.codec import Codec
from taskcodec.errors import MismatchError
from taskcodec.fitting.lossless.fit import Progress, lossless_codec
from taskcodec.fitting.tables.fields import fit_fields
from taskcodec.fitting.tables.fit import fit_mixed

MODEL = "mixed"


def fit_table(table: pa.Table, progress: Progress | None = None) -> Codec:
    """A codec that gives back the rows of a table, and of others like it, value by value in their types.

    `progress` is called with (columns done, columns in all). Raises MismatchError on a table without rows or columns,
    and on types that it cannot have.
    """
    if not table.num_rows:
        raise MismatchError("a fit needs one row or more")
    transform = fit_fields(table)
    symbols = transform.to_symbols(table)
    return lossless_codec(transform, fit_mixed(symbols, transform.shapes, progress), symbols, MODEL)
