"""What `fit` refuses before its first step: models, data and batches that can only fail or mislead later."""

from __future__ import annotations

import copy
from typing import Protocol

import torch
from torch import Tensor, nn

from course_lib.datasets import ImageData
from course_lib.errors import CourseError
from course_lib.training import distributed
from course_lib.training.augment import normalize


class Normalization(Protocol):
    """What images are normalised with, and what the logits mean: an `ImageData` has it, and a `SavedModel`."""

    classes: tuple[str, ...]
    mean: Tensor
    std: Tensor


def check_model(model: nn.Module) -> None:
    """CourseError unless the model has parameters to train, all of them float32."""
    parameters = dict(model.named_parameters())
    if not any(parameter.requires_grad for parameter in parameters.values()):
        what = "all of them are frozen (requires_grad is False)" if parameters else "it has none"
        raise CourseError(f"The model has no parameters to train: {what}; unfreeze a part, such as its last layer.")
    for name, parameter in parameters.items():
        if parameter.dtype != torch.float32:
            kind = str(parameter.dtype).removeprefix("torch.")
            raise CourseError(
                f"The model's {name} is {kind}, and training needs float32 parameters; call model.float() first (bf16= "
                "chooses the format that the model computes in)."
            )


def check_normalization(data: Normalization) -> None:
    """CourseError unless each channel of the images can be normalised: finite mean and std, std above 0."""
    for channel, (average, spread) in enumerate(zip(data.mean.tolist(), data.std.tolist(), strict=True)):
        if not (abs(average) < float("inf") and 0 < spread < float("inf")):
            raise CourseError(
                f"Channel {channel} of the images cannot be normalised: its mean is {average:g}, its std {spread:g}; "
                "give a finite mean and a std above 0 (1 for a channel that never changes)."
            )


def check_shares(data: ImageData, steps: int) -> None:
    """CourseError unless each process gets an image of every batch and of the test images."""
    processes = distributed.world_size()
    smallest = len(data.train) // steps
    if min(smallest, len(data.test)) < processes:
        raise CourseError(
            f"{processes} processes cannot share batches of {smallest} images and {len(data.test)} test "
            "images, as each needs at least one; use fewer processes or larger batches."
        )


def check_batch_norm(model: nn.Module, data: ImageData, steps: int) -> None:
    """CourseError if a process gets a single image in some step and the model, on the data's device, has a batch norm
    that sees one value a channel then, as after a global pool. A copy of the model is tried."""
    processes, smallest = distributed.world_size(), len(data.train) // steps
    if smallest // processes > 1:
        return
    probe = copy.deepcopy(model).train()
    devices = range(torch.cuda.device_count())
    try:
        with torch.no_grad(), torch.random.fork_rng(devices):
            probe(normalize(data.train.images[:1], data.mean, data.std))
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        shared = f", shared by {processes} processes," if processes > 1 else ""
        raise CourseError(
            f"The smallest batch has {smallest} of the {len(data.train)} training images{shared} and the model's batch "
            "norm needs two or more; choose a batch_size that leaves at least two."
        ) from error
