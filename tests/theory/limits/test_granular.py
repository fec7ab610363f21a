"""What cubic cells cost."""

import numpy as np
import pytest

from taskcodec.theory.limits.granular import AT_HIGH_RATE_BITS, granular_bits


def test_high_and_low_rates():
    assert pytest.approx(0.2546, abs=1e-4) == AT_HIGH_RATE_BITS
    found = granular_bits([0.0, 0.1, 0.5, 1.0, 3.0, 12.0])
    assert found[0] == 0
    assert (np.diff(found) > 0).all()
    assert found[-1] == pytest.approx(AT_HIGH_RATE_BITS, abs=1e-4)
    assert found[3] == pytest.approx(0.24, abs=0.02)  # 1 bit a column: 6.02 dB less 4.64
