import pytest

from taskcodec.coding.models.overfitted.plan import HEAD, KINDS, NEAR, PASSES, Plan
from taskcodec.errors import CorruptFileError


def test_parts_lie_one_after_the_other_and_kinds_together():
    plan = Plan(levels=5, width=4, context=6)
    at = 0
    for part, where in plan.named():
        assert (where.start, where.stop - where.start) == (at, part.count)
        kind = plan.kinds[part.kind]
        assert kind.start <= where.start < where.stop <= kind.stop
        at = where.stop
    assert at == plan.weights == plan.kinds[-1].stop
    assert len(plan.kinds) == len(KINDS)


def test_latents_halve_and_symbols_are_counted():
    plan = Plan(levels=3, width=1, context=1)
    assert plan.extents((5, 8)) == [(5, 8), (3, 4), (2, 2)]
    assert plan.symbols((5, 8)) == HEAD + plan.weights + 40 + 12 + 4
    assert Plan(3, 1, 1, finest=4).extents((5, 8)) == [(2, 2), (1, 1), (1, 1)]


def test_neighbours_of_a_pass_were_decoded_before():
    for number, ((top, left), taps) in enumerate(zip(PASSES, NEAR, strict=True)):
        for down, right in taps:
            assert PASSES.index(((top + down) % 2, (left + right) % 2)) < number


def test_costs_are_those_of_the_layers():
    plan = Plan(levels=1, width=4, context=6)
    assert plan.synthesis_macs == 4 * (1 + 3) + 81
    assert plan.context_macs == 6 * (2 * 4 + 2 * 9 + 2)  # 4 neighbours in the mean, 9 places of the coarser latent
    assert Plan(7, 16, 12).synthesis_macs + Plan(7, 16, 12).context_macs < 1000


@pytest.mark.parametrize("sizes", [(0, 1, 1), (11, 1, 1), (1, 65, 1), (1, 1, 1, 0), (1, 1, 1, 3, 3), (1.0, 1, 1)])
def test_sizes_that_none_of_ours_has(sizes):
    with pytest.raises(CorruptFileError):
        Plan(*sizes)
