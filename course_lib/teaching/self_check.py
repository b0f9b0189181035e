"""What the start page shows of the machine: versions, device, that the images can be read, and each lesson's time."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch

from course_lib import datasets
from course_lib.reporting.lesson_times import expected_seconds
from course_lib.reporting.record_files import RecordError
from course_lib.teaching.lessons import find_lessons
from course_lib.training.machine import default_device, has_bf16
from course_lib.training.speed import training_speed

PACKAGES = ("torch", "torchvision", "jupyterlab", "ipywidgets")


def self_check() -> pd.DataFrame:
    """What was found of each thing the lessons need, one row each; raises what `datasets.load` raises."""
    device = default_device()
    images = datasets.load("fashion_mnist")
    found = {
        "Python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "CPU threads": f"{torch.get_num_threads()} of {os.cpu_count()} cores",
        "memory": _memory(),
        "bfloat16 in hardware": "yes" if has_bf16(device) else "no: training runs in float32, more slowly",
        "images to train on": f"{len(images.train.labels):,} ({images.name})",
        "images to test on": f"{len(images.test.labels):,} ({images.name})",
    }
    return pd.DataFrame({"found": found})


def lesson_times(folder: Path = Path(".")) -> pd.DataFrame:
    """What each lesson in `folder` will take on this machine to run from top to bottom, from two seconds of training.

    Lessons of which no time is recorded are left out.
    """
    speed = training_speed()
    try:
        seconds = expected_seconds(speed)
    except RecordError as error:
        print(error)
        seconds = {}
    rows = {lesson.title: f"{seconds[lesson.stem]:.0f} s" for lesson in find_lessons(folder) if lesson.stem in seconds}
    print(f"This machine trains the course's small network on {speed:,.0f} images a second.")
    return pd.DataFrame({"to run on this machine": rows})


def _memory() -> str:
    """The machine's memory, where the system tells it."""
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB"
    except (AttributeError, ValueError, OSError):  # Windows has no such call
        return "not told by this system"
