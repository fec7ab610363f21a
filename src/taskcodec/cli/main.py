"""The command line: each verb parses, calls one function, prints."""

import sys
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

import taskcodec
from taskcodec import load_codec
from taskcodec import open as open_store
from taskcodec.cli import benchmark_verb, demo_verb, evaluate_verb, report_verb, train_verb
from taskcodec.cli.entry import INTERRUPTED
from taskcodec.cli.output import JsonOption, human_bytes, printable, progress_bar, show, times_smaller
from taskcodec.codec import BUNDLED, Codec
from taskcodec.engines.local import Features, Progress
from taskcodec.engines.npy import write_npy
from taskcodec.errors import TERMINATED, SourceError, TaskcodecError, UnfinishedWarning, UsageError, missing_package
from taskcodec.store import Store, StoreInfo
from taskcodec.store.atomic import replacing
from taskcodec.store.backend import is_zip

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
SourceArgument = Annotated[
    str,
    typer.Argument(help="Folder, list (.txt), shards (.zip, .tar), .npy or .parquet (FILE.parquet:COLUMN), or pattern"),
]
StoreArgument = Annotated[str, typer.Argument(help="Store: folder, .zip or URL")]
CodecOption = Annotated[str | None, typer.Option("--codec", help="Codec file, store, or name of a bundled codec")]
BackboneOption = Annotated[
    str | None, typer.Option("--backbone", help="lite0, timm:..., open_clip:..., hf:..., torchvision:..., onnx:FILE")
]
BitsOption = Annotated[float | None, typer.Option("--bits", help="Rate to meet, in bits per sample")]
LabelsOption = Annotated[
    str | None, typer.Option("--labels", help="CSV file of labels, FILE.csv or FILE.csv:COLUMN; default: folder names")
]
TruncatedOption = Annotated[
    str, typer.Option("--truncated", help="keep or skip JPEG files that lack their end, where most of it is there")
]
DeviceOption = Annotated[str | None, typer.Option("--device", help="cpu, cuda, ...; default: CUDA where there is one")]


@app.command(epilog="Example: taskcodec encode photos/ photos.tcz")
def encode(
    source: SourceArgument,
    store: StoreArgument,
    codec: CodecOption = None,
    backbone: BackboneOption = None,
    bits: BitsOption = None,
    quality: Annotated[
        str | None, typer.Option("--quality", help="small, usual or safe, instead of a rate; default: usual")
    ] = None,
    labels: LabelsOption = None,
    fit: Annotated[
        bool, typer.Option("--fit/--no-fit", help="Fit the codec to this source, or take the one that ships with lite0")
    ] = True,
    refit: Annotated[
        bool, typer.Option(help="Refit a codec that is named, or ships, to this source, without labels")
    ] = True,
    append: Annotated[bool, typer.Option("--append", help="Add to a finished store, with its codec")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a store that lies there")] = False,
    chunk: Annotated[int, typer.Option(help="Samples in a chunk", min=1, max=2**20)] = 1024,
    truncated: TruncatedOption = "keep",
    device: DeviceOption = None,
    json_: JsonOption = False,
) -> None:
    """Encode images or features into a store; run the same command again to resume."""
    from taskcodec.engines.encoding import EncodeOptions, encode_job, fitted_here
    from taskcodec.evaluation.shift import ShiftWatch

    watch, notes = ShiftWatch(), list[str]()
    options = EncodeOptions(
        codec, backbone, bits, labels, quality, fit, refit, append, overwrite, chunk, device, truncated
    )
    with progress_bar("encoding") as report:
        result = encode_job(source, store, options, report, watch, notes.append)
    info, shift = result.info(), watch.measure()
    lines = _info_lines(store, info)
    if info.failures:
        reasons = result.failures.select(["id", "status"]).slice(0, 5).to_pylist()
        lines += [f"not coded: {row['id']}: {row['status']}" for row in reasons]
        lines += [f"... and {info.failures - 5} more; see `taskcodec info {store} --failures`"] * (info.failures > 5)
    if shift is not None and shift.warning is not None and not fitted_here(options):
        notes.append(f"warning: {shift.warning}")
    _tell(notes)
    show({**asdict(info), "shift": None if shift is None else asdict(shift)}, json_, lines)


@app.command(epilog="Example: taskcodec fit photos/ -o photos.codec --bits 500")
def fit(
    source: SourceArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="The codec's file")],
    backbone: BackboneOption = None,
    bits: BitsOption = None,
    step: Annotated[float | None, typer.Option("--step", help="Quantization step instead of a rate")] = None,
    tolerance: Annotated[
        float | None,
        typer.Option("--tolerance", help="Cheapest of 8 to 4096 bits that loses at most so many points (needs labels)"),
    ] = None,
    labels: LabelsOption = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="What they are: classification or regression; default: as they look")
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="bottleneck or dimensionwise; default: by the number of samples and the rate")
    ] = None,
    views: Annotated[
        bool, typer.Option("--views", help="Spend few bits on what crops, mirroring and colours change in these images")
    ] = False,
    truncated: TruncatedOption = "keep",
    device: DeviceOption = None,
    json_: JsonOption = False,
) -> None:
    """Fit a codec to a collection, without labels, in closed form."""
    from taskcodec.cli.jobs import fit_job
    from taskcodec.engines.outputs import check_output

    check_output(source, output, "codec")
    notes = list[str]()
    with progress_bar("fitting") as report:
        codec = fit_job(
            source,
            backbone,
            bits,
            step,
            tolerance,
            labels,
            kind,
            method,
            views,
            device,
            report,
            notes.append,
            truncated,
        )
    _tell(notes)
    codec.save(output)
    show(_codec_info(str(output), codec), json_, _codec_lines(str(output), codec))


@app.command(epilog="Example: taskcodec features photos/ -o photos.npy")
def features(
    source: SourceArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="A .npy file")],
    backbone: BackboneOption = None,
    truncated: TruncatedOption = "keep",
    device: DeviceOption = None,
    json_: JsonOption = False,
) -> None:
    """Write the uncompressed features, in the order of a store's samples."""
    from taskcodec.engines.outputs import check_output
    from taskcodec.engines.sources import features_job

    if output.suffix.lower() != ".npy":
        raise UsageError(f"{output}: features are written to a .npy file")
    check_output(source, output, "npy")
    notes = list[str]()
    with progress_bar("features") as report:
        rows, failures = features_job(source, output, backbone, device, report, notes.append, truncated)
    _tell(notes)
    lines = [f"{output}: {rows} rows"]
    lines += [f"not read: {record.id}: {record.status}" for record in failures[:5]]
    show({"rows": rows, "failures": [asdict(record) for record in failures]}, json_, lines)


@app.command(epilog="Example: taskcodec decode photos.tcz -o photos.npy")
def decode(
    store: StoreArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="A .npy or .parquet file")],
    json_: JsonOption = False,
) -> None:
    """Decode a store to features."""
    from taskcodec.engines.outputs import check_output

    opened = open_store(store)
    if opened.manifest.state != "complete":
        raise SourceError(f"{store}: unfinished; run the same encode command again to resume it")
    kind = output.suffix[1:].lower()
    if kind not in ("npy", "parquet"):
        raise UsageError(f"{output}: features are written to a .npy or a .parquet file")
    check_output(store, output, kind)
    with progress_bar("decoding") as report:
        if kind == "npy":
            with replacing(output) as temporary:
                write_npy(temporary, _reported(opened, report), opened.manifest.dimension)
        else:
            opened.to_parquet(output)
    result = {"samples": len(opened), "dimension": opened.manifest.dimension, "output": str(output)}
    show(result, json_, [f"{output}: {len(opened)} x {opened.manifest.dimension} features"])


@app.command(epilog="Example: taskcodec info photos.tcz --json")
def info(
    place: Annotated[str, typer.Argument(help="Store or codec")],
    failures: Annotated[
        bool, typer.Option("--failures", help="List the samples that could not be coded, and notes on those that were")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Print counts, sizes and rates of a store, or what a codec is."""
    if _is_codec(place):
        if failures:
            raise UsageError(f"--failures: {place} is a codec, and has no samples; name a store, or leave it out")
        codec = load_codec(place)
        show(_codec_info(place, codec), json_, _codec_lines(place, codec))
        return
    store = open_store(place)
    found = store.info()
    content: dict[str, Any] = {"kind": "store", **asdict(found), "codec_fingerprint": found.fingerprint}
    lines = _info_lines(place, found)
    if failures:
        rows = store.failures.select(["id", "status"]).to_pylist()
        content["failed"] = rows
        lines += [f"not coded: {row['id']}: {row['status']}" for row in rows]
        content["noted"] = [row for row in store.samples.select(["id", "note"]).to_pylist() if row["note"] is not None]
        lines += [f"coded, with {row['note']}: {row['id']}" for row in content["noted"]]
    show(content, json_, lines)


@app.command(epilog="Example: taskcodec verify photos.tcz")
def verify(place: Annotated[str, typer.Argument(help="Store or codec")], json_: JsonOption = False) -> None:
    """Check every byte that is read; exit code 0 only if all are sound."""
    if _is_codec(place):
        load_codec(place)
        faults: list[str] = []
    else:
        faults = open_store(place).verify()
    show({"sound": not faults, "faults": faults}, json_, faults or [f"{place}: sound"])
    if faults:
        raise typer.Exit(1)


app.command(epilog=evaluate_verb.EXAMPLE)(evaluate_verb.evaluate)
app.command(epilog=benchmark_verb.EXAMPLE)(benchmark_verb.benchmark)
app.command(epilog=report_verb.EXAMPLE)(report_verb.report)
app.command(epilog=train_verb.EXAMPLE)(train_verb.train)
app.command(epilog=demo_verb.EXAMPLE)(demo_verb.demo)


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
        code = _fail(f"{error.format_message()} (see `taskcodec --help`)", 2)
    except (KeyboardInterrupt, typer.Abort):
        code = _stopped("interrupted", INTERRUPTED)
    except SystemExit as left:  # Lightning takes SIGTERM to end a training in order
        if left.code != TERMINATED:
            raise
        code = _stopped("terminated", TERMINATED)
    except MemoryError:
        code = _fail("out of memory", 1)
    except ImportError as error:
        code = _fail(missing_package(error), 1)
    except OSError as error:
        code = _fail(f"{error.filename or 'input or output'}: {error.strerror or error}", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _stopped(word: str, code: int) -> int:
    return _fail(word + GOES_ON.get("".join(sys.argv[1:2]), ""), code)


def _fail(message: str, code: int) -> int:
    print(f"taskcodec: {printable(' '.join(message.split()))}", file=sys.stderr)
    return code


def _tell(notes: list[str]) -> None:
    for note in notes:
        print(f"taskcodec: {printable(note)}", file=sys.stderr)


def _is_codec(place: str) -> bool:
    path = Path(place)
    if place in BUNDLED and not path.exists():
        return True
    if not path.is_file() or path.suffix.lower() == ".zip":
        return False
    return not is_zip(path)


def _reported(store: Store, report: Progress) -> Iterator[Features]:
    done = 0
    for batch in store.batches():
        yield batch
        done += len(batch)
        report(done, len(store))


def _codec_info(place: str, codec: Codec) -> dict[str, Any]:
    return {
        "kind": "codec",
        "path": place,
        "fingerprint": codec.fingerprint,
        "codec_fingerprint": codec.fingerprint,
        "dimension": codec.dimension,
        "columns": codec.columns,
        "step": codec.step,
        "bytes": len(codec.to_bytes()),
        "backbone": None if codec.backbone is None else codec.backbone.name,
        "provenance": dict(codec.provenance),
    }


def _codec_lines(place: str, codec: Codec) -> list[str]:
    content = _codec_info(place, codec)
    g_a = codec.g_a
    own = None if g_a is None else f"its own {g_a.name}, of {'images' if codec.inputs is None else 'vectors'}"
    backbone = ", then ".join(filter(None, (content["backbone"], own))) or "none (features are given)"
    lines = [
        f"codec {place}: {content['dimension']} features -> {content['columns']} symbols, step {codec.step:.4g}",
        f"  backbone     {backbone}",
        f"  size         {human_bytes(content['bytes'])}",
        f"  fingerprint  {codec.fingerprint}",
    ]
    return lines + [f"  {key:<12} {_plain(value)}" for key, value in codec.provenance.items()]


def _plain(value: Any) -> str:
    """A value of a codec's record as one line for people."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items())
    return str(value)


def _info_lines(place: str, info: StoreInfo) -> list[str]:
    rate = ", ".join(filter(None, (f"{info.bits_per_sample:.1f} bits a sample", times_smaller(info.ratio))))
    return [
        f"{place}: {info.samples} samples, {info.failures} not coded" + (" (unfinished)" * (info.state != "complete")),
        f"  source   {human_bytes(info.source_bytes):>10}",
        f"  codes    {human_bytes(info.code_bytes):>10}   {rate}",
        f"  codec    {human_bytes(info.codec_bytes):>10}   {_codec_words(info)}",
        f"  store    {human_bytes(info.store_bytes):>10}   {times_smaller(info.store_ratio)}",
    ]


def _codec_words(info: StoreInfo) -> str:
    """What the codec is and keeps, where it was measured."""
    words = f"{info.fingerprint[:12]}, fitted here" if info.fitted else info.fingerprint[:12]
    if info.variance_kept is None or info.cosine is None:
        return words
    return f"{words}: keeps {max(info.variance_kept, 0):.0%} of the variance of like samples, cosine {info.cosine:.3f}"


if __name__ == "__main__":
    main()
