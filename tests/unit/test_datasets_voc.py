"""Objects cut out of PASCAL VOC: boxes to the pixel, the lists and options that choose them, and faulty files."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.datasets import DatasetError, image_files, load

CAT, DOG, TRAIN = 7, 11, 18  # labels: positions in the alphabetical list of the 20 classes
SIZE = (40, 30)  # of the photographs: width, height


def entry(name: str, box: tuple, difficult: int = 0, truncated: int = 0) -> str:
    sides = "".join(
        f"<{side}>{value}</{side}>" for side, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return (
        f"<object><name>{name}</name><difficult>{difficult}</difficult><truncated>{truncated}</truncated>"
        f"<bndbox>{sides}</bndbox><part><name>head</name><bndbox><xmin>0</xmin></bndbox></part></object>"
    )  # fmt: skip


class Kit:
    """A VOCdevkit in the making; each photograph is of one colour, with a black upper left quarter."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lists: dict[tuple[str, str], list[str]] = {}
        for year, name in [("VOC2007", "trainval"), ("VOC2007", "test"), ("VOC2012", "trainval")]:
            self.add(year, name, f"{year}_{name}", entry("cat", (1, 1, 40, 30)))

    def add(self, year: str, name: str, image_id: str, objects: str) -> Path:
        """A photograph with these objects; gives its annotation's path."""
        pixels = np.full((SIZE[1], SIZE[0], 3), 200, np.uint8)
        pixels[:15, :20] = 0
        photograph = self.root / year / "JPEGImages" / f"{image_id}.jpg"
        photograph.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(photograph, quality=100, subsampling=0)
        annotation = self.root / year / "Annotations" / f"{image_id}.xml"
        annotation.parent.mkdir(parents=True, exist_ok=True)
        annotation.write_text(f"<annotation><size><width>1</width></size>{objects}</annotation>")
        ids = self.lists.setdefault((year, name), [])
        ids.append(image_id)
        path = self.root / year / "ImageSets" / "Main" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(ids) + "\n")
        return annotation


@pytest.fixture
def kit(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Kit(tmp_path / "VOCdevkit")


def test_training_objects_are_of_both_years_and_test_objects_of_2007(kit, tmp_path):
    kit.add("VOC2007", "trainval", "a", entry("dog", (1, 1, 20, 15)) + entry("train", (21, 16, 40, 30)))
    kit.add("VOC2012", "trainval", "b", entry("dog", (1.4, 0.9, 20, 15)))
    kit.add("VOC2012", "test", "c", entry("dog", (1, 1, 20, 15)))
    for root in (kit.root, tmp_path):
        data = load("voc_crops", root)
        assert data.train.labels.tolist() == [CAT, DOG, TRAIN, CAT, DOG]
        assert data.test.labels.tolist() == [CAT]
        assert [data.classes[label] for label in (CAT, DOG, TRAIN)] == ["cat", "dog", "train"]
        assert (data.name, len(data.classes)) == ("voc_crops", 20)
        assert data.train.images.shape == (5, 3, 96, 96)


def test_a_box_is_cut_to_the_pixel(kit):
    kit.add("VOC2007", "trainval", "a", entry("dog", (1, 1, 20, 15)) + entry("train", (21, 16, 40, 30)))
    images = load("voc_crops", kit.root, image_size=(15, 20)).train.images
    # JPEG's blocks of 8 do not end where the black quarter does, so values near it are not exact.
    assert images[1].float().mean() < 10
    assert (images[2] > 150).all()
    whole = np.asarray(Image.open(kit.root / "VOC2007" / "JPEGImages" / "a.jpg"))
    np.testing.assert_array_equal(images[1].permute(1, 2, 0).numpy(), whole[:15, :20])
    np.testing.assert_array_equal(images[2].permute(1, 2, 0).numpy(), whole[15:, 20:])


def add_turned(kit, orientation, box, size=""):
    """A photograph of the training list, stored 40x30 with its left half white, of this EXIF orientation."""
    annotation = kit.add("VOC2007", "trainval", "turned", entry("dog", box))
    pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    pixels[:, :20] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    photograph = kit.root / "VOC2007" / "JPEGImages" / "turned.jpg"
    Image.fromarray(pixels).save(photograph, quality=100, subsampling=0, exif=exif)
    annotation.write_text(f"<annotation>{size}{entry('dog', box)}</annotation>")
    return annotation


def size_element(width, height):
    return f"<size><width>{width}</width><height>{height}</height></size>"


@pytest.mark.parametrize("size", ["", size_element(40, 30), size_element(0, 0)], ids=["unsaid", "stored", "zero"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_counts_in_the_stored_photograph_unless_size_is_of_the_upright_one(kit, orientation, size):
    add_turned(kit, orientation, (1, 1, 20, 30), size)
    crop = load("voc_crops", kit.root).train.images[1]
    assert crop.float().mean() > 245


# Where the stored left half comes to lie in the upright photograph of 30x40.
@pytest.mark.parametrize(
    ("orientation", "box"), [(5, (1, 1, 30, 20)), (6, (1, 1, 30, 20)), (7, (1, 21, 30, 40)), (8, (1, 21, 30, 40))]
)
def test_a_box_counts_in_the_upright_photograph_where_size_says_so(kit, orientation, box):
    add_turned(kit, orientation, box, size_element(30, 40))
    assert load("voc_crops", kit.root).train.images[1].float().mean() > 245


def test_a_box_outside_the_stored_photograph_names_the_orientation(kit):
    add_turned(kit, 6, (1, 1, 30, 40))
    says = r"not inside its photograph of 40x30 as it is stored \(its EXIF orientation is 6; a <size> tells"
    with pytest.raises(DatasetError, match=rf"Object 1 of .*turned\.xml has the box .*{says}"):
        load("voc_crops", kit.root)
    with pytest.warns(UserWarning, match=says):
        assert load("voc_crops", kit.root, skip_faulty=True).train.labels.tolist() == [CAT, CAT]


def test_an_annotation_of_another_size_is_named(kit):
    annotation = kit.add("VOC2007", "test", "a", entry("dog", (1, 1, 20, 15)))
    annotation.write_text(f"<annotation>{size_element(80, 60)}{entry('dog', (1, 1, 20, 15))}</annotation>")
    assert_refused_or_skipped(kit, r"a\.xml gives its photograph's <size> as 80x60; it is 40x30")


@pytest.mark.parametrize("encoding", ["gb2312", "GBK", "big5", "shift_jis", "euc-kr", "utf-16", "ISO-8859-1", "utf-8"])
def test_an_annotation_is_read_in_the_encoding_it_declares(kit, encoding):
    annotation = kit.add("VOC2007", "test", "a", "")
    name = "caf\u00e9" if encoding == "ISO-8859-1" else "\u4e00\u4e2d"
    text = f"<annotation><filename>{name}.jpg</filename>{entry('dog', (1, 1, 20, 15))}</annotation>"
    annotation.write_bytes(f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding))
    assert load("voc_crops", kit.root).test.labels.tolist() == [CAT, DOG]


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.95])
def test_a_photograph_that_ends_early_is_named_and_refused_or_skipped(kit, part):
    kit.add("VOC2007", "test", "a", entry("dog", (1, 1, 20, 15)) + entry("train", (1, 1, 20, 15)))
    kit.add("VOC2007", "test", "b", entry("dog", (1, 1, 20, 15)))
    photograph = kit.root / "VOC2007" / "JPEGImages" / "a.jpg"
    content = photograph.read_bytes()
    photograph.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(DatasetError, match=r"Cannot read .*a\.jpg \("):
        load("voc_crops", kit.root)
    for _ in range(2):  # also from the cache
        with pytest.warns(UserWarning, match=r"Cannot read .*a\.jpg \(") as warned:
            data = load("voc_crops", kit.root, skip_faulty=True)
        assert len(warned) == 1
        assert data.test.labels.tolist() == [CAT, DOG]
        assert len(data.test.images) == 2
        assert torch.equal(data.train.images[0], data.test.images[0])
    photograph.write_bytes(content)
    assert load("voc_crops", kit.root, skip_faulty=True).test.labels.tolist() == [CAT, DOG, TRAIN, DOG]


def test_a_split_of_which_no_photograph_can_be_read_is_named(kit):
    photograph = kit.root / "VOC2007" / "JPEGImages" / "VOC2007_test.jpg"
    photograph.write_bytes(photograph.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"no image of the test split can be read; the first: .*VOC2007_test\.jpg"):
        load("voc_crops", kit.root, skip_faulty=True)


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({}, [CAT, DOG]),
        ({"difficult": True}, [CAT, DOG, TRAIN]),
        ({"truncated": False}, [CAT]),
        ({"difficult": True, "truncated": False}, [CAT, TRAIN]),
    ],
)
def test_difficult_and_truncated_objects_are_options(kit, options, labels):
    box = (1, 1, 20, 15)
    kit.add("VOC2007", "test", "a", entry("dog", box, truncated=1) + entry("train", box, difficult=1))
    assert load("voc_crops", kit.root, **options).test.labels.tolist() == labels


def test_photographs_are_decoded_once_and_again_when_a_box_changes(kit, monkeypatch):
    first = load("voc_crops", kit.root)
    with monkeypatch.context() as forbidden:
        forbidden.setattr(image_files, "read_rgb", lambda path, upright: pytest.fail(f"decoded {path} again"))
        second = load("voc_crops", kit.root)
    assert torch.equal(first.train.images, second.train.images)
    kit.add("VOC2007", "test", "VOC2007_test", entry("cat", (1, 1, 20, 15)))
    assert not torch.equal(load("voc_crops", kit.root).test.images[0], first.test.images[0])


FAULTS = {
    "malformed": (lambda path: path.write_text("<annotation><object>"), r"Cannot read .*a\.xml \("),
    "unknown encoding": (
        lambda path: path.write_text('<?xml version="1.0" encoding="ANSI"?><annotation/>'),
        r"Cannot read .*a\.xml \(unknown encoding: ANSI\)",
    ),
    "not as declared": (
        lambda path: path.write_bytes(b'<?xml version="1.0" encoding="gbk"?><annotation>\xff\xff</annotation>'),
        r"Cannot read .*a\.xml \('gbk' codec can't decode",
    ),
    "no annotation": (lambda path: path.unlink(), r"Cannot read .*a\.xml \("),
    "no photograph": (lambda path: (path.parents[1] / "JPEGImages/a.jpg").unlink(), r"Cannot read .*a\.jpg \("),
    "no image": (lambda path: (path.parents[1] / "JPEGImages/a.jpg").write_text("x"), r"Cannot read .*a\.jpg \("),
}
BOXES = {
    "left of it": ((0, 1, 20, 15), r"Object 1 of .*a\.xml has the box \(0, 1, 20, 15\), not inside"),
    "right of it": ((1, 1, 41, 15), "not inside its photograph of 40x30"),
    "below it": ((1, 1, 20, 31), "not inside its photograph"),
    "empty": ((20, 1, 10, 15), "not inside its photograph"),
    "no number": (("", 1, 20, 15), "has no box of four numbers"),
    "not a number": (("nan", 1, 20, 15), "has no box of four numbers"),
    "infinite": ((1, 1, "inf", 15), "has no box of four numbers"),
}  # fmt: skip


def assert_refused_or_skipped(kit, says):
    with pytest.raises(DatasetError, match=rf"{says}.*; mend or remove it, or pass skip_faulty=True\.$"):
        load("voc_crops", kit.root)
    with pytest.warns(UserWarning, match=rf"{says}.*; skipped\.$") as warnings:
        assert load("voc_crops", kit.root, skip_faulty=True).test.labels.tolist() == [CAT]
    assert len(warnings) == 1


@pytest.mark.parametrize(("spoil", "says"), FAULTS.values(), ids=FAULTS.keys())
def test_a_faulty_file_is_named_and_refused_or_skipped(kit, spoil, says):
    spoil(kit.add("VOC2007", "test", "a", entry("dog", (1, 1, 20, 15))))
    assert_refused_or_skipped(kit, says)


@pytest.mark.parametrize(("box", "says"), BOXES.values(), ids=BOXES.keys())
def test_a_box_that_is_not_inside_is_named_and_refused_or_skipped(kit, box, says):
    kit.add("VOC2007", "test", "a", entry("dog", box))
    assert_refused_or_skipped(kit, says)


def test_an_unknown_class_or_a_missing_box_is_named(kit):
    kit.add("VOC2007", "test", "a", entry("cow boy", (1, 1, 20, 15)))
    assert_refused_or_skipped(kit, r"Object 1 of .*a\.xml is of class 'cow boy', which is none of the 20")
    kit.add("VOC2007", "test", "a", "<object><name>cat</name></object>")
    with pytest.raises(DatasetError, match="has no box of four numbers"):
        load("voc_crops", kit.root)


def test_a_missing_year_or_list_is_named_with_the_remedy(kit, tmp_path):
    path = kit.root / "VOC2012" / "ImageSets" / "Main" / "trainval.txt"
    path.unlink()
    with pytest.raises(DatasetError, match=rf"{re.escape(str(path))}.*VOC2012 \(trainval\) unpacked in"):
        load("voc_crops", kit.root)
    with pytest.raises(DatasetError, match="none"):
        load("voc_crops", tmp_path / "none")


def test_a_list_without_objects_is_named(kit):
    kit.add("VOC2007", "test", "VOC2007_test", "")
    with pytest.raises(DatasetError, match="holds no object for the test split"):
        load("voc_crops", kit.root)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("image_folder", {"difficult": True}, "image_folder has no option 'difficult'"),
        ("voc_crops", {"dificult": True}, "voc_crops has no option 'dificult'; difficult, truncated, skip_faulty are"),
        ("voc_crops", {"difficult": 1}, "difficult is 1; it is True or False"),
    ],
)
def test_a_wrong_option_is_named(tmp_path, name, options, says):
    with pytest.raises(DatasetError, match=says):
        load(name, tmp_path, **options)
