"""An exponential moving average of a model's weights, by which Szegedy et al. 2016, section 8, judge their networks."""

from __future__ import annotations

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def average_weights(model: nn.Module, decay: float) -> AveragedModel:
    """A copy of the model that follows it: after each step, `average.update_parameters(model)`.

    After step t the average keeps min(decay, (1 + t) / (10 + t)) of itself, as TensorFlow's does, so that the first
    weights are soon forgotten. Batch norm's running statistics are averaged like the weights they belong to.
    """

    def update(averaged: list[Tensor], current: list[Tensor], _: Tensor) -> None:
        step = int(average.n_averaged)  # on the CPU, so that reading it waits for nothing
        get_ema_multi_avg_fn(min(decay, (1 + step) / (10 + step)))(averaged, current, _)

    average = AveragedModel(model, multi_avg_fn=update, use_buffers=True)
    return average
