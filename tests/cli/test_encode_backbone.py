"""A backbone's name is looked at before the place."""

import numpy as np
import pytest

from taskcodec.engines.encode.decide import EncodeOptions, decide
from taskcodec.errors import BackboneError


def test_a_bad_backbone_is_refused_before_the_store_that_lies_there(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(100, 4)).astype("f4"))
    (tmp_path / "x.zip").write_bytes(b"occupied")
    with pytest.raises(BackboneError, match="nonsense:x: no such backbone"):
        decide(tmp_path / "x.npy", tmp_path / "x.zip", EncodeOptions(backbone="nonsense:x"))
