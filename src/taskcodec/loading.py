"""Codecs by name: a file, the copy that a store keeps, or one of those that come with the package."""

from importlib import resources
from pathlib import Path

from taskcodec.codec import Codec
from taskcodec.container.file import MAX_BYTES
from taskcodec.errors import CorruptFileError, ForeignFileError, SourceError, as_name, unreadable
from taskcodec.store.backend import is_url, is_zip, local_path, open_blobs
from taskcodec.store.format.manifest import CODEC_KEY

BUNDLED = ("lite0",)
"""Names of the codecs shipped in the package."""


def load_codec(path: str | Path) -> Codec:
    """Load a codec from its file or a store (folder, zip file), each also by URL, or a bundled one by name ("lite0").

    Raises SourceError when there is no such file; ForeignFileError, FutureVersionError, CorruptFileError as found.
    """
    as_name("a codec", path, "the name of its file, of a store, or of a bundled codec")
    if str(path) in BUNDLED and not Path(path).exists():
        data = resources.files("taskcodec").joinpath(f"bundled/{path}.codec").read_bytes()
        return Codec.from_bytes(data, name=f"bundled codec {path}")
    place = local_path(path)
    file = Path(place)
    if is_url(place) or file.is_dir() or (file.is_file() and is_zip(file)):
        found = open_blobs(place).get(CODEC_KEY)
        if found is not None:
            return Codec.from_bytes(found, name=f"{path}/{CODEC_KEY}")
        folder, _, name = str(place).rpartition("/")
        if is_url(place) and is_url(folder) and (found := open_blobs(folder).get(name)) is not None:
            return Codec.from_bytes(found, name=str(path))
        raise ForeignFileError(f"{path}: neither a taskcodec store (no {CODEC_KEY} in it) nor a codec")
    try:
        if file.stat().st_size > MAX_BYTES:
            raise CorruptFileError(f"{path}: larger than any codec (at most {MAX_BYTES} bytes)")
        return Codec.from_bytes(file.read_bytes(), name=str(path))
    except ForeignFileError as error:
        words = "neither a taskcodec codec (a safetensors file with our manifest) nor a store (a folder, .zip or URL)"
        raise ForeignFileError(f"{path}: {words}") from error
    except FileNotFoundError as error:
        names = ", ".join(BUNDLED)
        raise SourceError(f"{path}: no such codec file, nor a bundled codec ({names})") from error
    except OSError as error:
        raise unreadable(path, error) from error
