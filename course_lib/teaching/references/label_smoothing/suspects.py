"""An exercise on losses that claim to be label smoothing, and the losses it tries."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.teaching.exercises import Exercise

Loss = Callable[[Tensor, Tensor], Tensor]
CLASSES = 10


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


def wrong_sign(logits: Tensor, labels: Tensor) -> Tensor:
    """The smoothed loss negated: gradients of the same length, the other way."""
    return -pytorch_smoothing(logits, labels)


def labels_of_the_neighbour(logits: Tensor, labels: Tensor) -> Tensor:
    """Each image with the label of the one before it: the mean over the images of the gradients stays the same."""
    return pytorch_smoothing(logits, labels.roll(1))


def all_to_the_next_class(logits: Tensor, labels: Tensor) -> Tensor:
    """The right class gets what it should; the next one gets all that belongs to the wrong classes."""
    classes = logits.shape[1]
    rest = 0.1 - 0.1 / classes
    targets = (1 - rest) * F.one_hot(labels, classes) + rest * F.one_hot((labels + 1) % classes, classes)
    return F.cross_entropy(logits, targets.to(logits.dtype))


def tenths(logits: Tensor, labels: Tensor) -> Tensor:
    """Smoothing as if there were always ten classes."""
    targets = 0.9 * F.one_hot(labels, logits.shape[1]) + 0.1 / CLASSES
    return F.cross_entropy(logits, targets.to(logits.dtype))


# Each with the epsilon and the number of classes it is tried with.
_SUSPECTS = {
    (pytorch_smoothing, 0.1, CLASSES): True,
    (plain_cross_entropy, 0.1, CLASSES): False,
    (tempting_loss, 0.1, CLASSES): False,
    (smoothing_and_a_constant, 0.1, CLASSES): True,
    (twice_the_epsilon, 0.1, CLASSES): False,
    (wrong_classes_alone, 0.1, CLASSES): False,
    (sum_over_images, 0.1, CLASSES): False,
    (half_of_it, 0.1, CLASSES): False,
    (squared_error, 0.1, CLASSES): False,
    (wrong_sign, 0.1, CLASSES): False,
    (labels_of_the_neighbour, 0.1, CLASSES): False,
    (all_to_the_next_class, 0.1, CLASSES): False,
    (tenths, 0.1, CLASSES): True,
    (tenths, 0.1, 3): False,
    (twice_the_epsilon, 0.2, CLASSES): True,
    (plain_cross_entropy, 0.0, 3): True,
    (pytorch_smoothing, 0.1, 3): True,
}


def gradient(loss: Loss, logits: Tensor, labels: Tensor) -> Tensor:
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(loss(logits, labels), logits)[0]


def _tries(
    compare: Callable[[Loss, Loss, Tensor, Tensor], bool],
    images: int = 4,
    epsilon: float | None = None,
    classes: int | None = None,
) -> Callable[[Loss, float, int], bool]:
    """A test of a loss that compares it with the smoothed one in its own way on random logits."""

    def verdict(loss: Loss, asked: float, num_classes: int) -> bool:
        count = classes or num_classes
        z = torch.randn(images, count, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        y = torch.arange(images) % count
        used = asked if epsilon is None else epsilon
        return compare(loss, lambda z, y: F.cross_entropy(z, y, label_smoothing=used), z, y)

    return verdict


def _same_gradient(loss: Loss, right: Loss, z: Tensor, y: Tensor) -> bool:
    return torch.allclose(gradient(loss, z, y), gradient(right, z, y), atol=1e-6)


def _same_value(loss: Loss, right: Loss, z: Tensor, y: Tensor) -> bool:
    return torch.allclose(loss(z, y), right(z, y), atol=1e-6)


def _same_direction(loss: Loss, right: Loss, z: Tensor, y: Tensor) -> bool:
    ours, theirs = gradient(loss, z, y).flatten(), gradient(right, z, y).flatten()
    return bool(torch.cosine_similarity(ours, theirs, dim=0) > 1 - 1e-9)


def _same_sum(loss: Loss, right: Loss, z: Tensor, y: Tensor) -> bool:
    return torch.allclose(gradient(loss, z, y).sum(), gradient(right, z, y).sum(), atol=1e-6)


def _same_length(loss: Loss, right: Loss, z: Tensor, y: Tensor) -> bool:
    return torch.allclose(gradient(loss, z, y).norm(), gradient(right, z, y).norm(), atol=1e-6)


def _same_for_the_labels(loss: Loss, right: Loss, z: Tensor, y: Tensor) -> bool:
    ours, theirs = (gradient(one, z, y).gather(1, y[:, None]) for one in (loss, right))
    return torch.allclose(ours, theirs, atol=1e-6)


def _same_mean(loss: Loss, right: Loss, z: Tensor, y: Tensor) -> bool:
    return torch.allclose(gradient(loss, z, y).mean(0), gradient(right, z, y).mean(0), atol=1e-6)


def _nearly_the_same(loss: Loss, right: Loss, z: Tensor, y: Tensor) -> bool:
    return torch.allclose(gradient(loss, z, y), gradient(right, z, y), atol=0.02)


is_label_smoothing = Exercise(
    name="test-that-tells",
    difficulty="medium",
    minutes=15,
    hints=(
        "What is the gradient of the smoothed loss by the logits, for one image? And for the mean over N images?",
        "(p - q') / N. The function gradient of the lesson gives that of any loss; both on the same random logits.",
        (
            "Draw logits of several images, make q' = 0.9 · F.one_hot(labels, K) + 0.1 / K, with epsilon in place of "
            "0.1, and return torch.allclose of the two gradients."
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
        "Gradients of the same length may point different ways.": _tries(_same_length),
        "The wrong classes' entries of the gradient must agree, too, not the label's alone.": _tries(
            _same_for_the_labels
        ),
        "Each image's gradient must agree; their mean over the images forgets whose label is whose.": _tries(
            _same_mean
        ),
        "At equal logits the tempting loss has the very gradient of the smoothed one: try others.": _tries(
            lambda loss, right, z, y: _same_gradient(loss, right, torch.zeros_like(z), y)
        ),
        "The loss is a mean: the gradient of each image is to be divided by their number.": _tries(
            lambda loss, right, z, y: torch.allclose(gradient(loss, z, y), len(z) * gradient(right, z, y), atol=1e-6)
        ),
        "The number of classes is an argument, not always 10.": _tries(_same_gradient, classes=CLASSES),
        "Each entry of the gradient must agree; their sum is 0 for every loss of softmax.": _tries(_same_sum),
        "The tolerance is so wide that different gradients pass.": _tries(_nearly_the_same),
        "It is the other way round: True where the gradients agree.": lambda *case: not _tries(_same_gradient)(*case),
    },
)
