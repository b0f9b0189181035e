"""The objects of PASCAL VOC 2007 and 2012 (Everingham et al. 2010), each cut out of its photograph and resized.

Training images are the objects of both years' `trainval` lists, test images those of VOC2007's `test` list, whose
annotations are public. Without objects marked difficult, as the challenge leaves them out, the published files hold
40,058 and 12,032 objects of 20 classes.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from course_lib.datasets.errors import DatasetError
from course_lib.datasets.image_cache import load_cached
from course_lib.datasets.image_files import UNREADABLE, read_image, read_size
from course_lib.datasets.image_tree import ImageTree
from course_lib.datasets.images import ImageData
from course_lib.datasets.voc_annotations import (
    CLASSES,
    MALFORMED,
    frame_of,
    is_flagged,
    label_and_box,
    parse_annotation,
)

LISTS = {"train": (("VOC2007", "trainval"), ("VOC2012", "trainval")), "test": (("VOC2007", "test"),)}
IMAGE_SIZE = (96, 96)  # every network of the course takes it


class Crop(NamedTuple):
    """Part of a photograph: pixel columns left to right - 1 and rows top to bottom - 1, counted from 0.

    They are counted in the photograph as it is stored, or, if `upright`, turned as its EXIF orientation says.
    """

    path: str
    left: int
    top: int
    right: int
    bottom: int
    upright: bool


@dataclass(frozen=True)
class VocOptions:
    """Which objects of PASCAL VOC become images.

    Attributes:
        difficult: also those marked difficult to recognise.
        truncated: also those of which a part lies outside the photograph or is hidden.
        skip_faulty: leave out, with a warning that names the file, an annotation or a photograph that cannot be read or
            that ends early, and an object whose box is not inside its photograph; otherwise such a file is refused.
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
        DatasetError: a folder or file is missing, an annotation, a box or a photograph is faulty and not to be skipped,
            there is no object, or the cache cannot be written.
    """
    options = options or VocOptions()
    kit = root / "VOCdevkit" if (root / "VOCdevkit").is_dir() else root
    files = {split: list(_crops(kit, lists, options)) for split, lists in LISTS.items()}
    for split, crops in files.items():
        if not crops:
            raise DatasetError(f"{kit} holds no object for the {split} split; check its lists and the options.")
    size = image_size or IMAGE_SIZE
    tree = ImageTree(kit, CLASSES, files, _fingerprint(files))
    decode = partial(_decode, size=size)
    return load_cached("voc_crops", tree, f"{size} {options}", lambda: decode, skip_faulty=options.skip_faulty)


def _fingerprint(files: dict[str, list[tuple[Crop, int]]]) -> str:
    digest = hashlib.sha256()
    for split, crops in files.items():
        for crop, label in crops:
            status = Path(crop.path).stat()
            digest.update(f"{split}\0{crop}\0{label}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _decode(crop: Crop, size: tuple[int, int]) -> np.ndarray:
    return read_image(crop.path, size, crop[1:5], upright=crop.upright)


def _crops(kit: Path, lists: tuple[tuple[str, str], ...], options: VocOptions) -> Iterator[tuple[Crop, int]]:
    for year, name in lists:
        for image_id in _image_ids(kit, year, name):
            yield from _objects(kit / year, image_id, options)


def _image_ids(kit: Path, year: str, name: str) -> list[str]:
    path = kit / year / "ImageSets" / "Main" / f"{name}.txt"
    try:
        return path.read_text(encoding="utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"Cannot read {path} ({error}); voc_crops needs VOC2007 (trainval and test) and VOC2012 (trainval) "
            f"unpacked in {kit}."
        ) from error


def _objects(folder: Path, image_id: str, options: VocOptions) -> Iterator[tuple[Crop, int]]:
    """The objects of one photograph that the options keep, with their labels."""
    annotation, photograph = folder / "Annotations" / f"{image_id}.xml", folder / "JPEGImages" / f"{image_id}.jpg"
    try:
        root = parse_annotation(annotation)
    except (OSError, *MALFORMED) as error:
        _report(f"Cannot read {annotation} ({error})", options)
        return
    try:
        size, orientation = read_size(photograph)
    except UNREADABLE as error:
        _report(f"Cannot read {photograph} ({error})", options)
        return
    try:
        frame = frame_of(root, size, orientation)
    except ValueError as error:
        _report(f"{annotation} {error}", options)
        return
    for number, element in enumerate(root.findall("object"), 1):
        try:
            if any(is_flagged(element, name) > getattr(options, name) for name in ("difficult", "truncated")):
                continue
            label, box = label_and_box(element, frame)
        except ValueError as error:
            _report(f"Object {number} of {annotation} {error}", options)
            continue
        yield Crop(str(photograph), *box, frame.upright), label


def _report(problem: str, options: VocOptions) -> None:
    """Warn of what is skipped, or refuse it."""
    if not options.skip_faulty:
        raise DatasetError(f"{problem}; mend or remove it, or pass skip_faulty=True.")
    warnings.warn(f"{problem}; skipped.", stacklevel=2)
