"""Folders of images, root/train|test/<class>/, as a data set."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from course_lib.datasets.errors import DatasetError
from course_lib.datasets.image_cache import load_cached
from course_lib.datasets.image_files import read_image, read_rgb, to_array
from course_lib.datasets.image_tree import scan_tree
from course_lib.datasets.images import ImageData


def load_image_folder(root: Path, image_size: tuple[int, int] | None = None) -> ImageData:
    """Images of a tree as RGB, shape (3, H, W); the first load decodes them, later ones map the cache into memory.

    Images stand upright as their EXIF orientation says; what is transparent is laid on white. The cache is made again
    when an image is added, removed or renamed, or its size in bytes or its time of last change differs. A file changed
    without a trace in these is not noticed.

    Args:
        root: folder that holds train/<class>/ and test/<class>/. It is only read.
        image_size: (height, width) to resize to, bilinear and antialiased, aspect ratio not kept; None takes the images
            as they are, which must then agree in size.

    Raises:
        DatasetError: a folder is missing or empty, the classes of the splits differ, an image cannot be read, sizes
            differ, or the cache cannot be written.
    """
    tree = scan_tree(root)

    def decoder() -> Callable[[str], np.ndarray]:
        if image_size is not None:
            return partial(read_image, size=image_size)
        first = tree.files["train"][0][0]
        return partial(_decode_in_size, size=read_rgb(first).size[::-1], model=first)

    return load_cached(root.resolve().name, tree, str(image_size), decoder)


def _decode_in_size(path: str, size: tuple[int, int], model: str) -> np.ndarray:
    pixels = to_array(read_rgb(path))
    if pixels.shape[1:] != size:
        raise DatasetError(
            f"Image {path} is {pixels.shape[1]} x {pixels.shape[2]} pixels, {model} is {size[0]} x {size[1]}; "
            "pass image_size=(height, width) to resize all."
        )
    return pixels
