"""Checkpoints that are damaged or of another version, and none of a loss that is not finite."""

import zipfile
from importlib.util import find_spec

import pytest

if find_spec("lightning") is None:  # not by importing it: taskcodec does that in the right order
    pytest.skip("no lightning", allow_module_level=True)
torch = pytest.importorskip("torch")

from taskcodec.errors import CorruptFileError, UsageError  # noqa: E402
from taskcodec.fitting.gradient.recipe import LAST, Schedule  # noqa: E402
from taskcodec.fitting.gradient.training import TrainingSet, Work, train  # noqa: E402
from tests.fitting.gradient.tiny import VC, X  # noqa: E402


def test_no_checkpoint_is_written_of_a_loss_that_is_not_finite(tmp_path):
    def broken(x):
        return x * float("inf")

    with pytest.raises(UsageError, match="diverged: the loss is nan at step 0"):
        train(TrainingSet(X, views=broken), VC, Schedule(4, 64, checkpoint_every=1), Work(tmp_path))
    assert not (tmp_path / LAST).exists()


def test_a_checkpoint_with_other_weights_is_refused(tmp_path):
    """As of a version in which the networks were others."""
    schedule = Schedule(4, 64, checkpoint_every=2, accelerator="cpu")
    train(TrainingSet(X), VC, schedule, Work(tmp_path, seconds=0))
    content = torch.load(tmp_path / LAST, weights_only=True)
    content["state_dict"].pop(next(iter(content["state_dict"])))
    torch.save(content, tmp_path / LAST)
    with pytest.raises(CorruptFileError, match=rf"{LAST}: a checkpoint with other weights .* \(--overwrite\)"):
        train(TrainingSet(X), VC, schedule, Work(tmp_path, resume=True))


def test_a_checkpoint_with_one_flipped_bit_is_refused(tmp_path):
    train(TrainingSet(X), VC, Schedule(4, 64, checkpoint_every=2), Work(tmp_path, seconds=0))
    sound = (tmp_path / LAST).read_bytes()
    with zipfile.ZipFile(tmp_path / LAST) as archive:
        weights = max(archive.infolist(), key=lambda one: one.file_size)
    damaged = bytearray(sound)
    damaged[weights.header_offset + 30 + len(weights.filename) + weights.file_size // 2] ^= 1
    for content in (bytes(damaged), b"", sound[:100]):
        (tmp_path / LAST).write_bytes(content)
        with pytest.raises(CorruptFileError, match=rf"{LAST}: .*begin anew \(--overwrite\)") as found:
            train(TrainingSet(X), VC, Schedule(4, 64, checkpoint_every=2), Work(tmp_path, resume=True))
        assert "weights_only" not in str(found.value)
