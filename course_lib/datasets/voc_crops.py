"""The objects of PASCAL VOC 2007 and 2012 (Everingham et al. 2010), each cut out of its photograph and resized.

Training images are the objects of both years' `trainval` lists, test images those of VOC2007's `test` list, whose
annotations are public. Without objects marked difficult, as the challenge leaves them out, the published files hold
40,058 and 12,032 objects of 20 classes.
"""

from __future__ import annotations

import hashlib
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from course_lib.datasets.errors import DatasetError
from course_lib.datasets.image_folder import load_cached, read_image
from course_lib.datasets.image_tree import ImageTree
from course_lib.datasets.images import ImageData

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
LISTS = {"train": (("VOC2007", "trainval"), ("VOC2012", "trainval")), "test": (("VOC2007", "test"),)}
IMAGE_SIZE = (96, 96)  # every network of the course takes it


class Crop(NamedTuple):
    """Part of a photograph: pixel columns left to right - 1 and rows top to bottom - 1, counted from 0."""

    path: str
    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True)
class VocOptions:
    """Which objects of PASCAL VOC become images.

    Attributes:
        difficult: also those marked difficult to recognise.
        truncated: also those of which a part lies outside the photograph or is hidden.
        skip_faulty: leave out, with a warning that names the file, an annotation that cannot be read or an object
            whose box is not inside its photograph; otherwise such a file is refused.
    """

    difficult: bool = False
    truncated: bool = True
    skip_faulty: bool = False


def load_voc_crops(
    root: Path, image_size: tuple[int, int] | None = None, options: VocOptions | None = None
) -> ImageData:
    """Objects as RGB images, shape (3, H, W); the first load decodes them, later ones map a cache into memory.

    Args:
        root: VOCdevkit, or the folder that holds it, with VOC2007 and VOC2012 in it, and in each Annotations,
            JPEGImages and ImageSets/Main. It is only read.
        image_size: (height, width) to resize to, bilinear and antialiased, aspect ratio not kept; None is 96x96.
        options: which objects; None is the defaults.

    Raises:
        DatasetError: a folder or file is missing, an annotation or a box is faulty and not to be skipped, a photograph
            cannot be read, there is no object, or the cache cannot be written.
    """
    options = options or VocOptions()
    kit = root / "VOCdevkit" if (root / "VOCdevkit").is_dir() else root
    files = {split: list(_crops(kit, lists, options)) for split, lists in LISTS.items()}
    for split, crops in files.items():
        if not crops:
            raise DatasetError(f"{kit} holds no object for the {split} split; check its lists and the options.")
    size = image_size or IMAGE_SIZE
    tree = ImageTree(kit, CLASSES, files, _fingerprint(files))
    return load_cached("voc_crops", tree, f"{size} {options}", lambda: partial(_decode, size=size))


def _fingerprint(files: dict[str, list[tuple[Crop, int]]]) -> str:
    digest = hashlib.sha256()
    for split, crops in files.items():
        for crop, label in crops:
            status = Path(crop.path).stat()
            digest.update(f"{split}\0{crop}\0{label}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _decode(crop: Crop, size: tuple[int, int]) -> np.ndarray:
    return read_image(crop.path, size, crop[1:])


def _crops(kit: Path, lists: tuple[tuple[str, str], ...], options: VocOptions) -> Iterator[tuple[Crop, int]]:
    for year, name in lists:
        for image_id in _image_ids(kit, year, name):
            yield from _objects(kit / year, image_id, options)


def _image_ids(kit: Path, year: str, name: str) -> list[str]:
    path = kit / year / "ImageSets" / "Main" / f"{name}.txt"
    try:
        return path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"Cannot read {path} ({error}); voc_crops needs VOC2007 (trainval and test) and VOC2012 (trainval) "
            f"unpacked in {kit}."
        ) from error


def _objects(folder: Path, image_id: str, options: VocOptions) -> Iterator[tuple[Crop, int]]:
    """The objects of one photograph that the options keep, with their labels."""
    annotation, photograph = folder / "Annotations" / f"{image_id}.xml", folder / "JPEGImages" / f"{image_id}.jpg"
    try:
        objects = ET.parse(annotation).getroot().findall("object")
        with Image.open(photograph, formats=("JPEG",)) as image:
            size = image.size
    except (OSError, ET.ParseError) as error:
        where = annotation if isinstance(error, ET.ParseError) or not annotation.is_file() else photograph
        _report(f"Cannot read {where} ({error})", options)
        return
    for number, element in enumerate(objects, 1):
        try:
            if _flag(element, "difficult") > options.difficult or _flag(element, "truncated") > options.truncated:
                continue
            label, box = _label_and_box(element, size)
        except ValueError as error:
            _report(f"Object {number} of {annotation} {error}", options)
            continue
        yield Crop(str(photograph), *box), label


def _flag(element: ET.Element, name: str) -> bool:
    return (element.findtext(name) or "0").strip() == "1"


def _label_and_box(element: ET.Element, size: tuple[int, int]) -> tuple[int, tuple[int, int, int, int]]:
    """The label, and left, top, right, bottom as `PIL.Image.crop` takes them; ValueError if they are not sound."""
    name = (element.findtext("name") or "").strip()
    if name not in CLASSES:
        raise ValueError(f"is of class {name!r}, which is none of the 20")
    sides = [element.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
    try:
        # Some files of VOC2012 have fractions.
        left, top, right, bottom = (round(float(side)) for side in sides)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"has no box of four numbers, but {sides}") from error
    width, height = size
    if not (1 <= left <= right <= width and 1 <= top <= bottom <= height):
        raise ValueError(f"has the box {left, top, right, bottom}, not inside its photograph of {width}x{height}")
    return CLASSES.index(name), (left - 1, top - 1, right, bottom)  # in the files, pixels count from 1


def _report(problem: str, options: VocOptions) -> None:
    """Warn of what is skipped, or refuse it."""
    if not options.skip_faulty:
        raise DatasetError(f"{problem}; mend or remove it, or pass skip_faulty=True.")
    warnings.warn(f"{problem}; skipped.", stacklevel=2)
