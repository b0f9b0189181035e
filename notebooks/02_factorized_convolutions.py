# ---
# jupyter:
#   course:
#     minutes_read: 70
#     minutes_run: 2
#     title: Factorized convolutions
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
# # Factorized convolutions
#
# A large window sees more of the picture. Yet the Inception networks since 2015 have hardly a window larger than 3×3,
# and those that look large, 1×7 and 7×1, are only one pixel wide. **What does a large window cost, what can take its
# place, and what is lost?**
#
# Afterwards you can
#
# - count the multiplications of a convolution in your head, and say what a replacement saves;
# - prove that a replacement sees the same patch of the picture;
# - say exactly which convolutions a 1×n · n×1 pair can imitate, and which a depthwise-separable one can;
# - tell saved multiplications from saved time, and a real gain in accuracy from noise.
#
# **You need** what a convolution is (window, stride, padding, channels), batch normalisation and ReLU, how a network is
# trained, and the product of two matrices. No other lesson has to come first. All else is explained where it appears.
#
# About 70 minutes to read (150 words or 15 lines of code a minute, a minute for each question), 75 for the seven
# exercises, 2 to run. The paper is C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, *Rethinking the Inception
# Architecture for Computer Vision*, CVPR 2016, section 3. Where this lesson says "the paper", it means this one.
#
# | For a lecture hour | minutes |
# |:--|--:|
# | What a large window costs; first question | 10 |
# | Two 3×3 for a 5×5, proven | 10 |
# | 1×n · n×1 and the explorer; second question | 15 |
# | What a pair cannot do; the end of the road | 15 |
# | Real images: accuracy, multiplications, time | 10 |

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
import numpy as np
import pandas as pd
import torch
from torch import nn

from course_lib import datasets
from course_lib.architecture import (
    Conv,
    Node,
    branches,
    build,
    conv,
    cost,
    depthwise_conv,
    diagram,
    factorize,
    max_pool,
    peel_3x3,
    rewrite,
    split_5x5,
    total,
)
from course_lib.experiments.factorized_layers import (
    LARGE,
    LINEAR_PAIR,
    NARROW_PAIR,
    PAIR,
    SEPARABLE,
    STACK,
    replacements,
    small_classifier,
    thrice,
)
from course_lib.experiments.weights import copy_weights_in_order
from course_lib.explorers import KernelFactorizationExplorer
from course_lib.explorers.timing import forward_milliseconds
from course_lib.reporting.plots import bar_compare, figure_html, matrix_gallery
from course_lib.reporting.records import load_record
from course_lib.reporting.tables import (
    Claim,
    MeanClaim,
    paper_beside_measured,
    table,
)
from course_lib.reporting.training_results import (
    accuracy_error,
    results_table,
    training_results,
)
from course_lib.reporting.verdicts import paired_difference, runs_needed, t_quantile
from course_lib.teaching import Answer, Quiz, fold_answer
from course_lib.teaching.references import factorized_convolutions as exercises
from course_lib.training import Recipe, evaluate, fit

# %% [markdown]
# ## What a large window costs
#
# A window of n×n multiplies n² numbers for each pair of an input and an output channel, at each place of the grid. So
# for a grid of g×g:


# %%
def macs_by_hand(
    kernel_size: int, in_channels: int, out_channels: int, grid: int
) -> int:
    """Multiply-accumulates of one convolution whose output has `grid` x `grid`
    places."""
    return kernel_size**2 * in_channels * out_channels * grid**2


by_hand = {n: macs_by_hand(n, 64, 64, 35) for n in (1, 3, 5, 7)}

# %% [markdown]
# Do not trust the formula; ask PyTorch, which counts the operations as it runs them (one multiply-accumulate, MAC for
# short, is two of its operations), and the course's own `total`, which counts without running anything.

# %% tags=["nbval-check-output"]
from torch.utils.flop_counter import FlopCounterMode

for n, macs in by_hand.items():
    with FlopCounterMode(display=False) as counter:
        nn.Conv2d(64, 64, n, padding="same")(torch.zeros(1, 64, 35, 35))
    assert (
        macs == counter.get_total_flops() / 2 == total(conv(64, n), (64, 35, 35)).macs
    )
table(
    pd.DataFrame(
        {
            "MACs": by_hand,
            "against 3×3": {n: macs / by_hand[3] for n, macs in by_hand.items()},
        }
    )
)

# %% [markdown]
# A 5×5 costs 25/9 = 2.78 times a 3×3: that is the paper's starting point. Twice the window, four times the cost. At the
# other end stands the 1×1: it sees no neighbour at all, and only mixes the channels of one place. Inception networks
# use it to make channels fewer before a dear window.
#
# But a 5×5 can link pixels that a 3×3 never sees together. The paper's idea: let *two* small windows, one after the
# other, see what one large window sees. **Before you run on**, decide:

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "stacked-3x3-saving",
    "Two 3×3 convolutions take the place of one 5×5, all with the same number of"
    " channels. How many multiplications are saved?",
    [
        Answer(
            "None: two windows cost twice as much as one",
            "Two 3×3 need 9 + 9 = 18 multiplications where the 5×5 needs 25.",
        ),
        Answer(
            "28 %",
            "9 + 9 = 18 multiplications instead of 25, and 1 - 18/25 = 28 %.",
            correct=True,
        ),
        Answer(
            "64 %",
            "That is one 3×3 against the 5×5, 1 - 9/25. One 3×3 sees only a 3×3 patch,"
            " so two are needed.",
        ),
        Answer(
            "It depends on the size of the grid",
            "The grid multiplies both costs alike, so it cancels.",
        ),
    ],
)

# %% [markdown]
# ## Two 3×3 see what a 5×5 sees
#
# Which pixels of the input does one unit of the output depend on? They are its *receptive field*, or simply the patch
# that it sees. The gradient tells which they are: it is zero at every pixel that does not matter.


# %% tags=["nbval-check-output"]
def seen_by_the_middle_unit(layer: nn.Module, size: int = 9) -> np.ndarray:
    """1 where a pixel of a `size` x `size` picture has an influence on the middle unit
    of the layer's output."""
    picture = torch.zeros(1, 1, size, size, requires_grad=True)
    layer(picture)[0, 0, size // 2, size // 2].backward()
    return (picture.grad[0, 0] != 0).int().numpy()


torch.manual_seed(0)
one_large = nn.Conv2d(1, 1, 5, padding=2)
two_small = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1))
assert (seen_by_the_middle_unit(one_large) == seen_by_the_middle_unit(two_small)).all()
fold_answer(str(seen_by_the_middle_unit(two_small)))

# %% [markdown]
# The same 5×5 patch. Now the real block, with batch normalisation and ReLU after each convolution, first by hand:


# %%
class TwoSmall(nn.Module):
    """Two 3x3 convolutions in place of one 5x5: (N, channels, H, W) -> (N, channels, H,
    W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels, eps=1e-3)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels, eps=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(x)))


# %% [markdown]
# In this course an architecture is written down as a *value*, in a handful of words:
#
# - `conv(64, 3)` is a 3×3 convolution to 64 channels with batch norm and ReLU; `conv(64, (1, 3), stride=2)` has a
#   window 1 high and 3 wide, and moves in steps of two;
# - `a >> b` feeds what `a` gives into `b`;
# - `branches(a, b)` lets both read the same input, and joins what they give along the channels;
# - `build(value, in_channels=64)` makes the PyTorch module, `total(value, (64, 35, 35))` counts without making it;
# - a *rewrite*, such as `split_5x5(value)`, takes a value and returns another.
#
# Written by hand or built from a value, with the same weights both must give the same numbers. (Both run on the
# processor, in float32, also where you have a GPU, so that the last bit may be asked for. What is *trained* may round
# more coarsely, TF32 on a GPU or bfloat16 on either, and is only held to a band.)

# %% tags=["nbval-check-output"]
stack = conv(64, 3) >> conv(64, 3)
mine, built = TwoSmall(64), build(stack, in_channels=64)
copy_weights_in_order(mine, built)
x = torch.randn(2, 64, 35, 35)
assert torch.equal(mine(x), built(x))
print(built)

# %% [markdown]
# A value can be counted, too. The 5×5:

# %% tags=["nbval-check-output"]
table(cost(conv(64, 5), (64, 35, 35)))

# %% [markdown]
# and the two 3×3:

# %% tags=["nbval-check-output"]
table(cost(stack, (64, 35, 35)))

# %% tags=["nbval-check-output"]
large, small = total(conv(64, 5), (64, 35, 35)), total(stack, (64, 35, 35))
assert small.receptive_field == large.receptive_field == (5, 5)
print(f"saved: {1 - small.macs / large.macs:.1%}")

# %% [markdown]
# ### Exercise 1 · A stack in place of n×n (easy, 5 minutes)
#
# A 7×7 takes more than two 3×3. Write `stack_saving(kernel_size)`: which share of the multiplications does a stack of
# 3×3, which sees just as much, save against one n×n, n odd, at equal widths?

# %% tags=["nbval-check-output"]
exercises.stack_saving


# %% tags=["solution"]
def stack_saving(kernel_size: int) -> float:
    # solution begin
    return 1 - 9 * (kernel_size - 1) / 2 / kernel_size**2
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.stack_saving.check(stack_saving)

# %% [markdown]
# ### When widths differ
#
# 28 %, as the paper says, *when all widths are equal*. In Inception-v3 they are not. Its blocks on the 35×35 grid hold
# both forms side by side: one branch goes 192 → 48 → 64 with a 5×5, the other 192 → 64 → 96 → 96 with two 3×3.

# %% tags=["nbval-check-output"]
five = total(conv(48, 1) >> conv(64, 5), (192, 35, 35)).macs
three_three = total(conv(64, 1) >> conv(96, 3) >> conv(96, 3), (192, 35, 35)).macs
print(
    f"branch with the 5×5: {five / 1e6:.0f} M, branch with two 3×3:"
    f" {three_three / 1e6:.0f} M"
)

# %% [markdown]
# The branch with the two 3×3 costs nearly twice as much, since it is wider and makes 96 channels instead of 64. The
# saving belongs to the widths, too.

# %% [markdown]
# ### From one block to the next
#
# What the paper does to a convolution, `split_5x5` does to any value: it is a function from architecture to
# architecture. Here is block 3a of GoogLeNet, the network of 2014 (C. Szegedy et al., *Going Deeper with Convolutions*,
# CVPR 2015, table 1). It is an *Inception module*: a few branches read the same input, each with a window of its own
# after a 1×1 that makes channels fewer, and what they give is joined:

# %% tags=["nbval-check-output"]
block_3a = branches(
    conv(64, 1),
    conv(96, 1) >> conv(128, 3),
    conv(16, 1) >> conv(32, 5),
    max_pool(3) >> conv(32, 1),
)
diagram(block_3a, (192, 28, 28))

# %% [markdown]
# and after the rewrite (figure 5 of the paper). Only the third branch has changed.

# %% tags=["nbval-check-output"]
diagram(split_5x5(block_3a), (192, 28, 28))

# %% tags=["nbval-check-output"]
before, after = (
    total(value, (192, 28, 28)) for value in (block_3a, split_5x5(block_3a))
)
assert after.out_shape == before.out_shape
print(f"block: {before.macs / 1e6:.1f} M MACs before, {after.macs / 1e6:.1f} M after")

# %% [markdown]
# The block got *dearer*. The 5×5 led from 16 to 32 channels; of the two 3×3, the second goes from 32 to 32, and 9·16 +
# 9·32 is more than 25·16. A rewrite that saves 28 % at equal widths can cost at others: count before you believe.

# %% [markdown]
# ## One pixel wide: 1×n and n×1
#
# Why stop at 3×3? The paper takes an n×n window apart into a row and a column: first 1×n, then n×1. **Before you run
# on:**

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "asymmetric-saving",
    "A 3×3 can become 1×3 and 3×1, or two 2×2 (which see 3×3 as well). Widths stay"
    " equal. Which saves more?",
    [
        Answer(
            "Both save the same: each sees a 3×3 patch",
            "The patch is the same, the number of weights is not: 3 + 3 against 4 + 4.",
        ),
        Answer(
            "The two 2×2", "They need 4 + 4 = 8 multiplications instead of 9: 11 %."
        ),
        Answer(
            "The 1×3 and 3×1",
            "3 + 3 = 6 multiplications instead of 9: 33 %, against 11 % for two 2×2.",
            correct=True,
        ),
    ],
)

# %% tags=["nbval-check-output"]
shape, bare = (64, 17, 17), {"norm": False, "bias": False}
three, five = conv(64, 3, **bare), conv(64, 5, **bare)
saving = {
    "two 3×3 for a 5×5 save (section 3.1)": (28, five, split_5x5(five)),
    "1×3 and 3×1 for a 3×3 save (section 3.2)": (33, three, factorize(three, 3)),
    "two 2×2 for a 3×3 save (section 3.2)": (
        11,
        three,
        conv(64, 2, **bare) >> conv(64, 2, **bare),
    ),
}
claims = [
    Claim(
        "a 5×5 costs times a 3×3 (section 3.1)",
        2.78,
        by_hand[5] / by_hand[3],
        (2.775, 2.785),
        "rounded",
        "{:.2f}",
    )
]
for claim, (paper, old, new) in saving.items():
    saved = 100 * (1 - total(new, shape).params / total(old, shape).params)
    claims.append(
        Claim(
            claim,
            paper,
            saved,
            (paper - 0.5, paper + 0.5),
            "rounded in the paper",
            "{:.1f} %",
        )
    )
fold_answer(paper_beside_measured(claims))

# %% [markdown]
# The larger the window, the larger the gain. By how much, you work out yourself:

# %% [markdown]
# ### Exercise 2 · The cost of a pair (easy, 5 minutes)
#
# Write `pair_saving(kernel_size)`: which share of the multiplications do 1×n and n×1 save, at equal widths?

# %% tags=["nbval-check-output"]
exercises.pair_saving


# %% tags=["solution"]
def pair_saving(kernel_size: int) -> float:
    # solution begin
    return 1 - 2 / kernel_size
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.pair_saving.check(pair_saving)

# %% [markdown]
# In the explorer, start with the case just counted, then try:
#
# 1. **kernel size** 7, **into** "1×n and n×1": how much is saved?
# 2. **kernel size** 5, **into** "a stack of 3×3", **rewrites** 1, **stride** 2: why does the bar pass the dashed line?
# 3. Press **Measure time** for several sizes. Does time shrink as multiplications do?

# %% tags=["nbval-check-output"]
explorer = KernelFactorizationExplorer(kernel_size=3, channels=64, grid=17, rewrites=1)
explorer

# %% [markdown]
# To 2: with stride 2 only the *last* layer of the stack moves in steps of two. The first 3×3 still visits every place
# of the large grid, four times as many as the 5×5 visited. The explorer shows what `factorize_kernel` returns, and you
# can ask it directly:

# %% tags=["nbval-check-output"]
from course_lib.explorers.kernel_factorization.result import factorize_kernel

result = factorize_kernel(kernel_size=5, channels=64, grid=36, stride=2, rewrites=1)
assert result.after.macs == (4 * 9 + 9) / 25 * result.before.macs
print(result.summary)

# %% [markdown]
# ### Exercise 3 · Find the planted bug (medium, 10 minutes)
#
# How large is the patch that a stack sees if its layers have strides? This function should tell, for one direction,
# from the (window, stride) of each layer, the one that reads the picture first. For stride 1 it is right:


# %% tags=["nbval-check-output"]
def patch_seen_with_bug(layers: list[tuple[int, int]]) -> int:
    seen, apart = 1, 1  # pixels seen; pixels from one unit to its neighbour
    for window, stride in layers:
        apart *= stride
        seen += (window - 1) * apart
    return seen


strided = conv(8, 3, 2) >> conv(8, 3)
print("3×3 · 3×3:", patch_seen_with_bug([(3, 1), (3, 1)]))
print("3×3 with stride 2 · 3×3:", patch_seen_with_bug([(3, 2), (3, 1)]))
print("what total says of the latter:", total(strided, (8, 33, 33)).receptive_field)

# %% [markdown]
# Find out why, and write `patch_seen` without the bug.

# %% tags=["nbval-check-output"]
exercises.patch_seen


# %% tags=["solution"]
def patch_seen(layers: list[tuple[int, int]]) -> int:
    # solution begin
    seen, apart = 1, 1
    for window, stride in layers:
        seen += (window - 1) * apart
        apart *= stride
    return seen
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.patch_seen.check(patch_seen)

# %% [markdown]
# ## Side by side: figure 7
#
# On its smallest grid, 8×8, the paper does not put the 3×1 *after* the 1×3 but *beside* it (figure 7): both read the
# same input, and their outputs are joined. The aim there is many channels, 2048 in all, for little.

# %% tags=["nbval-check-output"]
beside = branches(conv(384, (1, 3)), conv(384, (3, 1)))
after = conv(384, (1, 3)) >> conv(768, (3, 1))
forms = {"3×3": conv(768, 3), "1×3 beside 3×1": beside, "1×3, then 3×1": after}
wide = {name: total(value, (384, 8, 8)) for name, value in forms.items()}
assert wide["1×3 beside 3×1"].macs * 3 == wide["3×3"].macs
assert {size.out_shape for size in wide.values()} == {(768, 8, 8)}
table(
    pd.DataFrame(
        {n: {"parameters": size.params, "MACs": size.macs} for n, size in wide.items()}
    ).T
)

# %% [markdown]
# From 384 to 768 channels, side by side costs a third of a 3×3, and less than one after the other. What is lost?
# **Guess**: which pixels does the middle place of the output see, all its channels together?

# %% tags=["nbval-check-output"]
torch.manual_seed(0)
row, column = (nn.Conv2d(1, 1, k, padding="same") for k in ((1, 3), (3, 1)))
seen = {
    "beside": seen_by_the_middle_unit(lambda x: row(x) + column(x), size=5),
    "after": seen_by_the_middle_unit(nn.Sequential(row, column), size=5),
}
assert (seen["beside"].sum(), seen["after"].sum()) == (5, 9)
fold_answer(*(f"{name}:\n{patch}" for name, patch in seen.items()))

# %% [markdown]
# <details><summary>Show the answer</summary>
#
# A cross of five pixels, without the corners; and each channel alone sees only its row or its column. `total` calls the
# receptive field 3×3 for both, since it gives the height and the width of the patch, not its shape. The corners have to
# wait for the next layer: in Inception-v3 two such modules follow each other.
#
# </details>

# %% [markdown]
# ## What a pair cannot do
#
# Fewer weights, so something must be lost. What? Take one channel and no ReLU between: first a row h of n weights, then
# a column v of n weights. On its way to the output the pixel in row a and column b of the window is multiplied by h[b],
# then by v[a]. So both together are the n×n kernel whose entry (a, b) is v[a]·h[b], a column times a row. Such a matrix
# has **rank one**, or is *separable*. Any matrix is a sum of such products; the least number of them that it takes is
# its **rank**.
#
# The *singular value decomposition* (SVD, `np.linalg.svd`) finds these products, the largest first, and no single one
# comes nearer to the matrix than the first (Eckart and Young 1936; near is a small sum of squared differences). So it
# is the best that a pair can do. Below each is the share of the kernel's *energy*, the sum of its squares, that is
# kept; orange is above 0 and purple below, each picture on its own scale:


# %%
def best_pair(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Column (n, 1) and row (1, n) whose product is nearest to `kernel`."""
    u, s, vt = np.linalg.svd(kernel)
    return u[:, :1] * s[0], vt[:1]


t = np.arange(-3, 4)
kernels = {
    "blur": np.exp(-(t[:, None] ** 2 + t**2) / 4.0),
    "vertical edge": np.exp(-(t[:, None] ** 2) / 4.0) * t,
    "ring": np.exp(-((np.hypot(t[:, None], t) - 2) ** 2)),
    "diagonal edge": (t[:, None] - t) * np.exp(-(t[:, None] ** 2 + t**2) / 6.0),
    "diagonal line": np.eye(7),
}

# %% tags=["nbval-check-output"]
pairs = {
    name: column @ row
    for name, (column, row) in (
        (name, best_pair(kernel)) for name, kernel in kernels.items()
    )
}
kept = {
    name: (pairs[name] ** 2).sum() / (kernel**2).sum()
    for name, kernel in kernels.items()
}
assert np.isclose(kept["blur"], 1)
assert np.isclose(kept["vertical edge"], 1)
captions = [f"{share:.0%} kept" for share in kept.values()]
figure = matrix_gallery(
    {"kernel": kernels.values(), "best pair": pairs.values()},
    titles=list(kernels),
    captions=captions,
)
alt = "Five 7x7 kernels above the best that a 1x7 and a 7x1 make. Energy kept: "
figure_html(
    figure, alt + ", ".join(f"{name} {share:.0%}" for name, share in kept.items())
)

# %% [markdown]
# Blur and straight edges survive unharmed. A ring becomes a square, strongest in its four corners; a diagonal edge
# loses half of its energy, a diagonal line six sevenths. Check on a real photograph of a shirt, with PyTorch's own
# convolutions, that "unharmed" is meant word for word:

# %%
data = datasets.load("fashion_mnist")
shirt = (
    data.train.images[data.train.labels == data.classes.index("Shirt")][:1].float()
    / 255
)


def filtered(picture: torch.Tensor, *weights: np.ndarray) -> torch.Tensor:
    """The picture after one convolution with each kernel in turn."""
    for weight in weights:
        picture = nn.functional.conv2d(
            picture, torch.tensor(weight, dtype=torch.float32)[None, None]
        )
    return picture


column, row = best_pair(kernels["vertical edge"])
assert torch.allclose(
    filtered(shirt, kernels["vertical edge"]), filtered(shirt, row, column), atol=1e-5
)
column, row = best_pair(kernels["diagonal line"])
assert not torch.allclose(
    filtered(shirt, kernels["diagonal line"]), filtered(shirt, row, column), atol=1e-1
)

# %% [markdown]
# ### With many channels a pair can do more
#
# A network's layer has many channels: one n×n kernel for each pair of an input and an output channel. Lay the kernels
# out like tiles, a row of tiles for each output channel and a column of tiles for each input channel. From 16 to 16
# channels, 7×7 kernels tile one large matrix of 112×112.
#
# A pair has 1×n kernels h from the inputs to M channels between, and n×1 kernels v from these to the outputs. What
# leads from input i to output o goes through all M of them and adds up: entry (a, b) of that n×n kernel is the sum over
# m of v[o, a, m] · h[m, i, b]. This is a product of two matrices: a narrow one, with a row for each (o, a) and M
# columns, and a low one, with M rows and a column for each (i, b). The tiles have just these rows and columns.
#
# And a product through M is a sum of M columns times rows, of rank M at most. So **a pair without ReLU can imitate
# exactly the layers whose matrix has rank M or less**, and the SVD finds the nearest pair for all others.


# %%
def as_matrix(weight: torch.Tensor) -> torch.Tensor:
    """(out, in, n, n) weights as one (out * n, in * n) matrix of n x n tiles."""
    out_channels, in_channels, height, width = weight.shape
    return weight.permute(0, 2, 1, 3).reshape(
        out_channels * height, in_channels * width
    )


def pair_of(weight: torch.Tensor, middle: int) -> tuple[torch.Tensor, torch.Tensor]:
    """1xn weights (middle, in, 1, n) and nx1 weights (out, middle, n, 1) nearest to an
    nxn layer."""
    out_channels, in_channels, n, _ = weight.shape
    u, s, vt = torch.linalg.svd(as_matrix(weight), full_matrices=False)
    column = (
        (u[:, :middle] * s[:middle])
        .reshape(out_channels, n, middle)
        .permute(0, 2, 1)[..., None]
    )
    row = vt[:middle].reshape(middle, in_channels, n)[:, :, None, :]
    return row, column


weight = torch.arange(54.0).reshape(3, 2, 3, 3)
assert torch.equal(as_matrix(weight)[3:6, :3], weight[1, 0])  # tile (1, 0)
assert torch.equal(as_matrix(weight)[6:9, 3:], weight[2, 1])  # tile (2, 1)


# %% tags=["nbval-check-output"]
torch.manual_seed(0)
layer = torch.randn(16, 16, 7, 7)
x = torch.randn(1, 16, 20, 20)
wanted = nn.functional.conv2d(x, layer)
for middle in (16, 56, 112):
    row, column = pair_of(layer, middle)
    error = (
        nn.functional.conv2d(nn.functional.conv2d(x, row), column) - wanted
    ).norm() / wanted.norm()
    print(
        f"{middle:3d} channels between: error {error:.2f}, cost"
        f" {(row.numel() + column.numel()) / layer.numel():.2f} of the 7×7"
    )
assert error < 1e-4

# %% [markdown]
# With all 112 = 16·7 channels between, the pair is exact, and costs twice the 7×7 it replaces. With as many channels as
# the layer itself (16), it costs 29 % and misses most of a *random* layer. Whether a *trained* layer is as unruly is a
# question for data.

# %% [markdown]
# ### Exercise 4 · How wide may the middle be? (medium, 10 minutes)
#
# Widths need not be equal. A pair leads from `in_channels` through `middle` to `out_channels`. Write `widest_middle`:
# the largest number of channels between with which the pair has no more weights than the n×n convolution.

# %% tags=["nbval-check-output"]
exercises.widest_middle


# %% tags=["solution"]
def widest_middle(kernel_size: int, in_channels: int, out_channels: int) -> int:
    # solution begin
    return kernel_size * in_channels * out_channels // (in_channels + out_channels)
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.widest_middle.check(widest_middle)

# %% [markdown]
# ## The end of the road: depthwise-separable
#
# The pair separates height from width. The convolution can be cut elsewhere, too: filter *each channel by itself*, with
# an n×n window of its own (*depthwise*), then mix the channels with a 1×1. Xception (F. Chollet, CVPR 2017,
# arXiv:1610.02357) takes this for the extreme form of an Inception module; MobileNets (A. Howard et al. 2017,
# arXiv:1704.04861) and many networks since are made of it. By hand, against `depthwise_conv` and a 1×1:

# %%
bare = {"norm": False, "bias": False, "activation": "linear"}
separable = build(depthwise_conv(16, 7, **bare) >> conv(16, 1, **bare), 16)
depthwise, mixing = separable.state_dict().values()
assert (depthwise.shape, mixing.shape) == ((16, 1, 7, 7), (16, 16, 1, 1))

x = torch.randn(2, 16, 20, 20)
filtered_alone = [
    nn.functional.conv2d(x[:, [i]], depthwise[[i]], padding=3) for i in range(16)
]
# At each place (h, w) of each picture n: the matrix `mixing` times the channels i.
by_hand = torch.einsum(
    "oi,nihw->nohw", mixing[:, :, 0, 0], torch.cat(filtered_alone, 1)
)
assert torch.allclose(separable(x), by_hand, atol=1e-5)

# %% [markdown]
# What can it imitate? Its kernel from channel i to channel o is `mixing[o, i] * depthwise[i]`: **all kernels that start
# at one input channel are multiples of one kernel.** That kernel may be a diagonal or a ring, which a pair through one
# channel cannot; but a layer that wants the vertical *and* the horizontal edges of a channel needs two windows on it.
# Both statements, proven:

# %%
whole = mixing * depthwise[:, 0]  # (out, in, 7, 7)
assert torch.allclose(
    separable(x), nn.functional.conv2d(x, whole, padding=3), atol=1e-5
)


def nearest_separable(weight: torch.Tensor) -> torch.Tensor:
    """The (out, in, n, n) weights nearest to `weight` that depthwise and 1x1 can
    make."""
    out_channels, in_channels, n, _ = weight.shape
    kernels = weight.transpose(0, 1).flatten(2)  # per input channel (out, n * n)
    u, s, vt = torch.linalg.svd(kernels, full_matrices=False)
    nearest = u[:, :, :1] * s[:, None, :1] @ vt[:, :1]
    return nearest.reshape(in_channels, out_channels, n, n).transpose(0, 1)


assert torch.allclose(nearest_separable(whole), whole, atol=1e-6)
edges = torch.tensor(kernels["vertical edge"], dtype=torch.float32)
edges = torch.stack([edges, edges.T])[:, None]  # two kernels from one channel
kept = (nearest_separable(edges).square().sum() / edges.square().sum()).item()
assert abs(kept - 0.5) < 1e-3  # one of the two is lost

# %% [markdown]
# And the cost, beside the others, for 7×7 and 64 channels:

# %% tags=["nbval-check-output"]
ways = {
    "7×7": conv(64, 7),
    "1×7 · 7×1": factorize(conv(64, 7), 7),
    "7×7 a channel · 1×1": depthwise_conv(64, 7, **bare) >> conv(64, 1),
}
costs = {name: total(value, (64, 17, 17)) for name, value in ways.items()}
assert len({size.receptive_field for size in costs.values()}) == 1
table(
    pd.DataFrame(
        {
            name: {
                "parameters": size.params,
                "MACs": size.macs,
                "share of MACs": size.macs / costs["7×7"].macs,
            }
            for name, size in costs.items()
        }
    ).T,
    {"share of MACs": "{:.1%}"},
)

# %% [markdown]
# ### Exercise 5 · The cost of separable (medium, 10 minutes)
#
# Write `separable_share(kernel_size, in_channels, out_channels)`: which share of the multiplications of an n×n
# convolution is *left* if each input channel is filtered by an n×n window of its own and a 1×1 then makes
# `out_channels`?

# %% tags=["nbval-check-output"]
exercises.separable_share


# %% tags=["solution"]
def separable_share(kernel_size: int, in_channels: int, out_channels: int) -> float:
    # solution begin
    return 1 / out_channels + 1 / kernel_size**2
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.separable_share.check(separable_share)

# %% [markdown]
# ## On real images
#
# Pictures of clothes in ten classes, 28×28 pixels: 5,000 to train, 2,000 to test. The first convolution halves the grid
# to 14×14, which lies in the range of 12 to 20 for which the paper recommends 1×n · n×1. Three 7×7 convolutions follow,
# and these we exchange; `small_classifier` adds what comes before and after. (`peel_3x3` takes one 3×3 off a window,
# 7×7 → 5×5 · 3×3; the rest is then split. Two of the pairs are special: one has no ReLU between, one only 4 channels.)

# %%
sevens = conv(16, 7) >> conv(16, 7) >> conv(16, 7)
middles = {
    LARGE: sevens,
    STACK: split_5x5(peel_3x3(sevens, 7)),
    PAIR: factorize(sevens, 7),
    LINEAR_PAIR: factorize(sevens, 7, between="linear"),
    NARROW_PAIR: thrice(conv(4, (1, 7)) >> conv(16, (7, 1))),
    SEPARABLE: thrice(depthwise_conv(16, 7, **bare) >> conv(16, 1)),
}
networks = {name: small_classifier(middle) for name, middle in middles.items()}
assert networks == replacements()  # those of the recorded runs below

# %% tags=["nbval-check-output"]
sizes = {name: total(net, (1, 28, 28)) for name, net in networks.items()}
assert len({size.receptive_field for size in sizes.values()}) == 1


def modules(value: Node, kind: type[nn.Module]) -> int:
    """How many modules of this kind the network has."""
    return sum(isinstance(module, kind) for module in build(value, 1).modules())


differ = {
    name: {
        "parameters": size.params,
        "MACs": size.macs,
        "convolutions": modules(networks[name], nn.Conv2d),
        "batch norms": modules(networks[name], nn.BatchNorm2d),
        "ReLUs": modules(networks[name], nn.ReLU),
    }
    for name, size in sizes.items()
}
table(pd.DataFrame(differ).T)

# %% [markdown]
# All see the same patch of the picture, and nothing else about them is equal: a cheaper layer has fewer parameters, and
# most have more batch norms and ReLUs. So what we compare is one whole replacement with another, not one cause.
#
# **Write down your guess**: by how many points of accuracy will the cheapest trail the 7×7? Three of the six are
# trained here, each twice from different first weights.

# %%
recipe = Recipe(epochs=3)
train_data = data.subset(train=5000)


def train(name: str, seed: int) -> tuple[nn.Module, pd.DataFrame]:
    """The named network, trained from the first weights that `seed` gives, and its
    history."""
    torch.manual_seed(seed)
    model = build(networks[name], in_channels=1)
    return model, fit(model, train_data, recipe)


runs = {}

# %%
for seed in (0, 1):
    runs[LARGE, seed] = train(LARGE, seed)

# %%
for seed in (0, 1):
    runs[PAIR, seed] = train(PAIR, seed)

# %%
for seed in (0, 1):
    runs[SEPARABLE, seed] = train(SEPARABLE, seed)

# %%
trained_here = (LARGE, PAIR, SEPARABLE)
results = training_results(
    {name: [runs[name, seed][1] for seed in (0, 1)] for name in trained_here}, sizes
)
# Guessing gives 10 %: a network below 50 % has not learned, and the comparison would
# mean nothing.
assert (results["accuracy"] > 50).all()
results_table(results)

# %% [markdown]
# ### How much of that is noise?
#
# (The seconds are by the clock, which also counts what else the machine had to do; more on time below.)
#
# Two things move an accuracy. The pictures: by chance others might have been in the test. How far that typically moves
# a number is its *standard error*: √(p(1-p)/2000) for an accuracy p on 2,000 pictures, and up to √2 times as much for
# the difference of two (less if both networks fail on the same pictures). And the first weights: two runs of one
# network differ, too.

# %%
p = results["accuracy"].mean() / 100
error = 100 * 2**0.5 * accuracy_error(p, len(train_data.test.labels))
spread = (results["seed 0"] - results["seed 1"]).abs().max()
print(f"from pictures, standard error of a difference: up to {error:.1f} points")
print(f"from first weights: two runs of one network differ by up to {spread:.1f}")
for name in (PAIR, SEPARABLE):
    gap = results.loc[name, "accuracy"] - results.loc[LARGE, "accuracy"]
    saved = 1 - sizes[name].macs / sizes[LARGE].macs
    print(f"{name}: {gap:+.1f} points for {saved:.0%} fewer MACs")
    # A few points are what so short a training may cost; beyond 15 something is broken.
    assert abs(gap) < 15
print(f"two runs: a 95 % interval is ± {t_quantile(0.975, 1):.1f} standard errors")

# %% [markdown]
# A *95 % interval* reaches so far around a measured mean that of 100 intervals made like this about 95 hold the true
# one. How many standard errors that takes depends on the number of runs; *Student's t* says how many, with two runs
# nearly 13: two runs can hardly tell anything. More runs take longer than a lesson, so they were *recorded*: all six
# networks, with the same recipe and pictures, the seed now also deciding the order of the pictures. Runs of the same
# seed are compared with each other.

# %% tags=["nbval-check-output"]
record = load_record("factorized_layers")
recorded = 100 * record.rows.pivot(
    index="seed", columns="network", values="test_accuracy"
)
against = {
    name: paired_difference(recorded[name], recorded[LARGE])
    for name in networks
    if name != LARGE
}
assert all(-10 < difference.interval[0] < -1 for difference in against.values())
table(
    pd.DataFrame(
        {
            name: {
                "runs": difference.runs,
                "MACs": sizes[name].macs / sizes[LARGE].macs,
                "accuracy, %": recorded[name].mean(),
                "against 7×7": difference.mean,
                "95 % from": difference.interval[0],
                "to": difference.interval[1],
                "differs?": "yes" if difference.shown else "cannot tell",
            }
            for name, difference in against.items()
        }
    ).T,
    {"MACs": "{:.0%}", "accuracy, %": "{:.1f}"}
    | dict.fromkeys(("against 7×7", "95 % from", "to"), "{:+.1f}"),
    record=record,
)

# %% [markdown]
# Read the last column first. "Cannot tell" does not mean equal: the runs exclude what lies outside the interval, and
# nothing else. Intervals of so few runs reach several points to either side, so a loss of one point, which would matter
# on ImageNet, could hide in each of them. What is excluded for all five is a loss of ten points, though the cheapest
# does with an eighth of the multiplications. And all of it holds for a short training of small networks.

# %% [markdown]
# ### Multiplications are not time
#
# The pair needs a third of the multiplications of the 7×7, the separable form a seventh. Do they need a third and a
# seventh of the time? One forward pass of each whole network, 64 pictures, the networks taking turns. What is read is
# how long the processor works for this lesson, on all threads, so that other work on the machine does not count (for a
# GPU, and on Windows, the clock):

# %%
timed = (LARGE, STACK, PAIR, SEPARABLE)
milliseconds = forward_milliseconds(
    [networks[name] for name in timed],
    (1, 28, 28),
    batch_size=64,
    seconds=2.0,
    processor=True,
)
series = {
    "MACs": [100 * sizes[name].macs / sizes[LARGE].macs for name in timed],
    "time": [100 * time / milliseconds[0] for time in milliseconds],
}
# Each has work that no MAC counts: the two cheaper ones cannot be as fast as counted.
assert series["time"][2] > series["MACs"][2]
assert series["time"][3] > series["MACs"][3]
for what in ("batch norms", "ReLUs"):
    assert differ[SEPARABLE][what] == differ[LARGE][what] < differ[PAIR][what]
figure = bar_compare(
    timed, series, xlabel="share of the 7×7 network's, %", number_format="{:.0f} %"
)
shown = (
    f"{n} {m:.0f} % and {t:.0f} %"
    for n, m, t in zip(timed, *series.values(), strict=True)
)
figure_html(figure, f"MACs and time of a pass, shares of the 7×7: {'; '.join(shown)}")

# %% [markdown]
# The pair and the separable form save less time than multiplications. The explanation that comes to mind: each small
# convolution brings a batch norm and a ReLU of its own, which multiply little but read and write the whole tensor
# again. Of the separable form that is not true, it has as many of them as the 7×7. Of the pair it is. If it were all, a
# *bare* pair, without either, would take 2/7 = 29 % of a bare 7×7's time. So test it, for narrow and wide layers on
# several grids:


# %%
def time_share(channels: int, grid: int, pictures: int = 8, **options: object) -> float:
    """Time of 1x7 and 7x1 as a share of the 7x7's, in a forward pass."""
    seven = conv(channels, 7, **options)
    forms = (
        seven,
        conv(channels, (1, 7), **options) >> conv(channels, (7, 1), **options),
    )
    shape = (channels, grid, grid)
    whole, pair = forward_milliseconds(
        forms, shape, batch_size=pictures, seconds=0.3, processor=True
    )
    return pair / whole


grids = (28, 14, 7)
shares = {}
for channels in (16, 64, 128):
    for form, options in {"": {}, ", bare": bare}.items():
        shares[f"{channels} channels{form}"] = {
            f"{grid}×{grid}": time_share(channels, grid, **options) for grid in grids
        }
shares["16 channels, bare, 256 pictures"] = {
    f"{grid}×{grid}": time_share(16, grid, pictures=256, **bare) for grid in grids
}
shares = pd.DataFrame(shares).T
# Were batch norm and ReLU all, this would be 0.29.
assert shares.loc["16 channels, bare", "7×7"] > 0.4
table(shares, dict.fromkeys(shares.columns, "{:.0%}"))

# %% [markdown]
# It is not all: on the 7×7 grid the bare pair of narrow layers, too, takes far more than 29 %. A second explanation:
# two convolutions have to be started instead of one, which costs the same however small they are. Then it must be
# forgotten among many pictures, and the share fall to 29 %:

# %%
few, many = (
    shares.loc[f"16 channels, bare{more}", "7×7"] for more in ("", ", 256 pictures")
)
print(f"7×7 grid, 16 channels, bare: {few:.0%} with 8 pictures, {many:.0%} with 256")
print("falls:", "yes" if many < few - 0.1 else "no")
print("to 29 %:", "yes" if many < 0.35 else "no")

# %% [markdown]
# Falls, but not to 29 %: then starting is a part of it. Does not fall: then it is not, on this machine.
#
# What is left over may lie in reading and writing. The pair multiplies less for each number that it reads, least where
# channels are few. Then wide layers on large grids must come nearest to 29 %. Look whether they do; and mind that they
# would, too, if the library's code simply were at its best for wide layers. This table cannot tell one from the other.
#
# A saving on paper is a promise; a measurement on *your* machine, with your widths, says whether it is kept.

# %% [markdown]
# ## Where on the grid?
#
# The paper reports, from practice, that the pair does not work well on early layers and works very well on medium
# grids, of 12 to 20 places on a side (section 3.2). The multiplications do not explain it: they shrink to 2/n on every
# grid. That leaves accuracy. To test it, put a pair on one grid of a network and not on the others. But
# which layers are on these grids? **Two fair designs** come to mind; look what a pair takes away in each:

# %% tags=["nbval-check-output"]
designs = {"widths double": (16, 32, 64), "widths equal": (24, 24, 24)}
taken = {}
for design, widths in designs.items():
    for grid, width in zip((28, 14, 7), widths, strict=True):
        large = total(conv(width, 7), (width, grid, grid))
        pair = total(factorize(conv(width, 7), 7), (width, grid, grid))
        assert pair.macs / large.macs == 2 / 7
        taken[f"{design}: {width} on {grid}×{grid}"] = {
            "parameters less": large.params - pair.params,
            "MACs less": large.macs - pair.macs,
        }
table(pd.DataFrame(taken).T)

# %% [markdown]
# Where widths double as the grid halves, which is how networks are built, every pair saves the same multiplications,
# but on the 7×7 grid it takes 16 times as many parameters away as on the 28×28 grid. Where widths are equal, every pair
# takes the same parameters away, but on the 28×28 grid it saves 16 times as many multiplications as on the 7×7 grid.
# **No design holds both**: the place of a pair cannot be separated from its size.
#
# Recorded is the first: a network with one 7×7 on each of its grids, in which one of the three becomes a pair. A pair
# also brings one batch norm and one ReLU more.

# %% tags=["nbval-check-output"]
record = load_record("factorization_by_grid")
rows = record.rows.rename(columns={"pair_on_grid": "grid"})
runs_by_grid = 100 * rows.pivot(index="seed", columns="grid", values="test_accuracy")
size_by_grid = rows.groupby("grid")[["params", "macs"]].first()
gaps = {g: paired_difference(runs_by_grid[g], runs_by_grid[0]) for g in (28, 14, 7)}
by_grid = {
    f"{grid}×{grid}": {
        "parameters": size_by_grid.params[grid] / size_by_grid.params[0],
        "MACs": size_by_grid.macs[grid] / size_by_grid.macs[0],
        "accuracy, %": runs_by_grid[grid].mean(),
        "against none": gap.mean,
        "95 % from": gap.interval[0],
        "to": gap.interval[1],
        "runs that would tell 1 point": runs_needed(gap, 0.5),
    }
    for grid, gap in gaps.items()
}
assert [gap.shown for gap in gaps.values()] == [None, None, None]
table(
    pd.DataFrame(by_grid).T.rename_axis("pair on the grid"),
    {"parameters": "{:.0%}", "MACs": "{:.0%}", "accuracy, %": "{:.1f}"}
    | dict.fromkeys(("against none", "95 % from", "to"), "{:+.1f}"),
    record=record,
)

# %% [markdown]
# (Parameters and MACs as shares of the network without a pair.) All three intervals hold 0: these five runs **cannot
# tell** whether a pair costs accuracy on any of the grids, nor in which order. The paper's observation is neither shown
# nor refuted here. And had the pair on the 7×7 grid come out worst beyond doubt, we should not know why: it is the one
# that takes more than half of the network's parameters away, the one on 28×28 takes 3 %.

# %% [markdown]
# ## How unruly is a trained layer?
#
# Back to the question left open: with as many channels between as the layer has, a pair misses most of a *random*
# layer. Take the trained 7×7 network, put the nearest pair in place of each of its three 7×7 layers **without training
# again**, and see what it still knows.

# %%
import copy


def with_pairs(model: nn.Module, middle: int) -> nn.Module:
    """A copy of the trained 7x7 network with the nearest pair of `middle` channels in
    place of each 7x7."""
    model = copy.deepcopy(model)
    for name in ("1", "2", "3"):
        unit = model.get_submodule(name)
        row, column = pair_of(unit.conv.weight.detach().float(), middle)
        first = nn.Conv2d(row.shape[1], middle, (1, 7), padding=(0, 3), bias=False)
        second = nn.Conv2d(middle, column.shape[0], (7, 1), padding=(3, 0), bias=False)
        first.weight.data, second.weight.data = row, column
        unit.conv = nn.Sequential(first, second).to(unit.conv.weight.device)
    return model


# %% [markdown]
# One thing would spoil the test: each batch norm still holds the mean and the variance of what the 7×7 gave. So both
# are shown, the statistics as they were, and measured anew on training pictures (no weight is trained):


# %%
def norms_anew(model: nn.Module) -> nn.Module:
    """A copy whose batch norms hold the statistics of 2,000 training pictures."""
    model = copy.deepcopy(model).train()
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over all batches
    pixels = train_data.train.images[:2000].float() / 255
    mean, std = (part[:, None, None] for part in (train_data.mean, train_data.std))
    with torch.no_grad():
        for batch in ((pixels - mean) / std).split(250):
            model(batch)
    return model.eval()


# %%
def test_accuracy(model: nn.Module) -> float:
    """Share of the test pictures that the model names rightly."""
    return evaluate(model, train_data.test, train_data).accuracy


trained, history = runs[LARGE, 0]
trained = trained.cpu()
accuracy = test_accuracy(trained)
imitated = {}
for middle in (1, 4, 8, 16, 112):
    pairs_in = with_pairs(trained, middle)
    as_they_were, anew = test_accuracy(pairs_in), test_accuracy(norms_anew(pairs_in))
    imitated[middle] = {"statistics as they were": as_they_were, "measured anew": anew}
imitated = pd.DataFrame(imitated).T.rename_axis("channels between")
# 112 = 16 · 7 channels between are enough for any 7×7 with 16 channels, up to rounding
# in bfloat16.
assert abs(imitated.loc[112, "statistics as they were"] - accuracy) < 0.01
print(f"the 7×7 itself: {accuracy:.1%}")
table(imitated, dict.fromkeys(imitated.columns, "{:.1%}"))


# %%
def energy_kept(weight: torch.Tensor) -> tuple[float, float]:
    """Shares of a layer's energy that the nearest pair with 16 channels between and the
    nearest depthwise and 1x1 keep."""
    squares = torch.linalg.svdvals(as_matrix(weight)).square()
    separable = nearest_separable(weight).square().sum() / weight.square().sum()
    return (squares[:16].sum() / squares.sum()).item(), separable.item()


torch.manual_seed(0)
untrained = build(networks[LARGE], 1)  # the first weights of `trained`
energy = {}
for name in ("1", "2", "3"):
    row = {}
    for when, model in {"first weights": untrained, "trained": trained}.items():
        weight = model.get_submodule(name).conv.weight.detach().float()
        row[f"pair, {when}"], row[f"separable, {when}"] = energy_kept(weight)
    # Training aligns weights; if it did not, the shares would stay as they were.
    assert all(
        row[f"{form}, trained"] > row[f"{form}, first weights"]
        for form in ("pair", "separable")
    )
    energy[f"7×7 layer {name}"] = row
energy = pd.DataFrame(energy).T[sorted(row)]
table(energy, dict.fromkeys(energy.columns, "{:.0%}"))

# %% [markdown]
# (Shares of each layer's energy that is kept by the nearest pair with 16 channels between, and by the nearest depthwise
# and 1×1.) A trained layer is more orderly than a random one: the pair keeps more of it, and so does the separable
# form.
#
# It is tempting to go on: *and therefore* training with pairs from the start works. Then what a pair cannot imitate it
# should not learn. The test is the pair with 4 channels between and nothing else there, the very form that stood in for
# the trained layers above and lost much. Now train it from the start, with the same recipe and seed:

# %%
networks["bare"] = small_classifier(thrice(conv(4, (1, 7), **bare) >> conv(16, (7, 1))))
learned, history = train("bare", 0)
from_start, in_place = test_accuracy(learned), imitated.loc[4, "measured anew"]
# If it could learn only what it can imitate, it would end where the imitation does.
assert from_start > in_place
print(f"4 between, in place of trained 7×7: {in_place:.1%}")
print(f"4 between, trained from the start:  {from_start:.1%}")
print(
    "with batch norm and ReLU between, too:"
    f" {recorded[NARROW_PAIR].mean():.1f}% (recorded, mean of several runs)"
)

# %% [markdown]
# The form that loses so much when it imitates learns better than that from the start. It need not find *this* layer,
# only one with which clothes can be told apart. So order in a trained layer says how far it can be compressed
# afterwards, without further training; it does not say what a form can learn.

# %% [markdown]
# ## ReLU or linear between?
#
# If the pair merely imitated the large window, no ReLU should stand between its halves. The paper tried both in a whole
# network, with two 3×3 for each 5×5: 77.2 % top-1 with ReLU after each, 76.2 % with the first one linear (figure 2; one
# run of each). The recorded networks, with 1×7 · 7×1, are the same in parameters and MACs, and differ in nothing but
# three ReLUs:

# %% tags=["nbval-check-output"]
record = load_record("factorized_layers")
assert sizes[PAIR].params == sizes[LINEAR_PAIR].params
gain = paired_difference(recorded[PAIR], recorded[LINEAR_PAIR])
text = "ReLU between instead of linear gains, points (figure 2)"
paper_beside_measured(
    [MeanClaim(text, 1.0, gain, number_format="{:+.1f}")], record=record
)

# %% [markdown]
# How far can the pictures alone move such a difference? ImageNet has 50,000 validation pictures, of which the paper's
# final evaluation uses 48,238 (section 10); we have 2,000:

# %% tags=["nbval-check-output"]
for pictures, share in ((48_238, 0.772), (2_000, 0.80)):
    error = 100 * 2**0.5 * accuracy_error(share, pictures)
    print(f"{pictures:6,} pictures: standard error of a difference {error:.2f} points")
# Two standard errors, 2 √(2 p (1 - p) / pictures), shall be 0.01 for p = 0.8.
needed = 2 * 0.8 * 0.2 * (2 / 0.01) ** 2
print(f"1 point at two standard errors, at 80 %: {needed:,.0f} pictures")

# %% [markdown]
# One point is nearly four standard errors of the paper's pictures, so chance in the pictures hardly explains it. How
# much two runs of *their* network differ by their first weights the paper does not say. Ours are several runs on few
# pictures, theirs one run on many; each averages out one of the two kinds of noise and not the other. Before you
# believe a difference, work out how many pictures *and* how many runs it takes to see one.

# %% [markdown]
# ## Two larger exercises

# %% [markdown]
# ### Exercise 6 · A rewrite of your own (harder, 15 minutes)
#
# A rewrite is a rule, applied to every part of a value. Write `split_3x3(value)`, which turns every 3×3 convolution
# with stride 1 into two 2×2 (33 % against 11 %: the alternative that the paper turned down). A window of n padded
# "same" gets n // 2 zeros on every side, so a 2×2 gives a row and a column more than it reads. Pad the first 2×2 "same"
# and the second "valid", which takes them away again, and shapes stay. Leave everything else as it is.
#
# `rewrite(value, rule)` calls `rule(part, in_channels)` on every part, be it a `Conv`, a pool or one made of others,
# and puts what it returns in its place. `print(conv(8, 3))` shows the fields of a `Conv`; `replace(part, bias=True)` is
# a copy that differs in this field only.

# %% tags=["nbval-check-output"]
exercises.split_3x3


# %% tags=["solution"]
from dataclasses import replace


def split_3x3(value: Node) -> Node:
    # solution begin
    def rule(part: Node, in_channels: int | None) -> Node:
        if not isinstance(part, Conv):
            return part
        if part.kernel_size != (3, 3) or part.stride != (1, 1):
            return part
        first = replace(part, kernel_size=(2, 2), padding="same")
        return first >> replace(part, kernel_size=(2, 2), padding="valid")

    return rewrite(value, rule)
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.split_3x3.check(split_3x3)

# %% [markdown]
# ### Exercise 7 · A replacement of your own (harder, 20 minutes)
#
# An open question: many answers are right. Design what takes the place of the three 7×7: a value that reads 16×14×14
# and gives 16×14×14, sees a full square of at least 19×19 pixels (no cross), costs at most a fifth of the MACs of the
# three, and lets every output channel depend on every input channel. Assign it to `my_middle`.

# %% tags=["nbval-check-output"]
exercises.own_replacement

# %% tags=["solution"]
# solution begin
my_middle = conv(4, 1) >> thrice(conv(4, (1, 7)) >> conv(4, (7, 1))) >> conv(16, 1)
# solution end

# %% tags=["check", "nbval-check-output"]
exercises.own_replacement.check(my_middle)

# %% [markdown]
# Then let it run: `networks["mine"] = small_classifier(my_middle)` and `train("mine", seed)` for a few seeds, against
# the 7×7 with the same seeds by `paired_difference`. State what differs besides the accuracy: parameters, MACs, time,
# number of ReLUs. What would you have to train, and how often, to say *why* yours is better or worse? (The check also
# passes `max_pool(19) >> conv(16, 1)`. What does a training say of that one?)

# %% [markdown]
# ## Recap
#
# - A convolution multiplies n²·C_in·C_out·g² times. Two 3×3 in place of a 5×5 save 28 %, 1×n · n×1 in place of n×n save
#   1 - 2/n, *at equal widths and stride 1*.
# - Each replacement sees the same patch; the gradient proves it.
# - Side by side, 1×3 and 3×1 make many channels for a third of a 3×3, and see a cross.
# - Without a ReLU between, a pair imitates exactly the layers whose matrix has no more rank than the pair has channels
#   between. Blur and straight edges pass, diagonals do not. Depthwise and 1×1 imitate the layers whose kernels from one
#   channel are multiples of each other, for 1/C_out + 1/n² of the cost. What a form can imitate is not all that it can
#   learn.
# - Multiplications are not time: what a saving is worth on your machine, with your widths, only measuring tells.
# - An interval that holds 0 says "cannot tell". Two runs on 2,000 pictures cannot tell a point. State what else
#   differs.
#
# Where to go on: the other way to make a network cheap is to shrink its grid. How to do that without losing what the
# grid held is the question of the lesson on grid reduction.

# %% [markdown] tags=["navigation"]
# ---
# Before: [The Inception module](01_inception_module.ipynb) ·
# [All lessons](00_start.ipynb) ·
# Next: [Grid reduction](03_grid_reduction.ipynb)
