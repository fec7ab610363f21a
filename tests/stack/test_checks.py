"""Layers that do not go together, and files of codecs of pictures that lie."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.layered import layered as of_vectors
from tests.pictured import layered, picture, transform
from tests.test_codec import opened, signed
from tests.test_layer import VALUES, places_of

from taskcodec.codec import Codec
from taskcodec.errors import CorruptFileError, TaskcodecError

CODEC, X = layered(), picture(5, 9)
BASE, DETAIL = CODEC.layers


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((), "without layers"),
        ((BASE, BASE), "two of one name"),
        ((DETAIL, BASE), "not below it"),
        ((DETAIL,), "not below it"),
        ((BASE, *of_vectors(independent=True).layers[1:]), "not a layer of pictures"),
        ((BASE, replace(DETAIL, transform=replace(DETAIL.transform, stride=8))), "have places elsewhere"),
        ((BASE, replace(DETAIL, transform=transform(5, given=(4,)))), "looks at 4 channels"),
        ((replace(BASE, sketch=np.zeros((1, 3), "f4")),), "not a layer of pictures"),
    ],
)
def test_layers_that_do_not_go_together_are_refused(layers, words):
    with pytest.raises(CorruptFileError, match=words):
        Codec("pictures", layers)


def test_layers_of_pictures_are_of_no_other_codec():
    with pytest.raises(CorruptFileError, match="of pictures in a codec of others"):
        Codec("images", CODEC.layers)


def works(data):
    """Whether a codec's file codes a picture; else that it is refused with a line that names it."""
    try:
        codec = Codec.from_bytes(data, "strange.codec")
        assert codec.decompress(codec.compress(X)).shape == X.shape
        assert Codec.from_bytes(codec.to_bytes()).fingerprint == codec.fingerprint
    except TaskcodecError as error:
        assert "\n" not in str(error)
        return False
    return True


def test_manifests_signed_anew_are_refused_or_work():
    manifest, tensors = opened(CODEC)
    cases = [(path, value) for path in places_of(manifest) for value in VALUES]
    for number in np.random.default_rng(0).permutation(len(cases))[:150]:
        path, value = cases[number]
        changed = json.loads(json.dumps(manifest))
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        works(signed(changed, tensors))
    assert works(signed(manifest, tensors))


@pytest.mark.parametrize("key", ["0/g_a/layers.0.weight", "1/g_s/layers.2.bias", "1/tables", "0/points", "1/sketch"])
def test_tensors_signed_anew_are_refused(key):
    manifest, tensors = opened(CODEC)
    tensor = tensors[key]
    for other in (np.full((1, *tensor.shape), np.nan, "f4"), None):
        changed = {name: kept for name, kept in tensors.items() if name != key}
        changed |= {} if other is None else {key: np.ascontiguousarray(other)}
        assert not works(signed(manifest, changed)), key
