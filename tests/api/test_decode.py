"""Features of a store as a file: what `taskcodec decode` writes."""

import pytest

from taskcodec.api.decode import decode_to_file
from taskcodec.errors import SourceError, UsageError
from tests.cli.commands import run


@pytest.mark.parametrize("name", ["f.npy", "f.parquet"])
def test_the_file_is_that_of_the_command(folder, tmp_path, name):
    run("decode", folder / "x.tcz", "-o", tmp_path / f"command-{name}")
    seen = []
    store = decode_to_file(folder / "x.tcz", tmp_path / name, lambda done, total: seen.append((done, total)))
    assert (tmp_path / name).read_bytes() == (tmp_path / f"command-{name}").read_bytes()
    assert len(store) == 299
    assert seen == ([(299, 299)] if name == "f.npy" else [])


def test_what_is_no_place_for_features_is_refused(folder, tmp_path):
    (tmp_path / "mine.npy").write_text("notes")
    for output, says in (
        (tmp_path / "mine.npy", r"is not a \.npy file"),
        (tmp_path / "x.csv", r"to a \.npy or a \.parquet"),
    ):
        with pytest.raises(UsageError, match=says):
            decode_to_file(folder / "x.tcz", output)
    with pytest.raises(SourceError, match="no such file or folder"):
        decode_to_file(folder / "none.tcz", tmp_path / "x.npy")
