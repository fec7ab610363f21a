import math

import pytest

torch = pytest.importorskip("torch")

from taskcodec.distortions.supervised import supervised  # noqa: E402


def test_it_is_the_cross_entropy_in_bits():
    assert supervised(torch.zeros(2, 8), torch.tensor([1, 5])).tolist() == pytest.approx([3.0, 3.0])
    assert supervised(torch.tensor([[math.log(3.0), 0.0]]), torch.tensor([0])).item() == pytest.approx(math.log2(4 / 3))
