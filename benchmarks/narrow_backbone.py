"""How far features of the default backbone move when it computes in 8 or 16 bits.

    python -m benchmarks.narrow_backbone FOLDER [FOLDER ...] [-o benchmarks/results/narrow_backbone.json]

Of 64 pictures a folder, spread evenly, the cosine of each one's features with those in float32. bfloat16 is computed as
a machine with AMX does it. int8 is what post-training quantization does at its best, worked out in float32: weights a
channel, inputs of each convolution a tensor, whose ranges are those of 64 other pictures of the same folder; "weights"
leaves the inputs as they are. A path is worth building where the worst cosine is .999.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from benchmarks.stamp import stamp

from taskcodec.samples import preprocessed
from taskcodec.transforms.backbones.lite import ConvSame, load

PICTURES, LEVELS = 64, 255


def pixels(folder, preprocessing):
    """Two lots of pictures that take turns: to measure, and to set ranges."""
    found = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    kept = [found[i] for i in np.linspace(0, len(found) - 1, 2 * PICTURES).astype(int)]
    batch = torch.from_numpy(np.stack([preprocessed(path, preprocessing) for path in kept])).permute(0, 3, 1, 2).float()
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) * 255 for value in (preprocessing.mean, preprocessing.std))
    return batch[::2].sub(mean).div(std), batch[1::2].sub(mean).div(std)


def rounded_weights(weight):
    """To 255 levels a channel, symmetric."""
    scale = weight.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-12) / 127
    return (weight / scale).round() * scale


def with_int8(network, calibration, inputs):
    """Round the weights for good, and with `inputs` what each convolution reads from now on."""
    ranges, hooks = {}, []
    convolutions = [module for module in network.modules() if isinstance(module, ConvSame)]

    def watch(module, given):
        low, high = given[0].min().item(), given[0].max().item()
        before = ranges.get(module, (0.0, 0.0))
        ranges[module] = min(low, before[0]), max(high, before[1])

    def narrow(module, given):
        low, high = ranges[module]
        scale = max(high - low, 1e-12) / LEVELS
        return ((given[0].clamp(low, high) - low).div(scale).round().mul(scale).add(low),)

    hooks = [module.register_forward_pre_hook(watch) for module in convolutions]
    network(calibration)
    for hook in hooks:
        hook.remove()
    for module in convolutions:
        module.weight.data.copy_(rounded_weights(module.weight.data))
        if inputs:
            module.register_forward_pre_hook(narrow)


def features(way, measured, calibration):
    network = load("cpu").network
    for module in network.modules():
        module.direct = way != "bfloat16"  # what oneDNN is called for directly is not autocast
    if way == "bfloat16":
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return network(measured).float()
    if way != "float32":
        with_int8(network, calibration, inputs=way == "int8")
    return network(measured)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for folder in arguments.folders:
        lots = pixels(folder, load("cpu").preprocess)
        with torch.inference_mode():
            wide = features("float32", *lots)
            for way in ("bfloat16", "int8 weights", "int8"):
                cosine = torch.cosine_similarity(features(way, *lots), wide).numpy()
                rows.append(
                    {
                        "set": Path(folder).name,
                        "way": way,
                        "worst": float(cosine.min()),
                        "median": float(np.median(cosine)),
                    }
                )
                print("{set:<28}{way:<14}worst {worst:.4f}  median {median:.4f}".format(**rows[-1]), file=sys.stderr)
    result = {"rows": rows, "pictures": PICTURES, **stamp("torch", "numpy", seed=0)}
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
