"""`taskcodec info`."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from taskcodec.cli.describe import codec_info, codec_lines, decoding_costs, info_lines, is_codec
from taskcodec.cli.options import ElsewhereOption
from taskcodec.cli.output import JsonOption, show
from taskcodec.errors import UsageError

EXAMPLE = "Example: taskcodec info photos.tcz --json"


def info(
    place: Annotated[str, typer.Argument(help="Store or codec")],
    failures: Annotated[
        bool, typer.Option("--failures", help="List the samples that could not be coded, and notes on those that were")
    ] = False,
    elsewhere: ElsewhereOption = None,
    json_: JsonOption = False,
) -> None:
    """Print counts, sizes and rates of a store, or what a codec is."""
    from taskcodec import load_codec
    from taskcodec import open as open_store

    if is_codec(place):
        if failures:
            raise UsageError(f"--failures: {place} is a codec, and has no samples; name a store, or leave it out")
        codec = load_codec(place)
        show(codec_info(place, codec), json_, codec_lines(place, codec))
        return
    store = open_store(place)
    found = store.info(elsewhere or ())
    content: dict[str, Any] = {"kind": "store", **asdict(found), "codec_fingerprint": found.fingerprint}
    costs = decoding_costs(store.codec) if store.manifest.of_pictures else {}
    if costs:
        content["macs_per_pixel"] = costs
    lines = info_lines(place, found, costs)
    if failures:
        rows = store.failures.select(["id", "status"]).to_pylist()
        content["failed"] = rows
        lines += [f"not coded: {row['id']}: {row['status']}" for row in rows]
        if rows and "original" in found.layers:
            lines.append("their files as well are in the layer original, where they could be read at all")
        content["noted"] = [row for row in store.samples.select(["id", "note"]).to_pylist() if row["note"] is not None]
        lines += [f"coded, with {row['note']}: {row['id']}" for row in content["noted"]]
    show(content, json_, lines)
