"""A codec that is overfitted to each picture, with drawn weights to start from."""

from taskcodec.coding.models.overfitted.plan import Plan
from taskcodec.fitting.gradient.overfitted.start import codec_of, drawn

PLAN = Plan(levels=4, width=4, context=4)


def overfitted(task="mse", plan=PLAN, beta=0.002, **more):
    """task, beta and more: what its packets are searched for."""
    record = {"trained": [{"layers": {"picture": {"task": task, **more}}, "beta": beta}]}
    return codec_of(plan, drawn(plan, 0), record)
