"""Layers of pictures at work together: from a picture to a packet and back, and on from what was decoded already.

    pixels (H, W, 3) --g_a of each layer--> symbols (1, c, h, w) of each --models--> packet     encode, pack
    pixels (H, W, 3) <--g_s of one layer-- symbols (1, c, h, w) of it and those it needs <--models-- packet

Pictures are coded one by one: so their packets do not depend on what is coded with them.
"""

import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from taskcodec.coding import SpatialTables
from taskcodec.coding.models.overfitted.model import OverfittedTables
from taskcodec.coding.picture import (
    OVERHEAD_BITS,
    Size,
    check_size,
    decode_layer,
    encode_layer,
    join_picture,
    read_size,
    split_picture,
    write_size,
)
from taskcodec.coding.symbol_model import Symbols
from taskcodec.errors import CorruptFileError, MismatchError, UsageError, needing_packages
from taskcodec.layer import Choose, Floats, Layer, OfPictures, given_of, needed_of
from taskcodec.quantization.uniform import UniformQuantizer
from taskcodec.samples import preprocessed
from taskcodec.symbol_choice.nearest import nearest
from taskcodec.symbol_choice.pictures.seen import Search, Seen
from taskcodec.transforms.overfitted.transform import OverfittedTransform
from taskcodec.transforms.picture import PictureTransform
from taskcodec.transforms.spec import CARRIED, BackboneSpec, placed

if TYPE_CHECKING:
    from taskcodec.stack.outside import RunningMeans

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class DecodedPicture:
    """What is known of a picture so far, and the way to its pixels.

    Attributes:
        size: (H, W).
        symbols: (1, c, h, w) of each layer that was decoded, by name.
        packet: the bytes that are there, also those of layers that were not decoded.
    """

    size: Size
    symbols: Mapping[str, Symbols]
    packet: bytes = b""


@dataclass(frozen=True, eq=False)
class ChosenPicture:
    """What is to be coded of a picture.

    Attributes:
        symbols: (1, c, h, w) of each layer, by name.
        sides: (1, h', w', channels) side information of those layers whose own is not to be sent.
        kept: whether every search reached the error that it was held to.
    """

    symbols: Mapping[str, Symbols]
    sides: Mapping[str, Symbols] = field(default_factory=dict)
    kept: bool = True


@dataclass(frozen=True, eq=False)
class PictureStack:
    """The layers of a codec of pictures; see the module.

    Attributes:
        layers: from the lowest to the highest.
    """

    layers: tuple[Layer, ...]

    def encode(self, pixels: Pixels, choose: Choose = nearest) -> dict[str, Symbols]:
        """(H, W, 3) uint8 -> (1, c, h, w) symbols of each layer by its name. Needs torch."""
        return dict(self._chosen(pixels, choose, {}).symbols)

    def search(self, pixels: Pixels, searches: Mapping[str, Search]) -> ChosenPicture:
        """The same, and side information; symbols of layers that have a search are those that it finds. Needs torch.

        A search runs in one thread: it follows sums of floats, whose order would change with the number of threads.
        """
        if not searches:
            return self._chosen(pixels, nearest, searches)
        with needing_packages():
            from taskcodec.transforms.networks.run import one_thread
        with one_thread():
            found = self._chosen(pixels, nearest, searches)
            if not found.kept:  # a layer lacks what those below it left out: these stay as they are
                seen = {name for layer in self.layers if transform_of(layer).given_columns for name in layer.given}
                alone = {name: search for name, search in searches.items() if name not in seen}
                found = self._chosen(pixels, nearest, alone)
            return found

    def _chosen(self, pixels: Pixels, choose: Choose, searches: Mapping[str, Search]) -> ChosenPicture:
        check_size(pixels.shape[:2])
        x = np.moveaxis(pixels, 2, 0)[None].astype(np.float32)
        x /= np.float32(255)
        symbols, sides, kept = dict[str, Symbols](), dict[str, Symbols](), True
        usual = dict[str, Symbols]()  # the nearest, which searches are held to
        for layer in self.layers:
            given, search = given_of(layer, symbols), searches.get(layer.name)
            if isinstance(layer.transform, OverfittedTransform):
                if search is None:
                    raise UsageError(f"layer {layer.name} is overfitted: codec.compress searches for its symbols")
                symbols[layer.name] = search(Seen(x, np.empty((1, 0, 0, 0), np.float32), given, None, None)).symbols
                continue
            if search is not None:
                latent = learned(layer).analyse(x)
                below, nearest_below = (self._values_below(layer, each) for each in (symbols, usual))
                found = search(Seen(x, latent, given, below, nearest_below))
                symbols[layer.name], kept = found.symbols, kept and found.kept
                assert isinstance(layer.quantizer, UniformQuantizer)
                usual[layer.name] = layer.quantizer.quantize(latent)
                if found.side is not None:
                    sides[layer.name] = found.side
                continue
            if (means := self._means(layer)) is None:
                symbols[layer.name] = layer.encode(x, None, given, choose)
            else:
                latent = learned(layer).analyse(x) / np.float32(layer.quantizer.step)
                symbols[layer.name] = means.quantize(latent, given)
            usual[layer.name] = symbols[layer.name]
        return ChosenPicture(symbols, sides, kept)

    def _values_below(self, layer: Layer, symbols: Mapping[str, Symbols]) -> Floats | None:
        """(1, c', h, w) what the layers that a synthesis looks at dequantize to, side by side."""
        if not transform_of(layer).given_columns:
            return None
        named = {each.name: each for each in self.layers}
        return np.concatenate([self.latent(named[name], symbols) for name in layer.given], axis=1)

    def latent(self, layer: Layer, symbols: Mapping[str, Symbols]) -> Floats:
        """(1, c, h, w) that a layer's symbols stand for, by those of the layers below where means follow from them."""
        if (means := self._means(layer)) is None:
            return layer.quantizer.dequantize(symbols[layer.name])
        return means.restore(symbols[layer.name], given_of(layer, symbols)) * np.float32(layer.quantizer.step)

    def _means(self, layer: Layer) -> "RunningMeans | None":
        network = transform_of(layer).networks.means
        if network is None:
            return None
        if layer.name not in self._running:
            with needing_packages():
                from taskcodec.stack.outside import RunningMeans

            self._running[layer.name] = RunningMeans(network)
        return self._running[layer.name]

    @cached_property
    def _running(self) -> dict[str, "RunningMeans"]:
        return {}

    def bitstreams(
        self, size: Size, symbols: Mapping[str, Symbols], sides: Mapping[str, Symbols] | None = None
    ) -> list[bytes]:
        """The bytes of each layer of a picture of this size (H, W); `sides` as of a `ChosenPicture`."""
        found = list[bytes]()
        for own in self.layers:
            model, side = own.model, (sides or {}).get(own.name)
            if side is not None and isinstance(model, SpatialTables):
                model = model.sending(side)
            found.append(encode_layer(symbols[own.name], model, _below(own, symbols), size))
        return found

    def code_length(self, symbols: Mapping[str, Symbols], size: Size | None = None) -> dict[str, float]:
        """Bits that each layer of a picture takes, by an ideal coder and what `encode_layer` adds in the mean.

        Overfitted layers need the picture's size (H, W), which does not follow from their symbols.
        """
        models = {own: own.model if size is None else own.model.for_size(size) for own in self.layers}
        return {
            own.name: float(model.code_length(symbols[own.name], given_of(own, symbols))[0]) + OVERHEAD_BITS
            for own, model in models.items()
        }

    def pack(self, pixels: Pixels, searches: Mapping[str, Search] | None = None) -> bytes:
        """(H, W, 3) uint8 -> a packet; `searches` as in `search`. Needs torch."""
        size, chosen = (pixels.shape[0], pixels.shape[1]), self.search(pixels, searches or {})
        return join_picture(size, self.bitstreams(size, chosen.symbols, chosen.sides))

    def items(self, pixels: Pixels, searches: Mapping[str, Search] | None = None) -> list[bytes]:
        """(H, W, 3) uint8 -> the bytes of each layer with the size before it, as they lie alone. Needs torch."""
        size, chosen = (pixels.shape[0], pixels.shape[1]), self.search(pixels, searches or {})
        return [write_size(size) + found for found in self.bitstreams(size, chosen.symbols, chosen.sides)]

    def from_items(self, item_of: Callable[[str], bytes], upto: str | None = None) -> DecodedPicture:
        """Invert `items` up to a layer; `item_of` gives those that are asked for, by name. Raises CorruptFileError."""
        symbols, sizes = dict[str, Symbols](), set[Size]()
        for layer in needed_of(self.layers, upto):
            size, data = read_size(item_of(layer.name))
            sizes.add(size)
            if len(sizes) > 1:
                raise CorruptFileError(f"layer {layer.name}: of a picture of another size than the layers below")
            symbols[layer.name] = self.symbols_of(layer, data, size, symbols)
        return DecodedPicture(size, symbols)

    def start(self, packet: bytes, upto: str | None = None) -> DecodedPicture:
        """The symbols of a layer, and of those it needs. Raises CorruptFileError where they are damaged or cut off."""
        size = split_picture(packet, len(self.layers)).size
        return self.resume(DecodedPicture(size, {}, packet), b"", upto)

    def resume(self, decoded: DecodedPicture, rest: bytes, upto: str | None = None) -> DecodedPicture:
        """The same with further layers; those that were decoded are not decoded again.

        `rest` is what follows the bytes that were there so far.
        """
        packet = decoded.packet + rest
        found, symbols = split_picture(packet, len(self.layers)), dict(decoded.symbols)
        for layer in needed_of(self.layers, upto):
            if layer.name not in symbols:
                data = found.layer(self.layers.index(layer))
                if data is None:
                    raise CorruptFileError(f"a packet that ends before its layer {layer.name} does was truncated")
                symbols[layer.name] = self.symbols_of(layer, data, found.size, symbols)
        return DecodedPicture(found.size, symbols, packet)

    def symbols_of(self, layer: Layer, data: bytes, size: Size, below: Mapping[str, Symbols]) -> Symbols:
        """(1, c, h, w) symbols of a layer's bytes, by those of the layers below. Raises CorruptFileError, naming it."""
        places = transform_of(layer).places(size)
        try:
            return decode_layer(data, layer.model, places, _below(layer, below), size)
        except CorruptFileError as error:
            raise CorruptFileError(f"layer {layer.name}: {error}") from error

    def values(self, decoded: DecodedPicture, upto: str | None = None) -> Floats:
        """(outputs, H, W) float32 that g_s of a layer gives, in [0, 1] about where that is a picture. Needs torch."""
        layer = self._decoded(decoded, upto)
        height, width = decoded.size
        if isinstance(layer.transform, OverfittedTransform):
            assert isinstance(layer.model, OverfittedTables)
            told = layer.model.for_size(decoded.size).told(decoded.symbols[layer.name].ravel())
            return layer.transform.rebuilt(told, decoded.size)
        below = self._values_below(layer, decoded.symbols)
        return learned(layer).synthesise(self.latent(layer, decoded.symbols), below)[0, :, :height, :width]

    def real_values(self, decoded: DecodedPicture, upto: str | None = None) -> Floats:
        """(3, H, W) float32 that g_r of a layer gives, from noise that follows from the layer's symbols. Needs torch.

        Raises MismatchError where the layer has no g_r.
        """
        layer = self._decoded(decoded, upto)
        symbols = decoded.symbols[layer.name]
        if not transform_of(layer).noise_columns:
            raise MismatchError(f"layer {layer.name} has no second synthesis, which makes what is decoded look real")
        transform = learned(layer)
        seed = zlib.crc32(symbols.astype("<i4").tobytes())
        shape = (1, transform.noise_columns, *symbols.shape[2:])
        noise = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape, dtype=np.float32)
        height, width = decoded.size
        latent, below = self.latent(layer, decoded.symbols), self._values_below(layer, decoded.symbols)
        return transform.realise(latent, below, noise)[0, :, :height, :width]

    def is_seen(self, name: str) -> bool:
        """Whether people can look at what a layer of this name decodes to."""
        return transform_of(needed_of(self.layers, name)[-1]).is_seen

    def _decoded(self, decoded: DecodedPicture, upto: str | None) -> Layer:
        layer = needed_of(self.layers, upto)[-1]
        if layer.name not in decoded.symbols:
            raise UsageError(
                f"layer {layer.name} of this picture was not decoded: resume it with the bytes that follow"
            )
        return layer

    def pixels(self, decoded: DecodedPicture, upto: str | None = None, realism: float = 0.0) -> Pixels:
        """(H, W, 3) uint8 for people: of a layer or of the highest, the preview of one that is for a task. Needs torch.

        `realism` goes from faithful (0) to what g_r makes look real (1), along a straight line; above 0 networks run in
        one thread. Raises MismatchError where that is no picture or there is no g_r, UsageError where realism is not
        from 0 to 1.
        """
        check_realism(realism)
        if not realism:
            return self._pixels(decoded, upto, 0.0)
        with needing_packages():
            from taskcodec.transforms.networks.run import one_thread
        with one_thread():  # sums in another order would round here and there to another level
            return self._pixels(decoded, upto, realism)

    def _pixels(self, decoded: DecodedPicture, upto: str | None, realism: float) -> Pixels:
        layer = self._decoded(decoded, upto)
        transform = transform_of(layer)
        if transform.networks.g_p is not None:
            height, width = decoded.size
            values = learned(layer).preview(self.latent(layer, decoded.symbols))[0, :, :height, :width]
        elif transform.outputs == 3:
            values = self.values(decoded, upto)
        else:
            raise MismatchError(f"layer {layer.name} gives {transform.outputs} channels, which are no picture")
        if realism:
            values = values + np.float32(realism) * (self.real_values(decoded, upto) - values)
        np.clip(values, 0, 1, out=values)
        values *= np.float32(255)
        return np.ascontiguousarray(np.moveaxis(np.rint(values, out=values).astype(np.uint8), 0, 2))


def check_realism(realism: float) -> None:
    """Raise UsageError unless a picture can be decoded so."""
    if not 0 <= realism <= 1:
        raise UsageError(f"realism is from 0, faithful, to 1, realistic; found {realism:g}")


def _below(layer: Layer, symbols: Mapping[str, Symbols]) -> list[Symbols]:
    """The symbols of the layers that condition this one: its model, its synthesis or both."""
    return [symbols[name] for name in layer.given]


def transform_of(layer: Layer) -> OfPictures:
    """The transform of a layer of pictures."""
    assert isinstance(layer.transform, OfPictures)
    return layer.transform


def learned(layer: Layer) -> PictureTransform:
    """The same of a layer whose networks its codec holds."""
    assert isinstance(layer.transform, PictureTransform)
    return layer.transform


def decoding_half(layers: Sequence[Layer], name: str) -> tuple[tuple[Layer, ...], BackboneSpec | None]:
    """The layers without their analyses, and the record of these, to be found at `name`; None where there are none."""
    analyses, kept, digest = 0, list[Layer](), hashlib.sha256()
    for layer in layers:
        if isinstance(layer.transform, OverfittedTransform):
            kept.append(layer)
            continue
        transform = learned(layer)
        if (g_a := transform.networks.g_a) is not None:
            analyses += 1
            digest.update(f"{layer.name} {g_a.sha256}\n".encode())
        kept.append(replace(layer, transform=replace(transform, networks=replace(transform.networks, g_a=None))))
    if not analyses:
        return tuple(layers), None
    found = digest.hexdigest()
    return tuple(kept), BackboneSpec(f"{CARRIED}{found[:12]}", found, 0, {}, placed(name))


def with_analyses(layers: Sequence[Layer], whole: Sequence[Layer]) -> tuple[Layer, ...]:
    """Layers as a store has them, in its steps, with the analyses of a codec that it was made with."""
    found = {layer.name: transform_of(layer).networks.g_a for layer in whole}
    kept = [(layer, layer.transform) for layer in layers]
    return tuple(
        replace(layer, transform=replace(own, networks=replace(own.networks, g_a=found[layer.name])))
        if isinstance(own, PictureTransform)
        else layer
        for layer, own in kept
    )


def needs_no_analysis(layers: Sequence[Layer]) -> bool:
    """Whether a store's copy of these layers can encode, since each picture brings what codes it."""
    return all(isinstance(layer.transform, OverfittedTransform) for layer in layers)


def pixels_of(sample: Any) -> Pixels:
    """A picture in any form -> (H, W, 3) uint8, upright. Raises SourceError, MismatchError."""
    with needing_packages():
        from taskcodec.transforms.pictures.images import open_image

    return preprocessed(sample, open_image)
