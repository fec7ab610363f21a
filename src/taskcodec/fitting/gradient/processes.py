"""Several processes that train one codec (DDP): what ends one of them ends all, and the first one says why."""

import atexit
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightning.pytorch.callbacks import Callback
from torch.distributed import DistError, destroy_process_group, is_initialized

from taskcodec.errors import TERMINATED, ProcessError, TaskcodecError


class Together(Callback):
    """Leaves at once on SIGTERM, and takes along the processes that the first one started."""

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        if trainer.world_size > 1:
            atexit.register(_disconnect)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        # Lightning's own handler broadcasts from wherever the signal finds it: a signal to one process alone would
        # have it wait for ever, and in several processes the broadcast falls between those of the training.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda *_: _leave(TERMINATED if trainer.is_global_zero else 1))

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        # What taskcodec raises itself, all processes raise at the same step: they end by themselves.
        launcher = trainer.strategy.launcher
        if launcher is not None and trainer.is_global_zero and not isinstance(exception, TaskcodecError):
            launcher.kill(signal.SIGKILL)  # they would wait for this one


def _disconnect() -> None:
    """Left to the end of the interpreter, gloo's threads abort it: a process that had done its work would fail."""
    if is_initialized():
        destroy_process_group()


def _leave(code: int) -> None:
    raise SystemExit(code)


@contextmanager
def naming_lost_processes() -> Iterator[None]:
    """Raise ProcessError where torch only knows that a connection broke."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, DistError) and "gloo" not in str(error):
            raise
        reason = re.sub(r"^\[[^]]*\] *", "", str(error).partition(". ")[0].partition("\n")[0])
        raise ProcessError(
            f"another process of this training ended, or cannot be reached ({reason}); the last checkpoint stays, and "
            "--resume goes on from it"
        ) from error
