# ---
# jupyter:
#   course:
#     minutes_read: 50
#     minutes_run: 2
#     title: Inception-v3, assembled
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
# # Inception-v3, assembled
#
# Smaller kernels, a reduction without a bottleneck, classifiers halfway, smoothed labels: the lessons before this one
# took the network apart. **What holds the parts together, and how much of GoogLeNet is left when all of them are in?**
#
# Afterwards you can
#
# - state the four design principles of the paper, and say of each what a measurement here shows and what it does not;
# - turn GoogLeNet into Inception-v3, one step at a time, and say which steps follow from a rule;
# - read the paper's cumulative table, and know which of its rows small data can judge;
# - say where the released network differs from the one in the paper, by counting;
# - fold batch normalisation into convolutions by hand, and make a trained network faster without changing what it says.
#
# You need the lessons on factorised convolutions, grid reduction, auxiliary classifiers and label smoothing. About 50
# minutes to read, 2 minutes to run. The paper is C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, *Rethinking
# the Inception Architecture for Computer Vision*, CVPR 2016, sections 2, 6, 9 and 10.
#
# | For a lecture hour | minutes |
# |:--|--:|
# | Four principles, each with its measurement; the first two questions | 20 |
# | GoogLeNet becomes v3, with the explorer | 15 |
# | The cumulative table: what is left of it on small data | 10 |
# | Where code and paper disagree | 5 |
# | From training to use: folding by hand, and time | 10 |

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
from math import prod
from statistics import median
from time import perf_counter

import numpy as np
import pandas as pd
import torch
from torch import nn

from course_lib import datasets, models
from course_lib.architecture import (
    Branches,
    Conv,
    Linear,
    Node,
    avg_pool,
    branches,
    build,
    conv,
    diagram,
    global_avg_pool,
    labelled_children,
    linear,
    max_pool,
    seq,
    split_5x5,
    total,
)
from course_lib.experiments.weights import copy_weights_in_order
from course_lib.experiments.width_and_depth import SHAPES, budget_network
from course_lib.explorers import FamilyExplorer
from course_lib.explorers.family.result import NETWORKS, view_family
from course_lib.models import entry, history, history_costs, network
from course_lib.models.history import first_change
from course_lib.reporting.plots import figure_html, line_panels
from course_lib.reporting.records import load_record
from course_lib.reporting.side_by_side import side_by_side
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
from course_lib.teaching.references import inception_v3 as exercises
from course_lib.training import Recipe, fit

# %% [markdown]
# ## Four principles
#
# Section 2 of the paper gives four rules for designing a network. It calls them speculative itself: they come from
# experience with large networks, not from a proof. In our words:
#
# 1. Let the size of the representation fall gently from the picture to the classifier; avoid bottlenecks, above all
#    early ones.
# 2. Higher-dimensional representations are easier to process within a grid place: more channels train faster.
# 3. Before a large window, channels may be reduced with little loss: neighbours tell much the same.
# 4. Balance width and depth; a budget is best spent on both.
#
# A rule that is true of a network of billions of multiplications need not show in one of five million. So each gets a
# measurement, and at the end a verdict.
#
# ### 1 · How fast does the representation shrink?
#
# Count the values, channels · height · width, after each part of each network of the family:


# %%
def representation_sizes(name: str) -> pd.Series:
    """Values after each part of a network on its own image, over the share of the
    parts that were passed; the parts' names in `attrs`."""
    parts = view_family(name, entry(name).input_shape[1], 1).parts
    parts = parts[: [part.name for part in parts].index("global_pool")]
    shapes = [parts[0].before.shape, *(part.after.shape for part in parts)]
    place = np.linspace(0, 100, len(shapes))
    sizes = pd.Series([prod(shape) for shape in shapes], index=place)
    sizes.attrs["parts"] = parts
    return sizes


lines = {name: representation_sizes(name) for name in NETWORKS}

# %% tags=["nbval-check-output"]
figure = line_panels(
    {NETWORKS[name]: line for name, line in lines.items()},
    columns=4,
    xlabel="share of the parts passed, %",
    ylabel="values",
    log="y",
)
told = [f"{name} ends with {int(line.iloc[-1]):,}" for name, line in lines.items()]
figure_html(
    figure,
    "Size of the representation through the depth of eight networks, one panel each,"
    f" rising in the stem and falling after it; {'; '.join(told)}.",
)


# %% tags=["nbval-check-output"]
def steepest_block(name: str) -> dict[str, object]:
    """Where, from the first block on, the largest share of the values is lost."""
    sizes, parts = lines[name], lines[name].attrs["parts"]
    kept = pd.Series(
        (sizes / sizes.shift()).iloc[1:].to_numpy(), index=range(len(parts))
    )
    start = next(i for i, part in enumerate(parts) if part.is_block)
    worst = kept.iloc[start:].idxmin()
    return {"part": parts[worst].name, "kept": kept[worst]}


steepest = pd.DataFrame({name: steepest_block(name) for name in lines}).T
table(steepest, {"kept": "{:.0%}"})

# %% [markdown]
# GoogLeNet, in both forms, keeps a quarter where it pools. From BN-Inception on no block keeps less than a third: the
# rule is *followed* by all later networks. Whether following it *helps* is not a matter of counting. The lesson on grid
# reduction measured that on Fashion-MNIST, and at equal cost the network with bottlenecks did just as well.

# %%
after_googlenet = [n for n in lines if not n.startswith("googlenet")]
assert (steepest.loc[after_googlenet, "kept"] > 0.33).all()
assert steepest.loc["googlenet", "kept"] == 0.25

# %% [markdown]
# ### 2 · Do more channels train faster?
#
# Take one opening, from 28×28 pixels to a 7×7 grid of 32 channels, and put a 1×1 convolution behind it, to 16, 64 or
# 256 channels; then the classifier. Only the number of channels at each place changes.
#
# Suppose the widest trains fastest. The paper's reason: more channels disentangle more. **What would refute that
# reason?** A widening that *cannot* disentangle: 256 channels without ReLU. They are sums of the 32 that come in, so
# the representation has 32 dimensions as before, only written out longer.

# %%
few = datasets.load("fashion_mnist").subset(train=1500, test=1000)


def opening() -> Node:
    """From 28x28 pixels to 32 channels on 7x7."""
    return conv(16, 3) >> conv(32, 3, 2) >> max_pool(3, 2)


def locally(layer: Node) -> Node:
    """A classifier that has `layer` behind the opening."""
    return opening() >> layer >> global_avg_pool() >> linear(10)


local = {
    "16 channels": locally(conv(16, 1)),
    "64 channels": locally(conv(64, 1)),
    "256 channels": locally(conv(256, 1)),
    "256, no ReLU": locally(conv(256, 1, activation="linear")),
}

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "width-without-relu",
    "If the 256 channels without ReLU train as fast as the 256 with it, what follows?",
    [
        Answer(
            "More channels do not train faster",
            "Both are wide, so this compares nothing of different width.",
        ),
        Answer(
            "Here width helps for another reason than more disentangled features",
            "Without ReLU nothing can be disentangled that the 32 channels did not hold"
            " apart already. What remains: many weights move the output at once.",
            correct=True,
        ),
        Answer(
            "ReLU is useless",
            "It says nothing of that: the layers before both have their ReLU.",
        ),
    ],
)


# %%
def train(value: Node, epochs: int) -> list[pd.DataFrame]:
    """Histories of the network from two different first weights."""
    histories = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        recipe = Recipe(epochs=epochs, seed=seed)
        histories.append(fit(build(value, in_channels=1), few, recipe))
    return histories


local_runs = {name: train(value, epochs=2) for name, value in local.items()}

# %%
shape = (1, 28, 28)
losses = pd.DataFrame(
    {
        name: {
            "million MACs": total(local[name], shape).macs / 1e6,
            **{f"seed {s}": run.train_loss.iloc[-1] for s, run in enumerate(runs)},
        }
        for name, runs in local_runs.items()
    }
).T
# Two epochs of guessing would leave ln 10; a width that hurts would end above the
# narrow one.
seeds = losses.filter(like="seed")
assert (seeds.loc["256 channels"] < seeds.loc["16 channels"]).all()
assert (seeds < math.log(10)).all().all()
table(losses.rename(columns=lambda name: name.replace("seed", "loss, seed")))

# %% [markdown]
# The training loss of the second epoch: 256 channels are ahead of 16 from both first weights, after the same number of
# steps. So far the paper's rule shows. Now the last two rows. How much of the gain is there without ReLU?

# %%
gain = seeds.loc["16 channels"] - seeds.loc["256 channels"]
plain_gain = seeds.loc["16 channels"] - seeds.loc["256, no ReLU"]
share = plain_gain.mean() / gain.mean()
# More than half of the gain without ReLU: then disentangling is not its main reason.
assert share > 0.5
fold_answer(f"without ReLU {share:.0%} of the gain is there")

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# Most of it. Wide layers train faster here, and mostly *not* because they hold features apart: a network that is only
# written out longer does it as well. Many weights that feed one output move it further in a step of the same length,
# which is what a larger learning rate does, too. The rule shows at our scale; its reason does not.
#
# </details>
#
# ### 3 · 1×1 before 3×3
#
# Neighbouring places of a picture tell much the same. So, says the third rule, squeeze the channels before a window
# looks at the neighbours. What does that save?
#
# ### Exercise 1 · What squeezing saves (easy, 5 minutes)
#
# An n×n convolution from k to k channels is replaced by a 1×1 to s channels and an n×n from these back to k. Write
# `squeeze_saving(channels, squeezed, kernel_size)`: the share of the multiplications that is saved, negative if there
# are more.

# %% tags=["nbval-check-output"]
exercises.squeeze_saving


# %% tags=["solution"]
def squeeze_saving(channels: int, squeezed: int, kernel_size: int) -> float:
    # solution begin
    alone = kernel_size**2 * channels**2
    pair = channels * squeezed + kernel_size**2 * squeezed * channels
    return 1 - pair / alone
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.squeeze_saving.check(squeeze_saving)

# %% [markdown]
# Now the price. Three 3×3 convolutions on the 7×7 grid, 64 channels each: as they are, with a 1×1 to 32 or to 16 before
# each. Two more networks are there to refute us. A 1×1 to 64 squeezes nothing, but adds the same layers: if it is
# behind as well, it was not the squeeze that cost points. And 32 channels throughout, without any 1×1: if that is as
# good, then it was not the squeeze that saved them.


# %%
def body(layer: Node, width: int = 64) -> Node:
    """A classifier with three layers of `width` channels on the 7x7 grid."""
    layers = seq(conv(width, 1), layer, layer, layer)
    return opening() >> layers >> global_avg_pool() >> linear(10)


squeezed = {
    "3×3": body(conv(64, 3)),
    "1×1 to 32, 3×3": body(conv(32, 1) >> conv(64, 3)),
    "1×1 to 16, 3×3": body(conv(16, 1) >> conv(64, 3)),
    "1×1 to 64, 3×3": body(conv(64, 1) >> conv(64, 3)),
    "narrow, 3×3": body(conv(32, 3), width=32),
}
squeezed_runs = {name: train(value, epochs=4) for name, value in squeezed.items()}

# %%
sizes = {name: total(value, shape) for name, value in squeezed.items()}
results = training_results(squeezed_runs, sizes)
# Guessing gives 10 %: below 40 % nothing was learned, and the rows would say nothing.
assert (results["accuracy"] > 40).all()
results_table(results)

# %%
print(noise(results, len(few.test.labels)))
lost = results.loc["3×3", "accuracy"] - results["accuracy"]
for name in list(squeezed)[1:]:
    saved = 1 - sizes[name].macs / sizes["3×3"].macs
    print(f"{name}: {saved:.0%} of the MACs saved, {lost[name]:+.1f} points lost")
assert sizes["1×1 to 16, 3×3"].macs < sizes["1×1 to 32, 3×3"].macs
deeper = lost[["1×1 to 32, 3×3", "1×1 to 16, 3×3"]] - lost["1×1 to 64, 3×3"]
print("behind the 1×1 to 64:", ", ".join(f"{points:+.1f}" for points in deeper))

# %% [markdown]
# Compare the points lost with the noise in the first line: what lies within it is not shown to be a loss. A squeezed
# network is deeper by three layers, and a training as short as this may punish depth, so its loss against the 1×1
# to 64, which is as deep, is the one that belongs to the squeeze: the last line. And look at the narrow network. It
# never had 64 channels and costs as little as the strongest squeeze. As long as it is not clearly behind, our pictures
# cannot tell "a window needs few channels" from "this task needs few channels".
#
# ### 4 · Width against depth
#
# One budget of multiplications, spent four ways: 36 layers of 16 channels, 9 of 32, 4 of 48, or a single one of 96.
# Layers times channels squared is 9,216 each time.

# %% tags=["nbval-check-output"]
budget = {depth: total(budget_network(depth), shape) for depth in SHAPES}
spread = max(c.macs for c in budget.values()) / min(c.macs for c in budget.values()) - 1
print(f"MACs of the four networks differ by at most {spread:.1%}")
table(
    pd.DataFrame(
        {
            f"{depth} × {width}": {
                "million MACs": budget[depth].macs / 1e6,
                "parameters": budget[depth].params,
                "sees, of 28 pixels": budget[depth].receptive_field[0],
            }
            for depth, width in SHAPES.items()
        }
    ).T,
    {"million MACs": "{:.2f}"},
)

# %% [markdown]
# Every one of them sees the whole picture, so that is not what tells them apart. **Order the four before you look.**
# They were *recorded*, from three first weights each and with three learning rates, since a deep network may want
# another one than a shallow one. Of each form the best rate counts.

# %% tags=["nbval-check-output"]
record = load_record("width_against_depth")
rows = record.rows.assign(accuracy=100 * record.rows.test_accuracy)
by_rate = rows.groupby(["depth", "learning_rate"]).accuracy.mean().unstack()
by_rate = by_rate.loc[list(SHAPES)]
best_rate = by_rate.idxmax(axis=1)
by_rate.index = [f"{depth} × {width}" for depth, width in SHAPES.items()]
by_rate.columns = [f"rate {rate:g}" for rate in by_rate]
fold_answer(table(by_rate, dict.fromkeys(by_rate, "{:.1f} %"), record=record))

# %% tags=["nbval-check-output"]
best = {
    depth: rows[(rows.depth == depth) & (rows.learning_rate == rate)].set_index("seed")
    for depth, rate in best_rate.items()
}
means = pd.Series({depth: runs.accuracy.mean() for depth, runs in best.items()})
winner = int(means.idxmax())
compared = {}
for depth in SHAPES:
    difference = paired_difference(best[depth].accuracy, best[winner].accuracy)
    shown = "is the best" if depth == winner else "is not shown"
    if depth != winner and difference.shown is not None:
        shown = "is shown"
    low, high = difference.interval
    compared[f"{depth} × {SHAPES[depth]}"] = {
        "accuracy, %": means[depth],
        "behind, points": f"{-difference.mean:.1f}",
        "95 % interval": f"{-high:.1f} to {-low:.1f}" if depth != winner else "",
        "difference": shown,
    }
fold_answer(table(pd.DataFrame(compared).T, {"accuracy, %": "{:.1f}"}, record=record))

# %% tags=["nbval-check-output"]
order = list(SHAPES)
at_an_end = winner in (order[0], order[-1])
rates_at_an_end = [
    d
    for d in SHAPES
    if best_rate[d] in (rows.learning_rate.min(), rows.learning_rate.max())
]
balance = f"{winner} layers of {SHAPES[winner]}"
print(f"best: {balance},", "an end of the row" if at_an_end else "between the ends")
deep_loss = best[36].train_loss.mean()
best_loss = best[winner].train_loss.mean()
assert deep_loss > 1.2 * best_loss
print(f"training loss: 36 layers {deep_loss:.2f}, {balance} {best_loss:.2f}")
print(
    "best rate at an end of those tried:",
    ", ".join(f"{d} layers" for d in rates_at_an_end) or "for no depth",
)
# The deepest and the best differ beyond chance: what the text says of depth.
deepest = paired_difference(best[36].accuracy, best[winner].accuracy)
assert winner != 36
assert deepest.shown is not None

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# Depth alone is no good use of the budget: 36 layers of 16 channels are clearly behind. But look at how few steps of
# training the record has. On the pictures that they are trained on they are behind as well, as the printed losses say.
# This says that they are hard to *train*, not that they could hold less. For the other end read the two printed lines.
# Where the best lies *between* the ends, the rule shows here; where the shallowest wins, our row is too short to show
# where width stops paying. Where a best rate lies at an end of those tried, that row may be better than it looks.
#
# </details>
#
# ### Exercise 2 · A width for a budget (easy, 5 minutes)
#
# `depth` convolutions 3×3, from w to w channels each, shall cost at most `budget` multiplications at one place of the
# grid. Write `widest(depth, budget)`: the largest such w that is a multiple of 16.

# %% tags=["nbval-check-output"]
exercises.widest


# %% tags=["solution"]
def widest(depth: int, budget: int) -> int:
    # solution begin
    return 16 * (math.isqrt(budget // (9 * depth)) // 16)
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.widest.check(widest)

# %% [markdown]
# ### The verdicts
#
# What this lesson can say of each rule, computed from the cells above:

# %%
squeeze = "1×1 to 32, 3×3"
saved = 1 - sizes[squeeze].macs / sizes["3×3"].macs
verdicts = {
    "1 gentle shrink": "followed from BN-Inception on; its help is not shown",
    "2 width trains faster": f"shown; {share:.0%} of it without any new features",
    "3 squeeze first": f"{saved:.0%} saved for {lost[squeeze]:.1f} points of accuracy",
    "4 balance": f"depth alone loses; best here: {balance}",
}
assert len(verdicts) == 4
table(pd.DataFrame({"here": verdicts}))

# %% [markdown]
# ## The last block, by hand
#
# Factorised convolutions and reductions you have built in their lessons. One block of v3 is still missing, the one on
# its last grid, 8×8. It is principle 2 in the flesh: in place of 3×3 stand a 1×3 *beside* a 3×1, which read the same
# input and are joined, so that the block ends in 2,048 channels.


# %%
def unit(i: int, o: int, kernel: tuple[int, int]) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU: (N, i, H, W) -> (N, o, H, W)."""
    padding = (kernel[0] // 2, kernel[1] // 2)
    layer = nn.Conv2d(i, o, kernel, padding=padding, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(o, eps=1e-3), nn.ReLU())


class BlockE(nn.Module):
    """(N, i, 8, 8) -> (N, 2048, 8, 8), figure 7 of the paper."""

    def __init__(self, i: int) -> None:
        super().__init__()
        self.one = unit(i, 320, (1, 1))
        self.enter = unit(i, 384, (1, 1))
        self.flat, self.tall = unit(384, 384, (1, 3)), unit(384, 384, (3, 1))
        self.second = nn.Sequential(unit(i, 448, (1, 1)), unit(448, 384, (3, 3)))
        self.flat2, self.tall2 = unit(384, 384, (1, 3)), unit(384, 384, (3, 1))
        self.pool = nn.AvgPool2d(3, 1, padding=1, count_include_pad=False)
        self.after_pool = unit(i, 192, (1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = self.enter(x), self.second(x)
        middle = [self.flat(a), self.tall(a), self.flat2(b), self.tall2(b)]
        return torch.cat([self.one(x), *middle, self.after_pool(self.pool(x))], 1)


# %% tags=["nbval-check-output"]
v3 = network("inception_v3")
parts = {part.name: part for part in v3.layers}
mine = BlockE(1280).eval()
built = build(parts["mixed_7b"], 1280).eval()
copy_weights_in_order(mine, built)
x = torch.randn(2, 1280, 8, 8)
with torch.no_grad():
    assert torch.allclose(mine(x), built(x), atol=1e-5)
diagram(parts["mixed_7b"], (1280, 8, 8))

# %% [markdown]
# ## GoogLeNet becomes v3
#
# Now the whole way. It has two halves of a different kind. The first five steps are *rewrites*: each follows from an
# idea of the paper and is applied by a function, wherever it fits. But no rule gives the widths and the number of
# blocks that v3 has. The authors chose them, and the last seven steps take them over, part by part, from the picture
# on.

# %% tags=["nbval-check-output"]
steps = history()
costs = history_costs()
way = costs[["source", "input", "params", "macs", "macs_change"]].assign(
    kind=["start", *("chosen" if step.chosen else "rewrite" for step in steps[1:])],
    macs=costs["macs"] / 1e9,
    input=[size[1] for size in costs["input"]],
)
rewritten = costs["macs"].iloc[:6].diff()
assert (rewritten.iloc[1:5] > 0).all()
assert 0 < -rewritten.iloc[5] < rewritten.iloc[4]
way = way.rename(columns={"macs": "G MACs", "macs_change": "change"})
way["change"] = ["", *(f"{change:+.0%}" for change in way["change"].iloc[1:])]
way.iloc[0, way.columns.get_loc("source")] = "the network to start from"
table(
    way[["kind", "source", "input", "params", "G MACs", "change"]],
    {"G MACs": "{:.2f}"},
)

# %% [markdown]
# What comes out is Inception-v3, to the last shape:

# %% tags=["nbval-check-output"]
assert steps[-1].value == v3
with torch.device("meta"):
    rebuilt = build(steps[-1].value, 3).state_dict()
    published = models.create_model("inception_v3").state_dict()
shapes = [{k: tuple(t.shape) for k, t in s.items()} for s in (rebuilt, published)]
assert shapes[0] == shapes[1]
print(f"{len(rebuilt)} tensors, the same names and the same shapes")

# %% [markdown]
# Of the rewrites only the last saves multiplications, and it saves less than the step before it added. GoogLeNet's 5×5
# are so narrow that two 3×3 cost more; its pools cost nothing, so a convolution beside them cannot save. The rewrites
# *buy*: a longer view, no bottlenecks. The steps as pictures, each with the first part that it changes:


# %%
def pictures(number: int) -> object:
    """The part that step `number` changes first, before and after."""
    change = first_change(steps[number - 1], steps[number])
    return side_by_side(
        {
            "before": diagram(*change.before),
            f"after: {steps[number].name}": diagram(*change.after),
        }
    )


# %% tags=["nbval-check-output"]
pictures(1)

# %% tags=["nbval-check-output"]
pictures(2)

# %% tags=["nbval-check-output"]
pictures(3)

# %% tags=["nbval-check-output"]
pictures(5)

# %% [markdown]
# (Step 4 made 7×7 of the 3×3 on the middle grid, so that step 5 had something to factorise.) From here on parts are
# chosen: blocks A, C and E, and the two reductions.

# %% tags=["nbval-check-output"]
pictures(7)

# %% tags=["nbval-check-output"]
pictures(9)

# %% tags=["nbval-check-output"]
pictures(11)

# %% [markdown]
# ### Exercise 3 · Block C (medium, 10 minutes)
#
# Write `block_c(inner)`, the block of the 17×17 grid as a value. It has four branches, joined in this order:
#
# 1. a 1×1 to 192 channels;
# 2. a 1×1 to `inner`, a window of one row and seven columns to `inner`, one of seven rows and one column to 192;
# 3. a 1×1 to `inner`; then seven rows, seven columns, seven rows, seven columns, the last of them to 192 channels and
#    the others to `inner`;
# 4. a 3×3 average pool, then a 1×1 to 192.

# %% tags=["nbval-check-output"]
exercises.block_c


# %% tags=["solution"]
def block_c(inner: int) -> Branches:
    # solution begin
    line = conv(inner, 1) >> conv(inner, (1, 7)) >> conv(192, (7, 1))
    double = conv(inner, 1) >> conv(inner, (7, 1)) >> conv(inner, (1, 7))
    double = double >> conv(inner, (7, 1)) >> conv(192, (1, 7))
    return branches(conv(192, 1), line, double, avg_pool(3) >> conv(192, 1))
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.block_c.check(block_c)

# %% [markdown]
# ### The whole family
#
# The explorer shows every network of the family: on the left what each grid costs, on the right one block and what a
# unit behind it sees (yellow, the image dashed). Try:
#
# 1. **block** through v3 from left to right: on which grid is most of the work done, and where is the memory?
# 2. **input size** 299 to 151: by how much do the MACs fall? What happens to the view of a unit?
# 3. **network** v4, then ResNet-v2: which blocks come back?

# %% tags=["nbval-check-output"]
explorer = FamilyExplorer("inception_v3", input_size=299, block=13)
explorer

# %% [markdown]
# To 1: most multiplications on 17×17, while the stem, with hardly a tenth of the work on 147×147, holds nearly a fifth
# of all activations. To 2: to less than a quarter; a unit sees as many *pixels* as before, and so more of the picture.

# %% tags=["nbval-check-output"]
sees = {size: view_family("inception_v3", size, 13) for size in (299, 151)}
by_grid = {stage.grid[0]: stage for stage in sees[299].stages}
assert max(by_grid.values(), key=lambda stage: stage.macs) is by_grid[17]
assert by_grid[147].macs < 0.11 * sees[299].macs
assert 0.17 < by_grid[147].activations / sees[299].activations < 0.2
assert sees[151].macs < sees[299].macs / 4
assert sees[151].chosen.field == sees[299].chosen.field
print(f"{sees[151].macs / sees[299].macs:.0%} of the MACs on 151 × 151 pixels")

# %% [markdown]
# ## The paper's cumulative table
#
# Table 3 of the paper adds one change after the other and gives the error on ImageNet. We have the numbers from a
# transcription only, not from the paper itself: take them as told.

# %% tags=["nbval-check-output"]
errors = {  # top-1 error in %, single crop; how it can be judged on small pictures
    "GoogLeNet": (29.0, ""),
    "GoogLeNet with batch norm": (26.8, "in other lessons, live"),
    "BN-Inception": (25.2, "no: another network of another width"),
    "Inception-v2": (23.4, "no: too large for small pictures"),
    "+ RMSProp": (23.1, "yes: same network, other optimizer"),
    "+ label smoothing": (22.8, "yes: same network, other loss"),
    "+ factorised 7×7": (21.6, "no: the stem has no place on 32×32"),
    "+ BN-auxiliary = v3": (21.2, "yes: one batch norm more in the head"),
}
told = pd.DataFrame(errors, index=["error, told", "can our scale judge it?"]).T
told.insert(1, "gain, points", -told["error, told"].astype(float).diff())
told["gain, points"] = [f"{g:.1f}" if g == g else "" for g in told["gain, points"]]
table(told, {"error, told": "{:.1f} %"})

# %% [markdown]
# Dropout is none of these steps. But one public re-implementation, which trained both networks on object crops from
# PASCAL VOC (20 classes, 100 epochs), made it one: its v3 is v2 with label smoothing, batch norm in the head *and no
# dropout*. It reports 78.36 % for v2 and 79.44 % for v3. If you compare such numbers with the paper's, you compare two
# different changes under one name.
#
# Each change alone was *recorded* on a small network with v3's three grids, on a few thousand pictures. Which changes,
# how many pictures and epochs, stands below the table.

# %% tags=["nbval-check-output"]
record = load_record("v2_against_v3")
runs = {
    name: 100 * rows.set_index("seed").test_accuracy
    for name, rows in record.rows.groupby("variant", sort=False)
}
shown = {}
for name in [name for name in runs if name != "v2"]:
    difference = paired_difference(runs[name], runs["v2"])
    shown[name] = {
        "against v2, points": f"{difference.mean:+.2f}",
        "95 % interval": "{:+.2f} to {:+.2f}".format(*difference.interval),
        "a difference": "not shown" if difference.shown is None else "shown",
    }
table(pd.DataFrame(shown).T, record=record)

# %% tags=["nbval-check-output"]
told_gains = {
    "v2 + RMSProp": ("RMSProp (table 3, told), points", 0.3),
    "v2 + label smoothing": ("label smoothing (table 3, told), points", 0.3),
    "v2 + BN-auxiliary": ("BN-auxiliary (table 3, told), points", 0.4),
}
# A record with RMSProp has the paper's v3; without, the re-implementation's.
paper_form = "v2 + RMSProp" in runs
if paper_form:
    told_gains["v3"] = ("v3 without the factorised 7×7 (table 3, told), points", 1.0)
else:
    told_gains["v3"] = ("v3 as re-implemented, without dropout, points", 1.08)
claims = [
    MeanClaim(claim, points, paired_difference(runs[name], runs["v2"]))
    for name, (claim, points) in told_gains.items()
    if name in runs
]
paper_beside_measured(claims, record=record)

# %% tags=["nbval-check-output"]
without_dropout = paired_difference(runs["v2 without dropout"], runs["v2"])
assert not math.isinf(without_dropout.half_width)
print(f"leaving out dropout alone: {without_dropout.mean:+.1f} points")
print(
    "the step of v3 in this record:",
    "the paper's" if paper_form else "the re-implementation's",
)

# %% [markdown]
# Read the verdicts, not the signs. An interval of a few runs is wide, and a claim of a few tenths of a point lies in
# it together with 0: then the runs *cannot tell*. Where a difference is shown, ask whether its reason is the paper's.
# On short trainings a network has hardly begun to fit its pictures; it needs no rein, and gains when one is taken off.
# That is why dropout, which the paper does not mention here, may weigh more than all that it does.

# %% [markdown]
# ## Where the code differs from the paper
#
# The network that everybody uses is the one the authors released, and this course builds. Its sizes are counted; the
# paper's are printed. They do not always agree.


# %% tags=["nbval-check-output"]
def depth(value: Node) -> int:
    """Convolutions and fully connected layers on the longest way through a value."""
    counts = [depth(part) for _, part in labelled_children(value)]
    if not counts:
        return int(isinstance(value, Conv | Linear))
    return max(counts) if isinstance(value, Branches) else sum(counts)


whole = total(v3, (3, 299, 299))
googlenet = total(network("googlenet"), (3, 224, 224))
bn_inception = total(network("bn_inception"), (3, 224, 224))
rounded = "the paper's rounding"
claims = [
    Claim(
        "v3: multiply-adds, in G",
        4.8,
        whole.macs / 1e9,
        (4.75, 4.85),
        rounded,
        "{:.2f}",
    ),
    Claim(
        "GoogLeNet: parameters, in million",
        5,
        googlenet.params / 1e6,
        (4.5, 5.5),
        rounded,
        "{:.1f}",
    ),
    Claim("v3: layers", 42, depth(v3), (42, 42), "a count", "{:.0f}"),
    Claim(
        "v3: cost of GoogLeNet (section 6), times",
        2.5,
        whole.macs / googlenet.macs,
        (2.45, 2.55),
        rounded,
        "{:.2f}",
    ),
]
paper_beside_measured(claims, "counted")

# %% [markdown]
# None of the four. That does not make the paper wrong: between the text and the release lie choices that the text does
# not tell. Take the sentence on cost, 2.5 times GoogLeNet. What would have to stand below the line?

# %% tags=["nbval-check-output"]
smaller = total(v3, (3, 224, 224))
ratios = {
    "v3 / GoogLeNet": whole.macs / googlenet.macs,
    "the paper's own 4.8 G / GoogLeNet": 4.8e9 / googlenet.macs,
    "v3 / BN-Inception": whole.macs / bn_inception.macs,
    "the paper's own 4.8 G / BN-Inception": 4.8e9 / bn_inception.macs,
    "v3 on GoogLeNet's 224 pixels / GoogLeNet": smaller.macs / googlenet.macs,
}
nearest = min(ratios, key=lambda name: abs(ratios[name] - 2.5))
table(pd.DataFrame({"times": ratios}), {"times": "{:.2f}"})

# %% tags=["nbval-check-output"]
print("nearest to 2.5:", nearest)
assert all(abs(ratio - 2.5) > 0.05 for ratio in ratios.values())

# %% [markdown]
# No pair of counts gives 2.5. One that comes near may be what was meant, or may be chance; counting cannot tell.
#
# Two differences can be seen in the code itself. The paper replaces every 5×5 by two 3×3, yet block A of the release
# keeps one. And TensorFlow, with which the weights were trained, leaves padding out of an average, while the best-known
# PyTorch version counts its zeros.


# %% tags=["nbval-check-output"]
def fives(value: Node) -> int:
    """5x5 convolutions in a value."""
    own = isinstance(value, Conv) and value.kernel_size == (5, 5)
    return own + sum(fives(part) for _, part in labelled_children(value))


split = total(split_5x5(v3), (3, 299, 299))
assert fives(v3) == 3
print(
    f"5×5 convolutions in v3: {fives(v3)}; split into pairs:"
    f" {split.macs / whole.macs - 1:+.1%} MACs"
)
for grid in (35, 17, 8):
    zeros_counted = nn.functional.avg_pool2d(torch.ones(1, 1, grid, grid), 3, 1, 1)
    touched = (zeros_counted < 1).float().mean()
    print(f"{grid}×{grid}: {touched:.0%} of the places average zeros, if these count")

# %% [markdown]
# On the last grid, it concerns nearly half of all places. Weights trained one way and used the other give other logits,
# without an error. So the option `count_include_pad` belongs to the weights, as the normalisation of the pictures does.

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "fold-in-training",
    "In use, batch norm after a convolution can be made a part of its weights. Why not"
    " in training?",
    [
        Answer(
            "Because weights cannot be changed during training",
            "Training does nothing else.",
        ),
        Answer(
            "Because in training it divides by the deviation of the batch at hand",
            "So what it multiplies by changes with every batch. In use it takes the"
            " averages kept from training: constants, as weights are.",
            correct=True,
        ),
        Answer(
            "Because ReLU comes after it",
            "ReLU comes after it in use as well, and stays where it is.",
        ),
    ],
)

# %% [markdown]
# ## From training to use
#
# ### Batch norm, folded by hand
#
# In use, batch norm multiplies each channel by a constant and adds one. A convolution before it does that already. With
# weights W, bias b, the kept mean μ and variance σ², the batch norm's own factor g and shift β:
#
# $$ g \cdot \frac{(Wx + b) - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta = (sW)x + s(b - \mu) + \beta, \qquad s =
# \frac{g}{\sqrt{\sigma^2 + \epsilon}} $$


# %%
@torch.no_grad()
def folded(layer: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution that does what `layer` and `norm` do one after the other."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    place = (layer.in_channels, layer.out_channels, layer.kernel_size)
    one = nn.Conv2d(*place, layer.stride, layer.padding, dtype=layer.weight.dtype)
    one.weight.copy_(layer.weight * scale.reshape(-1, 1, 1, 1))
    bias = torch.zeros(()) if layer.bias is None else layer.bias
    one.bias.copy_((bias - norm.running_mean) * scale + norm.bias)
    return one


# %% tags=["nbval-check-output"]
torch.manual_seed(0)
layer = nn.Conv2d(16, 32, 3, padding=1, bias=False).double()
norm = nn.BatchNorm2d(32, eps=1e-3).double()
x = torch.randn(8, 16, 12, 12, dtype=torch.double)
for _ in range(5):  # batches that give the norm a mean and a variance of its own
    norm(layer(3 * x + 1))
norm.eval()
with torch.no_grad():
    difference = (norm(layer(x)) - folded(layer, norm)(x)).abs().max()
assert difference < 1e-12
print("equal to the last digits of float64")

# %% [markdown]
# ### Exercise 4 · A planted bug (medium, 10 minutes)
#
# This function folds as well, and gives the right result for every network of this course. One of its lines is wrong
# all the same. Repair it: write `fold(weight, bias, norm)`, which returns the folded weight and the folded bias.


# %%
def fold_with_bug(
    weight: torch.Tensor, bias: torch.Tensor, norm: nn.BatchNorm2d
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight (out, in, h, w) and bias (out,) of one convolution that does both."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return weight * scale.reshape(
        -1, 1, 1, 1
    ), bias - norm.running_mean * scale + norm.bias


# %% tags=["nbval-check-output"]
exercises.fold


# %% tags=["solution"]
def fold(
    weight: torch.Tensor, bias: torch.Tensor, norm: nn.BatchNorm2d
) -> tuple[torch.Tensor, torch.Tensor]:
    # solution begin
    scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
    new_bias = (bias - norm.running_mean) * scale + norm.bias.detach()
    return weight * scale.reshape(-1, 1, 1, 1), new_bias
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.fold.check(fold)

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# Why did nobody notice? The networks' convolutions have no bias, as batch norm would take it away again. For b = 0 both
# lines agree. A test that runs only on what is there never asks what would be.
#
# </details>
#
# ### Siblings become one
#
# Three 1×1 convolutions of an Inception block read the same tensor. A 1×1 is a matrix over channels; three matrices
# with the same input, one below the other, are one matrix. One large product is faster than three small ones.
#
# ### Exercise 5 · Merge the siblings (medium, 10 minutes)
#
# Write `merge_siblings(layers)` for a list of 1×1 convolutions with bias that read one tensor: it returns the weight
# and the bias of the one convolution that gives all their outputs, in their order, and the list of widths by which that
# is taken apart again.

# %% tags=["nbval-check-output"]
exercises.merge_siblings


# %% tags=["solution"]
def merge_siblings(
    layers: list[nn.Conv2d],
) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
    # solution begin
    weight = torch.cat([layer.weight.detach() for layer in layers])
    bias = torch.cat([layer.bias.detach() for layer in layers])
    return weight, bias, [layer.out_channels for layer in layers]
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.merge_siblings.check(merge_siblings)

# %% tags=["nbval-check-output"]
siblings = [nn.Conv2d(64, width, 1) for width in (64, 48, 64)]
x = torch.randn(2, 64, 9, 9)
weight = torch.cat([layer.weight for layer in siblings])
bias = torch.cat([layer.bias for layer in siblings])
with torch.no_grad():
    pieces = nn.functional.conv2d(x, weight, bias).split((64, 48, 64), dim=1)
    for piece, layer in zip(pieces, siblings, strict=True):
        assert torch.allclose(piece, layer(x), atol=1e-5)
print("three convolutions, one product")

# %% [markdown]
# ### Before and after
#
# `optimize_for_inference` does both to a whole network, and puts ReLU and bias into the convolution's own pass over
# memory, with the numbers of a pixel side by side. It says the same:

# %%
torch.manual_seed(0)
model = models.create_model("inception_v3").eval()
fast = models.optimize_for_inference(model)
batch = torch.randn(2, 3, 299, 299)
with torch.inference_mode():
    before, after = model(batch), fast(batch)
# float32 keeps seven digits, and a hundred layers round in another order.
error = ((before - after).abs().max() / before.abs().max()).item()
assert error < 1e-3
print(f"largest difference, as a share of the largest logit: {error:.0e}")


# %% [markdown]
# And in what time? Both take turns, in one run, so that a busy machine slows both.

# %%
times: dict[str, list[float]] = {"as trained": [], "optimised": []}
with torch.inference_mode():
    for _ in range(3):
        for name, one in (("as trained", model), ("optimised", fast)):
            start = perf_counter()
            one(batch)
            times[name].append(perf_counter() - start)
seconds = {name: median(taken) for name, taken in times.items()}
assert all(second > 0 for second in seconds.values())
for name, second in seconds.items():
    print(f"{name}: {1000 * second:.0f} ms for two pictures")
print(f"{seconds['as trained'] / seconds['optimised']:.1f} times as fast")

# %% [markdown]
# How much that is depends on the machine. What does *not* change is the number of multiplications: what is saved is
# passes over memory, and small products that became one large. MACs are not time.
#
# ## One more exercise
#
# ### Exercise 6 · A reduction of your own (harder, 15 minutes)
#
# v3's last reduction, from 768 channels on 17×17 to 1,280 on 8×8, costs 291 million multiplications. Make one of your
# own as a value, `own_reduction`. It shall give the same shape for at most 150 million; a unit of it shall see at least
# 5×5 places; and no branch shall hold fewer values on its way than it hands on. Many answers are right.

# %% tags=["nbval-check-output"]
assert round(total(parts["mixed_7a"], (768, 17, 17)).macs / 1e6) == 291
exercises.own_reduction

# %% tags=["solution"]
# solution begin
single = conv(96, 1) >> conv(256, 3, 2, padding="valid")
double = conv(64, 1) >> conv(96, 3) >> conv(256, 3, 2, padding="valid")
own_reduction = branches(single, double, max_pool(3, 2, padding="valid"))
# solution end

# %% tags=["check", "nbval-check-output"]
exercises.own_reduction.check(own_reduction)

# %% [markdown]
# Cheaper than v3's by far. What would you have to measure before you put it into the network?
#
# ## Recap
#
# - Four principles: a gentle shrink is followed by all networks after GoogLeNet; more channels train faster here,
#   though mostly for another reason than the paper's; squeezing before a window saves a known share at a price to be
#   measured against noise; depth without width wastes a budget.
# - Five rewrites lead from GoogLeNet towards v3, and only one of them saves multiplications. The rest of the way are
#   choices: widths and numbers of blocks that no rule gives.
# - Of the steps from v2 to v3, small data can judge three, and a few runs often *cannot tell*. "v3" names two different
#   sets of changes.
# - Released code and paper differ: 5.71 G against 4.8 G, a 5×5 that stayed, averages over padding. Count what you use.
# - In use, batch norm is a part of the weights, and siblings are one product: the same logits in less time.
#
# Where to go on: RMSProp with ε = 1.0, the rate that falls every second epoch, the running average of weights: how v3
# was trained is the question of the lesson on [training recipes](07_training_recipes.ipynb).

# %% [markdown] tags=["navigation"]
# ---
# Before: [Label smoothing](05_label_smoothing.ipynb) ·
# [All lessons](00_start.ipynb) ·
# Next: [Training recipes](07_training_recipes.ipynb)
