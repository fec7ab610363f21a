"""Rebuild the codec that the package carries for `lite0`.

    python benchmarks/build_lite0_codec.py IMAGES [-o src/taskcodec/bundled]

IMAGES is a folder with the 1,000 photographs of imagenet_sample_1000 (one per ImageNet class). No labels are used.
The same images, weights and versions give the same file.
"""

import argparse
from pathlib import Path

from taskcodec.data import open_source
from taskcodec.engines.encode.local import Batches, sample_features
from taskcodec.fitting import fit
from taskcodec.transforms.backbones import load_backbone


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("src/taskcodec/bundled"))
    arguments = parser.parse_args()
    backbone = load_backbone("lite0")
    source = open_source(arguments.images)
    features = sample_features(Batches(source, backbone), len(source))
    codec = fit(
        features, method="dimensionwise", backbone=backbone.spec, provenance={"fitted_on": "imagenet_sample_1000"}
    )
    arguments.output.mkdir(parents=True, exist_ok=True)
    file = arguments.output / "lite0.codec"
    codec.save(file)
    print(f"{file}: {file.stat().st_size} bytes, step {codec.base.quantizer.step:.4f}, {codec.fingerprint[:12]}")


if __name__ == "__main__":
    main()
