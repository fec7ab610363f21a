"""What effort finds depends neither on threads nor on the process."""

import os
import subprocess
import sys

import numpy as np
import pytest

import taskcodec

pytest.importorskip("torch")

from taskcodec.fitting.gradient.pictures.data import KnownPicture, PictureSet
from taskcodec.fitting.gradient.pictures.recipe import LayerChoice, LayersRecipe
from taskcodec.fitting.gradient.pictures.training import train_layers
from taskcodec.fitting.gradient.recipe import NetworkChoice, Schedule
from tests.pictured import picture

PICTURES = """
import hashlib, sys
import torch
from taskcodec import load_codec
from taskcodec.symbol_choice.pictures.annealing import Schedule
from taskcodec.symbol_choice.pictures.goals import Goal
from taskcodec.symbol_choice.pictures.search import LayerSearch
from tests.pictured import picture

torch.set_num_threads(int(sys.argv[2]))
codec = load_codec(sys.argv[1])
layer = codec.layers[0]
for side, schedule in ((192, Schedule(4, 0.1)), (67, Schedule(8, 0.1))):
    search = LayerSearch(layer, Goal("mse", 0.004), schedule)
    packet = codec.pictures.pack(picture(side, side + 9, 3), {layer.name: search})
    assert packet != codec.compress(picture(side, side + 9, 3))
    print(hashlib.sha256(packet).hexdigest())
"""
VECTORS = """
import hashlib, sys
import numpy as np
import torch
import taskcodec
from taskcodec.fitting.effort import with_effort

torch.set_num_threads(int(sys.argv[2]))
x = np.random.default_rng(0).normal(size=(1500, 48)).astype("f4")
for usual in (taskcodec.load_codec(sys.argv[1]), taskcodec.fit(x, bits=96)):
    for effort in (2, 5, 8):  # floats of a fit, and so its fingerprint, may differ in the last bit: symbols do not
        codec = with_effort(usual, x, effort=effort)
        print(hashlib.sha256(codec.encode(x).tobytes()).hexdigest())
"""


def wide():
    """A codec as wide as real ones: what is narrow is not divided among threads."""
    layer = LayerChoice(
        "picture",
        NetworkChoice("elic", {"widths": [32, 48, 96], "latent": 96, "blocks": 1, "attention": False}),
        NetworkChoice("elic_synthesis"),
        entropy={"side": 24, "hyper": 48, "context": 48},
    )
    data = PictureSet([KnownPicture(picture(64, 64, seed)) for seed in range(4)], {})
    return train_layers(data, LayersRecipe((layer,), 0.004, crop=64), Schedule(12, 2, 5e-3)).codec


def said(script, codec, threads):
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, "-c", script, codec, str(threads)], capture_output=True, text=True, env=environment, check=True
    )
    return done.stdout


@pytest.mark.slow
def test_pictures_get_the_same_symbols(tmp_path):
    codec = tmp_path / "wide.codec"
    wide().save(codec)
    found = [said(PICTURES, str(codec), threads) for threads in (1, 2, 1)]
    assert found[0]
    assert found[1:] == found[:1] * 2


@pytest.mark.slow
def test_vectors_get_the_same_symbols(tmp_path):
    codec = tmp_path / "usual.codec"
    taskcodec.fit(np.random.default_rng(0).normal(size=(1500, 48)).astype("f4"), bits=96).save(codec)
    found = [said(VECTORS, str(codec), threads) for threads in (1, 2, 1)]
    assert found[0]
    assert found[1:] == found[:1] * 2
