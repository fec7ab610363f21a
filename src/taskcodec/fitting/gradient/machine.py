"""Whether a machine has what a schedule asks for, in words rather than in Lightning's tracebacks."""

import sys

from lightning.pytorch.accelerators import AcceleratorRegistry

from taskcodec.errors import UsageError
from taskcodec.fitting.gradient.recipe import Schedule


def check_machine(schedule: Schedule) -> None:
    """Raise UsageError, which begins with the key, where Lightning could not set up the training here."""
    if schedule.devices > 1 and (hasattr(sys, "ps1") or sys.flags.interactive):
        raise UsageError(
            f"devices: {schedule.devices} are asked for, and an interactive Python cannot be started so often: run "
            "`taskcodec train`, or a script"
        )
    known = sorted(AcceleratorRegistry.available_accelerators())
    name = schedule.accelerator
    if name not in ("auto", "gpu", *known):
        raise UsageError(f"accelerator must be one of auto, gpu, {', '.join(known)}, found {name!r}")
    if name == "auto":
        return
    kinds = ("cuda", "mps") if name == "gpu" else (name,)
    counts = [_devices(kind) for kind in kinds if kind in known]
    if not any(counts):
        raise UsageError(f"accelerator: there is no {name} on this machine; auto takes what there is")
    if name != "cpu" and schedule.devices > max(counts):
        raise UsageError(f"devices: {schedule.devices} are asked for, this machine has {max(counts)}")


def _devices(name: str) -> int:
    try:
        kind = AcceleratorRegistry.get(name)
    except ImportError:  # as of a TPU without its library
        return 0
    return int(kind.auto_device_count()) if kind.is_available() else 0
