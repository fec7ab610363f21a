"""The kinds of symbol models that files may hold: a closed list, so that a file never brings code."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from taskcodec.coding.models.conditional import MAGIC, ConditionalTables
from taskcodec.coding.models.context.model import ContextModel
from taskcodec.coding.models.dependent import MAGIC as DEPENDENT
from taskcodec.coding.models.dependent import DependentTables
from taskcodec.coding.models.latent.tree import LatentTree
from taskcodec.coding.models.latent.variational import VariationalAutoencoder
from taskcodec.coding.models.mixing.model import MixedContexts
from taskcodec.coding.models.overfitted.model import OverfittedTables
from taskcodec.coding.models.shared import SharedTables
from taskcodec.coding.models.spatial.tables import SpatialTables
from taskcodec.coding.models.tables import Tables
from taskcodec.coding.symbol_model import SymbolModel
from taskcodec.errors import CorruptFileError

KINDS: dict[str, type[SymbolModel]] = {
    kind.kind: kind
    for kind in (
        Tables,
        ConditionalTables,
        SharedTables,
        SpatialTables,
        DependentTables,
        LatentTree,
        VariationalAutoencoder,
        ContextModel,
        MixedContexts,
        OverfittedTables,
    )
}


def read_model(kind: object, tensors: Mapping[str, npt.NDArray[Any]]) -> SymbolModel:
    """The model of a kind that a codec's file holds. Raises KeyError or CorruptFileError on anything else."""
    if not isinstance(kind, str) or kind not in KINDS:
        raise CorruptFileError(f"a symbol model of the kind {kind!r} is none of {', '.join(KINDS)}")
    return KINDS[kind].read(tensors)


def kind_of(tensors: Mapping[str, npt.NDArray[Any]]) -> str:
    """The kind of what a file holds that does not name it. Raises KeyError where it holds no tables."""
    conditional = tensors["tables"].tobytes()[: len(MAGIC)] == MAGIC
    return SharedTables.kind if "shares" in tensors else ConditionalTables.kind if conditional else Tables.kind


def read_tables(data: bytes) -> Tables | ConditionalTables | DependentTables:
    """Invert `to_bytes` of any kind. Raises CorruptFileError on anything else."""
    if data[: len(DEPENDENT)] == DEPENDENT:
        return DependentTables.from_bytes(data)
    return ConditionalTables.from_bytes(data) if data[: len(MAGIC)] == MAGIC else Tables.from_bytes(data)
