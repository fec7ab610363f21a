"""The client for a URL."""

from fsspec.utils import get_protocol

from taskcodec.store.places.anywhere import FsspecClient
from taskcodec.store.places.clients import S3, Client, Session
from taskcodec.store.places.s3 import S3Client


def connect(url: str) -> tuple[Client, str]:
    """The client for a URL, and the URL's path as it takes it.

    Raises UsageError where there is no such protocol, or where the package that speaks it is missing.
    """
    session = Session(url)
    return S3Client(session) if get_protocol(url) in S3 else FsspecClient(session), session.path
