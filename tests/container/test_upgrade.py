"""Files of versions 1 to 3 as version 4 has them, and back."""

import pytest
from tests.coding.make_golden import FOLDER

from taskcodec.container.file import read
from taskcodec.container.upgrade import domain_of, flattened, upgraded

GOLDEN = {"golden": 1, "conditional": 2, "axes": 3, "shared": 3}
NETWORKS = {"g_a": {"name": "resnet_small", "sizes": {}}, "preprocessing": {}}


@pytest.mark.parametrize("kind", GOLDEN)
def test_what_is_upgraded_is_flattened_again(kind):
    manifest, tensors = read((FOLDER / f"{kind}.codec").read_bytes(), kind)
    content, renamed = upgraded(manifest, tensors)
    assert content["version"] == 4
    assert [layer["name"] for layer in content["layers"]] == ["base"]
    assert content["layers"][0]["model"]["kind"] == {"golden": "tables", "axes": "tables"}.get(kind, kind)
    assert upgraded(content, renamed) == (content, renamed)
    flat, same = flattened({**content, "format": manifest["format"]}, renamed, GOLDEN[kind])
    assert flat == manifest
    assert same.keys() == tensors.keys()


def test_what_samples_are_is_settled_for_files_that_do_not_say():
    spec = {"name": "lite0", "preprocessing": {"crop": 224}}
    assert domain_of(None, None) == "vectors"
    assert domain_of(spec, None) == "images"
    assert domain_of(None, NETWORKS) == "images"
    assert domain_of(None, {"g_a": {"name": "mlp"}}) == "vectors"
    assert domain_of(spec, {"g_a": {"name": "head"}}) == "images"
    assert domain_of({"name": "codec:v.codec", "preprocessing": {"inputs": 8}}, {"g_s": {"name": "mlp"}}) == "vectors"
    with pytest.raises(TypeError, match="a JSON object"):
        domain_of([1], None)
