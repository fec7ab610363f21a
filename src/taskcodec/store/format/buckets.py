"""Ids in no order, by their hashes: which row groups of a segment may hold an id.

    file := bucket*buckets        bucket := uint32(entry)*capacity uint32(CRC-32C of the entries)
    entry := fingerprint << 3 | row group

An id's hash is BLAKE2b of 8 bytes, a little-endian number h. Its bucket is (h >> 32) * buckets >> 32, its fingerprint
the low 29 bits of h. So one piece of a kilobyte tells, of a million ids, in which 131,072 one may be, and is wrong once
in two million times. Entries in a bucket rise; those behind the last are all ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import google_crc32c
import numpy as np
import numpy.typing as npt

from taskcodec.errors import CorruptFileError

MEAN = 256
"""Ids of a bucket, on average."""
MAX_CAPACITY = 4096
"""Of a bucket, at most: what one read may have to hold in memory."""
FREE = 2**32 - 1
GROUP_BITS = 3


@dataclass(frozen=True)
class Buckets:
    """How a file of buckets is laid out, and the SHA-256 of all of it."""

    buckets: int
    capacity: int
    sha256: str

    @property
    def size(self) -> int:
        """Bytes of a bucket."""
        return 4 * self.capacity + 4


def write_buckets(groups: Iterable[Iterable[str]]) -> tuple[bytes, int, int]:
    """The ids of each row group -> the file, its number of buckets and their capacity."""
    hashes = [np.array([_hash(name) for name in names], np.uint64) for names in groups]
    count = sum(map(len, hashes))
    buckets = max(1, count // MEAN)
    places = np.concatenate([_bucket(own, buckets) for own in hashes])
    entries = np.concatenate([_fingerprint(own) << GROUP_BITS | np.uint32(g) for g, own in enumerate(hashes)])
    order = np.lexsort((entries, places))
    places, entries = places[order], entries[order]
    sizes = np.bincount(places, minlength=buckets)
    table = np.full((buckets, int(sizes.max(initial=1))), FREE, "<u4")
    table[places, np.arange(count) - np.repeat(np.cumsum(sizes) - sizes, sizes)] = entries
    rows = (row.tobytes() for row in table)
    return b"".join(row + _crc(row) for row in rows), buckets, table.shape[1]


def bucket_of(name: str, buckets: int) -> int:
    """Which bucket an id is in."""
    return int(_bucket(np.array([_hash(name)], np.uint64), buckets)[0])


def groups_in(bucket: bytes, name: str, place: str) -> list[int]:
    """The row groups that may hold an id, by its bucket. Raises CorruptFileError, which begins with `place`."""
    if len(bucket) < 8 or _crc(bucket[:-4]) != bucket[-4:]:
        raise CorruptFileError(f"{place}: damaged (the CRC-32C of a bucket does not match)")
    entries = np.frombuffer(bucket[:-4], "<u4")
    found = entries[entries >> GROUP_BITS == _fingerprint(np.array([_hash(name)], np.uint64))[0]]
    return sorted({int(entry) % 2**GROUP_BITS for entry in found})


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")


def _bucket(hashes: npt.NDArray[np.uint64], buckets: int) -> npt.NDArray[np.int64]:
    return ((hashes >> np.uint64(32)) * np.uint64(buckets) >> np.uint64(32)).astype(np.int64)


def _fingerprint(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint32]:
    return (hashes & np.uint64(2**29 - 1)).astype(np.uint32)


def _crc(data: bytes) -> bytes:
    return int(google_crc32c.value(data)).to_bytes(4, "little")
