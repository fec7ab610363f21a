"""Which layers are asked for."""

import pytest

from taskcodec.engines.layers.wanted import PICTURE_BYTES, Wanted, wanted_layers, without_learned
from taskcodec.errors import UsageError

PICTURE, ORIGINAL = Wanted("picture", PICTURE_BYTES), Wanted("original")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (None, ()),
        ("features", ()),
        ("features,picture,original", (PICTURE, ORIGINAL)),
        ("picture:1500", (Wanted("picture", 1500),)),
        (["features", "original"], (ORIGINAL,)),
        (
            "picture:900@/disk/./p/,original@s3://bucket/o/",
            (Wanted("picture", 900, "/disk/p"), Wanted("original", None, "s3://bucket/o")),
        ),
    ],
)
def test_reads_what_is_asked_for(asked, found):
    assert wanted_layers(asked) == found


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("", "'' is no layer"),
        ("features,sound", "'sound' is no layer; there are features, picture"),
        ("original:7", "'original:7' is no layer"),
        ("picture:", "400 to 1048576 bytes, found ''"),
        ("picture:many", "found 'many'"),
        ("picture:10", "found '10'"),
        ("picture:99999999999", "found '99999999999'"),
        ("original,picture", "each layer once, in the order"),
        ("picture,picture:900", "each layer once"),
        ("features@/disk/f", "'features@/disk/f' is no layer"),
        ("original@", "'': a layer is kept at a folder or a URL"),
        ("original@zip://a::s3://b", "a layer is kept at a folder or a URL of one protocol"),
        ("original@s3://key:secret@b/x", r"s3://...: a place that a store names is without passwords"),
        ("original@https://host/x?token=1", "without passwords and queries"),
        ("original@s3://bucket/a/../b", "name the place without"),
        ("original@https://host/a/%2e%2E/b", "name the place without"),
        ("picture@/disk/a,original@/disk/a", "a place of its own"),
        ("picture@s3://b/a,original@s3://b/a/o", "a place of its own, that does not lie in another's"),
    ],
)
def test_names_what_is_wrong(asked, says):
    with pytest.raises(UsageError, match=says) as told:
        wanted_layers(asked)
    assert "\n" not in str(told.value)


def test_a_codec_names_its_own_layers_where_another_is_asked_for():
    assert without_learned("base, original@/disk/o", ["base", "detail"]) == ["original@/disk/o"]
    assert without_learned("base,detail", ["base", "detail"]) is None
    with pytest.raises(UsageError, match="'nosuch' is no layer; there are base, detail of the codec"):
        without_learned("base,nosuch", ["base", "detail"])
    with pytest.raises(UsageError, match="'features' is no layer; there are base, detail of the codec"):
        without_learned("features,base", ["base", "detail"])
