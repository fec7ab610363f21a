"""Tables over space thawed: what symbols cost, as a function that has gradients. Invert `SpatialTables` no further.

    y, z (floats about integers) --networks in floats, rounded as the integers are--> index, mean of each symbol of y
    bits = of the table that index and mean choose, between floor(y) and ceil(y) on a straight line

So at integers the bits are those that the coder takes, whatever the tables hold; between them they are those of
stochastic rounding. The gradient of y is the difference of two symbols, that of index and mean half the difference of
their neighbours'; networks are differentiated as in training, straight through what is rounded. What is searched with
it is coded by the integers.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from taskcodec.coding import SpatialTables, Tables
from taskcodec.coding.models.spatial.choice import parts_of
from taskcodec.coding.models.spatial.convolution import Convolution, Stack
from taskcodec.coding.models.spatial.group import Checkerboard, SpatialGroup
from taskcodec.coding.models.tables import ESCAPE_BITS, TABLE_BITS
from taskcodec.coding.symbol_model import ColumnTables
from taskcodec.entropy_models.over_space.integer_convolution import others
from taskcodec.quantization.straight_through import pass_through


class _Bank:
    """What each symbol takes by tables that a level (or a channel) and the distance from a mean choose.

    A level's tables lie in one row: that of `symbol - mean` in parts of a symbol, whichever mean it is.

    Args:
        tables: of levels one after the other, `phases` each; `coding.models.spatial.choice` says of which means.
        phases: 1 where there are no means.
    """

    def __init__(self, tables: ColumnTables, phases: int = 1) -> None:
        self.parts, self.levels = parts_of(phases), tables.columns // phases
        self.reach = 2 + int(max(np.abs(tables.first).max(), np.abs(tables.first + tables.sizes).max()))
        symbols = np.arange(-self.reach, self.reach + 1)
        rows = np.empty((self.levels, self.parts, len(symbols)), np.float32)
        for level in range(self.levels):
            for part in range(self.parts):
                mirrored = part >= phases
                own = level * phases + (self.parts - part if mirrored else part)
                bits = TABLE_BITS - np.log2(tables.column(own))
                bits[-1] += ESCAPE_BITS
                slots = (1 - symbols if mirrored else symbols) - tables.first[own]
                outside = (slots < 0) | (slots >= tables.sizes[own])
                rows[level, part] = bits[np.where(outside, tables.sizes[own], slots)]
        # A mean of part / parts: the symbol's distance from it is symbol * parts - part.
        rows = np.ascontiguousarray(rows[:, ::-1].transpose(0, 2, 1))
        self.flat, self.width = torch.from_numpy(rows.ravel()), self.parts * len(symbols)

    def place(self, symbol: Tensor, mean: Tensor | None) -> Tensor:
        """Where in a row a symbol lies, by its mean; so far inside that neighbours are in the row, too."""
        distance = symbol * self.parts
        if mean is not None:
            distance = distance - torch.round(mean * self.parts)
        return (distance.long() + self.reach * self.parts + self.parts - 1).clamp(1, self.width - self.parts - 2)


class _Interpolated(torch.autograd.Function):
    """Bits of y, with the gradients of the module. Without an index a channel is a level of its own."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, index: Tensor | None, mean: Tensor | None, bank: _Bank) -> Tensor:
        low = torch.floor(y)
        share, place = y - low, bank.place(low, mean)
        level = torch.arange(y.shape[1])[:, None, None] if index is None else torch.round(index).long()
        row = level.clamp(0, bank.levels - 1) * bank.width

        def between(at: Tensor) -> Tensor:
            return torch.lerp(bank.flat[at], bank.flat[at + bank.parts], share)

        at = row + place
        one, other = bank.flat[at], bank.flat[at + bank.parts]
        slopes = [other - one]
        if index is not None:
            above, below = ((level + step).clamp(0, bank.levels - 1) * bank.width for step in (1, -1))
            slopes.append((between(above + place) - between(below + place)) / 2)
        if mean is not None:
            slopes.append((between(at - 1) - between(at + 1)) * (bank.parts / 2))
        ctx.save_for_backward(*slopes)
        return torch.lerp(one, other, share)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        found = [gradients[0] * slope for slope in ctx.saved_tensors]
        return (*found, *[None] * (4 - len(found)))


class ThawedTables:
    """Tables of a picture's latent, plain or over space.

    Args:
        tables: as a codec has them.
    """

    def __init__(self, tables: Tables | SpatialTables) -> None:
        self.over_space = tables if isinstance(tables, SpatialTables) else None
        if isinstance(tables, Tables):
            self._own = _Bank(tables)
            return
        first = np.arange(tables.bank.columns)
        self._own = _Bank(tables.bank.take(first[: tables.side.outputs]))
        self._bank = _Bank(tables.bank.take(first[tables.side.outputs :]), tables.phases)
        self._side, self._hyper = _ThawedStack(tables.side), _ThawedStack(tables.hyper)
        self._below = None if tables.below is None else _ThawedStack(tables.below)
        self._groups = [_ThawedGroup(group) for group in tables.groups]

    def side(self, y: Tensor) -> Tensor | None:
        """(n, c, h, w) -> (n, channels of z, h', w') side information before it is rounded; None where there is none.

        Of integers it is within one half of what the coder's networks would send.
        """
        return None if self.over_space is None else self._side(y) - 0.5

    def bits(self, y: Tensor, z: Tensor | None, given: Sequence[Tensor] = ()) -> Tensor:
        """(n, c, h, w) latent, its side information, and symbols of layers below -> (n,) bits."""
        if self.over_space is None or z is None:
            return _bits(y, None, None, self._own).sum(dim=(1, 2, 3))
        total = _bits(z, None, None, self._own).sum(dim=(1, 2, 3))
        h, w = y.shape[2:]
        sizes = [(-(-h // 2**i), -(-w // 2**i)) for i in range(self._hyper.growths - 1, -1, -1)]
        features, start = self._hyper.features(z, sizes), 0
        if self._below is not None:
            features = torch.cat([features, self._below.features(torch.cat([*given], dim=1), [])], dim=1)
        for group in self._groups:
            own = y[:, start : start + group.columns]
            index, mean = group(features, y[:, :start], own, self._bank.parts)
            total = total + _bits(own, index, mean, self._bank).sum(dim=(1, 2, 3))
            start += group.columns
        return total


def _bits(y: Tensor, index: Tensor | None, mean: Tensor | None, bank: _Bank) -> Tensor:
    found: Tensor = _Interpolated.apply(y, index, mean, bank)  # type: ignore[no-untyped-call]
    return found


def _floored(x: Tensor) -> Tensor:
    return pass_through(torch.floor(x), x)


def _tensor(values: npt.NDArray[Any], shift: int = 0) -> Tensor:
    return torch.from_numpy((values * 2.0**-shift).astype(np.float32))


def _last(x: Tensor) -> Tensor:
    """Channels last: else many sums of convolutions of one place depend on the number of threads."""
    return x.contiguous(memory_format=torch.channels_last)


class _ThawedConvolution:
    def __init__(self, own: Convolution) -> None:
        self.own, self.pad = own, own.weights.shape[1] // 2
        self.weight = _last(_tensor(own.weights.transpose(0, 3, 1, 2), own.shift))
        self.bias = _tensor(own.bias, own.shift)

    def __call__(self, x: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """(n, i, h, w) -> (n, o, h', w') sums, shifted but not rounded."""
        out: Tensor = conv2d(_last(x), self.weight, self.bias, self.own.stride, self.pad)
        if self.own.grow == 1:
            return out
        n, _, h, w = out.shape
        out = out.reshape(n, 2, 2, -1, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, -1, 2 * h, 2 * w)
        return out if size is None else out[:, :, : size[0], : size[1]]


class _ThawedStack:
    def __init__(self, own: Stack) -> None:
        self.own, self.layers = own, [_ThawedConvolution(layer) for layer in own.layers]
        self.growths = sum(layer.grow == 2 for layer in own.layers)

    def __call__(self, x: Tensor, sizes: Sequence[tuple[int, int]] = ()) -> Tensor:
        """(n, i, h, w) -> what the last layer sums up, not rounded."""
        x, left = x.clamp(-self.own.reach, self.own.reach), list(sizes)
        for number, layer in enumerate(self.layers):
            x = _floored(x).clamp(0, self.own.cap) if number else x
            x = layer(x, left.pop(0) if layer.own.grow > 1 else None)
        return x

    def features(self, x: Tensor, sizes: Sequence[tuple[int, int]]) -> Tensor:
        return _floored(self(x, sizes)).clamp(0, self.own.cap)


class _ThawedCheckerboard:
    def __init__(self, own: Checkerboard, shift: int) -> None:
        o, taps, m = own.weights.shape
        weights = np.zeros((o, 2 * taps + 1, m))
        weights[:, 1::2] = own.weights
        self.own, self.pad = own, own.kernel // 2
        self.weight = _last(_tensor(weights.reshape(o, own.kernel, own.kernel, m).transpose(0, 3, 1, 2), shift))
        self.bias = _tensor(own.bias, shift)

    def __call__(self, own: Tensor) -> Tensor:
        """(n, m, h, w) -> (n, o, h, w) sums, zero at anchors."""
        own = own.clamp(-self.own.reach, self.own.reach)
        out: Tensor = conv2d(_last(own), self.weight, self.bias, padding=self.pad)
        return out * others(own)


class _ThawedGroup:
    def __init__(self, own: SpatialGroup) -> None:
        self.own, self.columns = own, own.columns
        self.before = None if own.before is None else _ThawedStack(own.before)
        self.mix, self.rest = _ThawedConvolution(own.mix), [_ThawedConvolution(layer) for layer in own.rest]
        self.context = None if own.context is None else _ThawedCheckerboard(own.context, own.mix.shift)

    def __call__(self, features: Tensor, before: Tensor, own: Tensor, parts: int) -> tuple[Tensor, Tensor | None]:
        """Features, symbols of the groups before and of this one -> whole indices, and means in symbols."""
        if self.before is not None:
            features = torch.cat([features, self.before.features(before, [])], dim=1)
        out = self.mix(features)
        if self.context is not None:
            out = out + self.context(own)
        for layer in self.rest:
            out = layer(_floored(out).clamp(0, self.own.cap))
        out = _floored(out)
        return out[:, : self.columns], out[:, self.columns :] / parts if self.own.means else None
