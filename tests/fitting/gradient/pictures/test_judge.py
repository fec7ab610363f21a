"""The heads tell what was drawn from what is real; what is drawn learns by them; the backbone stays."""

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from taskcodec.errors import UsageError  # noqa: E402
from taskcodec.fitting.gradient.pictures.judge import Judge, Maps  # noqa: E402
from taskcodec.fitting.gradient.pictures.realism_recipe import JudgeChoice  # noqa: E402
from taskcodec.transforms.backbones.base import Backbone  # noqa: E402
from taskcodec.transforms.pictures.images import Preprocessing  # noqa: E402
from taskcodec.transforms.spec import BackboneSpec  # noqa: E402

SIDE = 16


def block(inputs, outputs):
    return nn.Sequential(
        nn.Conv2d(inputs, 4 * outputs, 3, 2, 1), nn.ReLU(inplace=True), nn.Conv2d(4 * outputs, outputs, 1)
    )


def backbone(network=None):
    torch.manual_seed(0)
    network = nn.Sequential(block(3, 4), block(4, 6), block(6, 8), nn.Flatten()) if network is None else network
    preprocess = Preprocessing(SIDE, SIDE, "bilinear", (0.5,) * 3, (0.25,) * 3)
    return Backbone(BackboneSpec("own", "0" * 64, 8), preprocess, network, torch.device("cpu"))


def judge():
    return Judge(JudgeChoice("own", enlarge=2), backbone(), SIDE)


def test_maps_are_what_blocks_come_to_from_fine_to_coarse():
    maps = Maps(backbone(), 2, SIDE)
    assert [tuple(found.shape) for found in maps(torch.rand(2, 3, SIDE, SIDE))] == [
        (2, 4, 16, 16),
        (2, 6, 8, 8),
        (2, 8, 4, 4),
    ]
    assert not any(parameter.requires_grad for parameter in maps.parameters())


def test_pictures_are_normalised_as_the_backbone_wants_them():
    seen = []

    class Spy(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(block(3, 4), block(4, 6), block(6, 8))

        def forward(self, x):
            seen.append(x)
            return self.body(x)

    Maps(backbone(Spy()), 1, 32)(torch.full((1, 3, 32, 32), 0.75))
    assert torch.allclose(seen[-1], torch.ones(()))


def test_the_heads_learn_to_tell_and_what_is_drawn_to_please_them():
    torch.manual_seed(0)
    own = judge()
    drawn = nn.Parameter(torch.full((4, 3, SIDE, SIDE), 0.5))
    real, faithful = torch.rand(4, 3, SIDE, SIDE), torch.full((4, 3, SIDE, SIDE), 0.5)
    heads = torch.optim.Adam(own.heads.parameters(), lr=1e-2)
    start = own(real, drawn, faithful).own.item()
    for _ in range(40):
        verdict = own(real, drawn, faithful)
        heads.zero_grad()
        verdict.own.backward()
        assert drawn.grad is None  # the heads' loss is not for what was drawn to answer
        heads.step()
    assert verdict.own.item() < 0.2 * start
    heads.zero_grad(set_to_none=True)
    own(real, drawn, faithful).of_drawn.backward()
    assert all(parameter.grad is None for parameter in own.heads.parameters())
    assert drawn.grad.abs().sum() > 0
    before = own(real, drawn, faithful).of_drawn.item()
    with torch.no_grad():
        drawn -= 0.02 * drawn.grad.sign()
    assert own(real, drawn, faithful).of_drawn.item() < before


def test_maps_are_made_alike_by_those_of_the_first_batch_alone():
    own, x = judge(), torch.rand(4, 3, SIDE, SIDE)
    own(x, x, x)
    kept = own.get_buffer("centre_0").clone()
    assert kept.abs().sum() > 0
    own(0 * x, x, x)
    assert torch.equal(own.get_buffer("centre_0"), kept)


def test_what_has_no_maps_is_refused():
    with pytest.raises(UsageError, match=r"judge.backbone: own has no maps at two resolutions for 16 pixels"):
        Maps(backbone(nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 4))), 1, SIDE)
    with pytest.raises(UsageError, match=r"judge.backbone: own is no network of torch"):
        Maps(backbone(lambda x: x), 1, SIDE)
