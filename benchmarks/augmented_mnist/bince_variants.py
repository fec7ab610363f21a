"""What the diagnosis of BINCE changes one at a time: views, network and losses, as small functions of two codes.

Each loss takes the projections (n, d) of two views of the same samples and gives a mean over them.
"""

import math

import torch
from torch import nn
from torch.nn.functional import affine_grid, grid_sample, mse_loss, normalize, relu

TURN, SLANT, SIZE, SHIFT = 45.0, 25.0, 0.4, 0.5
"""LCLP's augmentations: degrees, degrees, share, share of half the side."""


def views(x, strength=1.0):
    """(n, 1, side, side) -> a view of each, and (n, 5) what was drawn: turn, shifts, size, slant."""
    turn, slant, size, *shifts = (
        (2 * torch.rand(len(x)) - 1) * reach * strength for reach in (TURN, SLANT, SIZE, SHIFT, SHIFT)
    )
    size = 1 + size
    angle, shear = turn.deg2rad(), slant.deg2rad().tan()
    cosine, sine = angle.cos() / size, angle.sin() / size
    rows = [(cosine, cosine * shear + sine), (-sine, cosine - sine * shear)]
    back = torch.stack([torch.stack([a, b, -a * shifts[0] - b * shifts[1]], 1) for a, b in rows], 1)
    seen = grid_sample(x, affine_grid(back, list(x.shape), align_corners=False), align_corners=False)
    return seen, torch.stack([turn, *shifts, size, slant], 1)


def analysis(widths, columns):
    """(n, 1, 14, 14) --3x3 at stride 2, BN, ReLU--> ... --linear--> (n, columns)."""
    layers, into = [], 1
    for width in widths:
        layers += [nn.Conv2d(into, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        into = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * into, columns)).to(memory_format=torch.channels_last)


def projection(kind, columns, hidden=256, outputs=64):
    if kind == "none":
        return nn.Identity()
    if kind == "linear":
        return nn.Linear(columns, outputs)
    return nn.Sequential(nn.Linear(columns, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def infonce(a, b, temperature, critic="cosine", decoupled=False, past=None):
    """Bits, as `taskcodec.distortions.bince`. decoupled: the positive is no candidate (Yeh et al., 2022). past: (m, d)
    further candidates."""
    if critic == "cosine":
        a, b = normalize(a, dim=1), normalize(b, dim=1)
        past = None if past is None else normalize(past, dim=1)
    same = torch.eye(len(a), dtype=torch.bool)

    def scored(one, other):
        return (-torch.cdist(one, other).square() if critic == "distance" else one @ other.T) / temperature

    def lost(query, positive, own):
        across, within = scored(query, positive), scored(query, own).masked_fill(same, -torch.inf)
        candidates = [across.masked_fill(same, -torch.inf) if decoupled else across, within]
        candidates += [] if past is None else [scored(query, past)]
        return torch.cat(candidates, 1).logsumexp(1) - across.diagonal()

    return (lost(a, b, a) + lost(b, a, b)).mean() / (2 * math.log(2))


def vicreg(a, b, alike=25.0, spread=25.0, apart=1.0):
    """Bardes et al., 2022: views alike, each column spread, columns uncorrelated. In no unit."""
    loss = alike * mse_loss(a, b)
    for part in (a, b):
        centred = part - part.mean(0)
        covariance = centred.T @ centred / (len(part) - 1)
        loss = loss + spread * relu(1 - (covariance.diagonal() + 1e-4).sqrt()).mean() / 2
        loss = loss + apart * _off_diagonal(covariance).square().sum() / part.shape[1]
    return loss


def barlow(a, b, apart=0.01):
    """Barlow twins (Zbontar et al., 2021): the views' correlations are the identity. In no unit."""
    one, other = ((part - part.mean(0)) / (part.std(0) + 1e-4) for part in (a, b))
    correlation = one.T @ other / len(a)
    return (correlation.diagonal() - 1).square().sum() + apart * _off_diagonal(correlation).square().sum()


def swapped(a, b, prototypes):
    """SwAV (Caron et al., 2020), bits: each view names the other's prototype, all of which are used alike."""
    u = normalize(torch.cat([a, b]), dim=1)
    scores = u @ normalize(prototypes, dim=1).T
    with torch.no_grad():
        q = ((scores - scores.max()) / 0.05).exp()
        for _ in range(3):
            q = q / q.sum(0, keepdim=True)
            q = q / q.sum(1, keepdim=True)
    found = (scores / 0.1).log_softmax(1)
    n = len(a)
    return -((q[n:] * found[:n]).sum(1).mean() + (q[:n] * found[n:]).sum(1).mean()) / (2 * math.log(2))


def _off_diagonal(matrix):
    return matrix - matrix.diagonal().diag()
