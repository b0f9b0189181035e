"""What the lesson on label smoothing and its records share: networks, stages of training, losses and measures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.architecture import Node, avg_pool, branches, conv, global_avg_pool, linear
from course_lib.datasets import ImageData, Split
from course_lib.recipes import Recipe
from course_lib.training import normalize
from course_lib.training.machine import autocast, has_bf16
from course_lib.training.optimizers import make_optimizer

TRAINING_IMAGES = 700
_PLAIN = Recipe(optimizer="adam", batch_size=32, weight_decay=0, warmup_epochs=0, pad=0, flip=False)
STAGES = {
    "early": replace(_PLAIN, epochs=10, learning_rate=1e-2, schedule="linear"),
    "late": replace(_PLAIN, epochs=9, learning_rate=3e-3, schedule="constant"),
}
"""The second goes on from the first; neither augments nor decays weights, so that nothing but the loss restrains."""
LATE_FALLING = replace(STAGES["late"], learning_rate=6e-3, schedule="linear")
"""The second stage as long, and at the same rate on average, but with a rate that falls to 0 in the end."""
TEACHER = replace(_PLAIN, epochs=20, learning_rate=1e-2, schedule="linear")
"""How a network learns that is to teach another one."""

STUDENT = replace(_PLAIN, epochs=15, learning_rate=1e-2, schedule="linear")
"""How a network learns from another one's probabilities."""

StepLoss = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""From a model, a batch of normalised images and their places among the training images to the loss."""


def smoothing_network(width: int = 32) -> Node:
    """An Inception module on the 7x7 grid of a 28x28 image, `width` channels in each of its branches."""
    block = branches(
        conv(width, 1),
        conv(width, 1) >> conv(width, 3),
        conv(width, 1) >> conv(width, 3) >> conv(width, 3),
        avg_pool(3) >> conv(width, 1),
    )
    stem = conv(width, 3, stride=2) >> conv(2 * width, 3, stride=2)
    return stem >> block >> global_avg_pool() >> linear(10)


def student_network() -> Node:
    """The same with a quarter of the channels, to learn from it."""
    return smoothing_network(8)


def few_images(data: ImageData) -> ImageData:
    """So few training images that the network can learn them by heart; `fit` looks at 100 test images meanwhile."""
    return data.subset(train=min(TRAINING_IMAGES, len(data.train)), test=min(100, len(data.test)))


def careless_labels(data: ImageData, share: float, seed: int) -> ImageData:
    """The data with this share of the training labels drawn anew from all classes."""
    generator = torch.Generator().manual_seed(seed)
    labels, count = data.train.labels, len(data.classes)
    drawn = torch.randint(count, labels.shape, generator=generator)
    changed = torch.rand(labels.shape, generator=generator) < share
    return replace(data, train=Split(data.train.images, torch.where(changed, drawn, labels)))


def logit_gap(logits: Tensor, labels: Tensor) -> float:
    """Mean over the images of the label's logit minus the mean of the others; logits (N, K), labels (N,)."""
    of_label = logits.gather(1, labels[:, None]).squeeze(1)
    return (of_label - (logits.sum(1) - of_label) / (logits.shape[1] - 1)).mean().item()


@torch.no_grad()
def last_features(model: nn.Module, images: Tensor, data: ImageData) -> Tensor:
    """What the last layer reads, float32 on the CPU, shape (N, features); images uint8, shape (N, C, H, W)."""
    device = next(model.parameters()).device
    return model[:-1](normalize(images, data.mean, data.std).to(device)).flatten(1).cpu()


def clusters(features: Tensor, labels: Tensor) -> dict[str, float]:
    """How tight the classes' clusters of features are, and how evenly they lie.

    Args:
        features: shape (N, features).
        labels: shape (N,); a class that does not occur is left out.

    Returns:
        `spread`, the mean squared distance of an image from its class's centre; `share`, the same as a share of the
        centres' own mean squared distance from the centre of all; `unevenness`, the standard deviation of the
        distances between two centres over their mean.
    """
    means = torch.stack([features[labels == label].mean(0) for label in labels.unique()])
    own = means[labels.unique(return_inverse=True)[1]]
    spread = (features - own).square().sum(1).mean()
    distances = torch.pdist(means)
    return {
        "spread": spread.item(),
        "share": (spread / (own - features.mean(0)).square().sum(1).mean()).item(),
        "unevenness": (distances.std() / distances.mean()).item(),
    }


def train_with(step_loss: StepLoss, model: nn.Module, images: Tensor, data: ImageData, recipe: Recipe) -> None:
    """Train in place on the CPU with a loss that `fit` does not know, otherwise as `fit` would, step by step.

    Args:
        images: uint8, shape (N, C, H, W); their places are what `step_loss` gets.
        data: for the channel mean and std.
        recipe: optimizer, batch, schedule, epochs and seed; it may ask for no augmentation, clipping or average.
    """
    model.to(memory_format=torch.channels_last).train()
    optimizer, device = make_optimizer(recipe, model.parameters()), torch.device("cpu")
    generator, steps = torch.Generator().manual_seed(recipe.seed), math.ceil(len(images) / recipe.batch_size)
    for epoch in range(recipe.epochs):
        for step, places in enumerate(torch.randperm(len(images), generator=generator).tensor_split(steps)):
            with autocast(device, has_bf16(device)):
                loss = step_loss(model, normalize(images[places], data.mean, data.std), places)
            optimizer.zero_grad()
            loss.backward()
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate_at(epoch + (step + 0.5) / steps)
            optimizer.step()
    model.eval()


def targets_loss(targets: Tensor, temperature: float = 1.0) -> StepLoss:
    """Cross-entropy of softmax(logits / T) against given probabilities, shape (N, K), times T².

    With a teacher's softmax(logits / T) as targets it is the distillation of Hinton, Vinyals & Dean 2015; its gradient
    shrinks as 1/T², hence the factor.
    """
    return lambda model, images, places: (
        F.cross_entropy(model(images).float() / temperature, targets[places]) * temperature**2
    )


def level_wrong(probabilities: Tensor) -> Tensor:
    """Each row with its largest probability kept and the rest of it shared out evenly: as sure as before, but nothing
    is said any more of which other class is how likely; shape (N, K)."""
    top = probabilities.max(1, keepdim=True)
    rest = ((1 - top.values) / (probabilities.shape[1] - 1)).expand_as(probabilities)
    return rest.scatter(1, top.indices, top.values)


def penalized(logits: Tensor, labels: Tensor, weight: float) -> Tensor:
    """Cross-entropy minus `weight` times the entropy of the prediction: the confidence penalty of Pereyra et al. 2017
    (arXiv:1701.06548); logits (N, K), labels (N,)."""
    log_p = logits.log_softmax(1)
    entropy = -(log_p.exp() * log_p).sum(1).mean()
    return F.cross_entropy(logits, labels) - weight * entropy


def mix(values: Tensor, order: Tensor, share: float) -> Tensor:
    """`share` of each row and 1 - `share` of the row that `order` puts beside it: half of mixup (Zhang et al. 2018,
    arXiv:1710.09412), which does so with images and with their labels as probabilities; floats, shape (N, …)."""
    return share * values + (1 - share) * values[order]


def mixup_loss(targets: Tensor, alpha: float, seed: int) -> StepLoss:
    """Cross-entropy of a batch mixed with itself in a random order, its share drawn from Beta(alpha, alpha)."""
    generator = np.random.default_rng(seed)

    def loss(model: nn.Module, images: Tensor, places: Tensor) -> Tensor:
        order = torch.from_numpy(generator.permutation(len(images)))
        share = generator.beta(alpha, alpha)
        return F.cross_entropy(model(mix(images, order, share)).float(), mix(targets[places], order, share))

    return loss


def equal_penalty(epsilon: float, num_classes: int) -> float:
    """The weight of the confidence penalty at which one image's logits come to rest where smoothing lets them rest.

    At rest the gradient by the label's logit is 0: 1 - p = weight * p (log p + entropy), with p as smoothing wants it.
    """
    wrong = epsilon / num_classes
    right = 1 - epsilon + wrong
    entropy = -right * math.log(right) - (num_classes - 1) * wrong * math.log(wrong)
    return (1 - right) / (right * (math.log(right) + entropy))
