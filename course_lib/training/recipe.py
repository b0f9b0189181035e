"""What a training run is told: a frozen value of plain fields, its learning rate over time, and its optimizer."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real

import torch

# Each takes how much of the run after the warm-up is done, 0 to 1, and gives the factor on the peak learning rate.
SCHEDULES = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1.0 - done,
    "cosine": lambda done: (1.0 + math.cos(math.pi * done)) / 2,
}

OPTIMIZERS = {
    "sgd": lambda parameters, recipe: torch.optim.SGD(
        parameters,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.momentum > 0,
        fused=True,
    ),
    "adam": lambda parameters, recipe: torch.optim.AdamW(
        parameters,
        lr=recipe.learning_rate,
        betas=(recipe.momentum, 0.999),
        weight_decay=recipe.weight_decay,
        fused=True,
    ),
}


@dataclass(frozen=True)
class Recipe:
    """How to train: everything but the model and the data. The defaults suit a small network with batch norm.

    Attributes:
        epochs: passes over the training images, at least 1.
        batch_size: images per step, at most; an epoch is cut into steps of equal size, give or take one image.
        optimizer: "sgd" (Nesterov momentum) or "adam" (weight decay decoupled, as in AdamW; at 0 it is plain Adam).
        learning_rate: the peak, reached at the end of the warm-up.
        momentum: of "sgd", or the first beta of "adam"; in [0, 1).
        weight_decay: of all parameters, not negative. "sgd" adds it to the gradient, "adam" shrinks the weights by it.
        schedule: how the learning rate falls after the warm-up: "constant", "linear" (to 0) or "cosine" (to 0).
        warmup_epochs: epochs, also in parts, in which the learning rate rises linearly from 0; shorter than `epochs`.
        label_smoothing: the epsilon of Szegedy et al. 2016, section 7, with a uniform prior; in [0, 1).
        pad: pixels by which each training image is reflect-padded before a random crop to its old size; 0 is no crop.
        flip: mirror each training image left to right with probability 1/2.
        seed: of shuffling, augmentation and dropout. The first weights are the caller's; seed before building.

    Raises:
        ValueError: a field is outside the range given here; the message names field, value and range.
    """

    epochs: int = 4
    batch_size: int = 64
    optimizer: str = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: str = "cosine"
    warmup_epochs: float = 0.5
    label_smoothing: float = 0.0
    pad: int = 2
    flip: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in {"epochs": 1, "batch_size": 1, "pad": 0, "seed": 0}.items():
            value = getattr(self, name)
            whole = isinstance(value, Integral) and not isinstance(value, bool)
            self._require(name, whole and value >= least, f"a whole number, {least} or more")
        for name, choices in {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "flip": (True, False)}.items():
            self._require(name, getattr(self, name) in choices, f"one of {', '.join(map(repr, choices))}")
        ranges = {"momentum": 1, "label_smoothing": 1, "weight_decay": math.inf, "warmup_epochs": self.epochs}
        for name, end in ranges.items():
            value = getattr(self, name)
            rule = "a number, 0 or more" + (f" and less than {end}" if end < math.inf else "")
            self._require(name, isinstance(value, Real) and 0 <= value < end, rule)
        rate = self.learning_rate
        self._require("learning_rate", isinstance(rate, Real) and 0 < rate < math.inf, "a number above 0")

    def _require(self, name: str, holds: bool, rule: str) -> None:
        if not holds:
            raise ValueError(f"Recipe: {name} is {getattr(self, name)!r}, but it must be {rule}.")

    def learning_rate_at(self, epoch: float) -> float:
        """The learning rate at a time in epochs, from 0 (the start) to `epochs` (the end), parts of epochs included."""
        if epoch < self.warmup_epochs:
            return self.learning_rate * epoch / self.warmup_epochs
        done = (epoch - self.warmup_epochs) / (self.epochs - self.warmup_epochs)
        return self.learning_rate * SCHEDULES[self.schedule](done)

    def make_optimizer(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """A new optimizer for these parameters, fused: one pass over the memory of all of them."""
        return OPTIMIZERS[self.optimizer](parameters, self)
