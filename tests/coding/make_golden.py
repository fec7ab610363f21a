"""Make the golden bitstreams that are missing; those that are there must decode alike for ever.

Symbols and counts come from integer arithmetic only, so that nothing here depends on a machine's floats.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from taskcodec.codec import Codec
from taskcodec.coding import (
    ConditionalTables,
    DependentTables,
    Group,
    IntegerNetwork,
    Linear,
    SharedTables,
    Tables,
    encode_block,
    encode_sample,
)
from taskcodec.coding.picture import encode_layer
from taskcodec.coding.trellis import Trellis
from taskcodec.layer import BASE, Layer
from taskcodec.quantization.dependent import DependentQuantizer
from taskcodec.quantization.uniform import Runs, UniformQuantizer
from taskcodec.store import SampleRecord, StoreWriter
from taskcodec.transforms.affine import AffineTransform
from taskcodec.transforms.axes import Axes
from taskcodec.transforms.residual import Residual
from tests.coding.golden_overfitted import golden_overfitted_codec, golden_overfitted_packet
from tests.coding.golden_pictures import (
    golden_blocks_codec,
    golden_grain_codec,
    golden_picture_codec,
    golden_picture_packet,
    golden_preview_codec,
    write_pictures,
)
from tests.coding.golden_spatial import golden_spatial

FOLDER = Path(__file__).parent / "golden"


def golden_symbols(rows, columns, seed):
    """(rows, columns) int32: differences of a linear congruential sequence, peaked at zero, with a few far outliers."""
    state, values = seed, []
    for _ in range(rows * columns):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        a, b, c = (state >> 20) % 7, (state >> 33) % 7, (state >> 45) % 500
        values.append((a - b) * (1 + ((state >> 51) % 5 == 0)) + (1_000_003 * (a - 3) if c == 0 else 0))
    return np.array(values, dtype=np.int64).astype(np.int32).reshape(rows, columns)


def golden_tables(columns):
    """Triangular tables of different widths, in integers."""
    first, sizes, counts = [], [], []
    for j in range(columns):
        width = 2 + j % 6
        weights = [width + 1 - abs(s) for s in range(-width, width + 1)] + [1]
        total = sum(weights)
        column = [max(1, w * (65536 - len(weights)) // total) for w in weights]
        column[width] += 65536 - sum(column)
        first.append(-width)
        sizes.append(2 * width + 1)
        counts += column
    return Tables(np.array(first, np.int32), np.array(sizes, np.int32), np.array(counts, np.uint32))


def golden_network(inputs, outputs, shift, seed):
    """One hidden layer of 6, weights from the same sequence as the symbols."""
    values = golden_symbols(1, 6 * inputs + 6 + outputs * (6 + inputs) + outputs, seed)[0].astype(np.int64) % 23 - 11
    a, b, c = 6 * inputs, 6 * inputs + 6, len(values) - outputs
    return IntegerNetwork(
        inputs=inputs,
        clip=20,
        cap=500,
        hidden=(Linear(values[:a].reshape(6, inputs), 9 * values[a:b], 1),),
        output=Linear(values[b:c].reshape(outputs, 6 + inputs), 99 * values[c:], shift),
    )


def golden_conditional():
    """Side information of 4 columns, 16 columns with a scale index, 20 more with an index and a mean in quarters."""
    bank = golden_tables(4 + 5 + 6 * 4)
    groups = (
        Group(4),
        Group(16, 4, golden_network(4, 16, 6, 3), levels=5),
        Group(20, 9, golden_network(20, 40, 7, 4), levels=6, fraction_bits=2),
    )
    return ConditionalTables(bank, groups, side=golden_network(36, 4, 8, 5))


def golden_latents():
    """(1, 6, 5, 7) symbols of a latent, and (1, 2, 5, 7) of a layer below it."""
    return golden_symbols(6, 35, 61).reshape(1, 6, 5, 7), golden_symbols(2, 35, 62).reshape(1, 2, 5, 7)


def golden_points(tables):
    """Shifts of sixteenths, exact in float16."""
    return (np.concatenate([np.arange(size) % 5 - 2 for size in tables.sizes]) / 16).astype(np.float32)


def golden_codec(columns):
    """Version 1. Halving steps, shifts of sixteenths: every number in it is exact in float16."""
    tables = golden_tables(columns)
    transform = AffineTransform(
        companding="identity",
        centre=(np.arange(columns) / 4).astype(np.float32),
        scale=np.array([2.0 ** (j % 3 - 1) for j in range(columns)], np.float32),
    )
    quantizer = UniformQuantizer(0.5, 0.5, golden_points(tables), Runs.of(tables, columns))
    base = Layer(BASE, transform, quantizer, tables, np.empty((0, columns), np.float32))
    return Codec.of_layer(base, provenance={"made by": "tests/coding/make_golden.py"})


def golden_conditional_codec():
    """Version 2: the same with conditional tables, 4 columns of side information before 36 of the latent."""
    plain = golden_codec(36)
    return plain.with_base(replace(plain.base, model=golden_conditional()))


def golden_axes():
    """10 axes in 24 dimensions, of steps of 1/8 to 1/64, nearly apart; one number is beyond the longest table."""
    integers = golden_symbols(24, 10, 7) % 5 - 2 + 40 * np.eye(24, 10, dtype=np.int64)
    integers[3, 3] = 5000
    return Axes(integers.astype(np.int32), (-3 - np.arange(10) % 4).astype(np.int8))


def golden_axes_codec():
    """Version 3, with axes: a centre that 16 bits hold, and no scales."""
    transform = AffineTransform(
        companding="identity",
        centre=(np.arange(24) / 4).astype(np.float32),
        scale=np.ones(10, np.float32),
        axes=golden_axes(),
    )
    plain = golden_codec(10)
    return plain.with_base(replace(plain.base, transform=transform))


def golden_shared_codec():
    """Version 3: 40 columns share six tables, a centre that takes 32 bits, scales, features of norm 1."""
    plain, shares = golden_codec(40), SharedTables(golden_tables(6), np.arange(40, dtype=np.int32) % 6)
    centre = (plain.base.transform.centre + 2.0**-12).astype(np.float32)
    transform = replace(plain.base.transform, centre=centre, unit_norm=True)
    return plain.with_base(replace(plain.base, transform=transform, model=shares))


def golden_dependent_codec(states):
    """Version 6: a dependent quantizer of steps of a half, and tables of 40 columns; of 4 states they share six."""
    tables, plain = golden_tables(40), golden_codec(40)
    first = SharedTables(golden_tables(6), np.arange(40, dtype=np.int32) % 6) if states == 4 else tables
    zeros = (5000 + 700 * np.arange(6 if states == 4 else 40) % 9000).astype(np.uint16)
    model = DependentTables(first, zeros, Trellis(states))
    quantizer = DependentQuantizer(0.5, 0.25, Trellis(states), 40)
    return plain.with_base(replace(plain.base, quantizer=quantizer, model=model))


def golden_dependent_features(symbols, states):
    """What they decode symbols to, in integers: the machine of shift registers, bit by bit."""
    own, other = {4: (0o5, 0o2), 8: (0o13, 0o4), 256: (0o515, 0o362)}[states]
    points = np.empty(symbols.shape, np.int64)
    for row, symbols_of_it in zip(points, symbols.tolist(), strict=True):
        state = 0
        for j, symbol in enumerate(symbols_of_it):
            second = state & 1
            row[j] = 2 * symbol - second * ((symbol > 0) - (symbol < 0))
            state = (state >> 1) ^ (own >> 1 if second else 0) ^ (other >> 1 if symbol % 2 else 0)
    columns = np.arange(symbols.shape[1])
    return (16 * points * 2 ** (columns % 3) + 16 * columns) / 64


def golden_layers():
    """Version 4: a base, what it leaves by tables that follow from it, and likewise by tables of its own."""
    base, bank = golden_codec(12).base, golden_tables(5)
    affine = replace(base.transform, centre=np.zeros(12, np.float32), scale=np.ones(12, np.float32))
    groups = (Group(12, 0, golden_network(12, 12, 6, 3), levels=5),)
    model = ConditionalTables(bank, groups, given_columns=12)
    fine = UniformQuantizer.unshifted(0.0625, 0.5, None, 12)
    detail = Layer("detail", Residual(affine), fine, model, base.sketch, ("base",))
    plain = UniformQuantizer.unshifted(0.25, 0.5, golden_tables(12), 12)
    other = Layer("other", Residual(affine), plain, golden_tables(12), base.sketch, ("base",))
    return replace(golden_codec(12), layers=(base, detail, other))


def golden_layers_symbols(rows):
    """(rows, 36) symbols: the base, detail and other."""
    return np.concatenate([golden_symbols(rows, 12, seed) for seed in (22, 23, 24)], axis=1)


def golden_layers_features(symbols):
    """What they stand for, by the names of layers."""
    base = golden_features(symbols[:, :12])
    return {"base": base, "detail": base + symbols[:, 12:24] / 16, "other": base + symbols[:, 24:] / 4}


def golden_latent(symbols):
    """What quantized symbols stand for, in integers: 32nds."""
    symbols, tables = symbols.astype(np.int64), golden_tables(symbols.shape[1])
    slots = symbols - tables.first
    inside = (slots >= 0) & (slots < tables.sizes)
    return 16 * symbols + np.where(inside, slots % 5 - 2, 0)


def golden_features(symbols):
    """What the golden codec decodes symbols to, in integers: 64ths, exact in float32 up to 2**24 of them."""
    columns = np.arange(symbols.shape[1])
    return (golden_latent(symbols) * 2 ** (columns % 3) + 16 * columns) / 64


def golden_axes_features(symbols):
    """What the codec with axes decodes symbols to, in integers: 2048ths."""
    axes = golden_axes()
    return (golden_latent(symbols) @ (axes.integers * 2 ** (axes.exponents + 6)).T + 512 * np.arange(24)) / 2048


def golden_shared_features(symbols):
    """What the codec with shared tables decodes symbols to, in double precision."""
    features = golden_features(symbols) + 2.0**-12
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def golden_records(rows):
    """Records of so many samples, and one that failed."""
    records = [SampleRecord(f"s/{i}.png", i, 1000 + i, 8, 9, "abc"[i % 3]) for i in range(rows)]
    return [*records, SampleRecord("s/broken.png", rows, 5, status="not an image")]


def write_store(place, codec, symbols):
    """Samples in chunks of 128."""
    with StoreWriter.create(place, codec, chunk_rows=128, source={"kind": "golden"}) as writer:
        writer.append(symbols, golden_records(len(symbols)))
        writer.finish()


def write_unfinished(place, codec, symbols):
    """The same, stopped before its end: two chunks are committed."""
    with StoreWriter.create(place, codec, chunk_rows=128, source={"kind": "golden"}) as writer:
        writer.append(symbols, golden_records(len(symbols)))


def golden_kinds():
    """By the name of their file: codecs, symbols of 150 samples, and the features that these stand for."""
    conditional = golden_conditional_codec()
    latent, ten, forty = (golden_symbols(150, columns, 10 + columns) for columns in (36, 10, 40))
    return {
        "conditional": (conditional, conditional.base.model.with_side(latent), golden_features(latent)),
        "axes": (golden_axes_codec(), ten, golden_axes_features(ten)),
        "shared": (golden_shared_codec(), forty, golden_shared_features(forty)),
        "dependent": (golden_dependent_codec(8), forty, golden_dependent_features(forty, 8)),
        "dependent_shared": (golden_dependent_codec(4), forty, golden_dependent_features(forty, 4)),
    }


def main():
    from tests.coding.golden_lossless import PICTURES, golden_lossless, write_lossless  # which use what is here

    FOLDER.mkdir(exist_ok=True)
    tables, conditional = golden_tables(40), golden_conditional()
    symbols = conditional.with_side(golden_symbols(300, 36, 6))
    spatial, (picture, below) = golden_spatial(golden_symbols, golden_tables), golden_latents()
    wanted = {
        "golden.codec": golden_codec(40).to_bytes(),
        "tables.bin": tables.to_bytes(),
        "block.bin": encode_block(golden_symbols(300, 40, 1), tables),
        "sample.bin": encode_sample(golden_symbols(1, 40, 2)[0], tables),
        "conditional_tables.bin": conditional.to_bytes(),
        "conditional_block.bin": encode_block(symbols, conditional),
        "conditional_sample.bin": encode_sample(symbols[7], conditional),
        "spatial_tables.bin": spatial.to_bytes(),
        "spatial_layer.bin": encode_layer(picture, spatial, (below,), (70, 100)),
    }
    stores = {"golden.tcz": (golden_codec(40), golden_symbols(300, 40, 1))}
    for name, (codec, own, _) in golden_kinds().items():
        wanted[f"{name}.codec"], stores[f"{name}.tcz"] = codec.to_bytes(), (codec, own)
    layers = golden_layers()
    wanted["layers.codec"], stores["layers.tcz"] = layers.to_bytes(), (layers, golden_layers_symbols(150))
    stores["segments.tcz"], stores["layers_segments.tcz"] = stores["golden.tcz"], stores["layers.tcz"]
    wanted["layers_packet.bin"] = layers.packets(golden_layers_symbols(1))[0]
    pictures = golden_picture_codec(golden_symbols, golden_tables)
    wanted["pictures.codec"] = pictures.to_bytes()
    wanted["preview.codec"] = golden_preview_codec(golden_symbols, golden_tables).to_bytes()
    wanted["blocks.codec"] = golden_blocks_codec(golden_symbols, golden_tables).to_bytes()
    wanted["grain.codec"] = golden_grain_codec(golden_symbols, golden_tables).to_bytes()
    wanted["pictures_packet.bin"] = golden_picture_packet(pictures, golden_symbols, 2)
    overfitted = golden_overfitted_codec(golden_symbols, golden_tables)
    wanted["overfitted.codec"] = overfitted.to_bytes()
    wanted["overfitted_packet.bin"] = golden_overfitted_packet(overfitted, golden_symbols, (13, 30))
    for name in PICTURES:
        wanted[f"lossless_{name}.codec"] = golden_lossless(name)[0].to_bytes()
    for name, data in wanted.items():
        if not (FOLDER / name).exists():
            (FOLDER / name).write_bytes(data)
    for name, (codec, own) in stores.items():
        if not (FOLDER / name).exists():
            write_store(FOLDER / name, codec, own)
    if not (FOLDER / "pictures.tcz").exists():
        write_pictures(FOLDER / "pictures.tcz", pictures, golden_symbols, golden_records)
    for name in PICTURES:
        if not (FOLDER / f"lossless_{name}.tcz").exists():
            write_lossless(FOLDER / f"lossless_{name}.tcz", name)
    if not (FOLDER / "unfinished.tcz").exists():
        write_unfinished(FOLDER / "unfinished.tcz", golden_codec(40), golden_symbols(300, 40, 1))


if __name__ == "__main__":
    main()
