"""A codec that a cluster's features were fitted to is byte for byte the one that this process fits alone."""

import numpy as np
import pytest

import taskcodec
from taskcodec.engines.choose import computing_with
from taskcodec.engines.computing import Asked
from taskcodec.errors import BackboneError, SourceError, UsageError
from tests.cli.commands import run
from tests.data.pictures import Eyes
from tests.engines.encode.vectors import low_rank

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("two_workers")]  # of a real cluster: it takes a while to start


class Blind(Eyes):
    def __call__(self, batch):
        raise BackboneError("blind: sees nothing")


@pytest.mark.parametrize("views", [False, True])
def test_the_codec_is_that_of_one_process(tmp_path, photos, views):
    (tmp_path / "labels.csv").write_text(
        "path,label\n" + "".join(f"{path.relative_to(photos)},{len(path.name)}\n" for path in photos.rglob("*.*"))
    )
    options = taskcodec.FitOptions(Eyes(), bits=6, views=views, labels=str(tmp_path / "labels.csv"))
    seen = list[tuple[int, int]]()
    alone = taskcodec.fit_source(photos, options)
    found = taskcodec.fit_source(
        photos, options, engine="ray", workers=2, progress=lambda done, total: seen.append((done, total))
    )
    assert found.codec.to_bytes() == alone.codec.to_bytes()
    assert found.notes == alone.notes
    assert seen[-1] == (64, 64)


def test_the_command_and_labels_that_bound_what_is_lost(tmp_path, photos):
    options = ("--tolerance", "5")
    alone = run("fit", photos, "-o", tmp_path / "a.codec", *options)
    found = run("fit", photos, "-o", tmp_path / "b.codec", *options, "--engine", "ray", "--workers", "2")
    assert (tmp_path / "a.codec").read_bytes() == (tmp_path / "b.codec").read_bytes()
    assert found.stderr == alone.stderr
    assert found.stdout == alone.stdout.replace("a.codec", "b.codec")


@pytest.mark.parametrize("views", [False, True])
def test_what_a_worker_says_comes_through_as_one_line(photos, views):
    with (
        computing_with("ray", 1, Asked(str(photos), backbone=Blind())) as computing,
        pytest.raises(BackboneError, match=r"^blind: sees nothing$"),
    ):
        _ = computing.views(None) if views else list(computing.batches.run([0]))


def test_vectors_are_read_by_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr("taskcodec.engines.ray.features.cluster", None)
    np.save(tmp_path / "x.npy", low_rank(600))
    found = taskcodec.fit_source(tmp_path / "x.npy", engine="ray:nowhere", workers=3)
    assert found.codec.to_bytes() == taskcodec.fit_source(tmp_path / "x.npy").codec.to_bytes()


def test_what_does_not_go_together(photos):
    with pytest.raises(UsageError, match="--workers goes with --engine ray"):
        taskcodec.fit_source(photos, workers=2)
    with pytest.raises(UsageError, match="--workers must be at least 1, found 0"):
        taskcodec.fit_source(photos, engine="ray", workers=0)
    with pytest.raises(UsageError, match="--workers 99: the cluster has 2 processors"):
        taskcodec.fit_source(photos, engine="ray", workers=99)
    with pytest.raises(UsageError, match="--device cuda: the cluster has no GPU"):
        taskcodec.fit_source(photos, taskcodec.FitOptions(device="cuda"), engine="ray")


def test_nothing_that_can_be_read(tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "a.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(SourceError, match="needs a sample that can be read"):
        taskcodec.fit_source(tmp_path / "none", taskcodec.FitOptions(Eyes()), engine="ray", workers=1)
