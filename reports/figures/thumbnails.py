"""Pictures that came with stored answers: only what is safe to stand in a page."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image

LARGEST_PICTURE = 512  # pixels a side; sources here are thumbnails


def thumbnail(uri: str | None) -> np.ndarray | None:
    """A small PNG data URI as (h, w, 3) uint8; None where it is anything else."""
    if not safe_picture(uri):
        return None
    try:
        with Image.open(io.BytesIO(base64.b64decode(str(uri).split(",", 1)[1])), formats=["PNG"]) as image:
            if max(image.size) > LARGEST_PICTURE:  # read from the header, before any pixel is unpacked
                return None
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None


def safe_picture(uri: str | None) -> bool:
    """Whether a stored picture may stand in a page: a PNG inside the page, of a thumbnail's size."""
    whole = r"data:image/png;base64,[A-Za-z0-9+/=]+"
    return isinstance(uri, str) and len(uri) < 400_000 and re.fullmatch(whole, uri) is not None
