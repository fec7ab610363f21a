"""The certificate of a store: beside the manifest, in the same file, and for what the manifest names at that time."""

import json
from typing import Any

from taskcodec.errors import CorruptFileError, FutureVersionError
from taskcodec.store.backend import Blobs, writer_lock
from taskcodec.store.format.manifest import GROUP_KEY, canonical, read_manifest, sha256

CERTIFICATE_FORMAT = "taskcodec.certificate"
CERTIFICATE_VERSION = 1


def write_certificate(blobs: Blobs, content: dict[str, Any]) -> None:
    """Put a certificate beside the manifest, in the same file: it holds for what the manifest names now.

    Readers that know of no certificates see the same store as before. Whatever changes the store (an append) writes
    its manifest anew, and the certificate, which does not cover the new samples, goes.
    """
    with writer_lock(blobs):
        read_manifest(blobs)
        group = json.loads(blobs.get(GROUP_KEY) or b"")
        attributes = group["attributes"]
        whole = {
            "format": CERTIFICATE_FORMAT,
            "version": CERTIFICATE_VERSION,
            "manifest_sha256": attributes["taskcodec_sha256"],
            **content,
        }
        attributes["taskcodec_certificate"] = whole
        attributes["taskcodec_certificate_sha256"] = sha256(canonical(whole))
        blobs.put(GROUP_KEY, json.dumps(group, sort_keys=True, indent=1).encode())


def read_certificate(blobs: Blobs) -> dict[str, Any] | None:
    """The certificate in a store, None where there is none.

    Raises CorruptFileError where it is damaged or is not of this manifest, FutureVersionError, and what
    `read_manifest` raises.
    """
    read_manifest(blobs)
    attributes, place = json.loads(blobs.get(GROUP_KEY) or b"")["attributes"], f"{blobs.name}/{GROUP_KEY}"
    if "taskcodec_certificate" not in attributes:
        return None
    whole = attributes["taskcodec_certificate"]
    if attributes.get("taskcodec_certificate_sha256") != sha256(canonical(whole)) or not isinstance(whole, dict):
        raise CorruptFileError(f"{place}: its certificate is damaged (another SHA-256)")
    version = whole.get("version")
    if whole.get("format") != CERTIFICATE_FORMAT or type(version) is not int:
        raise CorruptFileError(f"{place}: its certificate is invalid")
    if version > CERTIFICATE_VERSION:
        raise FutureVersionError(
            f"{place}: certificate version {version}, this taskcodec reads up to {CERTIFICATE_VERSION}: upgrade it"
        )
    if whole.get("manifest_sha256") != attributes["taskcodec_sha256"]:
        raise CorruptFileError(f"{place}: its certificate is of another state of the store; make it again")
    return whole
