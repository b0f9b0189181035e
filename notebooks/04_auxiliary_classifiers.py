# ---
# jupyter:
#   course:
#     minutes_read: 45
#     minutes_run: 2
#     title: Auxiliary classifiers
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
# # Auxiliary classifiers
#
# GoogLeNet answers three times: once at its end, and twice from the middle, where two small classifiers look at
# unfinished features and are told whether they are right. In training they push on the layers below them; afterwards
# they are cut off. **What are they for? And does it work for the reason that their inventors gave?**
#
# Afterwards you can
#
# - measure how far the gradient of a loss reaches into a network, layer by layer, and say why it fades;
# - say what a head with a given weight adds to it, exactly and for every weight;
# - tell apart three things that are easily taken for one: a large gradient, a network that learns, and a network that
#   learns *faster*;
# - judge, from a few runs, a claim that its authors took back a year later.
#
# About 45 minutes to read, 2 minutes to run. The papers are C. Szegedy et al., *Going Deeper with Convolutions*, CVPR
# 2015, section 5, and C. Szegedy et al., *Rethinking the Inception Architecture for Computer Vision*, CVPR 2016,
# section 4.
#
# | For a lecture hour | minutes |
# |:--|--:|
# | A classifier halfway, built and counted; first question | 10 |
# | How far the gradient reaches; second question | 15 |
# | The explorer: position, weight, batch norm | 10 |
# | A gradient is not yet learning: two networks, live | 10 |
# | Early or late? The recorded runs against the paper | 10 |
# | Off with the heads | 5 |

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

import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import datasets
from course_lib.architecture import Sequence, build, diagram, seq, total
from course_lib.experiments.auxiliary_gradients import first_weights
from course_lib.experiments.auxiliary_network import (
    LOWER,
    STAGES,
    UPPER,
    deep_network,
    head,
)
from course_lib.explorers import AuxiliaryExplorer
from course_lib.models import network
from course_lib.reporting.plots import figure_html, line_chart
from course_lib.reporting.records import load_record
from course_lib.reporting.tables import MeanClaim, paper_beside_measured, table
from course_lib.reporting.verdicts import difference_of, runs_needed
from course_lib.teaching import Answer, Quiz, fold_answer
from course_lib.teaching.references import auxiliary_classifiers as exercises
from course_lib.training import Recipe, auxiliary_loss, fit, normalize

# %% [markdown]
# ## A classifier halfway
#
# Our laboratory is GoogLeNet's plan in small: a stem, eight Inception modules one after another, and a classifier.
# There is no batch normalisation in it yet: GoogLeNet was built before that was invented. Here it is with one head,
# after its third module, where the lower of GoogLeNet's two heads stands:

# %% tags=["nbval-check-output"]
shape = (1, 28, 28)
diagram(deep_network((LOWER,)), shape)

# %% [markdown]
# The head is a classifier of its own: it averages the grid down to 4×4, squeezes the channels, and has two fully
# connected layers. By hand, in plain PyTorch, the whole idea is one more line in `forward` and one more term in the
# loss:


# %%
class WithHead(nn.Module):
    """A trunk cut in two and a head that reads the cut: images (N, 1, 28, 28) ->
    logits, and in training the head's."""

    def __init__(self, lower: nn.Module, upper: nn.Module) -> None:
        super().__init__()
        self.lower, self.upper = lower, upper
        squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(4), nn.Conv2d(32, 32, 1), nn.ReLU(), nn.Flatten()
        )
        self.head = nn.Sequential(
            *squeeze, nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10)
        )

    def forward(
        self, x: torch.Tensor
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        middle = self.lower(x)
        return (
            (self.upper(middle), self.head(middle))
            if self.training
            else self.upper(middle)
        )


# %% [markdown]
# In this course a head is a part of the *value*, `auxiliary(head, weight)`, and `build` and `auxiliary_loss` do the
# rest. With the same weights both must give the same loss, and the same gradient at the very first layer:

# %%
data = datasets.load("fashion_mnist")
images, labels = (
    normalize(data.train.images[:128], data.mean, data.std),
    data.train.labels[:128],
)
built = first_weights(deep_network((LOWER,)), "he", seed=0)
parts = dict(built.named_children())
place = list(parts).index(f"head{LOWER}")
mine = WithHead(
    nn.Sequential(*list(parts.values())[:place]),
    nn.Sequential(*list(parts.values())[place + 1 :]),
)
weights_of_head = parts[f"head{LOWER}"].state_dict().values()
mine.head.load_state_dict(
    dict(zip(mine.head.state_dict(), weights_of_head, strict=True))
)
logits, from_head = mine(images)

# %% tags=["nbval-check-output"]
by_hand = F.cross_entropy(logits, labels) + 0.3 * F.cross_entropy(from_head, labels)
by_library = auxiliary_loss(built(images), labels, F.cross_entropy, weight=0.3)
first = built.get_submodule("stem")[0].conv.weight
# `retain_graph`: the cell can be run again.
losses = by_hand, by_library
gradients = [torch.autograd.grad(loss, first, retain_graph=True)[0] for loss in losses]
torch.testing.assert_close(by_hand, by_library)
torch.testing.assert_close(*gradients)
print("the same loss, the same gradient")

# %% [markdown]
# What does a head cost? Multiplications are few, since it looks at a small grid. But it has fully connected layers.
# **Before you run on:**

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "parameters-of-heads",
    "GoogLeNet has 7.0 million parameters without its two auxiliary heads. How many"
    " more come with them?",
    [
        Answer(
            "0.07 million, 1 %",
            "So few would be right for their multiplications: about 0.5 %.",
        ),
        Answer(
            "0.7 million, 10 %",
            "A fully connected layer from 4·4·128 values to 1,024 alone has 2.1"
            " million.",
        ),
        Answer(
            "6.4 million, 91 %",
            "Each has 2.1 million in its first fully connected layer and 1.0 million in"
            " its second.",
            correct=True,
        ),
    ],
)

# %% tags=["nbval-check-output"]
counted = {}
for name, aux in {"GoogLeNet": False, "with two heads": True}.items():
    size = total(network("googlenet", 1000, aux), (3, 224, 224))
    counted[name] = {"parameters": size.params, "MACs": size.macs}
counted["more, %"] = {
    key: 100 * (counted["with two heads"][key] / value - 1)
    for key, value in counted["GoogLeNet"].items()
}
fold_answer(table(pd.DataFrame(counted).T))

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# Nearly twice the parameters, and all of them are thrown away after training. There had better be a reason.
#
# </details>

# %% [markdown]
# ## How far does the gradient reach?
#
# The reason that the inventors gave (section 5) is depth: in a network of 22 layers they were concerned that the
# gradient, on its way back from the loss, might not reach the lower layers. A head halfway has a short way down. So let
# us see how bad it is.

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "gradient-at-the-stem",
    "The network above without head and batch norm, with the weights that PyTorch draws"
    " by default. How large is the gradient of the loss at the stem's weights, compared"
    " with that at the weights of the last module?",
    [
        Answer(
            "About as large",
            "Nothing holds it up: each layer multiplies it by its weights, which"
            " PyTorch draws small.",
        ),
        Answer("A tenth", "One or two modules do that. There are eight."),
        Answer(
            "Less than a thousandth",
            "Each layer on the way back takes more than half of it, and even the"
            " shortest way has eight.",
            correct=True,
        ),
    ],
)

# %% [markdown]
# Measuring it takes one backward pass. Afterwards each weight holds its gradient, and we note its Euclidean norm,
# convolution by convolution:


# %%
def gradient_norms(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, weight: float = 0.0
) -> pd.Series:
    """Norm of the gradient by the weights of each convolution of the trunk; heads'
    losses count `weight` times."""
    model.train().zero_grad()
    auxiliary_loss(model(images), labels, F.cross_entropy, weight).backward()
    convolutions = {
        name: p.grad
        for name, p in model.named_parameters()
        if p.ndim == 4 and not name.startswith("head")
    }
    return pd.Series(
        {name: gradient.norm().item() for name, gradient in convolutions.items()}
    )


# %%
plain = deep_network()
norms = {
    "PyTorch's first weights": gradient_norms(
        first_weights(plain, "pytorch", 0), images, labels
    ),
    "He's first weights": gradient_norms(first_weights(plain, "he", 0), images, labels),
    "batch norm": gradient_norms(
        first_weights(deep_network(batch_norm=True), "he", 0), images, labels
    ),
}
figure = line_chart(
    {name: series.reset_index(drop=True) for name, series in norms.items()},
    xlabel="convolution, from the stem (0) to the last module",
    ylabel="norm of its gradient",
    log="y",
)
alt = "Norm of the gradient along the convolutions, first and last: "
fold_answer(
    figure_html(
        figure,
        alt
        + "; ".join(
            f"{name} {norm.iloc[0]:.0e} and {norm.iloc[-1]:.0e}"
            for name, norm in norms.items()
        ),
    )
)

# %%
module8 = norms["PyTorch's first weights"].filter(like="module8")
share = norms["PyTorch's first weights"].iloc[0] / module8.max()
# Eight layers leave 0.41 to the power of eight, 0.0008 (the next section says why), and
# longer ways less.
assert share < 1e-3
assert (
    norms["batch norm"].iloc[0] > 0.1 * norms["batch norm"].filter(like="module8").max()
)
fold_answer(
    f"PyTorch's first weights: the stem's gradient is {share:.0e} of the largest in"
    " module 8"
)

# %% [markdown]
# (The teeth of the lines are the four convolutions of each module, of which the small 1×1 before the 3×3 gets the
# least. Look at their level.) With PyTorch's first weights the stem stands in the dark, and so do the first modules.
# With those of He et al. (2015), or with batch normalisation, it does not.
#
# ### Why it fades, and what He's weights change
#
# The answer takes one layer. Weights of variance v, drawn at random around 0, turn inputs of mean square 1 into sums of
# mean square fan_in · v; a ReLU then sets half of them to 0. PyTorch draws with v = 1/(3 fan_in), He with v = 2/fan_in.
# So a layer multiplies the mean square by 1/6, or by 1; and in the same way the gradient's on its way back:

# %%
torch.manual_seed(0)
x = torch.randn(2000, 512).abs()
factors = {}
for name, variance in {"PyTorch's": 1 / (3 * 512), "He's": 2 / 512}.items():
    weight = torch.randn(512, 512) * variance**0.5
    factors[name] = (torch.relu(x @ weight).square().mean() / x.square().mean()).item()
    print(
        f"{name} weights: the mean square after one layer is {factors[name]:.3f} times"
        " that before"
    )
# 512 sums of 512 products each: the factor is known to a few per cent.
assert abs(6 * factors["PyTorch's"] - 1) < 0.15
assert abs(factors["He's"] - 1) < 0.15

# %% [markdown]
# A factor of 1/6 a layer in the mean square is one of 0.41 in the norm. The shortest way from module 8 down to the stem
# leads through eight layers, and 0.41 to the power of eight is less than a thousandth; on longer ways nearly nothing
# arrives. (Which weights GoogLeNet started from, its paper does not say. He's rule was published five months after it.)

# %% [markdown]
# ### A head halfway
#
# Now the inventors' remedy: the network with PyTorch's weights, and a head after module 3, weight 0.3.

# %%
with_head = first_weights(deep_network((LOWER,)), "pytorch", seed=0)
shown = {
    "without head": gradient_norms(with_head, images, labels),
    "head after module 3": gradient_norms(with_head, images, labels, weight=0.3),
}
figure = line_chart(
    {name: series.reset_index(drop=True) for name, series in shown.items()},
    xlabel="convolution, from the stem (0) to the last module",
    ylabel="norm of its gradient",
    log="y",
)
gain = shown["head after module 3"].iloc[0] / shown["without head"].iloc[0]
assert gain > 3
figure_html(
    figure,
    f"The head multiplies the gradient at the stem by {gain:.0f} and changes nothing"
    " above module 3.",
)

# %% [markdown]
# It does what it was invented for: below the head the gradient grows many times over. How much depends on the draw of
# the weights and on the images, so this was done five times and *recorded*, for every position of the head. Is the
# record right? We can measure one of its rows ourselves, with the same seed, and need not take its word:

# %%
rows = load_record("auxiliary_gradients").rows
row = rows.query(
    "init == 'pytorch' and batch_norm == 'none' and head_after == @LOWER and seed == 0"
).iloc[0]
live = (
    shown["without head"]
    .pow(2)
    .groupby(lambda name: name.split(".")[0], sort=False)
    .sum()
    .pow(0.5)
)
deviation = (live / pd.Series(row["main"], index=STAGES) - 1).abs()
# The same numbers in another order of summation: rounding, which a ReLU near 0 can
# magnify, stays below 1 %.
assert deviation.max() < 0.01
print(
    f"live and recorded norms of {len(STAGES)} stages differ by at most"
    f" {deviation.max():.1e} of their value"
)

# %% tags=["nbval-check-output"]
load_record("auxiliary_gradients")

# %% [markdown]
# ### Every weight at once
#
# GoogLeNet gives each head's loss the weight 0.3, Inception-v3 gives its one head 0.4. What would 0.4 do here? There is
# nothing to measure again. The gradient of a sum is the sum of the gradients, g + w·h, and its length follows from
# theirs and the angle between them:
#
# |g + w·h|² = |g|² + 2 w |g| |h| cos(g, h) + w² |h|²
#
# So three recorded numbers a stage give the profile for *every* weight. In the explorer, start with what was just
# measured, then try:
#
# 1. **after module** (where the head is) from 1 to 8: how soon does its help wear off? Which stages does it never help?
# 2. **first weights** He's: what is left for the head to do?
# 3. **batch norm** in the trunk, then in trunk and head: look at the *cosine* below the plot. Does the head ask the
#    layers for the same as the main loss?

# %% tags=["nbval-check-output"]
explorer = AuxiliaryExplorer(
    head_after=LOWER, weight=0.3, batch_norm="none", init="pytorch"
)
explorer

# %% [markdown]
# The explorer shows what `profile_gradients` returns. You can ask it directly, here for the two weights of the papers:

# %% tags=["nbval-check-output"]
from course_lib.explorers.auxiliary_heads.result import profile_gradients

settings = {
    "PyTorch's weights": ("none", "pytorch"),
    "He's weights": ("none", "he"),
    "He's and batch norm": ("trunk", "he"),
    "He's and batch norm, in the head, too": ("trunk and head", "he"),
}
gains = {
    name: {
        f"weight {weight}": profile_gradients(LOWER, weight, *setting).gain
        for weight in (0.3, 0.4, 1.0)
    }
    for name, setting in settings.items()
}
table(
    pd.DataFrame(gains).T.rename_axis(
        "gradient at the stem, head after module 3, times that without"
    ),
    dict.fromkeys(next(iter(gains.values())), "{:.2f}"),
)

# %% [markdown]
# Read the table from top to bottom. Where the gradient had faded, the head is a way around, and its weight counts: 0.4
# gives a third more than 0.3. Where the gradient had not faded, the head is one voice of two, or, with batch norm,
# hardly heard at this place: its share is smaller than what two draws of the weights differ by (the band in the
# explorer).

# %% [markdown]
# ## A large gradient is not yet learning
#
# The head multiplies the stem's gradient. **So decide:**

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "will-it-learn",
    "The deep network with PyTorch's first weights, no batch norm: without heads it"
    " stays at 10 %, pure guessing. We give it two heads, after modules 3 and 6, and"
    " train it exactly as before. What will its accuracy be after two short epochs?",
    [
        Answer(
            "Still 10 %",
            "The gradient is larger, but what reaches the heads hardly depends on the"
            " image. You will see it below.",
            correct=True,
        ),
        Answer(
            "About 30 %: the lower modules learn",
            "They would, if what the lower head sees told the images apart.",
        ),
        Answer(
            "As good as with He's weights",
            "The heads shorten the way back. They do not help the images on their"
            " way up.",
        ),
    ],
)

# %% [markdown]
# The network with PyTorch's weights and the one with He's, without heads and with both, each from two different first
# weights. Everything else is equal; batch size and clipping are those of the v3 paper (section 8), without which
# networks without batch norm would hardly train.

# %%
small = data.subset(train=1500, test=500)
recipe = Recipe(
    epochs=2, batch_size=32, learning_rate=0.05, clip_norm=2.0, weight_decay=0.0
)
runs: dict[tuple[str, str, int], float] = {}
trained: dict[str, nn.Module] = {}


def train(init: str, seed: int) -> None:
    """Train the network with these first weights, without heads and with both, and note
    the test accuracies."""
    for name, heads in {"no heads": (), "both heads": (LOWER, UPPER)}.items():
        trained[name] = first_weights(deep_network(heads), init, seed)
        runs[init, name, seed] = (
            100 * fit(trained[name], small, recipe).test_accuracy.iloc[-1]
        )


# %%
train("pytorch", seed=0)

# %%
train("pytorch", seed=1)

# %%
train("he", seed=0)

# %%
train("he", seed=1)

# %%
accuracy = pd.Series(runs).unstack([1, 2])
accuracy.columns = [f"{name}, seed {seed}" for name, seed in accuracy.columns]
accuracy = accuracy.loc[["pytorch", "he"]].rename_axis("first weights")
# 500 pictures, ten classes: guessing gives 10 %, at four standard errors up to 15.4.
assert (accuracy.loc["pytorch"] < 15.4).all()
assert (accuracy.loc["he"] > 25).all()
table(accuracy, dict.fromkeys(accuracy.columns, "{:.1f} %"))

# %% [markdown]
# The network that the heads were to save is not saved. The other learns, with heads and without. What the heads were
# invented for, good first weights do. So does batch normalisation, which restores the size of the signal in every layer
# whatever the weights are: set the explorer to PyTorch's weights and batch norm in the trunk.
#
# ### Why the large gradient is of no use
#
# A gradient can only tell images apart that the *forward* pass has kept apart. Put 128 pictures through and ask at each
# stage: how much do their activations differ from their common mean, compared with the mean itself?


# %%
starts = {
    "PyTorch's weights": (False, "pytorch"),
    "He's weights": (False, "he"),
    "He's and batch norm": (True, "he"),
}


def distinctness(model: nn.Module, images: torch.Tensor) -> list[float]:
    """After each stage, the images' root mean square distance from their mean
    activation, over that mean's norm."""
    found = []
    with torch.no_grad():
        for stage in STAGES:
            images = model.get_submodule(stage)(images)
            mean = images.mean(0)
            found.append(
                ((images - mean).square().sum() / len(images)).sqrt().item()
                / mean.norm().item()
            )
    return found


# %%
seen = {
    start: distinctness(
        first_weights(deep_network(batch_norm=bn), init, 0).train(), images
    )
    for start, (bn, init) in starts.items()
}
frame = pd.DataFrame(seen)
figure = line_chart(
    {name: frame[name] for name in frame},
    xlabel="after this stage",
    ylabel="difference of the images",
    log="y",
)
figure.axes[0].set_xticks(frame.index, STAGES, rotation=30)
ends = "; ".join(
    f"{name} {frame[name].iloc[0]:.1g} and {frame[name].iloc[-1]:.1g}" for name in frame
)
figure_html(
    figure, f"How much 128 images differ after the stem and after module 8: {ends}"
)

# %% [markdown]
# With PyTorch's weights all pictures have become one picture on their way up. The last word is the logits': by how much
# do they differ from image to image (standard deviation, mean over the classes) before the first step?

# %%
answers_differ = {}
for start, (batch_norm, init) in starts.items():
    outputs = first_weights(
        deep_network((LOWER, UPPER), batch_norm=batch_norm), init, 0
    )(images)
    answers_differ[start] = {
        name: output.std(0).mean().item() for name, output in outputs._asdict().items()
    }
differences = pd.DataFrame(answers_differ).T
# PyTorch's weights let a thousandth through even to the lower head; the others answer
# each image differently at once.
assert (differences.loc["PyTorch's weights"] < 0.01).all()
assert (differences.drop(index="PyTorch's weights") > 0.03).all(axis=None)
table(
    differences.rename_axis("logits differ by"),
    dict.fromkeys(differences.columns, "{:.1g}"),
)

# %% [markdown]
# To all three classifiers of the first network, 128 pictures are one and the same. Their gradients are as large as you
# like, but they can hardly ask for more than "shift the biases": guess each class as often as it occurs. The *signal*
# fades on its way up as the gradient fades on its way down, by the same factor, and a head shortens the one way only as
# far as it shortens the other.
#
# One more look at the explorer, with batch norm in the trunk: the cosines are close to 0. There the head is no
# amplifier of the main loss's gradient. It asks the layers below it for something *else*. Keep that in mind for what
# follows.

# %% [markdown]
# ## Early or late?
#
# So heads do not save a network that cannot learn. But one that can? With a short way back, the lower layers might
# learn *faster*. This is what everyone believed; then the authors looked.

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "do-heads-speed-up-the-start",
    "A year after GoogLeNet the same first author compared the training of one network"
    " with heads and without (v3 paper, section 4). What did he find?",
    [
        Answer(
            "With heads it learns faster from the start",
            "So it had been thought. The curves did not show it.",
        ),
        Answer(
            "Both learn equally fast; near the end the one with heads gets slightly"
            " ahead",
            "He concluded that the heads do not help the lower layers to develop, and"
            " act as a regulariser instead.",
            correct=True,
        ),
        Answer(
            "No difference at any time",
            "There was one, but only near the end, when both were already good.",
        ),
    ],
)

# %% [markdown]
# To see a slight lead takes more training than a lesson has room for. It was *recorded*: eight networks, each from ten
# different first weights, 2,000 images again and again without augmentation. So there is an early phase, a plateau, and
# work for a regulariser. First the four with batch norm in the trunk:

# %% tags=["nbval-check-output"]
record = load_record("auxiliary_heads")
runs_over_time = 100 * record.rows.pivot(
    index="epoch", columns=["network", "seed"], values="test_accuracy"
)
means = runs_over_time.T.groupby(level="network", sort=False).mean().T
short = {
    "no heads": "none",
    "upper head": "upper",
    "both heads": "both",
    "upper head, batch norm in it": "upper with BN",
}
normed = means[list(short)].rename(columns=short)
figure = line_chart(
    dict(normed.items()),
    xlabel="epoch",
    ylabel="test accuracy, %",
    title="heads on a trunk with batch norm (recorded)",
)
ends = "; ".join(
    f"{name} {curve.iloc[0]:.1f} % and {curve.iloc[-1]:.1f} %"
    for name, curve in normed.items()
)
fold_answer(
    figure_html(
        figure,
        "Test accuracy over the epochs, mean of the recorded runs, first and last"
        f" epoch: {ends}",
    )
)

# %% tags=["nbval-check-output"]
record

# %% [markdown]
# Curves that cross and touch: is there a difference? Compare run with run, seed by seed, since two runs with one seed
# share their trunk's first weights and the order of the images. And beware of one thing. Which epochs count as "early"
# was decided after the curves of the first *three* seeds had been seen, and whoever chooses where to look finds
# something there. So those three do not count. The seven that were recorded afterwards do.


# %%
SEEN = 3  # seeds whose curves had been seen when the phases below were chosen


def leads_of(
    pairs: dict[str, tuple[str, str]], phases: dict[str, list[int]]
) -> pd.DataFrame:
    """Points of test accuracy by which a network leads another, mean over a phase's
    epochs; one row a seed."""
    columns = {
        (name, phase): (runs_over_time[of] - runs_over_time[over]).loc[epochs].mean()
        for name, (of, over) in pairs.items()
        for phase, epochs in phases.items()
    }
    return pd.DataFrame(columns)


def leads_table(leads: pd.DataFrame, title: str) -> object:
    """Mean lead and its standard error, one row a pair and one column a phase."""
    written = leads.mean().map("{:+.1f}".format) + leads.sem().map(" ± {:.1f}".format)
    return table(written.unstack(sort=False).rename_axis(title))


# %% tags=["nbval-check-output"]
phases = {
    "epoch 1": [1],
    "epochs 2 and 3": [2, 3],
    "last two epochs": list(means.index[-2:]),
}
pairs = {
    "batch norm: upper head over none": ("upper head", "no heads"),
    "batch norm: both heads over none": ("both heads", "no heads"),
    "batch norm: upper head alone over both": ("upper head", "both heads"),
    "batch norm: in the head over not": ("upper head, batch norm in it", "upper head"),
    "no batch norm: both heads over none": (
        "no batch norm, both heads",
        "no batch norm, no heads",
    ),
}
leads = leads_of(pairs, phases)
fresh = leads[SEEN:]
leads_table(fresh, f"{len(fresh)} fresh seeds: points of accuracy, ± standard error")

# %% [markdown]
# In the first epoch chance has the word: seven pairs of runs cannot tell ten points from nothing. In the second and
# third the networks with heads are ahead by two or three points, about twice the standard error. At the end those
# without batch norm still are, by less than a point. And what had the three seeds said, on which the phases were
# chosen?

# %% tags=["nbval-check-output"]
_, early, late = phases
beginnings = leads.xs(early, axis=1, level=1).filter(like="over none")
shrunk = pd.DataFrame(
    {
        f"{SEEN} seeds seen": beginnings[:SEEN].mean(),
        "the others": beginnings[SEEN:].mean(),
    }
)
# Fresh runs must keep clearly less of each lead, or the text below is wrong.
assert (shrunk["the others"] < 0.7 * shrunk.iloc[:, 0]).all()
table(
    shrunk.rename_axis(f"lead in {early}, points"),
    dict.fromkeys(shrunk.columns, "{:+.1f}"),
)

# %% [markdown]
# **Up to four times as much.** Nothing was done wrong in those three runs; they were *chosen by*. Had the recording
# stopped there, this lesson would teach that heads are worth six points at the start. When somebody picks a window, a
# metric or a benchmark after seeing the results, ask for fresh ones.
#
# Beside the paper (its zeros are ours: it says in words that there was no difference):


# %%
def claim(text: str, paper: float, name: str, phase: str) -> MeanClaim:
    """The paper's number beside the recorded lead; less than a point counts as none."""
    lead = difference_of(fresh[name, phase].to_list())
    margin = None if paper else 1.0
    return MeanClaim(text, paper, lead, margin, number_format="{:+.1f}")


# %% tags=["nbval-check-output"]
claims = [
    claim(
        "both heads: no faster start (section 4), points",
        0.0,
        "batch norm: both heads over none",
        early,
    ),
    claim(
        "the same without batch norm, points",
        0.0,
        "no batch norm: both heads over none",
        early,
    ),
    claim(
        "lower head removed: no harm (section 4), points",
        0.0,
        "batch norm: upper head alone over both",
        late,
    ),
    claim(
        "batch norm in the head gains (section 4), points",
        0.4,
        "batch norm: in the head over not",
        late,
    ),
]
paper_beside_measured(claims, record=record)

# %% [markdown]
# One objection is left. With heads the whole gradient is longer, so perhaps any larger steps would have helped. The
# control: no heads, and a learning rate 1.6 times as high, as if the gradients of both heads' losses (0.3 + 0.3)
# pointed where the main loss's points.

# %% tags=["nbval-check-output"]
larger = {
    "batch norm: larger steps over smaller": ("no heads, larger steps", "no heads"),
    "no batch norm: larger steps over smaller": (
        "no batch norm, no heads, larger steps",
        "no batch norm, no heads",
    ),
}
control = leads_of(larger, phases)[SEEN:]
# If larger steps led early as well, the heads' lead might be no more than that.
assert (control.xs(early, axis=1, level=1).mean() < 0).all()
leads_table(control, "no heads: points of accuracy, ± standard error")

# %% [markdown]
# And how many pairs of runs would show a lead of 0.4 points at the end?

# %% tags=["nbval-check-output"]
needed = [
    runs_needed(difference_of(lead.to_list()), 0.4)
    for _, lead in fresh.xs(late, axis=1, level=1).items()
]
print(f"{min(needed)} to {max(needed)}, by comparison; here are {len(fresh)}")

# %% [markdown]
# What do we know now?
#
# - The early lead is small, and seven pairs of runs hardly tell it from none, the paper's finding. Larger steps do not
#   explain it: they do not lead. And "start" means 126 to 189 steps here, on tiny images and with a high learning rate;
#   in the paper it means days on ImageNet.
# - The higher end that the paper reports shows without batch norm, as in GoogLeNet; with batch norm it is smaller than
#   seven pairs of runs can see.
# - Whether removing the lower head does harm, seven pairs of runs cannot tell: the interval reaches from about a point
#   lost to a point won.
# - Batch norm in the head gains nothing here; at the end it costs about half a point.
#
# A word of caution on all of it: five comparisons in three phases are fifteen chances to be two standard errors off by
# luck alone. About one in twenty is, and with few runs more.
#
# ### A regulariser?
#
# If heads regularise, the network with heads should do *worse on the images it was trained on*, or not so much better
# on them than on new ones. Look at the end of the recorded runs:

# %% tags=["nbval-check-output"]
at_end = record.rows.query("epoch == epoch.max()")
of_network = at_end.groupby("network", sort=False)
measured = of_network[["train_accuracy", "test_accuracy", "test_loss"]].mean()
measured[["train_accuracy", "test_accuracy"]] *= 100
measured["train - test"] = measured["train_accuracy"] - measured["test_accuracy"]
measured["± standard error"] = 100 * of_network[
    ["train_accuracy", "test_accuracy"]
].apply(lambda rows: (rows["train_accuracy"] - rows["test_accuracy"]).sem())
points = dict.fromkeys(
    ["train_accuracy", "test_accuracy", "train - test", "± standard error"], "{:.1f}"
)
table(measured, points | {"test_loss": "{:.3f}"})

# %% tags=["nbval-check-output"]
on_training_images = at_end.pivot(
    index="seed", columns="network", values="train_accuracy"
)
for trunk in ("batch norm", "no batch norm"):
    of, over = pairs[f"{trunk}: both heads over none"]
    fit_better = 100 * (on_training_images[of] - on_training_images[over])
    # A regulariser would make this negative.
    better = difference_of(fit_better.to_list())
    assert better.interval[0] > 0
    print(
        f"{trunk}: with heads {better.mean:+.1f} ± {better.half_width:.1f} points"
        " (95 %) on the training images"
    )

# %% [markdown]
# Not here. With heads the networks fit their training images *better*, by more than chance, and the gap between
# training and test is no smaller. That is what a help to the optimiser looks like, not what a regulariser does. (What
# does narrow the gap is larger steps, without any head.) The authors argued from the other end: batch norm or dropout
# in the head helps, therefore the head regularises. Our networks are too small to speak for theirs; they do show that
# the argument needs an experiment, and which.

# %% [markdown]
# ## Off with the heads
#
# After training the heads have done their work, whatever it was. In eval mode the network gives its logits alone. Do
# the heads leave a trace? Take the last network trained above, and a new one that never had any; give the new one the
# trunk's weights and nothing else. And to be sure that the heads are not asked, ruin them:

# %% tags=["nbval-check-output"]
full = trained["both heads"].cpu().eval()
bare = build(deep_network(), 1).to(memory_format=torch.channels_last).eval()
bare.load_state_dict(
    {name: w for name, w in full.state_dict().items() if not name.startswith("head")}
)
before = full(images)
assert torch.equal(bare(images), before)
for name, parameter in full.named_parameters():
    if name.startswith("head"):
        parameter.data.fill_(torch.nan)
assert torch.equal(full(images), before)
removed = sum(p.numel() for p in full.parameters()) - sum(
    p.numel() for p in bare.parameters()
)
print(f"identical logits; {removed:,} parameters that need not be stored")

# %% [markdown]
# Equal to the last bit. The heads are scaffolding: they cost memory and a little time in training, and nothing
# afterwards. `create_model("googlenet", aux=False)` is the whole network.

# %% [markdown]
# ## Exercises
#
# ### 1 · How deep may it be? (easy, 5 minutes)
#
# Each layer multiplies the *mean square* of a gradient by `factor`, less than 1. Write `layers_until(share, factor)`:
# after how many layers has its *norm* fallen to `share` of what it was, or below?

# %% tags=["nbval-check-output"]
exercises.layers_until


# %% tags=["solution"]
def layers_until(share: float, factor: float) -> int:
    # solution begin
    return math.ceil(2 * math.log(share) / math.log(factor))
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.layers_until.check(layers_until)

# %% [markdown]
# ### 2 · A weight for a purpose (medium, 10 minutes)
#
# At some layer the main loss's gradient has the norm `main`, the head's loss's the norm `head_norm`, and `cosine` is
# that of the angle between them. Write `weight_for`: the positive weight of the head with which the layer's gradient
# becomes `gain` times, more than once, as long as the main loss's alone.

# %% tags=["nbval-check-output"]
exercises.weight_for


# %% tags=["solution"]
def weight_for(gain: float, main: float, head_norm: float, cosine: float) -> float:
    # solution begin
    return main / head_norm * (math.sqrt(cosine**2 + gain**2 - 1) - cosine)
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.weight_for.check(weight_for)

# %% [markdown]
# ### 3 · A head where you like (harder, 15 minutes)
#
# Write `add_head(value, number)`: the network `value` with a head after `module<number>`, named `head<number>`, and
# nothing else changed. A network is a sequence whose `layers` are a tuple of named parts; `head(bn_aux=False,
# weight=0.3)` makes a head, `.named("head3")` names it, and `seq(*parts)` makes a sequence of parts. Heads that are
# there stay.

# %% tags=["nbval-check-output"]
exercises.add_head


# %% tags=["solution"]
def add_head(value: Sequence, number: int) -> Sequence:
    # solution begin
    place = [part.name for part in value.layers].index(f"module{number}") + 1
    new = head(bn_aux=False, weight=0.3).named(f"head{number}")
    return seq(*value.layers[:place], new, *value.layers[place:])
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.add_head.check(add_head)

# %% [markdown]
# ## Recap
#
# - A head is a classifier in the middle. In training its loss counts, too, with weight 0.3 (GoogLeNet) or 0.4
#   (Inception-v3); afterwards it is cut off without a trace, and GoogLeNet gets rid of half of all its parameters.
# - Gradients fade where each layer shrinks them: by 0.41 a layer with PyTorch's first weights, not at all with He's. A
#   head shortens the way, for the layers below it only.
# - The gradient is g + w·h: three numbers a layer tell it for every weight.
# - A large gradient is not yet learning: where the signal fades on its way up, heads save nothing. First weights and
#   batch normalisation do.
# - The inventors believed in faster learning; a year later they saw none, and a slightly higher end instead; our small
#   networks show a start hardly faster, and a higher end only without batch norm. Three answers: what a head does
#   depends on the network, the data and the length of training.
# - An answer without its noise is none. And a window chosen after the curves were seen wants fresh runs: of a lead of
#   five to seven points they left two or three.
#
# Where to go on: another idea of the same paper acts on the loss, too, and there the effect on a small network is large
# and can be predicted. That is label smoothing, in the next lesson.

# %% [markdown] tags=["navigation"]
# ---
# Before: [Grid reduction](03_grid_reduction.ipynb) ·
# [All lessons](00_start.ipynb) ·
# Next: [Label smoothing](05_label_smoothing.ipynb)
