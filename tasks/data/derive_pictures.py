"""Makes the vendored pictures again, byte for byte, from two Debian packages and a Python wheel (development only)."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

FASHION = "dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb"
EMOJI = "fonts-noto-color-emoji_2.042-0+deb12u1_all.deb"
NAMES = "emoji-2.16.0-py3-none-any.whl"
PHOTOS = {"train": 1000, "validation": 100, "test": 200}  # of each of the ten classes
UNICODE = 15.0  # the newest emoji that this font draws
SIDE = 32  # pixels of an emoji, 30 of them high


def derive(downloads: Path, out: Path) -> list[Path]:
    """Writes fashion/ and emoji/ below `out` from the packages in `downloads`; gives the files written."""
    return fashion(downloads, out / "fashion") + emoji(downloads, out / "emoji")


def fashion(downloads: Path, out: Path) -> list[Path]:
    """Photographs (10 classes, n, 28, 28) uint8, one xz file a split; test photographs from the original test part."""
    content = package(downloads / FASHION, "usr/share/datasets/fashion-mnist/", "usr/share/doc/")
    seen: set[bytes] = set()  # the original holds a few photographs twice: none may sit in two splits
    taken = _take(content, "t10k", {"test": PHOTOS["test"]}, seen)
    taken |= _take(content, "train", {name: PHOTOS[name] for name in ("train", "validation")}, seen)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for split in PHOTOS:
        written.append(out / f"{split}.xz")
        written[-1].write_bytes(squeeze(taken[split].tobytes()))
    written.append(out / "LICENSE")
    written[-1].write_bytes(content["usr/share/doc/dataset-fashion-mnist/copyright"])
    return written


def _take(content: dict[str, bytes], part: str, wanted: dict[str, int], seen: set[bytes]) -> dict[str, np.ndarray]:
    """The first photographs of each class not seen before, in their original order, split after split."""
    folder = "usr/share/datasets/fashion-mnist/"
    photos = _idx(content[f"{folder}{part}-images-idx3-ubyte.gz"])
    labels = _idx(content[f"{folder}{part}-labels-idx1-ubyte.gz"])
    by_class: list[list[np.ndarray]] = [[] for _ in range(10)]
    total = sum(wanted.values())
    for photo, label in zip(photos, labels, strict=True):
        if len(by_class[label]) < total and photo.tobytes() not in seen:
            seen.add(photo.tobytes())
            by_class[label].append(photo)
    every = np.array(by_class)  # (10, total, 28, 28)
    ends = np.cumsum(list(wanted.values()))
    return {name: every[:, end - wanted[name] : end] for name, end in zip(wanted, ends, strict=True)}


def _idx(content: bytes) -> np.ndarray:
    """An array in the IDX format: two zero bytes, the type (8: uint8), the number of axes, big-endian sizes, data."""
    plain = gzip.decompress(content)
    axes = plain[3]
    shape = np.frombuffer(plain, ">u4", axes, offset=4)
    return np.frombuffer(plain, np.uint8, offset=4 + 4 * axes).reshape(shape)


def emoji(downloads: Path, out: Path) -> list[Path]:
    """Pictures (n, 32, 32, 3) uint8 on white, and for each its code points and its name.

    Every fully qualified emoji up to UNICODE is drawn, in the order of the names.
    """
    content = package(downloads / EMOJI, "usr/share/fonts/", "usr/share/doc/")
    with zipfile.ZipFile(downloads / NAMES) as wheel:
        known = json.loads(wheel.read("emoji/unicode_codes/emoji.json"))
        licence_of_names = wheel.read("emoji-2.16.0.dist-info/licenses/LICENSE.txt")
    qualified = {e["en"].strip(":"): text for text, e in known.items() if e["status"] == 2 and e["E"] <= UNICODE}
    names = sorted(qualified)
    pictures = _drawn(content["usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"], [qualified[n] for n in names])
    points = [" ".join(f"{ord(c):X}" for c in qualified[name]) for name in names]
    rows = ["code points\tname"] + [f"{p}\t{n.replace('_', ' ')}" for p, n in zip(points, names, strict=True)]
    out.mkdir(parents=True, exist_ok=True)
    parts = {
        "pictures.xz": squeeze(pictures.tobytes()),
        "names.tsv.xz": squeeze("".join(f"{row}\n" for row in rows).encode()),
        "LICENSE": content["usr/share/doc/fonts-noto-color-emoji/copyright"],
        "LICENSE-names": licence_of_names,
    }
    for name, part in parts.items():
        (out / name).write_bytes(part)
    return [out / name for name in parts]


def _drawn(content: bytes, texts: list[str]) -> np.ndarray:
    """The bitmap of each emoji, (n, 32, 32, 3) uint8; shaping turns a sequence of code points into one glyph."""
    import uharfbuzz
    from fontTools.ttLib import TTFont

    font = TTFont(io.BytesIO(content))
    shaper = uharfbuzz.Font(uharfbuzz.Face(content))
    pictures = []
    for text in texts:
        buffer = uharfbuzz.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        uharfbuzz.shape(shaper, buffer)
        glyphs = [font.getGlyphName(info.codepoint) for info in buffer.glyph_infos]
        if len(glyphs) != 1:
            raise ValueError(f"the font draws {text!r} with {len(glyphs)} glyphs, expected one")
        pictures.append(_small(font, glyphs[0]))
    return np.stack(pictures)


def _small(font: TTFont, glyph: str) -> np.ndarray:
    """A bitmap of 136 x 128 on white, averaged down to 32 x 30 between two white rows."""
    bitmap = Image.open(io.BytesIO(font["CBDT"].strikeData[0][glyph].imageData)).convert("RGBA")
    white = Image.new("RGBA", bitmap.size, (255, 255, 255, 255))
    small = Image.alpha_composite(white, bitmap).convert("RGB").resize((SIDE, SIDE - 2), Image.Resampling.BOX)
    return np.pad(np.asarray(small), ((1, 1), (0, 0), (0, 0)), constant_values=255)


def squeeze(content: bytes) -> bytes:
    """xz with everything that shapes the bytes stated."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 3, "lp": 0, "pb": 0}]
    return lzma.compress(content, lzma.FORMAT_XZ, lzma.CHECK_CRC64, filters=filters)


def package(deb: Path, *folders: str) -> dict[str, bytes]:
    """The files of a Debian package below `folders`, by path. A .deb is an `ar` archive that holds a data.tar."""
    content = deb.read_bytes()
    start = 8  # behind the magic "!<arch>\n"
    while start < len(content):
        name = content[start : start + 16].decode().strip().rstrip("/")
        size = int(content[start + 48 : start + 58])
        start += 60
        if name.startswith("data.tar"):
            return _unpacked(content[start : start + size], folders)
        start += size + size % 2  # members begin at even offsets
    raise ValueError(f"{deb} holds no data.tar")


def _unpacked(content: bytes, folders: tuple[str, ...]) -> dict[str, bytes]:
    files = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            stream = archive.extractfile(member) if name.startswith(folders) and member.isfile() else None
            if stream is not None:
                files[name] = stream.read()
    return files
