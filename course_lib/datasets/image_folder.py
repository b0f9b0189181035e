"""An image tree as arrays: decoded once into a cache on disk, memory-mapped from then on.

The cache lies in the user's cache folder ($XDG_CACHE_HOME, else ~/.cache), not in the image tree: the tree may be
read-only or shared, and stays as it was given. There is one folder for each tree and image size, and in it one entry,
named by the tree's fingerprint.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from tqdm.auto import tqdm

from course_lib.datasets.errors import DatasetError
from course_lib.datasets.image_tree import SPLITS, ImageTree, scan_tree
from course_lib.datasets.images import ImageData, Split, channel_statistics

Decode = Callable[[Any], np.ndarray]  # from an item of a tree's files to uint8 (3, H, W)

_IMAGES_PER_BLOCK = 256
_MAX_THREADS = 8


def load_image_folder(root: Path, image_size: tuple[int, int] | None = None) -> ImageData:
    """Images of a tree as RGB, shape (3, H, W); the first load decodes them, later ones map the cache into memory.

    The cache is made again when an image is added, removed or renamed, or its size in bytes or its time of last change
    differs. A file changed without a trace in these is not noticed.

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
        return partial(_decode_in_size, size=_read_rgb(first).size[::-1], model=first)

    return load_cached(root.resolve().name, tree, str(image_size), decoder)


def load_cached(name: str, tree: ImageTree, variant: str, decoder: Callable[[], Decode]) -> ImageData:
    """The images of a tree from the cache, where they are put if they are not there yet.

    Args:
        name: of the data set.
        tree: what to decode; its fingerprint tells whether the cache still holds.
        variant: all else that the pixels depend on.
        decoder: gives the function from an item of `tree.files` to uint8 (3, H, W); called when it is needed.

    Raises:
        DatasetError: from decoding, or because the cache cannot be written.
    """
    key = hashlib.sha256(os.fsencode(f"{tree.root.resolve()}\0{variant}")).hexdigest()[:16]
    entry = cache_folder() / key / tree.fingerprint
    try:
        return _read(name, entry, tree)
    except (OSError, ValueError, KeyError, DatasetError):
        shutil.rmtree(entry, ignore_errors=True)  # Missing or damaged: made again.
    try:
        _write(entry, tree, decoder())
        return _read(name, entry, tree)
    except OSError as error:
        raise DatasetError(
            f"Cannot write the image cache {entry}: {error.strerror}; free space there, or set XDG_CACHE_HOME to a "
            "folder that can be written."
        ) from error


def read_image(path: str, size: tuple[int, int], box: tuple[int, int, int, int] | None = None) -> np.ndarray:
    """One image file as RGB: uint8, shape (3, height, width).

    Args:
        path: of a PNG or JPEG file.
        size: (height, width) to resize to, bilinear and antialiased.
        box: left, top, right, bottom in pixels of the part to take; None is all.

    Raises:
        DatasetError: the file cannot be read; the message names it.
    """
    return _to_array(_read_rgb(path).resize(size[::-1], Image.Resampling.BILINEAR, box))


def cache_folder() -> Path:
    """Folder of all decoded image trees; it may be deleted at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inception-course" / "image_folder"


def _read(name: str, entry: Path, tree: ImageTree) -> ImageData:
    statistics = json.loads((entry / "statistics.json").read_text())
    train, test = (
        Split(_map_images(entry / f"{split}_images.npy"), torch.tensor([label for _, label in tree.files[split]]))
        for split in SPLITS
    )
    mean, std = torch.tensor(statistics["mean"]), torch.tensor(statistics["std"])
    return ImageData(name, tree.classes, train, test, mean, std)


def _map_images(path: Path) -> Tensor:
    # Copy on write: with a read-only map, a tensor written to by mistake would kill the process.
    return torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))


def _write(entry: Path, tree: ImageTree, decode: Decode) -> None:
    """Write beside the cache and rename, so that an entry is whole or absent; remove the tree's older entries."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=".writing-") as temporary:
        new = Path(temporary) / "entry"
        new.mkdir()
        for split in SPLITS:
            _write_images(new / f"{split}_images.npy", [item for item, _ in tree.files[split]], decode, split)
        mean, std = channel_statistics(_map_images(new / "train_images.npy"))
        (new / "statistics.json").write_text(json.dumps({"mean": mean.tolist(), "std": std.tolist()}))
        try:
            os.replace(new, entry)
        except OSError:
            if not entry.is_dir():  # Otherwise another process wrote the same entry meanwhile.
                raise
    for older in entry.parent.iterdir():
        if older != entry:
            shutil.rmtree(older, ignore_errors=True)


def _write_images(path: Path, files: list[Any], decode: Decode, split: str) -> None:
    """Decode `files` into one .npy array, a block at a time, so that memory holds one block only."""
    with (
        open(path, "wb") as array,
        ThreadPoolExecutor(min(os.cpu_count() or 1, _MAX_THREADS)) as pool,
        tqdm(total=len(files), desc=f"Decoding {split} images", unit="image", leave=False) as progress,
    ):
        for start in range(0, len(files), _IMAGES_PER_BLOCK):
            block = np.stack(list(pool.map(decode, files[start : start + _IMAGES_PER_BLOCK])))
            if start == 0:
                shape = (len(files), *block.shape[1:])
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(array, header)
            array.write(block.data)
            progress.update(len(block))


def _decode_in_size(path: str, size: tuple[int, int], model: str) -> np.ndarray:
    pixels = _to_array(_read_rgb(path))
    if pixels.shape[1:] != size:
        raise DatasetError(
            f"Image {path} is {pixels.shape[1]} x {pixels.shape[2]} pixels, {model} is {size[0]} x {size[1]}; "
            "pass image_size=(height, width) to resize all."
        )
    return pixels


def _to_array(image: Image.Image) -> np.ndarray:
    """uint8, shape (3, H, W)."""
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def _read_rgb(path: str) -> Image.Image:
    """One image as 8-bit RGB, upright as its EXIF orientation says."""
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            if image.mode.startswith(("I", "F")):
                raise DatasetError(f"Image {path} has more than 8 bits a pixel and channel; convert it to 8 bits.")
            ImageOps.exif_transpose(image, in_place=True)
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise DatasetError(f"Cannot read image {path} ({error}); replace or remove it.") from error
