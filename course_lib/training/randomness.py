"""PyTorch's global generators, from which dropout draws, as it takes no generator of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor


@contextlib.contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """The global generators (CPU and CUDA) seeded within, and put back after."""
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def global_states(device: torch.device) -> list[Tensor]:
    """The states of the global generators a model on this device draws from: the CPU's, and the GPU's."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def set_global_states(states: list[Tensor], device: torch.device) -> None:
    """Put back what `global_states` gave on a device of the same kind."""
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)
