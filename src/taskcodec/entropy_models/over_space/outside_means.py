"""Means from outside the entropy coder: floats, that only shift what symbols stand for.

    y --minus mean--> round --> symbols --> tables of mean zero, chosen by integers
    y_hat = symbols + mean;    mean of a place = network(layers below, channels before, anchors among the neighbours)

As in JPEG AI (ISO/IEC 6048-1), only scales are the coder's. A machine whose floats differ decodes the very same
symbols, and values a little beside the encoder's: a mismatch never loses the stream. z says nothing of means here,
since it follows from the symbols, and these from the means.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from taskcodec.entropy_models.over_space.integer_convolution import others
from taskcodec.quantization.straight_through import round_through

KERNEL = 5


class _Group(nn.Module):
    """Means of some channels."""

    def __init__(self, columns: int, before: int, width: int, checkerboard: bool) -> None:
        super().__init__()
        self.columns = columns
        self.before = nn.Conv2d(before, width, KERNEL, padding=KERNEL // 2) if before else None
        self.context = nn.Conv2d(columns, width, KERNEL, padding=KERNEL // 2) if checkerboard else None
        self.rest = nn.Sequential(nn.ReLU(), nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, columns, 1))
        self.start = nn.Parameter(torch.zeros(width, 1, 1))

    def first(self, before: Tensor) -> Tensor:
        """Channels before (n, c, h, w) -> what the networks of both passes begin with."""
        n, _, h, w = before.shape
        found: Tensor = self.start.expand(n, -1, h, w) if self.before is None else self.before(before)
        return found


class OutsideMeans(nn.Module):
    """See the module.

    Args:
        sizes: of the channel groups.
        width: of the networks.
        checkerboard: whether each group has two passes.
        given: channels of each layer below.
    """

    def __init__(self, sizes: Sequence[int], width: int, checkerboard: bool, given: Sequence[int] = ()) -> None:
        super().__init__()
        self.groups = nn.ModuleList()
        before = sum(given)
        for size in sizes:
            self.groups.append(_Group(size, before, width, checkerboard))
            before += size

    def quantize(self, y: Tensor, given: Sequence[Tensor] = ()) -> tuple[Tensor, Tensor]:
        """(n, c, h, w) latent and symbols of layers below -> symbols and the latent as decoded; gradients pass."""
        return self._through(y, given, round_through)

    def restore(self, symbols: Tensor, given: Sequence[Tensor] = ()) -> Tensor:
        """(n, c, h, w) symbols and those of layers below -> the latent as decoded."""
        return self._through(symbols, given, None)[1]

    def _through(
        self, x: Tensor, given: Sequence[Tensor], rounded: Callable[[Tensor], Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """Pass by pass: symbols are x itself, or with `rounded` what x less its mean is rounded to."""
        known, symbols = torch.cat([*given, x[:, :0]], dim=1), x[:, :0]
        for group in self.groups:
            assert isinstance(group, _Group)
            start = symbols.shape[1]
            own = x[:, start : start + group.columns]
            sums = group.first(known)
            mean = group.rest(sums)
            found = own if rounded is None else rounded(own - mean)
            value = found + mean
            if group.context is not None:
                odd = others(x) > 0
                mean = group.rest(sums + group.context(value * ~odd))
                again = own if rounded is None else rounded(own - mean)
                found, value = torch.where(odd, again, found), torch.where(odd, again + mean, value)
            known, symbols = torch.cat([known, value], dim=1), torch.cat([symbols, found], dim=1)
        return symbols, known[:, sum(part.shape[1] for part in given) :]
