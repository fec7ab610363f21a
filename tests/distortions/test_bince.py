import math
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

from taskcodec.distortions.bince import BINCE  # noqa: E402


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
    found = model(first, second, torch.arange(5))
    assert torch.allclose(
        found.detach(), torch.tensor([(expected[i] + expected[i + 5]) / 2 for i in range(5)]), atol=1e-5
    )


def test_equal_latents_lose_all_and_a_queue_raises_the_bound():
    torch.manual_seed(0)
    same = torch.ones(4, 3)
    ids = torch.arange(4)
    assert BINCE(3)(same, same, ids).mean().item() == pytest.approx(math.log2(7), abs=1e-4)
    model = BINCE(3, queue=16)
    for step in range(5):
        model(same, same, ids + 4 * step)
    assert model(same, same, ids + 100).mean().item() == pytest.approx(math.log2(7 + 16), abs=1e-4)
    model.eval()
    before = model.past.clone()
    model(torch.randn(4, 3), torch.randn(4, 3), ids)
    assert torch.equal(model.past, before)


def test_no_sample_is_a_candidate_against_itself():
    """Neither twice in a batch nor from the queue: its loss is that of the other samples alone."""
    torch.manual_seed(0)
    first, second = torch.randn(4, 3), torch.randn(4, 3)
    model = BINCE(3, hidden=8, outputs=4)
    unit = torch.nn.functional.normalize(model.project(torch.cat([first, second])), dim=1)
    scores = (unit @ unit.T / model.temperature).detach()
    ids = torch.tensor([7, 8, 9, 7])  # rows 0 and 3 are one sample
    expected = torch.zeros(8)
    for i in range(8):
        others = [float(scores[i, j]) for j in range(8) if ids[j % 4] != ids[i % 4] or j == (i + 4) % 8]
        expected[i] = (math.log(sum(map(math.exp, others))) - float(scores[i, (i + 4) % 8])) / math.log(2)
    found = model(first, second, ids).detach()
    assert torch.allclose(found, (expected[:4] + expected[4:]) / 2, atol=1e-5)
    alone = BINCE(3, queue=8)
    for _ in range(3):  # from the second time on, the queue holds earlier views of this very sample
        assert alone(first[:1], second[:1], ids[:1]).item() == pytest.approx(0, abs=1e-5)


WORKER = """
import sys, torch
from taskcodec.distortions.bince import BINCE
rank, file = int(sys.argv[1]), sys.argv[2]
torch.manual_seed(0)
model, first, second = BINCE(3, hidden=8, outputs=4), torch.randn(6, 3), torch.randn(6, 3)
ids = torch.tensor([0, 1, 2, 3, 4, 0])
if rank >= 0:
    torch.distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    first, second, ids = (part[3 * rank : 3 * rank + 3] for part in (first, second, ids))
loss = model(first, second, ids).mean()
loss.backward()
gradient = model.project[0].weight.grad
if rank >= 0:
    for value in (loss, gradient):
        value = value.detach()
        torch.distributed.all_reduce(value)
        value /= 2
print(float(loss), *gradient.flatten()[:6].tolist())
"""


@pytest.mark.slow
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
