"""Labels as classes and as numbers."""

import numpy as np
import pytest

from taskcodec.errors import UsageError
from taskcodec.store.views.labels import classes_of
from tests.store.views.stored import stored

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader  # noqa: E402

D = 4


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["10", "2", "1", "2"], ["1", "2", "10"]),
        (["0.5", "-3", "1e2", "7"], ["-3", "0.5", "7", "1e2"]),
        (["10", "2", "cat"], ["10", "2", "cat"]),
        (["class 10", "class 9"], ["class 10", "class 9"]),
        (["9", "9.0", None], ["9", "9.0"]),
        ([None, None], []),
    ],
)
def test_classes_that_are_numbers_are_in_the_order_of_numbers(tmp_path, labels, classes):
    assert classes_of(labels) == classes
    store = stored(tmp_path / "x.tcz", labels)
    for dataset in (store.torch(), store.torch(style="iterable")):
        assert dataset.classes == classes
        targets = [
            target
            for _, target in (dataset if hasattr(dataset, "__iter__") else map(dataset.__getitem__, range(len(labels))))
        ]
        assert targets == [-1 if label is None else classes.index(label) for label in labels]


def test_labels_as_numbers(tmp_path):
    store = stored(tmp_path / "x.tcz", ["0.25", None, "-3", "nan", "1e3", "7"])
    expected = [0.25, np.nan, -3, np.nan, 1000, 7]
    assert store.numeric_labels.dtype == np.float64
    np.testing.assert_array_equal(store.numeric_labels, expected)
    with pytest.raises(ValueError, match="read-only"):
        store.numeric_labels[0] = 1
    for style in ("map", "iterable"):
        dataset = store.torch(style=style, target="number")
        assert dataset.classes == []
        features, targets = next(iter(DataLoader(dataset, batch_size=6)))
        assert (features.dtype, targets.dtype, targets.shape) == (torch.float32, torch.float32, (6,))
        np.testing.assert_array_equal(targets.numpy(), np.array(expected, "f4"))


def test_labels_that_are_no_numbers_are_named(tmp_path):
    for name, labels, says in (
        ("a.tcz", ["1", "cat"], r"a\.tcz: its labels are classes, not numbers: 'cat' is not one"),
        ("b.tcz", [None, None], r"b\.tcz: no sample has a label"),
    ):
        store = stored(tmp_path / name, labels)
        with pytest.raises(UsageError, match=says):
            store.numeric_labels  # noqa: B018
        with pytest.raises(UsageError, match=says):
            store.torch(target="number")
    with pytest.raises(UsageError, match="target 'index' is neither 'class' nor 'number'"):
        store.torch(target="index")
