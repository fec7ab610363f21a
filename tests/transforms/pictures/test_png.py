import io

import numpy as np
from PIL import Image

from taskcodec.transforms.pictures.png import png_of


def test_a_file_gives_its_pixels_back():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    opened = Image.open(io.BytesIO(png_of(pixels)))
    assert opened.format == "PNG"
    assert np.array_equal(opened, pixels)
