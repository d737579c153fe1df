"""Pictures from files nobody vouches for, cut into patches; and a person's own folder of captioned pictures."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from tasks import SPLITS, BadInput, Split
from tasks._splits import split_of

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
LARGEST_FILE = 32 * 2**20  # bytes
LARGEST_TABLE = 256 * 2**20  # bytes
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


class Captioned(NamedTuple):
    """One picture of a folder with all that people said of it."""

    picture: np.ndarray  # (pixels, pixels, 3) uint8
    captions: tuple[str, ...]
    split: Split


def captioned(folder: Path, pixels: int) -> list[Captioned]:
    """Pictures and captions of a folder with captions.csv (columns image, caption and, if wished, split).

    Pictures lie in images/ or beside captions.csv; one may have several rows. Without a column split,
    a hash of the picture's file decides: about 80/10/10, and copies of a picture stay together.
    Raises BadInput, naming file and line, on any fault.
    """
    table = folder / "captions.csv"
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder; expected one with captions.csv and images/")
    said: dict[str, list[str]] = {}
    split: dict[str, tuple[int, str]] = {}  # image -> line of its first row, and its split
    for line, row in _rows(table):
        image, caption, part = row["image"], row["caption"], row.get("split", "")
        if not image or not caption:
            raise BadInput(f"{table}: line {line} lacks an image or a caption")
        if split.setdefault(image, (line, part))[1] != part:
            raise BadInput(f"{table}: line {line} puts {image} into {part}, line {split[image][0]} elsewhere")
        said.setdefault(image, []).append(caption)
    read = [_captioned(folder, image, tuple(said[image]), *split[image], pixels) for image in said]
    for name in SPLITS:
        if not any(one.split == name for one in read):
            raise BadInput(f"{table}: no picture of {len(read)} is in {name}; add pictures or a column split")
    return read


def _captioned(folder: Path, image: str, captions: tuple[str, ...], line: int, part: str, pixels: int) -> Captioned:
    try:
        path = _inside(folder, image)
        split = _split(part) if part else split_of(hashlib.sha256(regular(path, LARGEST_FILE)).hexdigest(), 26, 26)
        return Captioned(picture(path, pixels), captions, split)
    except BadInput as error:
        raise BadInput(f"{folder / 'captions.csv'}: line {line}: {error}") from None


def _inside(folder: Path, image: str) -> Path:
    """The picture's path, which must not lead out of the folder, neither by its name nor by a link."""
    for path in (folder / "images" / image, folder / image):
        try:
            there = path.resolve(strict=True)
        except (OSError, RuntimeError, ValueError):  # missing, a circle of links, a null byte
            continue
        if not there.is_relative_to(folder.resolve()):
            raise BadInput(f"image {image!r} leads out of the folder {folder}")
        return there
    raise BadInput(f"image {image!r} is neither in {folder / 'images'} nor in {folder}")


def _split(name: str) -> Split:
    known: dict[str, Split] = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
    if name not in known:
        raise BadInput(f"split {name!r} is not one of {', '.join(known)}")
    return known[name]


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a UTF-8 csv file by column name, each with the number of its last line. Raises BadInput."""
    content = regular(table, LARGEST_TABLE)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{table}: line {number} is not valid UTF-8; convert the file first") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if not {"image", "caption"} <= set(header):
            raise BadInput(f"{table}: line 1 must name the columns image and caption; found: {', '.join(header)}")
        for row in reader:
            if len(row) != len(header):
                raise BadInput(f"{table}: line {reader.line_num} has {len(row)} columns, expected {len(header)}")
            yield reader.line_num, {name: cell.strip() for name, cell in zip(header, row, strict=True)}
    except csv.Error as error:
        raise BadInput(f"{table}: line {reader.line_num} cannot be read: {error}") from None
    if reader.line_num < 2:
        raise BadInput(f"{table} holds no rows below line 1; expected one image and one caption a row")
