"""What shells know a command's end by, beyond 0, 1 and 2."""

INTERRUPTED = 130
"""Ctrl-C ended it."""
BROKEN_PIPE = 141
"""Its reader went away."""
UNFINISHED = 75
"""`train --minutes` stopped it: "try again" in sysexits.h. There is no codec yet."""
