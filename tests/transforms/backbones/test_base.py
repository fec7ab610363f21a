import pytest

torch = pytest.importorskip("torch")

from taskcodec.transforms.backbones import base  # noqa: E402


def test_bfloat16_depends_on_the_device_alone(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
    assert base.has_fast_bfloat16(torch.device("cpu"))
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    assert not base.has_fast_bfloat16(torch.device("cpu"))
    for capability, expected in (((7, 5), False), ((8, 0), True), ((9, 0), True)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device, found=capability: found)
        assert base.has_fast_bfloat16(torch.device("cuda")) is expected
