"""What goes wrong in a training is said in one line, and leaves the last sound checkpoint."""

import re
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("lightning") is None:  # not by importing it: taskcodec does that in the right order
    pytest.skip("no lightning", allow_module_level=True)
torch = pytest.importorskip("torch")

from taskcodec.errors import UsageError  # noqa: E402
from taskcodec.fitting.recipe import LAST, NetworkChoice, Recipe, Schedule  # noqa: E402
from taskcodec.fitting.training import TrainingSet, train  # noqa: E402

MLP = NetworkChoice("mlp", {"hidden": [8]})
VC = Recipe("VC", 0.05, 2, MLP, MLP)
X = torch.from_numpy(np.random.default_rng(0).normal(size=(500, 3)).astype("f4"))


@pytest.mark.parametrize("rate", [1e9, 1e30])
def test_a_training_that_diverges_stops_and_says_where(tmp_path, rate):
    schedule = Schedule(60, batch=64, learning_rate=rate, warmup=0, checkpoint_every=20, accelerator="cpu")
    with pytest.raises(UsageError, match=rf"diverged: .* at step [0-9]+, with learning_rate {re.escape(f'{rate:g}')}"):
        train(TrainingSet(X), VC, schedule, folder=tmp_path)
    assert not (tmp_path / f"{LAST}.partial").exists()


def test_no_checkpoint_is_written_of_a_loss_that_is_not_finite(tmp_path):
    def broken(x):
        return x * float("inf")

    with pytest.raises(UsageError, match="diverged: the loss is nan at step 0"):
        train(TrainingSet(X, views=broken), VC, Schedule(4, 64, checkpoint_every=1), folder=tmp_path)
    assert not (tmp_path / LAST).exists()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"accelerator": "tpu"}, "accelerator: there is no tpu"),
        ({"accelerator": "abacus"}, "accelerator: 'abacus' is none of auto, gpu, cpu"),
        ({"strategy": "foo"}, "strategy: 'foo' is none of auto, "),
    ],
)
def test_a_machine_without_what_is_asked_for_is_told_in_one_line(changed, says):
    with pytest.raises(UsageError, match=says) as found:
        train(TrainingSet(X), VC, Schedule(2, 64, **changed))
    assert "\n" not in str(found.value)
