import numpy as np
import pytest
from PIL import Image

from taskcodec.data import open_source
from taskcodec.engines.values import gather as module
from taskcodec.engines.values.gather import gather
from taskcodec.errors import SourceError
from tests.lossless import strokes, write_folder, write_idx


def test_pictures_are_gathered_as_they_are(tmp_path):
    for source in (write_folder(tmp_path / "files", strokes(5)), write_idx(tmp_path / "idx", strokes(5))):
        found = gather(open_source(source))
        assert np.array_equal(found.pixels, strokes(5))
        assert (found.transform.shape, found.transform.depth, found.notes) == ((7, 6), 8, ())


def test_the_commonest_size_counts(tmp_path):
    folder = write_folder(tmp_path / "files", strokes(5))
    Image.fromarray(strokes(1, 9, 9)[0]).save(folder / "other.png")
    (folder / "none.png").write_bytes(b"nothing")
    found = gather(open_source(folder))
    assert len(found.pixels) == 5
    others, faults = found.notes
    assert "1 sample left out: the codec is for pictures of 6x7 pixels" in others
    assert "none.png" in faults


def test_a_fit_looks_at_no_more_than_memory_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FIT_BYTES", 42 * 10)
    found = gather(open_source(write_idx(tmp_path / "idx", strokes(100))))
    assert np.array_equal(found.pixels, strokes(100)[np.linspace(0, 99, 10).astype(int)])


def test_nothing_to_read_is_told(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"nothing")
    with pytest.raises(SourceError, match=r"none of its 1 sample could be read \(the first: a.png"):
        gather(open_source(folder))
