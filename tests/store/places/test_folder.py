"""Stores in folders."""

from pathlib import Path

from taskcodec.store.places.folder import FolderBlobs


def left(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def test_folders_go_with_the_last_file_in_them(tmp_path):
    blobs = FolderBlobs(tmp_path / "s.tcz")
    for key in ("layers/picture/c/0/0", "layers/picture/c/0/1", "layers/picture/zarr.json", "zarr.json"):
        blobs.put(key, b"x")
    for key in ("layers/picture/c/0/0", "layers/picture/c/0/1", "layers/picture/c/9/9"):
        blobs.delete(key)
    assert left(tmp_path / "s.tcz") == ["layers", "layers/picture", "layers/picture/zarr.json", "zarr.json"]
    blobs.delete("layers/picture/zarr.json")
    blobs.delete("zarr.json")
    assert left(tmp_path) == ["s.tcz"]


def test_a_folder_that_is_removed_by_another_does_not_stop_a_file(tmp_path, monkeypatch):
    blobs, mkdir, removals = FolderBlobs(tmp_path), Path.mkdir, iter(range(3))

    def made_and_removed(self, *args, **more):
        mkdir(self, *args, **more)
        if next(removals, None) is not None:
            self.rmdir()

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", made_and_removed)
        blobs.put("c/0/0", b"x")
    assert blobs.get("c/0/0") == b"x"
