"""Which layers are asked for."""

import pytest

from taskcodec.engines.layers.wanted import PICTURE_BYTES, Wanted, wanted_layers
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
    ],
)
def test_names_what_is_wrong(asked, says):
    with pytest.raises(UsageError, match=says) as told:
        wanted_layers(asked)
    assert "\n" not in str(told.value)
