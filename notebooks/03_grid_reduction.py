# ---
# jupyter:
#   course:
#     minutes_read: 45
#     minutes_run: 2
#     title: Grid reduction
#   jupytext:
#     cell_metadata_filter: tags,slideshow,-all
#     formats: ipynb,py:percent
#     notebook_metadata_filter: kernelspec,jupytext,course,-jupytext.text_representation.jupytext_version,-widgets,-language_info
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Grid reduction
#
# A picture comes in with 299×299 places, the classifier sees 8×8. Somewhere between, a network must throw places away,
# and it usually does so by halving the grid. **How do you halve a grid: what does it cost, and what is lost for good?**
#
# Afterwards you can
#
# - derive the cost of three ways to halve a grid, and say which one the Inception networks use;
# - tell where a network has a bottleneck, by counting;
# - prove, and see, what a pool takes away that no later layer brings back;
# - judge the claim "cheaper and without bottleneck" on real images, including where it does not hold.
#
# About 45 minutes to read, 2 minutes to run. The paper is C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna,
# *Rethinking the Inception Architecture for Computer Vision*, CVPR 2016, sections 2 and 5.
#
# | For a lecture hour | minutes |
# |:--|--:|
# | Two ways, their cost, and the bottleneck; first question | 10 |
# | The third way, by hand and in the explorer; second question | 15 |
# | What pooling throws away | 15 |
# | Real images: three ways at equal width and at equal cost | 10 |
# | Reductions in v3 and v4; the gentle shrink | 10 |

# %% tags=["guard", "folded"]
import importlib.util
import sys
import time

if importlib.util.find_spec("course_lib") is None:

    class CourseMissingError(Exception):
        def _render_traceback_(self):
            return [str(self)]

    # The cells of "Run All" arrive meanwhile, and are stopped with this one.
    time.sleep(2)
    raise CourseMissingError(
        "This lesson needs the course's library, which this Python does not have: "
        f"in the course's folder run `{sys.executable} -m pip install -e .` "
        "and restart the kernel, or open the lesson with `make lab`."
    )

# %% tags=["setup"]
from dataclasses import replace
from math import prod

import numpy as np
import pandas as pd
import torch
from torch import nn

from course_lib import datasets, models
from course_lib.architecture import (
    Branches,
    Conv,
    Node,
    Pool,
    branches,
    build,
    conv,
    cost,
    diagram,
    max_pool,
    parallel_reduction,
    rewrite,
    seq,
    total,
    with_fields,
)
from course_lib.experiments.grid_reduction import WAYS, reduction, reduction_network
from course_lib.experiments.weights import copy_weights_in_order
from course_lib.explorers import GridReductionExplorer
from course_lib.explorers.grid_reduction.result import NAMES
from course_lib.explorers.timing import forward_milliseconds
from course_lib.models import entry, list_models, trunk
from course_lib.reporting.plots import figure_html, line_panels, matrix_gallery
from course_lib.reporting.tables import Claim, paper_beside_measured, table
from course_lib.reporting.training_results import (
    noise,
    results_table,
    training_results,
)
from course_lib.teaching import Answer, Quiz, fold_answer
from course_lib.teaching.references import grid_reduction as exercises
from course_lib.training import Recipe, fit

# %% [markdown]
# ## Two ways to halve a grid
#
# A grid of d×d places holds k channels at each place. Half the grid would hold a quarter of the numbers, so networks
# double the channels when they halve the grid: from d×d×k to d/2×d/2×2k. Which comes first, the convolution that
# doubles the channels or the pool that halves the grid?
#
# A 1×1 convolution from k to 2k channels multiplies k·2k times at each place of its output. Convolving first, it visits
# all d² places: 2d²k². Pooling first leaves it (d/2)² places: 2(d/2)²k². These are the paper's two numbers; an n×n
# window multiplies both by n².


# %%
def conv_then_pool_macs(d: int, k: int, n: int) -> int:
    """Multiply-accumulates of an n x n convolution from k to 2k channels on the d x d
    grid."""
    return n**2 * 2 * d**2 * k**2


def pool_then_conv_macs(d: int, k: int, n: int) -> int:
    """The same convolution on the grid that a pool has halved."""
    return n**2 * 2 * (d // 2) ** 2 * k**2


# %% [markdown]
# As always, ask PyTorch, which counts the operations as it runs them (two for one multiply-accumulate, MAC), and the
# course's `total`, which counts without running anything.

# %% tags=["nbval-check-output"]
from torch.utils.flop_counter import FlopCounterMode

d, k = 32, 64
by_hand = {
    "conv_pool": conv_then_pool_macs(d, k, 3),
    "pool_conv": pool_then_conv_macs(d, k, 3),
}
modules = {
    "conv_pool": nn.Sequential(
        nn.Conv2d(k, 2 * k, 3, padding=1), nn.MaxPool2d(3, 2, padding=1)
    ),
    "pool_conv": nn.Sequential(
        nn.MaxPool2d(3, 2, padding=1), nn.Conv2d(k, 2 * k, 3, padding=1)
    ),
}
for way, macs in by_hand.items():
    with FlopCounterMode(display=False) as counter:
        modules[way](torch.zeros(1, k, d, d))
    assert (
        macs
        == counter.get_total_flops() / 2
        == total(reduction(way, k), (k, d, d)).macs
    )
table(pd.DataFrame({"MACs, 3×3": {NAMES[way]: macs for way, macs in by_hand.items()}}))

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "pool-first",
    "Pooling first needs a quarter of the multiplications and gives a tensor of the"
    " very same shape. What speaks against it?",
    [
        Answer(
            "Nothing: it is simply better",
            "It is cheaper. But look at what is left after its pool.",
        ),
        Answer(
            "After the pool only (d/2)²·k numbers are left, fewer than the layer"
            " hands on",
            "That is the bottleneck: the convolution then makes 2(d/2)²k numbers out of"
            " half as many. It cannot add what the pool took away.",
            correct=True,
        ),
        Answer(
            "Max pooling is slower than convolving",
            "A pool multiplies nothing and costs next to nothing.",
        ),
        Answer(
            "Its convolution has fewer weights",
            "Both have n²·k·2k weights; only the number of places differs.",
        ),
    ],
)

# %% [markdown]
# ## The bottleneck
#
# Count what each way holds from step to step. `cost` lists the values in each layer's output under *activations*:

# %% tags=["nbval-check-output"]
steps = {
    NAMES[way]: cost(reduction(way, k), (k, d, d)) for way in ("conv_pool", "pool_conv")
}
fold_answer(
    table(
        pd.concat(steps)[["operation", "out_shape", "macs", "activations"]].droplevel(
            "layer"
        )
    )
)

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# 65,536 values come in. Convolving first never falls below the 32,768 that leave. Pooling first squeezes everything
# through 16,384.
#
# </details>
#
# The paper's first design principle warns of this: *avoid representational bottlenecks*; the size of the representation
# should decrease gently from the picture to the classifier. It adds at once that size is only a rough estimate of what
# a representation knows. We will measure that, too.
#
# ## The third way
#
# Do both, side by side, both with stride 2: a convolution to k channels, and a pool that passes its k channels on.
# Joined, they have 2k. By hand:


# %%
class ConvBesidePool(nn.Module):
    """Halves the grid and doubles the channels: (N, channels, H, W) -> (N, 2 *
    channels, H / 2, W / 2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels, eps=1e-3)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.relu(self.bn(self.conv(x))), self.pool(x)], dim=1)


# %% [markdown]
# As a value it reads like the paper's figure 10. With the same weights, both must give the same numbers:

# %% tags=["nbval-check-output"]
beside = branches(conv(64, 3, stride=2), max_pool(3, 2))
mine, built = ConvBesidePool(64), build(beside, in_channels=64)
copy_weights_in_order(mine, built)
x = torch.randn(2, 64, 32, 32)
assert torch.equal(mine(x), built(x))
diagram(beside, (64, 32, 32))

# %% [markdown]
# Now all three, in units of d²k² for a 1×1 as in the paper (section 5):

# %% tags=["nbval-check-output"]
units = {
    way: total(reduction(way, k, kernel_size=1), (k, d, d)).macs / (d**2 * k**2)
    for way in WAYS
}
exact = "a formula: it must hold exactly"
claims = [
    Claim(
        "convolution, then pool (section 5), in d²k²",
        2.0,
        units["conv_pool"],
        (2.0, 2.0),
        exact,
        "{:.2f}",
    ),
    Claim(
        "pool, then convolution (section 5), in d²k²",
        2 / 2**2,
        units["pool_conv"],
        (0.5, 0.5),
        exact,
        "{:.2f}",
    ),
]
paper_beside_measured(claims)

# %% tags=["nbval-check-output"]
assert units["parallel"] < units["pool_conv"] < units["conv_pool"]
print(
    "convolution beside pool, which the paper only calls cheap:"
    f" {units['parallel']:.2f} d²k²"
)

# %% [markdown]
# Half the cost of pooling first, an eighth of convolving first, since half of the output comes from the pool, for
# nothing. And no bottleneck: the first thing that exists after the input is the output.
#
# In the explorer the area of a rectangle is the number of values. Start with the case just counted (kernel 3×3), then
# try:
#
# 1. **way** "pool, then convolution": find the bottleneck in the picture.
# 2. **stride** 4: what happens to the bottleneck, and to the cost of convolving first?
# 3. **channels k** up and down: which of the numbers do *not* depend on the width, only on the way?

# %% tags=["nbval-check-output"]
explorer = GridReductionExplorer(
    grid=32, channels=64, kernel_size=3, stride=2, way="parallel"
)
explorer

# %% [markdown]
# To 2: with stride s, convolving first costs s² times as much as pooling first, and the bottleneck is s times narrower
# than what leaves. To 3: the ratios of the bars. They follow from the way and the stride alone.
#
# The paper's formulas are for a 1×1. Would you *build* the third way with one?

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "one-by-one-stride-two",
    "Take a 1×1 convolution with stride 2 beside the pool. What does the convolution"
    " see of its input?",
    [
        Answer(
            "All of it, as every convolution does",
            "With stride 2 it visits every second row and every second column.",
        ),
        Answer(
            "One place in four",
            "It reads only places with even row and even column; the other three of"
            " four reach the output through the pool alone.",
            correct=True,
        ),
        Answer(
            "Half of it",
            "Half of the rows, and of these half of the places: a quarter.",
        ),
    ],
)


# %% tags=["nbval-check-output"]
def seen(value: Node, size: int = 8) -> torch.Tensor:
    """1 where a pixel of a `size` x `size` picture has an influence on anything in the
    layer's output."""
    torch.manual_seed(0)
    picture = torch.randn(1, 1, size, size, requires_grad=True)
    build(with_fields(value, Conv, norm=False, activation="linear"), 1)(
        picture
    ).square().sum().backward()
    return (picture.grad[0, 0] != 0).int()


one, three = seen(conv(4, 1, stride=2)), seen(conv(4, 3, stride=2))
assert three.all()
fold_answer(
    f"1×1 with stride 2 sees {one.float().mean():.0%}, 3×3 with stride 2 sees"
    f" {three.float().mean():.0%} of the places"
)

# %% [markdown]
# So the reductions of the Inception networks use 3×3. From here on, so do we.

# %% [markdown]
# ## What pooling throws away
#
# ### Two pictures that a pool cannot tell apart
#
# A max pool keeps the largest of each window and forgets where it was. Shuffle the pixels within each 2×2 window of a
# picture:


# %%
data = datasets.load("fashion_mnist")
first_of_each = [int((data.test.labels == label).nonzero()[0]) for label in range(10)]
shown = [
    data.classes.index(name)
    for name in ("Shirt", "Ankle boot", "Bag", "Sandal", "Dress")
]
pictures = data.test.images[[first_of_each[label] for label in shown]].float() / 255


def shuffle_windows(pictures: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """(N, 1, H, W) pictures with the four pixels of each 2x2 window in a random
    order."""
    windows = nn.functional.unfold(pictures, 2, stride=2)
    order = torch.rand(
        windows.shape, generator=torch.Generator().manual_seed(seed)
    ).argsort(dim=1)
    return nn.functional.fold(
        windows.gather(1, order), pictures.shape[-2:], 2, stride=2
    )


# %% tags=["nbval-check-output"]
shuffled = shuffle_windows(pictures)
pooled = nn.functional.max_pool2d(pictures, 2)
assert torch.equal(nn.functional.max_pool2d(shuffled, 2), pooled)
assert not torch.allclose(shuffled, pictures, atol=0.1)
rows = {"picture": pictures, "shuffled": shuffled, "pool of both": pooled}
names = [data.classes[label] for label in shown]
figure = matrix_gallery(
    {name: images[:, 0].numpy() for name, images in rows.items()},
    titles=names,
    photographs=True,
)
figure_html(
    figure,
    f"Five pictures ({', '.join(names)}), the same with pixels shuffled in each 2x2"
    " window, and the one max pool of both.",
)

# %% [markdown]
# Whatever comes after the pool, it gets the same numbers for both rows. A convolution *before* or *beside* the pool can
# tell them apart.
#
# ### How many numbers survive
#
# Take away the ReLU and each way is linear, but for the choice a max pool makes. Then "how much is left" has an exact
# answer: the rank of the layer's Jacobian, the number of directions in which a small change of the input still changes
# the output.


# %% tags=["nbval-check-output"]
def plain(value: Node) -> Node:
    """The value with bare convolutions: no batch norm, no bias, no ReLU."""
    return with_fields(value, Conv, norm=False, bias=False, activation="linear")


def surviving(value: Node, seed: int, k: int = 4, d: int = 8) -> int:
    """Rank of the Jacobian of a layer with random weights, at a random input of k x d x
    d."""
    torch.manual_seed(seed)
    layer, x = (
        build(plain(value), k).double(),
        torch.randn(1, k, d, d, dtype=torch.double),
    )
    jacobian = torch.autograd.functional.jacobian(
        lambda x: layer(x).flatten(), x, vectorize=True
    )
    return int(torch.linalg.matrix_rank(jacobian.flatten(1)))


def tiled(value: Node) -> Node:
    """The value with 2x2 pools, whose windows do not overlap, in place of 3x3."""
    return rewrite(
        value,
        lambda part, _: (
            replace(part, kernel_size=(2, 2), padding="valid")
            if isinstance(part, Pool)
            else part
        ),
    )


ranks = {
    NAMES[way]: {
        "values that leave": prod(total(reduction(way, 4), (4, 8, 8)).out_shape),
        "survive, pool 2×2": np.mean(
            [surviving(tiled(reduction(way, 4)), seed) for seed in range(3)]
        ),
        "survive, pool 3×3": np.mean(
            [surviving(reduction(way, 4), seed) for seed in range(3)]
        ),
    }
    for way in WAYS
}
table(pd.DataFrame(ranks).T, {"survive, pool 3×3": "{:.0f}"})

# %% [markdown]
# Of 256 values that come in, all three ways hand on 128. Pooling first, at most 64 of them are independent, exactly the
# bottleneck: the convolution writes the same knowledge twice. The other two keep all 128 if windows do not overlap.
#
# The usual pool, 3×3 with stride 2, loses more than its size tells: its windows overlap, and neighbours often pick the
# *same* pixel. That hits the two ways whose whole output goes through the pool. Convolution beside pool keeps the most,
# and is the cheapest.

# %% [markdown]
# ### What a linear readout gets back
#
# Numbers that survive need not matter. So take real pictures, d = 28, k = 1: the picture itself is the representation.
# Reduce it once with random filters to 14×14×2, and ask for the picture back: the best *linear* readout from each place
# and its eight neighbours to the 2×2 pixels that were there. "Best" is least squares, on 600 pictures; judged on 300
# others.


# %%
def ridge(
    inputs: torch.Tensor, targets: torch.Tensor, strength: float = 1e-6
) -> torch.Tensor:
    """Least-squares weights from (N, features) to (N, outputs); `strength` keeps them
    finite."""
    inputs, targets = inputs.double(), targets.double()
    return torch.linalg.solve(
        inputs.T @ inputs + strength * len(inputs) * torch.eye(inputs.shape[1]),
        inputs.T @ targets,
    )


def neighbourhoods(features: torch.Tensor) -> torch.Tensor:
    """(N, C, h, w) features as one row a place: its 3x3 neighbourhood, and a one for
    the constant."""
    columns = nn.functional.unfold(features, 3, padding=1).transpose(1, 2).flatten(0, 1)
    return nn.functional.pad(columns, (0, 1), value=1.0)


def windows(pictures: torch.Tensor, side: int) -> torch.Tensor:
    """(N, 1, H, W) pictures as one row a window of `side` x `side` pixels."""
    return (
        nn.functional.unfold(pictures, side, stride=side).transpose(1, 2).flatten(0, 1)
    )


# %%
def rebuilt(
    layer: nn.Module, learn: torch.Tensor, judge: torch.Tensor
) -> tuple[torch.Tensor, float]:
    """The pictures `judge` as the best linear readout of the layer's output gives them
    back, and the share of their variance."""
    with torch.no_grad():
        learn_features, judge_features = layer(learn), layer(judge)
    side = learn.shape[-1] // learn_features.shape[-1]
    weights = ridge(neighbourhoods(learn_features), windows(learn, side))
    read = (
        (neighbourhoods(judge_features).double() @ weights)
        .unflatten(0, (len(judge), -1))
        .transpose(1, 2)
    )
    pictures = nn.functional.fold(read.float(), judge.shape[-2:], side, stride=side)
    return (
        pictures,
        1
        - (
            (pictures - judge).square().sum() / (judge - judge.mean()).square().sum()
        ).item(),
    )


def random_reduction(way: str, seed: int) -> nn.Module:
    """One way from 28x28x1 to 14x14x2 with random filters."""
    torch.manual_seed(seed)
    return build(plain(reduction(way, 1)), 1).eval()


# %%
learn, judge = (
    data.train.images[:600].float() / 255,
    data.test.images[:300].float() / 255,
)
recovered = pd.DataFrame(
    {
        NAMES[way]: [
            rebuilt(random_reduction(way, s), learn, judge)[1] for s in range(5)
        ]
        for way in WAYS
    }
)
# Pooling first, 196 numbers must stand for 784 pixels; beside the pool, 392.
assert (recovered[NAMES["parallel"]] > recovered[NAMES["pool_conv"]]).all()
table(
    recovered.rename_axis("random filters").T.assign(mean=recovered.mean()),
    dict.fromkeys([*range(5), "mean"], "{:.0%}"),
)

# %% tags=["nbval-check-output"]
short = dict(
    zip(
        WAYS, ("conv,\nthen pool", "pool,\nthen conv", "conv\nbeside pool"), strict=True
    )
)
rows = {
    short[way]: rebuilt(random_reduction(way, 0), learn, pictures)[0] for way in WAYS
}
rows = {
    name: images[:, 0].numpy()
    for name, images in ({"picture": pictures} | rows).items()
}
figure = matrix_gallery(rows, titles=names, photographs=True)
alt = (
    "Five pictures above what a linear readout gives back of each after the three ways,"
    " filters 0. Of the variance it gives back "
)
figure_html(
    figure,
    alt
    + ", ".join(f"{share:.0%} ({name})" for name, share in recovered.loc[0].items()),
)

# %% [markdown]
# Which way gives back most depends on the random filters, but the way without bottleneck that keeps the pooled picture
# *and* filters it is ahead each time. By this measure convolving first is hardly better than pooling first: random
# filters and a max throw away much by themselves.
#
# Variance is not what a classifier needs, though. Ask the same numbers for the *class*, again by a linear readout,
# learned on 3,000 pictures.


# %%
def class_readout(
    layer: nn.Module, learn: datasets.Split, judge: datasets.Split
) -> float:
    """Share of `judge` that the best linear readout of the layer's output, learned on
    `learn`, gets right."""
    with torch.no_grad():
        features = [
            layer(split.images.float() / 255).flatten(1) for split in (learn, judge)
        ]
    mean, scale = features[0].mean(0), features[0].std()
    features = [
        nn.functional.pad((each - mean) / scale, (0, 1), value=1.0) for each in features
    ]
    weights = ridge(features[0], nn.functional.one_hot(learn.labels, 10), strength=0.01)
    return (
        ((features[1].double() @ weights).argmax(1) == judge.labels)
        .double()
        .mean()
        .item()
    )


few = data.subset(train=3000)
layers = {
    NAMES[way]: [random_reduction(way, seed) for seed in range(5)] for way in WAYS
}
right = {
    name: [class_readout(layer, few.train, few.test) for layer in several]
    for name, several in layers.items()
}
right = {
    "the picture itself": [class_readout(nn.Identity(), few.train, few.test)]
} | right
readouts = pd.DataFrame(
    {
        name: {"mean": np.mean(v), "worst": min(v), "best": max(v)}
        for name, v in right.items()
    }
).T
# Two standard errors of a difference on 2,000 pictures are 2.5 points.
assert (
    readouts.loc[NAMES["parallel"], "mean"]
    > readouts.loc[NAMES["pool_conv"], "mean"] + 0.025
)
table(readouts, dict.fromkeys(readouts.columns, "{:.1%}"))

# %% [markdown]
# Here the bottleneck shows. Convolving before or beside the pool, a linear classifier does as well as on the picture
# itself, with half the numbers. Pooling first it loses several points, with every draw of the filters: both pairs of
# 196 numbers say the same thing, and no filter after the pool adds to what the pool has left.

# %% [markdown]
# ## Multiplications and time
#
# The third way needs an eighth of the multiplications of the first. An eighth of the time?


# %%
def time_shares(k: int, d: int) -> dict[str, float]:
    """Time of each way as a share of the dearest's, forward pass, batch of 8."""
    times = forward_milliseconds(
        [reduction(way, k) for way in WAYS], (k, d, d), seconds=1.0
    )
    return {NAMES[way]: time / times[0] for way, time in zip(WAYS, times, strict=True)}


macs = [total(reduction(way, 64), (64, 56, 56)).macs for way in WAYS]
shares = {
    "MACs": {NAMES[way]: count / macs[0] for way, count in zip(WAYS, macs, strict=True)}
}
shares |= {
    f"time, {d}×{d}×{k}": time_shares(k, d) for k, d in ((16, 56), (64, 28), (128, 56))
}
shares = pd.DataFrame(shares)
# Where there are many channels on a large grid, a quarter and an eighth of the
# multiplications must show in time.
assert (shares.iloc[1:, -1] < 1).all()
table(shares, dict.fromkeys(shares.columns, "{:.0%}"))

# %% [markdown]
# With many channels time roughly follows the multiplications. With few it does not: a pool multiplies nothing, but it
# reads and compares, and joining copies. So the third way, with half the multiplications of the second, gains little
# time on it.

# %% [markdown]
# ## On real images
#
# Two reductions, from 28×28×16 to 14×14×32 to 7×7×64, and a classifier. First at **equal width**: three networks with
# the same grids and channels. Then at **equal cost**: what the cheap ways save buys further 3×3 convolutions, two after
# the first reduction and one after the second. With them "pool, then convolution" costs *exactly* what "convolution,
# then pool" costs without.


# %% tags=["nbval-check-output"]
NOTHING = seq()
networks = {NAMES[way]: reduction_network(way) for way in WAYS}
networks |= {
    f"{NAMES[way]} + 3 layers": reduction_network(way, further=3)
    for way in ("pool_conv", "parallel")
}
sizes = {name: total(value, (1, 28, 28)) for name, value in networks.items()}
dearest = sizes["convolution, then pool"]
assert sizes["pool, then convolution + 3 layers"].macs == dearest.macs
fewer = 1 - sizes["convolution beside pool + 3 layers"].macs / dearest.macs
print(
    f"convolution beside pool + 3 layers: {fewer:.0%} fewer multiplications than the"
    " dearest"
)
table(
    pd.DataFrame(
        {
            name: {"parameters": size.params, "million MACs": size.macs / 1e6}
            for name, size in sizes.items()
        }
    ).T
)

# %% [markdown]
# **Write down your guess** before you train: which of the first three is best, and do the three further layers pay?
# Each network is trained twice, from different first weights, on 2,000 pictures.

# %%
recipe = Recipe(epochs=4)
train_data = data.subset(train=2000)


def train(name: str) -> list[pd.DataFrame]:
    """Histories of the named network, trained from two different first weights."""
    histories = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        histories.append(
            fit(
                build(networks[name], in_channels=1),
                train_data,
                replace(recipe, seed=seed),
            )
        )
    return histories


runs = {}

# %%
runs["convolution, then pool"] = train("convolution, then pool")

# %%
runs["pool, then convolution"] = train("pool, then convolution")

# %%
runs["convolution beside pool"] = train("convolution beside pool")

# %%
runs["pool, then convolution + 3 layers"] = train("pool, then convolution + 3 layers")

# %%
runs["convolution beside pool + 3 layers"] = train("convolution beside pool + 3 layers")

# %%
results = training_results(runs, sizes)
# Guessing gives 10 %: a network below 40 % has not learned, and the comparison would
# mean nothing.
assert (results["accuracy"] > 40).all()
results_table(results)

# %%
print(noise(results, len(train_data.test.labels)))
paid = {
    way: results.loc[f"{way} + 3 layers", "accuracy"] - results.loc[way, "accuracy"]
    for way in (NAMES["pool_conv"], NAMES["parallel"])
}
print(
    "; ".join(
        f"three further layers after '{way}': {gain:+.1f} points"
        for way, gain in paid.items()
    )
)
# A deeper network that fell far behind its shallow form would not have trained at all.
assert min(paid.values()) > -10

# %% [markdown]
# 128 steps of training are few, and two runs are not many. The same five networks were *recorded* with all 10,000
# pictures and three first weights each:

# %% tags=["nbval-check-output"]
from course_lib.reporting.records import load_record

record = load_record("grid_reduction")
groups = record.rows.assign(accuracy=100 * record.rows.test_accuracy).groupby(
    ["further", "way"]
)
recorded = groups.accuracy.agg(["count", "mean", "sem"]).assign(
    macs=groups.macs.first() / 1e6
)
recorded.index = [
    NAMES[way] + (f" + {count} layers" if count else "")
    for count, way in recorded.index
]
recorded = recorded.loc[list(networks), ["macs", "count", "mean", "sem"]]
recorded.columns = ["million MACs", "runs", "accuracy, %", "± standard error"]
table(
    recorded,
    {"million MACs": "{:.1f}", "accuracy, %": "{:.1f}", "± standard error": "{:.1f}"},
    record=record,
)

# %% tags=["nbval-check-output"]
mean = recorded["accuracy, %"]
print(
    f"equal width: beside the pool {mean.iloc[2] - mean.iloc[0]:+.1f} points, pool"
    f" first {mean.iloc[1] - mean.iloc[0]:+.1f}, against convolving first"
)
print(
    f"equal cost:  beside the pool {mean.iloc[4] - mean.iloc[0]:+.1f} points, pool"
    f" first {mean.iloc[3] - mean.iloc[0]:+.1f}, against convolving first"
)
# What the text below says; the recorded runs bear it out or this cell fails.
assert mean.iloc[2] < mean.iloc[[0, 1]].min() - 2
assert mean.iloc[[3, 4]].min() > mean.iloc[0]
assert round(fewer, 2) == 0.12

# %% [markdown]
# Three findings, not all of them the paper's.
#
# - **At equal width the third way is the worst here.** Half of its output has passed no convolution: in so shallow a
#   network, a quarter of what the classifier reads is the very first layer, pooled twice. The paper puts its reductions
#   *between* blocks of many layers, where that does not matter.
# - **At equal cost both cheap ways win.** Multiplications spent on a convolution before a pool, which discards three of
#   four results, are better spent on further layers. That is the argument of section 5, and it holds.
# - **The bottleneck of pooling first does no harm here.** At equal cost it is not behind the third way, which has 12 %
#   fewer multiplications; the small difference is no more than that may explain. To tell ten kinds of clothes apart,
#   these networks need far less than what the pool leaves: what the linear readout lost on the raw picture, a network
#   with 16 channels before its first pool does not lose. That a representation *can* hold more does not mean that the
#   task needs it.

# %% [markdown]
# ## The reductions of v3 and v4
#
# Inception-v3 shrinks from 35×35 to 17×17 by this block (figure 10). The middle path is deeper, and sees 5×5.

# %% tags=["nbval-check-output"]
parts = {
    name: {part.name: part for part in models.network(name).layers}
    for name in ("inception_v3", "inception_v4")
}
diagram(parts["inception_v3"]["mixed_6a"], (288, 35, 35))

# %% [markdown]
# and from 17×17 to 8×8 by this one, in which 1×1 convolutions narrow the input first, and the middle path holds a 7×7,
# factorised as in the lesson before:

# %% tags=["nbval-check-output"]
diagram(parts["inception_v3"]["mixed_7a"], (768, 17, 17))

# %% [markdown]
# Inception-v4's has the same plan, and is wider:

# %% tags=["nbval-check-output"]
diagram(parts["inception_v4"]["mixed_7a"], (1024, 17, 17))

# %% [markdown]
# What would it cost to reach the same shapes by a 3×3 convolution and a pool?


# %% tags=["nbval-check-output"]
def reductions(name: str) -> dict[str, dict[str, object]]:
    """Each block of the network that shrinks the grid to about a half, beside a 3x3
    convolution and a pool to the same shape."""
    rows, shape = {}, entry(name).input_shape
    for part in trunk(models.network(name)).layers:
        size = total(seq(part), shape)
        if isinstance(part, Branches) and size.out_shape[1] < 0.6 * shape[1]:
            plain_way = total(conv(size.out_shape[0], 3) >> max_pool(3, 2), shape).macs
            pooled = shape[0] / size.out_shape[0]
            columns = {
                "in": shape,
                "out": size.out_shape,
                "million MACs": size.macs / 1e6,
                "conv, then pool": plain_way / 1e6,
            }
            rows[f"{name}, {part.name}"] = columns | {
                "share of it": size.macs / plain_way,
                "pooled channels": pooled,
            }
        shape = size.out_shape
    return rows


blocks = pd.DataFrame(reductions("inception_v3") | reductions("inception_v4")).T
assert (blocks["share of it"] < 1).all()
table(
    blocks,
    dict.fromkeys(["million MACs", "conv, then pool"], "{:,.0f}")
    | dict.fromkeys(["share of it", "pooled channels"], "{:.0%}"),
)

# %% [markdown]
# The blocks cost a fraction of convolving first, and three eighths to two thirds of their output is the pool's, for
# nothing.
#
# ### GoogLeNet, rewritten
#
# GoogLeNet simply pools between its blocks. `parallel_reduction` rewrites any value: every max pool with a stride that
# follows a block gets a convolution beside it. What does GoogLeNet save?

# %% tags=["nbval-check-output"]
before = models.network("googlenet_bn")
after = parallel_reduction(before)
rewritten = {
    name: total(value, (3, 224, 224))
    for name, value in (("GoogLeNet", before), ("with parallel reductions", after))
}
change = rewritten["with parallel reductions"].macs / rewritten["GoogLeNet"].macs - 1
assert change > 0
print(f"multiplications: {change:+.0%}")
table(
    pd.DataFrame(
        {
            name: {"parameters": size.params, "million MACs": size.macs / 1e6}
            for name, size in rewritten.items()
        }
    ).T,
    {"million MACs": "{:,.0f}"},
)

# %% [markdown]
# Nothing: it costs *more*. GoogLeNet's pools had no convolution before them that could be saved. It took the cheap way
# and accepted the bottleneck; the rewrite removes the bottleneck, and every block after it now reads twice the
# channels. The saving of section 5 is one against convolving first. A claim "X is cheaper" is only as good as its "than
# what".

# %% [markdown]
# ## The gentle shrink
#
# Principle 1 as a picture: the number of values, channels · height · width, after each part of each network. Where a
# line falls steeply, the network forces its knowledge through a narrower place.


# %%
def representation_sizes(name: str) -> pd.Series:
    """Values after each part of the network from the image on, by the share of the
    parts passed; names in `attrs`."""
    layers, shape = (
        trunk(models.network(name, entry(name).num_classes)).layers,
        entry(name).input_shape,
    )
    shapes = [shape] + [
        total(seq(*layers[:end]), shape).out_shape for end in range(1, len(layers) + 1)
    ]
    sizes = pd.Series(
        [prod(shape) for shape in shapes], index=np.linspace(0, 100, len(shapes))
    )
    sizes.attrs["parts"] = ["image", *(part.name for part in layers)]
    return sizes


large = [
    name
    for name in list_models()
    if entry(name).input_shape[1] >= 224 and name not in ("googlenet", "inception_v2")
]
lines = {name: representation_sizes(name) for name in large}

# %% tags=["nbval-check-output"]
figure = line_panels(
    lines, columns=3, xlabel="share of the parts passed, %", ylabel="values", log="y"
)
ends = [
    f"{name} from {line.max():,} at most to {line.iloc[-1]:,}"
    for name, line in lines.items()
]
figure_html(
    figure,
    "Size of the representation through the depth of each network, one panel each: "
    + ", ".join(ends)
    + ".",
)

# %% [markdown]
# Left out are `googlenet`, whose sizes are those of `googlenet_bn`, and `inception_v2`, which has v3's trunk. Where
# does each fall most steeply?


# %% tags=["nbval-check-output"]
def steepest(sizes: pd.Series, start: int = 1) -> str:
    """The part, from the one at `start` on, after which the largest share of the values
    is gone."""
    kept = (sizes / sizes.shift()).iloc[start:]
    place = int(kept.argmin()) + start
    return f"{sizes.attrs['parts'][place]}: {kept.min():.0%} kept"


blocks_begin = {
    name: next(i for i, part in enumerate(line.attrs["parts"]) if part[0] in "mb3")
    for name, line in lines.items()
}
falls = {
    name: {
        "anywhere": steepest(line),
        "among the blocks": steepest(line, blocks_begin[name]),
    }
    for name, line in lines.items()
}
table(pd.DataFrame(falls).T)

# %% [markdown]
# Read the table from the top. GoogLeNet's pools each keep a quarter. BN-Inception and v3 follow the principle in their
# blocks, with parallel reductions, but keep plain pools in the stem: three of four values gone at once, *early*, where
# the paper's principle warns most. Inception-v4 is the first to use convolution beside pool in the stem as well, and
# has no step that keeps only a quarter.
#
# And v3 breaks its own rule in one place:

# %% tags=["nbval-check-output"]
v3 = lines["inception_v3"]
last = dict(zip(v3.attrs["parts"], v3, strict=True))
assert last["mixed_7a"] < last["mixed_7b"]
print(
    f"after the last reduction {last['mixed_7a']:,} values, after the block behind it"
    f" {last['mixed_7b']:,}"
)

# %% [markdown]
# A small bottleneck where the paper warns of bottlenecks: the last reduction leaves 1,280 channels, and the blocks
# behind it make 2,048. In v4 the same reduction leaves 1,536, and the blocks behind it keep that width.

# %% [markdown]
# ## Exercises
#
# ### 1 · The cost of each way (easy, 5 minutes)
#
# Write `reduction_macs(way, grid, channels, kernel_size)` for even grids, from k channels to 2k, for the three ways
# `"conv_pool"`, `"pool_conv"` and `"parallel"`.

# %% tags=["nbval-check-output"]
exercises.reduction_macs


# %% tags=["solution"]
def reduction_macs(way: str, grid: int, channels: int, kernel_size: int) -> int:
    # solution begin
    places = grid**2 if way == "conv_pool" else (grid // 2) ** 2
    filters = channels if way == "parallel" else 2 * channels
    return kernel_size**2 * channels * filters * places
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.reduction_macs.check(reduction_macs)

# %% [markdown]
# ### 2 · Find the bottleneck (medium, 10 minutes)
#
# Write `narrowest(value, input_shape)`: how many values pass at the narrowest place of a sequence, its input and its
# end included. The parts of a sequence are `value.layers`; `total(value, input_shape).out_shape` is what leaves a
# value, and `seq(*parts)` makes one of parts.

# %% tags=["nbval-check-output"]
exercises.narrowest


# %% tags=["solution"]
def narrowest(value: Node, input_shape: tuple[int, int, int]) -> int:
    # solution begin
    ends = range(1, len(value.layers) + 1)
    shapes = [
        input_shape,
        *(total(seq(*value.layers[:end]), input_shape).out_shape for end in ends),
    ]
    return min(prod(shape) for shape in shapes)
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.narrowest.check(narrowest)

# %% [markdown]
# ### 3 · A rewrite of your own (harder, 15 minutes)
#
# Write `widen_before_pools(value, in_channels)`, which removes every bottleneck the *dear* way: before each max pool
# with a stride above 1 it puts a 1×1 convolution to twice the channels that arrive. Leave all else as it is.
# `rewrite(value, rule, in_channels)` calls `rule(part, channels)` on every part, with the number of channels that reach
# it, and puts what it returns in its place.

# %% tags=["nbval-check-output"]
exercises.widen_before_pools


# %% tags=["solution"]
def widen_before_pools(value: Node, in_channels: int) -> Node:
    # solution begin
    def rule(part: Node, channels: int | None) -> Node:
        if isinstance(part, Pool) and part.kind == "max" and part.stride != (1, 1):
            return conv(2 * channels, 1) >> part
        return part

    return rewrite(value, rule, in_channels)
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.widen_before_pools.check(widen_before_pools)

# %% [markdown]
# ## Recap
#
# - Convolving first costs 2d²k² (times n² for an n×n window), pooling first a quarter of it, convolution beside pool an
#   eighth.
# - Pooling first squeezes everything through (d/2)²k numbers. No filter behind a pool adds to what the pool has left:
#   the Jacobian's rank proves it, a linear readout of the class loses points by it.
# - A pool of overlapping windows keeps fewer independent numbers than it hands on.
# - What a bottleneck *could* cost is not what it *does* cost: on our pictures a network that pools first and spends the
#   saving on depth does very well.
# - "Cheaper" needs a "than what": v3's reductions save against convolving first, and cost more than GoogLeNet's bare
#   pools.
#
# Where to go on: a network of many blocks must not only hand its knowledge forward but also its gradient back. Whether
# classifiers halfway help it to is the question of the lesson on auxiliary classifiers.

# %% [markdown] tags=["navigation"]
# ---
# Before: [Factorized convolutions](02_factorized_convolutions.ipynb) ·
# [All lessons](00_start.ipynb) ·
# Next: [Auxiliary classifiers](04_auxiliary_classifiers.ipynb)
