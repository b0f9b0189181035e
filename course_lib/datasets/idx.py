"""The IDX format of the MNIST family: a big-endian header, then the array."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from course_lib.datasets.errors import DatasetError

_UINT8 = 8
_MAX_DIMENSIONS = 32  # as many as every version of NumPy has


def read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of unsigned bytes, gzip-compressed where its name ends in .gz.

    The header is two zero bytes, the type code (8 is uint8), the number of dimensions, and each dimension as a
    big-endian uint32 (file format at the foot of the MNIST page, http://yann.lecun.com/exdb/mnist).

    Returns:
        uint8 array of the shape in the header; writable.

    Raises:
        DatasetError: the file cannot be read, is not IDX of uint8, holds more or fewer bytes than its header says, or
            its header gives a shape that no array has.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            content = file.read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DatasetError(f"{path} is truncated or damaged ({error}); replace it by a fresh copy.") from error
    except OSError as error:
        raise DatasetError(f"Cannot read {path}: {error.strerror}; check the path and its permissions.") from error
    if len(content) < 4 or content[:3] != bytes([0, 0, _UINT8]):
        raise DatasetError(f"{path} does not begin as an IDX file of unsigned bytes; replace it by a fresh copy.")
    if not 1 <= content[3] <= _MAX_DIMENSIONS:
        raise DatasetError(f"{path} announces {content[3]} dimensions; replace it by a fresh copy.")
    header_size = 4 + 4 * content[3]
    if len(content) < header_size:
        raise DatasetError(f"{path} ends within its header; replace it by a fresh copy.")
    shape = struct.unpack(f">{content[3]}I", content[4:header_size])
    if 0 in shape:
        raise DatasetError(f"{path} announces the shape {shape}, which has no element; replace it by a fresh copy.")
    if len(content) - header_size != math.prod(shape):
        raise DatasetError(
            f"{path} holds {len(content) - header_size:,} bytes after its header, which announces "
            f"{math.prod(shape):,}; replace it by a fresh copy."
        )
    return np.frombuffer(content, np.uint8, offset=header_size).reshape(shape).copy()
