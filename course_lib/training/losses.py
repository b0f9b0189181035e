"""Losses of the papers: cross-entropy against smoothed labels, and the weighted sum over auxiliary heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Real

import torch
from torch import Tensor, nn

from course_lib.datasets.images import describe_tensor
from course_lib.whole_numbers import whole_number

Criterion = Callable[[Tensor, Tensor], Tensor]


class LabelSmoothingLoss(nn.Module):
    """Cross-entropy against smoothed labels: Szegedy et al. 2016 (arXiv:1512.00567), section 7.

    The target of an image with label y is q'(k) = (1 - epsilon) [k = y] + epsilon u(k), and the loss is the mean over
    the images of H(q', p) = -sum_k q'(k) log p(k), in nats. Its gradient by one image's logits is p - q'. No logits
    bring it below the entropy of q', so it is not 0 where all is right. Without a `prior` it is
    `torch.nn.CrossEntropyLoss(label_smoothing=epsilon)`.

    Args:
        num_classes: K, at least 1.
        epsilon: weight of the prior, in [0, 1); 0 is plain cross-entropy.
        prior: u, K numbers that are not negative and sum to 1, such as the classes' shares of the training images;
            None is 1/K each.

    Raises:
        ValueError: an argument is outside its range; the message names it.
    """

    prior: Tensor

    def __init__(self, num_classes: int, epsilon: float = 0.1, prior: Tensor | Sequence[float] | None = None) -> None:
        super().__init__()
        if (whole_number(num_classes) or 0) < 1:
            raise ValueError(f"num_classes is {num_classes!r}; it must be a whole number of at least 1.")
        num_classes = whole_number(num_classes)
        if not (isinstance(epsilon, Real) and 0 <= epsilon < 1):
            raise ValueError(f"epsilon is {epsilon!r}; it must be a number from 0 to below 1, as 0.1 in the paper.")
        self.num_classes, self.epsilon = num_classes, epsilon
        uniform = torch.full((num_classes,), 1 / num_classes)
        self.register_buffer("prior", uniform if prior is None else self._checked(prior), persistent=False)

    def _checked(self, prior: Tensor | Sequence[float]) -> Tensor:
        prior = torch.as_tensor(prior, dtype=torch.float64)
        if prior.shape != (self.num_classes,):
            raise ValueError(
                f"prior has shape {tuple(prior.shape)}; {self.num_classes} classes need that many numbers."
            )
        # Written so that NaN fails too.
        if not bool((prior >= 0).all()):
            raise ValueError(f"prior has {prior.min().item():.3g} as its least number; a probability is not negative.")
        if not abs(prior.sum().item() - 1) < 1e-5:
            raise ValueError(
                f"prior sums to {prior.sum().item():.6g}; probabilities sum to 1, so divide it by its sum."
            )
        return prior.float()

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of a batch.

        Args:
            logits: floating point, shape (N, K); half precision is computed in float32.
            targets: labels, int64, shape (N,), or probabilities of the classes, floating point, shape (N, K).

        Returns:
            A tensor without dimensions, float32 or as wide as the logits; NaN if a target is.

        Raises:
            ValueError: shapes or dtypes do not go together, a label lies outside the classes, or a probability is
                negative. Values are looked at on the CPU alone: elsewhere the look would make every step wait; there
                PyTorch stops at such labels by itself, and negative probabilities count as they stand.
        """
        self._check(logits, targets)
        log_p = logits.log_softmax(1, dtype=torch.promote_types(logits.dtype, torch.float32))
        if targets.ndim == 1:
            of_targets = log_p.gather(1, targets[:, None]).squeeze(1)
        else:
            of_targets = _dot(log_p, targets.to(log_p.dtype))
        loss = -of_targets.mean()
        if not self.epsilon:
            return loss
        return (1 - self.epsilon) * loss - self.epsilon * _dot(log_p, self.prior.to(log_p)).mean()

    def _check(self, logits: Tensor, targets: Tensor) -> None:
        for name, given in (("Logits", logits), ("Targets", targets)):
            if not isinstance(given, Tensor):
                raise ValueError(f"{name} are a {type(given).__name__}; give a tensor, such as torch.as_tensor(...).")
        if logits.ndim != 2 or logits.shape[1] != self.num_classes or not logits.is_floating_point():
            raise ValueError(
                f"Logits are {describe_tensor(logits)}; {self.num_classes} classes need floats (N, {self.num_classes})."
            )
        labels = targets.dtype == torch.int64 and targets.shape == logits.shape[:1]
        if not labels and not (targets.is_floating_point() and targets.shape == logits.shape):
            raise ValueError(
                f"Targets are {describe_tensor(targets)}; logits of shape {tuple(logits.shape)} need labels, int64 of "
                f"shape ({len(logits)},), or probabilities, floats of shape {tuple(logits.shape)}."
            )
        if targets.device.type != "cpu" or not targets.numel():
            return
        if not labels and bool((targets < 0).any()):
            raise ValueError(f"A target is {targets.nan_to_num().min().item():g}; a probability is not negative.")
        if labels:
            least, most = targets.min().item(), targets.max().item()
            if least < 0 or most >= self.num_classes:
                raise ValueError(
                    f"A label is {least if least < 0 else most}; the labels of {self.num_classes} classes are 0 to "
                    f"{self.num_classes - 1}."
                )

    def extra_repr(self) -> str:
        """Shown between the brackets when the module is printed."""
        return f"{self.num_classes}, epsilon={self.epsilon}"


def auxiliary_loss(
    outputs: Tensor | tuple[Tensor, ...], targets: Tensor, criterion: Criterion, weight: float | Mapping[str, float]
) -> Tensor:
    """The loss of a network with auxiliary classifiers: that of the logits plus `weight` times that of each head.

    Szegedy et al. 2014 (arXiv:1409.4842), section 5, weigh each of GoogLeNet's two heads 0.3.

    Args:
        outputs: what a network gives in training: a tuple (logits, then the heads' logits), or, of a network without
            heads, the logits alone; each of shape (N, K).
        targets: as `criterion` takes them.
        criterion: from logits and targets to a loss without dimensions.
        weight: of every head, or of each head by its name in a named tuple, as `head_weights(model)` gives them.

    Raises:
        ValueError: a head has no weight, or no name by which to find it.
    """
    if isinstance(outputs, Tensor):
        return criterion(outputs, targets)
    logits, *heads = outputs
    loss = criterion(logits, targets)
    names = getattr(outputs, "_fields", (None,) * len(outputs))[1:]
    for name, head in zip(names, heads, strict=True):
        if isinstance(weight, Mapping) and name not in weight:
            which = (
                "A head of a plain tuple has no name" if name is None else f"The auxiliary head {name!r} has no weight"
            )
            raise ValueError(f"{which}; give one number for all, such as 0.3.")
        loss = loss + (weight[name] if isinstance(weight, Mapping) else weight) * criterion(head, targets)
    return loss


def _dot(log_p: Tensor, q: Tensor) -> Tensor:
    """sum_k q(k) log p(k); 0 where q is, also if p is 0 there."""
    return torch.where(q == 0, 0, log_p * q).sum(1)
