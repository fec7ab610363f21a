"""A script: Lightning trains on stores in two processes, and each writes down which samples it saw in which epoch.

python two_ranks.py FOLDER STORE ...
"""

import json
import logging
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

import taskcodec
from taskcodec.transforms.torchvision import import_torchvision

import_torchvision()  # Lightning imports it

import lightning  # noqa: E402

EPOCHS, BATCH = 3, 8


class Watcher(lightning.LightningModule):
    """A linear map of the features, whose first says which sample they are of."""

    def __init__(self, width):
        super().__init__()
        self.layer, self.epochs = torch.nn.Linear(width, 1), []

    def on_train_epoch_start(self):
        self.epochs.append([])

    def training_step(self, batch):
        features, _ = batch
        self.epochs[-1] += np.round(features[:, 0].numpy()).astype(int).tolist()
        return self.layer(features).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 1e-6)


def loaders(store):
    """Each style in a loader, as users make them."""
    streams = {"style": "iterable", "shuffle": True}
    return {
        "map": DataLoader(store.torch(), batch_size=BATCH, shuffle=True),
        "map, workers": DataLoader(store.torch(), batch_size=BATCH, shuffle=True, num_workers=2),
        "map, workers that stay": DataLoader(
            store.torch(), batch_size=BATCH, shuffle=True, num_workers=1, persistent_workers=True
        ),
        "rows": DataLoader(store.torch(**streams), batch_size=BATCH),
        "batches": DataLoader(store.torch(**streams, batch_size=BATCH), batch_size=None),
        "batches, workers": DataLoader(store.torch(**streams, batch_size=BATCH), batch_size=None, num_workers=2),
        "batches, workers that stay": DataLoader(
            store.torch(**streams, batch_size=BATCH), batch_size=None, num_workers=2, persistent_workers=True
        ),
    }


def epochs_of(store):
    """Of each loader, the samples of each epoch."""
    seen = {}
    for name, loader in loaders(store).items():
        model = Watcher(store.manifest.dimension)
        trainer = lightning.Trainer(
            accelerator="cpu", devices=2, strategy="ddp", max_epochs=EPOCHS, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(model, loader)
        seen[name] = model.epochs
    return seen


def main(folder, *places):
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    seen = {Path(place).name: epochs_of(taskcodec.open(place)) for place in places}
    (Path(folder) / f"{os.environ.get('LOCAL_RANK', '0')}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
