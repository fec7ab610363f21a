"""The parts of a codec as entries of its manifest and tensors of its file, and back.

AffineTransform                  <-> `transform` of the manifest; centre, scale, axes or matrices
tables, points, sketch, shares   <-> each table that columns share, once, and which of them a column has
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.codec_file import Tensors, finite_tensor
from taskcodec.coding import MAX_COLUMNS, AnyTables, Tables, runs_index
from taskcodec.errors import CorruptFileError
from taskcodec.transforms.affine import AffineTransform
from taskcodec.transforms.axes import MAX_NUMBERS, Axes

Floats = npt.NDArray[np.float32]
Shares = npt.NDArray[np.int32]
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
        axes = Axes.from_bytes(tensors["axes"].tobytes(), tensors["axes_exponents"].astype(np.int8), centre.size)
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


def spread(tables: AnyTables, points: Floats, sketch: Floats, shares: Shares) -> tuple[Tables, Floats, Floats]:
    """Tables, points and sketch of every column, from those that columns share."""
    if not isinstance(tables, Tables) or shares.ndim != 1 or shares.size > MAX_COLUMNS:
        raise CorruptFileError("tables that columns share are plain ones, and every column names one")
    numbers, index = np.unique(shares, return_inverse=True)
    sizes = tables.sizes.astype(np.int64)
    if not len(numbers) == tables.columns == sketch.shape[1] or points.size != int(sizes.sum()):
        raise CorruptFileError(f"{tables.columns} tables, of which {len(numbers)} are named by a column")
    if max(int((sizes[index] + 1).sum()), len(sketch) * len(index)) > MAX_NUMBERS:
        raise CorruptFileError("tables: larger than any of ours")
    return tables.take(index), points[runs_index(sizes, index)], sketch[:, index]


def gather(tables: Tables, points: Floats, sketch: Floats, shares: Shares) -> tuple[Tables, Floats, Floats]:
    """Invert `spread`: each once of tables, points and sketches, in the order of their numbers."""
    first = np.unique(shares, return_index=True)[1]
    return tables.take(first), points[runs_index(tables.sizes.astype(np.int64), first)], sketch[:, first]
