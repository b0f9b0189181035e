"""Shapes, options and paths as people write them."""

from __future__ import annotations

import argparse
import ast
import re
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.files import expand_home


def input_shape(text: str) -> tuple[int, int, int]:
    """ "3x299x299" as (3, 299, 299), for an argument parser."""
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)x([1-9]\d*)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"an input is CHANNELSxHEIGHTxWIDTH, such as 3x299x299; got {text!r}")
    channels, height, width = map(int, match.groups())
    return channels, height, width


def option(text: str) -> tuple[str, object]:
    """ "width=32" as ("width", 32), for an argument parser; a value that is no Python literal stays text."""
    name, equals, value = text.partition("=")
    if not (name.isidentifier() and equals and value):
        raise argparse.ArgumentTypeError(f"an option is NAME=VALUE, such as width=32; got {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def path(text: str) -> Path:
    """A path, a leading ~ replaced by the home folder, for an argument parser: shells leave it in --out=~/run."""
    try:
        return expand_home(text)
    except CourseError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
