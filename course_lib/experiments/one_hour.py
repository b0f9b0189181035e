"""The most accuracy in an hour on two cores: a network in Inception form for 32x32 images in colour, and its training.

Known ways of fast runs on CIFAR-10 (Page 2018, "How to train your ResNet"; Jordan 2024, arXiv:2404.00498), each of
which a setting turns off: a first layer with fixed weights that whitens patches, pooling before batch norm, smaller
images in the first epochs, every image mirrored in every second epoch, smoothed labels, Nesterov momentum with a rate
that rises and falls in straight lines.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.architecture import (
    Node,
    batch_norm,
    branches,
    build,
    conv,
    dropout,
    global_avg_pool,
    linear,
    max_pool,
    merge,
)
from course_lib.datasets import ImageData
from course_lib.models.creation import initialize
from course_lib.training import LabelSmoothingLoss
from course_lib.training.augment import Moves, draw_moves, move, normalize
from course_lib.training.machine import autocast
from course_lib.training.randomness import own_randomness

WHITENED = 32
"""Channels of the whitening layer: half as many patterns, each with both signs."""
FITTED = 5000
"""Images to which the whitening is fitted."""
EPSILON = 5e-4
FLIPS = ("alternating", "random", "none")


@dataclass(frozen=True)
class HourRecipe:
    """How to train; the defaults are the recipe, and each setting is one change from a plainer one.

    Attributes:
        epochs: passes over the training images.
        batch_size: images a step.
        peak: learning rate at its highest, reached after `rise` of the steps; it falls to 0.
        whiten: the first layer's weights are fixed to whiten 3x3 patches; else they are trained as all others.
        flips: "alternating" mirrors each image in every second epoch, "random" by chance, "none" never.
        small: size of the images in the first `small_share` of the epochs; 32 is no change.
        pad: pixels of the random shift.
    """

    epochs: int = 16
    batch_size: int = 128
    peak: float = 0.2
    rise: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    whiten: bool = True
    flips: str = "alternating"
    small: int = 24
    small_share: float = 0.4
    pad: int = 2

    def __post_init__(self) -> None:
        if self.flips not in FLIPS:
            raise ValueError(f"flips is {self.flips!r}; it must be one of {', '.join(FLIPS)}.")
        if self.small not in range(16, 33):
            raise ValueError(f"small is {self.small!r}; it must be a size from 16 to 32.")

    def rate(self, done: float) -> float:
        """The learning rate when this share of the steps is done."""
        return self.peak * (done / self.rise if done < self.rise else (1 - done) / (1 - self.rise))

    def size(self, epoch: int) -> int:
        """Height and width of the images in the epoch, counted from 0."""
        return self.small if epoch < self.small_share * self.epochs else 32


def hour_network(num_classes: int = 10) -> Node:
    """What follows the whitening layer: convolution and pooling to 16x16, Inception modules on 16x16, 8x8 and 4x4. All
    widths are multiples of 32. Pooled first, batch norm has a quarter of the values to read."""

    def module(one: int, reduce: int, three: int) -> Node:
        return branches(conv(one, 1), conv(reduce, 1) >> conv(three, 3))

    def reduction(channels: int) -> Node:
        return branches(conv(channels, 3, 2), max_pool(3, 2))

    stem = conv(64, 3, norm=False, activation="linear") >> max_pool(2, 2) >> batch_norm()
    on_16 = module(32, 64, 96) >> module(32, 64, 96) >> reduction(96)
    on_8 = module(64, 96, 128) >> module(64, 96, 128) >> reduction(96)
    return stem >> on_16 >> on_8 >> module(96, 96, 160) >> global_avg_pool() >> dropout(0.0) >> linear(num_classes)


class HourNetwork(nn.Module):
    """Whitening layer, ReLU, and `hour_network`: (N, 3, H, W) -> logits (N, classes)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.whitening = nn.Conv2d(3, WHITENED, 3, padding=1, bias=False)
        self.body = build(merge(hour_network(num_classes)), WHITENED)
        initialize(self.body)
        nn.init.kaiming_normal_(self.whitening.weight, nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        return self.body(F.relu(self.whitening(images)))


def whitening_weights(images: Tensor) -> Tensor:
    """Weights of a 3x3 convolution whose outputs have variance 1 and are uncorrelated on these images: the strongest
    patterns (eigenvectors of the patches' covariance), each divided by its spread, and the same with the other sign.

    Args:
        images: normalised, float32, shape (N, 3, H, W).

    Returns:
        float32, shape (`WHITENED`, 3, 3, 3).
    """
    patches = F.unfold(images, 3).transpose(1, 2).reshape(-1, 27)
    centred = patches - patches.mean(0)
    values, vectors = torch.linalg.eigh(centred.T @ centred / (len(patches) - 1))
    strongest = vectors.T[-WHITENED // 2 :] / (values[-WHITENED // 2 :, None] + EPSILON).sqrt()
    weights = strongest.view(-1, 3, 3, 3)
    return torch.cat([weights, -weights])


def parameters(model: HourNetwork) -> int:
    """All parameters, the fixed ones included."""
    return sum(parameter.numel() for parameter in model.parameters())


def make_hour_network(data: ImageData, recipe: HourRecipe, seed: int) -> HourNetwork:
    """The network with first weights from `seed`, whitening fitted to the training images if the recipe asks."""
    with own_randomness(seed):
        model = HourNetwork(len(data.classes))
    if recipe.whiten:
        # Spread over all classes, which may come one after another.
        spread = torch.arange(0, len(data.train), max(1, len(data.train) // FITTED))[:FITTED]
        few = normalize(data.train.images[spread], data.mean, data.std)
        model.whitening.weight.data.copy_(whitening_weights(few))
        model.whitening.weight.requires_grad_(False)
    return model.to(memory_format=torch.channels_last)


def train_hour(
    model: HourNetwork,
    data: ImageData,
    recipe: HourRecipe,
    seed: int,
    after_epoch: Callable[[int, float], None] | None = None,
) -> float:
    """Train in place on the CPU, in bfloat16 where it has it; the model is left in eval mode.

    Args:
        after_epoch: called with the epochs done and the seconds of training spent.

    Returns:
        Seconds of training.

    Raises:
        ArithmeticError: the loss is not finite.
    """
    steps = math.ceil(len(data.train) / recipe.batch_size)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(
        trained, recipe.peak, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True, fused=True
    )
    criterion = LabelSmoothingLoss(len(data.classes), recipe.label_smoothing)
    generator = torch.Generator().manual_seed(seed)
    mirrored_first = torch.rand(len(data.train), generator=generator) < 0.5
    images = data.train.images.contiguous(memory_format=torch.channels_last)
    spent = 0.0
    model.train()
    for epoch in range(recipe.epochs):
        started = time.perf_counter()
        order = torch.randperm(len(data.train), generator=generator)
        for step, batch in enumerate(order.tensor_split(steps)):
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate((epoch + (step + 0.5) / steps) / recipe.epochs)
            moves = _moves(recipe, batch, mirrored_first, epoch, generator)
            inputs = resize(normalize(move(images[batch], moves), data.mean, data.std), recipe.size(epoch))
            with autocast(torch.device("cpu"), None):
                logits = model(inputs)
            loss = criterion(logits, data.train.labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if not loss.isfinite():
            raise ArithmeticError(f"The loss is {loss.item()} in epoch {epoch + 1}; lower the peak of {recipe.peak}.")
        spent += time.perf_counter() - started
        if after_epoch:
            after_epoch(epoch + 1, spent)
    model.eval()
    return spent


def _moves(recipe: HourRecipe, batch: Tensor, first: Tensor, epoch: int, generator: torch.Generator) -> Moves | None:
    """Shifts by chance; mirrored as `flips` says."""
    shape = (len(batch), 3, 32, 32)
    moves = draw_moves(shape, recipe.pad, recipe.flips == "random", generator)
    if recipe.flips != "alternating":
        return moves
    shifts = moves.shifts if moves else torch.zeros(len(batch), 2, dtype=torch.int64)
    return Moves(shifts, first[batch] ^ bool(epoch % 2))


def resize(images: Tensor, size: int) -> Tensor:
    """The images, (N, C, H, W), at another size; bilinear and antialiased."""
    if images.shape[-1] == size:
        return images
    return F.interpolate(images, (size, size), mode="bilinear", antialias=True).contiguous(
        memory_format=torch.channels_last
    )


@torch.no_grad()
def hour_logits(model: HourNetwork, images: Tensor, data: ImageData, *, views: int = 1) -> Tensor:
    """Logits in eval mode, float32, shape (N, classes): of the images as they are (1 view), the mean with their mirror
    images (2), or that mean over the images moved by a pixel up and left, as they are, and down and right (6).

    Raises:
        ValueError: for another number of views.
    """
    shifts = {1: [0], 2: [0], 6: [0, -1, 1]}.get(views)
    if shifts is None:
        raise ValueError(f"views is {views!r}; it must be 1, 2 or 6.")
    total = torch.zeros(len(images), len(data.classes))
    for shift in shifts:
        for mirror in (False, True)[: min(views, 2)]:
            count = len(images)
            moves = Moves(torch.full((count, 2), shift), torch.full((count,), mirror))
            moved = images if shift == 0 and not mirror else move(images, moves)
            with autocast(torch.device("cpu"), None):
                batches = [model(normalize(batch, data.mean, data.std)).float() for batch in moved.split(256)]
            total += torch.cat(batches)
    return total / views
