import math

import pytest

torch = pytest.importorskip("torch")

from taskcodec.distortions.objective import Seen  # noqa: E402
from taskcodec.distortions.sample_bince import SampleBINCE  # noqa: E402


def test_the_loss_is_infonce_over_squared_distances_from_the_samples():
    torch.manual_seed(0)
    model = SampleBINCE(torch.nn.Linear(3, 4), size=4)
    codes, samples = torch.randn(5, 3), torch.randn(5, 2, 2)
    distance = torch.cdist(samples.flatten(1), samples.flatten(1)).square().mean()
    made = model.g_s(codes)
    scores = -torch.cdist(made, samples.flatten(1)).square() / (distance * model.temperature)
    expected = torch.nn.functional.cross_entropy(scores, torch.arange(5), reduction="none") / math.log(2)
    found = model.distortion([codes], Seen([], samples, torch.zeros(5), torch.arange(5)))
    assert torch.allclose(found, expected, atol=1e-4)


def test_a_queue_of_samples_raises_the_bound_and_holds_none_against_itself():
    model = SampleBINCE(torch.nn.Identity(), size=3, queue=8)
    ids, samples = torch.arange(4), torch.ones(4, 3)
    lost = [model(samples, samples, ids + 4 * min(step, 2)).mean().item() for step in range(4)]
    # The last batch is that of before again: each has itself in the queue, which does not count.
    assert lost == pytest.approx([math.log2(n) for n in (4, 8, 12, 11)], abs=1e-4)


def test_a_code_that_shows_its_sample_loses_nothing():
    torch.manual_seed(0)
    model, samples = SampleBINCE(torch.nn.Identity(), size=50), torch.randn(16, 50)
    assert model(samples, samples, torch.arange(16)).max() < 1e-3
    assert model(-samples, samples, torch.arange(16)).min() > 4
