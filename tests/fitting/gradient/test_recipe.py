"""Schedules that cannot work."""

import pytest

from taskcodec.errors import UsageError
from taskcodec.fitting.gradient.recipe import NetworkChoice, Recipe, Schedule


@pytest.mark.parametrize("strategy", ["ddp_spawn", "ddp_notebook", "deepspeed", "dp", "single_tpu", "foo", ""])
def test_a_strategy_whose_processes_keep_what_they_train_is_refused(strategy):
    """Lightning's forks trained to the end, and gave nothing back."""
    with pytest.raises(UsageError, match=rf"strategy must be one of auto, ddp, single_device, found '{strategy}'"):
        Schedule(2, 64, strategy=strategy)


def test_the_price_of_a_bit_rises_from_a_thousandth_evenly_in_its_logarithm():
    rising = Schedule(100, rate_rise=60)
    assert [rising.price(step) for step in (0, 20, 40, 60, 99)] == pytest.approx([1e-3, 1e-2, 1e-1, 1, 1])
    assert [Schedule(100).price(step) for step in (0, 99)] == [1, 1]
    with pytest.raises(UsageError, match=r"rate_rise must be a number of at least 0, found -1"):
        Schedule(100, rate_rise=-1)


def test_what_asks_nothing_is_not_recorded_so_that_earlier_checkpoints_go_on():
    assert "rate_rise" not in Schedule(100).described()
    assert Schedule(100, rate_rise=60).described()["rate_rise"] == 60
    assert Schedule(100).described()["warmup"] == 100
    mlp = NetworkChoice("mlp")
    assert "positive" not in Recipe("BINCE", 0.1, 2, mlp).described()
    assert Recipe("BINCE", 0.1, 2, mlp, mlp, positive="sample").described()["positive"] == "sample"
