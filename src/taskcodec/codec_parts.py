"""The parts of a codec as entries of its manifest and tensors of its file, and back.

AffineTransform          <-> `transform` of the manifest; centre, scale, axes or matrices
tables, points, sketch   <-> tensors of these names; of tables that columns share each once, `shares` has their numbers
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.codec_file import Tensors, finite_tensor, flat_tensor
from taskcodec.coding import AnyTables, SharedTables, Tables, read_tables
from taskcodec.coding.shared import MAX_SPREAD
from taskcodec.errors import CorruptFileError, MismatchError
from taskcodec.transforms.affine import AffineTransform
from taskcodec.transforms.axes import Axes

Floats = npt.NDArray[np.float32]
OF_SHARED = 3
"""The version from which on files have coded axes, shared tables and scales that are not written."""


def transform_manifest(transform: AffineTransform, version: int) -> dict[str, Any]:
    """Plain JSON for the manifest."""
    marks = {"unit_norm": transform.unit_norm, "unit_scale": _unit_scale(transform, version)}
    found = {"kind": "affine", "companding": transform.companding}
    return {**found, **{mark: True for mark, holds in marks.items() if holds}}


def transform_tensors(transform: AffineTransform, version: int) -> Tensors:
    """What the file holds of it. A centre that 16 bits hold takes 16 from OF_SHARED on."""
    tensors: Tensors = {"centre": transform.centre.astype("<f4")}
    if version >= OF_SHARED:
        with np.errstate(over="ignore"):
            narrow = transform.centre.astype("<f2")
        if np.array_equal(narrow, transform.centre):
            tensors["centre"] = narrow
    if not _unit_scale(transform, version):
        tensors["scale"] = transform.scale.astype("<f4")
    if transform.axes is not None:
        tensors["axes"] = np.frombuffer(transform.axes.to_bytes(), dtype=np.uint8)
        tensors["axes_exponents"] = transform.axes.exponents.astype("|i1")
    if transform.analysis_matrix is not None and transform.synthesis_matrix is not None:
        tensors["analysis"] = transform.analysis_matrix.astype("<f2")
        tensors["synthesis"] = transform.synthesis_matrix.astype("<f2")
    return tensors


def _unit_scale(transform: AffineTransform, version: int) -> bool:
    return version >= OF_SHARED and bool((transform.scale == 1).all())


def read_transform(manifest: Mapping[str, Any], tensors: Tensors) -> AffineTransform:
    """Invert both. Raises KeyError, TypeError or CorruptFileError on anything else."""
    described, centre, axes = manifest["transform"], finite_tensor(tensors, "centre", 1), None
    if not isinstance(described, dict):
        raise TypeError(f"a JSON object: found {type(described).__name__}")
    unit_norm, unit_scale = (described.get(mark, False) for mark in ("unit_norm", "unit_scale"))
    if type(unit_norm) is not bool or type(unit_scale) is not bool:
        raise TypeError("a mark of its transform, which should be true or false")
    if "axes" in tensors:
        exponents = flat_tensor(tensors, "axes_exponents", "|i1")
        axes = Axes.from_bytes(flat_tensor(tensors, "axes", "|u1").tobytes(), exponents, centre.size)
    if unit_scale:
        scale = np.ones(centre.size if axes is None else axes.columns, np.float32)
    else:
        scale = finite_tensor(tensors, "scale", 1)
    return AffineTransform(
        companding=described["companding"],
        centre=centre,
        scale=scale,
        analysis_matrix=finite_tensor(tensors, "analysis", 2) if "analysis" in tensors else None,
        synthesis_matrix=finite_tensor(tensors, "synthesis", 2) if "synthesis" in tensors else None,
        axes=axes,
        unit_norm=unit_norm,
    )


def shared_tensors(shares: SharedTables, points: Floats, sketch: Floats) -> Tensors:
    """What the file holds of tables that columns share, of their points and sketch: each once.

    Raises MismatchError where columns share a table, but not its points and sketch.
    """
    each, density = shares.gather(points), sketch[:, shares.first_columns]
    if not (np.array_equal(shares.spread(each), points) and np.array_equal(density[:, shares.index], sketch)):
        raise MismatchError(
            "columns of the codec that share a table should share its points and sketch: give each its own"
        )
    return {"shares": shares.index.astype("<u2"), **plain_tensors(shares.bank, each, density)}


def plain_tensors(tables: AnyTables, points: Floats, sketch: Floats) -> Tensors:
    """What the file holds of tables, points and sketch."""
    data = np.frombuffer(tables.to_bytes(), dtype=np.uint8)
    return {"tables": data, "points": points.astype("<f2"), "sketch": sketch.astype("<f2")}


def read_coding(tensors: Tensors) -> tuple[AnyTables, SharedTables | None, Floats, Floats]:
    """Tables, which of them columns share, points and sketch of every column. Raises KeyError or CorruptFileError."""
    tables, points = read_tables(tensors["tables"].tobytes()), finite_tensor(tensors, "points", 1)
    sketch = finite_tensor(tensors, "sketch", 2)
    if "shares" not in tensors:
        return tables, None, points, sketch
    index = flat_tensor(tensors, "shares", "<u2").astype(np.int32)
    if not isinstance(tables, Tables):
        raise CorruptFileError("shared tables: conditional ones are shared as they are")
    shares = SharedTables(tables, index)
    if points.shape != (int(tables.sizes.sum()),) or sketch.shape[1] != tables.columns:
        raise CorruptFileError(f"shared tables: points or sketch are not those of {tables.columns} tables")
    if len(sketch) * index.size > MAX_SPREAD:
        raise CorruptFileError("shared tables: a sketch larger than any of ours")
    return shares.tables(), shares, shares.spread(points), sketch[:, index]
