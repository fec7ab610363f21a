import torch

from taskcodec.coding import decode_block, encode_block
from taskcodec.entropy_models.factorized import Factorized


def test_what_a_decoder_sees_depends_on_mode_and_relaxation():
    y = 3 * torch.randn((50, 4), generator=torch.Generator().manual_seed(0))
    for relaxation, whole in (("noise", False), ("straight-through", True)):
        model = Factorized(4, relaxation, generator=torch.Generator().manual_seed(0))
        seen, bits = model(y)
        assert torch.equal(seen, seen.round()) == whole
        assert bits.shape == (50,)
        assert bits.requires_grad
        model.calibrate(y)
        seen, _ = model.eval()(y)
        torch.testing.assert_close(seen - model.centre, torch.round(y - model.centre))


def test_frozen_factorized_bits_are_those_of_evaluation():
    y = 3 * torch.randn((3000, 4), generator=torch.Generator().manual_seed(0))
    model = Factorized(4, generator=torch.Generator().manual_seed(0)).eval()
    frozen = model.freeze(y)
    symbols = torch.round(y - torch.from_numpy(frozen.centre)).int().numpy()
    with torch.no_grad():
        bits = float(model(y).bits.sum())
    block = encode_block(symbols, frozen.tables)
    assert abs(8 * len(block) / bits - 1) < 0.01
    assert (decode_block(block, 3000, frozen.tables) == symbols).all()
    assert len(frozen.points) == frozen.tables.sizes.sum()
