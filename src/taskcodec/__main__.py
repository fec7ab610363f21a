"""`python -m taskcodec` is the command `taskcodec`."""

from taskcodec.cli.entry import run

run()
