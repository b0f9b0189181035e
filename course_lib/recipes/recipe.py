"""What a training run is told: a frozen value of plain fields, and its learning rate over time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from numbers import Real

from course_lib.whole_numbers import whole_number

# Each takes the recipe and a time in epochs, after the warm-up, and gives the factor on the peak learning rate.
SCHEDULES: dict[str, Callable[[Recipe, float], float]] = {
    "constant": lambda recipe, epoch: 1.0,
    "linear": lambda recipe, epoch: 1.0 - _done(recipe, epoch),
    "cosine": lambda recipe, epoch: (1.0 + math.cos(math.pi * _done(recipe, epoch))) / 2,
    "steps": lambda recipe, epoch: recipe.decay ** math.floor((epoch - recipe.warmup_epochs) / recipe.decay_epochs),
}

# Of each optimizer: the learning rate is multiplied by the growth of the batch to this power.
BATCH_SIZE_POWERS = {"sgd": 1.0, "adam": 0.5, "rmsprop": 1.0}


@dataclass(frozen=True)
class Recipe:
    """How to train: everything but the model and the data. The defaults suit a small network with batch norm.

    Attributes:
        epochs: passes over the training images, at least 1.
        batch_size: images per step, of all processes together, at most; an epoch is cut into steps of equal size, give
            or take one image.
        optimizer: "sgd" (Nesterov momentum), "adam" (weight decay decoupled, as in AdamW; at 0 it is plain Adam) or
            "rmsprop".
        learning_rate: the peak, reached at the end of the warm-up.
        momentum: of "sgd" and "rmsprop", or the first beta of "adam"; in [0, 1).
        square_decay: decay of the mean of squared gradients: the second beta of "adam", alpha of "rmsprop"; in [0, 1).
        optimizer_epsilon: what "adam" and "rmsprop" add to the root of that mean before they divide by it; above 0.
        weight_decay: of all parameters, not negative. "adam" shrinks the weights by it, the others add it to the
            gradient.
        clip_norm: the gradient of all parameters together is scaled down to this Euclidean norm; 0 leaves it.
        schedule: how the learning rate falls after the warm-up: "constant", "linear" (to 0), "cosine" (to 0) or
            "steps" (times `decay` every `decay_epochs`).
        decay: of "steps", above 0 and at most 1.
        decay_epochs: of "steps", above 0.
        warmup_epochs: epochs, also in parts, in which the learning rate rises linearly from 0; shorter than `epochs`.
        ema_decay: the model is judged, and left, with an exponential moving average of its weights and batch-norm
            statistics; this is the share that the average keeps at each step, in [0, 1). 0 is no average.
        label_smoothing: the epsilon of Szegedy et al. 2016, section 7, with a uniform prior; in [0, 1).
        aux_weight: of each auxiliary head's loss, not negative; None is the weight that the network gives each head.
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
    square_decay: float = 0.999
    optimizer_epsilon: float = 1e-8
    weight_decay: float = 5e-4
    clip_norm: float = 0.0
    schedule: str = "cosine"
    decay: float = 0.94
    decay_epochs: float = 2.0
    warmup_epochs: float = 0.5
    ema_decay: float = 0.0
    label_smoothing: float = 0.0
    aux_weight: float | None = None
    pad: int = 2
    flip: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if getattr(value, "ndim", None) == 0:  # a number of NumPy's or torch's is not what a checkpoint may hold
                object.__setattr__(self, field.name, value.item())
        for name, least in {"epochs": 1, "batch_size": 1, "pad": 0, "seed": 0}.items():
            self._require(name, _is_whole(getattr(self, name), least), f"a whole number, {least} or more")
        for name, choices in {"optimizer": BATCH_SIZE_POWERS, "schedule": SCHEDULES, "flip": (True, False)}.items():
            self._require(name, getattr(self, name) in tuple(choices), f"one of {', '.join(map(repr, choices))}")
        below_one = dict.fromkeys(("momentum", "square_decay", "ema_decay", "label_smoothing"), 1)
        unbounded = dict.fromkeys(("weight_decay", "clip_norm"), math.inf)
        for name, end in {**below_one, **unbounded, "warmup_epochs": self.epochs}.items():
            value = getattr(self, name)
            rule = "a number, 0 or more" + (f" and less than {end}" if end < math.inf else "")
            self._require(name, isinstance(value, Real) and 0 <= value < end, rule)
        for name in ("learning_rate", "optimizer_epsilon", "decay_epochs"):
            value = getattr(self, name)
            self._require(name, isinstance(value, Real) and 0 < value < math.inf, "a number above 0")
        decays = isinstance(self.decay, Real) and 0 < self.decay <= 1
        self._require("decay", decays, "a number above 0 and at most 1")
        weighs = self.aux_weight is None or (isinstance(self.aux_weight, Real) and 0 <= self.aux_weight < math.inf)
        self._require("aux_weight", weighs, "None or a number, 0 or more")

    def _require(self, name: str, holds: bool, rule: str) -> None:
        if not holds:
            raise ValueError(f"Recipe: {name} is {getattr(self, name)!r}, but it must be {rule}.")

    def at_batch_size(self, batch_size: int) -> Recipe:
        """This recipe for other batches, its learning rate scaled with them.

        The rule: in proportion to the batch for "sgd" (Goyal et al. 2017, arXiv:1706.02677, section 2.1), with its
        square root for "adam" (Malladi et al. 2022, arXiv:2205.10782). For "rmsprop" in proportion too: the papers'
        epsilon of 1.0 outweighs the root of the mean square, so the step is nearly one of SGD.
        """
        if not _is_whole(batch_size, 1):
            raise ValueError(f"batch_size is {batch_size!r}, but it must be a whole number, 1 or more.")
        scale = (batch_size / self.batch_size) ** BATCH_SIZE_POWERS[self.optimizer]
        return replace(self, batch_size=batch_size, learning_rate=self.learning_rate * scale)

    def learning_rate_at(self, epoch: float) -> float:
        """The learning rate at a time in epochs, from 0 (the start) to `epochs` (the end), parts of epochs included."""
        if epoch < self.warmup_epochs:
            return self.learning_rate * epoch / self.warmup_epochs
        return self.learning_rate * SCHEDULES[self.schedule](self, epoch)


def _done(recipe: Recipe, epoch: float) -> float:
    """How much of the run after the warm-up is done, 0 to 1."""
    return (epoch - recipe.warmup_epochs) / (recipe.epochs - recipe.warmup_epochs)


def _is_whole(value: object, least: int) -> bool:
    number = whole_number(value)
    return number is not None and number >= least
