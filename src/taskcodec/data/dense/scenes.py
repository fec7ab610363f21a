"""Scenes made by a procedure, whose boxes, masks and depth are exact: to train and test without any data.

    ground and wall --seen by a pinhole camera--> pixels, labels, depth
    objects on the ground, nearest first ------^  those behind are covered, or left out where little of them is seen

An object's class is its outline and nothing else: colours and textures are drawn apart from it. Depth shows in size, in
where an object meets the ground, in what covers what and in haze; none of these tells it alone, since objects of one
class differ in size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from taskcodec.data.dense.boxes import Boxes
from taskcodec.data.dense.picture import DensePicture
from taskcodec.data.dense.textures import texture
from taskcodec.errors import UsageError

Floats = npt.NDArray[np.float64]

SHAPES = ("ball", "box", "cone", "ring", "cross")
GROUND, WALL = 0, 1
FARTHEST = 12.0
"""Metres within which objects stand; the wall is behind them."""
LEAST_SEEN = 0.35
"""An object of which a smaller share would be seen is left out of a scene."""
_HAZE_METRES = 25.0


@dataclass(frozen=True)
class Scenes:
    """Scenes by number; each depends on the seed, its number and the sizes alone.

    Attributes:
        count: how many.
        height, width: of each picture, at least 1.
        seed: of them all.
        most_objects: how many a scene has at most; it has one at least.
        noise: standard deviation of the sensor's noise, in grey levels of 255.
    """

    count: int
    height: int = 64
    width: int = 64
    seed: int = 0
    most_objects: int = 7
    noise: float = 2.0

    def __post_init__(self) -> None:
        least = {"count": 0, "height": 1, "width": 1, "seed": 0, "most_objects": 1, "noise": 0}
        for what, lowest in least.items():
            if not getattr(self, what) >= lowest:
                raise UsageError(f"scenes: {what} is at least {lowest}, found {getattr(self, what)}")

    @property
    def name(self) -> str:
        """For reports."""
        return f"scenes {self.width}x{self.height}"

    @property
    def box_classes(self) -> tuple[str, ...]:
        """What objects are."""
        return SHAPES

    @property
    def label_classes(self) -> tuple[str, ...]:
        """What pixels are."""
        return ("ground", "wall", *SHAPES)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> DensePicture:
        """The scene of a number; `whole` is the class of the object of which most is seen. Raises IndexError."""
        if not 0 <= index < self.count:
            raise IndexError(f"scenes: there are {self.count}, found number {index}")
        rng = np.random.default_rng([self.seed, index])
        canvas, camera = _backdrop(rng, self.height, self.width)
        wanted = [_Object.drawn(rng, camera, self.width) for _ in range(rng.integers(1, self.most_objects + 1))]
        for thing in sorted(wanted, key=lambda thing: thing.distance):
            canvas = _with_object(rng, canvas, thing)
        if not canvas.kinds:  # none within so few pixels
            half, middle = max(self.height, self.width) / 4 + 0.5, (self.height / 2, self.width / 2)
            canvas = _with_object(rng, canvas, _Object(SHAPES.index("box"), FARTHEST / 2, *middle, half, 1.0))
        return _picture(rng, canvas, f"{self.seed}-{index}", self.noise)


@dataclass(frozen=True)
class _Camera:
    """A pinhole that looks level. horizon: its row; focal: pixels; eye: metres above the ground; lowest: last row."""

    horizon: float
    focal: float
    eye: float
    lowest: float


@dataclass(frozen=True, eq=False)
class _Canvas:
    """A scene while it is made. colours: (H, W, 3) in [0, 1] before haze; kinds: of its objects, nearest first."""

    colours: Floats
    depth: Floats
    objects: npt.NDArray[np.int32]
    labels: npt.NDArray[np.uint8]
    kinds: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Object:
    """One object. row, column, half: middle and half the extent in pixels; thickness: metres towards the camera."""

    kind: int
    distance: float
    row: float
    column: float
    half: float
    thickness: float

    @classmethod
    def drawn(cls, rng: np.random.Generator, camera: _Camera, width: int) -> _Object:
        """An object that stands on the ground that is in the picture."""
        nearest = camera.eye * camera.focal / (camera.lowest - camera.horizon)
        distance = float(np.exp(rng.uniform(np.log(min(nearest, FARTHEST)), np.log(FARTHEST))))
        metres = rng.uniform(0.5, 1.6)
        half = max(metres * camera.focal / distance / 2, 0.75)
        foot = camera.horizon + camera.eye * camera.focal / distance
        return cls(
            int(rng.integers(len(SHAPES))), distance, foot - half, float(rng.uniform(0, width)), half, metres / 2
        )


def _backdrop(rng: np.random.Generator, height: int, width: int) -> tuple[_Canvas, _Camera]:
    """Ground and wall, empty, and what sees them: depth is the same along a row."""
    camera = _Camera(
        height * rng.uniform(0.2, 0.4), height * rng.uniform(0.9, 1.3), rng.uniform(0.9, 1.8), float(height)
    )
    far = rng.uniform(FARTHEST + 0.5, FARTHEST + 4)
    rows, columns = _grid(height, width)
    ground = camera.eye * camera.focal / np.maximum(rows - camera.horizon, 1e-9)
    depth = np.minimum(ground, far) * np.ones((1, width))
    size = max(height, width) / 2
    surfaces = [_surface(rng, rows, columns, size) for _ in range(2)]
    is_wall = depth >= far
    labels = np.where(is_wall, WALL, GROUND).astype(np.uint8)
    colours = np.where(is_wall[..., None], *surfaces)
    return _Canvas(colours, depth, np.zeros((height, width), np.int32), labels), camera


def _with_object(rng: np.random.Generator, canvas: _Canvas, thing: _Object) -> _Canvas:
    """The scene with an object behind all that are there; as it was where too little of it would be seen."""
    rows, columns = _grid(*canvas.depth.shape)
    y, x = (rows - thing.row) / thing.half, (columns - thing.column) / thing.half
    outline, relief = _shape(thing.kind, x, y)
    seen = outline & (canvas.objects == 0)
    if seen.sum() < max(1, LEAST_SEEN * outline.sum()):
        return canvas
    colours = _surface(rng, rows, columns, thing.half) * (0.65 + 0.35 * relief)[..., None]
    return replace(
        canvas,
        colours=np.where(seen[..., None], colours, canvas.colours),
        depth=np.where(seen, thing.distance - thing.thickness * relief, canvas.depth),
        objects=np.where(seen, len(canvas.kinds) + 1, canvas.objects).astype(np.int32),
        labels=np.where(seen, WALL + 1 + thing.kind, canvas.labels).astype(np.uint8),
        kinds=(*canvas.kinds, thing.kind),
    )


def _shape(kind: int, x: Floats, y: Floats) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Where an object is, in units of half its extent, and how far it comes forward there, 0 to 1."""
    name, radius = SHAPES[kind], np.hypot(x, y)
    if name == "ball":
        return radius <= 1, np.sqrt(np.maximum(1 - radius**2, 0))
    if name == "box":
        return (abs(x) <= 1) & (abs(y) <= 1), np.clip(0.5 + 0.4 * x, 0, 1) + 0 * y
    if name == "cone":
        wide = np.clip((1 + y) / 2, 1e-9, 1)
        return (abs(x) <= wide) & (abs(y) <= 1), np.sqrt(np.maximum(wide**2 - x**2, 0))
    if name == "ring":
        return (radius <= 1) & (radius >= 0.55), np.sqrt(np.maximum(0.225**2 - (radius - 0.775) ** 2, 0))
    return (np.maximum(abs(x), abs(y)) <= 1) & (np.minimum(abs(x), abs(y)) <= 0.33), 0.2 + 0 * radius


def _surface(rng: np.random.Generator, rows: Floats, columns: Floats, size: float) -> Floats:
    """(H, W, 3) two colours, mixed by a texture."""
    first, second = rng.uniform(0.05, 0.95, (2, 3))
    share = (1 + np.clip(texture(rng, rows, columns, size), -1, 1)) / 2
    return np.asarray(first + share[..., None] * (second - first))


def _picture(rng: np.random.Generator, canvas: _Canvas, name: str, noise: float) -> DensePicture:
    """What the camera sees: haze, the light of the day, noise; and the boxes, from the pixels that are seen."""
    clear = np.exp(-canvas.depth / _HAZE_METRES)[..., None]
    light = rng.uniform(0.7, 1.1) * (clear * canvas.colours + (1 - clear) * rng.uniform(0.5, 0.9, 3))
    grey = 255 * light + noise * rng.standard_normal(light.shape)
    found = [np.nonzero(canvas.objects == place + 1) for place in range(len(canvas.kinds))]
    corners = [[x.min(), y.min(), x.max() + 1, y.max() + 1] for y, x in found]
    return DensePicture(
        name,
        np.clip(np.rint(grey), 0, 255).astype(np.uint8),
        Boxes.of(corners, canvas.kinds),
        canvas.objects,
        canvas.labels,
        canvas.depth.astype(np.float32),
        canvas.kinds[int(np.argmax([len(y) for y, _ in found]))],
    )


def _grid(height: int, width: int) -> tuple[Floats, Floats]:
    """(H, 1) and (1, W) middles of pixels."""
    return np.arange(0.5, height)[:, None], np.arange(0.5, width)[None]
