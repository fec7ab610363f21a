"""An encode stopped at any of its files."""

import itertools
import os

from taskcodec.engines.encode.execute import encode_job
from taskcodec.errors import TaskcodecError
from taskcodec.store import Store


class Killed(BaseException):
    """Like SIGKILL, nothing catches it."""


def killed_at(moment, monkeypatch, *arguments):
    """Whether a run came to its `moment`-th file, and was stopped just before that file got its name."""
    count, replace = itertools.count(), os.replace

    def stop(source, target):
        if next(count) == moment:
            raise Killed
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", stop)
        patch.setattr("os.fsync", lambda file: None)
        try:
            encode_job(*arguments)
        except Killed:
            return True
    return False


def committed(place):
    """How many samples a store that was stopped holds."""
    try:
        return len(Store(place))
    except TaskcodecError:  # stopped before its first commit
        return 0
