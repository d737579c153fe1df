"""Pictures from files nobody vouches for, cut into patches; and a person's own folder of captioned pictures."""

from __future__ import annotations

import io
import os
import stat
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from tasks import BadInput

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
LARGEST_FILE = 32 * 2**20  # bytes
LARGEST_PICTURE = 40_000_000  # pixels, looked up in the header before anything is decoded


def picture(path: Path, pixels: int, grey: bool = False, ground: int = 0) -> np.ndarray:
    """The picture in a file, its middle square at (pixels, pixels, 3 or 1) uint8.

    What is transparent shows `ground`, 0 for black to 255 for white.

    Raises BadInput when the file is missing, not a regular file, larger than 32 MiB, of more than 40
    million pixels, not PNG, JPEG, WebP, GIF or BMP, or damaged.
    """
    content = regular(path, LARGEST_FILE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is doubtful about a stranger's picture shows below
            image = _decoded(content, pixels, ground)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    except Exception as error:  # decoders meet broken bytes in many ways; each means the same here
        raise BadInput(f"{path} is not a readable picture ({', '.join(FORMATS)}): {error}") from error
    return np.asarray(image.convert("L" if grey else "RGB")).reshape(pixels, pixels, -1)


def _decoded(content: bytes, pixels: int, ground: int) -> Image.Image:
    """The middle square of the picture, upright, `pixels` on a side."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        width, height = image.size
        if width * height > LARGEST_PICTURE:
            raise BadInput(f"{width} x {height} pixels; at most {LARGEST_PICTURE:,} are read")
        image.draft("RGB", (pixels, pixels))  # JPEG is decoded near the size wanted: many times faster
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    behind = Image.new("RGBA", upright.size, (ground, ground, ground, 255))
    return ImageOps.fit(Image.alpha_composite(behind, upright), (pixels, pixels), Image.Resampling.BILINEAR)


def regular(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; never waits for a pipe. Raises BadInput."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise BadInput(f"{path} cannot be opened: {error.strerror}") from error
    except ValueError as error:  # a null byte in the name
        raise BadInput(f"{str(path)!r} cannot be opened: {error}") from error
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor: what was checked is what is read
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise BadInput(f"{path} is not a regular file")
        if status.st_size > limit:
            raise BadInput(f"{path} has {status.st_size:,} bytes; at most {limit:,} are read")
        return file.read(limit)
