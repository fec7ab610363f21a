"""The raw features that a store's decoded ones are held against: given, kept from an earlier run, or computed.

Computed features are kept as a .npy file beside the store (or in the folder that the user names), under a name made of
what they depend on: the source's SHA-256, the backbone's weights and the number of samples. So stores of one source at
different rates share them, and another run needs neither the source nor the backbone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from taskcodec.atomic import replacing
from taskcodec.data import FeatureSource, ImageSource, Item, open_source
from taskcodec.data.arrays import open_npy
from taskcodec.engines.encode.learned import through_recorded
from taskcodec.engines.encode.ledger import names_for
from taskcodec.engines.encode.local import Batches, Progress, write_features
from taskcodec.errors import MismatchError, SourceError, UsageError
from taskcodec.store import OK, Store
from taskcodec.store.format.records import in_pieces
from taskcodec.transforms.spec import BackboneSpec, lying_at
from taskcodec.words import counted

Float32s = npt.NDArray[np.float32]
FEWEST_ORDERED, ORDER_SAMPLES = 20, 1000
"""Of fewer rows than this nothing is said of their order; of more than this, so many are looked at."""
FOLLOWS = 0.25
"""Decoded features that follow the raw ones of their rows less than this are those of other rows."""


@dataclass(frozen=True, eq=False)
class RawFeatures:
    """Raw features (n, d) of samples, and where they come from, in words."""

    features: Float32s
    words: str


@dataclass(frozen=True)
class Making:
    """How raw features are computed and kept.

    Attributes:
        cache: folder for computed features; beside the store by default.
        device: for the backbone.
        codec: file of the learned codec that the store was made with, where it is not where it was then.
    """

    cache: str | None = None
    device: str | None = None
    codec: str | None = None


def raw_of_store(
    store: Store,
    raw: str | None = None,
    source: str | None = None,
    making: Making | None = None,
    progress: Progress | None = None,
) -> RawFeatures:
    """The raw features of a store's samples, in its order.

    Args:
        store: a finished store.
        raw: a .npy file as `taskcodec features` writes it.
        source: what the store was encoded from.
        making: how they are computed and kept.
        progress: called with (samples done, samples in all).

    Raises:
        UsageError: neither raw nor source is given, and no earlier run kept any.
        MismatchError: not the features, or not the source, of this store.
    """
    store.check_features()
    name, n, d = str(store.place), len(store), store.manifest.dimension
    if raw is not None:
        return RawFeatures(_read(Path(raw), n, d, name), raw)
    making = Making() if making is None else making
    spec = lying_at(store.codec.backbone, making.codec)
    described = store.manifest.source.get("sha256") or store.manifest.codec_sha256
    kept = _kept_at(name, making.cache, str(described), spec, n)
    opened = None if source is None else through_recorded(open_source(source), spec)
    if isinstance(opened, ImageSource):
        items_of_store(opened, store)  # for its checks
    if kept.exists():
        return RawFeatures(_read(kept, n, d, name), f"{kept}, kept from an earlier run")
    if opened is None:
        raise UsageError(
            f"{name}: needs the raw features to compare with; give --source FOLDER (what it was encoded from) or "
            "--raw FEATURES.npy (from `taskcodec features`)"
        )
    if isinstance(opened, FeatureSource):
        ids, features = all_finite(opened)
        return RawFeatures(_in_order(features, ids, store, opened.name), opened.name)
    if spec is None:
        raise UsageError(f"{name}: holds features, not images; give --source FEATURES.npy or --raw FEATURES.npy")
    # Kept under its name only in the store's order: what fails before must not be found by the next run.
    unordered = kept.with_suffix(".unordered.npy")
    try:
        features, ids = compute(opened, spec, unordered, making.device, progress)
        ordered = _in_order(features, ids, store, opened.name)
        with replacing(kept) as temporary, open(temporary, "wb") as file:
            np.save(file, ordered)
    finally:
        unordered.unlink(missing_ok=True)
    return RawFeatures(ordered, f"computed, kept as {kept}")


def items_of_store(source: ImageSource, store: Store) -> list[Item]:
    """The images of a store's samples, in its order.

    Raises:
        MismatchError: the source lacks files of the store, or has others of another size by their names.
    """
    item_of = {item.id: item for item in source.items}
    found, lost, other = list[Item](), list[str](), list[str]()
    for table in in_pieces(store.tables("id", "source_bytes")):
        for name, size in zip(*(column.to_pylist() for column in table), strict=True):
            item = item_of.get(name)
            if item is None:
                lost.append(name)
            else:
                other += [name] * (item.size not in (None, size))
                found.append(item)
    _refuse_lost(lost, source.name, store)
    if other:
        raise MismatchError(
            f"{source.name}: {other[0]} is not the file that {store.place} was made of (another size); "
            f"{counted(len(other), 'file is not the one', 'files are not those')} in it"
        )
    return found


def _refuse_lost(lost: Sequence[str], source: str, store: Store) -> None:
    if lost:
        raise MismatchError(f"{source}: lacks {len(lost)} of the samples of {store.place}, for instance {lost[0]}")


def compute(
    source: ImageSource,
    spec: BackboneSpec,
    path: Path,
    device: str | None = None,
    progress: Progress | None = None,
) -> tuple[Float32s, list[str]]:
    """Features of all images that can be read, written to a .npy file, and their ids."""
    from taskcodec.transforms.backbones import load_backbone_for

    path.parent.mkdir(parents=True, exist_ok=True)
    written = write_features(source, path, load_backbone_for(spec, device), progress)
    failed = {record.id for record in written.failures}
    return np.load(path), [item.id for item in source.items if item.id not in failed]


def kept_features(
    source: ImageSource,
    spec: BackboneSpec,
    cache: str | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> tuple[FeatureSource, str]:
    """A source of images as one of features, with ids and labels: from an earlier run, or computed now; and in words.

    Raises:
        SourceError: no image could be read.
    """
    path = _kept_at(source.name, cache, source.descriptor()["sha256"], spec, len(source))
    listed = path.with_suffix(".json")
    if path.exists() and listed.exists():
        ids, words = json.loads(listed.read_text()), f"{path}, kept from an earlier run"
    else:
        _, ids = compute(source, spec, path, device, progress)
        listed.write_text(json.dumps(ids))
        words = f"computed, kept as {path}"
    label_of = {item.id: item.label for item in source.items}
    features = open_npy(path)
    if len(ids) != len(features):
        raise MismatchError(
            f"{path}: {counted(len(features), 'row')} for {len(ids)} names; delete it to compute it again"
        )
    return replace(features, ids=ids, labels=[label_of.get(name) for name in ids], backbone=spec), words


def out_of_order(raw: Float32s, decoded: Float32s, seed: int = 0) -> bool:
    """Whether decoded features (n, d) vary, but not as the raw features (n, d) of their own rows do.

    The measure is sum(raw * decoded) / sum(decoded ** 2), both centred: near 1 where rows belong together (0.3 or more
    for 20 rows at a fraction of a bit, measured), 0 give or take 1 / sqrt(n) where they do not. A codec that kept
    nothing decodes to a constant, which says nothing of the order.
    """
    if len(raw) < FEWEST_ORDERED:
        return False
    rows = np.random.default_rng(seed).permutation(len(raw))[:ORDER_SAMPLES]
    with np.errstate(over="ignore", invalid="ignore"):  # of features that are not finite, which others refuse
        own = raw[rows] - raw[rows].mean(axis=0, dtype=np.float64)
        kept = decoded[rows] - decoded[rows].mean(axis=0, dtype=np.float64)
        varies, follows = float(np.sum(kept**2)), float(np.sum(own * kept))
        return varies > 1e-9 * float(np.sum(own**2)) and follows < FOLLOWS * varies


def _kept_at(place: str, cache: str | None, described: str, spec: BackboneSpec | None, samples: int) -> Path:
    weights = "" if spec is None else f"{spec.weights_sha256} {sorted(spec.preprocessing.items())}"
    key = hashlib.sha256(f"{described} {weights} {samples}".encode()).hexdigest()[:16]
    beside = Path() if "://" in place else Path(os.path.abspath(place)).parent
    return (beside if cache is None else Path(cache)) / f"taskcodec-raw-{key}.npy"


def _read(path: Path, rows: int, dimension: int, store: str) -> Float32s:
    found = open_npy(path)
    if (len(found), found.dimension) != (rows, dimension):
        raise MismatchError(
            f"{path}: {counted(len(found), 'row')} of {found.dimension} features, but {store} "
            f"holds {rows} of {dimension}"
        )
    return found.block(0, rows)


def all_finite(source: FeatureSource) -> tuple[list[str], Float32s]:
    """Ids, as `encode` gives them, and features of the rows that a store of the source holds: the finite ones."""
    records, features = Batches(source, None).whole()
    if not len(features):
        raise SourceError(f"{source.name}: no row without NaN or infinity")
    names = names_for(source, 0, None)
    ids = [record.id if names is None else names.give(record.id) for record in records]
    return [name for name, record in zip(ids, records, strict=True) if record.status == OK], features


def _in_order(features: Float32s, ids: Sequence[str], store: Store, source: str) -> Float32s:
    """The rows of a source's features that a store holds, in its order."""
    if features.shape[1] != store.manifest.dimension:
        raise MismatchError(
            f"{source}: {features.shape[1]} features a sample, but {store.place} holds {store.manifest.dimension}"
        )
    row_of, lost = {name: row for row, name in enumerate(ids)}, list[str]()
    rows = [np.empty(0, np.int64)]
    for (names,) in in_pieces(store.tables("id")):
        own = names.to_pylist()
        lost += [name for name in own if name not in row_of]
        rows.append(np.array([row_of.get(name, -1) for name in own], np.int64))
    _refuse_lost(lost, source, store)
    wanted = np.concatenate(rows)
    return features if np.array_equal(wanted, np.arange(len(features))) else features[wanted]
