"""One image file as 8-bit RGB pixels, whatever its format, palette, transparency or orientation."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from course_lib.datasets.errors import DatasetError

FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
}
"""What is read, by Pillow's names, and how the names of such files end."""
SUFFIXES = tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes)

UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, TypeError, struct.error, Image.DecompressionBombError)
"""What Pillow raises for files that are no images, are damaged, or end early."""
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange width and height
_WHITE = (255, 255, 255, 255)

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels, as `PIL.Image.crop` takes them."""


def read_image(path: str | Path, size: tuple[int, int], box: Box | None = None, *, upright: bool = True) -> np.ndarray:
    """One image file as RGB: uint8, shape (3, height, width).

    Args:
        path: of a PNG, JPEG, WebP, BMP, GIF or TIFF file; of several pictures in it the first is taken. What is
            transparent is laid on white.
        size: (height, width) to resize to, bilinear and antialiased.
        box: left, top, right, bottom in pixels of the part to take; None is all.
        upright: turn the image first as its EXIF orientation says; False takes the pixels as they are stored. The box
            is counted in the image so turned, or not.

    Raises:
        DatasetError: the file cannot be read; the message names it.
    """
    return to_array(read_rgb(path, upright).resize(size[::-1], Image.Resampling.BILINEAR, box))


def read_rgb(path: str | Path, upright: bool = True) -> Image.Image:
    """One image file as 8-bit RGB, laid on white; `upright` as in `read_image`.

    Raises:
        DatasetError: the file cannot be read, or has more than 8 bits a channel; the message names it.
    """
    try:
        with Image.open(path, formats=tuple(FORMATS)) as image:
            if image.mode.startswith(("I", "F")):
                raise DatasetError(f"Image {path} has more than 8 bits a pixel and channel; convert it to 8 bits.")
            if upright:
                ImageOps.exif_transpose(image, in_place=True)
            if not image.has_transparency_data:
                return image.convert("RGB")
            drawing = image.convert("RGBA")
            return Image.alpha_composite(Image.new("RGBA", drawing.size, _WHITE), drawing).convert("RGB")
    except UNREADABLE as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"Cannot read image {path} ({error}); replace or remove it.") from error


def read_size(path: Path) -> tuple[tuple[int, int], int]:
    """Of a JPEG file its (width, height) as stored, and its EXIF orientation, 1 where it has none; pixels stay unread.

    Raises:
        one of UNREADABLE: the file's head cannot be read.
    """
    with Image.open(path, formats=("JPEG",)) as image:
        return image.size, image.getexif().get(ExifTags.Base.Orientation, 1)


def turned_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """(width, height) of the upright image whose stored one has this (width, height) and EXIF orientation."""
    return size[::-1] if orientation in _SIDEWAYS else size


def to_array(image: Image.Image) -> np.ndarray:
    """uint8, shape (3, H, W), of an RGB image."""
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))
