"""Where the command begins, before its libraries are loaded: Ctrl-C gets one line from the first moment."""

import sys

from taskcodec.cli.exit_codes import INTERRUPTED


def run() -> None:
    """Load the command line and run it; see `taskcodec.cli.main.main`."""
    try:
        from taskcodec.cli.main import main
    except KeyboardInterrupt:
        print("taskcodec: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    main()
