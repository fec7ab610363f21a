"""The parts of a codec as entries of its manifest and tensors of its file, and back.

AffineTransform   <-> centre, scale, axes or matrices          Residual, Chain   <-> the same, and networks
PictureTransform  <-> networks
OverfittedTransform <-> nothing: weights are in the model, and in each picture's bytes
ValuesTransform   <-> what its own kind has
model             <-> tables, and of tables that columns share their numbers
quantizer         <-> points, and their runs where these are not the tables'; of a dependent one, or of none, nothing
sketch            <-> sketch
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from taskcodec.coding import SymbolModel, read_model
from taskcodec.coding.trellis import Trellis
from taskcodec.container.file import FORMAT, Tensors, finite_tensor, flat_tensor
from taskcodec.container.upgrade import LAYERED, PICTURED, domain_of, flattened, json_object, upgraded
from taskcodec.errors import CorruptFileError
from taskcodec.layer import BASE, Floats, Layer, OfPictures, Quantizer, Transform
from taskcodec.quantization.dependent import DependentQuantizer
from taskcodec.quantization.uniform import Runs, UniformQuantizer
from taskcodec.quantization.whole import WholeNumbers
from taskcodec.transforms.affine import AffineTransform
from taskcodec.transforms.axes import Axes
from taskcodec.transforms.chain import Chain
from taskcodec.transforms.networks.carried import Networks
from taskcodec.transforms.overfitted.transform import OverfittedTransform
from taskcodec.transforms.picture import PictureTransform
from taskcodec.transforms.residual import Residual
from taskcodec.transforms.spec import BackboneSpec
from taskcodec.transforms.values.kinds import VALUES, read_values
from taskcodec.transforms.values.transform import ValuesTransform

Domain = Literal["vectors", "images", "pictures", "values"]
"""What a sample is: a vector of features; an image, of which features are made; a picture, which is coded
itself; values that come back as they were."""
DOMAINS = ("vectors", "images", "pictures", "values")
COMPACT = 3
"""The version from which on files leave out scales of 1, and keep a centre in 16 bits where they hold it."""
DEPENDENT = 6
"""The version from which on quantizers may be dependent."""
LOSSLESS = 7
"""The version from which on samples may be values that come back as they were."""
OVERFITTED = 8
"""The version from which on layers of pictures may be overfitted to each of them."""


def usual_domain(base: Layer, backbone: BackboneSpec | None) -> Domain:
    """What the older files, which do not say what samples are, are read as."""
    networks = base.transform.networks.manifest() if isinstance(base.transform, Chain) else None
    found = domain_of(None if backbone is None else backbone.content(), networks)
    return "images" if found == "images" else "vectors"


def oldest_version(domain: Domain, layers: Sequence[Layer], backbone: BackboneSpec | None) -> int:
    """The oldest version of the format that can express a codec."""
    base = layers[0]
    if domain == "values":
        return LOSSLESS
    if any(isinstance(layer.transform, OverfittedTransform) for layer in layers):
        return OVERFITTED
    if any(isinstance(layer.quantizer, DependentQuantizer) for layer in layers):
        return DEPENDENT
    transform = base.transform
    if isinstance(transform, PictureTransform):
        return PICTURED
    alone = len(layers) == 1 and base.name == BASE and isinstance(transform, AffineTransform | Chain)
    placed = backbone is not None and backbone.found_at
    if not alone or placed or domain != usual_domain(base, backbone):
        return LAYERED
    if base.model.sharing is not None or transform.affine.axes is not None or transform.affine.unit_norm:
        return COMPACT
    networks = isinstance(transform, Chain)
    return 1 if not networks and base.model.plain is not None and not has_own_runs(base.quantizer, base) else 2


def content_of(
    domain: Domain, layers: Sequence[Layer], backbone: BackboneSpec | None, provenance: Mapping[str, Any]
) -> tuple[dict[str, Any], Tensors]:
    """Manifest and tensors of a codec's file, as the oldest version that can express it has them."""
    version = oldest_version(domain, layers, backbone)
    manifest = {
        "format": FORMAT,
        "version": version,
        "domain": domain,
        "layers": [layer_manifest(layer, version) for layer in layers],
        "backbone": None if backbone is None else backbone.content(),
        "provenance": dict(provenance),
    }
    tensors = layers_tensors(layers, version)
    return (manifest, tensors) if version >= LAYERED else flattened(manifest, tensors, version)


def read_content(manifest: Mapping[str, Any], tensors: Tensors) -> dict[str, Any]:
    """Invert `content_of`, of any version: the fields of a codec.

    Raises KeyError, TypeError, ValueError, OverflowError or CorruptFileError on anything else.
    """
    manifest, tensors = upgraded(manifest, tensors)
    backbone = manifest["backbone"]
    return {
        "domain": manifest["domain"],
        "layers": read_layers(manifest["layers"], tensors),
        "backbone": None if backbone is None else BackboneSpec(**backbone),
        "provenance": json_object(manifest["provenance"]),
    }


def layers_tensors(layers: Sequence[Layer], version: int) -> Tensors:
    """What the file holds of all layers, each by its place and a slash."""
    return {
        f"{place}/{key}": np.ascontiguousarray(tensor)  # safetensors writes the buffer as it lies
        for place, layer in enumerate(layers)
        for key, tensor in layer_tensors(layer, version).items()
    }


def read_layers(described: Sequence[Mapping[str, Any]], tensors: Tensors) -> tuple[Layer, ...]:
    """Invert `layer_manifest` and `layers_tensors`; raises what `read_layer` does."""
    found = list[Layer]()
    for place, one in enumerate(described):
        prefix = f"{place}/"
        own = {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
        found.append(read_layer(one, own))
    return tuple(found)


def layer_manifest(layer: Layer, version: int) -> dict[str, Any]:
    """Plain JSON for the manifest of a codec that is written in this version."""
    return {
        "name": layer.name,
        "given": list(layer.given),
        "transform": transform_manifest(layer.transform, version),
        "quantizer": quantizer_manifest(layer.quantizer),
        "model": {"kind": layer.model.kind},
    }


def layer_tensors(layer: Layer, version: int) -> Tensors:
    """What the file holds of it. Raises MismatchError where columns that share a table have other points."""
    tensors, quantizer, model = transform_tensors(layer.transform, version), layer.quantizer, layer.model
    tensors.update(model.tensors())
    if isinstance(quantizer, WholeNumbers):
        return tensors
    if isinstance(quantizer, DependentQuantizer):
        return {**tensors, "sketch": layer.sketch.astype("<f2")}
    gathered = model.gathered(quantizer.points, layer.sketch)
    tensors.update({key: tensor.astype("<f2") for key, tensor in gathered.items()})
    if has_own_runs(quantizer, layer):
        tensors["point_runs"] = np.stack([quantizer.runs.first, quantizer.runs.sizes]).astype("<i4")
    return tensors


def has_own_runs(quantizer: Quantizer, layer: Layer) -> bool:
    """Whether the runs of a layer's reconstruction points do not follow from its model."""
    if not isinstance(quantizer, UniformQuantizer):
        return False
    return not quantizer.runs.are(Runs.of(layer.model.plain, layer.transform.columns))


def quantizer_manifest(quantizer: Quantizer) -> dict[str, Any]:
    """Plain JSON for the manifest."""
    if isinstance(quantizer, WholeNumbers):
        return {"kind": "whole"}
    if isinstance(quantizer, DependentQuantizer):
        states, slope = quantizer.trellis.states, float(quantizer.slope)
        return {"kind": "dependent", "step": float(quantizer.step), "slope": slope, "states": states}
    found = {"kind": "uniform", "step": float(quantizer.step), "rounding": float(quantizer.rounding)}
    return {**found, "slope": float(quantizer.slope)} if quantizer.slope else found


def read_layer(described: Mapping[str, Any], tensors: Tensors) -> Layer:
    """Invert both. Raises KeyError, TypeError, ValueError or CorruptFileError on anything else."""
    model = read_model(described["model"]["kind"], tensors)
    transform = read_transform(described["transform"], tensors)
    quantizer, sketch = read_quantizer(json_object(described["quantizer"]), tensors, model, transform.columns)
    return Layer(
        name=_text(described["name"]),
        transform=transform,
        quantizer=quantizer,
        model=model,
        sketch=sketch,
        given=tuple(map(_text, described["given"])),
    )


def read_quantizer(
    described: Mapping[str, Any], tensors: Tensors, model: SymbolModel, columns: int
) -> tuple[Quantizer, Floats]:
    """A layer's quantizer and its sketch. Raises as `read_layer` does."""
    kind = described.get("kind", "uniform")
    if kind == "whole":
        return WholeNumbers(columns), np.empty((0, columns), np.float32)
    step, sketch = float(described["step"]), finite_tensor(tensors, "sketch", 2)
    if kind == "dependent":
        trellis = Trellis(int(described["states"]))
        return DependentQuantizer(step, float(described["slope"]), trellis, columns), sketch
    if kind != "uniform":
        raise CorruptFileError(f"a quantizer of the kind {kind!r} is none of uniform, dependent, whole")
    coded = model.spread(finite_tensor(tensors, "points", 1), sketch)
    runs = Runs(*tensors["point_runs"].astype(np.int32)) if "point_runs" in tensors else Runs.of(model.plain, columns)
    rounding, slope = float(described["rounding"]), float(described.get("slope", 0.0))
    return UniformQuantizer(step, rounding, coded["points"], runs, slope), coded["sketch"]


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.isidentifier():
        raise CorruptFileError(f"a layer named {value!r}: names are letters, digits and underscores")
    return value


def transform_manifest(transform: Transform, version: int) -> dict[str, Any]:
    """Plain JSON for the manifest."""
    if isinstance(transform, OfPictures | ValuesTransform):
        return transform.manifest()
    affine = transform.affine
    marks = {"unit_norm": affine.unit_norm, "unit_scale": _unit_scale(affine, version)}
    found: dict[str, Any] = {"kind": "affine", "companding": affine.companding}
    found = {**found, **{mark: True for mark, holds in marks.items() if holds}}
    if isinstance(transform, Chain):
        return {"kind": "chain", "networks": transform.networks.manifest(), "of": found}
    return {"kind": "residual", "of": found} if isinstance(transform, Residual) else found


def transform_tensors(transform: Transform, version: int) -> Tensors:
    """What the file holds of it. A centre that 16 bits hold takes 16 from COMPACT on."""
    if isinstance(transform, OverfittedTransform):
        return {}
    if isinstance(transform, PictureTransform):
        return dict(transform.networks.tensors())
    if isinstance(transform, ValuesTransform):
        return transform.tensors()
    affine = transform.affine
    tensors: Tensors = {"centre": affine.centre.astype("<f4")}
    if version >= COMPACT:
        with np.errstate(over="ignore"):
            narrow = affine.centre.astype("<f2")
        if np.array_equal(narrow, affine.centre):
            tensors["centre"] = narrow
    if not _unit_scale(affine, version):
        tensors["scale"] = affine.scale.astype("<f4")
    if affine.axes is not None:
        tensors["axes"] = np.frombuffer(affine.axes.to_bytes(), dtype=np.uint8)
        tensors["axes_exponents"] = affine.axes.exponents.astype("|i1")
    if affine.analysis_matrix is not None and affine.synthesis_matrix is not None:
        tensors["analysis"] = affine.analysis_matrix.astype("<f2")
        tensors["synthesis"] = affine.synthesis_matrix.astype("<f2")
    return {**tensors, **(transform.networks.tensors() if isinstance(transform, Chain) else {})}


def _unit_scale(transform: AffineTransform, version: int) -> bool:
    return version >= COMPACT and bool((transform.scale == 1).all())


def read_transform(described: Mapping[str, Any], tensors: Tensors) -> Transform:
    """Invert both. Raises KeyError, TypeError or CorruptFileError on anything else."""
    kind = json_object(described)["kind"]
    if kind == "chain":
        return Chain(Networks.read(described["networks"], tensors), _read_affine(json_object(described["of"]), tensors))
    if kind == "residual":
        return Residual(_read_affine(json_object(described["of"]), tensors))
    if kind == "picture":
        return PictureTransform.read(described, tensors)
    if kind == "overfitted":
        return OverfittedTransform.read(described)
    if kind in VALUES:
        return read_values(described, tensors)
    if kind != "affine":
        known = ", ".join(["affine", "chain", "overfitted", "picture", "residual", *VALUES])
        raise CorruptFileError(f"a transform of the kind {kind!r} is none of {known}")
    return _read_affine(described, tensors)


def _read_affine(described: Mapping[str, Any], tensors: Tensors) -> AffineTransform:
    centre, axes = finite_tensor(tensors, "centre", 1), None
    unit_norm, unit_scale = (described.get(mark, False) for mark in ("unit_norm", "unit_scale"))
    if type(unit_norm) is not bool or type(unit_scale) is not bool:
        raise TypeError("a mark of its transform, which should be true or false")
    if "axes" in tensors:
        exponents = flat_tensor(tensors, "axes_exponents", "|i1")
        axes = Axes.from_bytes(flat_tensor(tensors, "axes", "|u1").tobytes(), exponents, centre.size)
    if unit_scale:
        scale = np.ones(centre.size if axes is None else axes.columns, np.float32)
    else:
        scale = finite_tensor(tensors, "scale", 1)
    return AffineTransform(
        companding=described["companding"],
        centre=centre,
        scale=scale,
        analysis_matrix=finite_tensor(tensors, "analysis", 2) if "analysis" in tensors else None,
        synthesis_matrix=finite_tensor(tensors, "synthesis", 2) if "synthesis" in tensors else None,
        axes=axes,
        unit_norm=unit_norm,
    )
