"""Symbols of a layer of pictures, and its side information, by annealing under its frozen tables.

pixels, latent of g_a --part by part: anneal distortion(g_s(y)) * pixels + price * bits(y, z)--> y, z

What a bit costs follows the distortion, so that it ends where that of the nearest symbols is: see `Price`.
"""

import math
import zlib
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from taskcodec.coding import SpatialTables, Tables
from taskcodec.distortions.tasks import SquaredError, StructuralSimilarity, Truth
from taskcodec.entropy_models.over_space.thawed import ThawedTables
from taskcodec.layer import Layer
from taskcodec.quantization.uniform import MAX_SYMBOL, UniformQuantizer
from taskcodec.symbol_choice.pictures.annealing import Schedule, anneal
from taskcodec.symbol_choice.pictures.goals import Goal
from taskcodec.symbol_choice.pictures.price import NONE, STARTS, Price
from taskcodec.symbol_choice.pictures.seen import Found, Seen
from taskcodec.symbol_choice.pictures.windows import Window, windows
from taskcodec.transforms.networks.build import unpack
from taskcodec.transforms.networks.pictures.reach import reach_of
from taskcodec.transforms.picture import PictureTransform

MORE_ERROR = 1.03
"""Times the distortion of the nearest symbols: what has more is not taken."""
TABLES_REACH = 8
"""Places that what a symbol costs looks at: neighbours, channels before, side information."""


@dataclass(frozen=True, eq=False)
class _Picture:
    """What stays as it is while a picture's symbols are searched."""

    pixels: Tensor
    given: list[Tensor]
    below: list[Tensor]
    nearest_below: list[Tensor]


class LayerSearch:
    """A `Search` of a layer's symbols, for fewer bits at the distortion of the nearest, or else the nearest.

    Args:
        layer: with tables that can be thawed.
        goal: which distortion, and what a bit cost in training.
        schedule: how long it takes.
    """

    def __init__(self, layer: Layer, goal: Goal, schedule: Schedule) -> None:
        transform, model = layer.transform, layer.model
        assert isinstance(transform, PictureTransform)
        assert isinstance(model, Tables | SpatialTables)
        self._layer, self._goal, self._schedule = layer, goal, schedule
        self._side = model if isinstance(model, SpatialTables) else None
        assert isinstance(layer.quantizer, UniformQuantizer)
        self._quantizer, self._step, self._stride = layer.quantizer, float(layer.quantizer.step), transform.stride
        with torch.inference_mode(False):
            self._tables, self._g_s = ThawedTables(model), unpack(transform.g_s)
            self._g_s.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as quick
        self._border = max(TABLES_REACH, -(-reach_of(self._g_s, transform.stride) // transform.stride))
        self._task = SquaredError() if goal.task == "mse" else StructuralSimilarity()

    def __call__(self, seen: Seen) -> Found:
        """What is to be sent of a picture."""
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
            return self._found(seen)

    def _found(self, seen: Seen) -> Found:
        below, nearest_below = ([] if each is None else [_tensor(each)] for each in (seen.below, seen.nearest_below))
        picture = _Picture(_tensor(seen.pixels), [_tensor(each) for each in seen.given], below, nearest_below)
        nearest = self._quantizer.quantize(seen.latent)
        start, symbols = [_tensor(seen.latent) / self._step], [_tensor(nearest)]
        if self._side is not None:
            with torch.no_grad():
                own = self._tables.side(start[0])
            assert own is not None
            start.append(own)
            symbols.append(_tensor(np.moveaxis(self._side.side_of(nearest), 3, 1)))
        seed = zlib.crc32(np.ascontiguousarray(seen.pixels).tobytes(), zlib.crc32(self._layer.name.encode()))
        coarse = 1 if self._side is None else 2**self._side.halvings
        places = (int(nearest.shape[2]), int(nearest.shape[3]))
        kept = [
            self._search(picture, window, start, symbols, seed + number)
            for number, window in enumerate(windows(places, self._stride, self._border, coarse))
        ]
        found = [each.numpy().astype(np.int32) for each in symbols]
        side = None if self._side is None else np.ascontiguousarray(np.moveaxis(found[1], 1, 3))
        return Found(found[0], side, all(kept))

    def _search(self, picture: _Picture, window: Window, start: list[Tensor], symbols: list[Tensor], seed: int) -> bool:
        """Better symbols of a part, in their place; whether the error is what it was over the nearest below."""
        factors = (1, window.coarse)[: len(symbols)]
        at = [window.at(factor) for factor in factors]
        fixed = [each[place].clone() for each, place in zip(symbols, at, strict=True)]
        inside = [window.inside(each.shape, factor) for each, factor in zip(fixed, factors, strict=True)]
        x = picture.pixels[..., *window.pixels(self._stride)]
        pixels = x.shape[2] * x.shape[3]
        given, below, nearest_below = (
            [each[at[0]] for each in parts] for parts in (picture.given, picture.below, picture.nearest_below)
        )
        seen = _Picture(x, given, below, nearest_below)

        def put(points: list[Tensor]) -> list[Tensor]:
            return [torch.where(own, new, old) for own, new, old in zip(inside, points, fixed, strict=True)]

        with torch.no_grad():
            own, least = (float(each) for each in self._lost_and_bits(seen, fixed))
            error = float(self._lost(seen.pixels, fixed[0], seen.nearest_below)) if seen.nearest_below else own
        kept = own <= max(MORE_ERROR * error, NONE)
        if error <= NONE:
            return kept
        best, fewest = None, math.inf if not kept else least
        for first, slower in STARTS:
            price = Price(self._goal.bit, error, first)

            def cost(points: list[Tensor], price: Price = price) -> Tensor:
                lost, bits = self._lost_and_bits(seen, put(points))
                return lost * pixels + price.bit * bits

            def follow(whole: list[Tensor], price: Price = price) -> None:
                with torch.no_grad():  # of integers: what chance adds while it is hot is no error of theirs
                    price.follow(float(self._lost(seen.pixels, put(whole)[0], seen.below)))

            begin = [each[place] for each, place in zip(start, at, strict=True)]
            schedule = replace(self._schedule, rate=slower * self._schedule.rate)
            found = put(anneal(begin, cost, schedule, seed, follow))
            with torch.no_grad():
                lost, bits = (float(each) for each in self._lost_and_bits(seen, found))
            if lost <= MORE_ERROR * error and bits < fewest:
                best, fewest = found, bits
        if best is None:
            return kept
        for each, place, better in zip(symbols, at, best, strict=True):
            each[place] = better.clamp(-MAX_SYMBOL, MAX_SYMBOL)
        return True

    def _lost_and_bits(self, seen: _Picture, points: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Of y, and z where there is one, numbers near integers, or integers: distortion, bits."""
        y, *z = points
        bits = self._tables.bits(y, z[0] if z else None, seen.given)
        return self._lost(seen.pixels, y, seen.below), bits.sum()

    def _lost(self, pixels: Tensor, y: Tensor, below: list[Tensor]) -> Tensor:
        """Distortion of a picture by y over what layers below dequantize to."""
        values = (y * self._step).contiguous(memory_format=torch.channels_last)
        height, width = pixels.shape[2:]
        decoded = self._g_s(values, *([below] if below else []))[..., :height, :width].clamp(0, 1)
        return self._task.loss(decoded, Truth(pixels)).sum()


def _tensor(values: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
