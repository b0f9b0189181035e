"""Objects cut out of PASCAL VOC: boxes to the pixel, the lists and options that choose them, and faulty files."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.datasets import DatasetError, image_folder, load

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
        forbidden.setattr(image_folder, "_read_rgb", lambda path: pytest.fail(f"decoded {path} again"))
        second = load("voc_crops", kit.root)
    assert torch.equal(first.train.images, second.train.images)
    kit.add("VOC2007", "test", "VOC2007_test", entry("cat", (1, 1, 20, 15)))
    assert not torch.equal(load("voc_crops", kit.root).test.images[0], first.test.images[0])


FAULTS = {
    "malformed": (lambda path: path.write_text("<annotation><object>"), r"Cannot read .*a\.xml \("),
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
