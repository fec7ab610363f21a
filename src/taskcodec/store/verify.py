"""Whether every byte of a store is sound: each file is read, and those that nothing names are named."""

from collections.abc import Callable, Iterable, Iterator

from taskcodec.errors import TaskcodecError
from taskcodec.store.backend import Blobs
from taskcodec.store.file_layers.layout import orphans
from taskcodec.store.format.manifest import Manifest


def faults_of(blobs: Blobs, manifest: Manifest, steps: Iterable[Callable[[], object]]) -> Iterator[str]:
    """A line for each fault of a store that one of the steps raises, and for what is there beside it."""
    told = set[str]()
    for step in steps:
        try:
            step()
        except TaskcodecError as error:
            if str(error) not in told:  # what every chunk needs is named once
                told.add(str(error))
                yield str(error)
    if manifest.state != "complete":
        yield f"{blobs.name}: unfinished; run the same encode command again to resume it"
    elif not told:
        for key in orphans(blobs.sizes(), manifest):
            yield f"{blobs.name}/{key}: belongs to no sample (left by another writer, or put there): delete it"
