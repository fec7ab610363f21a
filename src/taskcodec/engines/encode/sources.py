"""Sources as verbs take them: with labels, a backbone and a device, each checked before anything is computed."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from taskcodec.data import FeatureSource, ImageSource, Source, read_labels
from taskcodec.data.labels import LabelTable
from taskcodec.engines.encode.records import BackboneLike
from taskcodec.errors import SourceError, UsageError, check_kind, check_number
from taskcodec.transforms.spec import DEFAULT as DEFAULT_BACKBONE
from taskcodec.words import counted

NO_BACKBONE = "none"
"""What may stand for a backbone where features are given."""
MISSED_SHARE = 0.05
"""A rate this far from the one asked for is worth a word; usual collections come within 0.02."""


Rates = float | Mapping[str, float]
"""Bits a sample; of a codec of pictures also by layer."""


def rates_in(text: str | None) -> Rates | None:
    """What stands behind --bits: 200, or base=200,picture=8000. Raises UsageError on anything else."""
    if text is None:
        return None
    named = dict[str, float]()
    try:
        if "=" not in text:
            return float(text)
        for part in text.split(","):
            name, _, bits = part.partition("=")
            if name.strip() in named:
                raise UsageError(f"--bits: {name.strip()} is named twice")
            named[name.strip()] = float(bits)
    except ValueError as error:
        raise UsageError(f"--bits: expected a number, or LAYER=NUMBER with commas between, found {text}") from error
    return named


def said_rates(bits: Rates) -> str:
    """Invert it."""
    return ",".join(f"{name}={rate:g}" for name, rate in bits.items()) if isinstance(bits, Mapping) else f"{bits:g}"


def one_rate(bits: Rates | None) -> float | None:
    """The rate of what has no layers of pictures. Raises UsageError where layers are named."""
    if isinstance(bits, Mapping):
        raise UsageError(f"--bits {said_rates(bits)}: layers are those of a codec of pictures; give one number")
    return bits


def check_layer_rates(bits: Rates | None, names: Sequence[str]) -> None:
    """Raise UsageError unless these are rates of the layers of a codec of pictures, or of the only one."""
    if isinstance(bits, Mapping):
        for unknown in sorted(bits.keys() - set(names)):
            raise UsageError(f"--bits {unknown}=: the codec has no such layer; its layers are {', '.join(names)}")
    elif bits is not None and len(names) > 1:
        every = ",".join(f"{name}=BITS" for name in names)
        raise UsageError(f"--bits: each layer of this codec has a rate of its own: --bits {every}, or some of these")


def missed(bits: float | None, reached: float, asked: bool = True, layer: str = "") -> str | None:
    """What to say where another rate came out than the one to meet, or next to none; None where all is well.

    `asked`: whether the user asked for that rate, or it is the usual one; `layer`: which one has it, of several.
    """
    if bits is None:
        return f"warning: {reached:.2f} bits a sample: such a step keeps next to nothing" if reached < 1 else None
    if abs(reached - bits) <= MISSED_SHARE * bits:
        return None
    rate = f"--bits {layer}{'=' * bool(layer)}{bits:g}" if asked else f"the usual rate of {bits:g} bits"
    return f"warning: {rate} was not met: {reached:.1f} bits a sample (too few samples, or too much alike)"


def backbone_for(source: Source, given: str | BackboneLike | None, device: str | None = None) -> BackboneLike | None:
    """The backbone given, itself or by name, or the default one; None where the source has features already."""
    check_no_backbone(source, given)
    if isinstance(source, FeatureSource):
        return None
    if given is not None and not isinstance(given, str):
        return given
    from taskcodec.transforms.backbones import load_backbone

    return load_backbone(given or DEFAULT_BACKBONE, device)


def check_no_backbone(source: Source, given: str | BackboneLike | None) -> None:
    """Raise UsageError where a backbone is given for vectors, which it would never see."""
    if not (given is None or hasattr(given, "spec")):
        check_kind("--backbone", given, str, "the name of a backbone, or one itself")
    if given is not None and given != NO_BACKBONE and isinstance(source, FeatureSource):
        name = given if isinstance(given, str) else given.spec.name
        raise UsageError(f"--backbone {name}: {source.name} holds vectors; a backbone makes vectors of images")


def labelled(source: Source, labels: str | None) -> tuple[Source, dict[str, str]]:
    """The source with the labels of a table, and that table. Raises SourceError where they match none of it."""
    if labels is None:
        return source, {}
    table = read_labels(labels)
    found = source.with_labels(table)
    matched = (
        any(item.label is not None for item in found.items)
        if isinstance(found, ImageSource)
        else any(label is not None for label in found.labels or ())
    )
    if not matched:
        raise SourceError(f"{labels}: none of its {counted(len(table), 'id')} is in {source.name}")
    return found, table


def unmatched(spec: str, table: dict[str, str], source: Source, failed: Collection[str]) -> str | None:
    """What to say of ids in a table that name no sample, and of samples without a label; None where all match.

    `failed` are the ids, as a store has them, of samples that are none: the table itself often lies among its images.
    """
    if isinstance(source, ImageSource):
        pairs = [(item.id, item.label) for item in source.items]
    else:
        pairs = [(source.id_of(row), label) for row, label in enumerate(source.labels or ())]
    names = {name for name, _ in pairs}
    numbered = isinstance(source, FeatureSource) and source.ids is None  # these are looked up as they stand
    unused = table.keys() - names if numbered else LabelTable(table).unused(names)
    samples = [label for name, label in pairs if name not in failed]
    without = sum(label is None for label in samples)
    parts = [f"{len(unused):,} of {counted(len(table), 'id')} name no sample"] * bool(unused)
    parts += [f"{without:,} of {counted(len(samples), 'sample')} have no label"] * bool(without)
    return f"warning: {spec}: {'; '.join(parts)}" if parts else None


def check_device(device: str | None) -> None:
    """Raise UsageError on a device that is none, or that is not to be had here."""
    if device is None:
        return
    import torch

    check_kind("--device", device, (str, torch.device), "a name such as cpu or cuda")
    try:
        torch.empty(0, device=device).cpu()  # "meta" makes tensors, but holds nothing
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].split(": ", 1)[0]
        raise UsageError(f"--device {device}: cannot be used here ({reason})") from error


def check_bits(bits: Rates | None) -> None:
    """Raise UsageError on a rate that is none."""
    if isinstance(bits, Mapping):
        if not bits:
            raise UsageError("--bits: no layer is named; leave it out")
        for name, each in bits.items():
            _check_rate(f"--bits {name}=", each)
    else:
        _check_rate("--bits", bits)


def _check_rate(option: str, bits: float | None) -> None:
    check_number(option, bits)
    if bits is not None and not (np.isfinite(bits) and bits > 0):
        raise UsageError(f"{option} must be positive, found {bits:g}")
