"""What the start page shows of the machine: versions, device, and that the course's images can be read."""

from __future__ import annotations

import platform
from importlib.metadata import version

import pandas as pd
import torch

from course_lib import datasets
from course_lib.training.machine import default_device, has_bf16

PACKAGES = ("torch", "torchvision", "jupyterlab", "ipywidgets")


def self_check() -> pd.DataFrame:
    """What was found of each thing the lessons need, one row each; raises what `datasets.load` raises."""
    device = default_device()
    images = datasets.load("fashion_mnist")
    found = {
        "Python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "CPU threads": str(torch.get_num_threads()),
        "bfloat16 in hardware": "yes" if has_bf16(device) else "no: training runs in float32, more slowly",
        "images to train on": f"{len(images.train.labels):,} ({images.name})",
        "images to test on": f"{len(images.test.labels):,} ({images.name})",
    }
    return pd.DataFrame({"found": found})
