"""What goes wrong between here and a server: what passes is tried again, what does not is told in one line."""

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from taskcodec.errors import NetworkError, SourceError, StorageError, TaskcodecError

ATTEMPTS = 8
"""How often a request is sent, at most ..."""
FIRST_WAIT, LONGEST_WAIT = 0.2, 8.0
"""... with so many seconds between two, twice as many each time: 20 s in all, and half of that at least."""
PATIENCE, FIRST_PATIENCE = 120.0, 25.0
"""Nothing is sent again so many seconds after the first time, where each attempt runs into its own time limit: to a
service that has answered before, or to one that never has."""
_PASSING_STATUS = {408, 409, 425, 429, 500, 502, 503, 504}
_PASSING_CODES = {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling", "IncompleteBody"}
_PASSING_KINDS = {
    *("HTTPClientError", "EndpointConnectionError", "ResponseParserError", "IncompleteRead", "FSTimeoutError"),
    *("ClientConnectionError", "ClientPayloadError", "IncompleteReadError", "HttpError"),
}
"""Classes of the libraries that speak to servers, which need not be installed."""
_REFUSED_CODES = {
    *("ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch", "TokenRefreshRequired"),
    *("RequestTimeTooSkewed", "InvalidSecurity", "AuthorizationHeaderMalformed"),
}
_REFUSED_KINDS = {"NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError", "ProfileNotFound"}
"""Of whoever asks, whatever is asked for: no request will do better."""
_REFUSED = "the credentials are missing or refused"
_CREDENTIALS = "give valid ones as the programs of that service take them (AWS_ACCESS_KEY_ID, AWS_PROFILE, ...)"
Found = TypeVar("Found")


class Torn(ConnectionError):
    """A body that is shorter than the server said."""


class Changed(Exception):
    """What was to be replaced is in another state than its writer last saw."""


def patiently(call: Callable[[], Found], patience: float) -> Found:
    """What a call gives, tried again where its fault passes. Raises what the last attempt raised.

    Nothing is tried again `patience` seconds after the first time.
    """
    start, wait = time.monotonic(), FIRST_WAIT
    for left in reversed(range(ATTEMPTS)):
        try:
            return call()
        except Exception as error:
            if not left or not passes(error) or time.monotonic() - start > patience:
                raise
        time.sleep(wait * random.uniform(0.5, 1))  # so that those who were told to slow down do not return together
        wait = min(2 * wait, LONGEST_WAIT)
    raise AssertionError("the last attempt returns or raises")


def passes(error: BaseException) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error, TaskcodecError | FileNotFoundError | PermissionError | IsADirectoryError | FileExistsError):
        return False
    return any(
        isinstance(each, TimeoutError | ConnectionError)
        or not _PASSING_KINDS.isdisjoint(_kinds(each))
        or status_of(each) in _PASSING_STATUS
        or _code(each) in _PASSING_CODES
        for each in _chain(error)
    )


def read_fault(url: str, error: Exception) -> TaskcodecError:
    """What to raise where something cannot be read."""
    if isinstance(error, TaskcodecError):
        return error
    if _is_refused(error):
        return NetworkError(f"{url}: cannot be read: {_REFUSED} ({told(error)}); {_CREDENTIALS}")
    if passes(error):
        return NetworkError(
            f"{url}: cannot be read: {told(error)}, tried up to {ATTEMPTS} times; look at the network, the service "
            "and its address, then run the same command again"
        )
    if isinstance(error, PermissionError):
        return SourceError(f"{url}: cannot be read: no permission ({told(error)})")
    return SourceError(f"{url}: cannot be read ({told(error)})")


def write_fault(url: str, error: Exception) -> TaskcodecError:
    """What to raise where something cannot be written."""
    if isinstance(error, TaskcodecError):
        return error
    kept = "what was written before is kept: "
    if _is_refused(error):
        advice = f"{kept}{_CREDENTIALS}, then run the same command again"
        return StorageError(f"{url}: cannot be written: {_REFUSED} ({told(error)}); {advice}")
    if isinstance(error, FileNotFoundError):
        return StorageError(f"{url}: cannot be written ({told(error)}); make the bucket first, or mend its name")
    tries = f", tried up to {ATTEMPTS} times" if passes(error) else ""
    return StorageError(f"{url}: cannot be written ({told(error)}{tries}); {kept}run the same command again")


def told(error: BaseException) -> str:
    """An error in a few words, on one line."""
    text = str(error) if isinstance(error, TaskcodecError) else getattr(error, "strerror", None) or str(error)
    words = " ".join(str(text).split()) or type(error).__name__
    code = next(filter(None, map(_code, _chain(error))), None)
    status = next(filter(None, map(status_of, _chain(error))), None)
    if isinstance(error, ConnectionError | TimeoutError) and not isinstance(error, Torn):
        words = f"{type(error).__name__}: {words}"
    known = " ".join(str(each) for each in (status, code) if each and str(each) not in words)
    return f"{known}: {words}"[:300] if known else words[:300]


def status_of(error: BaseException) -> int | None:
    """The HTTP status that a library's error speaks of, None where there is none."""
    response = getattr(error, "response", None)
    found = response.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(response, dict) else None
    found = getattr(error, "status", None) if found is None else found
    return found if isinstance(found, int) else None


def was_other(error: BaseException) -> bool:
    """Whether a conditional request was refused since what is there is another than its sender took it for."""
    return any(status_of(each) == 412 for each in _chain(error))


def lacks_bucket(error: BaseException) -> bool:
    """Whether what is not there is the bucket itself."""
    return any(_code(each) == "NoSuchBucket" for each in _chain(error))


def lacks_conditions(error: BaseException) -> bool:
    """Whether a server knows of no conditional requests."""
    return any(status_of(each) == 501 or _code(each) == "NotImplemented" for each in _chain(error))


def _is_refused(error: BaseException) -> bool:
    return any(_code(each) in _REFUSED_CODES or not _REFUSED_KINDS.isdisjoint(_kinds(each)) for each in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _kinds(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _code(error: BaseException) -> str | None:
    response = getattr(error, "response", None)
    return response.get("Error", {}).get("Code") if isinstance(response, dict) else None
