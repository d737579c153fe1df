"""Pictures of strangers, and a folder of one's own: every fault is one clear line."""

from __future__ import annotations

import os
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks import SPLITS, BadInput, configured
from tasks._pictures import FORMATS, LARGEST_FILE, captioned, picture
from tasks._scenes import cut, paste
from tasks.captioning import Captioning, OwnCaptions

FLICKR = Path(__file__).parents[2] / "shared" / "data" / "flickr"
COLOURS = ["red", "green", "blue", "white", "black", "yellow"]


@pytest.fixture
def folder(tmp_path):
    """Twelve pictures with two captions each, four a split."""
    (tmp_path / "images").mkdir()
    rows = ["image,caption,split"]
    for i in range(12):
        colour = COLOURS[i % 6]
        Image.new("RGB", (40 + i, 33), colour).save(tmp_path / "images" / f"{i}.png")
        split = ("train", "val", "test")[i // 4]
        rows += [f"{i}.png,A {colour} square .,{split}", f'{i}.png,"All {colour}, nothing else",{split}']
    (tmp_path / "captions.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def rewrite(folder, content):
    (folder / "captions.csv").write_bytes(content if isinstance(content, bytes) else content.encode())


def fault(folder):
    with pytest.raises(BadInput) as caught:
        captioned(folder, 24)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_patches_pasted_together_are_the_picture():
    whole = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    patches = cut(whole, 3, 2)
    assert patches.shape == (6, 3 * 2 * 4)
    assert np.array_equal(np.rint(patches[1].reshape(3, 2, 4) * 255), whole[:2, 4:].transpose(2, 0, 1))
    assert np.array_equal(paste(patches, (3, 2, 4), 3, 2), whole)


def test_a_folder_of_ones_own_becomes_a_task(folder):
    task = Captioning(Captioning.Config(pixels=24, patch=8, vocabulary=100), folder)
    assert isinstance(task, OwnCaptions)
    assert [len(task.items(split)) for split in SPLITS] == [8, 4, 4]
    assert (task.spec.grid, task.spec.patch_shape) == ((3, 3), (3, 8, 8))
    best = task.score([target.tolist() for target in task.items("train").targets], "train")
    assert best.main == task.main == "cider"
    assert best.totals["exact"] == best.totals["chrf"] == 100
    assert {"constant", "nearest neighbour"} == task.floors("test").keys()
    assert task.read(str(folder / "images" / "3.png")).shape == (9, 192)
    assert task.show("test", 0).reference == task.write(task.items("test").targets[0].tolist())


def test_the_same_folder_gives_the_same_checksum_and_a_changed_caption_another(folder):
    first = Captioning(None, folder).checksum
    assert Captioning(None, folder).checksum == first
    rewrite(folder, (folder / "captions.csv").read_text().replace("A red", "One red"))
    assert Captioning(None, folder).checksum != first


def test_without_a_column_split_copies_of_a_picture_stay_together(folder):
    rng = np.random.default_rng(1)
    rows = ["image,caption"]
    for i in range(60):
        noise = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        for copy in "ab":
            noise.save(folder / "images" / f"{i}{copy}.png")
            rows.append(f"{i}{copy}.png,noise")
    rewrite(folder, "\n".join(rows))
    read = captioned(folder, 9)
    assert [a.split for a in read[::2]] == [b.split for b in read[1::2]]
    assert {one.split for one in read} == set(SPLITS)


def test_a_name_that_leads_out_of_the_folder_is_refused(folder):
    (folder.parent / "secret.png").write_bytes((folder / "images" / "0.png").read_bytes())
    for name in ("../secret.png", "../../secret.png", str(folder.parent / "secret.png")):
        rewrite(folder, f"image,caption\n0.png,fine\n{name},stolen\n")
        assert "captions.csv: line 3: image" in (said := fault(folder))
        assert "leads out" in said


def test_a_link_out_of_the_folder_is_refused(folder):
    (folder.parent / "secret.png").write_bytes((folder / "images" / "0.png").read_bytes())
    (folder / "images" / "link.png").symlink_to(folder.parent / "secret.png")
    rewrite(folder, "image,caption\nlink.png,stolen\n")
    assert "line 2: image 'link.png' leads out" in fault(folder)


def test_a_circle_of_links_is_named(folder):
    (folder / "images" / "a.png").symlink_to("b.png")
    (folder / "images" / "b.png").symlink_to("a.png")
    rewrite(folder, "image,caption\na.png,round\n")
    assert "line 2: image 'a.png' is neither in" in fault(folder)


def test_a_pipe_is_refused_and_not_waited_for(folder):
    os.mkfifo(folder / "images" / "pipe.png")
    rewrite(folder, "image,caption\npipe.png,waits\n")
    assert "line 2" in (said := fault(folder))
    assert "not a regular file" in said


def test_a_truncated_picture_is_named(folder):
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "images" / "whole.png")
    (folder / "images" / "cut.png").write_bytes((folder / "images" / "whole.png").read_bytes()[:3000])
    rewrite(folder, "image,caption\ncut.png,half\n")
    assert "line 2" in (said := fault(folder))
    assert "not a readable picture" in said


def png_header(width, height):
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize("side", [7_000, 10_000, 20_000])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(folder, side):
    data = b"IDAT" + zlib.compress(b"")
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    (folder / "images" / "huge.png").write_bytes(png_header(side, side) + chunk)
    rewrite(folder, "image,caption\nhuge.png,vast\n")
    started = time.monotonic()
    said = fault(folder)
    assert time.monotonic() - started < 2
    assert "captions.csv: line 2: " in said
    assert "huge.png" in said
    assert "40,000,000" in said  # the limit, ours and not the decoder's


def test_a_file_that_is_too_large_is_refused_with_the_limit(folder):
    with (folder / "images" / "large.png").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    rewrite(folder, "image,caption\nlarge.png,vast\n")
    assert "large.png has 33,554,433 bytes; at most 33,554,432 are read" in fault(folder)


@pytest.mark.parametrize("name", [".", "images/.", "../images"])
def test_a_folder_is_no_picture(folder, name):
    rewrite(folder, f"image,caption\n{name},all\n")
    assert "line 2" in (said := fault(folder))
    assert "is not a regular file" in said or "leads out" in said


@pytest.mark.parametrize("other", ["./0.png", "../images/0.png", "images/0.png", "link.png"])
def test_one_file_by_two_names_is_one_picture(folder, other):
    (folder / "images" / "link.png").symlink_to("0.png")
    text = (folder / "captions.csv").read_text()
    rewrite(folder, f"{text}{other},again,test\n")
    assert f"line 26 puts {other} into test, line 2 elsewhere" in fault(folder)
    rewrite(folder, f"{text}{other},again,train\n")
    read = captioned(folder, 9)
    assert len(read) == 12
    assert read[0].captions[-1] == "again"


def test_two_words_for_validation_are_one_split(folder):
    rewrite(folder, (folder / "captions.csv").read_text().replace("square .,val", "square .,validation"))
    assert [one.split for one in captioned(folder, 9)] == ["train"] * 4 + ["validation"] * 4 + ["test"] * 4


def test_copies_of_a_picture_in_two_splits_are_counted(folder):
    task = Captioning(Captioning.Config(pixels=24, patch=8, vocabulary=100), folder)
    assert task.overlap == {"validation": 2, "test": 4}  # six colours among twelve pictures


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "line 1 must name the columns image and caption"),
        ("image,caption\n", "holds no rows"),
        ("image,text\n0.png,hello\n", "line 1 must name the columns"),
        (b"image,caption\n0.png,fine\n0.png,caf\xe9\n", "line 3 is not valid UTF-8"),
        ("image,caption\nnone.png,gone\n", "line 2: image 'none.png' is neither in"),
        ("image,caption\n0.png\n", "line 2 has 1 columns, expected 2"),
        ("image,caption\n0.png,\n", "line 2 lacks an image or a caption"),
        ('image,caption\n0.png,"open\n', "cannot be read"),
        ("image,caption,split\n0.png,a,train\n0.png,b,test\n", "line 3 puts 0.png into test, line 2 elsewhere"),
        ("image,caption,split\n0.png,a,exam\n", "line 2: split 'exam' is not one of"),
        ("image,caption,split,split\n0.png,a,test,train\n", "each once; found: image, caption, split, split"),
        ("image,caption,split\n0.png,a,train\n0.png,b,\n", "line 3 puts 0.png into no split, line 2 elsewhere"),
        ("image,caption\n0.png,alone\n", "no picture of 1 is in"),
        ("image,caption\n\0.png,null\n", "line 2"),
    ],
)
def test_a_fault_in_the_table_names_file_and_line(folder, content, expected):
    rewrite(folder, content)
    said = fault(folder)
    assert "captions.csv" in said
    assert expected in said


def test_a_missing_folder_or_table_is_named(tmp_path):
    assert "is not a folder" in fault(tmp_path / "none")
    assert "captions.csv cannot be opened" in fault(tmp_path)


@pytest.mark.parametrize("settings", [{"pixels": 50}, {"patch": 0}, {"vocabulary": 3}, {"longest": 0}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(BadInput, match=f"captioning: .*{next(iter(settings))}="):
        configured(Captioning.Config, settings, "captioning")


def test_what_is_transparent_shows_the_ground(tmp_path):
    Image.new("RGBA", (8, 8), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    assert not picture(tmp_path / "clear.png", 4).any()
    assert (picture(tmp_path / "clear.png", 4, ground=255) == 255).all()


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_allowed_is_read(tmp_path, kind):
    Image.new("RGB", (50, 30), (200, 200, 200)).save(tmp_path / "x", kind)
    assert np.abs(picture(tmp_path / "x", 8).astype(int) - 200).max() <= 4


def test_other_formats_are_refused(tmp_path):
    Image.new("RGB", (5, 3)).save(tmp_path / "x.png", "TIFF")
    with pytest.raises(BadInput, match="not a readable picture"):
        picture(tmp_path / "x.png", 8)


@pytest.mark.skipif(not FLICKR.is_dir(), reason="the photographs of shared/data/flickr may not be passed on")
def test_real_photographs_are_read():
    task = Captioning(Captioning.Config(pixels=64), FLICKR)
    assert len(task.items("train")) > 3000
    assert len(task.references("test")[0]) == 5
    assert task.items("test").sources[0].shape == (16, 768)
