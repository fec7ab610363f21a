"""A file in fewer bytes that give it back exactly: `pack` and `unpack`.

    packed := way (1 byte) content

Which way a file goes is found by trying those made for its kind; each is undone before its result is kept, and what no
way makes smaller is kept as it is. Small JPEG files go many at a time (`pack_all`, `unpack_all`), in a third of the
time.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from taskcodec.errors import CorruptFileError, FutureVersionError, UsageError, missing_package
from taskcodec.transforms.originals import general, jpeg, png, raster
from taskcodec.transforms.originals.blocks.files import may_fit, pack_files, unpack_files

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
_LEPTON = _WAYS[1]
_BLOCKS = 6


def _of_blocks(content: bytes) -> bytes:
    return unpack_files([content])[0]


_UNDO = {_AS_IT_IS: _same, _BLOCKS: _of_blocks} | {way.code: way.unpack for way in _WAYS}


def pack(data: bytes) -> bytes:
    """A file -> at most one byte more, from which `unpack` gives it back; that was tried before this returns."""
    return pack_all([data])[0]


def pack_all(files: Sequence[bytes]) -> list[bytes]:
    """Each file as `pack` has it."""
    small = _in_blocks(files)
    return [pack_alone(data, of_blocks) for data, of_blocks in zip(files, small, strict=True)]


def is_small(data: bytes) -> bool:
    """Whether a file is of those that are packed faster with others."""
    return jpeg.is_jpeg(data) and may_fit(data)  # by its head


def pack_alone(data: bytes, of_blocks: bytes | None = None) -> bytes:
    """A file as `pack` has it, but for the way of small JPEG files, whose outcome is given where there is one."""
    best = bytes([_AS_IT_IS]) + data
    for way in _WAYS if of_blocks is None else (_LEPTON,):  # JPEG XL is never the smallest of those, and takes longest
        if way is _GENERAL and len(best) <= len(data):
            break  # what is made for its kind does better
        if way.fits(data) and (found := _tried(way, data)) is not None and len(found) < len(best):
            best = found
    return best if of_blocks is None else min(best, of_blocks, key=len)


def unpack_all(packed: Sequence[bytes]) -> list[bytes]:
    """Each packed file as `unpack` gives it; raises what that raises of the first that is damaged."""
    places = [place for place, each in enumerate(packed) if each[:1] == bytes([_BLOCKS])]
    try:
        found = dict(zip(places, unpack_files([packed[place][1:] for place in places]), strict=True))
    except Exception:  # of one of them: which, is found out one by one
        found = {}
    return [found[place] if place in found else unpack(each) for place, each in enumerate(packed)]


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


def _in_blocks(files: Sequence[bytes]) -> list[bytes | None]:
    """The packed files of small JPEG files that give them back, None of others."""
    places = [place for place, data in enumerate(files) if is_small(data)]
    found = list[bytes | None]([None] * len(files))
    for place, content in zip(places, _given_back([files[place] for place in places]), strict=True):
        found[place] = content
    return found


def _given_back(files: Sequence[bytes]) -> list[bytes | None]:
    try:
        contents = pack_files(files)
        again = iter(unpack_files([content for content in contents if content is not None]))
        same = [content is not None and next(again) == data for content, data in zip(contents, files, strict=True)]
        return [
            bytes([_BLOCKS]) + content if content is not None and kept else None
            for content, kept in zip(contents, same, strict=True)
        ]
    except Exception:  # whatever an unusual one leads to must not be the others' harm
        return [None] if len(files) == 1 else [_given_back([data])[0] for data in files]
