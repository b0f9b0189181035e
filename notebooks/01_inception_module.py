# ---
# jupyter:
#   course:
#     minutes_read: 65
#     minutes_run: 2
#     title: The Inception module
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
# # The Inception module
#
# Welcome. You know convolutions, pooling, ReLU and softmax; that is all this course asks for. In 2014
# GoogLeNet won the ImageNet competition. It is a stack of nine *Inception modules*, each of which looks at its input
# through windows of several sizes at once; training decides which of them count. **Why several windows, how can that be
# affordable, and where does such a network fail?**
#
# Afterwards you can
#
# - write an Inception module in plain PyTorch, and count what it costs before you run it;
# - say what a 1×1 convolution does, and why the module is affordable only with it;
# - read the whole of GoogLeNet as a table, and name where published numbers and counted ones differ;
# - predict on which pictures a network dies, and repair it;
# - measure what each branch of a trained module contributes to the answer.
#
# About 65 minutes to read, 60 for the five exercises, 2 minutes to run. The papers are C. Szegedy et al., *Going Deeper
# with Convolutions*, arXiv:1409.4842, and S. Ioffe, C. Szegedy, *Batch Normalization*, arXiv:1502.03167.
#
# | For a lecture hour | minutes |
# |:--|--:|
# | Several windows at once, and what that costs; first question | 15 |
# | The 1×1 convolution, the module by hand, the explorer | 15 |
# | GoogLeNet as a table: paper and count, classifier, heads | 10 |
# | Where a small picture dies; second question | 10 |
# | Batch norm, and what trained branches carry | 10 |

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
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import nn

from course_lib import datasets
from course_lib.architecture import (
    Branches,
    Conv,
    Linear,
    Node,
    adaptive_avg_pool,
    branches,
    build,
    conv,
    diagram,
    global_avg_pool,
    linear,
    max_pool,
    rewrite,
    seq,
    split_5x5,
    total,
    with_fields,
)
from course_lib.datasets import ImageData, Split
from course_lib.experiments.inception_module import (
    DOWN_SAMPLINGS,
    narrow_googlenet,
    without_reductions,
)
from course_lib.experiments.weights import copy_weights_in_order
from course_lib.explorers import ModuleExplorer
from course_lib.models import entry, network
from course_lib.models.creation import initialize
from course_lib.models.googlenet import PUBLISHED_COSTS
from course_lib.reporting.plots import (
    bar_compare,
    figure_html,
    matrix_gallery,
    patches_on_picture,
)
from course_lib.reporting.tables import (
    Claim,
    MeanClaim,
    paper_beside_measured,
    table,
)
from course_lib.reporting.training_results import (
    noise,
    results_table,
    training_results,
)
from course_lib.reporting.verdicts import paired_difference
from course_lib.teaching import Answer, Quiz, fold_answer
from course_lib.teaching.references import inception_module as exercises
from course_lib.training import (
    DivergedError,
    Recipe,
    evaluate,
    fit,
    normalize,
    predict_logits,
)

# %% [markdown]
# ## Several windows at once
#
# How large should the window of a convolution be? A button is a few pixels wide, a sleeve a few dozen, and a sleeve
# seen from afar is a few pixels again. No single window fits them all. The Inception module does not choose: it lets
# 1×1, 3×3 and 5×5 windows and a pool look at the same input side by side, and joins what they found along the channels.
#
# In this course an architecture is written down as a *value*, from which everything else comes. Five lines are all
# there is to learn:
#
# - `conv(64, 3)` is a 3×3 convolution to 64 channels, with batch norm and ReLU, padded so that the grid stays;
# - `max_pool(3)` is a 3×3 max pool with stride 1, `max_pool(3, 2)` one with stride 2;
# - `a >> b` feeds `a` into `b`;
# - `branches(a, b, c)` lets all read the same input and joins their channels in this order;
# - `build(value, in_channels)` makes the PyTorch module, `total(value, shape)` counts it, `diagram(value)` draws it.
#
# The plainest module, which the paper calls naive (its figure 2a), with the widths of the first one in GoogLeNet:

# %% tags=["nbval-check-output"]
naive = branches(conv(64, 1), conv(128, 3), conv(32, 5), max_pool(3))
shape = (192, 28, 28)
diagram(naive, shape)

# %% [markdown]
# Which pixels does each branch see? Take one *unit*, the number in the middle of the output. Its gradient is zero at
# every pixel on which it does not depend; the others are its *patch*, or receptive field. (A max pool passes the
# gradient to one pixel only, so ask for the convolutions.)


# %% tags=["nbval-check-output"]
def patch_seen(path: Node, size: int = 9) -> tuple[int, ...]:
    """(height, width) of the part of a `size` x `size` picture that the middle unit
    of the path's output depends on."""
    torch.manual_seed(0)
    bare = with_fields(path, Conv, norm=False, activation="linear")
    picture = torch.randn(1, 1, size, size, requires_grad=True)
    build(bare, 1)(picture)[0, 0, size // 2, size // 2].backward()
    return tuple(np.ptp(np.nonzero(picture.grad[0, 0].numpy()), axis=1) + 1)


for path in naive.paths[:3]:
    assert patch_seen(path) == total(path, (1, 9, 9)).receptive_field
    print(path.describe(), "sees", "×".join(map(str, patch_seen(path))))

# %% [markdown]
# `total` knows these patches without running anything, so it can tell them for a module deep inside a network, in
# pixels of the picture. Here they are for three modules of GoogLeNet on a picture of 224×224 pixels. (The course
# carries no photographs: this is a picture of Fashion-MNIST, 28×28, enlarged eight times.)

# %%
data = datasets.load("fashion_mnist")
first_of = {
    name: int((data.test.labels == label).nonzero()[0])
    for label, name in enumerate(data.classes)
}
small = data.test.images[first_of["Shirt"]][None].float() / 255
picture = nn.functional.interpolate(small, 224, mode="bicubic").clamp(0, 1)[0, 0]


def branch_patches(module: str) -> dict[str, tuple[int, int]]:
    """(height, width) in pixels seen by each branch of a module of GoogLeNet."""
    layers = network("googlenet").layers
    place = [part.name for part in layers].index(module)
    seen = {}
    for name, path in zip(("1×1", "3×3", "5×5"), layers[place].paths, strict=False):
        whole = seq(*layers[:place], path)
        seen[f"{name} branch"] = total(whole, (3, 224, 224)).receptive_field
    return seen


# %% tags=["nbval-check-output"]
panels = {name: branch_patches(name) for name in ("3a", "3b", "4a")}
reach = {
    name: seen["5×5 branch"][0] / seen["1×1 branch"][0] for name, seen in panels.items()
}
assert reach["3a"] > 2 > reach["4a"]
assert min(height for height, _ in branch_patches("5a").values()) > 224
figure = patches_on_picture(
    picture.numpy(), {f"module {name}": seen for name, seen in panels.items()}
)
sizes = "; ".join(
    f"module {title}: "
    + ", ".join(f"{name} {h}×{w}" for name, (h, w) in patches.items())
    for title, patches in panels.items()
)
alt = "Patches seen by one unit of each branch, framed on a picture of a shirt. "
figure_html(figure, alt + sizes)

# %% [markdown]
# No branch sees a single pixel: already the 1×1 of 3a reads units that each saw a patch. There the 5×5 reaches more
# than twice as far as the 1×1. In 4a it reaches less than twice as far, and all three see a large part of the picture.
# In 5a even the 1×1 sees more than 224 pixels each way: the picture's border cuts off what a unit sees.
#
# ## What it costs
#
# A window of n×n multiplies n² times for each pair of an input and an output channel, at each place of the grid. One
# multiplication with its addition is a *multiply-accumulate*, MAC for short.

# %% tags=["nbval-check-output"]
places = 28 * 28
by_hand = {
    "1×1": places * 1 * 192 * 64,
    "3×3": places * 9 * 192 * 128,
    "5×5": places * 25 * 192 * 32,
    "pool": 0,
}
for macs, path in zip(by_hand.values(), naive.paths, strict=True):
    assert macs == total(path, shape).macs
out = {
    name: total(path, shape).out_shape[0]
    for name, path in zip(by_hand, naive.paths, strict=True)
}
table(pd.DataFrame({"MACs": by_hand, "channels out": out}))

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "naive-module-growth",
    "192 channels went into the naive module. What happens if such modules are"
    " stacked?",
    [
        Answer(
            "Each hands on as many channels as it got",
            "Add up the last column of the table: more come out than went in.",
        ),
        Answer(
            "The channels grow from module to module, and with them the cost of each",
            "The pool hands on all channels that come in, and the convolutions add"
            " theirs. The next module's windows then read all of them.",
            correct=True,
        ),
        Answer(
            "The channels grow, but the cost of a module stays, as its filters do",
            "Each filter reads every channel that comes in: more channels in, more"
            " multiplications.",
        ),
        Answer(
            "The channels shrink, since the pool throws values away",
            "With stride 1 it keeps the grid, and it never drops a channel.",
        ),
    ],
)

# %% [markdown]
# So the module needs a brake, and the paper puts it in two places: a 1×1 convolution *before* each window larger than
# one, and one *after* the pool. Both make fewer channels of many. This is the module that GoogLeNet uses (figure 2b):

# %% tags=["nbval-check-output"]
block_3a = branches(
    conv(64, 1),
    conv(96, 1) >> conv(128, 3),
    conv(16, 1) >> conv(32, 5),
    max_pool(3) >> conv(32, 1),
)
assert without_reductions(block_3a) == naive
diagram(block_3a, shape)

# %% tags=["nbval-check-output"]
forms = {"naive": total(naive, shape), "with reductions": total(block_3a, shape)}
share = forms["with reductions"].macs / forms["naive"].macs
print(f"with reductions: {share:.0%} of the naive module's multiplications")
table(
    pd.DataFrame(
        {
            name: {"MACs": size.macs, "parameters": size.params}
            | {"channels out": size.out_shape[0]}
            for name, size in forms.items()
        }
    ).T
)

# %% [markdown]
# That is one module. Now take the reductions out of all nine of GoogLeNet. `rewrite` applies a rule to every part:


# %% tags=["nbval-check-output"]
def strip(part: Node, in_channels: int | None) -> Node:
    """A module without its reductions; everything else as it is."""
    return without_reductions(part) if isinstance(part, Branches) else part


googlenet = network("googlenet")
both = {"GoogLeNet": googlenet, "all modules naive": rewrite(googlenet, strip)}
channels = {}
for name, value in both.items():
    ends = {part.name: end for end, part in enumerate(value.layers, start=1)}
    channels[f"channels after, {name}"] = {
        module: total(seq(*value.layers[: ends[module]]), (3, 224, 224)).out_shape[0]
        for module in ("3a", "3b", "4a", "4e", "5a", "5b")
    }
macs = {name: total(value, (3, 224, 224)).macs for name, value in both.items()}
growth = macs["all modules naive"] / macs["GoogLeNet"]
fold_answer(table(pd.DataFrame(channels)), f"{growth:.1f} times the multiplications")

# %% [markdown]
# The reductions are what makes the idea affordable: without them the network's channels pile up from module to module.
#
# ### Exercise 1 · The cost of a module (easy, 10 minutes)
#
# Write `module_macs(in_channels, grid, one, three, five, pool)`, the multiply-accumulates of a module with reductions
# on a grid of `grid` × `grid` places. `three` and `five` are pairs: the channels of the 1×1, then those of the window;
# block 3a is `module_macs(192, 28, 64, (96, 128), (16, 32), 32)`. Biases and batch norm are not counted.

# %% tags=["nbval-check-output"]
exercises.module_macs


# %% tags=["solution"]
def module_macs(
    in_channels: int,
    grid: int,
    one: int,
    three: tuple[int, int],
    five: tuple[int, int],
    pool: int,
) -> int:
    # solution begin
    ones = in_channels * (one + three[0] + five[0] + pool)
    windows = 9 * three[0] * three[1] + 25 * five[0] * five[1]
    return grid**2 * (ones + windows)
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.module_macs.check(module_macs)

# %% [markdown]
# ## A 1×1 convolution is a matrix
#
# What can a window of one pixel do? It sees no neighbours. But at its one place it sees *all channels*, and each of its
# filters is a weighted sum of them. So it is a matrix with a row for each output and a column for each input channel,
# the same at every place: a fully connected layer that walks over the grid. Prove it with `nn.Linear`, place by place:

# %% tags=["nbval-check-output"]
torch.manual_seed(0)
one_by_one = nn.Conv2d(192, 16, 1)
matrix = nn.Linear(192, 16)
matrix.weight.data = one_by_one.weight.data[:, :, 0, 0]
matrix.bias.data = one_by_one.bias.data
x = torch.randn(2, 192, 5, 5)
for row in range(5):
    for column in range(5):
        at_place = matrix(x[:, :, row, column])
        # In float32 on the processor; under a GPU's TF32 it would take atol=1e-2.
        assert torch.allclose(at_place, one_by_one(x)[:, :, row, column], atol=1e-5)
print("the same at all 25 places; the matrix is", tuple(matrix.weight.shape))

# %% [markdown]
# The price of a reduction: a matrix from 192 to 16 channels has at most rank 16, so of the 192 numbers at a place at
# most 16 weighted sums are handed on, and what they do not tell is lost. Training chooses *which* sums.
#
# ### Exercise 2 · Find the bug: a matrix gone wrong (medium, 10 minutes)
#
# A colleague applies a 1×1 convolution without PyTorch's `conv2d`. The shape of the result is right, its numbers are
# not. Find the fault, and write `apply_one_by_one(weight, x)` so that it is right: `weight` has shape (out, in), `x`
# (N, in, H, W), the result (N, out, H, W). There is no bias.


# %%
def colleagues(weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Meant to be a 1x1 convolution."""
    n, channels, height, width = x.shape
    rows = x.reshape(-1, channels)  # one row a place
    return (rows @ weight.T).reshape(n, len(weight), height, width)


faulty = colleagues(matrix.weight, x)
right = nn.functional.conv2d(x, matrix.weight[:, :, None, None])
assert faulty.shape == right.shape
assert not torch.allclose(faulty, right, atol=0.1)

# %% tags=["nbval-check-output"]
exercises.one_by_one


# %% tags=["solution"]
def apply_one_by_one(weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    # solution begin
    return (x.permute(0, 2, 3, 1) @ weight.T).permute(0, 3, 1, 2)
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.one_by_one.check(apply_one_by_one)

# %% [markdown]
# ## The module by hand
#
# Nothing about the module is magic; in plain PyTorch it is this:


# %%
def unit(in_channels: int, channels: int, size: int) -> nn.Sequential:
    """Convolution, batch norm, ReLU; the grid stays."""
    layer = nn.Conv2d(in_channels, channels, size, padding=size // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(channels, eps=1e-3), nn.ReLU())


class Module3a(nn.Module):
    """Block 3a: (N, 192, H, W) -> (N, 256, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.one = unit(192, 64, 1)
        self.three = nn.Sequential(unit(192, 96, 1), unit(96, 128, 3))
        self.five = nn.Sequential(unit(192, 16, 1), unit(16, 32, 5))
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, padding=1), unit(192, 32, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        paths = (self.one, self.three, self.five, self.pool)
        return torch.cat([path(x) for path in paths], dim=1)


# %% [markdown]
# With the same weights it gives the same numbers as the built one, and PyTorch's own count of operations (two for a
# MAC) agrees with `total`:

# %% tags=["nbval-check-output"]
from torch.utils.flop_counter import FlopCounterMode

mine, built = Module3a(), build(block_3a, in_channels=192)
copy_weights_in_order(mine, built)
x = torch.randn(2, 192, 28, 28)
assert torch.equal(mine(x), built(x))
with FlopCounterMode(display=False) as counter:
    mine(x[:1])
assert counter.get_total_flops() == 2 * total(block_3a, shape).macs
print(tuple(mine(x).shape))

# %% [markdown]
# In the explorer each branch has its row. The dashed frames are the naive module's cost. Try:
#
# 1. **reductions** off: which branch grows most, and how many channels are handed on?
# 2. **3rd: reduce** upwards from 16: from where on does the 5×5 branch cost most, although it makes a quarter of the
#    3×3's channels?
# 3. The buttons from **3a** to **5b**: which branch costs most in each, and what is left of the naive module's cost?
#    Then **v3 6b**: the windows of Inception-v3 are one pixel wide, which is the subject of the next lesson.

# %% tags=["nbval-check-output"]
explorer = ModuleExplorer("GoogLeNet 3a")
explorer

# %% tags=["nbval-check-output"]
from course_lib.explorers.inception_module.result import plan_module, plans


def dearest(name: str) -> tuple[str, float, float]:
    """The dearest branch of a network's own module, its share of the module's MACs,
    and the module's share of the naive one's."""
    plan = plans()[name]
    result = plan_module(name, True, *plan.in_shape[:2], **plan.widths)
    macs = [branch.macs for branch in result.costs]
    place = int(np.argmax(macs))
    return (
        f"branch {place + 1}",
        max(macs) / result.macs,
        result.macs / result.naive_macs,
    )


columns = ["dearest", "its share", "of the naive module"]
every = pd.DataFrame({name: dearest(name) for name in plans()}, index=columns).T
assert (every["of the naive module"] < 1).all()


def branch_macs(reduction: bool = True, **changed: int) -> list[int]:
    """What each branch of 3a costs, with other widths where some are given."""
    widths = plans()["GoogLeNet 3a"].widths | changed
    result = plan_module("GoogLeNet 3a", reduction, 192, 28, **widths)
    return [branch.macs for branch in result.costs]


three, five = np.divide(branch_macs(False), branch_macs())[1:3]
tried = {width: branch_macs(five_reduce=width) for width in range(16, 513, 8)}
first = min(width for width, macs in tried.items() if macs[2] == max(macs))
fold_answer(
    f"1. The 5×5 grows {five:.1f} times, the 3×3 {three:.1f} times; the module hands on"
    f" {total(naive, shape).out_shape[0]} channels.",
    f"2. From {first} channels on: for each pair of channels the 5×5 multiplies"
    " 25 times, the 3×3 only 9.",
    table(every, dict.fromkeys(columns[1:], "{:.0%}")),
)

# %% [markdown]
# ### Exercise 3 · A module of your own (harder, 15 minutes)
#
# Design `my_module`, a value that takes the place of block 3a: it reads 192 channels on 28×28 and hands on exactly 256;
# its branches see at least three different patches, one of them 5×5 or larger; and it needs at most *half* of 3a's
# multiplications. Many answers are right. `total(value, shape)` counts, `diagram` draws.

# %% tags=["nbval-check-output"]
exercises.cheaper_module

# %% tags=["solution"]
# solution begin
my_module = branches(
    conv(96, 1),
    conv(32, 1) >> conv(96, 3),
    conv(16, 1) >> conv(32, 3) >> conv(32, 3),
    max_pool(3) >> conv(32, 1),
)
# solution end

# %% tags=["check", "nbval-check-output"]
exercises.cheaper_module.check(my_module)

# %% [markdown]
# ## GoogLeNet, part by part
#
# A *stem* of three convolutions that shrinks the picture quickly, nine modules with two pools between, an average over
# all places, and one fully connected layer. `cost(googlenet, (3, 224, 224))` lists all its layers; here each part is
# one row (`norm1` and `norm2` divide by what neighbouring channels hold, the normalisation of the time):


# %% tags=["nbval-check-output"]
def by_part(value: Node, shape: tuple[int, int, int]) -> pd.DataFrame:
    """One row a part of the network: what leaves it, and what it costs."""
    rows, count = {}, len(value.layers)
    ends = [total(seq(*value.layers[:n]), shape) for n in range(count + 1)]
    for part, before, after in zip(value.layers, ends, ends[1:], strict=False):
        rows[part.name] = {
            "out": after.out_shape,
            "parameters": after.params - before.params,
            "million MACs": (after.macs - before.macs) / 1e6,
            "sees, pixels": after.receptive_field[0],
        }
    return pd.DataFrame(rows).T


parts = by_part(googlenet, (3, 224, 224))
assert parts["parameters"].sum() == total(googlenet, (3, 224, 224)).params
table(parts, {"million MACs": "{:.1f}"})

# %% [markdown]
# How deep is it? Count along the longest way from the picture to the answer: layers with weights, then pools, too.


# %% tags=["nbval-check-output"]
def depth(value: Node, kinds: tuple[type, ...]) -> int:
    """Layers of these kinds along the longest way through a value."""
    inside = [depth(part, kinds) for part in value.parts]
    longest = max(inside, default=0) if isinstance(value, Branches) else sum(inside)
    return longest + isinstance(value, kinds)


size = total(googlenet, (3, 224, 224))
weighted = depth(googlenet, (Conv, Linear))
names = [part.name for part in googlenet.layers]
pools = sum("pool" in name for name in names)
exact = "a count: it must hold exactly"
claims = [
    Claim("layers with weights (GoogLeNet paper)", 22, weighted, (22, 22), exact),
    Claim("layers with pools (GoogLeNet paper)", 27, weighted + pools, (27, 27), exact),
    Claim(
        "million parameters (v3 paper, of GoogLeNet)",
        5,
        size.params / 1e6,
        (4.5, 5.5),
        "rounded to a million",
        "{:.1f}",
    ),
]
paper_beside_measured(claims)

# %% [markdown]
# The depth is exact. The parameters are not: a later paper of some of the authors gives GoogLeNet "5 million", and the
# network counted layer by layer has seven. When a number matters, count it.
#
# ### The paper's own count, row by row
#
# Table 1 of the paper also has columns *params* and *ops*. It counts no biases, and its K is 1,024: the last row gives
# 1000K for 1,024 × 1,000 weights. Its ops are multiply-accumulates. *fits* means: within one unit of the last digit
# that the paper prints. The last column needs no network at all: a weight multiplies once at each place, so a row's
# ops must be its params times the places of its grid. Do they fit each other?

# %% tags=["nbval-check-output"]
bare = with_fields(with_fields(googlenet, Conv, bias=False), Linear, bias=False)
counted, rows = by_part(bare, (3, 224, 224)), {}
for row, (params, ops) in PUBLISHED_COSTS.items():
    ours = counted.loc[row.split(" + ")]
    places, digit = math.prod(ours["out"].iloc[-1][1:]), 0.1 if params < 10 else 1
    k, m = ours["parameters"].sum() / 1024, ours["million MACs"].sum()
    fits = {
        "params fit": abs(params - k) <= digit,
        "ops fit": abs(ops - m) <= 1,
        "fit each other": abs(params * 1024 * places / 1e6 - ops)
        <= 1 + digit * 1024 * places / 1e6,
    }
    rows[row] = {"params, paper": f"{params:g}K", "counted, K": k}
    rows[row] |= {"ops, paper": f"{ops}M", "counted, M": m}
    rows[row] |= {name: "yes" if yes else "✗ no" for name, yes in fits.items()}
beside = pd.DataFrame(rows).T
table(beside, dict.fromkeys(["counted, K", "counted, M"], "{:.1f}"))

# %% tags=["nbval-check-output"]
first_row = {"params": 7 * 7 * 3 * 8 + 3 * 8 * 64, "places": 112 * 112}
assert abs(first_row["params"] / 1024 - PUBLISHED_COSTS["conv1"][0]) < 0.1
assert round(math.prod(first_row.values()) / 1e6) == PUBLISHED_COSTS["conv1"][1]
sums = pd.DataFrame(
    {
        "paper": [
            sum(column) for column in zip(*PUBLISHED_COSTS.values(), strict=True)
        ],
        "counted": [beside["counted, K"].sum(), beside["counted, M"].sum()],
    },
    index=["params, K", "ops, M"],
)
print(f"7×7 over three channels: {7 * 7 * 3 * 64:,} weights")
print(f"7×7 channel by channel, then 1×1: {first_row['params']:,} weights")
table(sums, dict.fromkeys(sums, "{:,.0f}"))

# %% [markdown]
# Three kinds of row do not fit.
#
# - In 4c, 4d, 4e and 5b the ops fit our count and the params do not, nor do the two columns fit each other: there the
#   paper contradicts itself, and its ops belong to the widths that it prints.
# - In 5a the two columns fit each other, but not the widths printed beside them. In 4a the params are too low by more
#   than rounding; the ops are too coarse to judge. The paper gives no reason, and counting finds none.
# - The first row fits itself, but not a 7×7 over three channels. A layer that fits both numbers is the one counted in
#   the last cell: eight 7×7 windows on each colour alone, then a 1×1 from the 24 channels to 64. So begins the code
#   that Google released later for BN-Inception. Whether it is the layer meant here, the paper does not say.
#
# The first row matters. The ops add up to the "1.5 billion multiply-adds" that the paper set itself as a budget; with
# a plain 7×7, as in PyTorch's copy, they are 1.58 billion. And the paper's own params add up to seven million, as ours
# do, not to the later paper's "5 million".
#
# ### Code beside the paper
#
# Code disagrees with papers as well. PyTorch's own GoogLeNet has batch norm, which the paper does not; its last pool
# is 2×2, and a slip was kept for the sake of its published weights: its "5×5" branch has a 3×3 window.

# %% tags=["nbval-check-output"]
shipped = network("googlenet_bn", five_by_five="3x3", pool4=2)
versions = {
    "the paper's": googlenet,
    "with batch norm": network("googlenet_bn"),
    "as PyTorch ships it": shipped,
}
rows = {}
for name, value in versions.items():
    size = total(value, (3, 224, 224))
    window = next(part for part in value.layers if part.name == "5b").paths[2]
    rows[name] = {"parameters": size.params, "million MACs": size.macs / 1e6}
    rows[name] |= {"5×5 branch of 5b": window.layers[-1].describe()}
table(pd.DataFrame(rows).T, {"million MACs": "{:,.0f}"})

# %% [markdown]
# ### Why the classifier is an average
#
# Earlier networks ended in large fully connected layers over all places. GoogLeNet takes the mean over the 7×7 places
# of each channel and needs *one* fully connected layer, from 1024 numbers. What would it cost to read all places?

# %% tags=["nbval-check-output"]
heads = {
    "average, then linear": global_avg_pool() >> linear(1000),
    "linear": linear(1000),
}
counts = {name: total(head, (1024, 7, 7)).params for name, head in heads.items()}
rest = total(googlenet, (3, 224, 224)).params - counts["average, then linear"]
rows = {
    name: {"parameters": n, "times the rest": n / rest} for name, n in counts.items()
}
table(pd.DataFrame(rows).T, {"times the rest": "{:.2f}"})

# %% [markdown]
# A fully connected layer over all places *can* do what the average does: give every place the same weights, divided by
# their number.

# %% tags=["nbval-check-output"]
torch.manual_seed(0)
averaged = build(heads["average, then linear"], 1024)
last = averaged.get_submodule("1.linear")
everywhere = last.weight.detach().repeat_interleave(49, dim=1).div_(49)
features = torch.randn(2, 1024, 7, 7)
by_places = nn.functional.linear(features.flatten(1), everywhere, last.bias)
assert torch.allclose(averaged(features), by_places, atol=1e-4)
print(f"{everywhere.numel():,} weights can do what 1,024,000 do")

# %% [markdown]
# The average says: where in the picture something stands does not matter, only how much of it there is. The paper
# reports 0.6 points of top-1 accuracy for it. We come back to that when we train.
#
# ### Two more classifiers on the way
#
# In training, two small classifiers read the network halfway, so that the gradient has shorter ways back. They count
# 0.3 each in the loss, and are thrown away afterwards.

# %% tags=["nbval-check-output"]
with_heads = network("googlenet", aux=True)
parts = [part.name for part in with_heads.layers]
for name in ("aux1", "aux2"):
    place = parts.index(name)
    module, loss = parts[place - 1], with_heads.layers[place].weight
    passed = depth(seq(*googlenet.layers[: names.index(module) + 1]), (Conv,))
    print(f"{name} after {module}, {passed} of {weighted} layers passed, loss × {loss}")
whole = total(googlenet, (3, 224, 224)).params
extra = total(with_heads, (3, 224, 224)).params - whole
print(f"both heads: {extra:,} parameters, {extra / whole:.0%} of the network's own")

# %% [markdown]
# Whether these heads do what they were invented for is the question of
# [a lesson of its own](04_auxiliary_classifiers.ipynb).

# %% [markdown]
# ## Where a small picture dies
#
# GoogLeNet was made for pictures of 224×224 pixels. Many data sets have 32×32. The layers do not forbid it.

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "grid-of-5b-at-32",
    "Five layers of GoogLeNet have stride 2: the first convolution and four pools. A"
    " picture of 32×32 pixels comes in. On which grid do the last modules work?",
    [
        Answer(
            "7×7, as always",
            "That is 224 halved five times. 32 halved five times is something else.",
        ),
        Answer("4×4", "That is the grid of the first module, after three halvings."),
        Answer("2×2", "That is the grid of 4a to 4e. One pool is still to come."),
        Answer(
            "1×1",
            "32, 16, 8, 4, 2, 1: nothing is left beside a place that a window could"
            " look at.",
            correct=True,
        ),
        Answer(
            "None: PyTorch raises an error",
            "At 32×32 it runs; at 30×30 it would raise one.",
        ),
    ],
)

# %% [markdown]
# A 3×3 window on a 1×1 grid meets one value and eight zeros of padding. How much of a window lies within the picture,
# on average over the places of the grid?


# %% tags=["nbval-check-output"]
def inside(window: int, grid: int) -> float:
    """Mean share of a window's cells that lie within a `grid` x `grid` picture."""
    reach = range(-(window // 2), window // 2 + 1)
    hits = sum(0 <= place + step < grid for place in range(grid) for step in reach)
    return (hits / (window * grid)) ** 2


steps = ["conv1", "pool1", "pool2", "3a", "4a", "5b"]
dying = by_part(googlenet, (3, 32, 32)).loc[steps]
for window in (3, 5):
    dying[f"{window}×{window} inside"] = [
        inside(window, out[1]) for out in dying["out"]
    ]
idle = [25 - min(5, 2 * out[1] - 1) ** 2 for out in dying["out"]]
dying["5×5, weights idle"] = idle
inside_columns = ["3×3 inside", "5×5 inside"]
shown = dying[["out", *inside_columns, "5×5, weights idle"]]
fold_answer(table(shown, dict.fromkeys(inside_columns, "{:.0%}")))

# %% [markdown]
# *Idle* are weights that meet nothing but zeros, wherever on the grid their window stands: 16 of the 25 of a 5×5 in 4a;
# and in 5b each 5×5 is a 1×1 with 24 idle weights. The network still runs and still trains. Nothing tells you that
# something is wrong, except a table like this.
#
# ### Exercise 4 · How large must a picture be? (medium, 10 minutes)
#
# Write `needed_side(grid)`: the side of the smallest square picture for which GoogLeNet's last modules work on a grid
# of at least `grid` × `grid`. The first convolution, 7×7 with stride 2 and padding 3, makes `(side + 1) // 2` of a
# side. Each of the four pools, 3×3 with stride 2, has no padding but lets its last window hang over: of 2 and of 3 it
# makes 1, of 4 and of 5 it makes 2, and so on. A single place is too small for it: PyTorch raises an error.

# %% tags=["nbval-check-output"]
exercises.needed_side


# %% tags=["solution"]
def needed_side(grid: int) -> int:
    # solution begin
    for _ in range(4):
        grid = 2 * grid  # the smallest grid of which a pool makes this one
    return 2 * grid - 1  # the convolution rounds up
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.needed_side.check(needed_side)

# %% [markdown]
# ### The repair
#
# Take out a down-sampling and every grid behind it doubles; the weights stay the same, the multiplications do not. The
# same in narrow, with an eighth of the channels (and never fewer than 16), for pictures in grey:

# %% tags=["nbval-check-output"]
repairs = {
    "none": (),
    "pool1": ("pool1",),
    "pool1, pool2": ("pool1", "pool2"),
    "conv1, pool1, pool2": ("conv1", "pool1", "pool2"),
    "all five": DOWN_SAMPLINGS,
}
rows = {}
for name, removed in repairs.items():
    value = narrow_googlenet(removed)
    size = total(value, (1, 32, 32))
    grids = by_part(value, (1, 32, 32))["out"]
    rows[name] = {f"grid of {m}": grids[m][1] for m in ("3a", "4a", "5b")}
    rows[name] |= {"parameters": size.params, "million MACs": size.macs / 1e6}
table(pd.DataFrame(rows).T.rename_axis("removed"), {"million MACs": "{:.1f}"})

# %% [markdown]
# Now train: pictures of clothes, ten classes, framed with two black pixels to 32×32. If the repaired network is better,
# is it the grid, or only that it computes more? So there is a third one: the *dying* network with more channels, which
# gets more multiplications than the repaired one, and far more parameters. Layers and recipe are the same.

# %% tags=["nbval-check-output"]
contenders = {
    "as it is": narrow_googlenet(),
    "pool1 removed": narrow_googlenet(("pool1",)),
    "as it is, wider": narrow_googlenet(width=0.375),
}
sizes = {name: total(value, (1, 32, 32)) for name, value in contenders.items()}
assert sizes["as it is, wider"].macs > sizes["pool1 removed"].macs
table(
    pd.DataFrame(
        {
            name: {"parameters": size.params, "million MACs": size.macs / 1e6}
            for name, size in sizes.items()
        }
    ).T
)

# %% [markdown]
# **Write down your guess**: which is best? Each is trained three times, from different first weights.


# %%
def framed(split: Split) -> Split:
    """28x28 pictures with a black frame of two pixels."""
    return Split(nn.functional.pad(split.images, (2, 2, 2, 2)), split.labels)


def framed_data(train: int) -> ImageData:
    """So many training pictures, and 2,000 to test, of 32x32 pixels."""
    few = data.subset(train=train)
    both = framed(few.train), framed(few.test)
    return ImageData.from_splits("framed", data.classes, *both)


def new_model(value: Node, seed: int) -> nn.Module:
    """The network with the first weights that `seed` gives (He et al. 2015)."""
    torch.manual_seed(seed)
    model = build(value, in_channels=1)
    initialize(model)
    return model


# %%
train_data = framed_data(1200)
recipe = Recipe(epochs=2, batch_size=32)
runs, trained = {}, {}


def train(name: str, value: Node) -> None:
    """Three trainings, from different first weights, kept in `runs` and `trained`."""
    for seed in range(3):
        model = new_model(value, seed)
        history = fit(model, train_data, replace(recipe, seed=seed))
        runs.setdefault(name, {})[seed] = history
        trained[name, seed] = model.cpu()


# %%
train("as it is", contenders["as it is"])

# %%
train("pool1 removed", contenders["pool1 removed"])

# %%
train("as it is, wider", contenders["as it is, wider"])

# %%
results = training_results(
    {name: list(runs[name].values()) for name in contenders}, sizes
)
print(noise(results, len(train_data.test.labels)))
# Guessing gives 10 %: below 20 a network has learned nothing that could be compared.
assert (results["accuracy"] > 20).all()
results_table(results)

# %%
seeds = [f"seed {seed}" for seed in range(3)]
repaired = results.loc["pool1 removed", seeds]
for name in ("as it is", "as it is, wider"):
    gain = paired_difference(repaired, results.loc[name, seeds])
    low, high = gain.interval
    text = f"{gain.mean:+.1f} points, interval {low:+.1f} to {high:+.1f}"
    print(f"repaired against '{name}': {text}")
# The repair gained 1.9 to 15.2 points in each of eight seeds tried, 8.9 on average with
# a spread of 4.2: a mean of three at or below 0 means a fault, not other hardware.
assert repaired.mean() > results.loc["as it is", "accuracy"]

# %% [markdown]
# Averaged over the runs, the repaired network beats the one that dies, with the very same number of weights. The first
# interval says whether three runs are enough to say so of other first weights, too: they are where it lies above 0.
# Where it holds 0, they cannot tell, and more runs would. Now look at the second line before you say why. If its
# interval lies above 0, more multiplications on a dying grid did not do it; if not, computing more may have done as
# well. Either way it is said of a short training with one recipe, which may suit one of them better.
#
# If you have a minute, make the sharper test: enlarge the pictures to 64×64 and train the *first* network on them. Then
# 3a works on 8×8 places and 5b on 2×2, as after the repair, and no pool is gone. Should that gain nothing, the larger
# grid was not the reason.

# %% [markdown]
# ### Average or all places?
#
# The claim left open: the average against a fully connected layer over all places. On our small grid the latter has
# only few weights more. Everything else is the same, seeds included.


# %% tags=["nbval-check-output"]
def without_average(value: Node) -> Node:
    """The network with a classifier that reads all 2x2 places: a pool to 2x2 of 2x2
    changes nothing."""
    as_it_is = adaptive_avg_pool(2).named("global_pool")
    parts = value.layers
    return seq(*(as_it_is if part.name == "global_pool" else part for part in parts))


contenders["all places"] = without_average(contenders["pool1 removed"])
sizes["all places"] = total(contenders["all places"], (1, 32, 32))
more = sizes["all places"].params - sizes["pool1 removed"].params
print(f"{more:,} parameters more, {more / sizes['pool1 removed'].params:.0%}")

# %%
train("all places", contenders["all places"])

# %%
all_places = training_results({"all places": list(runs["all places"].values())}, sizes)
# As above: it must have learned something.
assert (all_places["accuracy"] > 20).all()
gain = paired_difference(repaired, all_places.loc["all places", seeds])
claim = "average pool instead of fully connected, points (GoogLeNet paper)"
paper_beside_measured([MeanClaim(claim, 0.6, gain)])


# %%
def hits(name: str, seed: int) -> torch.Tensor:
    """Which test pictures a trained network gets right."""
    test = train_data.test
    logits = predict_logits(trained[name, seed], test.images, train_data)
    return logits.argmax(1) == test.labels


differ = [hits("pool1 removed", seed) != hits("all places", seed) for seed in range(3)]
apart = torch.stack(differ).float().mean().item()
needed = apart * (2 / 0.006) ** 2
assert needed > len(train_data.test.labels)
print(f"only one of the two is right on {apart:.0%} of the pictures;")
print(f"0.6 points at two standard errors: about {needed:,.0f} test pictures")

# %% [markdown]
# Only a picture on which one of the two is right and the other wrong says anything of the difference. There are so
# many of them, and so few pictures in all, that chance hides 0.6 points, whatever the seeds do. Nor is it the paper's
# comparison: there the average saves tens of millions of weights, here a few thousand. What *can* be said here is the
# count.

# %% [markdown]
# ## With and without batch norm
#
# GoogLeNet was trained without batch normalisation, which one of its authors published with S. Ioffe half a year later.
# What does it change?
# Take the repaired network, and train it with and without, by the same short recipe, at learning rates that grow by a
# factor of eight. *Learned* means: in the second pass over the pictures the mean training loss lies at least 0.05 below
# ln 10, the loss of guessing.

# %%
rates = [0.0005 * 8**power for power in range(5)]
probe = framed_data(384)
guessing = math.log(10)


def second_loss(batch_norm: bool, rate: float, seed: int) -> float:
    """Mean training loss of the second epoch; infinite if the training diverged."""
    steady = {"schedule": "constant", "warmup_epochs": 0, "pad": 0, "flip": False}
    plan = Recipe(epochs=2, batch_size=16, learning_rate=rate, seed=seed, **steady)
    value = narrow_googlenet(("pool1",), batch_norm=batch_norm)
    few = replace(probe, test=probe.test.take(torch.arange(32)))
    try:
        history = fit(new_model(value, seed), few, plan, progress=False)
    except DivergedError:
        return math.inf
    return history["train_loss"].iloc[-1]


# %%
losses = {
    (name, f"seed {seed}"): [second_loss(norm, rate, seed) for rate in rates]
    for name, norm in (("without", False), ("with batch norm", True))
    for seed in (0, 1)
}
losses = pd.DataFrame(losses, index=[f"{rate:g}" for rate in rates])

# %%
learned = {
    name: (losses[name] < guessing - 0.05).all(axis=1)
    for name in ("without", "with batch norm")
}
highest = {name: max(np.flatnonzero(yes)) for name, yes in learned.items()}
for name, place in highest.items():
    # An end of the grid would say nothing: the limit must lie between two of its rates.
    assert 0 < place < len(rates) - 1
    print(f"{name}: learns up to {rates[place]:g}, no longer at {rates[place + 1]:g}")
assert highest["with batch norm"] > highest["without"]
flat = losses.set_axis([f"{name}, {seed}" for name, seed in losses.columns], axis=1)
table(flat.rename_axis("learning rate"), dict.fromkeys(flat.columns, "{:.2f}"))

# %% [markdown]
# Read the table downwards (`inf` is a training whose loss was no longer a number). With batch norm the network learns
# at rates at which it does not learn without, in two passes. The paper on batch norm draws its speed from such rates:
# it reports the accuracy of the first network in 14 times fewer steps, which this table cannot test. Nor does it say
# anything of the accuracy after a long training, each at its own best rate. And it depends on the first weights: here
# they are those of He et al. (2015), made to keep the size of a signal through many layers of ReLU.
#
# ### BN-Inception, the step between
#
# The paper on batch normalisation also changed the network. `googlenet_bn` is GoogLeNet with batch norm and nothing
# else; BN-Inception is what the paper trained.

# %% tags=["nbval-check-output"]
steps = ("googlenet", "googlenet_bn", "bn_inception", "inception_v3")
rows = {}
for name in steps:
    value, image = network(name), entry(name).input_shape
    size = total(value, image)
    rows[name] = {"input": image[1], "parameters": size.params}
    rows[name] |= {
        "million MACs": size.macs / 1e6,
        "depth": depth(value, (Conv, Linear)),
    }
table(pd.DataFrame(rows).T, {"million MACs": "{:,.0f}"})

# %% tags=["nbval-check-output"]
bn_inception = {part.name: part for part in network("bn_inception").layers}
diagram(bn_inception["3a"], (192, 28, 28))

# %% [markdown]
# Compare with 3a above: two 3×3 windows have taken the place of the 5×5, and the pool averages. Between the stages the
# pools are gone; modules of stride 2 take their place, which convolve *beside* a pool:

# %% tags=["nbval-check-output"]
diagram(bn_inception["3c"], (320, 28, 28))


# %% tags=["nbval-check-output"]
def windows(value: Node) -> list[tuple[int, int]]:
    """Window sizes of all convolutions of a value."""
    inner = [size for part in value.parts for size in windows(part)]
    return [value.kernel_size] if isinstance(value, Conv) else inner


assert windows(split_5x5(block_3a)) == windows(bn_inception["3a"])
print("GoogLeNet's 3a after split_5x5 has its windows:", windows(bn_inception["3a"]))

# %% [markdown]
# Both steps, the split 5×5 and the reduction beside a pool, are ideas that the v3 paper then made principles of. Each
# has its lesson: [factorized convolutions](02_factorized_convolutions.ipynb) and
# [grid reduction](03_grid_reduction.ipynb).

# %% [markdown]
# ## What trained branches carry
#
# The classifier is an average and one matrix. So the logit of a class is a *sum* over the channels of the last module,
# and every channel belongs to one branch: each branch's share of the evidence can be read off exactly. Only differences
# between logits matter, so take each class against the mean of all classes.


# %%
def last_features(model: nn.Module, split: Split) -> torch.Tensor:
    """What leaves module 5b, shape (N, C, H, W)."""
    kept = []
    handle = model.get_submodule("5b").register_forward_hook(
        lambda module, inputs, output: kept.append(output)
    )
    with torch.no_grad():
        for batch in split.images.split(500):
            model.eval()(normalize(batch, train_data.mean, train_data.std))
    handle.remove()
    return torch.cat(kept)


def branch_widths(name: str = "5b") -> list[int]:
    """Channels of each branch of the repaired network's module."""
    part = next(p for p in contenders["pool1 removed"].layers if p.name == name)
    return [seq(path).layers[-1].channels for path in part.paths]


# %%
labels, branch_names = train_data.test.labels, ["1×1", "3×3", "5×5", "pool"]
evidence, features = {}, {}
for seed in (0, 1):
    model = trained["pool1 removed", seed]
    features[seed] = last_features(model, train_data.test)
    weight = model.get_submodule("fc").linear.weight.detach()
    against_mean = (weight - weight.mean(0))[labels]  # of each picture's own class
    by_channel = features[seed].mean((2, 3)) * against_mean
    parts = by_channel.split(branch_widths(), dim=1)
    evidence[seed] = torch.stack([part.sum(1) for part in parts], dim=1)
    logits = features[seed].mean((2, 3)) @ weight.T
    own = logits.gather(1, labels[:, None])[:, 0] - logits.mean(1)
    assert torch.allclose(evidence[seed].sum(1), own, atol=1e-3)

# %% [markdown]
# The sums agree: nothing of the logit is left out but the bias. Now the shares, beside the branch's share of the
# channels, which is what it would carry if all channels were worth the same.


# %%
def accuracy_without(seed: int, branch: int) -> float:
    """Test accuracy with a branch of 5b set to its mean over the test pictures."""
    fc = trained["pool1 removed", seed].get_submodule("fc").linear
    pooled = features[seed].mean((2, 3)).clone()
    start = sum(branch_widths()[:branch])
    part = pooled[:, start : start + branch_widths()[branch]]
    part.copy_(part.mean(0).expand_as(part))
    with torch.no_grad():
        return (fc(pooled).argmax(1) == labels).float().mean().item()


shares = pd.DataFrame({"channels": np.array(branch_widths()) / sum(branch_widths())})
shares.index = branch_names
for s in (0, 1):
    by_branch = evidence[s].sum(0) / evidence[s].sum()
    shares[f"evidence, seed {s}"] = by_branch.numpy()
    assert abs(by_branch.sum() - 1) < 1e-4
for s in (0, 1):
    model = trained["pool1 removed", s]
    whole = evaluate(model, train_data.test, train_data, bf16=False).accuracy
    lost = [100 * (whole - accuracy_without(s, branch)) for branch in range(4)]
    shares[f"points lost, seed {s}"] = lost
formats = {name: "{:+.1f}" if "points" in name else "{:.0%}" for name in shares}
table(shares, formats)

# %%
series = {"share of the channels": 100 * shares["channels"]}
for s in (0, 1):
    series[f"evidence, seed {s}"] = 100 * shares[f"evidence, seed {s}"].clip(0)
figure = bar_compare(branch_names, series, xlabel="share, %", number_format="{:.0f} %")
alt = "Share of the evidence for the right class that each branch of 5b carries: "
figure_html(
    figure,
    alt
    + "; ".join(
        f"{name} {row['evidence, seed 0']:.0%} and {row['evidence, seed 1']:.0%}"
        f" with {row['channels']:.0%} of the channels"
        for name, row in shares.iterrows()
    ),
)

# %% [markdown]
# *Points lost* is what the test accuracy falls by when a branch of 5b tells nothing any more: its channels are set to
# their mean over all pictures, so that only what differs from picture to picture is gone. Compare the two measures. A
# branch can carry much of the evidence and yet be dispensable, where the others say the same; and two networks that
# differ in their first weights alone need not share the work in the same way.
#
# Keep the table of dying grids in mind: here 5b works on 2×2 places, where less than half of a 3×3 window and a sixth
# of a 5×5 lie within the picture. These shares are true of this network; they do not say what large windows are worth
# where the grid has room for them. Remove pool2 as well, and measure again, if you have a few minutes.
#
# That was the last module. Inside the network, ask the *next* layer: how much weight do its 1×1 convolutions give to
# each branch? Before training, each channel gets about the same. So divide by the first weights' share.


# %%
def weight_by_branch(model: nn.Module, module: str, following: str) -> np.ndarray:
    """Share of the squared 1x1 weights of `following` that reads each branch of
    `module`."""
    readers = ["branch1", "branch2.0", "branch3.0", "branch4.1"]
    found = [model.get_submodule(f"{following}.{r}").conv.weight for r in readers]
    squares = sum(w.detach().square().sum((0, 2, 3)) for w in found)
    parts = squares.split(branch_widths(module))
    return np.array([part.sum().item() for part in parts]) / squares.sum().item()


neighbours = [("3a", "3b"), ("4a", "4b"), ("4c", "4d"), ("5a", "5b")]
rows = {}
for pair in neighbours:
    for seed in (0, 1):
        first = new_model(contenders["pool1 removed"], seed)
        after = trained["pool1 removed", seed]
        ratio = weight_by_branch(after, *pair) / weight_by_branch(first, *pair)
        rows[f"{pair[1]} reads {pair[0]}, seed {seed}"] = dict(
            zip(branch_names, ratio, strict=True)
        )
ratios = pd.DataFrame(rows).T
# Short training moves weights little; ten times would mean that something is broken.
assert ((ratios > 0.1) & (ratios < 10)).all().all()
table(ratios, dict.fromkeys(branch_names, "{:.2f}"))

# %% [markdown]
# A number above 1 is a branch that training has turned to, one below 1 a branch that it has turned from; where it is
# near 1, the next layer still reads the branch as much as it did by chance. Hold the two seeds of a row against each
# other: what they do not share is no property of the module.
#
# At last, look at the pictures. For three of them, the mean over the channels of each branch of 3a, on its 8×8 grid,
# brightest where the branch answers most:

# %%
shown = ["Shirt", "Ankle boot", "Bag"]
few = train_data.test.images[[first_of[name] for name in shown]]
model, maps = trained["pool1 removed", 0].eval(), []
handle = model.get_submodule("3a").register_forward_hook(
    lambda module, inputs, output: maps.append(output)
)
with torch.no_grad():
    model(normalize(few, train_data.mean, train_data.std))
handle.remove()
columns = [few[:, 0].float() / 255]
for part in maps[0].split(branch_widths("3a"), dim=1):
    mean = part.mean(1)
    columns.append(mean / mean.amax((1, 2), keepdim=True).clamp_min(1e-6))
assert [tuple(column.shape) for column in columns[1:]] == 4 * [(3, 8, 8)]
rows = {name: [each[n].numpy() for each in columns] for n, name in enumerate(shown)}
figure = matrix_gallery(rows, titles=["picture", *branch_names], photographs=True)
alt = (
    f"One row each for {', '.join(shown)}: the picture, then one map of 8×8 places for"
    " each branch of 3a, brighter where its channels answer more strongly."
)
figure_html(figure, alt)

# %% [markdown]
# ### Exercise 5 · Evidence by branch (harder, 15 minutes)
#
# Write `branch_evidence(features, weight, widths)` yourself. `features` has shape (N, C, H, W) and leaves the last
# module; `weight`, shape (C,), is the row of the classifier for one class; `widths` are the channels of the branches in
# order. The result has shape (N, number of branches): what each branch adds to the logit of the class, which comes
# after an average over all places.

# %% tags=["nbval-check-output"]
exercises.branch_evidence


# %% tags=["solution"]
def branch_evidence(
    features: torch.Tensor, weight: torch.Tensor, widths: tuple[int, ...]
) -> torch.Tensor:
    # solution begin
    by_channel = features.mean((2, 3)) * weight
    parts = by_channel.split(list(widths), dim=1)
    return torch.stack([part.sum(1) for part in parts], dim=1)
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.branch_evidence.check(branch_evidence)

# %% [markdown]
# ## Recap
#
# - An Inception module looks with several windows at once and joins the channels; training decides which to use.
# - A 1×1 convolution is a matrix over the channels, the same at every place. Before the windows and after the pool it
#   makes the module affordable: 3a needs 42 % of the naive module's multiplications, and in a stack the naive form
#   grows with every module.
# - GoogLeNet has 22 layers with weights and, counted, seven million parameters, not five. In four rows of the paper's
#   own table the two columns contradict each other.
# - An average before the classifier saves fifty million weights. Its 0.6 points cannot be seen at our scale.
# - Every layer of stride 2 halves the grid. At 32×32, the last modules work on a single place, and nothing warns you.
# - With batch norm a network learns at rates at which it cannot learn without.
# - After an average, a logit is a sum over branches, so their shares of the evidence can be read off exactly.
#
# Where to go on: the 5×5 and 3×3 windows themselves can be had for less. How, and what is lost, is the question of the
# next lesson, on [factorized convolutions](02_factorized_convolutions.ipynb).

# %% [markdown] tags=["navigation"]
# ---
# [All lessons](00_start.ipynb) ·
# Next: [Factorized convolutions](02_factorized_convolutions.ipynb)
