import pytest

pytest.importorskip("torch")

from taskcodec import fit
from taskcodec.errors import UsageError
from taskcodec.symbol_choice.pictures.levels import LEVELS
from tests.entropy_models.trained import latents
from tests.pictured import alone, picture
from tests.symbol_choice.pictures.trained import cost, trained

X = picture(16, 20, 31)


def test_levels_take_more_and_more():
    assert list(LEVELS) == list(range(2, 10))
    assert [each.steps for each in LEVELS.values()] == sorted({each.steps for each in LEVELS.values()})


@pytest.mark.slow
def test_more_effort_costs_less():
    codec = trained()
    packets = [codec.compress(X, effort=effort) for effort in (1, 2, 4)]
    assert packets[0] == codec.compress(X)
    costs = [cost(codec, packet, X) for packet in packets]
    assert costs[2] < costs[0]
    assert costs[1] < costs[0]


@pytest.mark.parametrize("effort", [0, 10, "3", 2.0, True, None])
def test_an_effort_is_a_whole_number_from_1_to_9(effort):
    with pytest.raises(UsageError, match="from 1 to 9"):
        alone().compress(X, effort=effort)


def test_what_cannot_be_searched_is_told():
    with pytest.raises(UsageError, match="layer base is not searched, since its codec does not say"):
        alone().compress(X, effort=2)
    features = latents(200).numpy()
    with pytest.raises(UsageError, match="of pictures alone"):
        fit(features, bits=20).compress(features[0], effort=2)
