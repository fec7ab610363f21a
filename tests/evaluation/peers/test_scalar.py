import numpy as np
import pytest

from taskcodec.evaluation.peers.scalar import Cast, Int8, Sign, Zstandard
from tests.evaluation.peers.test_protocol import D, features, relative_error


@pytest.mark.parametrize(
    ("peer", "bits", "error"),
    [
        (Cast("float32"), 32 * D, 0),
        (Cast("float16"), 16 * D, 1e-6),
        (Int8(), 8 * D, 1e-3),
        (Sign(), D, 0.6),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_casts_cost_exactly_their_bytes(fit_set, peer, bits, error):
    found, rate = relative_error(peer, fit_set)
    assert rate == bits
    assert found <= error


@pytest.mark.parametrize(("stored", "plain"), [("float16", Cast("float16")), ("int8", Int8())])
def test_zstandard_gives_back_what_was_cast_in_fewer_bytes(fit_set, stored, plain):
    test = np.repeat(features(300, seed=1), 5, axis=0)  # more than one block
    cast, rate = plain.fit(fit_set).encode_decode(test)
    decoded, packed = Zstandard(stored).fit(fit_set).encode_decode(test)
    np.testing.assert_array_equal(decoded, cast)
    assert packed < rate
