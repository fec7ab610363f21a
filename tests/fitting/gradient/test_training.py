"""Gradient training: what it gives, and that a killed one takes the path it would have taken."""

import csv
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("lightning") is None:  # not by importing it: taskcodec does that in the right order
    pytest.skip("no lightning", allow_module_level=True)
torch = pytest.importorskip("torch")

from taskcodec.codec import Codec  # noqa: E402
from taskcodec.coding import encode_block  # noqa: E402
from taskcodec.errors import CorruptFileError, MismatchError, UsageError  # noqa: E402
from taskcodec.fitting.gradient.data import rows_of  # noqa: E402
from taskcodec.fitting.gradient.recipe import ENTROPY_MODELS, LAST, NetworkChoice, Recipe, Schedule  # noqa: E402
from taskcodec.fitting.gradient.training import TrainingSet, Work, train  # noqa: E402
from tests import ROOT  # noqa: E402

MLP = NetworkChoice("mlp", {"hidden": [16]})
VC = Recipe("VC", 0.05, 3, MLP, MLP)
X = torch.from_numpy(np.random.default_rng(0).normal(size=(2000, 3)).astype("f4")) * torch.tensor([3.0, 1.0, 0.1])


def turned(x):
    return x * torch.sign(torch.randn(len(x), 1))


@pytest.mark.parametrize("entropy_model", ENTROPY_MODELS)
@pytest.mark.slow
def test_every_entropy_model_trains_to_a_codec_whose_files_keep_the_estimate(entropy_model):
    recipe = Recipe("VC", 0.05, 3, MLP, MLP, entropy_model=entropy_model)
    codec = train(TrainingSet(X), recipe, Schedule(60, batch=64, learning_rate=3e-3)).codec
    codec = Codec.from_bytes(codec.to_bytes())
    symbols = codec.encode(list(X.numpy()))
    bits = 8 * len(encode_block(symbols, codec.base.model)) / len(X)
    assert bits == pytest.approx(codec.provenance["trained_bits"], rel=0.01)
    assert np.abs(codec.decode(symbols) - codec.analyse(list(X.numpy()))).max() < 0.51


def test_the_price_of_a_bit_rises_in_the_loss_that_is_lowered(tmp_path):
    train(TrainingSet(X), VC, Schedule(60, 64, rate_rise=40), Work(tmp_path))
    rows = list(csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines()))
    loss, distortion, bits, step = (
        np.array([float(row[key]) for row in rows]) for key in ("loss", "distortion", "rate_bits", "step")
    )
    share = (loss - distortion) / (VC.beta * bits)
    assert share == pytest.approx([1e-3 ** max(0, 1 - each / 40) for each in step], rel=1e-2, abs=1e-5)
    assert share[0] < 0.1 < 0.9 < share[-1]


@pytest.mark.slow
def test_it_learns_what_beta_asks_for():
    """A column that is not worth its bits is given up; a smaller beta buys a smaller error."""
    found = []
    for beta in (0.01, 1.0):
        codec = train(TrainingSet(X), Recipe("VC", beta, 3, MLP, MLP), Schedule(250, 64, 1e-2)).codec
        y_hat = codec.decompress(codec.compress(list(X[:300].numpy())))
        error = ((codec.synthesise(y_hat) - X[:300].numpy()) ** 2).sum(axis=1).mean()
        found.append((codec.provenance["trained_bits"], error))
    assert found[0][0] > found[1][0] + 2
    assert found[0][1] < 0.5 * found[1][1]


def test_bince_keeps_what_views_share():
    recipe = Recipe("BINCE", 0.2, 2, NetworkChoice("mlp", {"hidden": [32]}), projection=(32, 8), queue=256)
    codec = train(TrainingSet(X, views=turned), recipe, Schedule(150, 64, 5e-3)).codec
    first, second = (codec.encode(list(part.numpy())) for part in (X[:500], -X[:500]))
    other = np.roll(second, 1, axis=0)
    assert (first == second).mean() > (first == other).mean() + 0.2


@pytest.mark.slow
def test_bince_against_samples_keeps_what_a_view_tells_of_its_sample():
    """A view has lost the sign of the first number."""

    def flipped(x):
        return x * torch.where(torch.rand(len(x), 1) < 0.5, torch.tensor([-1.0, 1, 1]), torch.ones(3))

    mlp = NetworkChoice("mlp", {"hidden": [32]})
    recipe = Recipe("BINCE", 0.02, 2, mlp, mlp, queue=256, positive="sample")
    codec = train(TrainingSet(X, views=flipped), recipe, Schedule(150, 64, 5e-3)).codec
    made = codec.synthesise(codec.decompress(codec.compress(list(X[:500].numpy()))))
    lost, kept = (abs(np.corrcoef(made[:, column], X[:500, column])[0, 1]) for column in (0, 1))
    assert lost < 0.3 < 0.8 < kept


def test_supervised_and_features():
    labels = (X[:, 0] > 0).long()
    codec = train(TrainingSet(X, labels=labels), Recipe("supervised", 0.02, 1, MLP), Schedule(150, 128, 5e-3)).codec
    y_hat = codec.decompress(codec.compress(list(X[:500].numpy())))[:, 0]
    assert abs(np.corrcoef(y_hat, labels[:500])[0, 1]) > 0.6
    head = Recipe("feature_l1", 0.1, 2, NetworkChoice("head", {"hidden": [8]}), MLP)
    assert train(TrainingSet(X), head, Schedule(5, 64)).codec.g_a.name == "head"
    with pytest.raises(UsageError, match="at least 2 classes"):
        train(TrainingSet(X, labels=torch.ones_like(labels)), Recipe("supervised", 0.02, 1, MLP), Schedule(5))
    with pytest.raises(UsageError, match="labels"):
        train(TrainingSet(X), Recipe("supervised", 0.02, 1, MLP), Schedule(5))


def test_images_train_with_pictures_of_what_was_kept():
    images = torch.randint(0, 256, (64, 1, 8, 8), dtype=torch.uint8)
    described = {"resize": 8, "crop": 8, "interpolation": "bicubic", "mean": [0.5] * 3, "std": [0.3] * 3}
    recipe = Recipe(
        "VIC", 0.1, 4, NetworkChoice("resnet_small", {"widths": [4, 8]}), NetworkChoice("deconv", {"width": 4})
    )
    codec = train(TrainingSet(images, preprocessing=described), recipe, Schedule(4, 16)).codec
    picture = np.repeat(images[0, 0].numpy()[..., None], 3, axis=2)
    y_hat = codec.decompress(codec.compress(picture))
    assert codec.synthesise(y_hat[None]).shape == (1, 1, 8, 8)


def test_half_precision_is_for_networks_alone():
    """Augmentations would move pixels by what a half number rounds, and rates would not be those of files."""

    def seen(x):
        assert not torch.is_autocast_enabled("cpu")
        return x

    images = torch.randint(0, 256, (64, 1, 8, 8), dtype=torch.uint8)
    described = {"resize": 8, "crop": 8, "interpolation": "bicubic", "mean": [0.5] * 3, "std": [0.3] * 3}
    networks = NetworkChoice("resnet_small", {"widths": [4, 8]}), NetworkChoice("deconv", {"width": 4})
    schedule = Schedule(30, 16, accelerator="cpu", precision="bf16-mixed")
    codec = train(
        TrainingSet(images, views=seen, preprocessing=described), Recipe("VIC", 0.1, 4, *networks), schedule
    ).codec
    again = Codec.from_bytes(codec.to_bytes())
    assert again.fingerprint == codec.fingerprint
    pictures = list(np.repeat(images.numpy().transpose(0, 2, 3, 1), 3, axis=3))
    symbols = again.encode(pictures)
    np.testing.assert_array_equal(symbols, codec.encode(pictures))
    bits = again.code_length(symbols).mean()
    assert bits == pytest.approx(codec.provenance["trained_bits"], rel=0.01, abs=0.05)


def test_each_stretch_sees_every_sample_once():
    rows = torch.cat([rows_of(step, 10, 4, 0) for step in range(5)])
    assert rows[:10].sort().values.tolist() == rows[10:].sort().values.tolist() == list(range(10))
    assert rows_of(3, 10, 25, 0).shape == (25,)


SCHEDULE = Schedule(80, batch=64, learning_rate=3e-3, checkpoint_every=10, accelerator="cpu")
SCRIPT = """
import sys, time, torch
from pathlib import Path
sys.path.insert(0, {tests!r})
from tests.fitting.gradient.test_training import SCHEDULE, VC, X, turned
from taskcodec.fitting.gradient.training import TrainingSet, Work, train
train(TrainingSet(X, views=turned), VC, SCHEDULE, Work(Path(sys.argv[1])), progress=lambda done, of: time.sleep(0.05))
"""


@pytest.mark.slow
def test_a_killed_training_takes_the_path_it_would_have_taken(tmp_path):
    data = TrainingSet(X, views=turned)
    whole = train(data, VC, SCHEDULE, Work(tmp_path / "whole")).codec
    script = SCRIPT.format(tests=str(ROOT))
    killed = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "killed")])
    for _ in range(1200):
        if (tmp_path / "killed" / LAST).exists() or killed.poll() is not None:
            break
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    step = torch.load(tmp_path / "killed" / LAST, weights_only=True)["global_step"]
    assert SCHEDULE.checkpoint_every <= step < SCHEDULE.steps, "killed between two checkpoints"
    resumed = train(data, VC, SCHEDULE, Work(tmp_path / "killed", resume=True)).codec
    for key, weights in whole.networks.tensors().items():
        assert np.allclose(weights, resumed.networks.tensors()[key], atol=1e-5), key
    assert whole.provenance["trained_bits"] == pytest.approx(resumed.provenance["trained_bits"], abs=1e-4)
    log = [(tmp_path / name / "metrics.csv").read_text().splitlines() for name in ("whole", "killed")]
    assert [line.split(",")[-1] for line in log[0]] == [line.split(",")[-1] for line in log[1]]
    again = train(data, VC, SCHEDULE, Work(tmp_path / "killed", resume=True))
    assert again.step == SCHEDULE.steps
    assert (tmp_path / "killed" / "metrics.csv").read_text().splitlines() == log[1]


def test_it_stops_on_the_clock_and_goes_on(tmp_path):
    data = TrainingSet(X)
    first = train(data, VC, SCHEDULE, Work(tmp_path, seconds=0))
    assert (first.codec, first.step, first.steps) == (None, 10, 80)
    with pytest.raises(MismatchError, match=rf"{LAST}: .* model.beta is 0.05 there and 0.5 here"):
        train(data, Recipe("VC", 0.5, 3, MLP, MLP), SCHEDULE, Work(tmp_path, resume=True))
    other = X.clone()
    other[1, 0] += 1e-3
    for changed, told, says in (
        (TrainingSet(other), {}, "data.sha256"),
        (TrainingSet(X, labels=torch.zeros(len(X), dtype=torch.long)), {}, "data.sha256"),
        (data, {"augmentations": "rotations"}, "augmentations is missing there and rotations here"),
    ):
        with pytest.raises(MismatchError, match=says):
            train(changed, VC, SCHEDULE, Work(tmp_path, resume=True), provenance=told)
    done = train(data, VC, SCHEDULE, Work(tmp_path, resume=True))
    assert done.step == 80
    again = train(data, VC, SCHEDULE, Work(tmp_path, resume=True))
    assert again.codec.fingerprint == done.codec.fingerprint
    (tmp_path / LAST).write_bytes((tmp_path / LAST).read_bytes()[:500])
    with pytest.raises(CorruptFileError, match=LAST):
        train(data, VC, SCHEDULE, Work(tmp_path, resume=True))


@pytest.mark.parametrize("rate", [1e9, 1e30])
def test_a_training_that_diverges_stops_and_says_where(tmp_path, rate):
    schedule = Schedule(60, batch=64, learning_rate=rate, warmup=0, checkpoint_every=20, accelerator="cpu")
    with pytest.raises(UsageError, match=rf"diverged: .* at step [0-9]+, with learning_rate {re.escape(f'{rate:g}')}"):
        train(TrainingSet(X), VC, schedule, Work(tmp_path))
    assert not (tmp_path / f"{LAST}.partial").exists()


def test_a_batch_of_more_than_all_samples_is_refused():
    with pytest.raises(UsageError, match=r"training.batch: 2001 is more than the 2,000 samples"):
        train(TrainingSet(X), VC, Schedule(2, 2001))
