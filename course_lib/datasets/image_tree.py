"""The files of an image tree, root/train|test/<class>/*.png|jpg|jpeg, listed without opening them."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_lib.datasets.errors import DatasetError

SUFFIXES = (".png", ".jpg", ".jpeg")
SPLITS = ("train", "test")


@dataclass(frozen=True)
class ImageTree:
    """The images of a data set on disk.

    Attributes:
        root: folder that holds them all.
        classes: their names; a label is an index into them.
        files: for "train" and "test" each image with its label; an image is a path, or a part of a photograph.
        fingerprint: hexadecimal SHA-256 that changes when an image is added, removed, renamed or changed.
    """

    root: Path
    classes: tuple[str, ...]
    files: dict[str, list[tuple[Any, int]]]
    fingerprint: str


def scan_tree(root: Path) -> ImageTree:
    """List the images of a tree, sorted by class and file name, with a fingerprint over each one's relative path, size
    and time of last change. Hidden folders, other files and deeper folders are ignored.

    Raises:
        DatasetError: a folder is missing, empty or unreadable, or the classes of train and test differ.
    """
    try:
        classes = _find_classes(root)
        digest = hashlib.sha256()
        files: dict[str, list[tuple[str, int]]] = {split: [] for split in SPLITS}
        for split in SPLITS:
            for label, class_name in enumerate(classes):
                for entry in _find_images(root / split / class_name):
                    status = entry.stat()
                    line = f"{split}/{class_name}/{entry.name}\0{status.st_size}\0{status.st_mtime_ns}\n"
                    digest.update(os.fsencode(line))
                    files[split].append((entry.path, label))
    except OSError as error:
        raise DatasetError(f"Cannot read {error.filename}: {error.strerror}; check its permissions.") from error
    return ImageTree(root, classes, files, digest.hexdigest())


def _find_classes(root: Path) -> tuple[str, ...]:
    names = {}
    for split in SPLITS:
        folder = root / split
        if not folder.is_dir():
            raise DatasetError(
                f"Folder {folder} does not exist; an image folder needs {root}/train/<class>/ and {root}/test/<class>/ "
                "with .png, .jpg or .jpeg files."
            )
        names[split] = {entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith(".")}
        if not names[split]:
            raise DatasetError(f"{folder} holds no class folder; put the images of each class into a folder there.")
    if names["train"] != names["test"]:
        raise DatasetError(
            f"The classes of {root}/train and {root}/test differ: {sorted(names['train'] ^ names['test'])} in one "
            "only; give both the same class folders."
        )
    return tuple(sorted(names["train"]))


def _find_images(folder: Path) -> list[os.DirEntry]:
    images = [entry for entry in os.scandir(folder) if entry.name.lower().endswith(SUFFIXES) and entry.is_file()]
    if not images:
        raise DatasetError(
            f"Class folder {folder} holds no .png, .jpg or .jpeg file; add images, or remove the class from train and "
            "test."
        )
    return sorted(images, key=lambda entry: entry.name)
