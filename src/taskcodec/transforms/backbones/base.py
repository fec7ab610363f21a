"""What every backbone is: preprocessing, a network, and the record that identifies both."""

import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from taskcodec.transforms.pictures.images import Pixels, Preprocessing
from taskcodec.transforms.spec import BackboneSpec

MICRO_BATCH = 4
_pools: dict[int, ThreadPoolExecutor] = {}
_pools_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Backbone:
    """A pretrained analysis transform.

        image --preprocess--> (H, W, 3) uint8 --normalise, network--> (d,) features

    Attributes:
        spec: name, hash of the weights, dimension, preprocessing.
        preprocess: image (path, bytes, PIL, array) -> (H, W, 3) uint8.
        network: (n, 3, H, W) float32 normalised -> (n, d).
        device: where the network runs.
        takes_bfloat16: whether its features stay what they are where a device is fast at 16 bits.
    """

    spec: BackboneSpec
    preprocess: Preprocessing
    network: Callable[[torch.Tensor], torch.Tensor]
    device: torch.device
    takes_bfloat16: bool = True

    def __call__(self, batch: Pixels) -> npt.NDArray[np.float32]:
        """(n, H, W, 3) uint8 -> (n, d) float32.

        On a processor, groups of MICRO_BATCH images run side by side, each on one core: their activations stay in the
        cache, no core waits for another inside a layer, and the features do not depend on the number of cores.
        """
        if self.device.type != "cpu" or not len(batch):
            return self._features(batch)
        groups = [batch[start : start + MICRO_BATCH] for start in range(0, len(batch), MICRO_BATCH)]
        return np.concatenate(list(_workers().map(self._features, groups)))

    def _features(self, batch: Pixels) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            x = torch.from_numpy(np.require(batch, requirements=("C", "W"))).to(self.device)
            x = x.permute(0, 3, 1, 2).to(torch.float32)  # a view in channels-last order: no copy of the pixels
            mean = torch.tensor(self.preprocess.mean, device=self.device).view(1, 3, 1, 1) * 255
            std = torch.tensor(self.preprocess.std, device=self.device).view(1, 3, 1, 1) * 255
            x = x.sub_(mean).div_(std)
            if not (self.takes_bfloat16 and has_fast_bfloat16(self.device)):
                return self._run(x)
            with torch.autocast(self.device.type, dtype=torch.bfloat16):
                return self._run(x)

    def _run(self, x: torch.Tensor) -> npt.NDArray[np.float32]:
        return np.asarray(self.network(x).float().cpu().numpy(), dtype=np.float32)


def _workers() -> ThreadPoolExecutor:
    """As many threads as torch may use, each running torch on one core; made anew in a forked process."""
    with _pools_lock:
        if os.getpid() in _pools:
            return _pools[os.getpid()]
        count = torch.get_num_threads()
        pool, ready = ThreadPoolExecutor(count, "taskcodec-backbone"), threading.Barrier(count)

        def prepare() -> None:
            torch.set_num_threads(1)
            ready.wait()

        for waiting in [pool.submit(prepare) for _ in range(count)]:
            waiting.result()
        torch.set_num_threads(count)  # torch also remembers the last number set anywhere: give the caller's back
        _pools[os.getpid()] = pool
        return pool


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether 16-bit matrix units make bfloat16 worth its rounding: AMX on a processor, Ampere or later on CUDA."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    supported = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(supported()) if device.type == "cpu" and supported is not None else False


def pick_device(device: str | None) -> torch.device:
    """The named device, or CUDA where there is one."""
    return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def hash_state(state: Mapping[str, Any]) -> str:
    """SHA-256 over names, shapes and values of a state dict, 64 hex digits."""
    digest = hashlib.sha256()
    for key in sorted(state):
        value = state[key].detach().cpu().contiguous()
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def channels_last(module: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """The module ready for inference: evaluation mode, no gradients, channels last."""
    module = module.eval().requires_grad_(False).to(device)
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
