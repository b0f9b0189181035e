"""An open exercise: a loss that restrains a network in another way than smoothed labels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.teaching.exercises import Exercise
from course_lib.teaching.references.label_smoothing.suspects import (
    CLASSES,
    Loss,
    gradient,
    pytorch_smoothing,
    tempting_loss,
)

_LEAST_LEAD, _MOST_LEAD, _LEAD = 3.0, 6.0, 8.0
_STEPS = 1_000


def _leads(logits: Tensor) -> list[float]:
    """By how much class 0 leads the best of the others, for each image."""
    return (logits[:, 0] - logits[:, 1:].max(1).values).tolist()


def _descend(loss: Loss, logits: Tensor, steps: int) -> Tensor:
    labels = torch.zeros(len(logits), dtype=torch.int64)
    for _ in range(steps):
        logits = logits - 2 * len(logits) * gradient(loss, logits, labels)
    return logits


def _is_smoothing(loss: Loss, logits: Tensor, labels: Tensor) -> bool:
    """Whether the gradient is that of smoothed labels with some epsilon."""
    one_hot = F.one_hot(labels, logits.shape[1]).double()
    given = gradient(loss, logits, labels) * len(logits) - (logits.softmax(1) - one_hot)
    direction = one_hot - 1 / logits.shape[1]
    epsilon = (given * direction).sum() / direction.square().sum()
    return bool(epsilon > 1e-6) and torch.allclose(given, epsilon * direction, atol=1e-6)


def _form_of(loss: Loss) -> str | None:
    """What is wrong with a loss before anything is trained with it."""
    z = torch.randn(4, CLASSES, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y, order = torch.tensor([0, 3, 3, 7]), torch.arange(CLASSES - 1, -1, -1)
    value = loss(z, y)
    if not isinstance(value, Tensor) or value.shape != ():
        return "a loss is one number for all images together, a tensor without dimensions"
    if not value.isfinite():
        return "the loss of logits drawn at random is not a finite number"
    if not torch.isclose(loss(torch.cat([z, z]), torch.cat([y, y])), value):
        return "the same images twice give another loss: a mean over the images is asked for"
    if not torch.isclose(loss(z[:, order], CLASSES - 1 - y), value):
        return "with the classes in another order the loss is another: all classes are to be treated alike"
    if not loss(z.clone().requires_grad_(), y).requires_grad:
        return "no gradient flows back to the logits: compute with tensors alone"
    if _is_smoothing(loss, z, y):
        return "its gradient is p - q': that is label smoothing again; find another restraint"
    return None


def judge_restraint(loss: Loss) -> str | None:
    """What is wrong with a loss that is to restrain, as a clause; None if nothing is."""
    if problem := _form_of(loss):
        return problem
    start = torch.zeros(3, CLASSES, dtype=torch.float64)  # nothing known, sure and right, sure and wrong
    start[1, 0] = start[2, 1] = _LEAD
    middle = _descend(loss, start, _STEPS)
    end = _descend(loss, middle, 200)
    if not end.isfinite().all():
        return "the logits become infinite or not a number on the way"
    new, sure, wrong = _leads(end)
    if new <= 0.01:
        return "from equal logits the label does not take the lead: what is right must still be learned"
    if new > _leads(middle)[0] + 0.01:
        return f"after {_STEPS:,} steps the lead is {new:.1f} and still grows: nothing restrains it"
    if new < _LEAST_LEAD:
        return f"the lead comes to rest at {new:.1f}, below 3: the restraint is too strong"
    if new > _MOST_LEAD:
        return f"the lead comes to rest at {new:.1f}, above 6: the restraint is too weak"
    if abs(sure - new) > 0.5:
        return f"a lead of 8 becomes {sure:.1f} instead of {new:.1f}: what is too sure must come back"
    if abs(wrong - new) > 0.5:
        return f"where another class led by 8, the label ends with a lead of {wrong:.1f}: mistakes must be mended"
    return None


def _with_logit_penalty(weight: float) -> Loss:
    return lambda logits, labels: F.cross_entropy(logits, labels) + weight * logits.square().sum(1).mean()


def _deaf_to_large_mistakes(logits: Tensor, labels: Tensor) -> Tensor:
    loss = F.cross_entropy(logits, labels, reduction="none").clamp(max=5.0)
    ahead = logits.gather(1, labels[:, None]).squeeze(1) - logits.mean(1)
    return (loss + 0.01 * ahead.square()).mean()


restraint = Exercise(
    name="restraint",
    difficulty="harder",
    minutes=20,
    hints=(
        "Where is the cross-entropy's pull 0.05? What could pull back with 0.05 just there?",
        "Add something to the cross-entropy that grows with the logits, or with the certainty of softmax; its weight "
        "decides where the two pulls cancel.",
        "Try F.cross_entropy(logits, labels) + w · logits.square().sum(1).mean() with w = 0.1, 0.01 and 0.001.",
    ),
    judge=judge_restraint,
    seconds=60,
    mistakes={
        "a loss is one number for all images together, a tensor without dimensions": lambda logits, labels: (
            F.cross_entropy(logits, labels, reduction="none")
        ),
        "the same images twice give another loss: a mean over the images is asked for": lambda logits, labels: (
            F.cross_entropy(logits, labels, reduction="sum") + 0.01 * logits.square().sum()
        ),
        "with the classes in another order the loss is another: all classes are to be treated alike": (
            lambda logits, labels: F.cross_entropy(logits, labels) + 0.01 * logits[:, 0].square().mean()
        ),
        "its gradient is p - q': that is label smoothing again; find another restraint": pytorch_smoothing,
        "no gradient flows back to the logits: compute with tensors alone": lambda logits, labels: torch.tensor(
            F.cross_entropy(logits, labels).item()
        ),
        "and still grows: nothing restrains it": tempting_loss,
        "below 3: the restraint is too strong": _with_logit_penalty(0.1),
        "above 6: the restraint is too weak": _with_logit_penalty(0.001),
        "what is too sure must come back": lambda logits, labels: F.cross_entropy(logits, labels).clamp(min=0.1),
        "from equal logits the label does not take the lead: what is right must still be learned": (
            lambda logits, labels: 0.01 * logits.square().sum(1).mean()
        ),
        "the logits become infinite or not a number on the way": lambda logits, labels: logits.square().sum(1).mean(),
        "mistakes must be mended": _deaf_to_large_mistakes,
    },
)
