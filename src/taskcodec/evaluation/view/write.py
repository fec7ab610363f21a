"""`taskcodec view`: a store as one page to look at."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from taskcodec.atomic import replacing
from taskcodec.errors import StorageError, UsageError
from taskcodec.evaluation.view.content import ViewContent, gather
from taskcodec.evaluation.view.page import page
from taskcodec.store import Store


def write_view(place: Any, output: Path, elsewhere: str | Sequence[str] = ()) -> ViewContent:
    """Write a page of less than 5 MB on a store: pictures where it has a layer of them, labels, neighbours, failures.

    Layers that lie at another place show where `elsewhere` names it, or a folder or bucket around it; what is returned
    says which could not be looked at.

    Returns:
        What it shows.

    Raises:
        UsageError: the output is no .html file.
        StorageError: it cannot be written.
        Further what reading a store raises.
    """
    if output.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{output}: the page is written to a .html file")
    content = gather(Store(place), elsewhere)
    try:
        with replacing(output) as temporary:
            temporary.write_text(page(content), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{output}: cannot be written ({error.strerror or error})") from error
    return content
