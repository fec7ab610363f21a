"""What a sample may be is the same for every verb, in Python and of every library's making."""

import io
import os
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image
from zarr.storage import MemoryStore

import taskcodec
from taskcodec.errors import MismatchError, SourceError
from taskcodec.fitting.closed_form.feature_codec import FeatureCodec
from taskcodec.samples import as_features, spread_rows
from taskcodec.store import SampleRecord, StoreWriter

N, D = 120, 8
X = np.round(np.random.default_rng(0).normal(size=(N, D)) * 8).astype("f4") / 8  # which bfloat16 holds exactly


class Column(Sequence):
    """A column of a data set of Hugging Face, which is read as it is indexed."""

    def __init__(self, items):
        self.items = list(items)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


class Endless:
    """A data set of torch: it has a length, but none of its places is its end."""

    def __len__(self):
        return N

    def __getitem__(self, index):
        return X[index % N]


class Jax:
    """An array of another library: it becomes one of numpy when asked."""

    def __init__(self, array):
        self.array, self.ndim, self.shape, self.dtype = array, array.ndim, array.shape, array.dtype

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype=dtype)

    def __len__(self):
        return len(self.array)

    def __iter__(self):
        return iter(self.array)


class Bare:
    """All that is needed to become an array, and no more."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype=dtype)


def stored():
    codec = taskcodec.fit(X, step=1e-3, method="dimensionwise")  # so fine that what is decoded is what was given
    place = MemoryStore()
    with StoreWriter.create(place, codec, chunk_rows=50) as writer:
        writer.append(codec.encode(X), [SampleRecord(str(i), i, 32) for i in range(N)])
        writer.finish()
    return taskcodec.open(place)


def bfloat16():
    return pytest.importorskip("torch").from_numpy(X).bfloat16()


FORMS = {
    "array": lambda: X,
    "doubles": lambda: X.astype("f8"),
    "columns": lambda: np.asfortranarray(X),
    "lists": X.tolist,
    "list of arrays": lambda: list(X),
    "tuple of lists": lambda: tuple(X.tolist()),
    "iterator": lambda: iter(X),
    "generator of lists": lambda: (row for row in X.tolist()),
    "column": lambda: Column(X.tolist()),
    "column of arrays": lambda: Column(X),
    "data set": Endless,
    "jax": lambda: Jax(X),
    "list of jax": lambda: [Jax(row) for row in X],
    "bare": lambda: Bare(X),
    "list of bare": lambda: [Bare(row) for row in X],
    "data frame": lambda: pd.DataFrame(X),
    "data frame with names": lambda: pd.DataFrame(X, columns=list("abcdefgh"), index=range(5, 5 + N)),
    "series of vectors": lambda: pd.Series(list(X)),
    "arrow": lambda: pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), D),
    "tensor": lambda: bfloat16().float(),
    "tensor that is tracked": lambda: bfloat16().float().requires_grad_() * 1,
    "bfloat16": bfloat16,
    "list of bfloat16": lambda: list(bfloat16()),
    "column of bfloat16": lambda: Column(bfloat16()),
    "iterator of tensors": lambda: iter(bfloat16().requires_grad_() * 1),
    "bfloat16 of numpy": lambda: X.astype(pytest.importorskip("ml_dtypes").bfloat16),
}


@pytest.fixture(scope="module")
def codec():
    return taskcodec.fit(X, bits=40)


@pytest.mark.parametrize("form", FORMS)
def test_vectors_in_any_form_are_taken_by_every_verb(codec, form):
    make = FORMS[form]
    assert np.array_equal(as_features(make()), X)
    assert np.array_equal(codec.encode(make()), codec.encode(X))
    assert codec.compress(make()) == codec.compress(X)
    assert taskcodec.fit(make(), bits=40).fingerprint == codec.fingerprint
    assert taskcodec.adapt(codec, make(), 30).fingerprint == taskcodec.adapt(codec, X, 30).fingerprint
    if "arrow" not in form and "series" not in form:  # scikit-learn has rules of its own
        coder = FeatureCodec(bits=40).fit(make())
        assert coder.codec_.fingerprint == codec.fingerprint
        assert np.array_equal(coder.transform(make()), codec.encode(X))


def test_the_rows_of_a_store_are_taken_by_every_verb():
    given = stored().features
    x = np.asarray(given)
    codec = taskcodec.fit(given, bits=40)
    assert codec.fingerprint == taskcodec.fit(x, bits=40).fingerprint
    assert codec.fingerprint == FeatureCodec(bits=40).fit(given).codec_.fingerprint
    assert np.array_equal(codec.encode(given), codec.encode(x))
    assert codec.compress(given) == codec.compress(x)
    assert taskcodec.adapt(codec, given, 30).fingerprint == taskcodec.adapt(codec, x, 30).fingerprint


@pytest.mark.parametrize(
    "one",
    [
        lambda: X[0],
        lambda: X[0].astype("f8"),
        lambda: Jax(X[0]),
        lambda: Bare(X[0]),
        lambda: pd.Series(X[0]),
        lambda: pd.DataFrame(X).iloc[0],
        lambda: bfloat16()[0],
        lambda: bfloat16()[0].requires_grad_() * 1,
    ],
)
def test_one_vector_in_any_form(codec, one):
    assert codec.compress(one()) == codec.compress(X[:1])[0]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: None, "NoneType"),
        (lambda: 5, r"\(\)|found a int"),
        (lambda: {"vector": X[0]}, "dict"),
        (lambda: {1, 2}, "set"),
        (lambda: [{"vector": X[0], "label": 1}], "dict"),
        (lambda: [(X[0], 1), (X[1], 0)], "tuple|inhomogeneous"),
        (lambda: np.ma.masked_less(X, 0), "masked"),
        (lambda: X + 1j, "complex numbers"),
        (lambda: X.astype(str), "text"),
        (lambda: np.full((4, D), "2026-01-01", "M8[D]"), "dates"),
        (lambda: pd.DataFrame({"a": ["x", "y"], "b": [1, 2]}), "could not convert string to float: 'x'"),
        (lambda: pytest.importorskip("scipy.sparse").csr_matrix(X), "toarray|csr_matrix"),
        (lambda: [X[0], X[1][:3]], "one length|inhomogeneous"),
        (lambda: [*bfloat16(), bfloat16()[0, :3]], "one length|inhomogeneous"),
        (lambda: bfloat16().to("meta"), "a tensor that cannot be read: Cannot copy out of meta tensor"),
        (lambda: bfloat16().to_sparse(), "a tensor that cannot be read"),
    ],
)
def test_what_is_no_sample_is_refused_by_every_verb(codec, wrong, says):
    for use in (codec.encode, codec.compress, taskcodec.fit, lambda given: taskcodec.adapt(codec, given, 30)):
        with pytest.raises(MismatchError, match=says) as error:
            use(wrong())
        assert "\n" not in str(error.value)


def test_a_store_as_a_sample_is_told_what_to_give(codec):
    store = stored()
    for use in (codec.encode, codec.compress, taskcodec.fit):
        with pytest.raises(MismatchError, match=r"store\.features"):
            use(store)


# images


@pytest.fixture(scope="module")
def image_codec():
    pytest.importorskip("torch")
    from tests.transforms.backbones.test_learned import image_codec

    return image_codec()


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 28, 3), np.uint8)).save(path)
    return path


class Pipe(io.RawIOBase):
    """A stream that cannot go back."""

    def __init__(self, data):
        self.inner = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self.inner.readinto(buffer)


IMAGES = {
    "path": lambda path: path,
    "text": str,
    "bytes": lambda path: path.read_bytes(),
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "open file": lambda path: open(path, "rb"),  # noqa: SIM115
    "unbuffered file": lambda path: open(path, "rb", buffering=0),  # noqa: SIM115
    "bytes that are open": lambda path: io.BytesIO(path.read_bytes()),
    "pipe": lambda path: Pipe(path.read_bytes()),
    "PIL": Image.open,
    "pixels": lambda path: np.asarray(Image.open(path)),
    "jax": lambda path: Jax(np.asarray(Image.open(path))),
}


@pytest.mark.parametrize("form", IMAGES)
def test_an_image_in_any_form_alone_and_among_others(image_codec, photo, form):
    def make():
        return IMAGES[form](photo)

    packet = image_codec.compress(photo)
    assert image_codec.compress(make()) == packet
    many = {"list": list, "tuple": tuple, "iterator": iter, "column": Column}
    for gather in many.values():
        assert image_codec.compress(gather([make(), photo])) == [packet] * 2
        assert np.array_equal(image_codec.encode(gather([make(), photo])), image_codec.encode([photo] * 2))
    assert np.array_equal(image_codec.encode(make()), image_codec.encode(photo))


def test_many_paths_in_any_form(image_codec, photo):
    packet = image_codec.compress(photo)
    for many in (np.array([str(photo)] * 2), pd.Series([str(photo)] * 2), pd.Series([photo] * 2)):
        assert image_codec.compress(many) == [packet] * 2


def test_an_open_file_is_left_open_at_its_place(image_codec, photo):
    packet = image_codec.compress(photo)
    with open(photo, "rb") as file:
        file.seek(7)
        assert image_codec.compress(file) == image_codec.compress(file) == packet
        assert image_codec.compress([file, file]) == [packet] * 2
        assert (file.closed, file.tell()) == (False, 7)
        assert file.read() == photo.read_bytes()[7:]
    opened = io.BytesIO(photo.read_bytes())
    image_codec.encode(opened)
    assert (opened.closed, opened.tell()) == (False, 0)
    picture = Image.open(photo)
    image_codec.compress(picture)
    assert picture.getpixel((0, 0)) is not None


def test_files_that_are_no_images_are_named(image_codec, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"nothing")
    with open(tmp_path / "bad.png", "rb") as file:
        for given in (file, [file]):
            with pytest.raises(SourceError, match=rf"^{tmp_path}/bad\.png: not an image"):
                image_codec.compress(given)
        assert file.tell() == 0
    with pytest.raises(SourceError, match=r"^not an image"):
        image_codec.compress(io.BytesIO(b"nothing"))
    with open(tmp_path / "bad.png") as file, pytest.raises(MismatchError, match=r"bad\.png: open .* mode 'rb'"):
        image_codec.compress(file)
    with pytest.raises(MismatchError, match="dict with image, label: give its vector or image alone"):
        image_codec.compress([{"image": 1, "label": 2}])
    with pytest.raises(MismatchError, match="tuple of Image, int"):
        image_codec.compress([(Image.new("L", (9, 9)), 3)])


def test_a_codec_of_vectors_takes_no_files(codec, photo):
    with open(photo, "rb") as file:
        for given in (file, photo, os.fspath(photo), photo.read_bytes()):
            for use in (codec.compress, codec.encode):
                with pytest.raises(MismatchError, match="this codec has no backbone"):
                    use(given)
        assert file.tell() == 0


def test_a_table_of_whole_numbers_is_no_grey_image():
    codec = taskcodec.load_codec("lite0")
    table = pd.DataFrame(np.random.default_rng(0).integers(0, 9, (5, 1280), np.uint8))
    assert codec.encode(table).shape == (5, codec.columns)
    assert len(codec.compress(table)) == 5


def test_rows_are_spread_from_the_first_to_the_last():
    assert spread_rows(10, 4).tolist() == [0, 3, 6, 9]
    assert spread_rows(9, 4).tolist() == [0, 2, 5, 8]
    assert spread_rows(9, 4, nearest=True).tolist() == [0, 3, 5, 8]
    assert spread_rows(3, 10).tolist() == [0, 1, 2]
    assert spread_rows(0, 10).tolist() == []
