"""The command line: a file a verb; this one has the app, what an error prints and the exit codes."""

import sys
import warnings
from typing import Annotated, Any

import typer

import taskcodec
from taskcodec.cli.exit_codes import INTERRUPTED
from taskcodec.cli.output import printable
from taskcodec.cli.verbs import benchmark, decode, demo, encode, evaluate, features, fit, info, report, train, verify
from taskcodec.cli.verbs.layers import drop, relocate
from taskcodec.cli.verbs.pages import view
from taskcodec.cli.verbs.theory import limits, usable
from taskcodec.errors import TERMINATED, TaskcodecError, UnfinishedWarning, UsageError, missing_package

# typer carries its own copy of click in some versions: take the class that its own errors descend from.
ClickError: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

AGAIN = "; run the same command again to go on"
GOES_ON = {"encode": AGAIN, "benchmark": AGAIN, "train": "; run the same command with --resume to go on"}
"""What a verb that was interrupted says of its resumption."""
app = typer.Typer(
    name="taskcodec",
    help="Compress data for the models that will read it.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
VERBS: dict[Any, Any] = {
    encode: encode.encode,
    fit: fit.fit,
    features: features.features,
    decode: decode.decode,
    info: info.info,
    verify: verify.verify,
    drop: drop.drop,
    relocate: relocate.relocate,
    view: view.view,
    evaluate: evaluate.evaluate,
    benchmark: benchmark.benchmark,
    report: report.report,
    limits: limits.limits,
    usable: usable.usable,
    train: train.train,
    demo: demo.demo,
}
"""In the order in which --help lists them."""
for _module, _verb in VERBS.items():
    app.command(epilog=_module.EXAMPLE)(_verb)


@app.callback(invoke_without_command=True)
def no_verb(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version", is_eager=True)] = False,
) -> None:
    """Compress data for the models that will read it."""
    if version:
        print(taskcodec.__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)


def main() -> None:
    """Entry point: exit 0, 1 on a fault in what was given, 2 on wrong usage; one line of error, never a traceback."""
    warnings.simplefilter("ignore", UnfinishedWarning)  # each verb says or refuses it in its own words
    try:
        if "" in sys.argv[1:]:
            raise UsageError(
                "an empty name among the arguments: a variable that is not set? (the current folder is `.`)"
            )
        code = app(standalone_mode=False)
        if code == INTERRUPTED:
            raise KeyboardInterrupt  # typer turns it into this code without a word
    except UsageError as error:
        code = _fail(str(error), 2)
    except TaskcodecError as error:
        code = _fail(str(error), 1)
    except ClickError as error:
        command = " ".join(["taskcodec", *_verb_named()])  # not all of these errors know theirs
        code = _fail(f"{error.format_message()} (see `{command} --help`)", 2)
    except (KeyboardInterrupt, typer.Abort):
        code = _stopped("interrupted", INTERRUPTED)
    except SystemExit as left:  # Lightning takes SIGTERM to end a training in order
        if left.code != TERMINATED:
            raise
        code = _stopped("terminated", TERMINATED)
    except MemoryError:
        code = _fail("out of memory", 1)
    except ImportError as error:
        code = _fail(missing_package(error), 2)
    except OSError as error:
        code = _fail(f"{error.filename or 'input or output'}: {error.strerror or error}", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _stopped(word: str, code: int) -> int:
    return _fail(word + "".join(GOES_ON.get(verb, "") for verb in _verb_named()), code)


def _verb_named() -> list[str]:
    """The verb of the command line, or none."""
    return [word for word in sys.argv[1:2] if word in {verb.__name__ for verb in VERBS.values()}]


def _fail(message: str, code: int) -> int:
    print(f"taskcodec: {printable(' '.join(message.split()))}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
