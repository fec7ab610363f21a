"""IDX files, the format of MNIST and its kin: a header of sizes, then bytes; gzipped or not."""

import gzip
import io
import zlib
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from taskcodec.data.items import Item, faulty
from taskcodec.data.left_behind import is_left_file, is_left_folder
from taskcodec.data.remote.files import File, file_at, found_at, size_of
from taskcodec.errors import SourceError
from taskcodec.store.backend import is_url

MAX_BYTES = 2**30
PARTS = {"train": "train", "t10k": "test"}
"""Parts as the files name them, and the folders that their samples are shown in."""
IMAGE_FILES, LABEL_FILES = "images-idx3-ubyte", "labels-idx1-ubyte"
_NAMES = {
    kind: frozenset(f"{part}-{kind}{end}" for part in PARTS for end in ("", ".gz"))
    for kind in (IMAGE_FILES, LABEL_FILES)
}
Bytes = npt.NDArray[np.uint8]


def read_idx(path: str | File) -> Bytes:
    """The array of unsigned bytes in an IDX file, by path or URL. Raises SourceError, or NetworkError on the way."""
    file = file_at(path)
    try:
        data = b"" if size_of(file) > MAX_BYTES else file.read_bytes()
        if data[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(data)) as packed:
                data = packed.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path}: cannot be read ({error})") from error
    rank = data[3] if len(data) > 3 else 0
    if len(data) > MAX_BYTES or data[:3] != b"\x00\x00\x08" or not 1 <= rank <= 4 or len(data) < 4 + 4 * rank:
        raise SourceError(f"{path}: not an IDX file of unsigned bytes")
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", rank, 4))
    content = np.frombuffer(data, np.uint8, offset=4 + 4 * rank)
    if content.size != int(np.prod(np.array(shape, dtype=object))):
        raise SourceError(f"{path}: {content.size} bytes, its header says {' x '.join(map(str, shape))}")
    return content.reshape(shape)


def read_idx_folder(folder: str | Path, part: str = "train") -> tuple[Bytes, Bytes]:
    """Images (n, H, W) and labels (n,) of a folder laid out as MNIST's: PART-images-idx3-ubyte[.gz] and its labels.

    Args:
        folder: where the files lie; a URL, too, also of the web.
        part: "train" or "t10k".

    Raises:
        SourceError: files are missing, damaged or do not belong together.
        NetworkError: the service does not answer.
    """
    return _read_part(str(folder), idx_files(folder), part)


def is_idx_folder(folder: str | Path) -> bool:
    """Whether images in IDX files lie in a folder."""
    return has_idx(idx_files(folder, images_alone=True))


def has_idx(files: Mapping[str, object]) -> bool:
    """Whether there are images in IDX files among files, by their names."""
    return not _NAMES[IMAGE_FILES].isdisjoint(files)


def idx_files(folder: str | Path, images_alone: bool = False) -> dict[str, File]:
    """The files that bear the names of IDX files in a folder, by these; under a URL it is asked for each of them."""
    names = sorted(_NAMES[IMAGE_FILES] if images_alone else set().union(*_NAMES.values()))
    if not is_url(folder):
        return {name: Path(folder) / name for name in names if (Path(folder) / name).is_file()}
    found = {name: found_at(f"{str(folder).rstrip('/')}/{name}") for name in names}
    return {name: file for name, file in found.items() if file is not None}


def idx_items(folder: str, files: Mapping[str, File], beside: Iterable[str]) -> list[Item]:
    """The images of all parts as items `train/00000`, ..., `test/00000`, ...; labels are the classes.

    Args:
        folder: its name.
        files: of it, by their names; others than IDX files are not looked at.
        beside: what is in it, IDX files or not: others become items with a fault, so that they are accounted for, but
            for hidden ones.

    Raises:
        SourceError: files are missing, damaged or do not belong together.
        NetworkError: the service does not answer.
    """
    items, known = list[Item](), set[str]()
    for part, shown in PARTS.items():
        if not any(name.startswith(part) for name in _NAMES[IMAGE_FILES].intersection(files)):
            continue
        images, labels = _read_part(folder, files, part)
        items += [
            Item(f"{shown}/{number:05d}", image.size, str(label), partial(_grey_file, image))
            for number, (image, label) in enumerate(zip(images, labels, strict=True))
        ]
        known |= {name for names in _NAMES.values() for name in names if name.startswith(part)}
    others = sorted(set(beside) - known)
    told = [name for name in others if not is_left_file(name) and not is_left_folder(name)]
    return items + [faulty(name, "beside the IDX files, none of them") for name in told]


def _read_part(folder: str, files: Mapping[str, File], part: str) -> tuple[Bytes, Bytes]:
    arrays = []
    for name in (f"{part}-{IMAGE_FILES}", f"{part}-{LABEL_FILES}"):
        found = [files[own] for own in (name, f"{name}.gz") if own in files]
        if not found:
            raise SourceError(f"{folder}: no file {name}[.gz] in it")
        arrays.append(read_idx(found[0]))
    images, labels = arrays
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise SourceError(f"{folder}: images {images.shape} and labels {labels.shape} of {part} do not go together")
    return images, labels


def _grey_file(image: Bytes) -> bytes:
    """(H, W) as the bytes of a PGM file, the plainest that image readers know."""
    height, width = image.shape
    return f"P5 {width} {height} 255\n".encode() + image.tobytes()
