"""Arguments and options that several verbs take."""

from typing import Annotated

import typer

SourceArgument = Annotated[
    str,
    typer.Argument(help="Folder, list (.txt), shards (.zip, .tar), .npy or .parquet (FILE.parquet:COLUMN), or pattern"),
]
StoreArgument = Annotated[str, typer.Argument(help="Store: folder, .zip or URL")]
ElsewhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--elsewhere",
        envvar="TASKCODEC_ELSEWHERE",
        help="Folder or URL outside the store: a layer that the store says lies there is read there",
    ),
]
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
EffortOption = Annotated[
    int, typer.Option("--effort", help="1 to 9: more time when encoding, fewer bits for the same loss", min=1, max=9)
]
GroupsOption = Annotated[
    str | None, typer.Option("--groups", help="FILE.csv:COLUMN; samples of one value stay together")
]
SplitOption = Annotated[str, typer.Option("--split", help="auto, folders (train/, test/) or folds")]
FoldsOption = Annotated[int, typer.Option("--folds", help="Parts that a set is split into", min=2, max=100)]
RepeatsOption = Annotated[int, typer.Option("--repeats", help="Times it is split", min=1, max=100)]
SeedOption = Annotated[int, typer.Option("--seed", help="Of the splits and intervals", min=0, max=2**31)]
DeviceOption = Annotated[str | None, typer.Option("--device", help="cpu, cuda, ...; default: CUDA where there is one")]
EngineOption = Annotated[
    str,
    typer.Option("--engine", help="local, or ray[:ADDRESS]: the workers of a Ray cluster, or of one started here"),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", help="Workers of the cluster; default: as many as it has room for", min=1)
]
