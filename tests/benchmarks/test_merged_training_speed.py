"""Training steps of the merged form: of small_inception against the plain network, and of the others against
torchvision's and timm's, in alternation.

    pytest tests/benchmarks/test_merged_training_speed.py --time-bounds
"""

from __future__ import annotations

import copy
import os
import statistics
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from side_by_side import REFERENCES, interleaved, reference, speedups
from torch import Tensor, nn

from course_lib.models import create_model, entry, load_pretrained, merge_model, reference_options
from course_lib.training import has_bf16

ROUNDS = 5
SMALL_BATCH, SMALL_BOUND, LARGE_BATCH = 128, 2.6, 8
NO_SLOWER = 1.0


def step(model: nn.Module, images: Tensor, *, channels_last: bool = True, bf16: bool = False) -> Callable[[], None]:
    """A function that trains `model` for one step."""
    if channels_last:
        model, images = (each.to(memory_format=torch.channels_last) for each in (model, images))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    labels = torch.arange(len(images)) % 10

    def train() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()

    return train


def show(capsys: pytest.CaptureFixture[str], title: str, times: dict[str, list[float]], base: str) -> dict[str, float]:
    ratios = speedups(times, base)
    with capsys.disabled():
        print(f"\n{title}, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}")
        for name, ratio in ratios.items():
            print(f"{name:34}{1e3 * statistics.median(times[name]):8.0f} ms a step{ratio:7.2f}x")
    return ratios


def test_small_inception_against_itself_plain(pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]) -> None:
    model = create_model("small_inception", 10)
    images = torch.randn(SMALL_BATCH, *entry("small_inception").input_shape)
    runs = {
        "plain, NCHW, float32": step(copy.deepcopy(model), images, channels_last=False),
        "plain, channels_last, float32": step(copy.deepcopy(model), images),
        "merged, channels_last, float32": step(merge_model(model), images),
    }
    if has_bf16(torch.device("cpu")):
        runs["plain, channels_last, bfloat16"] = step(copy.deepcopy(model), images, bf16=True)
        runs["merged, channels_last, bfloat16"] = step(merge_model(model), images, bf16=True)
    ratios = show(capsys, f"small_inception, batch {SMALL_BATCH}", interleaved(runs, ROUNDS), "plain, NCHW, float32")
    if pytestconfig.getoption("--time-bounds") and "merged, channels_last, bfloat16" in ratios:
        ratio = ratios["merged, channels_last, bfloat16"]
        assert ratio >= SMALL_BOUND, f"{ratio:.2f}x the plain network; the course's bound is {SMALL_BOUND}x"


@pytest.mark.parametrize("name", REFERENCES)
def test_no_slower_than_the_reference(
    name: str, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    source = REFERENCES[name][0]
    theirs = reference(name)
    ours = create_model(name, **reference_options(name, source))
    load_pretrained(ours, theirs.state_dict(), source)
    images = torch.randn(LARGE_BATCH, *entry(name).input_shape)
    runs = {
        f"{source}, channels_last": step(theirs, images),
        "merged, channels_last": step(merge_model(ours), images),
        "plain, channels_last": step(ours, images),
    }
    ratios = show(capsys, f"{name}, batch {LARGE_BATCH}", interleaved(runs, ROUNDS), f"{source}, channels_last")
    if pytestconfig.getoption("--time-bounds"):
        ratio = ratios["merged, channels_last"]
        assert ratio >= NO_SLOWER, f"{name}: {ratio:.2f}x the reference's speed; it should be no slower"
