"""Schedules that cannot work."""

import pytest

from taskcodec.errors import UsageError
from taskcodec.fitting.gradient.recipe import Schedule


@pytest.mark.parametrize("strategy", ["ddp_spawn", "ddp_notebook", "deepspeed", "dp", "single_tpu", "foo", ""])
def test_a_strategy_whose_processes_keep_what_they_train_is_refused(strategy):
    """Lightning's forks trained to the end, and gave nothing back."""
    with pytest.raises(UsageError, match=rf"strategy must be one of auto, ddp, single_device, found '{strategy}'"):
        Schedule(2, 64, strategy=strategy)
