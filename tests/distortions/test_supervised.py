import math

import pytest

torch = pytest.importorskip("torch")

from taskcodec.distortions.objective import Seen  # noqa: E402
from taskcodec.distortions.supervised import Supervised  # noqa: E402


def bits(scores, *labels):
    seen = Seen([], None, torch.tensor(labels), None)
    return Supervised(torch.nn.Identity()).distortion([torch.tensor(scores)], seen).tolist()


def test_it_is_the_cross_entropy_in_bits():
    assert bits([[0.0] * 8] * 2, 1, 5) == pytest.approx([3.0, 3.0])
    assert bits([[math.log(3.0), 0.0]], 0) == pytest.approx([math.log2(4 / 3)])
