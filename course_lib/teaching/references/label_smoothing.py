"""Exercises of the lesson on label smoothing."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.teaching.exercises import Exercise

Loss = Callable[[Tensor, Tensor], Tensor]
_CLASSES = 10


def _smoothed(epsilon: float, prior: list[float], label: int) -> np.ndarray:
    target = epsilon * np.array(prior)
    target[label] += 1 - epsilon
    return target


def _entropy(target: np.ndarray) -> float:
    target = target[target > 0]
    return float(-(target * np.log(target)).sum())


def _settled_loss(epsilon: float, prior: list[float], label: int) -> float:
    q = torch.tensor(_smoothed(epsilon, prior, label))[None]
    return F.cross_entropy(q.clamp(min=1e-300).log(), q).item()  # the logits ln q' are the best


def _with_zeros(epsilon: float, prior: list[float], label: int) -> float:
    target = _smoothed(epsilon, prior, label)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(-(target * np.log(target)).sum())


def _without_prior_of_label(epsilon: float, prior: list[float], label: int) -> float:
    target = epsilon * np.array(prior)
    target[label] = 1 - epsilon
    return _entropy(target)


def _of_first_class(epsilon: float, prior: list[float], label: int) -> float:
    return _entropy(_smoothed(epsilon, prior, 0))


least_loss = Exercise(
    name="least-loss",
    difficulty="easy",
    minutes=5,
    hints=(
        "For which p is H(q', p) = -Σ q'(k) ln p(k) least, if q' is given?",
        "For p = q'. What is left then is the entropy of q'.",
        "q' is epsilon · prior, with 1 - epsilon more for the label. Sum -q' ln q' over the classes with q' above 0.",
    ),
    reference=_settled_loss,
    cases=[
        (0.0, [0.5, 0.5], 1),
        (0.5, [0.5, 0.5], 0),
        (0.3, [0.5, 0.3, 0.2], 2),
        (0.2, [0.5, 0.5, 0.0], 0),
        (0.1, [0.1] * 10, 0),
        (0.1, [0.001] * 1000, 7),
    ],
    mistakes={
        "With smoothed labels the loss never reaches 0.": lambda epsilon, prior, label: 0.0,
        "A class whose target is 0 adds 0; 0 · ln 0 is not a number.": _with_zeros,
        "The label gets its share of the prior besides 1 - epsilon.": _without_prior_of_label,
        "Nats are asked for: the natural logarithm, not the binary one.": lambda *case: (
            _entropy(_smoothed(*case)) / float(np.log(2))
        ),
        "All classes with a target count, not the label alone.": lambda epsilon, prior, label: float(
            -np.log(_smoothed(epsilon, prior, label)[label])
        ),
        "The sign is wrong: a loss is not negative.": lambda *case: -_entropy(_smoothed(*case)),
        "The prior need not be uniform.": lambda epsilon, prior, label: _entropy(
            _smoothed(epsilon, [1 / len(prior)] * len(prior), label)
        ),
        "The label is the class that gets 1 - epsilon, not class 0.": _of_first_class,
    },
)


def pytorch_smoothing(logits: Tensor, labels: Tensor) -> Tensor:
    """PyTorch's own smoothed loss."""
    return F.cross_entropy(logits, labels, label_smoothing=0.1)


def plain_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """No smoothing."""
    return F.cross_entropy(logits, labels)


def tempting_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """(1 - epsilon) times the cross-entropy, plus epsilon / K."""
    return 0.9 * F.cross_entropy(logits, labels) + 0.1 / logits.shape[1]


def smoothing_and_a_constant(logits: Tensor, labels: Tensor) -> Tensor:
    """Another value with the same gradient."""
    return pytorch_smoothing(logits, labels) - 0.5003


def twice_the_epsilon(logits: Tensor, labels: Tensor) -> Tensor:
    """Smoothed too much."""
    return F.cross_entropy(logits, labels, label_smoothing=0.2)


def wrong_classes_alone(logits: Tensor, labels: Tensor) -> Tensor:
    """Epsilon shared out among the wrong classes, nothing of it for the right one."""
    classes = logits.shape[1]
    targets = torch.full((classes, classes), 0.1 / (classes - 1), dtype=logits.dtype).fill_diagonal_(0.9)
    return F.cross_entropy(logits, targets[labels])


def half_of_it(logits: Tensor, labels: Tensor) -> Tensor:
    """The smoothed loss, halved: the same as half the learning rate."""
    return 0.5 * pytorch_smoothing(logits, labels)


def squared_error(logits: Tensor, labels: Tensor) -> Tensor:
    """Squared distance of the logits, without softmax, from the smoothed labels."""
    targets = 0.9 * F.one_hot(labels, logits.shape[1]) + 0.1 / logits.shape[1]
    return (logits - targets).square().sum(1).mean()


def sum_over_images(logits: Tensor, labels: Tensor) -> Tensor:
    """A sum instead of a mean."""
    return F.cross_entropy(logits, labels, label_smoothing=0.1, reduction="sum")


# Each with the epsilon and the number of classes it is tried with.
_SUSPECTS = {
    (pytorch_smoothing, 0.1, _CLASSES): True,
    (plain_cross_entropy, 0.1, _CLASSES): False,
    (tempting_loss, 0.1, _CLASSES): False,
    (smoothing_and_a_constant, 0.1, _CLASSES): True,
    (twice_the_epsilon, 0.1, _CLASSES): False,
    (wrong_classes_alone, 0.1, _CLASSES): False,
    (sum_over_images, 0.1, _CLASSES): False,
    (half_of_it, 0.1, _CLASSES): False,
    (squared_error, 0.1, _CLASSES): False,
    (twice_the_epsilon, 0.2, _CLASSES): True,
    (plain_cross_entropy, 0.0, 3): True,
    (pytorch_smoothing, 0.1, 3): True,
}


def _gradient(loss: Loss, logits: Tensor, labels: Tensor) -> Tensor:
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(loss(logits, labels), logits)[0]


def _tries(
    compare: Callable[[Loss, Loss, Tensor, Tensor], bool], images: int = 4, epsilon: float | None = None
) -> Callable[[Loss, float, int], bool]:
    """A test of a loss that compares it with the smoothed one in its own way on random logits."""

    def verdict(loss: Loss, asked: float, num_classes: int) -> bool:
        z = torch.randn(images, num_classes, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        y = torch.arange(images) % num_classes
        used = asked if epsilon is None else epsilon
        return compare(loss, lambda z, y: F.cross_entropy(z, y, label_smoothing=used), z, y)

    return verdict


def _same_gradient(loss: Loss, right: Loss, z: Tensor, y: Tensor) -> bool:
    return torch.allclose(_gradient(loss, z, y), _gradient(right, z, y), atol=1e-6)


def _same_value(loss: Loss, right: Loss, z: Tensor, y: Tensor) -> bool:
    return torch.allclose(loss(z, y), right(z, y), atol=1e-6)


def _same_direction(loss: Loss, right: Loss, z: Tensor, y: Tensor) -> bool:
    ours, theirs = _gradient(loss, z, y).flatten(), _gradient(right, z, y).flatten()
    return bool(torch.cosine_similarity(ours, theirs, dim=0) > 1 - 1e-9)


def _same_sum(loss: Loss, right: Loss, z: Tensor, y: Tensor) -> bool:
    return torch.allclose(_gradient(loss, z, y).sum(), _gradient(right, z, y).sum(), atol=1e-6)


def _nearly_the_same(loss: Loss, right: Loss, z: Tensor, y: Tensor) -> bool:
    return torch.allclose(_gradient(loss, z, y), _gradient(right, z, y), atol=0.02)


is_label_smoothing = Exercise(
    name="test-that-tells",
    difficulty="medium",
    minutes=15,
    hints=(
        "What is the gradient of the smoothed loss by the logits, for one image? And for the mean over N images?",
        "(p - q') / N. The function gradient of the lesson gives that of any loss; both on the same random logits.",
        (
            "Draw logits of several images, make q' with smoothed_labels and a uniform prior, and return "
            "torch.allclose of the two gradients."
        ),
    ),
    reference=lambda *case: _SUSPECTS[case],
    cases=list(_SUSPECTS),
    mistakes={
        "A constant moves the value, not the gradient: two such losses train alike.": _tries(_same_value),
        "That lets every loss pass.": lambda loss, epsilon, num_classes: True,
        "That lets no loss pass.": lambda loss, epsilon, num_classes: False,
        "With one image a sum and a mean are the same: try several.": _tries(_same_gradient, images=1),
        "epsilon is an argument, not always 0.1.": _tries(_same_gradient, epsilon=0.1),
        "The length of the gradient counts as well as its direction.": _tries(_same_direction),
        "Each entry of the gradient must agree; their sum is 0 for every loss of softmax.": _tries(_same_sum),
        "The tolerance is so wide that different gradients pass.": _tries(_nearly_the_same),
        "It is the other way round: True where the gradients agree.": lambda *case: not _tries(_same_gradient)(*case),
    },
)


def _temperature_by_search(logits: Tensor, labels: Tensor) -> float:
    # The loss has one valley in 1/T: cut away the worse third until little is left.
    low, high = np.log(0.05), np.log(20)
    while high - low > 1e-4:
        left, right = low + (high - low) / 3, high - (high - low) / 3
        better_left = F.cross_entropy(logits / np.exp(left), labels) < F.cross_entropy(logits / np.exp(right), labels)
        low, high = (low, right) if better_left else (left, high)
    return float(np.exp((low + high) / 2))


def _calibrated_images() -> tuple[Tensor, Tensor]:
    """Logits of 500 images and labels drawn with just these probabilities, so that the best temperature is 1."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(500, _CLASSES, generator=generator, dtype=torch.float64)
    return logits, logits.softmax(1).multinomial(1, generator=generator).squeeze(1)


_LOGITS, _LABELS = _calibrated_images()


def _best_of(candidates: np.ndarray, score: Callable[[Tensor, Tensor], float]) -> Callable[[Tensor, Tensor], float]:
    return lambda z, y: float(candidates[int(np.argmin([score(z / t, y) for t in candidates]))])


def _cross_entropy(logits: Tensor, labels: Tensor) -> float:
    return F.cross_entropy(logits, labels).item()


_GRID = np.geomspace(0.05, 20, 401)

best_temperature = Exercise(
    name="temperature",
    difficulty="harder",
    minutes=15,
    hints=(
        (
            "How does the cross-entropy of logits / T depend on T? Compute it for T = 0.5, 1 and 2 on the logits "
            "of the lesson."
        ),
        "It has one valley. The simplest search tries many T and takes the best; how far apart may they stand for 1 %?",
        "np.geomspace(0.05, 20, 1201) steps by half a per cent; np.argmin of the list of losses finds the best.",
    ),
    reference=_temperature_by_search,
    cases=[(factor * _LOGITS, _LABELS) for factor in (1.0, 3.0, 0.4)],
    rtol=0.01,
    mistakes={
        "That is 1 / T: logits are divided by the temperature.": lambda z, y: 1 / _best_of(_GRID, _cross_entropy)(z, y),
        "That is always 1, the temperature of logits left as they are.": lambda z, y: 1.0,
        "That tries temperatures too far apart for 1 %.": _best_of(np.geomspace(0.05, 20, 12), _cross_entropy),
        "That looks for temperatures above 1 only; under-confident logits need less.": _best_of(
            np.geomspace(1, 20, 401), _cross_entropy
        ),
        "That looks for temperatures up to 1 only; over-confident logits need more.": _best_of(
            np.geomspace(0.05, 1, 401), _cross_entropy
        ),
        "A temperature changes no prediction, so the error rate cannot choose it.": _best_of(
            _GRID, lambda z, y: (z.argmax(1) != y).double().mean().item()
        ),
        "That is the least loss itself, not the temperature at which it is reached.": lambda z, y: min(
            _cross_entropy(z / t, y) for t in _GRID
        ),
    },
)
