"""Measured time of architectures: the only part of an explorer that needs torch and patience."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter, process_time

from course_lib.architecture import Node


def forward_milliseconds(
    values: Sequence[Node],
    input_shape: tuple[int, int, int],
    *,
    batch_size: int = 8,
    seconds: float = 1.0,
    processor: bool = False,
) -> list[float]:
    """Median time of one forward pass of each value, in milliseconds, on the device lessons train on.

    The values take turns, so that a machine that slows down slows them all. float32, channels_last, eval mode.

    Args:
        input_shape: (channels, height, width) of one input.
        seconds: about how long the measurement may take in all, by the clock that is read.
        processor: read how long the processor works for this process, all threads together, and not the clock on the
            wall: what others do on the machine then counts for nothing. Without effect on a GPU.
    """
    import torch

    from course_lib.architecture import build
    from course_lib.training import default_device

    device = default_device()
    models = [build(value, input_shape[0]).eval().to(device, memory_format=torch.channels_last) for value in values]
    x = torch.randn(batch_size, *input_shape, device=device).to(memory_format=torch.channels_last)
    synchronize = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    now = _processor_clock() if processor and device.type == "cpu" else perf_counter
    times: list[list[float]] = [[] for _ in models]

    def run(model: torch.nn.Module) -> float:
        start = now()
        model(x)
        synchronize()
        return 1000 * (now() - start)

    with torch.inference_mode():
        for model in models:
            run(model)
        end = now() + seconds
        while now() < end or not times[-1]:
            for model, measured in zip(models, times, strict=True):
                measured.append(run(model))
    return [median(measured) for measured in times]


def _processor_clock() -> Callable[[], float]:
    """`process_time`, except on Windows, which counts it in steps of 16 ms, longer than many a pass."""
    return perf_counter if sys.platform == "win32" else process_time
