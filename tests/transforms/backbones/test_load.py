import pytest

from taskcodec.errors import BackboneError

pytest.importorskip("torch")

from taskcodec.transforms.backbones import load_backbone, load_backbone_for


def test_unknown_names_and_changed_weights():
    for name in ("magic", "timm:", "what:ever"):
        with pytest.raises(BackboneError, match="no such backbone"):
            load_backbone(name)
    spec = load_backbone("lite0").spec
    with pytest.raises(BackboneError, match="SHA-256"):
        load_backbone_for(type(spec)(spec.name, "0" * 64, spec.dimension))
