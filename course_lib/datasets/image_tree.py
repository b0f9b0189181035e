"""The files of an image tree, root/train|test/<class>/, listed without opening them."""

from __future__ import annotations

import hashlib
import os
import unicodedata
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_lib.datasets.errors import DatasetError
from course_lib.datasets.image_files import SUFFIXES

SPLITS = ("train", "test")
UNREAD_SUFFIXES = (
    *(".avif", ".heic", ".heif", ".jp2", ".jxl", ".svg", ".ico", ".tga", ".pbm", ".pgm", ".ppm", ".pnm"),
    *(".psd", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw"),
)
"""How names of images end that the course does not read."""
_READ = ", ".join(SUFFIXES)
_BESIDE, _DEEPER, _BROKEN = "beside the class folders", "in deeper folders", "by a broken link"


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
    and time of last change.

    Hidden files and folders (.name, macOS's ._name) and files that are no images are ignored. Images of other formats,
    broken links, and images beside the class folders or deeper than in them are left out, with one warning that counts
    them. Class names are in Unicode's composed form (NFC), in which the same name is the same on every system.

    Raises:
        DatasetError: a folder is missing, empty or unreadable, or the classes of train and test differ.
    """
    digest = hashlib.sha256()
    files: dict[str, list[tuple[str, int]]] = {split: [] for split in SPLITS}
    left_out: Counter[str] = Counter()
    try:
        folders = {split: _class_folders(root, split) for split in SPLITS}
        classes = _common_classes(root, folders)
        for split in SPLITS:
            left_out[_BESIDE] += sum(not entry.is_dir() and _is_image(entry.name) for entry in _visible(root / split))
            for label, name in enumerate(classes):
                for entry in _find_images(folders[split][name], left_out):
                    status = entry.stat()
                    line = f"{split}/{name}/{entry.name}\0{status.st_size}\0{status.st_mtime_ns}\n"
                    digest.update(os.fsencode(line))
                    files[split].append((entry.path, label))
    except OSError as error:
        raise DatasetError(f"Cannot read {error.filename}: {error.strerror}; check its permissions.") from error
    if left_out.total():
        warnings.warn(f"{root}: {left_out.total()} of the images are left out: {_listed(left_out)}.", stacklevel=2)
    return ImageTree(root, classes, files, digest.hexdigest())


def _class_folders(root: Path, split: str) -> dict[str, Path]:
    """The folder of each class, by the class's name in NFC."""
    parent = root / split
    if not parent.is_dir():
        raise DatasetError(
            f"Folder {parent} does not exist; an image folder needs {root}/train/<class>/ and {root}/test/<class>/ "
            f"with images ({_READ})."
        )
    folders: dict[str, Path] = {}
    for entry in _visible(parent):
        if not entry.is_dir():
            continue
        name = unicodedata.normalize("NFC", entry.name)
        if name in folders:
            raise DatasetError(
                f"{parent} holds the class {name!r} twice, with its accents written in two ways of Unicode; move the "
                "images of one folder into the other."
            )
        folders[name] = Path(entry.path)
    if not folders:
        raise DatasetError(f"{parent} holds no class folder; put the images of each class into a folder there.")
    return folders


def _common_classes(root: Path, folders: dict[str, dict[str, Path]]) -> tuple[str, ...]:
    train, test = (set(folders[split]) for split in SPLITS)
    if train != test:
        raise DatasetError(
            f"The classes of {root}/train and {root}/test differ: {sorted(train ^ test)} in one only; give both the "
            "same class folders."
        )
    return tuple(sorted(train))


def _find_images(folder: Path, left_out: Counter[str]) -> list[os.DirEntry[str]]:
    """The images of one class, sorted by name; those that cannot be taken are counted in `left_out` by the reason."""
    images = []
    here: Counter[str] = Counter()
    for entry in _visible(folder):
        suffix = _suffix(entry.name)
        if entry.is_dir():
            here[_DEEPER] += _count_images(entry.path)
        elif suffix in UNREAD_SUFFIXES:
            here[suffix] += 1
        elif suffix in SUFFIXES and not entry.is_file():
            here[_BROKEN] += 1
        elif suffix in SUFFIXES:
            images.append(entry)
    if not images:
        reason = f" (left out: {_listed(here)})" if here.total() else ""
        raise DatasetError(
            f"Class folder {folder} holds no image that can be read{reason}; add images ({_READ}), or remove the class "
            "from train and test."
        )
    left_out.update(here)
    return sorted(images, key=lambda entry: entry.name)


def _visible(folder: str | Path) -> list[os.DirEntry[str]]:
    return [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]


def _count_images(folder: str) -> int:
    """Images in a folder and all below it; links to folders are not followed."""
    count = 0
    for entry in _visible(folder):
        if entry.is_dir(follow_symlinks=False):
            count += _count_images(entry.path)
        else:
            count += _is_image(entry.name)
    return count


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _is_image(name: str) -> bool:
    return _suffix(name) in (*SUFFIXES, *UNREAD_SUFFIXES)


def _listed(left_out: Counter[str]) -> str:
    """ "2 .heic, 1 in deeper folders"."""
    return ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()) if count)
