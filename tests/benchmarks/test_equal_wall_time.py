"""Test accuracy after the same wall time of training: the course's small network and loop against the textbook's.

    pytest tests/benchmarks/test_equal_wall_time.py --cifar10 FOLDER --time-bounds

FOLDER holds CIFAR-10 as train/<class>/ and test/<class>/. Each contestant trains for `--contest-minutes` (20), as
data/runs/equal_wall_time.py records it; the bound is for 20 minutes or more.
"""

from __future__ import annotations

import os

import pytest
import torch
from cifar import load_images
from equal_wall_time import CONTESTANTS
from recording import read_options

AHEAD = 0.10
LATE = 1.02  # how much longer than its time a contestant may train


@pytest.mark.timeout(0)  # --contest-minutes says how long
def test_the_course_is_ahead_of_the_textbook(pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]) -> None:
    folder, minutes = pytestconfig.getoption("--cifar10"), pytestconfig.getoption("--contest-minutes")
    if folder is None:
        pytest.skip("needs CIFAR-10 as an image folder; name it with --cifar10 FOLDER")
    data, test = load_images(read_options("the contest", ["--data", folder], {}))
    last = {name: train(data, test, 60 * minutes)[-1] for name, train in CONTESTANTS.items()}
    with capsys.disabled():
        print(f"\n{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}")
        for name, row in last.items():
            print(
                f"{name:10}{row['test_accuracy']:7.1%} after {row['seconds']:,.0f} s and {row['images']:,} images, "
                f"{row['params']:,} parameters, {row['macs'] / 1e6:.1f} M MACs"
            )
    for size in ("params", "macs"):
        assert last["quick"][size] <= last["textbook"][size]
    if pytestconfig.getoption("--time-bounds"):
        for name, row in last.items():
            assert row["seconds"] <= LATE * 60 * minutes, f"{name} trained for {row['seconds']:.0f} s"
        ahead = last["quick"]["test_accuracy"] - last["textbook"]["test_accuracy"]
        assert ahead >= AHEAD, (
            f"{100 * ahead:.1f} points ahead of the textbook; the course's bound is {100 * AHEAD:.0f}"
        )
