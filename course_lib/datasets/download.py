"""Read a data set's files, and fetch them through torchvision where that is allowed."""

import http.client
import os
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

from torchvision.datasets import VisionDataset

from course_lib.datasets.errors import DatasetError
from course_lib.datasets.images import ImageData

_DOWNLOAD_ERRORS = (
    URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    RuntimeError,
    EOFError,
    zlib.error,
)


def read_or_download(
    read: Callable[[Path], ImageData], dataset: type[VisionDataset], root: Path, download: bool
) -> ImageData:
    """`read(root)`; where that fails and `download` is true, fetch `dataset` into `root` and read again.

    Raises:
        DatasetError: from `read`, or because the download failed.
    """
    try:
        return read(root)
    except DatasetError:
        if not download:
            raise
    fetch(dataset, root)
    return read(root)


def fetch(dataset: type[VisionDataset], root: Path) -> None:
    """Download `dataset`, and move its files below `root` once torchvision has checked them.

    The download goes to a temporary folder inside `root` (one file system, so that each move is atomic): files already
    below `root` are replaced by checked ones or not at all.

    Raises:
        DatasetError: `root` cannot be written, there is no network, or what came fails its checksum.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as folder:
            _download(dataset, folder, root)
            for file in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
                target = root / file.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, target)
    except OSError as error:
        raise DatasetError(
            f"Cannot write {dataset.__name__} to {root}: {error.strerror}; choose a root that can be written."
        ) from error


def _download(dataset: type[VisionDataset], folder: str, root: Path) -> None:
    try:
        dataset(folder, download=True)
    except _DOWNLOAD_ERRORS as error:
        raise DatasetError(
            f"Could not download {dataset.__name__}, and left {root} as it was ({' '.join(str(error).split())}); check "
            "the network and try again, or copy the files there from another machine."
        ) from error
