"""Dense pictures of a test's own."""

from dataclasses import dataclass

from taskcodec.data.dense.picture import DensePicture


@dataclass(frozen=True)
class Made:
    """Pictures in memory."""

    made: tuple[DensePicture, ...]
    box_classes: tuple[str, ...] = ()
    label_classes: tuple[str, ...] = ()
    name: str = "made"

    def __len__(self):
        return len(self.made)

    def __getitem__(self, index):
        return self.made[index]
