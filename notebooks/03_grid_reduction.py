# ---
# jupyter:
#   course:
#     minutes_read: 85
#     minutes_run: 2
#     needs:
#     - 02_factorized_convolutions
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
# - derive the cost of four ways to halve a grid, and say which one the Inception networks use;
# - tell where a network has a bottleneck, by counting;
# - prove, and see, what a pool takes away that no later layer brings back, and what it protects from: aliasing;
# - judge on real images whether the cheap ways without bottleneck are the better ones, and say what else differs.
#
# **You need** convolution, pooling, batch norm and ReLU, and how PyTorch trains a network; a *stride* of 2 moves the
# window two pixels at a time and so halves the grid. How this course counts multiplications (MACs) and writes networks
# down as values is shown in [Factorized convolutions](02_factorized_convolutions.ipynb), and again in five lines
# [below](#Networks-as-values,-in-five-lines). Of linear algebra you need the rank of a matrix.
#
# About 85 minutes to read (150 words or 15 lines of code a minute, a minute for each question), 55 for the five
# exercises, 2 to run. The paper is C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, *Rethinking the Inception
# Architecture for Computer Vision*, CVPR 2016, sections 2 and 5.
#
# | For a lecture hour | minutes |
# |:--|--:|
# | Two ways, their cost, and the bottleneck; first question | 10 |
# | The third and the fourth way; explorer; second question | 15 |
# | What pooling throws away; aliasing | 15 |
# | Real images: four ways, and what else differs between them | 10 |
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
from collections.abc import Callable
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
from course_lib.reporting.verdicts import paired_difference
from course_lib.teaching import Answer, Quiz, fold_answer
from course_lib.teaching.references import grid_reduction as exercises
from course_lib.training import Recipe, fit

# %% [markdown]
# ## Networks as values, in five lines
#
# - `conv(64, 3)` is a 3×3 convolution to 64 channels with batch norm and ReLU; `conv(64, 3, stride=2)` halves the grid.
# - `max_pool(3, 2)` is a pool of 3×3 with stride 2; `a >> b` feeds what leaves `a` into `b`.
# - `branches(a, b)` feeds one input into both and joins what leaves them along the channels: an *Inception module* is
#   such a value. Windows are padded at the edges, so that only the stride changes the grid.
# - `total(value, (channels, height, width))` counts its parameters and MACs, `cost` does so layer by layer.
# - `build(value, in_channels)` makes the PyTorch module, `diagram(value, shape)` the picture.
#
# ## Two ways to halve a grid
#
# A grid of d×d places holds k channels at each place. Half the grid would hold a quarter of the numbers, so networks
# double the channels when they halve the grid: from d×d×k to d/2×d/2×2k. Which comes first, the convolution that
# doubles the channels or the pool that halves the grid?
#
# A 1×1 convolution reads the k channels of one place and no neighbours. To make 2k channels of them it multiplies k·2k
# times at each place of its output. Convolving first, it visits
# all d² places: 2d²k². Pooling first leaves it (d/2)² places: 2(d/2)²k². These are the paper's two numbers (section 5);
# an n×n window multiplies both by n².


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
# Such a narrow place between wider ones is a *bottleneck*: what is lost there, no later layer can know. The paper's
# first design principle (section 2) warns of it: the size of the representation should decrease gently from the picture
# to the classifier. It adds at once that size is only a rough estimate of what a representation knows. We will measure
# that, too.
#
# ### Exercise 1 · Find the bottleneck (medium, 10 minutes)
#
# Write `narrowest(value, input_shape)`: how many values pass at the narrowest place of a sequence, its input and its
# end included. The places are those between its parts, `value.layers`; a part with paths side by side is one step.
# `total(value, input_shape).out_shape` is what leaves a value, and `seq(*parts)` makes one of parts.

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
# As a value it reads like the paper's figure 10. With the same weights, both must give the same numbers, to the last
# bit, since both do the same operations in the same order on the processor. (On a GPU, whose convolutions may round
# each factor to 11 bits, or in bfloat16 to 8, ask for `torch.allclose` with a tolerance instead.)

# %% tags=["nbval-check-output"]
beside = branches(conv(64, 3, stride=2), max_pool(3, 2))
mine, built = ConvBesidePool(64), build(beside, in_channels=64)
copy_weights_in_order(mine, built)
x = torch.randn(2, 64, 32, 32)
assert torch.equal(mine(x), built(x))
diagram(beside, (64, 32, 32))

# %% [markdown]
# ## A fourth way
#
# The paper does not count the plainest way of all: **one** convolution with stride 2, from k to 2k channels. Residual
# networks, after one max pool near the picture, halve their grids by it (K. He, X. Zhang, S. Ren, J. Sun, *Deep
# Residual Learning for Image Recognition*, CVPR 2016, section 3.3). It visits (d/2)² places, as the convolution after a
# pool does, and nothing stands before it that could be narrow. All four, for a 1×1 as in the paper:

# %% tags=["nbval-check-output"]
units = {
    way: total(reduction(way, k, kernel_size=1), (k, d, d)).macs / (d**2 * k**2)
    for way in WAYS
}
paper = {"conv_pool": 2.0, "pool_conv": 2 / 2**2}
claims = [
    Claim(
        f"{NAMES[way]} (section 5), in d²k²",
        formula,
        units[way],
        (formula, formula),
        "a formula: it must hold exactly",
        "{:.2f}",
    )
    for way, formula in paper.items()
]
paper_beside_measured(claims)

# %% tags=["nbval-check-output"]
assert units["strided"] == units["pool_conv"] == 2 * units["parallel"]
print(f"{NAMES['parallel']}: {units['parallel']:.2f} d²k²")
print(f"{NAMES['strided']}: {units['strided']:.2f} d²k², as pooling first")

# %% [markdown]
# The third way costs half of pooling first: both visit the small grid, but half of what leaves the third comes from the
# pool, for nothing. That is an eighth of convolving first. It has no bottleneck: the first thing that exists after the
# input is the output. (The paper calls it cheap and gives no formula.) The fourth way has none either, and costs
# *exactly* what pooling first costs. So it is the one to compare with, if a bottleneck is to be blamed for anything.
# But cost and bottleneck are not all that differs:

# %% tags=["nbval-check-output"]
differ = {}
for way in WAYS:
    size = total(reduction(way, k), (k, d, d))
    rows = cost(reduction(way, k), (k, d, d))
    between = rows["activations"] if way in ("conv_pool", "pool_conv") else []
    differ[NAMES[way]] = {
        "MACs": size.macs,
        "parameters": size.params,
        "fewest values": min([prod(size.out_shape), *between]),
        "window seen": size.receptive_field,
        "channels from a convolution": 2 * k if way != "parallel" else k,
    }
assert differ[NAMES["strided"]]["MACs"] == differ[NAMES["pool_conv"]]["MACs"]
table(pd.DataFrame(differ).T)

# %% [markdown]
# Read the table by columns before you compare two networks. The third way has half the parameters of the others, and
# half of its channels are no filter's. The third and the fourth way look at 3×3 pixels of their input. The first two
# have two windows one behind the other and see more: 5×5 convolving first, 7×7 pooling first, where the second window
# stands on the halved grid and each of its steps is two pixels.
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
# <details>
# <summary>Show the answer</summary>
#
# To 2: with stride s, convolving first costs s² times as much as pooling first, and the bottleneck is s times narrower
# than what leaves. To 3: the ratios of the bars. They follow from the way and the stride alone.
#
# </details>
#
# ### Exercise 2 · The cost of each way (easy, 5 minutes)
#
# Write `reduction_macs(way, grid, channels, kernel_size)` for even grids, from k channels to 2k, for the four ways
# `"conv_pool"`, `"pool_conv"`, `"parallel"` and `"strided"`.

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
# ## Why no 1×1 here
#
# The paper's formulas are for a 1×1. Would you *build* the third or the fourth way with one?

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
# In the reductions of the Inception networks every window with a stride is 3×3, as we will see. From here on, so are
# ours.

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
    windows = nn.functional.unfold(pictures, 2, stride=2)  # a column a window
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
# Whatever comes after the pool, it gets the same numbers for both rows. A convolution *before* or *beside* the pool, or
# *instead* of it, can tell them apart. An average pool cannot: the mean of a window does not know the order either.
#
# ### How many numbers survive
#
# Take away the ReLU and each way is linear, but for the choice a max pool makes. Then the question how much is left has
# an exact answer. The *Jacobian* is the matrix of derivatives of each output value by each input value; its rank is the
# number of independent directions in which a small change of the input still changes the output.


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
        "max pool 2×2": surviving(tiled(reduction(way, 4)), seed=0),
        "max pool 3×3": surviving(reduction(way, 4), seed=0),
        "average pool 3×3": surviving(reduction(way, 4, pool="average"), seed=0),
    }
    for way in WAYS
}
table(pd.DataFrame(ranks).T)

# %% [markdown]
# Of 256 values that come in, all four ways hand on 128. Pooling first, at most 64 of them are independent, exactly the
# bottleneck: the convolution writes the same knowledge twice. The other three keep all 128 if windows do not overlap,
# and the strided convolution, which has no pool, always.
#
# The usual max pool, 3×3 with stride 2, loses more than its size tells. Its windows overlap, and we suspect that
# neighbours often pick the *same* pixel. If it is that, the rank after pooling first must be the number of different
# pixels picked, to the unit:

# %% tags=["nbval-check-output"]
torch.manual_seed(0)
build(plain(reduction("pool_conv", 4)), 4)  # draws its filters, as `surviving` does
x = torch.randn(1, 4, 8, 8, dtype=torch.double)
_, picked = nn.functional.max_pool2d(x, 3, 2, padding=1, return_indices=True)
different = sum(len(channel.unique()) for channel in picked[0])
assert different == ranks[NAMES["pool_conv"]]["max pool 3×3"]
fold_answer(f"{picked.numel()} windows pick {different} different pixels")

# %% [markdown]
# It is that; an average pool of the same overlapping windows, which picks nothing, loses none.

# %% [markdown]
# ### What a linear readout gets back
#
# Numbers that survive need not matter. So take real pictures, d = 28, k = 1: the picture itself is the representation.
# Reduce it once with random filters to 14×14×2, and ask for the picture back: the best *linear* readout from each place
# and its eight neighbours to the 2×2 pixels that were there. The best one is that of least squares, on 300 pictures; it
# is judged on 300 others. (A small number added to the diagonal of the equations, *ridge*, keeps the weights finite
# where two inputs say the same.)


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
    layer: nn.Module,
    learn: torch.Tensor,
    judge: torch.Tensor,
    inputs: Callable = neighbourhoods,
) -> tuple[torch.Tensor, float]:
    """The pictures `judge` as the best linear readout of the layer's output, or of the
    `inputs` made of it, gives them back, and the share of their variance."""
    with torch.no_grad():
        learn_features, judge_features = layer(learn), layer(judge)
    side = learn.shape[-1] // learn_features.shape[-1]
    weights = ridge(inputs(learn_features), windows(learn, side))
    read = (
        (inputs(judge_features).double() @ weights)
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


AVERAGE, LATE = "average pool, then convolution", "convolution, then average pool"
candidates = {NAMES[way]: reduction(way, 1) for way in WAYS}
candidates[AVERAGE] = reduction("pool_conv", 1, pool="average")
candidates[LATE] = reduction("conv_pool", 1, pool="average")


def random_reduction(name: str, seed: int) -> nn.Module:
    """One candidate from 28x28x1 to 14x14x2 with random filters."""
    torch.manual_seed(seed)
    return build(plain(candidates[name]), 1).eval()


# %%
learn = data.train.images[:300].float() / 255
judge = data.test.images[:300].float() / 255
recovered = pd.DataFrame(
    {
        name: [rebuilt(random_reduction(name, s), learn, judge)[1] for s in range(3)]
        for name in candidates
    }
)
first = recovered[NAMES["pool_conv"]]
# Each draw of the filters says the same, so it is not the luck of one.
for better in (NAMES["parallel"], NAMES["strided"], AVERAGE, LATE):
    assert (recovered[better] > first).all()
    assert (recovered[better] > recovered[NAMES["conv_pool"]]).all()
table(
    recovered.rename_axis("random filters").T.assign(mean=recovered.mean()),
    dict.fromkeys([*range(3), "mean"], "{:.0%}"),
)

# %% tags=["nbval-check-output"]
short = ("conv,\nthen pool", "pool,\nthen conv", "conv\nbeside pool", "strided")
drawn = dict(zip(candidates, (*short, "average,\nthen conv"), strict=False))
given_back = [rebuilt(random_reduction(name, 0), learn, pictures)[0] for name in drawn]
figure = matrix_gallery(
    {names[i]: [p[i, 0].numpy() for p in (pictures, *given_back)] for i in (0, 1, 3)},
    titles=["picture", *drawn.values()],
    photographs=True,
)
shares = [f"{recovered.loc[0, name]:.0%} ({name})" for name in drawn]
figure_html(
    figure,
    "Three pictures, and beside each what a linear readout gives back of it after five"
    f" reductions, filters 0. Of the variance it gives back {', '.join(shares)}.",
)

# %% [markdown]
# Max pooling first gives back less than the third and the fourth way, with every draw of the filters. It would be easy
# to blame the bottleneck, in which 196 numbers must stand for 784 pixels. Two rows speak against it. An *average* pool
# leaves just as few numbers, and far more of the picture can be read from them. And convolving first, which has no
# bottleneck, stays behind as well, unless an average pool takes the place of *its* max pool. What weighs most here is
# not *how many* numbers are left but that all of them have been through a maximum.
#
# Are they lost by that, or only hard to read for a *linear* readout? Give it more than the nine numbers: a hundred
# random combinations of them through a ReLU, from the pools alone.

# %%
mixing = torch.randn(10, 100, generator=torch.Generator().manual_seed(0))


def with_relu(features: torch.Tensor) -> torch.Tensor:
    """`neighbourhoods`, and a hundred random ReLU units of each."""
    rows = neighbourhoods(features)
    return torch.cat([rows, torch.relu(rows @ mixing)], dim=1)


pools = {
    "max pool": nn.MaxPool2d(3, 2, padding=1),
    "average pool": nn.AvgPool2d(3, 2, padding=1, count_include_pad=False),
}
readings = {"linear": neighbourhoods, "with ReLU units": with_relu}
read = pd.DataFrame(
    {
        label: {
            name: rebuilt(pool, learn, judge, how)[1] for name, pool in pools.items()
        }
        for label, how in readings.items()
    }
)
gains = read["with ReLU units"] - read["linear"]
assert gains["max pool"] > 0.05 > gains["average pool"] > 0
assert (read.loc["average pool"] > read.loc["max pool"] + 0.02).all()
table(read, dict.fromkeys(read, "{:.0%}"))

# %% [markdown]
# Much of what a linear readout misses after the maximum is there, and a layer with a ReLU finds it. The average pool
# stays ahead.
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
    name: [random_reduction(name, seed) for seed in range(3)] for name in candidates
}
layers |= {
    "the picture itself": [nn.Identity()],
    "the max pool alone": [nn.MaxPool2d(3, 2, padding=1)],
}
right = {
    name: [class_readout(layer, few.train, few.test) for layer in several]
    for name, several in layers.items()
}
readouts = pd.DataFrame(
    {
        name: {"mean": np.mean(v), "worst": min(v), "best": max(v)}
        for name, v in right.items()
    }
).T
share, whole = readouts["mean"], readouts.loc["the picture itself", "mean"]
# All are judged on the same 2,000 pictures: a point is 20 of them.
assert share[NAMES["parallel"]] > share[NAMES["pool_conv"]] + 0.02
assert abs(share["the max pool alone"] - share[NAMES["pool_conv"]]) < 0.01
# The two suspects: a bottleneck without a maximum, and neither of them.
assert share[AVERAGE] > share[NAMES["pool_conv"]] + 0.01
assert share[AVERAGE] > whole - 0.01
assert share[NAMES["conv_pool"]] > share[LATE] + 0.005
assert share[NAMES["strided"]] < whole - 0.005
table(readouts, dict.fromkeys(readouts.columns, "{:.1%}"))

# %% [markdown]
# Max pooling first loses points against the picture itself, and about as many as the pool alone: no filter after it
# adds to what it has left. Again the bottleneck looks guilty, and again two rows acquit it. The average pool has the
# same bottleneck and loses less than a point. The strided convolution has none, hands on twice as many numbers, and
# loses nonetheless, in the mean of its filters. Nor is a maximum always a loss: *behind* a convolution it gains what an
# average pool there does not, for it is not linear, and the readout can use that. Counting values tells what *can*
# survive; it does not tell whether what survives is what the task needs. What a stride does to a picture is the next
# question.
#
# ## Aliasing: what a stride does to fine stripes
#
# To take every second row of a picture is to look at it through a fence. A pattern that is finer than the fence does
# not vanish; it comes back as another, coarser pattern that was never there. That is *aliasing*. A grid of 14 rows can
# hold at most 7 light stripes and 7 dark ones in turn; whatever is finer than that is folded into something coarser.

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "stripes-every-second",
    "A shirt has stripes of one light row and one dark row in turn. Of this picture"
    " every second row is kept. What is seen?",
    [
        Answer(
            "The stripes, half as many",
            "Stripes half as fine would need dark rows among those kept.",
        ),
        Answer(
            "An evenly grey shirt",
            "Grey is the mean of light and dark; nothing takes a mean here.",
        ),
        Answer(
            "An evenly light or an evenly dark shirt",
            "All rows that are kept are of one kind. Move the picture by one row, and"
            " they are of the other.",
            correct=True,
        ),
    ],
)

# %% [markdown]
# Among the test pictures there is such a shirt. Find the one whose rows change most from each to the next, and halve it
# in four ways, as it is and moved down by one row. *Blur* means the weights 1, 2, 1 (over 4) along rows and columns
# before every second pixel is taken (R. Zhang, *Making Convolutional Networks Shift-Invariant Again*, ICML 2019, puts
# such a blur before each stride). Beyond an edge the picture goes on at the opposite edge, so that nothing is lost when
# it moves.


# %%
def every_second(pictures: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) pictures without their odd rows and columns: what a 1x1 convolution
    with stride 2 sees."""
    return pictures[..., ::2, ::2]


def blur(pictures: torch.Tensor) -> torch.Tensor:
    """(N, 1, H, W) pictures, each pixel mixed with its neighbours by 1, 2, 1."""
    line = torch.tensor([1.0, 2.0, 1.0], dtype=pictures.dtype) / 4
    window = (line[:, None] * line)[None, None]
    padded = nn.functional.pad(pictures, (1, 1, 1, 1), mode="circular")
    return nn.functional.conv2d(padded, window)


halvings = {
    "every second": every_second,
    "max pool": lambda pictures: nn.functional.max_pool2d(pictures, 2),
    "average pool": lambda pictures: nn.functional.avg_pool2d(pictures, 2),
    "blur first": lambda pictures: every_second(blur(pictures)),
}

# %% tags=["nbval-check-output"]
images = data.test.images.float() / 255
stripes = torch.fft.rfft(images.mean(-1)[:, 0]).abs()[:, 14]  # of the finest kind
shirt = images[[int(stripes.argmax())]]
moved = shirt.roll(1, dims=-2)
figure = matrix_gallery(
    {
        label: [p[0, 0].numpy() for p in (q, *(h(q) for h in halvings.values()))]
        for label, q in (("as it is", shirt), ("one row\ndown", moved))
    },
    titles=["picture", *halvings],
    photographs=True,
)
body = (slice(None), slice(None), slice(6, 13), slice(5, 9))  # of the halved shirt
steps = {
    name: (halve(shirt)[body].mean() - halve(moved)[body].mean()).item()
    for name, halve in halvings.items()
}
assert steps["every second"] > 0.2
assert all(abs(steps[name]) < 0.05 for name in halvings if name != "every second")
figure_html(
    figure,
    "A shirt with fine stripes, as it is and moved down by one row, halved in four"
    " ways. The move makes the halved shirt darker by "
    + ", ".join(f"{step:.2f} ({name})" for name, step in steps.items())
    + ", on a scale from black, 0, to white, 1.",
)

# %% [markdown]
# A step of one row turns the shirt from light to dark, if every second pixel is taken. The other three do not see the
# stripes at all: that is honest, the small grid cannot hold them.
#
# One shirt is an anecdote. To *measure* it on all pictures, use what aliasing destroys: if a picture moves by one
# pixel, its half should move by half a place and not change otherwise. How far is it from that, as a share of its
# variance? And is it aliasing? If it is, the error must vanish for pictures from which all that the small grid cannot
# hold has been taken beforehand.
#
# For both, take the picture apart into waves, coarse and fine, of which it is the sum (its *Fourier transform*,
# `torch.fft`). To move a picture by half a place, move each wave by half a place; to take out what is too fine, leave
# out the waves that need more than half of the rows or columns.


# %%
def without_fine(pictures: torch.Tensor) -> torch.Tensor:
    """The pictures without the waves that a grid of half the size cannot hold."""
    kept = torch.fft.fftfreq(pictures.shape[-1]).abs() < 1 / 4
    return torch.fft.ifft2(torch.fft.fft2(pictures) * kept[:, None] * kept).real


def by_half_a_place(pictures: torch.Tensor) -> torch.Tensor:
    """The pictures moved right by half a place, wave by wave."""
    waves = torch.fft.fftfreq(pictures.shape[-1], dtype=torch.double)
    turn = torch.exp(-1j * torch.pi * waves)
    turn[len(waves) // 2] = 0  # the finest wave, which lies between two directions
    return torch.fft.ifft2(torch.fft.fft2(pictures) * turn).real


def shift_error(halve: Callable, pictures: torch.Tensor) -> float:
    """Share of the halved pictures' variance by which a move of one pixel is not a move
    by half a place."""
    half = halve(pictures)
    wrong = halve(pictures.roll(1, dims=-1)) - by_half_a_place(half)
    spread = half - half.mean((-1, -2), keepdim=True)
    return (wrong.square().sum() / spread.square().sum()).item()


# %% tags=["nbval-check-output"]
some = images[:500].double()
errors = pd.DataFrame(
    {
        name: {
            "pictures": shift_error(halve, some),
            "without what is too fine": shift_error(halve, without_fine(some)),
        }
        for name, halve in halvings.items()
    }
).T
assert (errors["pictures"].diff().dropna() < 0).all()  # each is better than the last
linear = errors["without what is too fine"].drop("max pool")
assert (linear < 1e-12).all()
table(errors, dict.fromkeys(errors.columns, "{:.1%}"))

# %% [markdown]
# It is aliasing: without what is too fine, the error of the three linear ways is zero. The maximum is the exception. We
# suspect that it makes fine detail of its own, where one pixel overtakes its neighbour, and that the step folds this.
# Then the error must vanish if fine detail is taken out between the two, *after* a maximum at every place and *before*
# the step.


# %% tags=["nbval-check-output"]
def largest(pictures: torch.Tensor) -> torch.Tensor:
    """The largest of the 2x2 pixels that begin at each place: a max pool, stride 1."""
    padded = nn.functional.pad(pictures, (0, 1, 0, 1), mode="circular")
    return nn.functional.max_pool2d(padded, 2, stride=1)


between = {
    "nothing": lambda pictures: every_second(largest(pictures)),
    "a blur": lambda pictures: every_second(blur(largest(pictures))),
    "all that is too fine out": lambda p: every_second(without_fine(largest(p))),
}
maxima = pd.Series({name: shift_error(halve, some) for name, halve in between.items()})
assert maxima.iloc[0] == errors.loc["max pool", "pictures"]  # it is the same max pool
assert maxima["all that is too fine out"] < 1e-12
assert maxima["a blur"] < errors.loc["average pool", "pictures"]
table(
    maxima.rename_axis("between maximum and step").to_frame("shift error"),
    {"shift error": "{:.1%}"},
)

# %% [markdown]
# It does. The middle line is what the paper with the blur puts in the place of a max pool.
#
# And a strided convolution? It takes every second place of what its filter gives, so it is for the filter to prevent
# aliasing:


# %% tags=["nbval-check-output"]
def strided(window: torch.Tensor) -> Callable:
    """(N, 1, H, W) pictures through one 3x3 filter with stride 2."""
    pad, filters = (1, 1, 1, 1), window.double()[None, None]
    return lambda pictures: nn.functional.conv2d(
        nn.functional.pad(pictures, pad, mode="circular"), filters, stride=2
    )


smooth = torch.tensor([1.0, 2.0, 1.0])
edges = torch.tensor([[-1.0, 1.0, 0.0]]).expand(3, 3)
plainly = errors.loc["every second", "pictures"]
assert shift_error(strided(smooth[:, None] * smooth), some) < plainly / 2
folding = shift_error(strided(edges), some)
assert folding > 2 * plainly
torch.manual_seed(0)
by_chance = [shift_error(strided(torch.randn(3, 3)), some) for _ in range(20)]
assert min(by_chance) < plainly < max(by_chance)
worse = sum(error > plainly for error in by_chance)
print(f"differences of neighbours: {folding:.0%}")
print(f"of 20 random filters {worse} do worse than every second pixel as it is")

# %% [markdown]
# A learned filter *can* be a blur, and can as well be one that folds more than no filter at all.
#
# Is aliasing what the strided convolution lost above, when the class was asked for? Then the same filters must do
# better at every place with a blur before the step. A blur also widens what each number sees, from 3×3 to 5×5, so
# compare with random 5×5 filters that do not blur, too.


# %%
def blurred_stride(seed: int) -> Callable:
    """The strided convolution's filters at every place, a blur, then the step."""
    torch.manual_seed(seed)
    everywhere = build(plain(conv(2, 3)), 1)
    return lambda pictures: every_second(
        torch.cat([blur(c) for c in everywhere(pictures).split(1, dim=1)], dim=1)
    )


candidates["5×5"] = conv(2, 5, 2)
several = {
    "3×3": lambda seed: random_reduction(NAMES["strided"], seed),
    "3×3, blur": blurred_stride,
    "5×5": lambda seed: random_reduction("5×5", seed),
}
draws = pd.DataFrame(
    {
        name: [100 * class_readout(make(s), few.train, few.test) for s in range(6)]
        for name, make in several.items()
    }
)
assert draws["3×3, blur"].mean() > draws["3×3"].mean()
assert abs(draws["3×3, blur"].mean() - draws["5×5"].mean()) < 1.5
for one, other in (("3×3, blur", "3×3"), ("5×5", "3×3"), ("3×3, blur", "5×5")):
    verdict = paired_difference(draws[one], draws[other])
    low, high = verdict.interval
    told = "cannot tell" if verdict.shown is None else "told from chance"
    print(f"{one} - {other}: {verdict.mean:+.1f} ({low:+.1f} to {high:+.1f}), {told}")

# %% [markdown]
# The blur helps these filters, but 5×5 pixels without a blur are about as good as 3×3 with one. So whether it is less
# aliasing or the wider window, or both, this experiment cannot say.
#
# ### Exercise 3 · Find the bug (medium, 10 minutes)
#
# A colleague wrote the blur for pictures with any number of channels. What leaves has the right shape and looks smooth.
# Yet its shift error is several times what it should be:


# %% tags=["nbval-check-output"]
def colleague(pictures: torch.Tensor) -> torch.Tensor:
    """Halves (N, C, H, W) pictures: blur by 1, 2, 1 both ways, then every second
    pixel."""
    channels = pictures.shape[1]
    line = torch.tensor([1.0, 2.0, 1.0], dtype=pictures.dtype) / 4
    window = (line[:, None] * line).expand(channels, 1, 3, 3)
    halved = pictures[..., ::2, ::2]
    padded = nn.functional.pad(halved, (1, 1, 1, 1), mode="circular")
    return nn.functional.conv2d(padded, window, groups=channels)


print(f"shift error: {shift_error(colleague, some):.1%}")
assert shift_error(colleague, some) > 3 * errors.loc["blur first", "pictures"]

# %% [markdown]
# Find what is wrong, and write `blurred_half(pictures)` without it.

# %% tags=["nbval-check-output"]
exercises.blurred_half


# %% tags=["solution"]
def blurred_half(pictures: torch.Tensor) -> torch.Tensor:
    # solution begin
    channels = pictures.shape[1]
    line = torch.tensor([1.0, 2.0, 1.0], dtype=pictures.dtype) / 4
    window = (line[:, None] * line).expand(channels, 1, 3, 3)
    padded = nn.functional.pad(pictures, (1, 1, 1, 1), mode="circular")
    return nn.functional.conv2d(padded, window, groups=channels)[..., ::2, ::2]
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.blurred_half.check(blurred_half)

# %% [markdown]
# ## Multiplications and time
#
# The third way needs an eighth of the multiplications of the first. An eighth of the time? And the second and the
# fourth, which need the same, the same time?


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
# Where there are many channels on a large grid, a quarter of the multiplications must
# show in time; by how much is the machine's affair.
assert (shares.iloc[1:, -1] < 1).all()
table(shares, dict.fromkeys(shares.columns, "{:.0%}"))

# %% [markdown]
# With many channels on a large grid each cheap way takes less time than the dearest. How much less, the multiplications
# do not tell: compare the first column with the others on *your* machine, where other programs and the number of
# processors have their say. One reason can be measured. A pool multiplies nothing, so it has no part in the first
# column; has it a part in the time? Take the third way to pieces:

# %%
pieces = {"whole": reduction("parallel", 16)}
pieces |= {"convolution": conv(16, 3, stride=2), "pool": max_pool(3, 2)}
times = forward_milliseconds(list(pieces.values()), (16, 56, 56), seconds=1.0)
parts = pd.DataFrame({"share of the time": dict(zip(pieces, times, strict=True))})
parts /= times[0]
parts["share of the MACs"] = [1.0, 1.0, 0.0]
# It reads nine numbers for each that it writes; that cannot take no time.
assert parts.loc["pool", "share of the time"] > 0.02
table(parts, dict.fromkeys(parts.columns, "{:.0%}"))

# %% [markdown]
# So a count of multiplications leaves out a part of the time.

# %% [markdown]
# ## On real images
#
# Two reductions, from 28×28×16 to 14×14×32 to 7×7×64, and a classifier: four networks with the same grids and channels.


# %% tags=["nbval-check-output"]
def seen_before_classifier(value: Node) -> tuple[int, int]:
    """Pixels of the picture on which one place before the global pool depends."""
    return total(seq(*value.layers[:-2]), (1, 28, 28)).receptive_field


networks = {NAMES[way]: reduction_network(way) for way in WAYS}
sizes = {name: total(value, (1, 28, 28)) for name, value in networks.items()}
equal = sizes[NAMES["pool_conv"]], sizes[NAMES["strided"]]
assert equal[0].params == equal[1].params
assert equal[0].macs == equal[1].macs
table(
    pd.DataFrame(
        {
            name: {
                "parameters": size.params,
                "million MACs": size.macs / 1e6,
                "window seen": seen_before_classifier(networks[name]),
            }
            for name, size in sizes.items()
        }
    ).T
)

# %% [markdown]
# Pooling first and the strided convolution have *equal* parameters and MACs. The one has a bottleneck, the other none;
# the one pools, the other does not; and the one sees more of the picture. **Write down your guess** before you train:
# which of the four is best, which is worst? Each is trained twice, from different first weights, on 2,000 pictures.

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
runs["strided convolution"] = train("strided convolution")

# %%
results = training_results(runs, sizes)
# Guessing gives 10 %: a network below 40 % has not learned, and the comparison would
# mean nothing.
assert (results["accuracy"] > 40).all()
results_table(results)

# %%
print(noise(results, len(train_data.test.labels)))
# A test picture more or less is 0.05 points: nothing can be told below that.
assert 100 / len(train_data.test.labels) == 0.05

# %% [markdown]
# So short a training and two runs are not much. So more was *recorded*: all 10,000 pictures, three first weights each,
# and besides the four networks five more. Three of them change **one** thing that might explain the order: the third
# way so wide that it has about as many parameters as the others, an average pool in place of the max pool, a first
# window of 9×9 that widens what a strided network sees. Two, named *further layers*, spend what the cheap ways save on
# three more 3×3 convolutions; then pooling first costs exactly what convolving first costs without them.

# %% tags=["nbval-check-output"]
from course_lib.reporting.records import load_record

record = load_record("grid_reduction")
rows = record.rows.assign(
    network=[
        NAMES[way] + (f", {change}" if change else "")
        for way, change in zip(record.rows.way, record.rows.change, strict=True)
    ],
    accuracy=100 * record.rows.test_accuracy,
)
groups = rows.groupby("network", sort=False)
recorded = pd.DataFrame(
    {
        "parameters": groups.params.first(),
        "million MACs": groups.macs.first() / 1e6,
        "runs": groups.accuracy.count(),
        "accuracy, %": groups.accuracy.mean(),
    }
)
table(recorded, {"million MACs": "{:.1f}", "accuracy, %": "{:.1f}"}, record=record)

# %% [markdown]
# Three runs each: which differences can they tell from chance? Pair them by seed, and ask Student's t for the interval
# that covers the true difference 95 times of 100. Beside each stands what else differs; below the table,
# on which machine they ran.

# %% tags=["nbval-check-output"]
by_seed = rows.pivot(index="seed", columns="network", values="accuracy")
CONV, POOL, BESIDE, STRIDED = NAMES.values()
pairs = {
    (CONV, POOL): "no bottleneck",
    (STRIDED, POOL): "no bottleneck, no pool, sees less",
    (f"{POOL}, average pool", POOL): "the kind of pool",
    (f"{STRIDED}, first window 9", STRIDED): "sees as much as convolving first",
    (BESIDE, STRIDED): "half of the channels from a pool",
    (f"{BESIDE}, as many parameters", STRIDED): "half from a pool, wider",
    (f"{BESIDE}, as many parameters", POOL): "no bottleneck, sees less, wider",
    (f"{POOL}, average pool", STRIDED): "a bottleneck, a pool, sees more",
    (f"{POOL}, further layers", CONV): "deeper, a bottleneck",
    (f"{BESIDE}, further layers", CONV): "deeper",
}
told, compared = {}, {}
for (one, other), differs in pairs.items():
    told[one, other] = paired_difference(by_seed[one], by_seed[other])
    low, high = told[one, other].interval
    ratios = recorded.loc[one] / recorded.loc[other]
    compared[f"{one} - {other}"] = {
        "points": f"{told[one, other].mean:+.1f}",
        "95 %": f"{low:+.1f} to {high:+.1f}",
        "told?": "yes" if told[one, other].shown else "cannot tell",
        "parameters": f"×{ratios['parameters']:.2f}",
        "MACs": f"×{ratios['million MACs']:.2f}",
        "differs too": differs,
    }
table(pd.DataFrame(compared).T, record=record)


# %% tags=["nbval-check-output"]
def points(one: str, other: str) -> float:
    """The recorded difference in points, where the runs tell it from 0."""
    shown = told[one, other].shown
    assert shown is not None, f"{one} - {other}: cannot tell"
    return shown


# What the text below says; the recorded runs bear it out or this cell fails.
assert told[CONV, POOL].interval[1] < 1
assert points(STRIDED, POOL) < -2
wider = told[f"{STRIDED}, first window 9", STRIDED]
assert wider.interval[1] < -points(STRIDED, POOL)  # what it would have to bring back
assert points(f"{BESIDE}, as many parameters", POOL) < 0
assert told[f"{BESIDE}, as many parameters", STRIDED].shown is None
assert points(f"{POOL}, average pool", STRIDED) > 0
assert points(f"{POOL}, average pool", POOL) < 0
assert points(f"{POOL}, further layers", CONV) > 0
print(f"{STRIDED} against {POOL}: {points(STRIDED, POOL):+.1f} points")

# %% [markdown]
# What these runs say, and what they do not.
#
# - **The bottleneck does no harm that shows.** Convolving first has none, and with nearly four times the
#   multiplications it is less than a point ahead, if at all. The strided convolution has none, has exactly the
#   parameters and MACs of pooling first, and is several points *worse*. That a representation can hold more does not
#   mean that the task needs it.
# - **Half the parameters do not explain the third way's place.** Made so wide that it has nearly as many as pooling
#   first, it stays behind it, and the runs do not tell it from the strided convolution.
# - **How far the network sees does not explain it either.** A first window of 9×9, through which the strided network
#   sees as much as convolving first does, brings back too little.
# - **Why pooling helps so small a network, these runs do not tell.** With an average pool it is still ahead of the
#   strided convolution, so it is not the maximum alone; tolerance to small moves or less aliasing is a guess, no more.
#   To find out is an experiment that you can now design.
# - **What can be read from random filters does not foretell what is learned.** By both linear readouts the average pool
#   was to be the better one; trained, the max pool is.
# - **At equal cost further layers win.** Multiplications spent on a convolution before a pool, which discards three of
#   four results, are better spent behind it: pooling first with three more layers is ahead of convolving first, at
#   exactly its MACs. It also has three times the parameters, so depth is not the only thing that could have done it. A
#   cheap reduction, with or without a bottleneck, pays for them.
#
# The paper puts its reductions between blocks of many layers, on ImageNet. There the order may be another; for networks
# of three convolutions on pictures of clothes it is this one.

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
# and from 17×17 to 8×8 by this one. 1×1 convolutions make 192 of the 768 channels first, so that the dear windows read
# fewer, and the middle path holds a 7×7, factorised as in the lesson before:

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
assert (blocks["share of it"] < 0.26).all()
assert (blocks["pooled channels"] > 1 / 3).all()
table(
    blocks,
    dict.fromkeys(["million MACs", "conv, then pool"], "{:,.0f}")
    | dict.fromkeys(["share of it", "pooled channels"], "{:.0%}"),
)

# %% [markdown]
# The blocks cost about a quarter of convolving first at most, and more than a third of their output is the pool's, for
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
counts = [cost(value, (3, 224, 224))["macs"] for value in (before, after)]
added = counts[1].drop(counts[0].index, errors="ignore").sum()
share = added / (counts[1].sum() - counts[0].sum())
assert share > 0.8
print(
    f"multiplications: {change:+.0%}, of which in the added convolutions: {share:.0%}"
)
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
# Nothing: it costs *more*. Between its blocks GoogLeNet has bare pools, with no convolution on the large grid that
# could be saved. It took the cheap way and accepted the bottleneck. The rewrite removes the bottleneck, and pays above
# all for the convolutions that it puts beside the pools, a little for the block after each, which reads twice the
# channels. The saving of section 5 is one against convolving first. Whoever calls a thing cheaper must say than what.

# %% [markdown]
# ### Exercise 4 · A rewrite of your own (harder, 15 minutes)
#
# Write `widen_before_pools(value, in_channels)`, which removes every bottleneck the *dear* way: before each max pool
# with a stride above 1, in height or in width, it puts a 1×1 convolution to twice the channels that arrive. Leave all
# else as it is. `rewrite(value, rule, in_channels)` calls `rule(part, channels)` on every part, with the number of
# channels that reach it, and puts what it returns in its place.

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
# ## The gentle shrink
#
# Principle 1 as a picture: the number of values, channels · height · width, after each part of each network (`trunk`
# leaves its classifier out). Each panel shows one network in blue, with a dot for each part, and the other five in grey
# behind it, to compare. The axis of values is logarithmic. Where a line falls steeply, the network forces its knowledge
# through a narrower place.


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
    lines,
    columns=3,
    xlabel="share of the parts passed, %",
    ylabel="values",
    log="y",
    legend=("the network named above", "the other five"),
)
ends = [
    f"{name} from {line.max():,} at most to {line.iloc[-1]:,}"
    for name, line in lines.items()
]
figure_html(
    figure,
    "Size of the representation through the depth of each network, one panel each, the"
    " other five in grey behind it: " + ", ".join(ends) + ".",
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


# Names of blocks begin so: mixed_6a, block35_1, 3a; those of the stem do not.
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
# A small bottleneck, if a late one: the last reduction leaves 1,280 channels, and the blocks
# behind it make 2,048. In v4 the same reduction leaves 1,536, and the blocks behind it keep that width.

# %% [markdown]
# ### Exercise 5 · A reduction of your own (harder, 15 minutes)
#
# There is no one answer here. Design `my_reduction`, from 64 channels on 32×32 to 128 on 16×16, such that
#
# - at no step fewer values pass than leave (paths of `branches` are one step);
# - it costs at most 12 million MACs: the strided convolution costs 18.9 million, convolution beside pool 9.4;
# - at most 32 of the 128 channels have passed no convolution, where convolution beside pool has 64;
# - each pixel that comes in has an influence on what leaves.
#
# `conv`, `max_pool`, `branches` and `>>` will do; `avg_pool(3, 2)`, from `course_lib.architecture` too, is an average
# pool. When it passes, write down what *your* design gives up: a window, channels, protection from aliasing?
# Then put it in the place of the reductions of the small network above, and see whether it shows.

# %% tags=["nbval-check-output"]
exercises.my_reduction

# %% tags=["solution"]
# solution begin
my_reduction = branches(
    conv(32, 1) >> conv(96, 3, stride=2),
    max_pool(3, 2) >> conv(32, 1),
)
# solution end

# %% tags=["check", "nbval-check-output"]
exercises.my_reduction.check(my_reduction)

# %% [markdown] tags=["solution-only"]
# <details>
# <summary>Show what this design gives up</summary>
#
# The 1×1 makes 32 of 64 channels before the 3×3, so 32 directions of each place are out of the convolution's sight, and
# the pool's path knows no order within its windows. Nothing blurs before the stride.
#
# </details>

# %% [markdown]
# ## Recap
#
# - Convolving first costs 2d²k² (times n² for an n×n window), pooling first and one strided convolution a quarter of
#   it, convolution beside pool an eighth.
# - Pooling first squeezes everything through (d/2)²k numbers, and no filter behind a pool adds to what the pool has
#   left: the Jacobian's rank shows it.
# - Fewer values need not mean less of what the task needs. An average pool has the same bottleneck as a max pool, and
#   more of the picture and of its class can be read from what it leaves, by a linear readout.
# - A stride without a blur folds fine patterns into coarse ones that were never there.
# - What a bottleneck *could* cost is not what it *does* cost: on our pictures a strided convolution without one is
#   behind a pool with one, at equal parameters and MACs.
# - Cheaper than what? v3's reductions save against convolving first, and cost more than GoogLeNet's bare pools.
#
# Where to go on: a network of many blocks must not only hand its knowledge forward but also its gradient back. Whether
# classifiers halfway help it to is the question of the lesson on auxiliary classifiers.

# %% [markdown] tags=["navigation"]
# ---
# Before: [Factorized convolutions](02_factorized_convolutions.ipynb) ·
# [All lessons](00_start.ipynb) ·
# Next: [Auxiliary classifiers](04_auxiliary_classifiers.ipynb)
