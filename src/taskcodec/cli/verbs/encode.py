"""`taskcodec encode`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from taskcodec.cli.describe import info_lines
from taskcodec.cli.options import (
    BackboneOption,
    CodecOption,
    DeviceOption,
    EffortOption,
    EngineOption,
    LabelsOption,
    SourceArgument,
    StoreArgument,
    TruncatedOption,
    WorkersOption,
)
from taskcodec.cli.output import JsonOption, progress_bar, show, tell
from taskcodec.errors import UsageError

if TYPE_CHECKING:
    from taskcodec.store import Store

EXAMPLE = "Example: taskcodec encode photos/ photos.tcz"
TOLD, LISTED = 5, 100
"""How many of the samples that could not be coded are named, for people and in JSON; `info --failures` names all."""


def encode(
    source: SourceArgument,
    store: StoreArgument,
    codec: CodecOption = None,
    backbone: BackboneOption = None,
    bits: Annotated[
        str | None, typer.Option("--bits", help="Rate to meet, in bits per sample; layers of pictures: NAME=BITS,...")
    ] = None,
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
    chunk: Annotated[
        int | None, typer.Option(help="Samples in a chunk; default: 1024, of pictures 64", min=1, max=2**20)
    ] = None,
    truncated: TruncatedOption = "keep",
    layers: Annotated[
        str | None, typer.Option("--layers", help="features,picture[:BYTES],original: what to keep; default: features")
    ] = None,
    effort: EffortOption = 1,
    device: DeviceOption = None,
    engine: EngineOption = "local",
    workers: WorkersOption = None,
    json_: JsonOption = False,
) -> None:
    """Encode images or features into a store; run the same command again to resume."""
    from taskcodec.data.tabular.files import is_table
    from taskcodec.engines.choose import encode_with
    from taskcodec.engines.encode.decide import EncodeOptions
    from taskcodec.engines.encode.sources import rates_in

    options = EncodeOptions(
        codec, backbone, rates_in(bits), labels, quality, fit, refit, append, overwrite,
        chunk, device, truncated, layers, effort,
    )  # fmt: skip
    if codec is not None and is_table(source):
        from taskcodec.api.tables import encode_table, is_table_codec
        from taskcodec.loading import load_codec

        if is_table_codec(named := load_codec(codec)):
            if options != EncodeOptions(codec, chunk_rows=chunk) or (engine, workers) != ("local", None):
                raise UsageError("a table takes --codec and --chunk alone: its rows come back as they are")
            info = encode_table(source, store, named, *(() if chunk is None else (chunk,))).info()
            show(asdict(info), json_, info_lines(store, info))
            return
    with progress_bar("encoding") as report:
        found = encode_with(engine, workers, source, store, options, report)
    info, shift = found.store.info(found.places), found.shift
    lines = info_lines(store, info)
    failed = _failed(found.store, info.failures)
    lines += [f"not coded: {row['id']}: {row['status']}" for row in failed[:TOLD]]
    lines += [f"... and {info.failures - TOLD} more; see `taskcodec info {store} --failures`"] * (info.failures > TOLD)
    tell(found.notes)
    show({**asdict(info), "failed": failed, "shift": None if shift is None else asdict(shift)}, json_, lines)


def _failed(store: "Store", failures: int) -> list[dict[str, str]]:
    """The id and the status of the first samples that could not be coded."""
    return store.failures.select(["id", "status"]).slice(0, LISTED).to_pylist() if failures else []
