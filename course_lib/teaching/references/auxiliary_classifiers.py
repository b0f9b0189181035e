"""Exercises of the lesson on auxiliary classifiers."""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import datasets
from course_lib.architecture import (
    ArchitectureError,
    Auxiliary,
    Conv,
    Node,
    Sequence,
    build,
    conv,
    labelled_children,
    linear,
    residual,
    rewrite,
    seq,
    total,
    with_fields,
)
from course_lib.experiments.auxiliary_gradients import conv_gradient_norms, first_weights
from course_lib.experiments.auxiliary_network import STAGES, deep_network, head
from course_lib.models.googlenet import head as googlenet_head
from course_lib.teaching.describing import describe
from course_lib.teaching.exercises import Exercise
from course_lib.training import normalize

SHAPE = (1, 28, 28)


def _counted(channels: int, classes: int) -> int:
    value = with_fields(googlenet_head(classes), Conv, norm=False, bias=True)
    return total(value, (channels, 14, 14)).params


def _head_params(
    *, places: int = 16, squeeze: bool = True, biases: bool = True, last: bool = True
) -> Callable[[int, int], int]:
    """The formula with another grid before the fully connected layer, or without one of its parts."""

    def count(channels: int, classes: int) -> int:
        into = 128 if squeeze else channels
        layers = [(channels, 128)] if squeeze else []
        layers += [(places * into, 1024), *([(1024, classes)] if last else [])]
        return sum(a * b + biases * b for a, b in layers)

    return count


head_params = Exercise(
    name="head-params",
    difficulty="easy",
    minutes=5,
    hints=(
        "Three layers hold parameters: the 1×1 convolution and two fully connected ones. What does each read?",
        "A layer from a values to b has a·b weights and b biases. The first fully connected one reads 4·4·128 values.",
        "channels·128 + 128, then 4·4·128·1024 + 1024, then 1024·classes + classes.",
    ),
    reference=_counted,
    cases=[(512, 1000), (528, 1000), (1, 2), (480, 10)],
    random_case=lambda rng: (rng.randint(1, 900), rng.randint(2, 2000)),
    mistakes={
        "Each output has a bias, too.": _head_params(biases=False),
        "The fully connected layer reads 4·4 places of 128 channels each.": _head_params(places=1),
        "The pool leaves 4×4 places, not 5×5.": _head_params(places=25),
        "The pool leaves 4×4 places of the 14×14 grid.": _head_params(places=196),
        "The layer to the classes is missing.": _head_params(last=False),
        "The 1×1 convolution squeezes the channels to 128 first.": _head_params(squeeze=False),
        "That is both heads; one is asked for.": lambda channels, classes: 2 * _head_params()(channels, classes),
        "The convolution is 1×1: one weight for a pair of channels, not nine.": lambda channels, classes: (
            _head_params()(channels, classes) + 8 * 128 * channels
        ),
        "The 1×1 convolution has biases, too.": lambda channels, classes: _head_params()(channels, classes) - 128,
        "Parameters are asked for, not multiplications.": lambda channels, classes: (
            16 * 128 * (channels + 1024) + 1024 * classes
        ),
        "The channels are a parameter, not always 512.": lambda _, classes: _head_params()(512, classes),
        "The 1×1 convolution has parameters, too.": lambda channels, classes: (
            _head_params()(channels, classes) - 128 * (channels + 1)
        ),
    },
)


def _by_going_down(share: float, factor: float) -> int:
    layers, square = 0, 1.0
    while square > share**2:
        layers, square = layers + 1, square * factor
    return layers


def _ratio(share: float, factor: float) -> float:
    return 2 * math.log(share) / math.log(factor)


layers_until = Exercise(
    name="layers-until",
    difficulty="easy",
    minutes=5,
    hints=(
        "If the mean square is multiplied by factor, by what is the norm multiplied?",
        "By √factor a layer: after n layers the norm is factor^(n/2) of what it was. Which n makes that at most share?",
        "n is at least 2 · ln(share) / ln(factor), and whole: round up.",
    ),
    reference=_by_going_down,
    # Powers of two have no rounding error: with them the norm falls to exactly the share.
    cases=[(0.5, 0.25), (0.25, 0.25), (0.5, 1 / 6), (1e-3, 1 / 6), (1e-6, 1 / 6), (1e-3, 0.9)],
    random_case=lambda rng: (10 ** -rng.uniform(0.1, 8), rng.uniform(0.1, 0.95)),
    mistakes={
        "factor belongs to the mean square; the norm falls by its root.": lambda share, factor: math.ceil(
            math.log(share) / math.log(factor)
        ),
        "The norm falls by the root of factor, not by its square.": lambda share, factor: math.ceil(
            math.log(share) / math.log(factor) / 2
        ),
        "After so many layers the norm is still above share: round up.": lambda share, factor: math.floor(
            _ratio(share, factor)
        ),
        "A number of layers is whole: round up.": _ratio,
        "Rounded to the nearest, the norm may still be above share: round up.": lambda s, f: round(_ratio(s, f)),
        "A norm that is equal to share counts, too: to share, or below.": lambda s, f: math.floor(_ratio(s, f)) + 1,
    },
)


def _weight_by_roots(gain: float, main: float, head_norm: float, cosine: float) -> float:
    roots = np.roots([head_norm**2, 2 * main * head_norm * cosine, (1 - gain**2) * main**2])
    return float(roots.max())


weight_for = Exercise(
    name="weight-for",
    difficulty="medium",
    minutes=10,
    hints=(
        "What is the squared length of g + w·h, in terms of main, head_norm, cosine and w?",
        "main² + 2·w·main·head_norm·cosine + w²·head_norm², and it is to be gain²·main². That is quadratic in w.",
        "Divide by main² and write x = w·head_norm/main: x² + 2·cosine·x + 1 - gain² = 0. Take the positive root.",
    ),
    reference=_weight_by_roots,
    cases=[(2.0, 1.0, 1.0, 1.0), (2.0, 1.0, 1.0, 0.0), (2.0, 3.0, 4.0, 0.0), (2.0, 1.0, 1.0, -0.5)],
    random_case=lambda rng: (rng.uniform(1.1, 9), rng.uniform(0.1, 5), rng.uniform(0.1, 5), rng.uniform(-0.9, 0.9)),
    mistakes={
        "So long is the head's part alone; the sum of both is to be.": lambda gain, main, h, c: gain * main / h,
        "In the squared length stands twice the product, 2·w·main·head_norm·cosine.": lambda gain, main, h, c: (
            main / h * (math.sqrt(c**2 + 4 * (gain**2 - 1)) - c) / 2
        ),
        "The main loss's own main² is part of the squared length.": lambda gain, main, h, c: (
            main / h * (math.sqrt(c**2 + gain**2) - c)
        ),
        "That is the negative root; the weight is positive.": lambda gain, main, h, c: (
            main / h * (-math.sqrt(c**2 + gain**2 - 1) - c)
        ),
        "That holds if both gradients point the same way; the angle counts.": lambda gain, main, h, c: (
            (gain - 1) * main / h
        ),
        "That holds if the gradients are at right angles; the cosine counts.": lambda gain, main, h, c: (
            main / h * math.sqrt(gain**2 - 1)
        ),
        "A longer gradient of the head needs a smaller weight: main / head_norm.": lambda gain, main, h, c: (
            h / main * (math.sqrt(c**2 + gain**2 - 1) - c)
        ),
        "The cosine has the other sign: a head that pulls the same way needs less weight.": lambda gain, main, h, c: (
            main / h * (math.sqrt(c**2 + gain**2 - 1) + c)
        ),
        "Lengths enter squared, and so does gain.": lambda gain, main, h, c: (
            main / h * (math.sqrt(c**2 + gain - 1) - c)
        ),
        "That is w·head_norm/main; the two norms are missing.": lambda gain, main, h, c: (
            math.sqrt(c**2 + gain**2 - 1) - c
        ),
    },
)


def _answers(head_logits: Tensor, main: Tensor, threshold: float) -> Tensor:
    answers = []
    for side, end in zip(head_logits, main, strict=True):
        sure = bool(side.softmax(0).max() >= threshold)
        answers.append(int((side if sure else end).argmax()))
    return torch.tensor(answers)


def _early(
    sureness: Callable[[Tensor, Tensor], Tensor] = lambda side, end: side.softmax(1).max(1).values,
    *,
    sure: Callable[[Tensor, float], Tensor] = lambda found, threshold: found >= threshold,
    answer: Callable[[Tensor], Tensor] = lambda logits: logits.argmax(1),
    swapped: bool = False,
) -> Callable[[Tensor, Tensor, float], Tensor]:
    """`answer_early` with another measure of sureness, another comparison or another answer."""

    def early(side: Tensor, end: Tensor, threshold: float) -> Tensor:
        early, late = (answer(end), answer(side)) if swapped else (answer(side), answer(end))
        return torch.where(sure(sureness(side, end), threshold), early, late)

    return early


def _logits(seed: int, count: int, size: float) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(count, 10, generator=generator), torch.randn(count, 10, generator=generator)


answer_early = Exercise(
    name="answer-early",
    difficulty="medium",
    minutes=10,
    hints=(
        "Call it with a threshold of 0.9 on logits between 1 and 2. Who answers? Who should?",
        "A threshold of 0.9 is meant for probabilities. What are the numbers in `head`, and what makes them such?",
        "Compare head.softmax(1).max(1).values, not the logits, with the threshold; the rest is right.",
    ),
    reference=_answers,
    # Two equal logits have the probabilities 0.5 and 0.5 exactly.
    cases=[
        (torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 0.9),
        (torch.tensor([[1.0, 1.0]]), torch.tensor([[0.0, 1.0]]), 0.5),
        (torch.tensor([[1.0, 1.2]]), torch.tensor([[1.0, 0.0]]), 0.9),
        (torch.tensor([[0.2, -4.0]]), torch.tensor([[0.0, 1.0]]), 0.9),
        (*_logits(0, 20, 3.0), 0.8),
        (*_logits(1, 50, 2.0), 0.5),
    ],
    mistakes={
        "A logit is no probability: the softmax is missing.": _early(lambda side, end: side.max(1).values),
        "The classes of one image stand in a row: softmax along dimension 1.": _early(
            lambda side, end: side.softmax(0).max(1).values
        ),
        "The ten probabilities of an image add up to 1: softmax, not sigmoid.": _early(
            lambda side, end: side.sigmoid().max(1).values
        ),
        "Where the head is not sure, the end answers.": _early(sure=lambda found, _: found > 0),
        "Where the head is sure, it answers.": _early(sure=lambda found, _: found < 0),
        "The head answers where it is sure, the end where it is not.": _early(swapped=True),
        "A probability equal to the threshold is enough.": _early(sure=lambda found, t: found > t),
        "How sure the end is does not count, only the threshold.": lambda side, end, _: torch.where(
            side.softmax(1).max(1).values >= end.softmax(1).max(1).values, side.argmax(1), end.argmax(1)
        ),
        "Each image is decided by itself, not the batch as a whole.": _early(
            sure=lambda found, t: (found >= t).all().expand_as(found)
        ),
        "The head has to be sure, not the end.": _early(lambda side, end: end.softmax(1).max(1).values),
        "The answer is a class, not its logit.": _early(answer=lambda logits: logits.max(1).values),
    },
)

_WITH_HEAD = {
    (deep_network(), 3): deep_network((3,)),
    (deep_network(), 8): deep_network((8,)),
    (deep_network((3,)), 6): deep_network((3, 6)),
    (deep_network((3, 6), batch_norm=True), 1): deep_network((1, 3, 6), batch_norm=True),
}


def _adding(
    *,
    find: Callable[[list[str], int], int] = lambda names, number: names.index(f"module{number}") + 1,
    named: str = "head{}",
    keep: bool = True,
    **options: float,
) -> Callable[[Sequence, int], Sequence]:
    """`add_head` with another place, another name or another head."""

    def add(value: Sequence, number: int) -> Sequence:
        place = find([part.name for part in value.layers], number)
        new = head(**{"bn_aux": False, "weight": 0.3} | options).named(named.format(number))
        before, after = value.layers[:place], value.layers[place:]
        others = [part for part in (*before, new, *after) if keep or part is new or not part.name.startswith("head")]
        return seq(*others)

    return add


add_head = Exercise(
    name="add-head",
    difficulty="harder",
    minutes=15,
    hints=(
        "At which place of value.layers does module3 stand? Print the names of the parts; there are others among them.",
        'The place is one behind [part.name for part in value.layers].index(f"module{number}").',
        'seq(*value.layers[:place], new, *value.layers[place:]), with new = head(…).named(f"head{number}").',
    ),
    reference=lambda value, number: _WITH_HEAD[value, number],
    cases=list(_WITH_HEAD),
    mistakes={
        "Nothing was added: a value never changes, so return a new one.": lambda value, number: value,
        "Start from value: what it has, heads and batch norm, stays.": lambda value, number: deep_network((number,)),
        "The head stands behind the module, not in its place.": lambda value, number: seq(
            *(head(False, 0.3).named(f"head{number}") if p.name == f"module{number}" else p for p in value.layers)
        ),
        "The head stands before the module, not after it.": _adding(find=lambda names, n: names.index(f"module{n}")),
        "Find the module by its name: the stem, the reduction and other heads count as parts, too.": _adding(
            find=lambda names, n: n + 1
        ),
        "The head stands at the end, not after the module.": _adding(find=lambda names, n: len(names)),
        "The head is not named.": _adding(named=""),
        "The head's name ends in the number of its module.": _adding(named="head"),
        "Heads that are there stay.": _adding(keep=False),
        "The head has no batch norm: bn_aux=False.": _adding(bn_aux=True),
        "The head's weight is 0.3.": _adding(weight=0.4),
    },
)


def _convolutions(value: Node) -> int:
    inner = sum(_convolutions(part) for _, part in labelled_children(value))
    return inner + isinstance(value, Conv)


def _judge_open_way(value: object) -> str | None:
    plain = deep_network()
    if not isinstance(value, Sequence):
        return f"this is {describe(value)}; the answer is a value, such as deep_network(), and no module"
    if not {part.name for part in plain.layers} - {"global_pool", "fc"} <= {part.name for part in value.layers}:
        return "keep the stem, the reduction and all eight modules under their names"
    if any(isinstance(part, Auxiliary) for part in value.layers):
        return "heads are cut off after training: find a way without them"
    if _convolutions(value) < _convolutions(plain):
        return "it has fewer convolutions than the deep network; keep its depth"
    try:
        size, allowed = total(value, SHAPE), total(plain, SHAPE)
    except ArchitectureError as error:
        return f"{str(error).rstrip('.')}: these parts do not fit together"
    if size.out_shape != (10,):
        return f"out comes {size.out_shape}; it must end in ten logits"
    if size.macs > 1.1 * allowed.macs or size.params > 1.1 * allowed.params:
        return f"it has {size.params:,} parameters and {size.macs:,} MACs; at most 10 % more of each may be spent"
    return _closed_way(value)


def _closed_way(value: Sequence) -> str | None:
    """What keeps signal or gradient from passing `value` with PyTorch's first weights, on 128 images."""
    data = datasets.load("fashion_mnist")
    images, labels = normalize(data.train.images[:128], data.mean, data.std), data.train.labels[:128]
    model = first_weights(value, "pytorch", seed=0).train()
    logits = model(images)
    F.cross_entropy(logits, labels).backward()
    norms = conv_gradient_norms(model)
    share = norms["stem"] / max(norm for stage, norm in norms.items() if stage.startswith("module"))
    if not share >= 0.1:
        return f"the stem's gradient is {share:.0e} of the largest of a module: the way back is still closed"
    spread = logits.std(0).mean().item()
    if not spread >= 0.01:
        return f"the logits differ by {spread:.0e} from image to image: the way up is still closed"
    return None


def _without(*names: str) -> Sequence:
    return seq(*(part for part in deep_network(shortcuts=True).layers if part.name not in names))


_SHALLOW = seq(*(conv(32, 1).named(p.name) if p.name in STAGES[1:5] else p for p in deep_network().layers))
_WIDE = rewrite(
    deep_network(), lambda part, _: with_fields(part, Conv, channels=64) if isinstance(part, Conv) else part
)
_FUNNEL = seq(
    *deep_network(batch_norm=True).layers[:-1], *[linear(8, activation="relu")] * 8, deep_network().layers[-1]
)
_SHORTCUTS_EVERYWHERE = seq(
    *(residual(p).named(p.name) if p.name.startswith("module") else p for p in deep_network().layers)
)

open_way = Exercise(
    name="open-way",
    difficulty="harder",
    minutes=20,
    hints=(
        "Two things in this lesson opened the way with PyTorch's weights and without any head. Which?",
        "A value can hold them: batch_norm() stands behind a part, residual(part) adds its input to what it gives.",
        "For one: replace each module but module5 by residual(module).named(module.name), with seq(*parts) around all.",
    ),
    judge=_judge_open_way,
    mistakes={
        "the answer is a value, such as deep_network(), and no module": build(deep_network(), 1),
        "keep the stem, the reduction and all eight modules under their names": _without("module7", "module8"),
        "heads are cut off after training: find a way without them": deep_network((3, 6), shortcuts=True),
        "it has fewer convolutions than the deep network; keep its depth": _SHALLOW,
        "it must end in ten logits": _without("fc"),
        "at most 10 % more of each may be spent": _WIDE,
        "these parts do not fit together": _SHORTCUTS_EVERYWHERE,
        "the way back is still closed": deep_network(),
        "the way up is still closed": _FUNNEL,
    },
)
