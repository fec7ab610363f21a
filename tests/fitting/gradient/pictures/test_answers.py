"""What a layer's synthesis gives to its task."""

import pytest

torch = pytest.importorskip("torch")

from taskcodec.errors import UsageError  # noqa: E402
from taskcodec.fitting.gradient.pictures.answers import outputs_of, task_of  # noqa: E402
from tests.fitting.gradient.pictures.tiny import layer, pictures, plain  # noqa: E402


@pytest.mark.parametrize(
    ("task", "outputs"), [("mse", 3), ("depth", 1), ("segmentation", 7), ("classification", 5), ("none", 3)]
)
def test_a_synthesis_gives_what_its_task_reads(task, outputs):
    assert outputs_of(layer(task=task, **({"preview": 0.0} if task == "none" else {})), pictures(2)) == outputs
    if task in ("segmentation", "classification"):
        with pytest.raises(UsageError, match=f"layers.base.task: {task} needs pictures of 2 classes or more"):
            outputs_of(layer(task=task), plain(2))


def test_an_untrained_answer_is_a_usual_one():
    depth = task_of(layer(task="depth"), None)
    assert depth.predict(torch.zeros(1, 1, 4, 4)).mean().item() == pytest.approx(3, abs=0.01)
    assert task_of(layer(task="none", preview=0.0), None) is None
    scores = torch.randn(2, 5, 4, 4)
    assert (
        task_of(layer(task="classification"), None).predict(scores).tolist() == scores.mean((2, 3)).argmax(1).tolist()
    )
