"""Gradients of the deep network before its first step: what the recorded profiles are made of. The part that needs
torch."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.architecture import Auxiliary, Sequence, build, seq
from course_lib.architecture.building import ConvUnit, Network
from course_lib.experiments.auxiliary_network import STAGES
from course_lib.models.creation import initialize


def first_weights(value: Sequence, init: str, seed: int) -> Network:
    """The network of `value` for grey images, with first weights from `seed`: those of the trunk are the same with any
    heads. PyTorch's random numbers stay as they were.

    Args:
        init: "pytorch" leaves the weights as PyTorch draws them, uniform with variance 1 / (3 fan_in); "he" draws them
            with variance 2 / fan_in (`course_lib.models.creation.initialize`).

    Raises:
        ValueError: for another `init`.
    """
    if init not in ("pytorch", "he"):
        raise ValueError(f"init is {init!r}; it must be 'pytorch' or 'he'.")
    without_heads = seq(*(part for part in value.layers if not isinstance(part, Auxiliary)))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        trunk, model = _drawn(without_heads, init), _drawn(value, init)
    model.load_state_dict(trunk.state_dict(), strict=False)
    return model


class StageGradients(NamedTuple):
    """Gradients of two losses by the weights of each stage's convolutions, from the stem up.

    Attributes:
        main: Euclidean norms of the main loss's gradient, float64, shape (stages,).
        head: those of the head's loss, unweighted, float64, shape (stages below the head,).
        cosine: of the angle between the two, float64, shape (stages below the head,).
    """

    main: Tensor
    head: Tensor
    cosine: Tensor


def stage_gradients(model: Network, images: Tensor, labels: Tensor) -> StageGradients:
    """The gradients of a network with one auxiliary head on one batch; the model is put into training mode.

    Args:
        images: normalised, float32, shape (N, 1, 28, 28).
        labels: int64, shape (N,).
    """
    logits, head = model.train()(images)
    weights = [_conv_weights(model, stage) for stage in STAGES]
    flat = [weight for group in weights for weight in group]
    gradients = []
    for output in (logits, head):
        found = torch.autograd.grad(F.cross_entropy(output, labels), flat, retain_graph=True, allow_unused=True)
        parts = iter(found)
        groups = [[next(parts) for _ in group] for group in weights]
        # None: the loss does not depend on the stage.
        gradients.append([torch.cat([g.flatten() for g in group]).double() for group in groups if group[0] is not None])
    main, side = gradients
    norms = [torch.stack([gradient.norm() for gradient in of_loss]) for of_loss in gradients]
    # The head stands above the first stages, which are those in `side`.
    dots = torch.stack([a @ b for a, b in zip(main, side, strict=False)])
    return StageGradients(*norms, dots / (norms[0][: len(side)] * norms[1]))


def conv_gradient_norms(model: Network) -> dict[str, float]:
    """Of each stage, from the stem up: the Euclidean norm of the gradients that a backward pass has left at the weights
    of its convolutions."""
    weights = {stage: _conv_weights(model, stage) for stage in STAGES}
    return {
        stage: torch.cat([weight.grad.flatten() for weight in group]).double().norm().item()
        for stage, group in weights.items()
    }


def _drawn(value: Sequence, init: str) -> Network:
    model = build(value, 1)
    if init == "he":
        initialize(model)
    return model


def _conv_weights(model: Network, stage: str) -> list[Tensor]:
    return [unit.conv.weight for unit in model.get_submodule(stage).modules() if isinstance(unit, ConvUnit)]
