"""`taskcodec features`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from taskcodec.cli.options import BackboneOption, DeviceOption, SourceArgument, TruncatedOption
from taskcodec.cli.output import JsonOption, progress_bar, show, tell
from taskcodec.words import counted

EXAMPLE = "Example: taskcodec features photos/ -o photos.npy"


def features(
    source: SourceArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="A .npy file")],
    backbone: BackboneOption = None,
    truncated: TruncatedOption = "keep",
    device: DeviceOption = None,
    json_: JsonOption = False,
) -> None:
    """Write the uncompressed features, in the order of a store's samples."""
    from taskcodec.api.features import features_to_file

    with progress_bar("features") as report:
        found = features_to_file(source, output, backbone=backbone, truncated=truncated, device=device, progress=report)
    tell(found.notes)
    lines = [f"{output}: {counted(found.rows, 'row')}"]
    lines += [f"not read: {record.id}: {record.status}" for record in found.failures[:5]]
    show({"rows": found.rows, "failures": [asdict(record) for record in found.failures]}, json_, lines)
