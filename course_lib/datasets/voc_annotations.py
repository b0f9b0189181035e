"""The annotation files of PASCAL VOC: a photograph's objects, each with its class and box."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from course_lib.datasets.image_files import Box, turned_size

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
MALFORMED = (ET.ParseError, ValueError, LookupError)
"""What `parse_annotation` raises for a file that is not XML, or whose encoding is unknown or not as declared."""
_ENCODING = re.compile(rb"\s*<\?xml[^>]*\bencoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")


@dataclass(frozen=True)
class Frame:
    """The image in which a photograph's boxes are counted.

    Attributes:
        width, height: in pixels.
        upright: whether it is the photograph turned as its EXIF orientation says, or as it is stored.
        doubt: what to say of the choice where a box is not inside; "" if there is no other.
    """

    width: int
    height: int
    upright: bool
    doubt: str = ""


def parse_annotation(path: Path) -> ET.Element:
    """The root of an annotation file, in whichever encoding its first line declares.

    Raises:
        OSError: it cannot be read.
        one of MALFORMED: it is not XML, or not in a known encoding.
    """
    content = path.read_bytes()
    try:
        return ET.fromstring(content)
    except (ValueError, LookupError):  # expat knows few encodings, and none of the multi-byte ones but UTF-8 and UTF-16
        declared = _ENCODING.match(content)
        if not declared:
            raise
        return ET.fromstring(content.decode(declared[1].decode("ascii")))


def frame_of(annotation: ET.Element, stored: tuple[int, int], orientation: int) -> Frame:
    """The frame of an annotation's boxes: the one whose size it gives, or the stored photograph where it gives none.

    An orientation that turns upside down or mirrors leaves the size as it is; the boxes then count as those of the
    stored photograph, too.

    Args:
        annotation: root of the file.
        stored: (width, height) of the photograph as stored.
        orientation: its EXIF orientation, 1 to 8.

    Raises:
        ValueError: it gives another size; the message is the end of a sentence that begins with the file.
    """
    given = [(annotation.findtext(f"size/{side}") or "").strip() for side in ("width", "height")]
    size = tuple(int(side) for side in given if side.isdecimal())
    turned = turned_size(stored, orientation)
    if size == stored or len(size) < 2 or 0 in size:
        ambiguous = turned != stored and size != stored
        unsaid = (
            f" as it is stored (its EXIF orientation is {orientation}; a <size> tells if boxes are of the upright one)"
        )
        return Frame(*stored, upright=False, doubt=unsaid if ambiguous else "")
    if size == turned:
        return Frame(*turned, upright=True)
    raise ValueError(
        f"gives its photograph's <size> as {size[0]}x{size[1]}; it is {stored[0]}x{stored[1]}, so its boxes are those "
        "of another"
    )


def is_flagged(element: ET.Element, name: str) -> bool:
    """Whether an object is marked `name`, "difficult" or "truncated"."""
    return (element.findtext(name) or "0").strip() == "1"


def label_and_box(element: ET.Element, frame: Frame) -> tuple[int, Box]:
    """An object's label, an index into CLASSES, and its box: columns left to right - 1, rows top to bottom - 1, from 0.

    Raises:
        ValueError: class or box are not sound; the message is the end of a sentence that begins with the object.
    """
    name = (element.findtext("name") or "").strip()
    if name not in CLASSES:
        raise ValueError(f"is of class {name!r}, which is none of the 20")
    sides = [element.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
    try:
        # Some files of VOC2012 have fractions.
        left, top, right, bottom = (round(float(side)) for side in sides)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"has no box of four numbers, but {sides}") from error
    if not (1 <= left <= right <= frame.width and 1 <= top <= bottom <= frame.height):
        raise ValueError(
            f"has the box {left, top, right, bottom}, not inside its photograph of {frame.width}x{frame.height}"
            f"{frame.doubt}"
        )
    return CLASSES.index(name), (left - 1, top - 1, right, bottom)  # in the files, pixels count from 1
