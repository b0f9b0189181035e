"""The optimizer that a recipe names, made by PyTorch."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from course_lib.recipes import Recipe

Parameters = Iterable[torch.nn.Parameter]


def make_optimizer(recipe: Recipe, parameters: Parameters) -> torch.optim.Optimizer:
    """A new optimizer for these parameters, one pass over the memory of all of them where PyTorch has it."""
    return OPTIMIZERS[recipe.optimizer](parameters, recipe)


def _sgd(parameters: Parameters, recipe: Recipe) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        parameters,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.momentum > 0,
        fused=True,
    )


def _adam(parameters: Parameters, recipe: Recipe) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        parameters,
        lr=recipe.learning_rate,
        betas=(recipe.momentum, recipe.square_decay),
        eps=recipe.optimizer_epsilon,
        weight_decay=recipe.weight_decay,
        fused=True,
    )


def _rmsprop(parameters: Parameters, recipe: Recipe) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(
        parameters,
        lr=recipe.learning_rate,
        alpha=recipe.square_decay,
        eps=recipe.optimizer_epsilon,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        foreach=True,
    )


OPTIMIZERS = {"sgd": _sgd, "adam": _adam, "rmsprop": _rmsprop}
