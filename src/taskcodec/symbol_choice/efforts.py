"""Efforts: how much time encoding may take, from 1, the least, to 9."""

from taskcodec.errors import UsageError, check_kind, shortened

EFFORTS = range(1, 10)


def check_effort(effort: int) -> None:
    """Raise UsageError on an effort that is none."""
    check_kind("--effort", effort, int, "a whole number from 1 to 9")
    if isinstance(effort, bool) or effort not in EFFORTS:
        raise UsageError(f"--effort must be from {EFFORTS[0]} to {EFFORTS[-1]}, found {shortened(effort)}")
