"""Reading and preprocessing images: any file -> RGB uint8 -> the square a backbone takes."""

import io
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, JpegImagePlugin

from taskcodec.errors import SourceError
from taskcodec.transforms.pictures.depth import low_bytes_mode, shallow, shallow_colours
from taskcodec.transforms.pictures.plugins import HEAD_BYTES, plugin_of, register
from taskcodec.transforms.pictures.truncated import MOST, NOTE, completed, completed_zeros, share_there

Pixels = npt.NDArray[np.uint8]

MAX_PIXELS = 178_956_970
"""An image with more pixels than this (where Pillow assumes an attack) is refused, once reduced as it can be."""
LARGE_PIXELS = 2**25
"""Images with more pixels than this are decoded one at a time, so that memory stays bounded."""
MAX_SCALED_SIDES = 32
"""An image longer than this many times its width is scaled and cropped in one pass, whose memory is bounded."""
_one_large_image = threading.Lock()

# Named one by one, because Pillow also opens what runs other programs (EPS) or holds no picture (GRIB, HDF5).
# HEIF and JXL are there once their plugin is registered, at the first such file.
_FORMATS = (
    "JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "HEIF", "JPEG2000", "JXL", "PPM", "ICO", "PSD", "QOI",
    "DDS", "SGI", "PCX", "TGA",
)  # fmt: skip
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_UNUSED_ALPHA = ("BMP", "DIB", "TGA")
"""Formats whose fourth channel often is there but not used: zeros in all of it hide nothing."""
_ORIENTATION_TAG = 0x0112
_CHANNELS = (1, 2, 3, 4)
"""Of an image array: grey, grey and alpha, RGB, RGB and alpha."""


class Picture(NamedTuple):
    """An image that was read.

    Attributes:
        image: upright, in RGB.
        size: (width, height), as the file has them.
        note: what to know of it although it could be read, or None.
    """

    image: Image.Image
    size: tuple[int, int]
    note: str | None = None


@dataclass(frozen=True)
class Preprocessing:
    """What a backbone does to an image before its first layer; recorded in the codec.

    Attributes:
        resize: the short side is scaled to this many pixels ...
        crop: ... and the central square of this side is kept.
        interpolation: "bicubic", "bilinear" or another of Pillow's filters, antialiased.
        mean, std: per channel, of pixel values in [0, 1].
        squash: the whole image is scaled to a square of side `resize` instead, whatever its shape.
        steps: "one": scaled and cropped in one pass over the pixels that count. "torchvision", "transformers": scaled,
            then cropped, with that library's rounding, so that the pixels are those its models are used with.
    """

    resize: int
    crop: int
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    squash: bool = False
    steps: Literal["one", "torchvision", "transformers"] = "one"

    def __call__(self, image: Any) -> Pixels:
        """An image, as `read_image` takes them -> (crop, crop, 3) uint8. Raises SourceError."""
        opened = open_image(image, self.resize)
        width, height = opened.size
        method = Image.Resampling[self.interpolation.upper()]
        # The size of the scaled image, and where in it the crop begins.
        short = min(width, height)
        across, down = (self.resize, self.resize) if self.squash else (self.resize * s // short for s in opened.size)
        if self.steps != "one" and max(across, down) <= MAX_SCALED_SIDES * self.resize:
            half = _floor_half if self.steps == "transformers" else _round_half
            left, top = half(across - self.crop), half(down - self.crop)
            scaled = opened.resize((across, down), method)
            return np.asarray(scaled.crop((left, top, left + self.crop, top + self.crop)), dtype=np.uint8)
        left, top = _round_half(across - self.crop), _round_half(down - self.crop)
        # The same pixels, found in the original.
        x, y = width / across, height / down
        box = (left * x, top * y, (left + self.crop) * x, (top + self.crop) * y)
        return np.asarray(opened.resize((self.crop, self.crop), method, box=box), dtype=np.uint8)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON for the codec's manifest."""
        content = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        # What was added later is left out where it says nothing, so that codecs keep their fingerprints.
        return {
            key: value for key, value in content.items() if (key, value) not in (("squash", False), ("steps", "one"))
        }


def _round_half(excess: int) -> int:
    return round(excess / 2)


def _floor_half(excess: int) -> int:
    return excess // 2


def open_image(source: Any, least_side: int | None = None, keep_truncated: bool = False) -> Image.Image:
    """The image of `read_image` alone."""
    return read_image(source, least_side, keep_truncated=keep_truncated).image


def read_image(
    source: Any, least_side: int | None = None, max_pixels: int = MAX_PIXELS, keep_truncated: bool = False
) -> Picture:
    """Open and decode an image, upright, in RGB. JPEG files far larger than needed are decoded at reduced scale.

    Args:
        source: path, bytes, PIL image, (H, W, 3), (H, W, 1) or (H, W) uint8 array, or a tensor as torchvision has
            them: (3, H, W) or (1, H, W), uint8 or floats in [0, 1].
        least_side: the short side that must remain; None keeps the full size.
        max_pixels: images that decode to more are refused.
        keep_truncated: whether a JPEG file that lacks its end is read with a note, where most of it is there.

    Returns:
        The first frame.

    Raises:
        SourceError: with a short reason (no file name: the caller knows it).
    """
    if hasattr(source, "detach") and hasattr(source, "cpu"):  # open files can be detached too
        source = _pixels_of_tensor(source)
    if isinstance(source, np.ndarray):
        known = source.ndim == 2 or (source.ndim == 3 and source.shape[2] in _CHANNELS)
        if source.dtype != np.uint8 or not known or 0 in source.shape:
            raise SourceError(f"an image array must be uint8 (H, W, 3) or (H, W), found {source.dtype} {source.shape}")
        source = Image.fromarray(source[..., 0] if source.shape[2:] == (1,) else source)
    with telling_faults():
        if isinstance(source, Image.Image):
            return Picture(_upright(to_rgb(source), source), source.size)
        with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as stream:
            whole = completed_zeros(stream)
            if whole is None:
                try:
                    return _decoded(stream, least_side, max_pixels)
                except OSError as error:
                    whole = completed(stream, error) if keep_truncated else None
                    if whole is None:
                        raise
        if not keep_truncated:
            raise SourceError("damaged image (its end is missing)")
        with io.BytesIO(whole) as stream:
            return _decoded(stream, least_side, max_pixels, cut=True)


@contextmanager
def telling_faults() -> Iterator[None]:
    """Raise SourceError, with a short reason, for whatever goes wrong where an image is read."""
    try:
        yield
    except SourceError:
        raise
    except MemoryError as error:
        raise SourceError("too large for the memory") from error
    except Exception as error:  # Pillow's decoders raise whatever a broken file leads them to
        if isinstance(error, OSError) and error.errno is not None:
            raise SourceError((error.strerror or str(error)).lower()) from error
        raise SourceError(f"damaged image ({type(error).__name__}: {error})"[:200].replace("\n", " ")) from error


def _decoded(stream: Any, least_side: int | None, max_pixels: int, cut: bool = False) -> Picture:
    image = identified(stream)
    size, low_bytes = image.size, low_bytes_mode(image)
    large = _shrink(image, stream, least_side, max_pixels)
    with _one_large_image if large else nullcontext():
        image.load()
        if low_bytes is None:
            found, note = shallow(image)
        else:
            image.info.pop("transparency", None)  # of 16 bits, which the high bytes are not compared with
            found, note = shallow_colours(image, low_bytes, lambda: identified(stream))
        if cut:
            if (share := share_there(image)) < MOST:
                raise SourceError(f"damaged image (its end is missing: {share:.0%} of its rows are there)")
            note = NOTE
        return Picture(_upright(to_rgb(found), image), size, note)


def _pixels_of_tensor(tensor: Any) -> Pixels:
    """A tensor of torch -> (H, W, C) uint8. Imports no torch: whoever has a tensor has done so."""
    tensor = tensor.detach().cpu()
    floats, found = tensor.is_floating_point(), f"{tensor.dtype} {tuple(tensor.shape)}"
    values = (tensor.float() if floats else tensor).numpy()  # numpy has no bfloat16
    values = values[None] if values.ndim == 2 else values
    if (
        values.ndim != 3
        or values.shape[0] not in (1, 3)
        or 0 in values.shape
        or not (floats or values.dtype == np.uint8)
    ):
        raise SourceError(f"an image tensor must be uint8 or floats in [0, 1], (3, H, W) or (1, H, W), found {found}")
    values = np.moveaxis(values, 0, 2)
    if floats:
        low, high = float(values.min()), float(values.max())
        if not (low >= 0 and high <= 1):  # NaN too
            raise SourceError(f"an image tensor of floats must lie in [0, 1], found {low:.4g} to {high:.4g}")
        values = np.rint(values * 255)
    return np.ascontiguousarray(values, dtype=np.uint8)


def image_size(source: Any) -> tuple[int, int]:
    """(width, height) of a path, bytes or PIL image, from its header: nothing is decoded. Raises as `read_image`."""
    if isinstance(source, Image.Image):
        return source.size
    with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as stream:
        return identified(stream).size


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode -> RGB. What is transparent lies over white, whatever colour its pixels have besides.

    Greys of more than 8 bits become what `taskcodec.transforms.pictures.depth` says. Raises SourceError.
    """
    image, _ = shallow(image)
    if not image.has_transparency_data:
        return image.convert("RGB") if image.mode != "RGB" else image
    coloured = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    alpha, colours = coloured.getchannel("A"), coloured.convert("RGB")
    shown: Any = alpha.getextrema()
    if shown == (255, 255) or (shown == (0, 0) and image.format in _UNUSED_ALPHA):
        return colours
    white = Image.new("RGB", image.size, "white")
    white.paste(colours, mask=alpha)
    return white


def identified(stream: Any) -> ImageFile.ImageFile:
    """What `PIL.Image.open` does, but only for _FORMATS, and without refusing by a size that may yet be reduced."""
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    if not head:
        raise SourceError("empty file")
    Image.init()
    for name in _FORMATS:
        if (found := _opened(name, head, stream)) is not None:
            return found
    if (plugin := plugin_of(head)) is not None:
        register(plugin)
        if (found := _opened(plugin.format, head, stream)) is not None:
            return found
    raise SourceError("not an image that can be read")


def _opened(name: str, head: bytes, stream: Any) -> ImageFile.ImageFile | None:
    """The image in a stream by one of Pillow's formats; None where it is of another."""
    factory, accept = Image.OPEN.get(name, (None, None))
    if factory is None:
        return None
    try:
        if accept is not None and accept(head) is not True:
            return None
        stream.seek(0)
        # JPEG's own factory looks for further pictures in the file, which nothing here needs.
        return JpegImagePlugin.JpegImageFile(stream) if name == "JPEG" else factory(stream, "")
    except (SyntaxError, IndexError, TypeError, struct.error):
        return None


def _shrink(image: ImageFile.ImageFile, stream: Any, least_side: int | None, max_pixels: int) -> bool:
    """Let a JPEG file be decoded at 1/2, 1/4 or 1/8; refuse what stays too large; tell whether it is large."""
    size = image.size
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        several_scans = image.info.get("progressive") or not _is_scan_of_all(stream, image.layers)
        if least_side is not None:
            image.draft(None, (least_side, least_side))
        if not several_scans:
            size = image.size  # else the decoder holds the coefficients at full size
    if size[0] * size[1] > max_pixels:
        raise SourceError(f"{size[0]}x{size[1]} pixels exceed the limit of {max_pixels}")
    return size[0] * size[1] > LARGE_PIXELS


def _is_scan_of_all(stream: Any, components: int) -> bool:
    """Whether the scan header that Pillow read last, just before the stream's place, is one of all components."""
    header_bytes = 6 + 2 * components
    stream.seek(max(stream.tell() - header_bytes - 2, 0))
    return bool(stream.read(5) == b"\xff\xda" + header_bytes.to_bytes(2, "big") + bytes([components]))


def _upright(image: Image.Image, source: Image.Image) -> Image.Image:
    """Turned as the Exif orientation of its source says; an Exif block that cannot be read is no reason to stop."""
    try:
        turn = _UPRIGHT.get(source.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # Pillow's parser raises whatever a broken block leads it to
        turn = None
    if turn is None:
        return image
    turned = image.transpose(turn)
    turned.info = {}  # it would carry the orientation on, and whoever opens it next would turn it again
    return turned
