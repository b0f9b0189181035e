"""The optimizers that a recipe can name, made by PyTorch."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from course_lib.recipes.recipe import Recipe

Parameters = Iterable[torch.nn.Parameter]


def sgd(parameters: Parameters, recipe: Recipe) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        parameters,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.momentum > 0,
        fused=True,
    )


def adam(parameters: Parameters, recipe: Recipe) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        parameters,
        lr=recipe.learning_rate,
        betas=(recipe.momentum, recipe.square_decay),
        eps=recipe.epsilon,
        weight_decay=recipe.weight_decay,
        fused=True,
    )


def rmsprop(parameters: Parameters, recipe: Recipe) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(
        parameters,
        lr=recipe.learning_rate,
        alpha=recipe.square_decay,
        eps=recipe.epsilon,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        foreach=True,
    )


OPTIMIZERS = {"sgd": sgd, "adam": adam, "rmsprop": rmsprop}
