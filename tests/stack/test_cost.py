"""What decoding costs: of a layer its synthesis, and the entropy models of all layers that it needs."""

import pytest

torch = pytest.importorskip("torch")

from tests.fitting.gradient.pictures.tiny import ENTROPY, layer  # noqa: E402
from tests.pictured import layered  # noqa: E402

from taskcodec.errors import UsageError  # noqa: E402
from taskcodec.fitting.gradient.pictures.layers import TrainedLayer  # noqa: E402
from taskcodec.stack.cost import decoding_cost  # noqa: E402


def frozen(name="base", below=None, **changes):
    torch.manual_seed(0)
    return TrainedLayer(layer(name, **changes), below or {}, 3).frozen()


def test_a_layer_needs_the_models_of_those_below():
    base = frozen()
    top = frozen("top", {"base": 3}, given=("base",))
    both = (base, top)
    assert decoding_cost(both, "base") == decoding_cost((base,))
    alone, above = decoding_cost((base,)), decoding_cost(both)
    assert above.entropy > 2 * alone.entropy  # its own sees more
    assert above.synthesis - alone.synthesis == 25 * 3 * 4 / 16  # and so does its synthesis
    assert above.total == above.synthesis + above.entropy
    with pytest.raises(UsageError, match="none of this codec's"):
        decoding_cost(both, "other")


def test_means_from_outside_count():
    inside = decoding_cost((frozen(entropy={**ENTROPY, "checkerboard": False}),))
    outside = decoding_cost((frozen(entropy={**ENTROPY, "checkerboard": False, "means": "outside"}),))
    groups, width = (1, 2), 4
    network = sum(width * width + width * columns for columns in groups) + 25 * 1 * width
    spared = sum(width * columns for columns in groups)  # integers choose scales alone
    assert outside.entropy - inside.entropy == pytest.approx((network - spared) / 16)


def test_plain_tables_cost_nothing():
    assert decoding_cost(layered().layers, "base").entropy == 0
