"""Crops, and what is known of what they show."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from taskcodec.errors import UsageError  # noqa: E402
from taskcodec.fitting.gradient.data import Steps  # noqa: E402
from taskcodec.fitting.gradient.pictures.data import (  # noqa: E402
    KnownPicture,
    PictureSet,
    batch_of,
    crop_of,
    loader,
)
from taskcodec.samples import VOID  # noqa: E402
from tests.fitting.gradient.pictures.tiny import pictures, plain  # noqa: E402


def test_a_crop_keeps_what_is_known_in_its_place():
    whole = pictures().pictures[0]
    part = crop_of(whole, 3, 5, (12, 12))
    for name in ("pixels", "labels", "depth"):
        assert np.array_equal(getattr(part, name), getattr(whole, name)[3:15, 5:17])
    inside = np.clip(whole.corners - np.array([5, 3, 5, 3]), 0, 12)
    assert len(part.corners) == len(part.box_labels) <= len(whole.corners)
    assert all(any(np.array_equal(box, other) for other in inside) for box in part.corners)


def test_a_box_that_is_nearly_cut_off_is_not_asked_for():
    boxes = np.array([[0, 0, 10, 10], [8, 0, 18, 10], [20, 0, 30, 10]], np.float32)
    whole = KnownPicture(np.zeros((10, 40, 3), np.uint8), corners=boxes, box_labels=np.arange(3))
    assert crop_of(whole, 0, 0, (10, 10)).box_labels.tolist() == [0]
    assert crop_of(whole, 0, 0, (12, 12)).box_labels.tolist() == [0, 1]
    assert crop_of(whole, 0, 0, (12, 12)).corners[1].tolist() == [8, 0, 12, 10]


def test_beyond_a_small_picture_nothing_is_known():
    whole = pictures(height=6, width=20).pictures[0]
    part = crop_of(whole, 0, 2, (10, 10))
    assert np.array_equal(part.pixels[6:], np.repeat(whole.pixels[5:6, 2:12], 4, axis=0))
    assert (part.labels[6:] == VOID).all()
    assert (part.depth[6:] == 0).all()


def test_a_step_sees_the_same_crops_again():
    data = plain()

    def batches(done, steps):
        order = Steps(len(data.pictures), 2, 5, 6, steps, (0, 1), lambda: done)
        return [batch.pictures for batch in loader(data, 4, order)]

    whole = batches(0, 6)
    assert all(torch.equal(one, other) for one, other in zip(whole, batches(0, 3) + batches(3, 3), strict=True))
    assert not torch.equal(whole[0], whole[2])  # the same rows, elsewhere


def test_crops_are_no_larger_than_the_largest_picture_of_their_step():
    shapes = [(6, 20), (9, 12)]
    data = PictureSet([KnownPicture(np.zeros((*shape, 3), np.uint8)) for shape in shapes], {})
    for side, expected in ((4, (4, 4)), (12, (9, 12)), (50, (9, 20))):
        order = Steps(2, 2, 5, 1, 1, (0, 1), lambda: 0)
        (batch,) = loader(data, side, order)
        assert tuple(batch.pictures.shape[2:]) == expected


def test_a_batch_is_the_truth_of_its_pictures():
    some = pictures().pictures[:2]
    truth = batch_of(some).truth
    assert truth.pictures.shape == (2, 3, 20, 24)
    assert torch.equal((truth.pictures * 255).round().to(torch.uint8)[1, 0], torch.from_numpy(some[1].pixels[..., 0]))
    assert truth.labels.dtype == truth.whole.dtype == torch.int64
    assert [len(each) for each in truth.corners] == [len(each.corners) for each in some]
    assert batch_of(plain(1).pictures).truth.labels is None


def test_what_is_known_of_one_is_known_of_all():
    some = pictures().pictures
    with pytest.raises(UsageError, match="labels of 1 of 2 pictures alone"):
        PictureSet([some[0], replace(some[1], labels=None)], {})
    assert plain().identity() == plain().identity() != plain(3).identity()
