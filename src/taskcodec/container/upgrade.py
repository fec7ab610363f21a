"""Old codec files as newer ones: versions 1 to 3 have one layer, and lay its parts out flat; newer ones have a list.

    version 1 to 3     transform, quantizer, networks of the manifest; tensors "centre", "tables", ...
    version 4          domain, and for each layer its name, given, transform, quantizer, model; tensors "0/centre", ...

What one of the old versions can express is still written as such: `flattened` inverts `upgraded`.
"""

from collections.abc import Mapping
from typing import Any

from taskcodec.coding.models.kinds import kind_of
from taskcodec.container.file import Tensors

LAYERED = 4
"""The version from which on files have layers."""
PICTURED = 5
"""The version from which on samples may be pictures."""
BASE = "base"
"""What the only layer of older files is called."""
_OF_VECTORS = ("mlp", "head")
"""The analysis networks of vectors in old files; all others take images."""
Manifest = Mapping[str, Any]


def upgraded(manifest: Manifest, tensors: Tensors) -> tuple[dict[str, Any], Tensors]:
    """Manifest and tensors of any version as version LAYERED has them. Raises KeyError or TypeError."""
    if manifest["version"] >= LAYERED:
        return dict(manifest), tensors
    transform, networks = {**json_object(manifest["transform"]), "kind": "affine"}, None
    if "networks" in manifest:
        networks = json_object(manifest["networks"])
        transform = {"kind": "chain", "networks": networks, "of": transform}
    base = {
        "name": BASE,
        "given": [],
        "transform": transform,
        "quantizer": manifest["quantizer"],
        "model": {"kind": kind_of(tensors)},
    }
    found = {
        "version": LAYERED,
        "domain": domain_of(manifest["backbone"], networks),
        "layers": [base],
        "backbone": manifest["backbone"],
        "provenance": manifest["provenance"],
    }
    return found, {f"0/{key}": tensor for key, tensor in tensors.items()}


def domain_of(backbone: Manifest | None, networks: Manifest | None) -> str:
    """What samples are, which old files do not say."""
    if backbone is not None:
        return "vectors" if "inputs" in json_object(backbone).get("preprocessing", {}) else "images"
    g_a = None if networks is None else networks.get("g_a")
    return "vectors" if g_a is None or g_a["name"] in _OF_VECTORS else "images"


def json_object(value: Any) -> dict[str, Any]:
    """A value of a manifest. Raises TypeError where it is no JSON object."""
    if not isinstance(value, dict):
        raise TypeError(f"a JSON object: found {type(value).__name__}")
    return value


def flattened(manifest: Manifest, tensors: Tensors, version: int) -> tuple[dict[str, Any], Tensors]:
    """A codec of one layer as an old version has it."""
    (base,) = manifest["layers"]
    transform = base["transform"]
    found = {
        "format": manifest["format"],
        "version": version,
        "transform": transform.get("of", transform),
        "quantizer": base["quantizer"],
        "backbone": manifest["backbone"],
        "provenance": manifest["provenance"],
        **({"networks": transform["networks"]} if "networks" in transform else {}),
    }
    return found, {key.removeprefix("0/"): tensor for key, tensor in tensors.items()}
