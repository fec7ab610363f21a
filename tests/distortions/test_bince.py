import math
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

from taskcodec.distortions.bince import BINCE, FLOOR_TEMPERATURE, START_TEMPERATURE  # noqa: E402


def test_the_loss_is_infonce_over_all_but_oneself():
    torch.manual_seed(0)
    model = BINCE(3, hidden=8, outputs=4)
    first, second = torch.randn(5, 3), torch.randn(5, 3)
    unit = torch.nn.functional.normalize(model.project(torch.cat([first, second])), dim=1)
    scores = (unit @ unit.T / model.temperature).detach()
    expected = []
    for i in range(10):
        others = [float(scores[i, j]) for j in range(10) if j != i]
        expected.append((math.log(sum(math.exp(s) for s in others)) - float(scores[i, (i + 5) % 10])) / math.log(2))
    found = model(first, second)
    assert torch.allclose(
        found.detach(), torch.tensor([(expected[i] + expected[i + 5]) / 2 for i in range(5)]), atol=1e-5
    )


def test_the_temperature_starts_as_published_and_never_sticks_at_its_floor():
    model = BINCE(3)
    assert model.temperature.item() == pytest.approx(START_TEMPERATURE)
    with torch.no_grad():
        model.excess.fill_(-4.0)
    assert FLOOR_TEMPERATURE < model.temperature.item() < 2.9 * FLOOR_TEMPERATURE
    model(torch.randn(8, 3), torch.randn(8, 3)).mean().backward()
    assert model.excess.grad.abs() > 0


def test_equal_latents_lose_all_and_a_queue_raises_the_bound():
    torch.manual_seed(0)
    same = torch.ones(4, 3)
    assert BINCE(3)(same, same).mean().item() == pytest.approx(math.log2(7), abs=1e-4)
    model = BINCE(3, queue=16)
    for _ in range(5):
        model(same, same)
    assert model(same, same).mean().item() == pytest.approx(math.log2(7 + 16), abs=1e-4)
    model.eval()
    before = model.past.clone()
    model(torch.randn(4, 3), torch.randn(4, 3))
    assert torch.equal(model.past, before)


WORKER = """
import sys, torch
from taskcodec.distortions.bince import BINCE
rank, file = int(sys.argv[1]), sys.argv[2]
torch.manual_seed(0)
model, first, second = BINCE(3, hidden=8, outputs=4), torch.randn(6, 3), torch.randn(6, 3)
if rank >= 0:
    torch.distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    first, second = first[3 * rank : 3 * rank + 3], second[3 * rank : 3 * rank + 3]
loss = model(first, second).mean()
loss.backward()
gradient = model.project[0].weight.grad
if rank >= 0:
    for value in (loss, gradient):
        value = value.detach()
        torch.distributed.all_reduce(value)
        value /= 2
print(float(loss), *gradient.flatten()[:6].tolist())
"""


def test_two_processes_see_the_candidates_and_gradients_of_both(tmp_path):
    command = [sys.executable, "-c", WORKER]
    both = [
        subprocess.Popen([*command, str(rank), str(tmp_path / "meet")], stdout=subprocess.PIPE, text=True)
        for rank in (0, 1)
    ]
    alone = subprocess.run([*command, "-1", ""], capture_output=True, text=True, check=True).stdout
    results = [process.communicate(timeout=120)[0] for process in both]
    for result in results:
        assert [float(v) for v in result.split()] == pytest.approx([float(v) for v in alone.split()], abs=1e-5)
