"""Measured time of architectures: the only part of an explorer that needs torch and patience."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from time import perf_counter

from course_lib.architecture import Node


def forward_milliseconds(
    values: Sequence[Node], input_shape: tuple[int, int, int], *, batch_size: int = 8, seconds: float = 1.0
) -> list[float]:
    """Median time of one forward pass of each value, in milliseconds, on the device lessons train on.

    The values take turns, so that a machine that slows down slows them all. float32, channels_last, eval mode.

    Args:
        input_shape: (channels, height, width) of one input.
        seconds: about how long the measurement may take in all.
    """
    import torch

    from course_lib.architecture import build
    from course_lib.training import default_device

    device = default_device()
    models = [build(value, input_shape[0]).eval().to(device, memory_format=torch.channels_last) for value in values]
    x = torch.randn(batch_size, *input_shape, device=device).to(memory_format=torch.channels_last)
    synchronize = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    times: list[list[float]] = [[] for _ in models]

    def run(model: torch.nn.Module) -> float:
        start = perf_counter()
        model(x)
        synchronize()
        return 1000 * (perf_counter() - start)

    with torch.inference_mode():
        for model in models:
            run(model)
        end = perf_counter() + seconds
        while perf_counter() < end or not times[-1]:
            for model, measured in zip(models, times, strict=True):
                measured.append(run(model))
    return [median(measured) for measured in times]
