import pytest

from taskcodec.evaluation.peers.pca import PcaTruncation
from taskcodec.evaluation.peers.protocol import FitSet
from tests.evaluation.peers.test_protocol import D, features, relative_error


@pytest.mark.parametrize(
    ("peer", "bits", "error"),
    [
        (PcaTruncation(6, "float16"), 96, 0.4),
        (PcaTruncation(D, "float16"), 16 * D, 1e-5),
        (PcaTruncation(6, "int8"), 48, 0.4),
        (PcaTruncation(D, "int8"), 8 * D, 2e-3),
    ],
    ids=lambda value: getattr(value, "setting", None),
)
def test_components_cost_exactly_their_bytes(fit_set, peer, bits, error):
    found, rate = relative_error(peer, fit_set)
    assert rate == bits
    assert found <= error


def test_more_components_leave_less_error(fit_set):
    errors = [relative_error(PcaTruncation(kept, "float16"), fit_set)[0] for kept in (1, 3, 6, 20)]
    assert errors == sorted(errors, reverse=True)


def test_pca_keeps_no_more_components_than_there_are(fit_set):
    few = FitSet(features(4), features(0), fit_set.views[:, :0])
    assert relative_error(PcaTruncation(20, "float16"), few)[1] == 4 * 16
