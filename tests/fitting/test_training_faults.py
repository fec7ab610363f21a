"""What goes wrong in a training is said in one line, and leaves the last sound checkpoint."""

import re
import zipfile
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("lightning") is None:  # not by importing it: taskcodec does that in the right order
    pytest.skip("no lightning", allow_module_level=True)
torch = pytest.importorskip("torch")

from taskcodec.errors import CorruptFileError, UsageError  # noqa: E402
from taskcodec.fitting.gradient.recipe import LAST, NetworkChoice, Recipe, Schedule  # noqa: E402
from taskcodec.fitting.gradient.training import TrainingSet, Work, train  # noqa: E402

MLP = NetworkChoice("mlp", {"hidden": [8]})
VC = Recipe("VC", 0.05, 2, MLP, MLP)
X = torch.from_numpy(np.random.default_rng(0).normal(size=(500, 3)).astype("f4"))


@pytest.mark.parametrize("rate", [1e9, 1e30])
def test_a_training_that_diverges_stops_and_says_where(tmp_path, rate):
    schedule = Schedule(60, batch=64, learning_rate=rate, warmup=0, checkpoint_every=20, accelerator="cpu")
    with pytest.raises(UsageError, match=rf"diverged: .* at step [0-9]+, with learning_rate {re.escape(f'{rate:g}')}"):
        train(TrainingSet(X), VC, schedule, Work(tmp_path))
    assert not (tmp_path / f"{LAST}.partial").exists()


def test_no_checkpoint_is_written_of_a_loss_that_is_not_finite(tmp_path):
    def broken(x):
        return x * float("inf")

    with pytest.raises(UsageError, match="diverged: the loss is nan at step 0"):
        train(TrainingSet(X, views=broken), VC, Schedule(4, 64, checkpoint_every=1), Work(tmp_path))
    assert not (tmp_path / LAST).exists()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"accelerator": "tpu"}, "accelerator: there is no tpu"),
        ({"accelerator": "abacus"}, "accelerator: 'abacus' is none of auto, gpu, cpu"),
    ],
)
def test_a_machine_without_what_is_asked_for_is_told_in_one_line(changed, says):
    with pytest.raises(UsageError, match=says) as found:
        train(TrainingSet(X), VC, Schedule(2, 64, **changed))
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("strategy", ["ddp_spawn", "ddp_notebook", "deepspeed", "dp", "single_tpu", "foo", ""])
def test_a_strategy_whose_processes_keep_what_they_train_is_refused(strategy):
    """Lightning's forks trained to the end, and gave nothing back."""
    with pytest.raises(UsageError, match=rf"strategy '{strategy}' is none of auto, ddp, single_device"):
        Schedule(2, 64, strategy=strategy)


def test_single_device_is_the_device_that_there_is():
    codec = train(TrainingSet(X), VC, Schedule(2, 64, accelerator="cpu", strategy="single_device")).codec
    assert codec.provenance["schedule"]["strategy"] == "single_device"


def test_several_processes_are_not_started_from_an_interactive_python(monkeypatch):
    monkeypatch.setattr("sys.ps1", ">>> ", raising=False)
    with pytest.raises(UsageError, match="devices: 2 are asked for, and an interactive Python cannot be started"):
        train(TrainingSet(X), VC, Schedule(2, 64, accelerator="cpu", devices=2))


def test_a_checkpoint_with_other_weights_is_refused(tmp_path):
    """As of a version in which the networks were others."""
    schedule = Schedule(4, 64, checkpoint_every=2, accelerator="cpu")
    train(TrainingSet(X), VC, schedule, Work(tmp_path, seconds=0))
    content = torch.load(tmp_path / LAST, weights_only=True)
    content["state_dict"].pop(next(iter(content["state_dict"])))
    torch.save(content, tmp_path / LAST)
    with pytest.raises(CorruptFileError, match=rf"{LAST}: a checkpoint with other weights .* \(--overwrite\)"):
        train(TrainingSet(X), VC, schedule, Work(tmp_path, resume=True))


def flipped(v):
    v[:, :1] *= torch.where(torch.rand(len(v), 1) < 0.5, -1.0, 1.0)
    return v


def test_views_may_change_their_batch_in_place():
    """The target is what was there before: the sign of the first column cannot be rebuilt."""
    wide = NetworkChoice("mlp", {"hidden": [32]})
    recipe = Recipe("VIC", beta=0.01, columns=3, analysis=wide, synthesis=wide)
    codec = train(TrainingSet(X, views=flipped), recipe, Schedule(200, 128, learning_rate=3e-3)).codec
    rebuilt = codec.synthesise(codec.decompress(codec.compress(list(X.numpy()))))
    assert abs(np.corrcoef(rebuilt[:, 0], X[:, 0])[0, 1]) < 0.5
    assert np.corrcoef(rebuilt[:, 1], X[:, 1])[0, 1] > 0.8


@pytest.mark.parametrize(
    "views", [lambda v: v[:1], lambda v: v[:, :2], lambda v: v.double(), lambda v: v.numpy(), lambda v: None]
)
def test_views_of_another_shape_or_type_are_refused(views):
    with pytest.raises(UsageError, match=r"views: must give what they are given, \(64, 3\) torch.float32, and gave "):
        train(TrainingSet(X, views=views), VC, Schedule(2, 64))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"samples": X.double()}, "samples: .* found \\(500, 3\\) torch.float64"),
        ({"samples": X.numpy()}, "samples: .* found \\(500, 3\\) float32"),
        ({"samples": torch.rand(4, 1, 8, 8)}, "samples: .* uint8 images, found"),
        ({"samples": X, "labels": torch.zeros(9, dtype=torch.long)}, "labels: .* 500 samples"),
        ({"samples": X, "labels": torch.full((500,), -1)}, "labels: a class number from 0 on"),
        ({"samples": X, "labels": torch.zeros(500)}, "labels: .* torch.float32"),
    ],
)
def test_a_training_set_of_the_wrong_kind_is_refused(given, says):
    with pytest.raises(UsageError, match=says):
        TrainingSet(**given)


def test_a_batch_of_more_than_all_samples_is_refused():
    with pytest.raises(UsageError, match=r"training.batch: 501 is more than the 500 samples"):
        train(TrainingSet(X), VC, Schedule(2, 501))


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
