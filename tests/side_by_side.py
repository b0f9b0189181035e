"""Times of several ways to do one thing, taken in alternation, so that a busy machine disturbs them alike; and the
references that the benchmarks compare with."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable

import timm
import torch
import torchvision
from torch import nn

GEMM_SIZE = 2048

REFERENCES = {  # name: (library, its network as its users make it, with random weights and without heads)
    "googlenet_bn": ("torchvision", lambda: torchvision.models.googlenet(aux_logits=False, init_weights=False)),
    "inception_v3": ("torchvision", lambda: torchvision.models.inception_v3(aux_logits=False, init_weights=False)),
    "inception_v4": ("timm", lambda: timm.create_model("inception_v4")),
    "inception_resnet_v2": ("timm", lambda: timm.create_model("inception_resnet_v2")),
}


def reference(name: str) -> nn.Module:
    """The network as torchvision or timm ships it, in training mode."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both libraries speak of defaults that will change
        return REFERENCES[name][1]()


def interleaved(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each run in each round, after one round to warm up."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            if number:
                times[name].append(time.perf_counter() - started)
    return times


def speedups(times: dict[str, list[float]], base: str) -> dict[str, float]:
    """How many times faster than `base` each run is: the median over the rounds."""
    return {
        name: statistics.median(slow / fast for slow, fast in zip(times[base], measured, strict=True))
        for name, measured in times.items()
    }


def multiplication(dtype: torch.dtype) -> tuple[Callable[[], object], float]:
    """A large product of square matrices, whose best time gives the machine's peak, and its GFLOP."""
    left, right = (torch.randn(GEMM_SIZE, GEMM_SIZE).to(dtype) for _ in range(2))
    return lambda: left @ right, 2 * GEMM_SIZE**3 / 1e9
