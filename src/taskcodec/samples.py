"""What a sample may be: the one place that says what codecs and fits take, and tells vectors from images.

    one vector    (d,): an array of numpy, or of whatever becomes one (jax, tensorflow, pandas); a tensor of torch,
                  wherever it lies and whatever its type
    one image     a path; an encoded file, as bytes or as a file open for reading; a PIL image; an array (H, W, 3),
                  (H, W, 1) or (H, W) of uint8; a tensor (3, H, W) or (1, H, W)
    many          an array or tensor with one axis more; a list, a tuple, an iterator or any other sequence of samples,
                  such as a column of a data set; a data frame, a row a sample; the rows of a store

Nothing here needs torch, Pillow or pandas: their objects are known by what they can do. A file is read from its start,
and left open, at the place where it was.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.errors import MismatchError, SourceError

Vectors = npt.NDArray[np.float32]
VOID = 255
"""The label of a picture's pixels that have none."""
_BYTES = bytes, bytearray, memoryview
_NO_NUMBERS = {"U": "text", "S": "bytes", "M": "dates", "m": "spans of time", "c": "complex numbers"}
"""Kinds of arrays of numpy that it would turn into floats all the same, or with a warning."""


def as_features(features: Any) -> Vectors:
    """What holds (n, d) numbers, in any of the forms above, as float32; also (d,) of one vector.

    Raises MismatchError where it is no array of numbers.
    """
    given = as_array(features)
    if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        raise MismatchError(
            "features should be numbers throughout, but some are masked: fill them in or leave them out"
        )
    try:
        found = np.asarray(given)
        if found.dtype == object and found.ndim == 1 and len(found):  # a vector in each place
            found = np.stack([as_features(item) for item in found])
        if found.dtype == object and found.ndim == 0:
            raise ValueError(f"found a {type(features).__name__}")
        if found.dtype.kind in _NO_NUMBERS:
            raise ValueError(f"found {_NO_NUMBERS[found.dtype.kind]}")
        narrow = np.asarray(found, dtype=np.float32)
        if found.dtype == np.float64 and found.any() and not narrow.any():
            raise ValueError("all of them are below what float32 holds; bring them to a sensible unit first")
        return narrow
    except (TypeError, ValueError, RuntimeError) as error:
        hint = "; call its .toarray() first" if hasattr(features, "toarray") else ""
        raise MismatchError(f"features should be an (n, d) array of numbers: {error}{hint}") from error


def as_array(given: Any) -> Any:
    """Tensors as arrays, alone, in lists or in sequences of any kind; anything else as it is, for numpy to read.

    Raises MismatchError where tensors differ in shape.
    """
    if _is_tensor(given):
        return _array_of(given)
    items = _listed(given)
    if items is None:
        return given
    if not any(map(_is_tensor, items)):
        return items
    try:
        return np.stack([np.asarray(as_array(item)) for item in items])
    except ValueError as error:
        raise MismatchError(f"feature vectors of one length are expected: {error}") from error


def settled(given: Any) -> Any:
    """One sample or many in the fewest forms: an array, a tensor, a list of samples, or one image of another kind.

    Raises MismatchError on what is no sample and holds none.
    """
    if _is_tensor(given) or _is_image_object(given):
        return given
    if (items := _listed(given)) is not None:
        return [_one(item) for item in items]
    array = _read(given)
    if hasattr(given, "columns") and array.ndim == 2:
        return as_features(array)  # a data frame is a table, never an image
    return [_one(item) for item in array] if array.ndim == 1 and array.dtype.kind in "OUS" else array


def batch_of(given: Any, vectors: bool, images: bool) -> list[Any] | None:
    """The list of samples that `given`, as `settled`, stands for, or None where it is a single one.

    `vectors`, `images`: what the codec takes. A matrix is one grey image where it is of bytes and the codec takes
    images, or where it takes nothing else; else its rows are vectors.
    """
    if isinstance(given, list):
        return given
    if not _is_array(given):
        return None
    one_image = not vectors or (images and _is_grey_image(given))
    return list(given) if given.ndim == 4 or (given.ndim == 2 and not one_image) else None


def are_images(given: Any, images: bool) -> bool:
    """Whether `given`, as `settled`, can only be images, for a codec that takes `images` or does not."""
    items = given if isinstance(given, list) else [given]
    return any(_is_image(item) or (images and _is_grey_image(item)) for item in items)


def stacked(batch: list[Any]) -> Vectors | None:
    """A list of vectors (d,) as (n, d), or None where not all are vectors. Raises MismatchError on other lengths."""
    if any(not _is_array(item) or item.ndim != 1 for item in batch):
        return None
    try:
        return np.stack([as_features(item) for item in batch])
    except ValueError as error:
        raise MismatchError(f"feature vectors of one length are expected: {error}") from error


def image_of(item: Any) -> Any:
    """An image as `read_image` takes them: what is open is read, from its start, and left as it was."""
    if isinstance(item, _BYTES):
        return bytes(item)
    if not _is_file(item):
        return item
    seekable = getattr(item, "seekable", lambda: False)()
    place = item.tell() if seekable else None
    try:
        if seekable:
            item.seek(0)
        data = item.read()
    finally:
        if place is not None:
            item.seek(place)
    if not isinstance(data, _BYTES):
        raise MismatchError(f"{_name_of(item) or 'a file'}: open for reading text; open it for bytes, mode 'rb'")
    return bytes(data)


def preprocessed(image: Any, preprocess: Callable[[Any], Any]) -> npt.NDArray[np.uint8]:
    """An image as a backbone takes it. Raises SourceError, with the name of a file where it has one."""
    name = _name_of(image)
    try:
        return np.asarray(preprocess(image_of(image)))
    except SourceError as error:
        raise SourceError(f"{name}: {error}" if name else str(error)) from error


def _name_of(item: Any) -> str:
    """The path of an image, or of the open file that it is; "" where it has none."""
    name = getattr(item, "name", "") if _is_file(item) else item
    return os.fspath(name) if isinstance(name, str | os.PathLike) else ""


def _one(item: Any) -> Any:
    """One of many samples: a list or tuple of numbers as an array. Raises MismatchError on what is none."""
    if isinstance(item, np.generic):  # a path in an array of text, or a number
        item = item.item()
    if _is_tensor(item) or _is_image_object(item) or isinstance(item, np.ndarray | int | float):
        return item
    if isinstance(item, list | tuple):
        try:
            array = np.asarray(as_array(item))
        except (MismatchError, TypeError, ValueError) as error:
            raise MismatchError(_strange(item)) from error
        if array.dtype.kind not in "biuf":
            raise MismatchError(_strange(item))
        return array
    return _read(item)


def _read(given: Any) -> npt.NDArray[Any]:
    """What says of itself that it is an array. Raises MismatchError where it does not, or cannot be had as one."""
    if not hasattr(given, "__array__"):
        raise MismatchError(_strange(given))
    try:
        return _unmasked(given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise MismatchError(str(error)) from error


def _unmasked(given: Any) -> npt.NDArray[Any]:
    if np.ma.is_masked(given):
        raise ValueError("some of its numbers are masked; fill them in, or leave these samples out")
    return np.asarray(given)


def _listed(given: Any) -> list[Any] | None:
    """The items of a list, a tuple, an iterator or a sequence that is no array; None of anything else."""
    if isinstance(given, list | tuple):
        return list(given)
    if hasattr(given, "__array__") or hasattr(given, "toarray") or _is_image_object(given):
        return None
    if isinstance(given, Mapping | Set):
        return None
    if hasattr(given, "__getitem__") and hasattr(given, "__len__"):  # not all of them end when they are iterated over
        return [given[place] for place in range(len(given))]
    return list(given) if isinstance(given, Iterable) else None


def _strange(given: Any) -> str:
    kind = type(given).__name__
    if isinstance(given, list | tuple):
        kind = f"{kind} of {', '.join(dict.fromkeys(type(item).__name__ for item in given))}"
    if isinstance(given, Mapping):
        kind += f" with {', '.join(map(str, list(given)[:4]))}"
    return f"a sample is a vector of numbers or an image, found a {kind}: give its vector or image alone"


def _is_array(item: Any) -> bool:
    return isinstance(item, np.ndarray) or _is_tensor(item)


def _is_tensor(item: Any) -> bool:
    return hasattr(item, "__array__") and hasattr(item, "detach") and hasattr(item, "cpu")


def _array_of(tensor: Any) -> npt.NDArray[Any]:
    try:
        tensor = tensor.detach().cpu()
        return np.asarray(tensor.float() if tensor.is_floating_point() else tensor)  # numpy has no bfloat16
    except (RuntimeError, TypeError) as error:  # sparse, or without data
        raise MismatchError(f"a tensor that cannot be read: {str(error).splitlines()[0]}") from error


def _is_file(item: Any) -> bool:
    return hasattr(item, "read") and not hasattr(item, "__array__")


def _is_image_object(item: Any) -> bool:
    """Whether it is an image other than an array; the last is how a PIL image shows without Pillow."""
    known = isinstance(item, (str, os.PathLike, *_BYTES))
    return known or _is_file(item) or hasattr(item, "getbands")


def _is_grey_image(item: Any) -> bool:
    """Whether it is a matrix of bytes, as an array or a tensor: pixels, hardly rows of features."""
    return _is_array(item) and item.ndim == 2 and str(item.dtype).removeprefix("torch.") == "uint8"


def _is_image(item: Any) -> bool:
    return bool(item.ndim > 2) if _is_array(item) else _is_image_object(item)


def spread_rows(count: int, most: int, *, nearest: bool = False) -> npt.NDArray[np.intp]:
    """(m,) at most so many of `count` rows, spread evenly from the first to the last. nearest: rounded, not cut off."""
    rows = np.linspace(0, count - 1, min(most, count))
    return (rows.round() if nearest else rows).astype(np.intp)
