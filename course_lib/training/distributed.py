"""Training by several processes, one a GPU, on one machine or more, as `torchrun` starts them.

Each process holds all images and takes its share of every batch; gradients are averaged by DistributedDataParallel. A
single process is the case of one: nothing here then talks to anyone.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from course_lib.errors import CourseError

PROCESS_ENDED = (
    "Another process of this run was killed or has failed, so this one ends too; the same torchrun command goes on "
    "from the last checkpoint."
)


@contextlib.contextmanager
def process_group() -> Iterator[None]:
    """Joins the processes that `torchrun` started with this one: NCCL between GPUs, gloo between CPUs. Without
    torchrun it does nothing.

    Raises:
        CourseError: another of the processes has ended, so that this one has to.
    """
    if "LOCAL_RANK" not in os.environ:
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    # torchrun ends all processes so when one has ended.
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            raise CourseError(PROCESS_ENDED) from error
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
        dist.destroy_process_group()


def _terminated(*_: object) -> None:
    raise CourseError(PROCESS_ENDED)


def world_size() -> int:
    """The number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0; process 0 alone writes files and shows a progress bar."""
    return dist.get_rank() if dist.is_initialized() else 0


def replicate(model: nn.Module) -> nn.Module:
    """The model as training calls it: in DistributedDataParallel if there are more processes than this one.

    On GPUs each batch norm in `model` becomes a SyncBatchNorm, in place, whose statistics are those of the whole batch.
    On CPUs PyTorch has none: there each process normalises its share by itself, and process 0's running statistics
    count, so a network with batch norm trains a little differently from one process.
    """
    if world_size() == 1:
        return model
    if next(model.parameters()).is_cuda:
        nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return nn.parallel.DistributedDataParallel(model)


def share_buffers(model: nn.Module) -> None:
    """Give every process the running statistics of process 0, in place."""
    if world_size() > 1:
        for buffer in model.buffers():
            dist.broadcast(buffer, 0)


def share(batch: Tensor) -> Tensor:
    """This process's part of a batch, along the first dimension; parts differ by one at most."""
    return batch.tensor_split(world_size())[rank()]


def add_up(tensor: Tensor) -> Tensor:
    """The sum of this tensor over all processes, in place."""
    if world_size() > 1:
        dist.all_reduce(tensor)
    return tensor


def gather(value: Any) -> list[Any]:
    """The value of each process, in the order of their ranks."""
    values = [value] * world_size()
    if world_size() > 1:
        dist.all_gather_object(values, value)
    return values


def from_first(value: Any) -> Any:
    """Process 0's value, in every process."""
    values = [value]
    if world_size() > 1:
        dist.broadcast_object_list(values)
    return values[0]
