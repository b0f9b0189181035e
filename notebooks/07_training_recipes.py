# ---
# jupyter:
#   course:
#     minutes_read: 50
#     minutes_run: 2
#     title: Training recipes
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
# # Training recipes
#
# A network is half of a result. The other half is how it was trained: optimizer, learning rate over time, batch size,
# clipping, averaging. One network on one set of pictures can end at 88 % or at 95 %. **What does each ingredient of a
# recipe do, and how do you see it at work?**
#
# Afterwards you can
#
# - read a recipe as its author meant it, and say what its learning rate is at any epoch;
# - write SGD, momentum, RMSProp, gradient clipping and weight averaging yourself, equal to PyTorch's;
# - say why the ε of 1.0 in Inception-v3's RMSProp is no detail;
# - explain why a network without batch normalisation explodes at a rate that suits the same network with it;
# - tell in a loss curve what is noise, what is the display, and what is learning.
#
# About 50 minutes to read, 2 minutes to run. The papers are C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna,
# *Rethinking the Inception Architecture for Computer Vision*, CVPR 2016, section 8, and S. Ioffe, C. Szegedy, *Batch
# Normalization*, ICML 2015, section 4.2.
#
# | For a lecture hour | minutes |
# |:--|--:|
# | Four recipes; the learning rate over time, with the explorer | 15 |
# | Down a valley: momentum, RMSProp, and its ε | 15 |
# | Why SGD explodes without batch normalisation | 10 |
# | Reading a loss curve: jitter, jumps, averages | 10 |
# | What each ingredient was worth: a ladder from 88 to 95 %, and a race | 10 |

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
from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
from tqdm.auto import tqdm

from course_lib import datasets
from course_lib.architecture import (
    Conv,
    Node,
    branches,
    build,
    conv,
    global_avg_pool,
    linear,
    max_pool,
    total,
    with_fields,
)
from course_lib.explorers import ScheduleExplorer
from course_lib.reporting.plots import (
    PAPER,
    RECORDED,
    SERIES,
    figure_html,
    line_chart,
    valley_paths,
)
from course_lib.reporting.tables import (
    Claim,
    MeanClaim,
    paper_beside_measured,
    table,
)
from course_lib.reporting.verdicts import paired_difference
from course_lib.teaching import Answer, Quiz, fold_answer
from course_lib.teaching.references import training_recipes as exercises
from course_lib.training import (
    RECIPES,
    Recipe,
    default_device,
    evaluate,
    normalize,
    predict_logits,
)
from course_lib.training.averaging import average_weights
from course_lib.training.loop import TrainingLoop

# %% [markdown]
# ## Four recipes
#
# In this course a recipe is a *value*, a frozen set of fields, and `fit(model, data, recipe)` follows it. Here are the
# four that come with the course. Rows in which all agree are left out.

# %% tags=["nbval-check-output"]
fields = pd.DataFrame(
    {
        name: {field: str(value) for field, value in asdict(recipe).items()}
        for name, recipe in RECIPES.items()
    }
)
table(fields[fields.nunique(axis=1) > 1])

# %% [markdown]
# - `szegedy_2016` is the recipe of Inception-v3 (section 8 of the paper): RMSProp, a rate that falls by 6 % every two
#   epochs, clipped gradients, and a running average of the weights.
# - `adam_steps` has Adam, and the schedule of GoogLeNet: 4 % down every 8 epochs.
# - `sgd_cosine` is how residual networks are trained on small pictures.
# - `quick` is made for a few epochs of a small network.
#
# The learning rates differ by a factor of 100. Which is *larger* cannot be said without the optimizer: that is the
# first thing to learn.

# %% [markdown]
# ## The learning rate over time
#
# The shape of a schedule is a function of time, times the peak. By hand, for a run of 100 epochs:


# %%
def by_hand(
    schedule: str, epoch: float, epochs: int = 100, decay: float = 0.94, every: int = 2
) -> float:
    """The learning rate at a time in epochs, as a share of the peak."""
    done = epoch / epochs
    shapes = {
        "constant": 1.0,
        "linear": 1 - done,
        "cosine": (1 + math.cos(math.pi * done)) / 2,
        "steps": decay ** (epoch // every),
    }
    return shapes[schedule]


# %% [markdown]
# Is this what PyTorch's schedulers do, and what the course's recipes say?

# %% tags=["nbval-check-output"]
from torch.optim import lr_scheduler

schedulers = {
    "linear": lambda o: lr_scheduler.LinearLR(
        o, start_factor=1.0, end_factor=0.0, total_iters=100
    ),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=100),
    "steps": lambda o: lr_scheduler.StepLR(o, step_size=2, gamma=0.94),
}
for schedule, make in schedulers.items():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    recipe = Recipe(epochs=100, learning_rate=1.0, schedule=schedule, warmup_epochs=0)
    for epoch in range(100):
        assert math.isclose(
            scheduler.get_last_lr()[0], by_hand(schedule, epoch), abs_tol=1e-9
        )
        assert math.isclose(
            recipe.learning_rate_at(epoch), by_hand(schedule, epoch), abs_tol=1e-9
        )
        optimizer.step()
        scheduler.step()
    print(
        f"{schedule}: 100 epochs equal; in the last {by_hand(schedule, 99):.5f} of the"
        " peak"
    )

# %% tags=["nbval-check-output"]
times = np.linspace(0, 1, 401)
curves = {
    name: pd.Series(
        [
            recipe.learning_rate_at(t * recipe.epochs) / recipe.learning_rate
            for t in times
        ],
        100 * times,
    )
    for name, recipe in RECIPES.items()
}
figure = line_chart(
    curves,
    xlabel="share of the run, %",
    ylabel="share of the peak rate",
    ylim=(0, 1.05),
)
left = ", ".join(f"{name} {curve.iloc[-1]:.1%}" for name, curve in curves.items())
figure_html(
    figure,
    "Learning rates over the run as shares of their peaks; at the end there is left:"
    f" {left}.",
)

# %% [markdown]
# Two families. *Steps* fall all the time and never reach zero; *cosine* and *linear* stay high for long and then land
# at zero. **Before you run on:**

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "half-of-the-rate",
    "Inception-v3's rate is multiplied by 0.94 every two epochs. After how many epochs"
    " is it half of what it was?",
    [
        Answer(
            "17",
            "8 steps of 6 % would be 48 % if each took 6 % of the first rate; each"
            " takes 6 % of what is left.",
        ),
        Answer(
            "24",
            "ln 0.5 / ln 0.94 = 11.2, so the twelfth step, at epoch 24, goes below"
            " half.",
            correct=True,
        ),
        Answer("50", "That is where a cosine over 100 epochs has its half."),
        Answer(
            "Never: it only comes near", "It never reaches zero. Half it does reach."
        ),
    ],
)

# %% tags=["nbval-check-output"]
paper = RECIPES["szegedy_2016"]
steps_to_half = math.ceil(math.log(0.5) / math.log(paper.decay))
assert (
    paper.learning_rate_at(2 * steps_to_half)
    <= paper.learning_rate / 2
    < paper.learning_rate_at(2 * steps_to_half - 1)
)
fold_answer(
    f"half after {steps_to_half} steps of two epochs each: epoch {2 * steps_to_half}"
)

# %% [markdown]
# ### Larger batches, larger rates
#
# A rate means little without its batch. A batch four times as large gives a gradient averaged over four times as many
# pictures, and a quarter of the steps in an epoch; to travel as far, SGD takes steps four times as long (Goyal et al.
# 2017, section 2.1). For Adam, which divides by the size of its own gradients, the rule is the square root (Malladi et
# al. 2022). A recipe knows its rule:

# %% tags=["nbval-check-output"]
sizes = (32, 64, 128, 256, 512)
rates = {
    name: [recipe.at_batch_size(size).learning_rate for size in sizes]
    for name, recipe in RECIPES.items()
}
table(
    pd.DataFrame(rates, index=pd.Index(sizes, name="batch size")),
    dict.fromkeys(RECIPES, "{:.4g}"),
)

# %% [markdown]
# One column grows by 1.4 a row: that is Adam's. In the explorer, start with Inception-v3's own recipe, then try:
#
# 1. **schedule** "cosine": the peak is the same. By how much does the *mean* rate grow, and what becomes of the last
#    step?
# 2. **recipe** "sgd_cosine", **schedule** "steps", **steps: times** 0.1, **steps: every** 30: the staircase of the
#    first residual networks.
# 3. **recipe** "quick", **batch size** 512: how many updates are left of an epoch, and how high is the peak?

# %% tags=["nbval-check-output"]
ScheduleExplorer("szegedy_2016")

# %% [markdown]
# To 1: the same numbers, asked of `schedule_rates`. The mean rate times the number of updates is the distance that
# gradients of one size would carry the weights.

# %% tags=["nbval-check-output"]
from course_lib.explorers.schedule.result import schedule_rates

shared = {
    "recipe": "szegedy_2016",
    "learning_rate": 0.045,
    "warmup_epochs": 0,
    "decay": 0.94,
    "decay_epochs": 2,
}
means = {
    schedule: schedule_rates(
        schedule=schedule, epochs=100, batch_size=32, **shared
    ).mean
    for schedule in ("steps", "cosine")
}
assert math.isclose(means["cosine"], 0.045 / 2, rel_tol=1e-3)
print(
    f"mean rate: steps {means['steps']:.4f}, cosine {means['cosine']:.4f},"
    f" {means['cosine'] / means['steps']:.2f} times as far"
)

# %% [markdown]
# ## Down a valley
#
# Now the step itself. The simplest landscape that makes trouble is a valley, steep across and flat along: f(x, y)
# = (x² + 25 y²) / 2. Its gradient is (x, 25 y), its minimum (0, 0). The three classics, by hand; each gets the gradient
# and a memory of its own, and returns the step:

# %%
CURVATURE = np.array([1.0, 25.0])
Step = Callable[[np.ndarray, dict[str, np.ndarray]], np.ndarray]


def sgd(rate: float) -> Step:
    return lambda gradient, memory: rate * gradient


def momentum(rate: float, keep: float = 0.9) -> Step:
    def step(gradient: np.ndarray, memory: dict[str, np.ndarray]) -> np.ndarray:
        memory["velocity"] = keep * memory.get("velocity", 0) + gradient
        return rate * memory["velocity"]

    return step


def rmsprop(rate: float, keep: float = 0.9, epsilon: float = 1e-8) -> Step:
    def step(gradient: np.ndarray, memory: dict[str, np.ndarray]) -> np.ndarray:
        memory["square"] = keep * memory.get("square", 0) + (1 - keep) * gradient**2
        return rate * gradient / (np.sqrt(memory["square"]) + epsilon)

    return step


def walk(step: Step, steps: int = 60) -> np.ndarray:
    """The places on the way down from (-4, 1): float64, shape (steps + 1, 2)."""
    places, memory = [np.array([-4.0, 1.0])], {}
    for _ in range(steps):
        places.append(places[-1] - step(CURVATURE * places[-1], memory))
    return np.array(places)


# %% [markdown]
# Equal to PyTorch's?


# %% tags=["nbval-check-output"]
def walk_of_torch(
    make: Callable[[list[nn.Parameter]], torch.optim.Optimizer], steps: int = 60
) -> np.ndarray:
    place = nn.Parameter(torch.tensor([-4.0, 1.0], dtype=torch.float64))
    optimizer, places = make([place]), [place.detach().clone()]
    for _ in range(steps):
        optimizer.zero_grad()
        (torch.tensor(CURVATURE) * place**2 / 2).sum().backward()
        optimizer.step()
        places.append(place.detach().clone())
    return torch.stack(places).numpy()


pairs = {
    "SGD": (sgd(0.07), lambda p: torch.optim.SGD(p, lr=0.07)),
    "momentum": (momentum(0.02), lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9)),
    "RMSProp, ε = 1e-8": (
        rmsprop(0.3),
        lambda p: torch.optim.RMSprop(p, lr=0.3, alpha=0.9, eps=1e-8),
    ),
    "RMSProp, ε = 1": (
        rmsprop(0.07, epsilon=1.0),
        lambda p: torch.optim.RMSprop(p, lr=0.07, alpha=0.9, eps=1.0),
    ),
}
for name, (mine, theirs) in pairs.items():
    assert np.allclose(walk(mine), walk_of_torch(theirs)), name
print("equal:", "; ".join(pairs))

# %% tags=["nbval-check-output"]
paths = {
    "SGD, rate 0.07": walk(sgd(0.07)),
    "momentum 0.9, rate 0.02": walk(momentum(0.02)),
    "RMSProp, ε = 1e-8, rate 0.3": walk(rmsprop(0.3)),
    "RMSProp, ε = 1, rate 0.07": walk(rmsprop(0.07, epsilon=1.0)),
}
figure = valley_paths(paths, lambda x, y: (x**2 + 25 * y**2) / 2)
distances = pd.DataFrame({name: np.hypot(*path.T) for name, path in paths.items()})
figure_html(
    figure,
    "Four paths down a valley. Distance to the minimum after 60 steps: "
    + ", ".join(
        f"{name} {distance:.2f}" for name, distance in distances.iloc[-1].items()
    )
    + ".",
)

# %% tags=["nbval-check-output"]
table(
    distances.loc[[0, 10, 20, 40, 60]].rename_axis("step"),
    dict.fromkeys(paths, "{:.3f}"),
)

# %% [markdown]
# - **SGD** bounces from wall to wall, because its rate is near the limit. On a parabola of curvature c, each step
#   multiplies the distance by 1 - rate·c, so a rate above 2/c makes it *grow*. Here the steep wall allows 2/25 = 0.08,
#   and along the flat floor that is slow.
# - **Momentum** adds up what stays the same (the way along) and cancels what alternates (the walls). It arrives with
#   less than a third of the rate, and overshoots.
# - **RMSProp** divides each direction by the size of its own recent gradients: both directions advance alike. With a
#   tiny ε it keeps stepping by about the rate however small the gradient is, and so never comes to rest.
# - With **ε = 1** it looks like SGD again, only without the bouncing at the start.
#
# The limit is sharp:

# %% tags=["nbval-check-output"]
limit = 2 / CURVATURE.max()
for rate in (0.99 * limit, 1.01 * limit):
    steep = np.abs(walk(sgd(rate), steps=200)[:, 1])
    assert np.isclose(steep[-1], abs(1 - rate * CURVATURE.max()) ** 200)
    print(
        f"rate {rate:.4f}: height on the wall after 200 steps {steep[-1]:.2g}, at the"
        " start 1"
    )

# %% [markdown]
# ### What ε = 1.0 does
#
# Feed each optimizer a gradient that stays the same, and ask how long a step of rate 1 becomes. Then RMSProp's memory
# is the gradient's square, and its step is g / (|g| + ε).

# %% tags=["nbval-check-output"]
gradients = np.logspace(-4, 2, 61)
steps_of = {"SGD": pd.Series(gradients, gradients)}
for epsilon in (1e-8, 0.1, 1.0):
    steps_of[f"RMSProp, ε = {epsilon:g}"] = pd.Series(
        gradients / (gradients + epsilon), gradients
    )
figure = line_chart(
    steps_of, xlabel="gradient", ylabel="step at rate 1", log="xy", ylim=(1e-4, 30)
)
at = ", ".join(
    f"{name} {curve.loc[gradients[20]]:.2g}" for name, curve in steps_of.items()
)
figure_html(
    figure,
    f"Step against gradient, both logarithmic. At a gradient of 0.01: {at}. From 10 on,"
    " all three RMSProps are near 1.",
)

# %% [markdown]
# To the left of ε the line is straight: RMSProp *is* SGD there, with the rate divided by ε. To the right, it is a step
# of fixed length, whatever the gradient. So ε says which gradients count as large. **Before you run on**, and before
# you know how large gradients are:

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "epsilon-misread",
    "One re-telling of the paper gives its ε as 0.1 instead of 1.0, with the rate left"
    " at 0.045. The gradients of single weights are about 0.01. What changes?",
    [
        Answer(
            "Hardly anything: ε only guards against division by zero",
            "That is the job of 1e-8. An ε far above the gradients rules the division.",
        ),
        Answer(
            "Steps become about ten times as long",
            "0.01 / (0.01 + 0.1) against 0.01 / (0.01 + 1.0): 9 times.",
            correct=True,
        ),
        Answer(
            "Steps become about ten times as short",
            "ε stands below the fraction's line: a smaller one makes longer steps.",
        ),
        Answer(
            "RMSProp becomes SGD",
            "With ε = 1.0 it nearly is; a smaller ε leads away from it.",
        ),
    ],
)

# %% [markdown]
# Now measure how large gradients are. The network of this lesson: two convolutions, two Inception modules, on pictures
# of clothes of 28×28 pixels.

# %% tags=["nbval-check-output"]
module = branches(conv(16, 1), conv(16, 1) >> conv(32, 3), max_pool(3) >> conv(16, 1))
network = (
    conv(32, 3, stride=2)
    >> conv(32, 3)
    >> max_pool(3, 2)
    >> module
    >> module
    >> global_avg_pool()
    >> linear(10)
)
bare = with_fields(network, Conv, norm=False, bias=True)
data = datasets.load("fashion_mnist").subset(train=2560, test=1000)
sizes = {
    "with batch norm": total(network, (1, 28, 28)),
    "without": total(bare, (1, 28, 28)),
}
print(data)
table(
    pd.DataFrame(
        {
            name: {"parameters": size.params, "MACs": size.macs}
            for name, size in sizes.items()
        }
    ).T
)


# %%
def he_init(value: Node, seed: int) -> nn.Module:
    """The value's module, initialised as in He et al. 2015 for ReLU; biases start at
    0."""
    torch.manual_seed(seed)
    model = build(value, in_channels=1)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return model


run = TrainingLoop(
    he_init(network, seed=0), data, RECIPES["szegedy_2016"], default_device(), None
)
for batch in (torch.arange(20 * 32) % len(data.train)).split(32):
    run.step(batch, RECIPES["szegedy_2016"].learning_rate)
roots = torch.cat(
    [state["square_avg"].sqrt().flatten() for state in run.optimizer.state.values()]
).cpu()

# %%
share = {epsilon: epsilon / (roots + epsilon) for epsilon in (1.0, 0.1)}
print(
    f"root of the mean square of a weight's gradient: median {roots.median():.4f},"
    f" largest {roots.max():.2f}"
)
print(
    f"steps of RMSProp, ε = 1, as shares of SGD's: {share[1.0].min():.2f} to"
    f" {share[1.0].max():.2f}, mean {share[1.0].mean():.3f}"
)
print(
    f"with ε = 0.1 instead, steps are {(share[0.1] / 0.1 / share[1.0]).mean():.1f}"
    " times as long"
)
# If gradients were as large as ε, the share would be a half.
assert share[1.0].mean() > 0.9

# %% [markdown]
# After twenty steps of the paper's own recipe, RMSProp's divisor is 1 and a little more for every weight. **The famous
# RMSProp of Inception-v3 is, on this network, plain SGD at a rate of 0.045**, with the largest gradients held back a
# little. That is what a large ε is for, and why the recipe can share SGD's rule for batch sizes. (TensorFlow takes the
# root of mean plus ε and starts the mean at 1. Where gradients are far below ε, as here, PyTorch's first step is √1.9 =
# 1.38 times as long, and the difference dies away with that first mean; where they stay at 1, PyTorch's steps end at
# √2/2 = 0.71 of TensorFlow's.)

# %% [markdown]
# ### Clipping
#
# The paper clips gradients at 2.0 "to stabilize the training" (section 8). The norm of *all* gradients together is
# meant, so that the direction stays. By hand:


# %% tags=["nbval-check-output"]
def clip_by_hand(gradients: list[torch.Tensor], largest: float) -> list[torch.Tensor]:
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    return [gradient * min(1.0, largest / norm.item()) for gradient in gradients]


torch.manual_seed(0)
parameters = [nn.Parameter(torch.zeros(3, 4)), nn.Parameter(torch.zeros(5))]
for scale in (0.1, 10.0):
    for parameter in parameters:
        parameter.grad = scale * torch.randn_like(parameter)
    mine = clip_by_hand([parameter.grad for parameter in parameters], largest=2.0)
    norm = nn.utils.clip_grad_norm_(parameters, max_norm=2.0)
    assert all(
        torch.allclose(a, p.grad, atol=1e-5)
        for a, p in zip(mine, parameters, strict=True)
    )
    print(
        f"norm {norm:.2f} before, {torch.cat([a.flatten() for a in mine]).norm():.2f}"
        " after"
    )

# %% [markdown]
# ## Why SGD explodes without batch normalisation
#
# "The same learning rate increase with the original Inception caused the model parameters to reach machine infinity",
# writes the paper on batch normalisation about a rate five times the usual (section 4.2.2); with batch normalisation,
# thirty times was its best. **Before you run on:** why?

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "why-bn-bears-more",
    "The weights of a convolution before a batch norm are all multiplied by 10. What"
    " happens to its output, and to its gradient?",
    [
        Answer(
            "Output ×10, gradient ×10",
            "The batch norm divides the output by its standard deviation, which has"
            " grown by 10 as well.",
        ),
        Answer(
            "Output as before, gradient as before",
            "The output is right. But a step of the same length now turns weights that"
            " are ten times as long by a tenth.",
        ),
        Answer(
            "Output as before, gradient a tenth",
            "Scale cancels in the output, so a change of weights ten times as long"
            " counts a tenth.",
            correct=True,
        ),
        Answer(
            "Output as before, gradient ×10",
            "The output is right; longer weights make the loss flatter, not steeper.",
        ),
    ],
)

# %% tags=["nbval-check-output"]
torch.manual_seed(0)
layer, norm = (
    nn.Conv2d(4, 8, 3, bias=False).double(),
    nn.BatchNorm2d(8, eps=1e-12).double(),
)
x, wanted = (
    torch.randn(16, 4, 9, 9, dtype=torch.float64),
    torch.randn(16, 8, 7, 7, dtype=torch.float64),
)
outputs, gradients_of = [], []
for scale in (1.0, 10.0):
    weight = (scale * layer.weight).detach().requires_grad_()
    output = norm(F.conv2d(x, weight))
    gradient = torch.autograd.grad((output - wanted).square().mean(), weight)[0]
    outputs.append(output)
    gradients_of.append(gradient)
    # The gradient stands at right angles to the weights.
    assert F.cosine_similarity(gradient.flatten(), weight.flatten(), 0).abs() < 1e-6
assert torch.allclose(*outputs, atol=1e-8)
assert torch.allclose(gradients_of[0], 10 * gradients_of[1], rtol=1e-6)
fold_answer(
    *(
        f"weights ×{scale}: norm of the gradient {gradient.norm():.5f}, none of it"
        " along the weights"
        for scale, gradient in zip((1, 10), gradients_of, strict=True)
    )
)

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# Two facts, and they make a brake. The gradient falls as the weights grow; and it stands at right angles to the
# weights, so *every* step makes them longer (Pythagoras). A rate that is too large lengthens the weights until, seen
# from them, it is no longer too large. Without batch norm nothing brakes: longer weights give larger outputs, larger
# gradients, and still longer weights.
#
# </details>
#
# Does it hold in a real network? The loop on one screen: 30 steps of SGD with momentum at a constant rate, with and
# without batch norm, and, without, with clipping.


# %%
def thirty_steps(value: Node, rate: float, seed: int, clip: float = math.inf) -> float:
    """Mean loss of the last ten of thirty steps on batches of 32; infinite if one was
    not finite."""
    model = he_init(value, seed).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    losses = []
    for batch in torch.randperm(
        len(data.train), generator=torch.Generator().manual_seed(seed)
    ).split(32)[:30]:
        images = normalize(data.train.images[batch], data.mean, data.std)
        loss = F.cross_entropy(model(images), data.train.labels[batch])
        if not loss.isfinite():
            return math.inf
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        losses.append(loss.item())
    return float(np.mean(losses[-10:]))


# %%
RATES = (0.03, 0.1, 0.3, 1.0)
sweep = {}


def losses_at(value: Node, clip: float = math.inf) -> pd.DataFrame:
    """`thirty_steps` for each rate (rows) and two seeds (columns)."""
    pairs = tqdm([(rate, seed) for rate in RATES for seed in (0, 1)], unit="run")
    losses = {
        (rate, seed): thirty_steps(value, rate, seed, clip) for rate, seed in pairs
    }
    return pd.Series(losses).unstack().rename_axis("rate")


sweep["batch norm"] = losses_at(network)

# %%
sweep["none"] = losses_at(bare)

# %%
sweep["none, clipped at 2"] = losses_at(bare, clip=2.0)

# %%
# Guessing costs ln 10. Runs that have not come 5 % below it in thirty steps have not
# begun to learn.
learned = {
    kind: losses.mean(axis=1) < 0.95 * math.log(10) for kind, losses in sweep.items()
}
largest = {
    kind: max([rate for rate in RATES if ok[rate]], default=0.0)
    for kind, ok in learned.items()
}
assert largest["batch norm"] > largest["none"] > 0, (
    "the brake that was just derived would not show"
)
figure = line_chart(
    sweep,
    xlabel="learning rate",
    ylabel="loss after thirty steps",
    log="x",
    ylim=(0.5, 4),
)
text = "; ".join(f"{kind} learns up to {rate:g}" for kind, rate in largest.items())
figure_html(
    figure,
    f"Loss after thirty steps against the learning rate, two runs each. {text}. A line"
    " that ends was not finite beyond.",
)

# %%
columns = {
    f"{kind}, seed {seed}": losses[seed]
    for kind, losses in sweep.items()
    for seed in (0, 1)
}
clipped = sweep["none, clipped at 2"]
# What was derived: nothing brakes without batch norm; and a clipped step is bounded, so
# thirty of them cannot reach infinity.
assert np.isinf(sweep["none"].loc[1.0]).any()
assert np.isfinite(clipped).all(axis=None)
table(pd.DataFrame(columns), dict.fromkeys(columns, "{:.2f}"))

# %%
claim = Claim(
    "rate with batch norm over rate without (Batch Normalization, section 4.2.2)",
    30,
    largest["batch norm"] / largest["none"],
    (10, math.inf),
    "30 was the paper's choice, not its limit; rates tried here lie a factor of about 3"
    " apart, so one step below 30 is 10",
    "{:.0f} times",
)
paper_beside_measured([claim])

# %% [markdown]
# With batch norm the loss falls at every rate tried. Without, thirty steps bring little at 0.03 and less at 0.1; at a
# rate of 1 the loss is infinite. Clipping bounds each step: all losses stay finite, and at 0.1 the network learns
# better than without. It treats the symptom. A rate of 1 it does not make useful: a step of bounded length in a useless
# direction is still useless.

# %% [markdown]
# ### The same on photographs, recorded
#
# A reduced GoogLeNet on CIFAR-10 (recompressed as JPEG, so not comparable with published accuracies), plain SGD without
# momentum, first weights after He et al. in both forms: too long for a lesson, so it was *recorded*. A run whose loss
# was not finite has diverged and has no accuracy.

# %% tags=["nbval-check-output"]
from course_lib.reporting.records import load_record

record = load_record("sgd_without_bn")
by_rate = record.rows.pivot_table(
    index="learning_rate", columns="batch_norm", values="test_accuracy", dropna=False
)
# With batch norm no rate diverges; without it the two largest do.
assert by_rate[True].notna().all()
assert list(by_rate.index[by_rate[False].isna()]) == [0.3, 1.0]
shown = by_rate.map(
    lambda accuracy: "diverged" if pd.isna(accuracy) else f"{accuracy:.1%}"
)
table(shown.set_axis(["without batch norm", "with"], axis=1), record=record)

# %% [markdown]
# Photographs tell the same story. Without batch norm the two largest rates diverge; with it none does, and the best of
# the five is one of those two. The accuracies are low, since two passes over 2,000 pictures are a short training, and
# each is a single run: do not read anything into a point or two between the small rates. "Diverged" or not is what this
# record can tell.

# %% [markdown]
# ## Reading a loss curve
#
# Four runs of the network with batch norm, four epochs of 40 steps: with a rate that stays at 0.1 and with one that
# falls as a cosine, from two first weights each. Every step is logged, and after every epoch both the weights
# themselves and their running average are judged on the test pictures. `TrainingLoop` is what `fit` is made of;
# `after_step` is
# called after each of its steps.


# %%
def logged(
    recipe: Recipe, bar: tqdm
) -> tuple[pd.DataFrame, pd.DataFrame, TrainingLoop]:
    """Loss of each step, and how many were right since the epoch began; judgements
    after each epoch; and the run at its end."""
    run = TrainingLoop(
        he_init(network, recipe.seed), data, recipe, default_device(), None
    )
    steps, ends = [], []

    def after_step() -> None:
        part = run.part
        loss, right = part.losses[part.step - 1].item(), part.correct.item()
        steps.append(
            {
                "epoch": len(run.history) + 1,
                "step": part.step,
                "loss": loss,
                "right so far": right,
            }
        )
        bar.update()

    for _ in range(recipe.epochs):
        averaged, raw = run.epoch(after_step), evaluate(run.model, data.test, data)
        ends.append(
            {
                "train": averaged["train_accuracy"],
                "raw": raw.accuracy,
                "averaged": averaged["test_accuracy"],
            }
        )
    return pd.DataFrame(steps), 100 * pd.DataFrame(ends), run


# %%
recipe = Recipe(epochs=4, batch_size=64, learning_rate=0.1, ema_decay=0.95)
logs = {}
with tqdm(total=2 * 4 * 40, unit="step") as bar:
    for seed in (0, 1):
        logs["constant", seed] = logged(
            replace(recipe, schedule="constant", seed=seed), bar
        )

# %%
with tqdm(total=2 * 4 * 40, unit="step") as bar:
    for seed in (0, 1):
        logs["cosine", seed] = logged(
            replace(recipe, schedule="cosine", seed=seed), bar
        )
# Guessing gives 10 %: below 50 % the curves would show nothing of learning.
assert all(ends["raw"].iloc[-1] > 50 for _, ends, _ in logs.values())

# %% [markdown]
# ### Jitter is a matter of sampling
#
# The loss jumps from step to step. Does the network get worse and better that fast? Each value is the mean over 64
# pictures drawn by chance. If single pictures' losses have the standard deviation s, such a mean has s/√64, *even if
# the weights stand still*. Predict from the final weights, then look at the last epoch of the log:

# %%
jitter = {}
for (schedule, seed), (steps, _, run) in logs.items():
    logits = predict_logits(run.model, data.train.images, data)
    one_by_one = F.cross_entropy(logits, data.train.labels, reduction="none")
    seen = steps["loss"].iloc[-40:].std()
    jitter[f"{schedule}, seed {seed}"] = {
        "predicted": one_by_one.std().item() / 8,
        "seen": seen,
    }
jitter = pd.DataFrame(jitter).T
# A standard deviation of 40 values is good to 11 %, and the pictures of the log are
# shifted and mirrored: within a factor of two.
assert (jitter["seen"] / jitter["predicted"]).between(0.5, 2).all()
table(jitter)

# %% [markdown]
# No learning is needed to explain the jitter. To halve it on the display, average four times as many steps; to halve it
# in the *gradient*, take batches four times as large.

# %% [markdown]
# ### Why accuracy jumps where an epoch starts
#
# A progress bar does not show a step's accuracy. It shows the mean since the epoch began. **Before you run on:**

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "jump-at-the-epoch",
    "At the first steps of epoch 2, the accuracy on a progress bar jumps up, often by"
    " many points. Why?",
    [
        Answer(
            "The network has learned from the test pictures in between",
            "Judging changes nothing in the weights: no gradient is taken.",
        ),
        Answer(
            "The pictures are now seen for the second time, and known by heart",
            "In long trainings that adds a little. Measure below how much it is here.",
        ),
        Answer(
            "The mean starts anew, without the bad first steps of epoch 1",
            "At the end of epoch 1 the bar still counts its beginning, when the network"
            " knew nothing. The new mean starts with what it knows now.",
            correct=True,
        ),
        Answer(
            "The learning rate is changed there",
            "Here it is constant, or falls smoothly from step to step.",
        ),
    ],
)

# %%
steps = logs["constant", 0][0]
right = steps.groupby("epoch")["right so far"].diff().fillna(steps["right so far"])
accuracy = pd.DataFrame(
    {
        "one batch": right / 64,
        "progress bar": steps["right so far"] / (64 * steps["step"]),
        "last 40 steps": (right / 64).rolling(40).mean(),
    }
).set_index(np.arange(1, len(steps) + 1) / 40)
lines = {name: 100 * accuracy[name] for name in accuracy}
figure = line_chart(
    lines, xlabel="epoch", ylabel="training accuracy, %", faint=["one batch"]
)
bars = [lines["progress bar"].iloc[40 * e - 1 : 40 * e + 10] for e in (1, 2, 3)]
text = ", ".join(
    f"from {bar.iloc[0]:.0f} to {bar.iloc[-1]:.0f} % after epoch {e}"
    for e, bar in enumerate(bars, 1)
)
fold_answer(
    figure_html(
        figure,
        "Training accuracy of each batch, of the progress bar and of the last 40 steps."
        f" Within ten steps the bar moves {text}; the other two do not jump.",
    )
)

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# The dashed line is a saw: each tooth starts where the network is and lags behind it for the rest of the epoch. The
# mean over the last 40 steps, which never starts anew, has no tooth.
#
# </details>
#
# In numbers, over all four runs: how far does the bar jump, and how much better were the ten batches after the boundary
# than the ten before it?

# %%
jumps = []
for steps, _, _ in logs.values():
    right = (
        steps.groupby("epoch")["right so far"].diff().fillna(steps["right so far"])
        / 0.64
    )
    for boundary in (40, 80, 120):
        after = right[boundary : boundary + 10].mean()
        jumps.append(
            {
                "after epoch": boundary // 40,
                "bar": after - right[boundary - 40 : boundary].mean(),
                "batches": after - right[boundary - 10 : boundary].mean(),
            }
        )
jumps = pd.DataFrame(jumps).groupby("after epoch").mean()
# Ten batches of 64 are good to about 2 points, so "batches" is noisy. The bar's first
# jump must be more than that and than real learning.
assert jumps.loc[1, "bar"] > 2 * max(abs(jumps.loc[1, "batches"]), 2)
fold_answer(table(jumps, dict.fromkeys(jumps.columns, "{:+.1f}")))

# %% [markdown]
# The bar jumps most where the network learned most within the epoch. The batches themselves change by what ten steps of
# learning bring, and by chance: two points or so either way, which do not average out, as both schedules see the same
# pictures in the same order. After epochs 2 and 3 the bar's jump is of that size, too. The same lag makes *training*
# accuracy look worse than *test* accuracy early on: `train_accuracy` is a mean over an epoch of weights, the test is
# judged at its end.

# %%
first = pd.DataFrame({key: ends.iloc[0] for key, (_, ends, _) in logs.items()}).T
# It fails where a network overfits within one epoch. One run's test accuracy is good to
# 1.6 points, so the means are compared.
assert first["raw"].mean() > first["train"].mean()
first.index = [f"{schedule}, seed {seed}" for schedule, seed in logs]
names = {
    "train": "mean over epoch 1, training pictures, %",
    "raw": "after epoch 1, test pictures, %",
}
table(first[list(names)].rename(columns=names), dict.fromkeys(names.values(), "{:.1f}"))

# %% [markdown]
# ### The running average of weights
#
# At a high rate the weights never settle: they walk about in the bottom of a bowl, thrown by each batch. Their
# *average* lies nearer to its middle. After each step the paper's recipe updates average ← keep · average + (1 - keep)
# · weights, and judges the average alone. By hand, and equal to what the course uses, which is PyTorch's
# `AveragedModel`:

# %% tags=["nbval-check-output"]
torch.manual_seed(0)
walker = nn.Linear(3, 1, bias=False)
average, mine = average_weights(walker, decay=0.95), None
for step in range(400):
    with torch.no_grad():
        walker.weight.add_(0.1 * torch.randn_like(walker.weight))
    average.update_parameters(walker)
    # The first weights are soon forgotten, as in TensorFlow.
    keep = min(0.95, (1 + step) / (10 + step))
    mine = (
        walker.weight.detach().clone()
        if step == 0
        else keep * mine + (1 - keep) * walker.weight.detach()
    )
assert torch.allclose(mine, average.module.weight, atol=1e-5)
print(
    f"equal after {step + 1} steps; a keep of 0.95 remembers about {1 / (1 - 0.95):.0f}"
    f" steps, the paper's 0.9999 about {1 / (1 - 0.9999):,.0f}"
)

# %% [markdown]
# Ten thousand steps are 6.4 epochs of 50,000 pictures in batches of 32: `szegedy_2016` is for long trainings. Now the
# four logged runs. **Predict**: where does the average help more, at the constant rate or at the cosine's end?

# %%
last = pd.DataFrame(
    {
        f"{schedule}, seed {seed}": ends.iloc[-1]
        for (schedule, seed), (_, ends, _) in logs.items()
    }
).T
last["gain"] = last["averaged"] - last["raw"]
gain = {
    schedule: np.mean([last.loc[f"{schedule}, seed {seed}", "gain"] for seed in (0, 1)])
    for schedule in ("constant", "cosine")
}
# At the cosine's end steps are almost zero, and the average has caught up with the
# weights: it cannot gain as much there.
assert gain["constant"] > gain["cosine"]
table(
    last[["raw", "averaged", "gain"]],
    {"raw": "{:.1f} %", "averaged": "{:.1f} %", "gain": "{:+.1f}"},
)

# %%
shown = {
    f"{schedule}, {kind}": (
        sum(logs[schedule, seed][1][kind] for seed in (0, 1)).set_axis(range(1, 5)) / 2
    )
    for schedule in gain
    for kind in ("raw", "averaged")
}
ends = {name: means.iloc[-1] for name, means in shown.items()}
# Four accuracies of 1,000 pictures, two on each side: the difference is good to 1.3
# points. Far behind, the average would be no cure.
assert ends["constant, averaged"] > ends["cosine, raw"] - 4
figure = line_chart(shown, xlabel="epoch", ylabel="test accuracy, %")
text = "; ".join(f"{name} {end:.1f} %" for name, end in ends.items())
figure_html(
    figure, f"Test accuracy after each epoch, mean of two runs. After the last: {text}."
)

# %% [markdown]
# Averaging and letting the rate fall are **two cures for one illness**, the noise of large steps. With a rate that
# falls to zero the average has little left to do; with a rate that stays high, or falls slowly like Inception-v3's
# (0.002 at its end, not 0), it is worth points. A constant rate with an average ends about where the cosine ends, or
# above: it kept its large steps to the last, and lost only their noise. And in the first epoch it is *behind*: it still
# remembers weights that knew nothing.

# %% [markdown]
# ## What each ingredient was worth
#
# ### A ladder from 88 to 95 %
#
# A ladder is told of GoogLeNet on CIFAR-10, one change at a time, 100 epochs a rung. These numbers are reported, not
# measured here:

# %% tags=["nbval-check-output"]
told = {
    "7×7/2 stem, first three max-pools removed, heads; Adam 0.001, batch 256": 88.45,
    "no auxiliary heads": 88.42,
    "3×3/1 stem, pool3 back": 91.18,
    "batch norm": 92.76,
    "SGD 0.01 in place of Adam": 88.81,
    "cosine schedule": 89.56,
    "SGD 0.1 with momentum 0.9, weight decay 0.0005, batches of 128": 95.16,
}
ladder = pd.DataFrame(
    {"change": told.keys(), "told, %": told.values()},
    index=pd.RangeIndex(1, 8, name="rung"),
)
ladder["step"] = ["", *(f"{step:+.2f}" for step in ladder["told, %"].diff()[1:])]
table(ladder, {"told, %": "{:.2f}"})

# %% [markdown]
# Between rungs 3 and 4 plain SGD was tried, and diverged: you have seen why. The heads' 0.03 points are noise, and a
# stem that keeps the small picture's pixels is worth more than batch norm. **Before you run on**, look at rungs 4, 5
# and 7:

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "ladder-sgd",
    "SGD in place of Adam lost 4 points at rung 5; at rung 7 it won 2.4 points against"
    " the same Adam. What does rung 5 say about SGD?",
    [
        Answer("It is worse than Adam", "At rung 7 it is better, on the same network."),
        Answer("It needs a cosine", "Rung 6 has one, and gains 0.75 points of the 4."),
        Answer(
            "Nothing yet: its rate was far too small",
            "0.01 against 0.1 with momentum 0.9: the next cell counts how much further"
            " that goes.",
            correct=True,
        ),
        Answer("It needs batch norm", "Rung 5 has batch norm already."),
    ],
)

# %% [markdown]
# How far does each rung of SGD travel? Momentum 0.9 adds a steady gradient up to 1/(1 - 0.9) = 10 times its size; half
# the batch means twice the steps. For rungs 5 and 6 no momentum and no new batch size are told: take none, and 256.

# %% tags=["nbval-check-output"]
memory, step = {}, momentum(1.0, keep=0.9)
assert np.isclose(
    [step(np.ones(1), memory) for _ in range(200)][-1], 1 / (1 - 0.9)
).all()
sgd_rungs = {
    "5: SGD 0.01": replace(
        RECIPES["sgd_cosine"],
        learning_rate=0.01,
        momentum=0,
        batch_size=256,
        schedule="constant",
    ),
    "6: cosine": replace(
        RECIPES["sgd_cosine"], learning_rate=0.01, momentum=0, batch_size=256
    ),
    "7: SGD 0.1, momentum 0.9": RECIPES["sgd_cosine"],
}
distance = {
    rung: (
        sum(recipe.learning_rate_at(epoch + 0.5) for epoch in range(100))
        * (50_000 / recipe.batch_size)
        / (1 - recipe.momentum)
    )
    for rung, recipe in sgd_rungs.items()
}
travelled = pd.DataFrame({"rate × steps, with momentum": distance})
travelled["against rung 5"] = travelled.iloc[:, 0] / distance["5: SGD 0.01"]
fold_answer(table(travelled, dict.fromkeys(travelled.columns, "{:,.1f}")))

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# A hundred times as far. Two optimizers have been compared only when *each* has been given its own best rate. Rung 5
# compares a rate with an optimizer.
#
# </details>

# %% [markdown]
# ### The ladder, climbed again
#
# The same seven rungs, *recorded* with an eighth of the width, a tenth of the pictures, six epochs and smaller batches;
# the pictures are CIFAR-10 recompressed as JPEG. The accuracies do not compare with the told ones. The *steps* may:
# does each lead in the same direction?

# %% tags=["nbval-check-output"]
record = load_record("cifar_ladder")
by_seed = 100 * record.rows.pivot(index="seed", columns="rung", values="test_accuracy")
climbed, claims = by_seed.mean(), []
for rung in climbed.index[1:]:
    step = ladder["told, %"].diff()[rung]
    measured = paired_difference(by_seed[rung], by_seed[rung - 1])
    # The size of a step belongs to the network and the epochs; its sign may last.
    # A step told as small as chance claims no sign.
    judged = {"sign_only": True} if abs(step) > 0.5 else {"margin": 2.0}
    text = f"rung {rung}: {ladder['change'][rung]}, points"
    claims.append(MeanClaim(text, step, measured, **judged))
paper_beside_measured(claims, record=record)

# %%
both = {"told, 100 epochs": ladder["told, %"], "recorded, 6 epochs": climbed}
assert record.rows["epochs"].eq(6).all()
figure = line_chart(
    both,
    xlabel="rung",
    ylabel="test accuracy, %",
    styles={"told, 100 epochs": PAPER, "recorded, 6 epochs": RECORDED},
)
text = ", ".join(
    f"{name}: {' '.join(f'{value:.1f}' for value in values)}"
    for name, values in both.items()
)
figure_html(figure, f"Accuracy of the seven rungs, told and recorded, %. {text}.")

# %% [markdown]
# Four of the six steps lead where the ladder told. The two others are its two smallest, and here they go down.
#
# - **Rung 2**, the heads. Six short epochs without batch norm hardly move the lower modules, and a head brings them
#   gradient, as the lesson on auxiliary classifiers measures. After a hundred epochs nothing is left of it. But it is a
#   single run each: a guess that fits, not a finding.
# - **Rung 6**, the cosine. You have just computed that it *halves the way* that the weights can go. At a rate already
#   far too small, in six epochs, that costs; in a hundred it still gains, for then the quiet end counts.
#
# And the sizes: batch norm and rung 7's rate are worth many times the told points, for a short training rewards
# whatever makes a network learn *fast*. A step of a ladder belongs to its length, and to the rungs below it.

# %% [markdown]
# ### From v2 to v3
#
# Inception-v3 is v2 with four changes; three of them can be made to a small network on small pictures: label smoothing,
# batch norm in the auxiliary head, no dropout. Each alone, and all together, from several first weights. Differences
# are taken seed by seed.

# %% tags=["nbval-check-output"]
record = load_record("v2_against_v3")
runs = 100 * record.rows.pivot(index="seed", columns="variant", values="test_accuracy")
runs = runs[list(dict.fromkeys(record.rows["variant"]))]
against_v2 = runs.sub(runs["v2"], axis=0)
columns = {
    "accuracy, %": runs.mean(),
    "against v2": against_v2.mean(),
    "± standard error": against_v2.sem(),
}
table(
    pd.DataFrame(columns),
    {"accuracy, %": "{:.2f}", "against v2": "{:+.2f}", "± standard error": "{:.2f}"},
    record=record,
)

# %% tags=["nbval-check-output"]
told = {
    "v3": ("v3 over v2 on objects of PASCAL VOC, 100 epochs, points", 1.08),
    "v2 + label smoothing": (
        "label smoothing on ImageNet (v3 paper, table 3), points",
        0.3,
    ),
    "v2 + batch norm in the head": (
        "batch norm in the head on ImageNet (v3 paper, section 4), points",
        0.4,
    ),
}
claims = []
for variant, (claim, points) in told.items():
    measured = paired_difference(runs[variant], runs["v2"])
    claims.append(MeanClaim(claim, points, measured))
paper_beside_measured(claims, record=record)

# %% [markdown]
# At five epochs on 3,000 pictures, nearly all of it is **dropout**: a network that has hardly begun to learn needs no
# rein, and half of its last features are missing at each step. v2 without it is as good as v3. Label smoothing moves
# accuracy by a tenth of a point, in the told direction each time; that the three agree so well says how little depends
# on the first weights, not that other test pictures would agree. Batch norm in the head helps one of three runs:
# undecided. So v3 beats v2 here, too, and for another reason than in the paper, where 100 epochs made room for
# overfitting. The two numbers in the first row may even agree; **only trying each change alone shows that they do not
# mean the same.**

# %% [markdown]
# ### Twenty minutes each
#
# Last, everything together. A well-known tutorial's reduced GoogLeNet with a plain loop (PyTorch as it comes, float32,
# one picture at a time, Adam 1e-3) and this course's small network with `quick` train on one machine, for the same time
# by the clock. The question is not how many epochs, but **what to do with twenty minutes**. That is longer than a
# lesson, so it was *recorded*. Accuracy along the way is that on held-out training pictures; the test pictures were
# looked at once, at the end.

# %% tags=["nbval-check-output"]
record = load_record("equal_wall_time")
race = dict(iter(record.rows.groupby("contestant", sort=False)))
finals = pd.DataFrame({name: rows.iloc[-1] for name, rows in race.items()}).T
columns = ["params", "macs", "images", "seconds", "test_accuracy"]
formats = {"seconds": "{:,.0f}", "test_accuracy": "{:.1%}"}
table(finals[columns], formats, record=record)

# %% tags=["nbval-check-output"]
curves = {
    name: pd.Series(100 * rows["validation_accuracy"].to_numpy(), rows["seconds"] / 60)
    for name, rows in race.items()
}
looks = {"textbook": SERIES[1], "quick": RECORDED}
labels = {
    "xlabel": "minutes of training",
    "ylabel": "accuracy, held-out pictures, %",
    "title": "recorded",
}
figure = line_chart(curves, **labels, styles=looks)
ahead = 100 * (
    finals.loc["quick", "test_accuracy"] - finals.loc["textbook", "test_accuracy"]
)
text = (
    "Accuracy over twenty minutes, recorded. On the test pictures, quick ends"
    f" {ahead:+.1f} points ahead."
)
figure_html(figure, text)

# %% tags=["nbval-check-output"]
speed = {
    name: rows["images"].iloc[-1] / rows["seconds"].iloc[-1]
    for name, rows in race.items()
}
print(
    f"pictures a second: textbook {speed['textbook']:.0f}, quick {speed['quick']:.0f}"
)
print(
    "MACs of one picture:"
    f" {finals.loc['textbook', 'macs'] / finals.loc['quick', 'macs']:.1f} times as many"
    " in the textbook's network"
)
for name, rows in race.items():
    near = rows.loc[(rows["images"] - 45_000).abs().idxmin()]
    print(
        f"{name} after {near['images']:,} pictures: {near['validation_accuracy']:.1%}"
    )

# %% [markdown]
# Where do the points come from? First, from *pictures*: `quick` saw about twelve times as many. A factor of three of it
# belongs to the network, which multiplies less; the rest belongs to the loop: bfloat16, a memory layout that suits the
# processor, whole batches cropped and mirrored at once instead of picture by picture. Second, from what is learned of
# *each* picture: after as many of them `quick` is ahead, too, by its network, its rate, and its average of weights, and
# the race cannot tell these apart. It does not say which network is the better one, either: the tutorial reports 89.70
# % for its own after 180 epochs. Given time enough, much is forgiven. Given twenty minutes, the recipe decides.

# %% [markdown]
# And with more time? The same small network and recipe, planned for more epochs from the start: a finished run cannot
# be prolonged, since its rate ends at zero.

# %% tags=["nbval-check-output"]
record = load_record("quick_longer")
longer = record.rows.iloc[-1]
assert longer["params"] == finals.loc["quick", "params"]
race_end, end = finals.loc["quick"], longer["test_accuracy"]
print(f"{race_end['epoch']:.0f} epochs, in the race: {race_end['test_accuracy']:.1%}")
print(
    f"{longer['epochs']:.0f} epochs, {longer['seconds'] / 60:.0f} minutes: {end:.1%},"
    f" {100 * (end - race_end['test_accuracy']):+.1f} points"
)
# One accuracy of 8,000 pictures is good to this, and a difference of two to about 1.4
# times as much.
print(
    f"standard error of one accuracy: {100 * math.sqrt(end * (1 - end) / 8_000):.1f}"
    " points"
)
record

# %% [markdown]
# 1.7 times as many pictures buy 1.4 points, about two and a half times the error of such a difference (two single
# errors, so times √2). More training helps, then, and each point costs more than the one before: the race's first two
# epochs brought more than all that came later. The minutes of the two do not compare, as the machine had more to do
# besides in the second. What sets the limit now, the 235,000 parameters, the recipe or the pictures, this run does not
# tell; each would have to be changed alone.

# %% [markdown]
# ## Exercises
#
# ### 1 · Until it is half (easy, 5 minutes)
#
# Write `half_life(decay, decay_epochs)`: the first epoch at which a rate that is multiplied by `decay` every
# `decay_epochs` epochs is half of the peak or less.

# %% tags=["nbval-check-output"]
exercises.half_life


# %% tags=["solution"]
def half_life(decay: float, decay_epochs: int) -> int:
    # solution begin
    return decay_epochs * math.ceil(math.log(0.5) / math.log(decay))
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.half_life.check(half_life)

# %% [markdown]
# ### 2 · Undo the progress bar (medium, 10 minutes)
#
# You are given only what a progress bar showed after each step of one epoch: the mean of all values since its start.
# Write `single_values(shown)`, which gives back the value of each step. What the bar hides, it does not lose.

# %% tags=["nbval-check-output"]
exercises.single_values


# %% tags=["solution"]
def single_values(shown: list[float]) -> list[float]:
    # solution begin
    sums = [mean * (step + 1) for step, mean in enumerate(shown)]
    return [end - start for start, end in zip([0.0, *sums[:-1]], sums, strict=True)]
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.single_values.check(single_values)

# %% [markdown]
# ### 3 · Adam (harder, 15 minutes)
#
# Adam is momentum and RMSProp in one, both corrected for their start at zero. With decays b1 and b2 and gradients g₁,
# g₂, …:
#
# - m ← b1·m + (1 - b1)·g and v ← b2·v + (1 - b2)·g², from zero;
# - after step t, the weight changes by -rate · m / (1 - b1ᵗ) / (√(v / (1 - b2ᵗ)) + ε).
#
# Write `adam(gradients, rate)`: the weight, which starts at 0, after each of these gradients, with b1 = 0.9, b2 = 0.999
# and ε = 1e-8. Your judge is PyTorch's Adam.

# %% tags=["nbval-check-output"]
exercises.adam


# %% tags=["solution"]
def adam(gradients: list[float], rate: float) -> list[float]:
    # solution begin
    weight, mean, square, weights = 0.0, 0.0, 0.0, []
    for t, gradient in enumerate(gradients, start=1):
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        weight -= (
            rate * mean / (1 - 0.9**t) / (math.sqrt(square / (1 - 0.999**t)) + 1e-8)
        )
        weights.append(weight)
    return weights
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.adam.check(adam)

# %% [markdown]
# The very first step has the length of the rate, whatever the gradient. Is that so in your solution, and why?
#
# ## Recap
#
# - A learning rate has a meaning only beside its optimizer, its batch size and its place in time. Steps fall early and
#   end above zero; cosine and linear stay high and end at zero.
# - SGD bears a rate up to 2 over the largest curvature. Momentum cancels what alternates; RMSProp evens out directions,
#   as far as gradients are larger than its ε. With ε = 1.0, as in Inception-v3, they are not, and it is SGD.
# - Batch normalisation makes the loss blind to the weights' scale, and too large a rate brakes itself. Without it, too
#   large a rate explodes.
# - Jitter in a loss curve is sampling. Jumps at the start of an epoch are the display's. Neither is learning.
# - A falling rate and a running average of the weights cure the same noise.
#
# Where to go on: two ingredients of the recipe have lessons of their own, `04_auxiliary_classifiers` and
# `05_label_smoothing`.

# %% [markdown] tags=["navigation"]
# ---
# Before: [Label smoothing](05_label_smoothing.ipynb) ·
# [All lessons](00_start.ipynb)
