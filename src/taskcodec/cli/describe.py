"""What a store or a codec is, in words for people and in plain values for machines."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from textwrap import wrap
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from taskcodec.cli.output import times_smaller
from taskcodec.words import counted, human_bytes

if TYPE_CHECKING:
    from taskcodec.codec import Codec
    from taskcodec.store import StoreInfo
    from taskcodec.store.info import LayerInfo


LINE, DEEPEST = 100, 8
"""Characters of a line, and keys within keys, of a codec's record."""
NO_COSTS: Mapping[str, Mapping[str, float]] = MappingProxyType({})


def is_codec(place: str) -> bool:
    from taskcodec.loading import BUNDLED
    from taskcodec.store.backend import is_zip

    path = Path(place)
    if place in BUNDLED and not path.exists():
        return True
    if not path.is_file() or path.suffix.lower() == ".zip":
        return False
    return not is_zip(path)


def codec_info(place: str, codec: "Codec") -> dict[str, Any]:
    return {
        "kind": "codec",
        "path": place,
        "fingerprint": codec.fingerprint,
        "codec_fingerprint": codec.fingerprint,
        "dimension": 0 if codec.of_pictures else codec.dimension,
        "columns": codec.columns,
        "layers": [layer.name for layer in codec.layers],
        "step": codec.base.quantizer.step,
        "bytes": len(codec.to_bytes()),
        "backbone": None if codec.backbone is None else codec.backbone.name,
        **({"macs_per_pixel": costs} if (costs := decoding_costs(codec)) else {}),
        "provenance": dict(codec.provenance),
    }


def decoding_costs(codec: "Codec") -> dict[str, dict[str, float]]:
    """Multiplications with addition a pixel that each layer of pictures is decoded by; none where torch is missing."""
    if not codec.of_pictures or find_spec("torch") is None:
        return {}
    from taskcodec.stack.cost import decoding_cost

    found = {layer.name: decoding_cost(codec.layers, layer.name) for layer in codec.layers}
    plain = {name: {**asdict(cost), "total": cost.total} for name, cost in found.items()}
    return {name: {key: own[key] for key in own if key != "realism" or own[key]} for name, own in plain.items()}


def _cost_words(costs: Mapping[str, Mapping[str, float]], name: str) -> str:
    if name not in costs:
        return ""
    own = costs[name]
    parts = f"{own['synthesis']:,.0f} of its synthesis, {own['entropy']:,.0f} of entropy models"
    more = f"; {own['realism']:,.0f} more with --realism" if "realism" in own else ""
    return f"{own['total']:,.0f} multiply-accumulates a pixel to decode: {parts}{more}"


def codec_lines(place: str, codec: "Codec") -> list[str]:
    content = codec_info(place, codec)
    if codec.of_pictures:
        return _codec_lines_of_pictures(place, codec, content)
    if codec.lossless:
        return _codec_lines_of_values(place, codec, content)
    g_a = codec.g_a
    own = None if g_a is None else f"its own {g_a.name}, of {'images' if codec.inputs is None else 'vectors'}"
    backbone = ", then ".join(filter(None, (content["backbone"], own))) or "none (features are given)"
    lines = [
        f"codec {place}: {counted(content['dimension'], 'feature')} -> "
        f"{counted(content['columns'], 'symbol')}, step {content['step']:.4g}",
        f"  backbone     {backbone}",
        f"  size         {human_bytes(content['bytes'])}",
        f"  fingerprint  {codec.fingerprint}",
    ]
    return lines + _record_lines(codec.provenance)


def _codec_lines_of_pictures(place: str, codec: "Codec", content: dict[str, Any]) -> list[str]:
    lines = [f"codec {place}: pictures of any size, in {counted(len(codec.layers), 'layer')}"]
    for layer in codec.layers:
        given = f", given {' and '.join(layer.given)}" if layer.given else ""
        lines.append(
            f"  {layer.name:<12} {counted(layer.columns, 'symbol')} a place, step {layer.quantizer.step:.4g}{given}"
        )
        if words := _cost_words(content.get("macs_per_pixel", {}), layer.name):
            lines.append(f"  {'':<12} {words}")
    lines += [
        f"  size         {human_bytes(content['bytes'])}",
        f"  fingerprint  {codec.fingerprint}",
    ]
    return lines + _record_lines(codec.provenance)


def _codec_lines_of_values(place: str, codec: "Codec", content: dict[str, Any]) -> list[str]:
    lines = [
        f"codec {place}: lossless, {codec.values.transform.words}",
        f"  size         {human_bytes(content['bytes'])}",
        f"  fingerprint  {codec.fingerprint}",
    ]
    return lines + _record_lines(codec.provenance)


def _record_lines(record: Mapping[str, Any], depth: int = 1, width: int = 12) -> list[str]:
    """A codec's record for people: what has keys stands below its own, unless it is short; what is empty, nowhere."""
    lines = list[str]()
    for key, value in _told(record).items():
        parts = value if isinstance(value, list) and _has_keys(value) else [value]
        for number, part in enumerate(parts, 1):
            name = key if len(parts) == 1 else f"{key} {number}"
            lines += _value_lines(f"{'  ' * depth}{name:<{width}} ", part, depth)
    return lines


def _value_lines(head: str, value: Any, depth: int) -> list[str]:
    """A value of a record behind its key."""
    line = head + _plain(value)
    if not isinstance(value, dict):
        return wrap(line, LINE, subsequent_indent=" " * len(head), break_long_words=False, break_on_hyphens=False)
    inner = _told(value)
    if depth == DEEPEST or (len(line) <= LINE and not any(map(_has_keys, inner.values()))):
        return [line]
    return [head.rstrip(), *_record_lines(inner, depth + 1, max(map(len, inner), default=0))]


def _told(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if value not in (None, [], {})}


def _has_keys(value: Any) -> bool:
    """Whether a value is a record, or a list with one."""
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(one, dict) for one in value))


def _plain(value: Any, depth: int = 1) -> str:
    """A value of a record as one line."""
    if isinstance(value, dict | list) and depth > DEEPEST:
        return "..."
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(one, depth + 1)}" for key, one in _told(value).items())
    return "; ".join(_plain(one, depth + 1) for one in value) if isinstance(value, list) else str(value)


def info_lines(place: str, info: "StoreInfo", costs: Mapping[str, Mapping[str, float]] = NO_COSTS) -> list[str]:
    rate = ", ".join(filter(None, (f"{info.bits_per_sample:.1f} bits a sample", times_smaller(info.ratio))))
    return [
        f"{place}: {counted(info.samples, 'sample')}, {info.failures} not coded"
        + (" (unfinished)" * (info.state != "complete")),
        f"  source   {human_bytes(info.source_bytes):>10}",
        f"  codes    {human_bytes(info.code_bytes):>10}   {rate}",
        f"  codec    {human_bytes(info.codec_bytes):>10}   {_codec_words(info)}",
        *_layer_lines(info, costs),
        f"  store    {human_bytes(info.store_bytes):>10}   {times_smaller(info.store_ratio)}",
    ]


def _layer_lines(info: "StoreInfo", costs: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A line for each layer beside the features."""
    return [
        f"  {name:<8} {'' if layer.bytes is None else human_bytes(layer.bytes):>10}   "
        + ", ".join(filter(None, (*_layer_words(layer, info.samples), _cost_words(costs, name))))
        for name, layer in info.layers.items()
        if name != "features"
    ]


def _layer_words(layer: "LayerInfo", samples: int) -> list[str | None]:
    """What a layer takes of each sample, of how many where not of all, and where it is kept."""
    return [
        layer.fault,
        None if layer.bits_per_sample is None else f"{layer.bits_per_sample / 8:,.0f} bytes a sample",
        None if layer.samples in (None, samples) else f"{layer.samples:,} of {counted(samples, 'sample')}",
        None if layer.elsewhere is None else f"kept at {layer.elsewhere}",
    ]


def _codec_words(info: "StoreInfo") -> str:
    """What the codec is and keeps, where it was measured."""
    words = f"{info.fingerprint[:12]}, fitted here" if info.fitted else info.fingerprint[:12]
    if info.variance_kept is None or info.cosine is None:
        return words
    return f"{words}: keeps {max(info.variance_kept, 0):.0%} of the variance of like samples, cosine {info.cosine:.3f}"
