"""Devices and processes that there are not, and those that there are."""

from importlib.util import find_spec

import pytest

if find_spec("lightning") is None:  # not by importing it: taskcodec does that in the right order
    pytest.skip("no lightning", allow_module_level=True)
torch = pytest.importorskip("torch")

from taskcodec.errors import UsageError  # noqa: E402
from taskcodec.fitting.gradient.recipe import Schedule  # noqa: E402
from taskcodec.fitting.gradient.training import TrainingSet, train  # noqa: E402
from tests.fitting.gradient.tiny import VC, X  # noqa: E402


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"accelerator": "tpu"}, "accelerator: there is no tpu"),
        ({"accelerator": "abacus"}, "accelerator must be one of auto, gpu, cpu"),
    ],
)
def test_a_machine_without_what_is_asked_for_is_told_in_one_line(changed, says):
    with pytest.raises(UsageError, match=says) as found:
        train(TrainingSet(X), VC, Schedule(2, 64, **changed))
    assert "\n" not in str(found.value)


def test_single_device_is_the_device_that_there_is():
    codec = train(TrainingSet(X), VC, Schedule(2, 64, accelerator="cpu", strategy="single_device")).codec
    assert codec.provenance["schedule"]["strategy"] == "single_device"


def test_several_processes_are_not_started_from_an_interactive_python(monkeypatch):
    monkeypatch.setattr("sys.ps1", ">>> ", raising=False)
    with pytest.raises(UsageError, match="devices: 2 are asked for, and an interactive Python cannot be started"):
        train(TrainingSet(X), VC, Schedule(2, 64, accelerator="cpu", devices=2))
