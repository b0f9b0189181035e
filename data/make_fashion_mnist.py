"""Make the embedded part of Fashion-MNIST, data/fashion_mnist/, from the data set's four IDX files.

    python data/make_fashion_mnist.py --idx-folder /usr/share/datasets/fashion-mnist

The rule: of each class the first 1,000 training images and the first 200 test images, in the order of the original
files. That order is shuffled, so these are a fair draw, and no random generator is needed to repeat it.
"""

import argparse
import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np

from course_lib.datasets.embedded import ARCHIVE_NAME, CHECKSUM_NAME, FOLDER
from course_lib.datasets.fashion_mnist import CLASSES, read_split

IMAGES_PER_CLASS = {"train": 1000, "test": 200}
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # of the Debian package dataset-fashion-mnist


def first_of_each_class(labels: np.ndarray, n: int) -> np.ndarray:
    """Ascending indices of the first `n` members of each class; `labels` has shape (N,)."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:n] for label in range(len(CLASSES))]))


def select(idx_folder: Path, images_per_class: dict[str, int]) -> dict[str, np.ndarray]:
    """The arrays to embed, by name: uint8 images (N, 28, 28) and labels (N,) of each split, and the class names."""
    arrays = {"classes": np.array(CLASSES)}
    for split, n in images_per_class.items():
        images, labels = read_split(idx_folder, split)
        chosen = first_of_each_class(labels, n)
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = images[chosen], labels[chosen]
    return arrays


def write(arrays: dict[str, np.ndarray], folder: Path) -> None:
    """Write archive and checksum to `folder`; both are complete before either replaces an older one."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        archive = Path(temporary) / ARCHIVE_NAME
        # numpy dates every member 1980-01-01, so equal arrays give equal bytes (with one version of zlib).
        np.savez_compressed(archive, allow_pickle=False, **arrays)
        checksum = Path(temporary) / CHECKSUM_NAME
        checksum.write_text(f"{hashlib.sha256(archive.read_bytes()).hexdigest()}  {ARCHIVE_NAME}\n")
        os.replace(archive, folder / ARCHIVE_NAME)
        os.replace(checksum, folder / CHECKSUM_NAME)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idx-folder", type=Path, default=DEBIAN_FOLDER, help="the IDX files (default: %(default)s)")
    parser.add_argument("--output-folder", type=Path, default=FOLDER, help="where to write (default: %(default)s)")
    arguments = parser.parse_args()
    write(select(arguments.idx_folder, IMAGES_PER_CLASS), arguments.output_folder)


if __name__ == "__main__":
    main()
