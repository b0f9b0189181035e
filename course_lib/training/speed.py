"""How fast this machine trains, measured in two seconds, so that a lesson's time elsewhere tells its time here."""

from __future__ import annotations

import time

import torch
from torch.nn.functional import cross_entropy

from course_lib.models import create_model
from course_lib.training.machine import autocast, default_device

IMAGES, SHAPE, CLASSES = 64, (1, 28, 28), 10


def training_speed(seconds: float = 2.0, *, device: torch.device | None = None, bf16: bool | None = None) -> float:
    """Images a second in training steps of the lessons' kind: small_inception, 64 grey images of 28x28, SGD.

    PyTorch's random numbers go on as if nothing had been measured.

    Args:
        seconds: how long to measure, after two steps to warm up; at least one step is taken.
        device: where; default is CUDA, else MPS, else the CPU.
        bf16: forward in bfloat16; None is yes where the hardware has it.
    """
    device = device or default_device()
    with torch.random.fork_rng():
        model = create_model("small_inception", CLASSES, in_channels=SHAPE[0], merged=True)
        images = torch.randn(IMAGES, *SHAPE)
    model = model.to(device, memory_format=torch.channels_last)
    images = images.to(device, memory_format=torch.channels_last)
    labels = torch.arange(IMAGES, device=device) % CLASSES
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)

    def step() -> float:
        with autocast(device, bf16):
            logits = model(images)
        loss = cross_entropy(logits.float(), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()  # waits until the device is done

    for _ in range(2):
        step()
    steps, started = 0, time.perf_counter()
    while not steps or time.perf_counter() - started < seconds:
        step()
        steps += 1
    return IMAGES * steps / (time.perf_counter() - started)
