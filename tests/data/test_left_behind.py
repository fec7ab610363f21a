"""What other programs leave among pictures is no sample and no class, and is counted."""

import io
import tarfile
import zipfile

import pytest

from taskcodec.data import open_source
from taskcodec.errors import SourceError
from tests.data.pictures import as_bytes, encoded, noise, put

PICTURE = as_bytes(noise())
KEPT = {"cat/1.png": "cat", "dog/2.png": "dog"}
LEFT = [
    "cat/.ipynb_checkpoints/1-checkpoint.png", ".git/objects/12/34", ".git/HEAD", "__MACOSX/cat/._1.png",
    "cat/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg", ".Trash-1000/files/old.png", "$RECYCLE.BIN/S-1/x.png",
    "System Volume Information/tracking.log", ".thumbnails/large/1.png", "lost+found/7.png", "dog/.AppleDouble/2.png",
    "cat/.hidden/3.png", "cat/._1.png", "cat/.DS_Store", "dog/Thumbs.db", "desktop.ini",
]  # fmt: skip


def files():
    return dict.fromkeys((*KEPT, *LEFT), PICTURE)


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files().items():
            archive.writestr(name, data)


def tarred(path):
    with tarfile.open(path, "w") as archive:
        for name, data in files().items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "folder of shards"])
def test_nothing_that_was_left_becomes_a_sample_or_a_class(tmp_path, kind):
    place = {"folder": "p", "zip": "p.zip", "tar": "p.tar", "folder of shards": "p"}[kind]
    if kind == "folder":
        put(tmp_path / "p", files())
    elif kind == "zip":
        zipped(tmp_path / "p.zip")
    elif kind == "tar":
        tarred(tmp_path / "p.tar")
    else:
        put(tmp_path / "p", {".DS_Store": b"x"})
        zipped(tmp_path / "p" / "a.zip")
    source = open_source(tmp_path / place)
    assert {item.id.removeprefix("./"): item.label for item in source.items} == KEPT
    assert sum(source.skipped.values()) == len(LEFT) + (kind == "folder of shards")
    assert source.skipped["./.git/" if kind == "tar" else ".git/"] == 2


def test_encode_says_how_many_files_were_skipped_and_where(tmp_path):
    put(tmp_path / "p", files())
    store, said = encoded(tmp_path / "p", tmp_path / "s.tcz")
    assert (len(store), len(store.failures)) == (2, 0)
    assert said == [
        f"{tmp_path / 'p'}: skipped 16 files hidden or left by other programs: 2 in .git, 1 in $RECYCLE.BIN, "
        "1 in .Trash-1000, 1 in .thumbnails, 1 in System Volume Information, 6 in 6 other folders, "
        "4 on their own (such as desktop.ini)"
    ]
    assert sorted(store.ids) == sorted(KEPT)


def test_a_folder_in_which_all_is_hidden_says_so(tmp_path):
    put(tmp_path / "p", {".a.png": PICTURE, ".cache/b.png": PICTURE})
    with pytest.raises(
        SourceError, match=r"empty folder but for 2 files hidden or left by other programs: 1 in \.cache"
    ):
        open_source(tmp_path / "p")


def test_the_folder_that_is_named_may_be_hidden_itself(tmp_path):
    put(tmp_path / ".data" / "p", {"cat/1.png": PICTURE})
    source = open_source(tmp_path / ".data" / "p")
    assert [(item.id, item.label) for item in source.items] == [("cat/1.png", "cat")]
    assert not source.skipped


def test_what_a_list_names_is_a_sample_but_its_tools_folder_is_no_class(tmp_path):
    put(tmp_path, {"cat/1.png": PICTURE, "cat/.ipynb_checkpoints/1.png": PICTURE, ".ipynb_checkpoints/2.png": PICTURE})
    (tmp_path / "list.txt").write_text("cat/1.png\ncat/.ipynb_checkpoints/1.png\n.ipynb_checkpoints/2.png\n")
    assert [item.label for item in open_source(tmp_path / "list.txt").items] == ["cat", None, None]
