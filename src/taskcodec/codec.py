"""`Codec`: everything needed to go from data to bytes and back, as one artefact.

    sample --backbone, g_a--> features (n, d) --layers--> symbols (n, columns) --models--> bytes     encode, compress
                              features (n, d) <--layers-- symbols (n, columns) <--models-- bytes     decode, decompress

A codec is one layer, or several: a base and enhancement layers on top of it (`taskcodec.layer`). It is saved as one
safetensors file. Its metadata is a versioned JSON manifest, its tensors are transforms, frozen integer tables,
reconstruction points and a sketch of each latent's density (from which the fitting floor can derive the same codec at
another step). Loading runs no code from the file and needs only numpy. A learned codec carries networks too: its
features are what its analysis network g_a makes of a sample, and decoding still needs only numpy.

A codec of pictures has no features. Its layers code pictures of any size, and give pictures back:

    picture --g_a of each layer--> symbols with places --models--> packet                            compress
    picture <--g_s of one layer--- symbols with places <--models-- packet, whole or cut              decompress
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.atomic import replacing
from taskcodec.codec_parts import DOMAINS, Domain, content_of, read_content, usual_domain
from taskcodec.coding.symbol_model import Symbols
from taskcodec.container import file as codec_file
from taskcodec.errors import CorruptFileError, MismatchError, UsageError, needing_packages
from taskcodec.layer import Choose, Floats, Layer, columns_of, given_of, needed_of, side_by_side
from taskcodec.samples import are_images, as_features, batch_of, preprocessed, settled, stacked
from taskcodec.stack.checks import check_layers, whole_packets, whole_symbols
from taskcodec.stack.pictures import DecodedPicture, PictureStack, decoding_half, pixels_of
from taskcodec.stack.rows import by_layer, code_length_of, costs_of, packets_of, symbols_of
from taskcodec.stack.values import ValueStack
from taskcodec.symbol_choice.pictures.by_effort import searches_at
from taskcodec.symbol_choice.pictures.seen import Search
from taskcodec.symbol_choice.usual import usual
from taskcodec.transforms.chain import Chain
from taskcodec.transforms.networks.carried import Network, Networks
from taskcodec.transforms.spec import BackboneSpec
from taskcodec.transforms.without_features import NO_FEATURES


@dataclass(frozen=True, eq=False, repr=False)
class Codec:
    """A transform, a step and frozen tables; how to fit one is in `taskcodec.fitting`.

    >>> import numpy as np, taskcodec
    >>> codec = taskcodec.fit(np.random.default_rng(0).normal(size=(500, 32)).astype("f4"), bits=64)
    >>> sample = codec.compress(np.zeros(32, "f4"))
    >>> codec.decompress(sample).shape
    (32,)
    """

    domain: Domain
    """What a sample is; of images also the features that the backbone makes of them are taken."""
    layers: tuple[Layer, ...]
    """From the lowest to the highest; each comes after those that condition it."""
    backbone: BackboneSpec | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.domain not in DOMAINS:
            raise CorruptFileError(f"samples of no known kind: {self.domain!r}")
        check_layers(self.layers, self.domain)
        if self.of_pictures or self.lossless:
            return
        if self.backbone is not None and self.backbone.dimension != self.inputs:
            raise CorruptFileError(f"the backbone gives {self.backbone.dimension} features, not {self.inputs}")

    @classmethod
    def of_layer(
        cls, base: Layer, backbone: BackboneSpec | None = None, provenance: Mapping[str, Any] | None = None
    ) -> "Codec":
        """A codec of one layer. What it takes follows from its backbone and networks: images, or vectors."""
        return cls(usual_domain(base, backbone), (base,), backbone, {} if provenance is None else provenance)

    def __getstate__(self) -> dict[str, Any]:
        # Running networks cannot all be pickled, and lie on a device; a copy makes its own.
        return {name: value for name, value in vars(self).items() if name not in ("_backbone", "pictures")}

    def __repr__(self) -> str:
        if self.of_pictures:
            what = f"pictures in {', '.join(layer.name for layer in self.layers)}"
        elif self.lossless:
            what = f"lossless, {self.values.transform.words}"
        else:
            backbone = "no backbone" if self.backbone is None else f"backbone {self.backbone.name}"
            what = f"{self.dimension} features, {self.columns} columns, step {self.base.quantizer.step:.4g}, {backbone}"
        return f"<taskcodec codec {self.fingerprint[:12]}: {what}>"

    @property
    def base(self) -> Layer:
        """The lowest layer."""
        return self.layers[0]

    def with_base(self, base: Layer, **changes: Any) -> "Codec":
        """The codec with another lowest layer; `changes` are of its backbone or provenance."""
        return replace(self, layers=(base, *self.layers[1:]), **changes)

    @property
    def of_pictures(self) -> bool:
        """Whether samples are pictures that come back as such, and not as features."""
        return self.domain == "pictures"

    @property
    def lossless(self) -> bool:
        """Whether samples are values that come back as they were."""
        return self.domain == "values"

    @property
    def values(self) -> ValueStack:
        """What codes values, and gives them back as they were. Raises UsageError where samples are others."""
        return ValueStack(self.layers)

    @cached_property
    def pictures(self) -> PictureStack:
        """What codes pictures, step by step. Raises UsageError where samples are others."""
        if not self.of_pictures:
            raise UsageError(f"a codec of {self.domain}: only one of pictures has symbols with places")
        return PictureStack(self.layers)

    @property
    def rows(self) -> tuple[Layer, ...]:
        """The layers, of samples that are coded as rows of features. Raises UsageError where they are pictures."""
        if self.of_pictures:
            raise UsageError(NO_FEATURES)
        return self.layers

    @property
    def dimension(self) -> int:
        """d, the number of features of a sample. Raises UsageError where it is a picture, which has none."""
        return self.base.transform.dimension

    @property
    def networks(self) -> Networks | None:
        """The learned networks that the codec carries, if any."""
        return self.base.transform.networks if isinstance(self.base.transform, Chain) else None

    @property
    def g_a(self) -> Network | None:
        """The learned analysis network that the codec carries, if any."""
        return None if self.networks is None else self.networks.g_a

    @property
    def inputs(self) -> int | None:
        """Length of the vectors that `compress` takes: d, or what g_a reads; None where g_a reads images."""
        return self.dimension if self.networks is None or self.g_a is None else self.networks.inputs

    @property
    def columns(self) -> int:
        """The number of symbols of a sample: those of all layers, with their side information."""
        return columns_of(self.layers)

    def needed(self, upto: str | None = None) -> tuple[Layer, ...]:
        """The layer of this name, or the highest, and those that it depends on. Raises UsageError on another name."""
        return needed_of(self.layers, upto)

    def encode(self, samples: Any, choose: Choose = usual) -> Symbols:
        """(n, columns) symbols of samples as `compress` takes them, those of layers side by side; one gives one row.

        Of a codec without g_a vectors are features (n, d), in any form that `compress` takes many in. `choose` is how
        symbols are chosen, layer by layer. Raises MismatchError on another dimension or on NaN or infinity.
        """
        if self.lossless:
            return self.values.encode(samples)
        _, given = self.rows, settled(samples)
        images = self.g_a is not None or are_images(given, self.domain == "images")
        return self.encode_features(self.analyse(self._batch(given) or [given]) if images else given, choose)

    def encode_features(self, features: Any, choose: Choose = usual) -> Symbols:
        """As `encode`, of (n, d) features: what the backbone and g_a, where there are any, made of samples."""
        x = as_features(features)
        if not np.isfinite(x).all():
            raise MismatchError("features hold NaN or infinity: nothing sensible can be coded")
        symbols, decoded = dict[str, Symbols](), dict[str, Floats]()
        for layer in self.rows:
            below = decoded[layer.given[-1]] if layer.given else None
            symbols[layer.name] = layer.encode(x, below, given_of(layer, symbols), choose)
            if any(layer.name in other.given for other in self.rows):
                decoded[layer.name] = layer.decode(symbols[layer.name], below)
        return side_by_side(symbols)

    def decode(self, symbols: npt.ArrayLike, upto: str | None = None) -> Any:
        """(n, columns) symbols -> (n, d) features, float32, of the layer `upto`, or of the highest; or values.

        Symbols are those of all layers, or of those alone that this one needs, side by side.
        """
        s, needed = whole_symbols(symbols), needed_of(self.rows, upto)
        if self.lossless:
            return self.values.decode(s)
        given = needed if s.ndim == 2 and s.shape[1] == columns_of(needed) else self.rows
        parts, decoded = self.by_layer(s, given), dict[str, Floats]()
        for layer in needed:
            decoded[layer.name] = layer.decode(parts[layer.name], decoded[layer.given[-1]] if layer.given else None)
        return decoded[needed[-1].name]

    def by_layer(self, symbols: Symbols, layers: Sequence[Layer] | None = None) -> dict[str, Symbols]:
        """(n, columns) symbols of layers (all of them, or those given) by their names. Raises MismatchError."""
        return by_layer(symbols, self.rows if layers is None else layers)

    def costs(self, symbols: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(n, columns) symbols -> bits of an ideal coder for each of them."""
        return costs_of(whole_symbols(symbols), self.rows)

    def code_length(self, symbols: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(n, columns) symbols -> (n,) bits a sample of an ideal coder."""
        return code_length_of(whole_symbols(symbols), self.rows)

    def rate_of(self, features: Any) -> float:
        """Bits that an ideal coder takes of (n, d) features, n >= 1, a sample in the mean. Raises as `encode` does."""
        return float(self.code_length(self.encode_features(features)).mean())

    def searches(self, effort: int) -> dict[str, Search]:
        """Of a codec of pictures what searches its layers' symbols at an effort of 1, where nothing does, to 9.

        They go with `pictures.pack`, `items` and `search`. Raises UsageError where no symbols can be searched.
        """
        return searches_at(effort, self.layers, self.provenance, self.of_pictures)

    def compress(self, sample: Any, effort: int = 1) -> Any:
        """One sample -> bytes, or many samples -> a list of bytes.

        A sample is a feature vector (d,): an array or tensor of any library; of a codec with a backbone also an image:
        a path, the bytes of a file, a file open for reading (it is left as it was), a PIL image, a uint8 array
        (H, W, 3), (H, W, 1) or (H, W), or a tensor (3, H, W) or (1, H, W), uint8 or floats in [0, 1]. Many are any
        sequence or iterator of samples, a data frame, the rows of a store, or an array with one axis more: a 4-d array
        or tensor is a batch of images; a 2-d one of uint8 is one grey image where the codec takes images.

        Of a codec of pictures a sample is an image, and each result a packet of its layers, which may be cut behind
        any of them; with `effort` from 2 to 9 its symbols are searched for, which takes the encoder time, and
        errs less for its bytes (docs/effort.md).

        Each result is a stand-alone bitstream with its own check value, one for each layer: it takes about 24 bits
        more than the rate (16 of them the check), a sample in a store next to nothing more. Raises MismatchError on
        what is no sample of this codec, SourceError on an image that cannot be read, UsageError where a package that
        images need is missing.
        """
        if self.lossless:
            return self.values.compress(sample)
        given = settled(sample)
        batch = self._batch(given)
        if batch is None:
            return self.compress([given], effort)[0]
        searches = self.searches(effort)
        if self.of_pictures:
            return [self.pictures.pack(pixels_of(item), searches) for item in batch]
        return self.packets(self.encode_features(self.analyse(batch)))

    def decompress(self, data: Any, upto: str | None = None, realism: float = 0.0) -> Any:
        """Invert `compress`: bytes -> (d,) features, or a list of bytes -> (n, d), up to a layer.

        What was cut off behind the bytes of that layer, and of those it needs, may be missing. A codec of pictures
        gives (H, W, 3) uint8, or a list; where it has a second synthesis, `realism` goes from 0, faithful, to 1.
        """
        if isinstance(data, bytes | bytearray | memoryview):
            found = self.decompress([data], upto, realism)
            return self.values.transform.one(found) if self.lossless else found[0]
        if realism and not self.of_pictures:
            raise UsageError("realism is of pictures: what others decode to is what predictors read, or exact")
        if self.lossless:
            return self.values.decompress(whole_packets(data))
        if self.of_pictures:
            return [self.pictures.pixels(self.begin(packet, upto), upto, realism) for packet in whole_packets(data)]
        needed = self.needed(upto)
        symbols = [symbols_of(packet, self.layers, needed) for packet in whole_packets(data)]
        return self.decode(np.concatenate(symbols) if symbols else np.empty((0, columns_of(needed)), np.int32), upto)

    def begin(self, packet: bytes, upto: str | None = None) -> DecodedPicture:
        """Decode a picture's layers, up to one, to go on from: `pictures.pixels` of it, or `resume` with more bytes."""
        return self.pictures.start(packet, upto)

    def resume(self, decoded: DecodedPicture, rest: bytes, upto: str | None = None) -> DecodedPicture:
        """Decode further layers of a picture by the bytes that follow; none that was decoded is decoded again."""
        return self.pictures.resume(decoded, rest, upto)

    def packets(self, symbols: Symbols) -> list[bytes]:
        """(n, columns) symbols -> what `compress` gives of each sample."""
        return packets_of(symbols, self.rows)

    def analyse(self, batch: list[Any]) -> npt.NDArray[np.float32]:
        """Samples, as `compress` takes them -> (n, d) features: what the backbone, g_a or both make of them."""
        batch = settled(batch)
        if not batch:
            return np.empty((0, self.dimension), np.float32)
        if any(isinstance(item, int | float) or getattr(item, "ndim", None) == 0 for item in batch):
            raise MismatchError(
                "a list is a list of samples, and a number is none: give "
                + ("each sample" if self.inputs is None else f"a feature vector of {self.inputs} numbers")
                + " as an array"
            )
        vectors = None if self.inputs is None else stacked(batch)
        if vectors is not None:
            return self._of_vectors(vectors)
        if self.domain != "images":
            raise MismatchError(f"this codec has no backbone: it takes feature vectors of {self.inputs} numbers")
        backbone = self._backbone
        pixels = np.stack([preprocessed(item, backbone.preprocess) for item in batch])
        return np.asarray(backbone(pixels), dtype=np.float32)

    def synthesise(self, features: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """(n, d) decoded features -> (n, ...) what g_s makes of them: pictures in [0, 1], or vectors. Needs torch.

        Raises MismatchError where the codec has no g_s, and on another dimension.
        """
        _ = self.rows
        if self.networks is None or self.networks.g_s is None:
            raise MismatchError("this codec carries no synthesis network: its features are what predictors read")
        x = as_features(features)
        if x.ndim != 2 or x.shape[1] != self.dimension:
            raise MismatchError(f"expected decoded features of shape (n, {self.dimension}), found {x.shape}")
        with needing_packages():
            from taskcodec.transforms.backbones.learned import on_vectors

        return on_vectors(self.networks.g_s)(x)

    def for_store(self, name: str) -> "Codec":
        """The copy that a store keeps: without g_a, which decoding never needs; `name` says where to find it."""
        if self.lossless:
            return self
        if self.of_pictures:
            layers, analyses = decoding_half(self.layers, name)
            return self if analyses is None else replace(self, layers=layers, backbone=analyses)
        if not isinstance(self.base.transform, Chain) or self.networks is None or self.g_a is None:
            return self
        from taskcodec.transforms.backbones.learned import spec_of

        kept, affine = self.networks.for_store(), self.base.transform.affine
        base = replace(self.base, transform=affine if kept is None else Chain(kept, affine))
        return self.with_base(base, backbone=spec_of(self.networks, self.backbone, name))

    def _batch(self, given: Any) -> list[Any] | None:
        if self.of_pictures:
            return batch_of(given, vectors=False, images=True)
        return batch_of(given, vectors=self.inputs is not None, images=self.domain == "images")

    def _of_vectors(self, vectors: Floats) -> Floats:
        if self.g_a is None or not isinstance(self.base.transform, Chain):
            return vectors
        if vectors.shape[1] != self.inputs:
            raise MismatchError(f"expected vectors of {self.inputs} numbers, found {vectors.shape[1]}")
        return self.base.transform.features(vectors)

    # Imported where it is needed, so that decoding, and coding features, never imports torch.
    @cached_property
    def _backbone(self) -> Any:
        with needing_packages():
            from taskcodec.transforms.backbones import load_backbone_for
            from taskcodec.transforms.backbones.load import analysis_of

        if self.networks is not None and self.g_a is not None:
            return analysis_of(self.networks, self.backbone, "codec")
        assert self.backbone is not None
        return load_backbone_for(self.backbone)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the canonical content: manifest without fingerprint, then tensors by name. 64 hex digits."""
        return codec_file.fingerprint(*self._content())

    def to_bytes(self) -> bytes:
        """The codec as the bytes of a safetensors file."""
        return codec_file.write(*self._content(), found_at="" if self.backbone is None else self.backbone.found_at)

    def save(self, path: str | Path) -> None:
        """Write the codec's file, whole or not at all. Raises StorageError where it cannot be written."""
        with replacing(path) as temporary:
            temporary.write_bytes(self.to_bytes())

    def _content(self) -> tuple[dict[str, Any], codec_file.Tensors]:
        """Manifest and tensors of the file."""
        return content_of(self.domain, self.layers, self.backbone, self.provenance)

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "codec") -> "Codec":
        """Read a codec; `name` is what error messages call it.

        Raises ForeignFileError, FutureVersionError or CorruptFileError.
        """
        content = codec_file.read(data, name)
        try:
            return cls(**read_content(*content))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise CorruptFileError(f"{name}: the codec lacks or mangles {error}") from error
        except CorruptFileError as error:
            raise CorruptFileError(f"{name}: {error}") from error
