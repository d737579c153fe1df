"""Pictures from files nobody vouches for, cut into patches; and a person's own folder of captioned pictures."""

from __future__ import annotations

import csv
import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from tasks import SPLITS, BadInput, Split
from tasks._folder import header, regular
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
    except Image.DecompressionBombError:  # Pillow looks into the header before we can
        raise BadInput(f"{path} has more than the {LARGEST_PICTURE:,} pixels that are read") from None
    except Exception as error:  # decoders meet broken bytes in many ways; each means the same here
        raise BadInput(f"{path} is not a readable picture ({', '.join(FORMATS)}): {error}") from error
    return np.asarray(image.convert("L" if grey else "RGB")).reshape(pixels, pixels, -1)


def _decoded(content: bytes, pixels: int, ground: int) -> Image.Image:
    """The middle square of the picture, upright, `pixels` on a side."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        width, height = image.size
        if width * height > LARGEST_PICTURE:
            raise BadInput(f"{width:,} x {height:,} pixels; at most {LARGEST_PICTURE:,} are read")
        image.draft("RGB", (pixels, pixels))  # JPEG is decoded near the size wanted: many times faster
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    behind = Image.new("RGBA", upright.size, (ground, ground, ground, 255))
    return ImageOps.fit(Image.alpha_composite(behind, upright), (pixels, pixels), Image.Resampling.BILINEAR)


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
    listed: dict[Path, _Listed] = {}  # by file: a.png and ./a.png are one picture
    paths: dict[str, Path] = {}
    for line, row in _rows(table):
        image, caption = row["image"], row["caption"]
        if not image or not caption:
            raise BadInput(f"{table}: line {line} lacks an image or a caption")
        with _at(table, line):
            part = _split(row["split"]) if row.get("split") else None
            path = paths.setdefault(image, paths.get(image) or _inside(folder, image))
        one = listed.setdefault(path, _Listed(line, part, []))
        if one.part != part:
            raise BadInput(f"{table}: line {line} puts {image} into {part or 'no split'}, line {one.line} elsewhere")
        one.captions.append(caption)
    return _in_every_split([_captioned(table, path, one, pixels) for path, one in listed.items()], table)


class _Listed(NamedTuple):
    """One picture as captions.csv speaks of it."""

    line: int  # of its first row
    part: Split | None
    captions: list[str]


def _in_every_split(read: list[Captioned], table: Path) -> list[Captioned]:
    for name in SPLITS:
        if not any(one.split == name for one in read):
            raise BadInput(f"{table}: no picture of {len(read)} is in {name}; add pictures or a column split")
    return read


def _captioned(table: Path, path: Path, one: _Listed, pixels: int) -> Captioned:
    with _at(table, one.line):
        split = one.part or split_of(hashlib.sha256(regular(path, LARGEST_FILE)).hexdigest(), 26, 26)
        return Captioned(picture(path, pixels), tuple(one.captions), split)


@contextmanager
def _at(table: Path, line: int) -> Iterator[None]:
    """Says of what is wrong within in which line it stands."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"{table}: line {line}: {error}") from None


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
        columns = header(next(reader, []), ("image", "caption"), table)
        for row in reader:
            if len(row) != len(columns):
                raise BadInput(f"{table}: line {reader.line_num} has {len(row)} columns, expected {len(columns)}")
            yield reader.line_num, {name: cell.strip() for name, cell in zip(columns, row, strict=True)}
    except csv.Error as error:
        raise BadInput(f"{table}: line {reader.line_num} cannot be read: {error}") from None
    if reader.line_num < 2:
        raise BadInput(f"{table} holds no rows below line 1; expected one image and one caption a row")
