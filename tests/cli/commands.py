"""Commands run in the tests' own process, and what they must leave as it was."""

import io
import resource
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace

import pytest
from typer.main import get_command

from taskcodec.cli.main import app, main

COMMAND = get_command(app)
"""The verbs as typer makes them of their functions: once, where each call of the app would make them anew."""


def run(*arguments, code=0):
    """Run a command in this process, as a shell would."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(stdout), redirect_stderr(stderr):
        patch.setattr("sys.argv", ["taskcodec", *map(str, arguments)])
        patch.setattr("taskcodec.cli.main.app", COMMAND)
        patch.setattr("os.fsync", lambda file: None)  # no power is cut here: most of the time it would take
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == code, stderr.getvalue()
    return SimpleNamespace(stdout=stdout.getvalue(), stderr=stderr.getvalue())


def stopped(*arguments, file_bytes):
    """Run a command that stops because no file may grow beyond so many bytes: a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, before[1]))
    try:
        found = run(*arguments, code=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(found.stderr.strip().splitlines()) == 1
    assert found.stderr.startswith("taskcodec: ")
    assert "File too large" in found.stderr
    return found.stderr


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(folder, *arguments, code, says):
    """The command fails with one line that says so, and changes nothing."""
    before = contents(folder)
    found = run(*arguments, code=code)
    assert len(found.stderr.strip().splitlines()) == 1
    for text in says:
        assert text in found.stderr
    assert contents(folder) == before
