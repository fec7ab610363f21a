"""An S3 server on loopback that counts what reaches it, and fails where it is told to.

    with s3_server() as server:                # or the fixture `s3`, which gives a bucket of its own to each test
        place = server.url("photos.tcz")       # s3://bucket-1/photos.tcz
        with server.counting() as seen:
            taskcodec.open(place)
        assert seen.total <= 4 and seen["head"] == 0

It speaks the protocol (moto's server), and what it counts is what it was sent: also what a library sends by itself.
Settings reach boto, s3fs and child processes by the environment, as a user would give them. Deliberately, nothing here
imports taskcodec.
"""

import os
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import MotoRequestHandler
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

KINDS = ("get", "range", "put", "head", "list", "delete", "other")
"""Of requests: `get` of a whole object, `range` of a part of one, `list` of up to 1,000 names; buckets are `other`."""
FAULTS = ("slow_down", "error", "reset", "torn", "delay")
"""503 SlowDown, 500 InternalError, a connection that is cut before the answer, or in its body, and one that is slow."""
_ANSWERS = {
    "slow_down": ("503 Slow Down", "SlowDown"),
    "error": ("500 Internal Server Error", "InternalError"),
}


class Seen(Counter[str]):
    """How many requests of each kind; `keys` has (kind, key) of each, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.keys_seen: list[tuple[str, str]] = []

    @property
    def total(self) -> int:
        return sum(self[kind] for kind in KINDS)


@dataclass
class Faults:
    """What goes wrong with a share of the requests: `kinds` of FAULTS, in turn by chance.

    Attributes:
        share: of the requests, 0 to 1.
        kinds: of faults.
        seconds: that a delayed one takes.
        only: kinds of requests that may fail.
        key: a piece of the keys that may fail; "" is any.
        most: faults in all; None is no bound.
        after: whether a put that is cut off was carried out all the same (its answer alone was lost).
    """

    share: float = 1.0
    kinds: tuple[str, ...] = ("slow_down", "reset", "torn")
    seconds: float = 0.2
    only: tuple[str, ...] = KINDS
    key: str = ""
    most: int | None = None
    after: bool = False
    seed: int = 0
    made: Counter[str] = field(default_factory=Counter)


class _Watched:
    """The server's application, with counting and faults before it."""

    def __init__(self) -> None:
        self.application = DomainDispatcherApplication(create_backend_app)
        self.counts: list[Seen] = []
        self.faults: Faults | None = None
        self.without_conditions = False
        self.lock = threading.Lock()
        self._random = random.Random(0)

    def __call__(self, environ, start_response):
        kind, key = _kind(environ), environ["PATH_INFO"].lstrip("/").partition("/")[2]
        with self.lock:
            for seen in self.counts:
                seen[kind] += 1
                seen.keys_seen.append((kind, key))
            fault = self._drawn(kind, key)
        if fault == "delay":
            time.sleep(self.faults.seconds if self.faults else 0)
        elif fault in ("slow_down", "error"):
            return _answered(environ, start_response, *_ANSWERS[fault])
        elif fault in ("reset", "torn"):
            return self._cut(environ, start_response, torn=fault == "torn")
        elif self.without_conditions and kind == "put" and {"HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"} & environ.keys():
            return _answered(environ, start_response, "501 Not Implemented", "NotImplemented")
        return self.application(environ, start_response)

    def _drawn(self, kind: str, key: str) -> str | None:
        faults = self.faults
        if faults is None or kind not in faults.only or faults.key not in key:
            return None
        if faults.most is not None and faults.made.total() >= faults.most:
            return None
        if self._random.random() >= faults.share:
            return None
        found = self._random.choice(faults.kinds)
        faults.made[found] += 1
        return found

    def _cut(self, environ, start_response, torn: bool):
        """Half of the body and then the end of the connection, or the end at once."""
        if not torn:
            if self.faults is not None and self.faults.after:
                b"".join(self.application(environ, lambda *_: None))
            else:
                _read_body(environ)
            _cut_off(environ)

        def half():
            told = []
            body = b"".join(self.application(environ, lambda *given: told.append(given)))
            status, headers = told[0][0], [(k, v) for k, v in told[0][1] if k.lower() != "content-length"]
            start_response(status, [*headers, ("Content-Length", str(max(len(body), 1)))])
            yield body[: len(body) // 2]
            _cut_off(environ)

        return half()


@dataclass
class Server:
    """A running server and one bucket of it."""

    endpoint: str
    bucket: str
    watched: _Watched

    def url(self, key: str = "") -> str:
        return f"s3://{self.bucket}/{key}".rstrip("/")

    def client(self):
        """boto3's client of it: an independent way to look at what is there, and to put things."""
        return boto3.client("s3")

    def put(self, key: str, data: bytes) -> None:
        self.client().put_object(Bucket=self.bucket, Key=key, Body=data)

    def put_empty(self, keys: Iterable[str]) -> None:
        """Let objects of no bytes be there: put within the server, where a thousand requests would take seconds."""
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        for key in keys:
            backend.put_object(self.bucket, key, b"")

    def get(self, key: str) -> bytes:
        return self.client().get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    @contextmanager
    def counting(self) -> Iterator[Seen]:
        """Count what reaches the server from here on, whoever sends it."""
        seen = Seen()
        with self.watched.lock:
            self.watched.counts.append(seen)
        try:
            yield seen
        finally:
            with self.watched.lock:
                self.watched.counts.remove(seen)

    @contextmanager
    def failing(self, faults: Faults) -> Iterator[Faults]:
        """Let requests fail from here on."""
        with self.watched.lock:
            self.watched.faults, self.watched._random = faults, random.Random(faults.seed)
        try:
            yield faults
        finally:
            with self.watched.lock:
                self.watched.faults = None

    def new_bucket(self) -> "Server":
        """The same server with a bucket of its own."""
        with self.watched.lock:
            number = int(self.bucket.rpartition("-")[2]) + 1
        found = Server(self.endpoint, f"bucket-{number}", self.watched)
        self.client().create_bucket(Bucket=found.bucket)
        self.bucket = found.bucket
        return found


@contextmanager
def s3_server() -> Iterator[Server]:
    """A server on a free port, with a bucket, and the environment that leads to it; both go at the end."""
    watched = _Watched()
    http = make_server("127.0.0.1", 0, watched, threaded=True, request_handler=_Quiet)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    settings = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{http.server_port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    _forget_clients()
    try:
        server = Server(settings["AWS_ENDPOINT_URL"], "bucket-0", watched)
        server.client().create_bucket(Bucket=server.bucket)
        yield server
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        _forget_clients()
        http.shutdown()
        http.server_close()
        thread.join()


def _forget_clients() -> None:
    """s3fs keeps clients, and with them the address that the environment had."""
    if "s3fs" in sys.modules:
        sys.modules["s3fs"].S3FileSystem.clear_instance_cache()


class _Quiet(MotoRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept, as those of S3 are

    def log(self, *_):
        pass


def _kind(environ) -> str:
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].lstrip("/")
    query = environ.get("QUERY_STRING", "")
    _, _, key = path.partition("/")
    if method == "GET":
        if not key:
            return "list" if path and ("list-type" in query or "prefix" in query or not query) else "other"
        return "range" if "HTTP_RANGE" in environ else "get"
    if method == "POST":
        return "delete" if "delete" in query else "other"
    if not key and method != "HEAD":
        return "other"
    return {"PUT": "put", "HEAD": "head", "DELETE": "delete"}.get(method, "other")


def _answered(environ, start_response, status: str, code: str):
    _read_body(environ)
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>told by the test</Message></Error>".encode()
    start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]


def _cut_off(environ) -> None:
    """End the connection: what waits on the other side learns it at once."""
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("cut by the test")


def _read_body(environ) -> None:
    """What was sent, so that the connection can go on."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length:
        environ["wsgi.input"].read(length)
