"""`taskcodec evaluate STORE --certificate`: from a store to the bound that it then carries.

store  --decode-->  what its samples are stored as -----------------+
source --augment--> views --backbone, codec--> decoded views -------+--> q fitted, then tested on fresh views
                                                                    +--> bound --> certificate, kept in the store
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.data import ImageSource, open_source
from taskcodec.data.augmentations.draws import AUGMENTATIONS, Augmentations
from taskcodec.engines.encode.local import Progress
from taskcodec.engines.encode.places import finished_store
from taskcodec.errors import (
    CorruptFileError,
    ForeignFileError,
    MismatchError,
    SourceError,
    StorageError,
    TaskcodecError,
    UsageError,
)
from taskcodec.evaluation.certificate.bound import PAIRS, Bound, bound_excess, draw_items, fit_posterior, identity_bits
from taskcodec.evaluation.survival.of_store import is_store
from taskcodec.evaluation.survival.raw_features import items_of_store
from taskcodec.loading import load_codec
from taskcodec.store import Store
from taskcodec.store.backend import open_blobs
from taskcodec.store.format.certificate import write_certificate
from taskcodec.transforms.spec import CARRIED, lying_at
from taskcodec.words import counted

DEFAULT_AUGMENTATIONS = "mild"
NO_AUGMENTATIONS = "none"
CALIBRATION = 1024
"""Views on which the covariance within samples is found, and again as many for the shape of q."""
COMPARED, UNLIKE = 64, 0.25
"""So many images of a source are compared, as they are, with what the store holds of them. Another image is about as
far from it as two samples are from each other; the same one, on another machine or in bf16, a few hundredths of that.
"""
MIN_VIEWS = 3
"""In a file of views: one for each of these two, the rest to test."""
Float32s = npt.NDArray[np.float32]


@dataclass(frozen=True)
class CertificatePlan:
    """How to certify.

    Attributes:
        augmentations: a name out of `taskcodec.data.augmentations.draws.AUGMENTATIONS` or of the sets for images that
            codecs are trained with, or "none". By default "mild" with a source, whatever a file of views holds, and
            without both the certificate in the store, or else "none".
        pairs: with a source, about how many fresh views to test on; None: `PAIRS`.
        seed: of the views.
        device: for the backbone.
        codec: file of the learned codec that the store was made with, where it is not where it was then.
    """

    augmentations: str | None = None
    pairs: int | None = None
    seed: int = 0
    device: str | None = None
    codec: str | None = None


@dataclass(frozen=True)
class Certificate:
    """What is guaranteed, and on which conditions. The meaning is in `taskcodec.evaluation.certificate.bound`.

    Attributes:
        excess_risk_bound_bits: no task that ignores the augmentations has more excess log loss on these samples.
        confidence: with which that holds, over the draw of the test views; 1 where it was counted exactly.
        augmentations: in words.
        conditions: in plain words, to be read with the number.
        strength: the name of the augmentations.
        estimate_bits: the mean that the bound is an upper limit of.
        as_stored_bits: what a task may lose on the samples as they are stored, in place of views: counted exactly.
        ceiling_bits: log2(samples), what a codec that keeps nothing would lose.
        top1: share of views whose own sample is the nearest.
        samples: of the store.
        views: that were tested.
        seed: of the views.
        fingerprint: of the codec.
    """

    excess_risk_bound_bits: float
    confidence: float
    augmentations: str
    conditions: tuple[str, ...]
    strength: str
    estimate_bits: float
    as_stored_bits: float
    ceiling_bits: float
    top1: float
    samples: int
    views: int
    seed: int
    fingerprint: str


@dataclass(frozen=True)
class Certified:
    """A certificate, and what the reader should know besides."""

    certificate: Certificate
    notes: tuple[str, ...]


def certify(
    place: str,
    *,
    source: str | None = None,
    views: str | None = None,
    plan: CertificatePlan | None = None,
    progress: Progress | None = None,
) -> Certified:
    """Bound the excess log loss of every task that ignores the augmentations, and keep the certificate in the store.

    Args:
        place: a finished store.
        source: of a store of images: what it was encoded from, to make views of.
        views: of any store: a .npy file of features (k, n, d), k random views of its n samples in its order.
        plan: augmentations, views and seed.
        progress: called with (views done, views in all).

    Raises:
        UsageError: arguments that do not go together, or too few views.
        MismatchError: views or a source that are not of these samples.
        SourceError: an image cannot be read, or the store is unfinished.
    """
    plan = plan or CertificatePlan()
    augmentations, pairs = plan.augmentations, plan.pairs
    if source is not None and views is not None:
        raise UsageError("--source and --views: a certificate needs one of them")
    if pairs is not None and (source is None or augmentations == NO_AUGMENTATIONS):
        without = "none is given" if source is None else f"--augmentations {NO_AUGMENTATIONS} makes none"
        reason = without if views is None else f"all views in {views} are used"
        raise UsageError(f"--pairs {pairs}: says how many views are made of a --source FOLDER, and {reason}")
    if not is_store(place):
        raise ForeignFileError(f"{place}: a certificate is for a store; encode it first")
    store = finished_store(place)
    if not len(store):
        raise SourceError(f"{place}: holds no samples")
    if source is None and views is None and augmentations is None and store.certificate is not None:
        return Certified(_stored(store), (f"the certificate kept in {place}; --source makes it anew",))
    notes: tuple[str, ...] = ()
    if views is not None:
        if augmentations is not None:
            raise UsageError(f"--augmentations {augmentations}: the views in {views} are what they are")
        strength, words = Path(views).name, f"whatever the views in {Path(views).name} were made with"
        found = _bound_of_file(store, views, plan.codec)
    elif augmentations == NO_AUGMENTATIONS or (source is None and augmentations is None):
        strength, words = NO_AUGMENTATIONS, "every sample is read as it is stored"
        found = _bound_of_codes(store)
        if augmentations is None:
            notes = ("without --source FOLDER or --views FILE.npy there are no augmented views to test",)
    elif source is None:
        raise UsageError(f"--augmentations {augmentations}: views are made of images; give --source FOLDER")
    else:
        strength = augmentations or DEFAULT_AUGMENTATIONS
        kind, said = _named(strength)
        words = f"{said}, of the square that the backbone reads"
        found = _bound_of_images(store, source, kind, plan, progress)
    certificate = Certificate(
        excess_risk_bound_bits=found.bound_bits,
        confidence=found.confidence,
        augmentations=words,
        conditions=_conditions(found, words),
        strength=strength,
        estimate_bits=found.mean_bits,
        as_stored_bits=identity_bits(store.symbols[:]),
        ceiling_bits=float(np.log2(found.samples)),
        top1=found.top1,
        samples=found.samples,
        views=found.pairs,
        seed=plan.seed,
        fingerprint=store.manifest.fingerprint,
    )
    try:
        write_certificate(open_blobs(place), asdict(certificate))
    except StorageError as error:
        notes = (*notes, f"the certificate is not kept: {error}")
    return Certified(certificate, notes)


def _named(name: str) -> tuple[Augmentations | str, str]:
    """Augmentations by name, and in words. Raises UsageError for a name that is none."""
    if name in AUGMENTATIONS:
        return AUGMENTATIONS[name], AUGMENTATIONS[name].words
    from taskcodec.data.augmentations.kinds import IMAGE_SETS

    if name not in IMAGE_SETS:
        raise UsageError(
            f"augmentations must be one of none, {', '.join([*AUGMENTATIONS, *IMAGE_SETS])}, found {name!r}"
        )
    return name, (IMAGE_SETS[name].__doc__ or name).rstrip(".")


def _stored(store: Store) -> Certificate:
    content = store.certificate or {}
    try:
        fields = {key: content[key] for key in Certificate.__dataclass_fields__}
        return Certificate(**{**fields, "conditions": tuple(fields["conditions"])})
    except (KeyError, TypeError) as error:
        raise CorruptFileError(f"{store.place}: its certificate lacks or mangles {error}; make it again") from error


def _conditions(found: Bound, words: str) -> tuple[str, ...]:
    sure = (
        "The number was counted, not estimated."
        if found.confidence == 1
        else f"The bound holds with {100 * found.confidence:g} % confidence over the draw of its {found.pairs:,} test "
        "views, which were drawn at random, each on its own, and had no part in fitting what is tested."
    )
    return (
        f"It covers every task whose answer depends on the sample and not on the view of it. Views: {words}.",
        f"It is about the {counted(found.samples, 'sample')} of this store, each as likely as another, "
        "and about no others.",
        "It is about the best possible predictor on decoded features, against the best on the views themselves, in "
        "bits of log loss. A simple predictor, or one trained on few labels, may lose more.",
        "A task that depends on what the augmentations change (is it mirrored? how bright is it?) may lose everything.",
        sure,
    )


def _bound_of_codes(store: Store) -> Bound:
    codes = store.symbols[:]
    bits = identity_bits(codes)
    # The likeliest sample of a code that c samples share is right for one in c of them.
    right = len({row.tobytes() for row in codes}) / len(codes)
    return Bound(bits, bits, right, 1.0, len(codes), len(codes))


def _bound_of_file(store: Store, path: str, codec_file: str | None) -> Bound:
    try:
        views = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SourceError(f"{path}: not a .npy file of views that can be read ({type(error).__name__})") from error
    n, d = len(store), store.manifest.dimension
    learned = _learned(store, codec_file)
    inputs = d if learned is None else learned.inputs
    sizes = [d] if inputs in (d, None) else [d, inputs]
    if (
        getattr(views, "ndim", 0) != 3
        or views.shape[1:] not in [(n, size) for size in sizes]
        or not np.issubdtype(views.dtype, np.floating)
    ):
        shapes = " or ".join(f"(k, {n}, {size})" for size in sizes)
        raise MismatchError(f"{path}: views of shape {shapes} expected, found {views.shape} {views.dtype}")
    if len(views) < MIN_VIEWS:
        raise MismatchError(f"{path}: {counted(len(views), 'view')} of each sample; at least {MIN_VIEWS} are needed")
    codec: Any = store.codec
    through = learned if learned is not None and views.shape[2] != d else None
    features = (view if through is None else through.analyse(list(view)) for view in views)
    decoded = np.concatenate([codec.decode(codec.encode(part)) for part in features])
    few = np.random.default_rng(0).permutation(n)[:CALIBRATION]
    posterior = fit_posterior(store.to_numpy(), decoded[few], few, decoded[n + few], few)
    return bound_excess(posterior, decoded[2 * n :], np.tile(np.arange(n), len(views) - 2), n)


def _learned(store: Store, file: str | None) -> Codec | None:
    """The codec with the analysis network that a store of vectors was made through, where its file is still there."""
    spec = lying_at(store.codec.backbone, file)
    if spec is None or not spec.name.startswith(CARRIED):
        return None
    try:
        found = load_codec(Path(spec.loadable.removeprefix(CARRIED)))
    except TaskcodecError:
        return None  # moved away: views of its features are taken all the same
    return found if found.g_a is not None and found.g_a.sha256 == spec.weights_sha256 else None


def _bound_of_images(
    store: Store, place: str, kind: Augmentations | str, plan: CertificatePlan, progress: Progress | None
) -> Bound:
    codec: Any = store.codec
    spec = lying_at(codec.backbone, plan.codec)
    if spec is None:
        raise UsageError(f"{store.place}: holds features, not images; give --views FILE.npy")
    opened = open_source(place)
    if not isinstance(opened, ImageSource):
        raise UsageError(f"{place}: holds features, not images; give --views FILE.npy")
    items = items_of_store(opened, store)
    from taskcodec.engines.encode.augmented_views import views_of_squares
    from taskcodec.transforms.backbones import load_backbone_for

    n, seed = len(store), plan.seed
    few, again = (np.sort(np.random.default_rng([seed, part]).permutation(n)[:CALIBRATION]) for part in (1, 2))
    tested = draw_items(n, plan.pairs or PAIRS, seed)
    rows = np.concatenate([few, again, tested])
    backbone, stored = load_backbone_for(spec, plan.device), store.to_numpy()
    compared = np.sort(np.random.default_rng([seed, 0]).permutation(n)[:COMPARED])
    plain = views_of_squares(items, compared.tolist(), backbone, NO_AUGMENTATIONS, seed)
    _check_same(store, stored, compared, codec.decode(codec.encode(plain)), opened.name)
    features = views_of_squares(items, rows.tolist(), backbone, kind, seed, progress)
    decoded = codec.decode(codec.encode(features))
    noise, shape, fresh = np.split(decoded, [len(few), len(few) + len(again)])
    return bound_excess(fit_posterior(stored, noise, few, shape, again), fresh, tested, n)


def _check_same(store: Store, stored: Float32s, rows: npt.NDArray[np.intp], found: Float32s, place: str) -> None:
    """Raise MismatchError where images as they are give other features than the store holds of these rows."""
    apart = ((found - stored[rows]) ** 2).sum(axis=1)
    usual = 2 * float(stored.var(axis=0, dtype=np.float64).sum())  # between two samples, in the mean
    other = rows[apart > UNLIKE * usual]
    if len(other):
        raise MismatchError(
            f"{place}: {store.ids[other[0]]} is not the image that {store.place} was made of (other features); "
            f"so are {len(other)} of {len(rows)} that were compared"
        )
