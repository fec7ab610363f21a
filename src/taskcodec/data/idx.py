"""IDX files, the format of MNIST and its kin: a header of sizes, then bytes; gzipped or not."""

import gzip
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from taskcodec.data.items import Item, faulty
from taskcodec.data.left_behind import is_left_file, is_left_folder
from taskcodec.errors import SourceError

MAX_BYTES = 2**30
PARTS = {"train": "train", "t10k": "test"}
"""Parts as the files name them, and the folders that their samples are shown in."""
Bytes = npt.NDArray[np.uint8]


def read_idx(path: str | Path) -> Bytes:
    """The array of unsigned bytes in an IDX file. Raises SourceError."""
    try:
        data = Path(path).read_bytes()
        if data[:2] == b"\x1f\x8b":
            with gzip.open(path) as file:
                data = file.read(MAX_BYTES + 1)
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
        folder: where the files lie.
        part: "train" or "t10k".

    Raises:
        SourceError: files are missing, damaged or do not belong together.
    """
    arrays = []
    for name in (f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"):
        found = [path for path in (Path(folder) / name, Path(folder) / f"{name}.gz") if path.exists()]
        if not found:
            raise SourceError(f"{folder}: no file {name}[.gz] in it")
        arrays.append(read_idx(found[0]))
    images, labels = arrays
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise SourceError(f"{folder}: images {images.shape} and labels {labels.shape} of {part} do not go together")
    return images, labels


def is_idx_folder(folder: str | Path) -> bool:
    """Whether images in IDX files lie in a folder."""
    return any(_parts(Path(folder)))


def idx_items(folder: str | Path) -> list[Item]:
    """The images of all parts in a folder as items `train/00000`, ..., `test/00000`, ...; labels are the classes.

    Other files in it become items with a fault, so that they are accounted for, but for hidden ones. Raises
    SourceError.
    """
    place, items, known = Path(folder), list[Item](), set[str]()
    for part in _parts(place):
        images, labels = read_idx_folder(place, part)
        items += [
            Item(f"{PARTS[part]}/{number:05d}", image.size, str(label), partial(_grey_file, image))
            for number, (image, label) in enumerate(zip(images, labels, strict=True))
        ]
        known |= {f"{part}-{kind}{end}" for kind in ("images-idx3-ubyte", "labels-idx1-ubyte") for end in ("", ".gz")}
    others = sorted(entry.name for entry in place.iterdir() if entry.name not in known)
    told = [name for name in others if not is_left_file(name) and not is_left_folder(name)]
    return items + [faulty(name, "beside the IDX files, none of them") for name in told]


def _parts(folder: Path) -> list[str]:
    ends = ("-images-idx3-ubyte", "-images-idx3-ubyte.gz")
    return [part for part in PARTS if any((folder / f"{part}{end}").is_file() for end in ends)]


def _grey_file(image: Bytes) -> bytes:
    """(H, W) as the bytes of a PGM file, the plainest that image readers know."""
    height, width = image.shape
    return f"P5 {width} {height} 255\n".encode() + image.tobytes()
