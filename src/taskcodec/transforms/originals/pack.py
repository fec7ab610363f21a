"""A file in fewer bytes that give it back exactly: `pack` and `unpack`.

    packed := way (1 byte) content

Which way a file goes is found by trying those made for its kind; each is undone before its result is kept, and what no
way makes smaller is kept as it is.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from taskcodec.errors import CorruptFileError, FutureVersionError, UsageError, missing_package
from taskcodec.transforms.originals import general, jpeg, png, raster

Way = Callable[[bytes], bytes | None]
Undo = Callable[[bytes], bytes]


@dataclass(frozen=True)
class _Way:
    """How files of a kind are packed.

    Attributes:
        code: of the way, in the first byte; never given to another.
        fits: whether a file, by how it begins, is of the kind.
        pack: a file -> its content, None where it cannot.
        unpack: the inverse.
    """

    code: int
    fits: Callable[[bytes], bool]
    pack: Way
    unpack: Undo


def _same(data: bytes) -> bytes:
    return data


_AS_IT_IS = 0
_GENERAL = _Way(5, general.is_worth_it, general.pack, general.unpack)
_WAYS = (
    _Way(1, jpeg.is_jpeg, jpeg.to_jxl, jpeg.from_jxl),
    _Way(2, jpeg.is_jpeg, jpeg.to_lepton, jpeg.from_lepton),
    _Way(3, png.is_png, png.pack, png.unpack),
    _Way(4, raster.is_raster, raster.pack, raster.unpack),
    _GENERAL,
)
_UNDO = {_AS_IT_IS: _same} | {way.code: way.unpack for way in _WAYS}


def pack(data: bytes) -> bytes:
    """A file -> at most one byte more, from which `unpack` gives it back; that was tried before this returns."""
    best = bytes([_AS_IT_IS]) + data
    for way in _WAYS:
        if way is _GENERAL and len(best) <= len(data):
            break  # what is made for its kind does better
        if way.fits(data) and (found := _tried(way, data)) is not None and len(found) < len(best):
            best = found
    return best


def unpack(packed: bytes) -> bytes:
    """Invert `pack`.

    Raises CorruptFileError where the bytes are damaged, FutureVersionError where they were packed in a way that this
    version does not know, UsageError where a package that undoes it is not installed.
    """
    if not packed:
        raise CorruptFileError("a packed file without a first byte was truncated")
    undo = _UNDO.get(packed[0])
    if undo is None:
        raise FutureVersionError(
            f"a file packed in way {packed[0]}, this taskcodec knows up to {max(_UNDO)}: upgrade it"
        )
    try:
        return undo(packed[1:])
    except (CorruptFileError, UsageError):
        raise
    except ModuleNotFoundError as error:
        raise UsageError(missing_package(error)) from error
    except Exception as error:  # decoders raise whatever damaged bytes lead them to
        raise CorruptFileError(f"a packed file is damaged ({type(error).__name__})") from error


def _tried(way: _Way, data: bytes) -> bytes | None:
    """The packed file, where this way can do it and gives the same bytes back."""
    with suppress(Exception):  # encoders refuse what is broken or unusual in many ways: none is a reason to stop
        content = way.pack(data)
        if content is not None and way.unpack(content) == data:
            return bytes([way.code]) + content
    return None
