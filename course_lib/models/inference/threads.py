"""A batch shared out among threads of the processor: each takes its own images through all layers, where threads that
work on one layer together would wait for one another after each."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier

import torch
from torch import Tensor


def over_threads(compute: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`compute(x)`, for use only, in equal shares of the batch, as many as PyTorch's threads can be dealt to evenly.

    Args:
        compute: treats each image of a batch for itself.
        x: (N, ...). On another device than the CPU, where gradients are asked for, and for a compiler it stays whole.

    Returns:
        (N, ...): the shares' outputs, concatenated.
    """
    if not only_computed(x):
        return compute(x)
    threads = torch.get_num_threads()
    shares = math.gcd(max(len(x), 1), threads)
    if shares == 1:
        return compute(x)
    # What holds for this thread is unknown to others.
    inference = torch.is_inference_mode_enabled()
    bf16 = {"dtype": torch.get_autocast_dtype("cpu"), "enabled": torch.is_autocast_enabled("cpu")}

    def compute_share(part: Tensor) -> Tensor:
        with torch.inference_mode(inference), torch.no_grad(), torch.autocast("cpu", **bf16):
            return compute(part)

    return torch.cat(list(_pool(shares, threads // shares).map(compute_share, x.chunk(shares))))


def only_computed(x: Tensor) -> bool:
    """Whether what is made of `x` is computed here and now on the CPU: not for gradients, and not for a compiler, which
    sees the plain parts and treats them as it likes."""
    if torch.compiler.is_compiling() or (x.requires_grad and torch.is_grad_enabled()):
        return False
    return x.device.type == "cpu"


@cache
def _pool(workers: int, threads: int) -> ThreadPoolExecutor:
    """So many workers, each of which lets PyTorch compute on so many threads."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="inference")
    all_started = Barrier(workers)

    def start(_: int) -> None:
        torch.get_num_threads()  # PyTorch's own setting for a new thread comes with its first use, and would undo ours
        torch.set_num_threads(threads)
        all_started.wait()  # or one worker would start twice

    list(pool.map(start, range(workers)))
    torch.set_num_threads(workers * threads)  # PyTorch takes a worker's number as that of all threads to come
    return pool
