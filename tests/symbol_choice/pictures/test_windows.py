import numpy as np
import pytest

pytest.importorskip("torch")

from taskcodec.symbol_choice.pictures.windows import windows


@pytest.mark.parametrize("places", [(1, 1), (48, 48), (49, 30), (200, 131), (97, 3)])
@pytest.mark.parametrize("coarse", [1, 4])
def test_every_place_is_in_one_part(places, coarse):
    seen, side = np.zeros(places, int), np.zeros([-(-each // coarse) for each in places], int)
    for window in windows(places, 16, 6, coarse):
        at = window.at(1)[1:]
        seen[at] += window.inside(seen[at].shape, 1).numpy()
        coarser = window.at(coarse)[1:]
        side[coarser] += window.inside(side[coarser].shape, coarse).numpy()
        for span, length in zip((window.rows, window.columns), places, strict=True):
            assert span.first == max(0, span.start - (8 if coarse == 4 else 6)) or span.first == span.start == 0
            assert span.last <= length
            assert (span.last - span.first) * 16 <= 800
    assert (seen == 1).all()
    assert (side == 1).all()
