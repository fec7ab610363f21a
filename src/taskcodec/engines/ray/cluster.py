"""A Ray cluster: one that is there, or one on this machine for as long as a command runs."""

import io
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

from taskcodec.errors import TERMINATED, ProcessError, TaskcodecError, UsageError, needing_packages
from taskcodec.words import counted

AGAIN = "what was committed is sound: run the same command again to go on"
ANEW = "run the same command again"
IMAGE_CPUS = 4
"""Processors of a worker that reads images, where nothing else is asked for: each holds a backbone in memory."""
MOST_WORKERS = 4
"""For each processor of a machine on which Ray is started here, at most."""
ANSWER_SECONDS = 20
"""How long the machine of an address may take to answer."""
_AUTHENTICATION = "RAY_AUTH_MODE"
_TOKEN = f"; a cluster that asks for a token wants {_AUTHENTICATION}=token, and its token in ~/.ray/auth_token"
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
}


@dataclass(frozen=True)
class Workers:
    """How many workers, and the processors and GPUs of each."""

    count: int
    cpus: int
    gpus: int

    @property
    def device(self) -> str:
        """Where their backbones run."""
        return "cuda" if self.gpus else "cpu"


def check_workers(workers: int | None) -> None:
    """Raise UsageError on a number of workers that is none."""
    if workers is not None and workers < 1:
        raise UsageError(f"--workers must be at least 1, found {workers}")


def device_here(device: str | None) -> str | None:
    """The device of the command itself, where its workers have this one: that may be none that it has."""
    return None if device is None else "cpu"


def joined(address: str | None, workers: int | None) -> Any:
    """Ray, connected. Raises UsageError where it is not installed, ProcessError where no cluster answers.

    A cluster that this process is connected to already is taken as it is.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    with needing_packages():
        import ray
    if ray.is_initialized():
        return ray
    own: dict[str, Any] = {"address": address or os.environ.get("RAY_ADDRESS") or "local"}
    if own["address"] == "local":
        own |= {"num_cpus": max(_processors(workers), workers or 1), "include_dashboard": False}
        if sys.stderr.isatty():  # it takes a quarter of a minute, in which nothing else is to be seen
            print("taskcodec: starting Ray on this machine ...", file=sys.stderr, flush=True)
    _check_answers(own["address"])
    try:
        with _without_native_lines():
            ray.init(**own, log_to_driver=False, logging_level=logging.FATAL, configure_logging=True)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError, OSError) as error:
        words = " ".join(str(error).split(". ")[0].split())
        token = "" if own["address"] == "local" or _AUTHENTICATION in os.environ else _TOKEN
        raise ProcessError(f"ray:{own['address']}: no Ray cluster to work with ({words}){token}") from error
    return ray


def _check_answers(address: str) -> None:
    """Raise ProcessError where nobody listens at HOST:PORT: Ray itself goes on asking for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ProcessError(
            f"ray:{address}: nothing answers there ({reason}); start a cluster (ray start --head), or mend the address"
        ) from error


def _processors(workers: int | None) -> int:
    """Of this machine. Raises UsageError on many times more workers: each is a process with what it needs in memory."""
    found = os.cpu_count() or 1
    if workers is not None and workers > MOST_WORKERS * found:
        raise UsageError(
            f"--workers {workers}: this machine has {counted(found, 'processor')}, for "
            f"{counted(MOST_WORKERS * found, 'worker')} at most"
        )
    return found


@contextmanager
def cluster(address: str | None, workers: int | None, then: str = AGAIN) -> Iterator[Any]:
    """Ray for as long as it is needed; what was started or joined here is left at the end, whatever the end is.

    `then` is what to do where the cluster is lost, in words.
    """
    ray, before = None, _is_joined()
    try:
        with _telling_faults(then), redirect_stdout(_OwnThread(sys.stdout)):
            with _ended_in_order():
                ray = joined(address, workers)
            with _ended_in_order():  # again: Ray has put a handler of its own
                yield ray
    finally:
        if not before and ray is not None:
            ray.shutdown()


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM, which schedulers send, ends the command as Ctrl-C does; Ray's own handler prints a native stack."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    told = list[int]()

    def end(number: int, _: object) -> None:
        told.append(number)
        raise KeyboardInterrupt  # which Ray's own calls let through, and SystemExit not

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        if not told:
            raise
        raise SystemExit(TERMINATED) from None
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _is_joined() -> bool:
    return "ray" in sys.modules and bool(sys.modules["ray"].is_initialized())


def sized(nodes: Sequence[tuple[int, int]], workers: int | None, images: bool, device: str | None) -> Workers:
    """Workers for nodes of (processors, GPUs), so many as asked, or as many as there is room for.

    Raises UsageError where the device is none that workers can have, or so many workers have no room.
    """
    if device not in (None, "cpu", "cuda"):
        raise UsageError(f"--device {device}: workers run on cpu or cuda")
    gpus = sum(gpu for _, gpu in nodes)
    if device == "cuda" and not gpus:
        raise UsageError("--device cuda: the cluster has no GPU")
    if images and gpus and device != "cpu":
        if workers is not None and workers > gpus:
            raise UsageError(f"--workers {workers}: the cluster has {counted(gpus, 'GPU')}, one for each worker")
        cpus = min(cpu // gpu for cpu, gpu in nodes if gpu)
        return Workers(workers or gpus, max(cpus, 1), 1)
    total = sum(cpu for cpu, _ in nodes)
    if workers is not None and workers > total:
        raise UsageError(
            f"--workers {workers}: the cluster has {counted(total, 'processor')}, at least one for each worker"
        )
    most = max(cpu for cpu, _ in nodes)
    if workers is None:
        cpus = min(IMAGE_CPUS, most) if images else 1
        return Workers(_room(nodes, cpus), cpus, 0)
    fitting = (cpus for cpus in range(most, 0, -1) if _room(nodes, cpus) >= workers)
    return Workers(workers, next(fitting) if images else 1, 0)


def _room(nodes: Sequence[tuple[int, int]], cpus: int) -> int:
    return sum(cpu // cpus for cpu, _ in nodes)


def nodes_of(ray: Any) -> list[tuple[int, int]]:
    """(processors, GPUs) of each node that is alive."""
    found = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [(int(node.get("CPU", 0)), int(node.get("GPU", 0))) for node in found]


@contextmanager
def _telling_faults(then: str) -> Iterator[None]:
    """Ray's errors in one line each. Those of taskcodec come through as they are."""
    try:
        yield
    except TaskcodecError:
        raise
    except SystemExit as ended:  # of Ray's own accord, where a part of it was lost
        if ended.code == TERMINATED:
            raise
        raise ProcessError(f"the cluster: Ray ended the command; {then}") from ended
    except Exception as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, TaskcodecError):
            raise cause from None
        if not type(error).__module__.startswith("ray.") and "ray" not in type(error).__mro__[1].__module__:
            raise
        words = " ".join(str(cause or error).split("\n")[0].split())
        raise ProcessError(f"the cluster: {type(error).__name__} ({words}); {then}") from error


@contextmanager
def _without_native_lines() -> Iterator[None]:
    """Ray's native part says on stderr how it logs, past Python, while it starts; its errors come as exceptions."""
    sys.stderr.flush()
    kept = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


class _OwnThread(io.TextIOBase):
    """Standard output for this thread alone: Ray prints there, from threads of its own, what becomes of processes."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._thread = stream, threading.get_ident()

    def write(self, text: str) -> int:
        return int(self._stream.write(text)) if threading.get_ident() == self._thread else len(text)

    def flush(self) -> None:
        self._stream.flush()
