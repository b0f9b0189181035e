"""Decoded images on disk: made once, memory-mapped from then on.

The cache lies in the user's cache folder ($XDG_CACHE_HOME, else ~/.cache), not in the image tree: the tree may be
read-only or shared, and stays as it was given. There is one folder for each tree and variant, and in it one entry,
named by the tree's fingerprint. An entry holds the images of each split, statistics.json and the SHA-256 of these; one
that is not as its sums say is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from course_lib.datasets.errors import DatasetError
from course_lib.datasets.image_tree import SPLITS, ImageTree
from course_lib.datasets.images import ImageData, Split, channel_statistics
from course_lib.files import write_whole

Decode = Callable[[Any], np.ndarray]  # from an item of a tree's files to uint8 (3, H, W)

_DECODING = 2  # to be raised when the same files give other pixels; older entries are then made again
_STATISTICS, _CHECKSUMS = "statistics.json", "SHA256SUMS"
_IMAGES_PER_BLOCK = 256
_MAX_THREADS = 8
_BYTES_PER_READ = 2**22


def load_cached(
    name: str, tree: ImageTree, variant: str, decoder: Callable[[], Decode], skip_faulty: bool = False
) -> ImageData:
    """The images of a tree from the cache, where they are put if they are not there yet.

    Args:
        name: of the data set.
        tree: what to decode; its fingerprint tells whether the cache still holds.
        variant: all else that the pixels depend on, `skip_faulty` included.
        decoder: gives the function from an item of `tree.files` to uint8 (3, H, W); called when it is needed.
        skip_faulty: leave out what it refuses with a DatasetError, with a warning at every load.

    Raises:
        DatasetError: from decoding, or because the cache cannot be written.
    """
    key = hashlib.sha256(os.fsencode(f"{tree.root.resolve()}\0{variant}")).hexdigest()[:16]
    entry = cache_folder() / key / f"{_DECODING}-{tree.fingerprint}"
    try:
        return _read(name, entry, tree)
    except (OSError, ValueError, KeyError, TypeError):  # DatasetError is a ValueError
        shutil.rmtree(entry, ignore_errors=True)  # Missing or damaged: made again.
    try:
        _write(entry, tree, decoder(), skip_faulty)
        return _read(name, entry, tree)
    except OSError as error:
        raise DatasetError(
            f"Cannot write the image cache {entry}: {error.strerror}; free space there, or set XDG_CACHE_HOME to a "
            "folder that can be written."
        ) from error


def cache_folder() -> Path:
    """Folder of all decoded image trees; it may be deleted at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inception-course" / "image_folder"


def _read(name: str, entry: Path, tree: ImageTree) -> ImageData:
    """The images of an entry; OSError or ValueError if a file is missing or not as its checksum says."""
    if (entry / _CHECKSUMS).read_text(encoding="ascii") != _checksums(entry):
        raise ValueError(f"{entry} was changed")
    statistics = json.loads((entry / _STATISTICS).read_text(encoding="utf-8"))
    splits = {}
    for split in SPLITS:
        faults = {int(index): problem for index, problem in statistics["faults"][split].items()}
        labels = [label for index, (_, label) in enumerate(tree.files[split]) if index not in faults]
        splits[split] = Split(_map_images(_images(entry, split)), torch.tensor(labels))
        for problem in dict.fromkeys(faults.values()):  # once for a file of which several parts were wanted
            warnings.warn(problem, stacklevel=2)
    mean, std = torch.tensor(statistics["mean"]), torch.tensor(statistics["std"])
    return ImageData(name, tree.classes, **splits, mean=mean, std=std)


def _images(entry: Path, split: str) -> Path:
    return entry / f"{split}_images.npy"


def _map_images(path: Path) -> Tensor:
    # Copy on write: with a read-only map, a tensor written to by mistake would kill the process.
    return torch.from_numpy(np.lib.format.open_memmap(path, mode="c"))


def _checksums(entry: Path) -> str:
    """The SHA-256 of an entry's files, in the form of sha256sum."""
    lines = []
    for path in (*(_images(entry, split) for split in SPLITS), entry / _STATISTICS):
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            while block := file.read(_BYTES_PER_READ):
                digest.update(block)
        lines.append(f"{digest.hexdigest()}  {path.name}\n")
    return "".join(lines)


def _write(entry: Path, tree: ImageTree, decode: Decode, skip_faulty: bool) -> None:
    """Write beside the cache and rename, so that an entry is whole or absent; remove the tree's older entries."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=".writing-") as temporary:
        new = Path(temporary) / "entry"
        new.mkdir()
        faults = {split: _write_images(_images(new, split), tree, split, decode, skip_faulty) for split in SPLITS}
        mean, std = channel_statistics(_map_images(_images(new, "train")))
        statistics = {"mean": mean.tolist(), "std": std.tolist(), "faults": faults}
        write_whole(new / _STATISTICS, json.dumps(statistics).encode())
        write_whole(new / _CHECKSUMS, _checksums(new).encode())
        try:
            os.replace(new, entry)
        except OSError:
            if not entry.is_dir():  # Otherwise another process wrote the same entry meanwhile.
                raise
    for older in entry.parent.iterdir():
        if older != entry:
            shutil.rmtree(older, ignore_errors=True)


def _write_images(path: Path, tree: ImageTree, split: str, decode: Decode, skip_faulty: bool) -> dict[int, str]:
    """Decode a split into one .npy array, a block at a time, so that memory holds one block only.

    Returns:
        What was left out: its index in `tree.files[split]`, and the reason.
    """
    files = [item for item, _ in tree.files[split]]
    faults: dict[int, str] = {}
    shape: tuple[int, ...] = ()
    with open(path, "wb") as array:
        for block in _decoded_blocks(files, decode, split, faults if skip_faulty else None):
            if not shape:
                shape = block.shape[1:]
                _write_header(array, (len(files), *shape))
            array.write(block.data)
        if not shape:
            raise DatasetError(f"{tree.root}: no image of the {split} split can be read; the first: {faults[0]}")
        if faults:
            array.seek(0)
            _write_header(array, (len(files) - len(faults), *shape))
        array.flush()
        os.fsync(array.fileno())
    return faults


def _write_header(array: Any, shape: tuple[int, ...]) -> None:
    """The head of a .npy file; numpy keeps room in it, so that one with fewer images is as long."""
    np.lib.format.write_array_header_1_0(array, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _decoded_blocks(
    files: list[Any], decode: Decode, split: str, faults: dict[int, str] | None
) -> Iterator[np.ndarray]:
    """Blocks of decoded images, uint8 (n, 3, H, W); what cannot be read goes into `faults`, or is raised if None."""

    def attempt(item: Any) -> np.ndarray | str:
        try:
            return decode(item)
        except DatasetError as error:
            if faults is None:
                raise
            return f"{error} It is left out."

    with (
        ThreadPoolExecutor(min(os.cpu_count() or 1, _MAX_THREADS)) as pool,
        tqdm(total=len(files), desc=f"Decoding {split} images", unit="image", leave=False) as progress,
    ):
        for start in range(0, len(files), _IMAGES_PER_BLOCK):
            results = list(pool.map(attempt, files[start : start + _IMAGES_PER_BLOCK]))
            if faults is not None:
                faults.update({start + i: result for i, result in enumerate(results) if isinstance(result, str)})
            images = [result for result in results if not isinstance(result, str)]
            if images:
                yield np.stack(images)
            progress.update(len(results))
