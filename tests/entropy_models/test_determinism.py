"""10,000 samples coded under one setting decode under every other to the same symbols: threads, batch, torch, dtype."""

import hashlib
import os
import pickle
import subprocess
import sys

import constriction
import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from taskcodec.codec import Codec
from taskcodec.coding import encode_block, encode_sample
from taskcodec.entropy_models.autoregressive import Autoregressive
from taskcodec.entropy_models.hyperprior import Hyperprior
from taskcodec.entropy_models.spatial import SpatialEntropy, SpatialOptions
from taskcodec.layer import BASE, Layer
from taskcodec.transforms.affine import AffineTransform
from tests.coding.golden_overfitted import (
    golden_overfitted_codec,
    golden_overfitted_packet,
    golden_overfitted_symbols,
)
from tests.coding.make_golden import golden_symbols, golden_tables
from tests.entropy_models.trained import latents, train

SAMPLES = 10_000
CODED = {1: 500, 7: 2_000, 512: SAMPLES}
"""How many of the samples are coded in batches of each size."""
MODELS = {
    "scale": lambda g: Hyperprior(12, means=False, hidden=(32,), generator=g),
    "mean-scale": lambda g: Hyperprior(12, hidden=(32, 16), generator=g),
    "autoregressive": lambda g: Autoregressive(12, groups=3, hidden=(32,), generator=g),
}
DECODER = """
import sys
setting, folder = sys.argv[1], sys.argv[2]
if setting == "no torch":
    sys.modules["torch"] = None  # importing it fails
else:
    import torch
    torch.set_default_dtype(torch.float64 if "float64" in setting else torch.float32)
    torch.backends.mkldnn.set_flags("oneDNN" in setting)
    torch.set_num_threads(2)
import hashlib, pickle
import numpy as np
from taskcodec.loading import load_codec
from taskcodec.coding import block_shape, decode_block, decode_sample, encode_block
for name in sys.argv[3:]:
    codec = load_codec(f"{folder}/{name}.codec")
    with open(f"{folder}/{name}.pickle", "rb") as file:
        coded = pickle.load(file)
    for batch, parts in coded.items():
        if batch == 1:
            found = [decode_sample(part, codec.base.model)[None] for part in parts]
        else:
            found = [decode_block(part, block_shape(part)[0], codec.base.model) for part in parts]
        symbols = np.concatenate(found)
        again = codec.encode(codec.decode(symbols))  # and the encoder's side information is the same, too
        assert np.array_equal(again, symbols), (name, batch)
        if batch == 512:
            assert encode_block(symbols[:512], codec.base.model) == parts[0]
        print(name, batch, hashlib.sha256(symbols.tobytes()).hexdigest())
import constriction
from taskcodec.coding import SpatialTables
with open(f"{folder}/spatial.pickle", "rb") as file:
    data, coded = pickle.load(file)
model = SpatialTables.from_bytes(data)
for batch, parts in coded.items():
    found = [model.pop(constriction.stream.stack.AnsCoder(words), shape) for words, shape in parts]
    coder = constriction.stream.stack.AnsCoder()
    model.push(coder, found[0])
    assert np.array_equal(coder.get_compressed(), parts[0][0]), batch
    print("spatial", batch, hashlib.sha256(np.concatenate(found).tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def coded(tmp_path_factory):
    """A folder with a codec of each model and its bytes, and the lines that every decoder must print."""
    folder, y, lines = tmp_path_factory.mktemp("determinism"), latents(SAMPLES), []
    for name, make in MODELS.items():
        model = train(make(torch.Generator().manual_seed(0)), y, steps=30)
        frozen = model.freeze(y)
        transform = AffineTransform("identity", frozen.centre, np.ones(12, np.float32))
        sketch = np.empty((0, 12), np.float32)
        codec = Codec.of_layer(Layer(BASE, transform, frozen.quantizer, frozen.model, sketch))
        codec.save(folder / f"{name}.codec")
        symbols = codec.encode(y.numpy())
        blocks = {}
        for batch, count in CODED.items():
            parts = [symbols[start : min(start + batch, count)] for start in range(0, count, batch)]
            encode = encode_block if batch > 1 else lambda part, tables: encode_sample(part[0], tables)
            blocks[batch] = [encode(part, codec.base.model) for part in parts]
            lines.append(f"{name} {batch} {hashlib.sha256(symbols[:count].tobytes()).hexdigest()}")
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(blocks))
    return folder, lines + spatial(folder)


def spatial(folder):
    """The same for pictures, 63 of 6 x 5 places and 12 channels; their lines."""
    torch.manual_seed(0)
    tables = SpatialEntropy(12, SpatialOptions(side=8, hyper=32, context=32)).freeze()
    y = torch.round(3 * torch.randn((63, 12, 6, 5))).numpy().astype(np.int32)
    coded = {}
    for batch in (1, 7, 63):
        coded[batch] = []
        for part in np.split(y, range(batch, len(y), batch)):
            coder = constriction.stream.stack.AnsCoder()
            tables.push(coder, part)
            coded[batch].append((coder.get_compressed(), part.shape))
    (folder / "spatial.pickle").write_bytes(pickle.dumps((tables.to_bytes(), coded)))
    return [f"spatial {batch} {hashlib.sha256(y.tobytes()).hexdigest()}" for batch in coded]


@pytest.mark.parametrize(
    ("setting", "threads"), [("no torch", "1"), ("oneDNN, float32", "2"), ("plain kernels, float64", "2")]
)
@pytest.mark.slow
def test_every_setting_decodes_the_same_symbols(coded, setting, threads):
    folder, lines = coded
    variables = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    found = subprocess.run(
        [sys.executable, "-c", DECODER, setting, str(folder), *MODELS],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    assert found.stdout.splitlines() == lines


def test_an_overfitted_packet_gives_the_same_symbols_under_any_number_of_threads():
    size, codec, before = (96, 130), golden_overfitted_codec(golden_symbols, golden_tables), torch.get_num_threads()
    packet, found = golden_overfitted_packet(codec, golden_symbols, size), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            with threadpool_limits(threads):  # and those of the products of numpy
                found.append(codec.begin(packet).symbols["picture"])
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(found[0], golden_overfitted_symbols(golden_symbols, size))
    assert np.array_equal(found[0], found[1])
