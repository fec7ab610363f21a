"""Features and labels of labelled folders, one .npz each, for `default_sizes.py`.

    python benchmarks/folder_features.py OUT FOLDER ... [--backbone NAME] [--labels FILE.csv:COLUMN] [--name NAME]

Each file holds `x` (n, d) and `y` (n,) of the pictures that can be read, in the order of a store's samples.
"""

import argparse
from pathlib import Path

import numpy as np

from taskcodec.data import open_source, read_labels
from taskcodec.engines.encode.local import Batches
from taskcodec.store import OK
from taskcodec.transforms.backbones import load_backbone


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--backbone", default="lite0")
    parser.add_argument("--labels")
    parser.add_argument("--name", help="of the file, instead of the folder's")
    arguments = parser.parse_args()
    backbone = load_backbone(arguments.backbone)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for folder in arguments.folders:
        source = open_source(folder)
        if arguments.labels is not None:
            source = source.with_labels(read_labels(arguments.labels))
        records, features = Batches(source, backbone).whole()
        labels = [record.label for record in records if record.status == OK]
        known = np.array([label is not None for label in labels])
        x, y = features[known], np.array([str(label) for label in labels])[known]
        np.savez(arguments.out / f"{arguments.name or folder.name}.npz", x=x, y=y)
        print(arguments.name or folder.name, x.shape, len(np.unique(y)))


if __name__ == "__main__":
    main()
