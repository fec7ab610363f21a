import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("kornia")

from taskcodec.data.augmentations.kinds import IMAGE_SETS, jittered, radius, rotations, views  # noqa: E402
from taskcodec.errors import UsageError  # noqa: E402


@pytest.mark.parametrize("name", IMAGE_SETS)
@pytest.mark.parametrize("channels", [1, 3])
def test_image_sets_give_a_view_of_each_that_follows_from_torch_s_seed(name, channels):
    images = torch.rand(6, channels, 28, 28)
    made = views(name, images)
    torch.manual_seed(3)
    first = made(images)
    torch.manual_seed(3)
    assert torch.equal(made(images), first)
    assert not torch.equal(made(images), first)
    assert first.shape == images.shape
    assert 0 <= first.min() <= first.max() <= 1


def test_rotations_leave_the_radius_alone_and_jitter_does_not():
    points = torch.randn(50, 2)
    assert torch.allclose(radius(rotations(points)), radius(points), atol=1e-5)
    moved = jittered(rotations, 0.1)(points)
    assert 0.02 < (radius(moved) - radius(points)).std() < 0.3


@pytest.mark.parametrize(
    ("name", "shape", "says"),
    [
        ("mnits", (3, 1, 28, 28), "augmentations must be one of .*, found 'mnits'"),
        ("mnist", (3, 2), "for images"),
        ("rotations", (3, 1, 28, 28), "for vectors"),
        ("rotations", (3, 5), "plane"),
    ],
)
def test_a_set_that_does_not_fit_is_named(name, shape, says):
    with pytest.raises(UsageError, match=says):
        views(name, torch.rand(shape))
    assert views("none", torch.rand(shape)) is None
