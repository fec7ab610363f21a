"""The theory of invariant compression on finite sources, exactly: what a code costs, and what it loses on any task.

    Y <-- X --> Z        Y a task, Z = code(X); a task is invariant where x ~ x+ implies p(y|x) = p(y|x+)

For log loss the excess risk of predicting Y from Z and not from X is H[Y|Z] - H[Y|X], and no invariant task has more
than H[M|Z], which the task Y = M has (Dubois et al., "Lossy Compression for Lossless Prediction", NeurIPS 2021,
propositions 1 and 2). Everything here is in bits and comes from tables of probabilities: no estimate, no sampling.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskcodec.coding import encode_block, tables_from_symbols
from taskcodec.coding.tables import MAX_SIZE
from taskcodec.errors import UsageError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

BLOCK = 4096
"""Samples of a coded block where rates are measured."""
SUM_TOLERANCE = 1e-5
"""How far a sum of probabilities may be from 1: what single precision leaves. It is divided out."""
ROUNDING_BITS = 1e-9
"""How far below 0 rounding may leave an entropy or an excess that is a difference of entropies."""


def entropy_bits(probabilities: npt.ArrayLike) -> float:
    """Entropy of a distribution of any shape, -sum p log2 p, with 0 log 0 = 0.

    Raises:
        UsageError: an entry that is negative or no number, or a sum that is not 1.
    """
    p = _distribution(probabilities, "entropy")
    p = p[p > 0]
    return max(0.0, float(-(p * np.log2(p)).sum()))


def _distribution(probabilities: npt.ArrayLike, where: str) -> Floats:
    """All entries as one row in double precision, divided by their sum. Raises UsageError as `entropy_bits` does."""
    p = _numbers(probabilities, where).ravel()
    if not (p >= 0).all():
        raise UsageError(f"{where}: needs probabilities, found {p[~(p >= 0)][0]:g}")
    if not abs(p.sum() - 1) <= SUM_TOLERANCE:
        raise UsageError(f"{where}: needs probabilities that sum to 1, found a sum of {p.sum():.6g}")
    return np.asarray(p / p.sum(), dtype=np.float64)


def _distributions(table: npt.ArrayLike, says: str) -> Floats:
    """(s, y) rows in double precision, each divided by its sum. Raises UsageError, which `says` what a row must be."""
    rows = _numbers(table, says)
    if rows.ndim != 2 or not (rows >= 0).all() or not (np.abs(rows.sum(axis=1) - 1) <= SUM_TOLERANCE).all():
        raise UsageError(says)
    return np.asarray(rows / rows.sum(axis=1, keepdims=True), dtype=np.float64)


def _numbers(values: npt.ArrayLike, where: str) -> Floats:
    """An array in double precision. Raises UsageError on what is none, such as rows of unequal length."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where}: not an array of numbers") from error


def _names(values: npt.ArrayLike, where: str) -> Ints:
    """(s,) names of orbits or codes. Raises UsageError on what is not whole, and where there is none."""
    _numbers(values, where)
    found = np.asarray(values)  # as it is: double precision would merge large names
    with np.errstate(invalid="ignore"):
        whole = found.astype(np.intp) if found.dtype.kind in "biuf" else np.empty(0, np.intp)
    if found.ndim != 1 or found.size == 0 or not np.array_equal(whole, found):
        raise UsageError(f"{where}: a whole number for each of one or more points expected, found shape {found.shape}")
    return whole


def rate_invariance_bits(invariant_entropy_bits: float, excess_bits: float) -> float:
    """R(delta) = max(0, H[M] - delta): the least bits a sample at which no invariant task loses more than delta.

    Each bit saved costs at most one bit of risk (theorem 2 of the paper). H[M] is that of a discrete M: a differential
    entropy, which may be negative, counts no bits that a code could have.

    Raises:
        UsageError: one of the two is negative or no number, or both are infinite.
    """
    if not excess_bits >= -ROUNDING_BITS:
        raise UsageError(f"rate-invariance: an excess risk is not negative, found {excess_bits:g}")
    if not invariant_entropy_bits >= -ROUNDING_BITS:
        raise UsageError(f"rate-invariance: an entropy H[M] is not negative, found {invariant_entropy_bits:g}")
    if excess_bits == invariant_entropy_bits == math.inf:
        raise UsageError("rate-invariance: an infinite H[M] less an infinite excess risk is any number")
    return max(0.0, invariant_entropy_bits - excess_bits)


def saving_bits(entropy: float, invariant_entropy_bits: float) -> float:
    """H[X|M] = H[X] - H[M]: what invariance saves against lossless coding, since M is a function of X.

    Raises UsageError where the difference is no number: one of the two is none, or both are infinite.
    """
    saved = entropy - invariant_entropy_bits
    if math.isnan(saved):
        raise UsageError(f"saving: needs two entropies, found {entropy:g} and {invariant_entropy_bits:g}")
    return saved


def code_table(codes: npt.ArrayLike) -> Floats:
    """(s,) whole numbers, the code of each point -> (s, z) table p(z|x) of zeros and ones. Raises UsageError."""
    numbers = np.unique(_names(codes, "codes"), return_inverse=True)[1]
    return np.asarray(np.eye(int(numbers.max()) + 1)[numbers], dtype=np.float64)


def erasure_code(orbits: npt.ArrayLike, keep: float) -> Floats:
    """(s, m + 1) table of the code that sends M with probability `keep` and a blank otherwise.

    It lies on the rate-invariance function for every `keep`: rate keep * H[M], worst excess (1 - keep) * H[M].

    Raises:
        UsageError: `keep` is no probability, or an orbit no whole number.
    """
    if not 0 <= keep <= 1:
        raise UsageError(f"erasure code: keeps M with a probability from 0 to 1, found {keep:g}")
    sent = keep * code_table(orbits)
    return np.concatenate([sent, np.full((len(sent), 1), 1.0 - keep)], axis=1)


@dataclass(frozen=True, eq=False)
class CodedSource:
    """A source through a code.

    Attributes:
        probabilities: (s,) p(x).
        code: (s, z) p(z|x).
        orbits: (s,) the maximal invariant of each point.

    Lists and single precision are taken too, and kept as arrays in double precision.

    Raises:
        UsageError: probabilities that are negative or do not sum to 1, or arrays that do not fit each other.
    """

    probabilities: Floats
    code: Floats
    orbits: Ints

    def __post_init__(self) -> None:
        kept = {
            "probabilities": _distribution(self.probabilities, "a coded source"),
            "code": _distributions(self.code, "a code's table holds p(z|x): each row sums to 1"),
            "orbits": _names(self.orbits, "a coded source's orbits"),
        }
        if not np.shape(self.probabilities) == kept["code"].shape[:1] == kept["orbits"].shape:
            raise UsageError("a coded source needs a probability, a code and an orbit for each point")
        for name, array in kept.items():
            object.__setattr__(self, name, array)

    @property
    def rate_bits(self) -> float:
        """I(X;Z), the bits that Z holds about X: what an entropy coder of Z needs where the code is deterministic."""
        joint = self.probabilities[:, None] * self.code
        return entropy_bits(self.probabilities) + entropy_bits(joint.sum(axis=0)) - entropy_bits(joint)

    @property
    def worst_excess_bits(self) -> float:
        """H[M|Z], the largest excess risk of all invariant tasks: the invariance distortion for log loss."""
        return _conditional_bits(self._joint(code_table(self.orbits)))

    def excess_bits(self, task: npt.ArrayLike) -> float:
        """H[Y|Z] - H[Y|X]: what the best predictor of a task loses by reading Z and not X.

        Args:
            task: (s, y) p(y|x), invariant or not.

        Raises:
            UsageError: a task without a distribution for each point.
        """
        table = _task_table(task, len(self.probabilities))
        given_x = sum(p * entropy_bits(row) for p, row in zip(self.probabilities, table, strict=True))
        return _conditional_bits(self._joint(table)) - float(given_x)

    def _joint(self, task: Floats) -> Floats:
        """(y, z) p(y, z): Y and Z meet only in X."""
        return np.asarray(task.T @ (self.probabilities[:, None] * self.code), dtype=np.float64)


def _task_table(task: npt.ArrayLike, points: int) -> Floats:
    says = "a task's table holds p(y|x): a row for each point that sums to 1"
    table = _distributions(task, says)
    if len(table) != points:
        raise UsageError(f"{says}: {points} expected, found {len(table)}")
    return table


def _conditional_bits(joint: Floats) -> float:
    """(y, z) p(y, z) -> H[Y|Z]."""
    return entropy_bits(joint) - entropy_bits(joint.sum(axis=0))


def random_task(orbits: npt.ArrayLike, classes: int, seed: int, sharpness: float = 0.3) -> Floats:
    """(s, classes) an invariant task drawn at random: one distribution of Y for each orbit.

    Args:
        orbits: (s,) the maximal invariant.
        classes: values of Y.
        seed: of the draw.
        sharpness: of the Dirichlet that distributions are drawn from; small ones give labels that are nearly certain.

    Raises:
        UsageError: orbits that are not 0, 1, ...; no classes; a sharpness that no distribution can be drawn with.
    """
    numbers = _names(orbits, "orbits")
    if numbers.min() < 0 or classes < 1 or not 0 < sharpness < math.inf:
        raise UsageError(
            "random task: needs orbits from 0, 1 class and a sharpness above 0, "
            f"found {numbers.min()}, {classes} and {sharpness:g}"
        )
    rows = np.random.default_rng(seed).dirichlet(np.full(classes, sharpness), size=int(numbers.max()) + 1)
    # A sharpness at the end of what double precision holds leaves rows of NaN or of zeros.
    return _distributions(rows, f"random task: a sharpness of {sharpness:g} gives no distributions")[numbers]


def worst_task(orbits: npt.ArrayLike) -> Floats:
    """(s, m) the task Y = M: no invariant task loses more. Raises UsageError on orbits that are not whole numbers."""
    return code_table(orbits)


def place_in_orbit(orbits: npt.ArrayLike) -> Floats:
    """(s, y) the task "which of its orbit's points is it?", which is NOT invariant: the negative control.

    Raises UsageError on orbits that are not whole numbers.
    """
    numbers = _names(orbits, "orbits")
    place = np.empty(len(numbers), np.intp)
    for orbit in np.unique(numbers):
        rows = np.flatnonzero(numbers == orbit)
        place[rows] = np.arange(len(rows))
    return code_table(place)


def is_invariant(task: npt.ArrayLike, orbits: npt.ArrayLike) -> bool:
    """Whether (s, y) p(y|x) is one and the same over each orbit.

    Raises UsageError where the task is no distribution for each point, or an orbit not a whole number.
    """
    numbers = _names(orbits, "orbits")
    table = _task_table(task, len(numbers))
    first = np.unique(numbers, return_index=True)[1]
    return bool(np.allclose(table, table[first[np.unique(numbers, return_inverse=True)[1]]]))


def infonce_bits(scores: npt.ArrayLike) -> float:
    """The InfoNCE estimate of I(view; view) in bits, log2 c + mean log2 softmax: at most log2 c, whatever the scores.

    So c candidates cannot tell a code of more than log2 c bits from a better one (van den Oord, Li, Vinyals 2018).

    Args:
        scores: (n, c) of each anchor with c candidates, the true one first. Minus infinity rules a candidate out.

    Raises:
        UsageError: scores of another shape, a NaN or plus infinity among them, or an anchor with every candidate ruled
            out.
    """
    s = _numbers(scores, "InfoNCE")
    if s.ndim != 2 or 0 in s.shape:
        raise UsageError(f"InfoNCE: needs scores of shape (anchors, candidates), found {s.shape}")
    top = s.max(axis=1, keepdims=True)
    if not np.isfinite(top).all():
        raise UsageError(f"InfoNCE: each anchor needs a finite best score, found {top[~np.isfinite(top)][0]:g}")
    log_sum = top[:, 0] + np.log(np.exp(s - top).sum(axis=1))
    return float(math.log2(s.shape[1]) + (s[:, 0] - log_sum).mean() / math.log(2))


@dataclass(frozen=True)
class QuantizationPoint:
    """A point of a curve of rate and error.

    Attributes:
        step: of the quantizer.
        bits_file: bits a sample of real blocks.
        bits_model: entropy of the symbols under the tables they were coded with.
        mse: mean squared error of the points that symbols are decoded to.
    """

    step: float
    bits_file: float
    bits_model: float
    mse: float


def quantization_point(fit: npt.ArrayLike, test: npt.ArrayLike, step: float) -> QuantizationPoint:
    """Uniform entropy-coded scalar quantization of each column, measured on real blocks of BLOCK samples.

        x --divide by step, round--> symbol --table, ANS--> bytes;      symbol --mean of its cell--> x_hat

    Tables and the cells' means come from `fit` (n, k), everything measured from `test` (m, k). With |x| in a single
    column this is the curve that a rotation-invariant codec is held against.

    Raises:
        UsageError: a step that is not positive or too small for the tables, data that is empty, not finite or not of
            the same columns.
    """
    if not 0 < step < math.inf:
        raise UsageError(f"quantization: needs a step above 0, found {step:g}")
    train, x = (_columns(part) for part in (fit, test))
    if train.shape[1] != x.shape[1]:
        raise UsageError(f"quantization: fitted on {train.shape[1]} columns, tested on {x.shape[1]}")
    known, symbols = (_symbols(part, step) for part in (train, x))
    most = int(np.ptp(known.astype(np.int64), axis=0).max()) + 1
    if most > MAX_SIZE:
        raise UsageError(f"quantization: a step of {step:g} needs tables of {most} symbols, they hold {MAX_SIZE}")
    tables = tables_from_symbols(known)
    size = sum(len(encode_block(symbols[i : i + BLOCK], tables)) for i in range(0, len(symbols), BLOCK))
    decoded = symbols * step
    for j in range(x.shape[1]):
        low, high = int(known[:, j].min()), int(known[:, j].max())
        count = np.bincount(known[:, j] - low, minlength=high - low + 1)
        means = np.bincount(known[:, j] - low, train[:, j]) / np.maximum(count, 1)
        inside = (symbols[:, j] >= low) & (symbols[:, j] <= high)
        inside[inside] = count[symbols[inside, j] - low] > 0
        decoded[inside, j] = means[symbols[inside, j] - low]
    model = float(tables.code_length(symbols).mean())
    return QuantizationPoint(step, 8 * size / len(x), model, float(((x - decoded) ** 2).sum(axis=1).mean()))


def _columns(values: npt.ArrayLike) -> Floats:
    """(n, k) finite numbers, of whatever shape a sample has. Raises UsageError."""
    found = _numbers(values, "quantization")
    if found.ndim == 0 or found.size == 0 or not np.isfinite(found).all():
        raise UsageError(f"quantization: needs samples of finite numbers, found shape {found.shape}")
    return found.reshape(len(found), -1)


def _symbols(x: Floats, step: float) -> npt.NDArray[np.int32]:
    """Each number in steps. Raises UsageError where 32 bits do not hold it."""
    with np.errstate(over="ignore"):
        steps = np.round(x / step)
    if np.abs(steps).max() > np.iinfo(np.int32).max:
        raise UsageError(f"quantization: a step of {step:g} is too small for numbers of {np.abs(x).max():g}")
    return steps.astype(np.int32)
