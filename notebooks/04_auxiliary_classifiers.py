# ---
# jupyter:
#   course:
#     minutes_read: 80
#     minutes_run: 3
#     needs:
#     - 02_factorized_convolutions
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
# - measure how far the gradient of a loss reaches into a network, stage by stage, and say why it fades;
# - say what a head with a given weight adds to that gradient, exactly and for every weight;
# - tell apart three things that are easily taken for one: a large gradient, a network that learns, and a network that
#   learns *faster*;
# - judge, from a few runs, a claim that its authors corrected a year later;
# - let a head answer by itself, and count what an early answer saves.
#
# **You need:** how a convolutional network is trained in PyTorch (logits, loss, backward pass, SGD), and what a mean
# and its standard error are. *Inception modules*, *1×1 convolutions* and how the course writes networks are explained
# in [Factorized convolutions](02_factorized_convolutions.ipynb); a reminder follows below. *Batch normalisation*
# ([Ioffe and Szegedy 2015](https://arxiv.org/abs/1502.03167)) brings each channel to mean 0 and variance 1 over the
# batch, then scales and shifts it by two learned numbers. That is all that is needed of it here.
#
# About 80 minutes to read (150 words or 15 lines of code a minute, a minute for each question), 65 for the six
# exercises, 3 to run. The papers are C. Szegedy et al., *Going Deeper with Convolutions*, CVPR 2015, section 5, and C.
# Szegedy et al., *Rethinking the Inception Architecture for Computer Vision*, CVPR 2016, sections 4 and 10 ("the v3
# paper" below).
#
# | For a lecture hour | minutes |
# |:--|--:|
# | A classifier halfway, built and counted; first question | 10 |
# | How far the gradient reaches, and why; second question | 15 |
# | The explorer: position, weight, batch norm | 5 |
# | Will it learn? What opens the way, live | 15 |
# | Early or late? The recorded runs against the paper | 10 |
# | Early exits, and off with the heads | 5 |

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

import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import datasets
from course_lib.architecture import Sequence, build, diagram, residual, seq, total
from course_lib.experiments.auxiliary_gradients import first_weights
from course_lib.experiments.auxiliary_network import (
    LOWER,
    STAGES,
    UPPER,
    deep_network,
    head,
)
from course_lib.explorers import AuxiliaryExplorer
from course_lib.explorers.auxiliary_heads.result import profile_gradients
from course_lib.models import network
from course_lib.reporting.plots import SERIES, figure_html, line_chart
from course_lib.reporting.records import load_record
from course_lib.reporting.tables import MeanClaim, paper_beside_measured, table
from course_lib.reporting.verdicts import difference_of, runs_needed
from course_lib.teaching import Answer, Quiz, fold_answer
from course_lib.teaching.references import auxiliary_classifiers as exercises
from course_lib.training import Recipe, auxiliary_loss, fit, normalize

# %% [markdown]
# ## A classifier halfway
#
# In this course a network is a *value*: `a >> b` feeds a into b, `branches(a, b)` lets both read the same input and
# joins their outputs along the channels (an Inception module), `seq(*parts)` is a chain, and `build(value, channels)`
# makes the PyTorch module. Our laboratory is GoogLeNet's plan in small: a stem, eight Inception modules one after
# another, and a classifier. There is no batch normalisation in it yet: GoogLeNet was built before that was invented.
# Here it is with one *head*, a small classifier beside the *trunk*, as we call all the rest. It stands after the third
# module, like the lower of GoogLeNet's two heads:

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
# rest. With the same weights both must give the same loss, and the same gradient at the very first layer.
# `first_weights` builds a network and draws its *first weights* (its initialisation); by which rule is told further
# below. All comparisons of this lesson are made in float32 or float64 on the CPU, whatever device trains the networks:
# on a GPU whose factors are rounded to TF32 or bfloat16, only two or three digits would agree.

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
# Nearly twice the parameters, and all that came with the heads is thrown away after training. There had better be a
# reason.
#
# </details>

# %% [markdown]
# ### Exercise 1 · What one head holds (easy, 5 minutes)
#
# One of GoogLeNet's heads reads a 14×14 grid of some `channels`. It averages it down to 4×4 places, squeezes the
# channels to 128 by a 1×1 convolution, and has a fully connected layer to 1,024 values and one to the `classes`. All
# three layers have biases. Write `head_params(channels, classes)`: how many parameters has it? (Its lower head reads
# 512 channels.)

# %% tags=["nbval-check-output"]
exercises.head_params


# %% tags=["solution"]
def head_params(channels: int, classes: int) -> int:
    # solution begin
    squeeze = channels * 128 + 128
    first = 4 * 4 * 128 * 1024 + 1024
    return squeeze + first + 1024 * classes + classes
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.head_params.check(head_params)

# %% [markdown]
# ## How far does the gradient reach?
#
# The inventors (section 5) gave two reasons. The first is depth: in a network of 22 layers they were concerned that the
# gradient, on its way back from the loss, might not reach the lower layers; a head halfway has a short way down. The
# second stands in half a sentence: the heads should do so "while providing regularization". We take the first reason
# first: how bad is it?

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
# Measuring it takes one backward pass. Afterwards each weight holds its gradient, and we note its Euclidean norm, over
# all convolutions of a stage (the stem, a module, or the reduction between modules 4 and 5):


# %%
def gradient_norms(model: nn.Module, weight: float = 0.0) -> pd.Series:
    """Norm of the gradient by the weights of each stage's convolutions, on 128 images;
    heads' losses count `weight` times."""
    model.train().zero_grad()
    auxiliary_loss(model(images), labels, F.cross_entropy, weight).backward()
    squares = pd.Series(0.0, STAGES)
    for name, p in model.named_parameters():
        stage = name.split(".")[0]
        if stage in STAGES and p.ndim == 4:
            squares[stage] += p.grad.square().sum().item()
    return squares.pow(0.5)


def along(lines: dict[str, pd.Series], ylabel: str, **options: object) -> object:
    """A line for each series over the stages; first and last value in the alternative
    text."""
    numbered = {name: line.reset_index(drop=True) for name, line in lines.items()}
    figure = line_chart(numbered, xlabel="stage", ylabel=ylabel, log="y", **options)
    names = [stage.replace("module", "") for stage in STAGES]
    figure.axes[0].set_xticks(range(len(STAGES)), names)
    ends = (f"{n} {x.iloc[0]:.0e} and {x.iloc[-1]:.0e}" for n, x in lines.items())
    return figure_html(figure, f"{ylabel}, first and last stage: {'; '.join(ends)}")


# %% [markdown]
# From which first weights? PyTorch draws weights *and biases* uniformly between ±1/√fan_in, where fan_in is the number
# of inputs of one unit ([documentation](https://pytorch.org/docs/stable/generated/torch.nn.Conv2d.html)): a variance of
# 1/(3 fan_in). [He et al. (2015)](https://arxiv.org/abs/1502.01852) draw weights with variance 2/fan_in, and set biases
# to 0. We keep a list of starts, since more will follow; each changes just what it names.


# %%
STARTS = {
    "PyTorch's": {},
    "PyTorch's, biases 0": {"bias": 0.0},
    "PyTorch's, weights × √6": {"scale": 6**0.5},
    "He's": {"init": "he"},
    "PyTorch's, batch norm": {"batch_norm": True},
    "He's, batch norm": {"init": "he", "batch_norm": True},
    "PyTorch's, shortcuts": {"shortcuts": True},
}


def begin(
    name: str, heads: tuple[int, ...] = (), seed: int = 0, **changes: object
) -> nn.Module:
    """The deep network with these first weights, and heads after these modules."""
    options = {"init": "pytorch", "bias": 1.0, "scale": 1.0, **STARTS[name], **changes}
    init, bias, scale = (options.pop(key) for key in ("init", "bias", "scale"))
    model = first_weights(deep_network(heads, **options), init, seed)
    with torch.no_grad():
        for parameter, values in model.named_parameters():
            values.mul_(bias if parameter.endswith("bias") else scale)
    return model


# %%
shown = ("PyTorch's", "He's", "PyTorch's, batch norm", "He's, batch norm")
norms = {name: gradient_norms(begin(name)) for name in shown}
fold_answer(along(norms, "norm of the gradient"))

# %%
share = norms["PyTorch's"]["stem"] / norms["PyTorch's"]["module8"]
# Eight layers leave 0.41 to the power of eight, 0.0008 (the next section says why), and
# longer ways less.
assert share < 1e-3
for name in shown[1:]:
    assert norms[name]["stem"] > 0.02 * norms[name]["module8"]
fold_answer(f"PyTorch's: the stem's gradient is {share:.0e} of module 8's")

# %% [markdown]
# With PyTorch's first weights next to nothing reaches the stem, and little the first modules. With those of He et al.
# much does; and with batch normalisation, too, *whichever* of the two rules draws the weights. What do these networks
# cost? Shortcuts come later; they are listed here so that all can be compared.

# %% tags=["nbval-check-output"]
forms = {
    "as it is": deep_network(),
    "head after module 3": deep_network((LOWER,)),
    "heads after modules 3 and 6": deep_network((LOWER, UPPER)),
    "batch norm, no biases": deep_network(batch_norm=True),
    "shortcuts around seven modules": deep_network(shortcuts=True),
}
sizes = {name: total(value, shape) for name, value in forms.items()}
costs = {"parameters": lambda size: size.params, "MACs": lambda size: size.macs}
table(
    pd.DataFrame(
        {
            key: {name: of(size) for name, size in sizes.items()}
            for key, of in costs.items()
        }
    )
)

# %% [markdown]
# ### Why it fades, and what He's weights change
#
# The answer takes one layer. Weights of variance v, drawn around 0, turn inputs of mean square 1 into sums of mean
# square fan_in · v; a ReLU then sets half of them to 0. With PyTorch's v = 1/(3 fan_in) the mean square is multiplied
# by 1/6, with He's v = 2/fan_in by 1. On its way back the gradient passes the same weights and the same ReLUs: each of
# the fan_in inputs gets its share, so the *squared norm* of the gradient is multiplied by fan_in · v / 2, the same 1/6
# or 1. One layer shows both:

# %%
torch.manual_seed(0)
for name, variance in {"PyTorch's": 1 / (3 * 512), "He's": 2 / 512}.items():
    x = torch.randn(2000, 512).abs().requires_grad_()
    weight = torch.randn(512, 512) * variance**0.5
    output, from_above = torch.relu(x @ weight), torch.randn(2000, 512)
    output.backward(from_above)
    up = (output.square().mean() / x.square().mean()).item()
    down = (x.grad.square().sum() / from_above.square().sum()).item()
    print(f"{name} weights: signal, squared, times {up:.3f}; gradient times {down:.3f}")
    # The images' sums have a part in common, so that 512 columns tell the factor to
    # some six per cent.
    factor = 512 * variance / 2
    assert abs(up / factor - 1) < 0.15
    assert abs(down / factor - 1) < 0.15

# %% [markdown]
# A factor of 1/6 in the square is one of 0.41 in the norm. The shortest way from module 8 down to the stem leads
# through eight layers, the 1×1 path of each module (the reduction's max pool has no weights), and 0.41 to the power of
# eight is less than a thousandth. In truth less arrives, as half of the gradient's square comes down a module's other
# path, of three layers. A module should leave √((1/6 + 1/6³)/2) = 0.29 of the norm with PyTorch's weights, and 1 with
# He's. That can be wrong, so look, at the outputs of the modules themselves:


# %%
def arriving(model: nn.Module) -> pd.Series:
    """Norm of the loss's gradient by the activations after each stage."""
    found, x = {}, images
    for stage, part in model.train().named_children():
        x = part(x)
        x.retain_grad()
        found[stage] = x
    F.cross_entropy(x, labels).backward()
    return pd.Series({stage: found[stage].grad.norm().item() for stage in STAGES})


# %%
for start, one_layer in {"PyTorch's": 1 / 6, "He's": 1}.items():
    expected = ((one_layer + one_layer**3) / 2) ** 0.5
    norm = arriving(begin(start))
    # Three modules stand between the outputs of 1 and 4, and between those of 5 and 8.
    left = [(norm[f"module{n}"] / norm[f"module{n + 3}"]) ** (1 / 3) for n in (1, 5)]
    assert all(0.8 < value / expected < 1.25 for value in left)
    print(f"{start}: {left[0]:.2f} and {left[1]:.2f} a module; {expected:.2f} expected")

# %% [markdown]
# (Which weights GoogLeNet started from, its paper does not say. It appeared on arXiv in September 2014, He's rule in
# February 2015.)
#
# ### Exercise 2 · How deep may it be? (easy, 5 minutes)
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
# ### An explanation must survive its test
#
# The explanation speaks of weights only. Then biases should not matter: keep PyTorch's weights, set every bias to 0,
# and the line should look the same. **Does it?**

# %%
norms["PyTorch's, biases 0"] = gradient_norms(begin("PyTorch's, biases 0"))
pair = {name: norms[name] for name in ("PyTorch's", "PyTorch's, biases 0")}
with_biases, without = pair.values()
# Both stems get as little, within the factor ten that one draw differs from another;
# but without biases module 8 gets as little as the stem.
assert 0.1 < without["stem"] / with_biases["stem"] < 10
assert without["module8"] < 10 * without["stem"]
assert with_biases["module8"] > 100 * without["module8"]
fold_answer(along(pair, "norm of the gradient"))

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# Half of it. Without biases the stem's gradient is as small as before, but now module 8's is as small as the stem's:
# the line is flat. A weight's gradient is a product: what comes *into* its layer, times what comes *down* from the
# loss. On the way down the gradient shrinks, as explained. Without biases the input shrinks on its way up, by the same
# factor, and so the product is small and about the same in every layer. PyTorch's biases keep the inputs of the upper
# layers from shrinking; for no other reason is the gradient large up there. Whether it is of use will be seen below.
#
# </details>
#
# In a plain chain without biases this is exact. Multiply one layer's weights by c, and the output is multiplied by c,
# whichever layer it is. So the sum of weight times gradient must be the same number in all of them:

# %% tags=["nbval-check-output"]
torch.manual_seed(0)
layers = [nn.Linear(64, 64, bias=False).double() for _ in range(8)]
chain = nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))
F.cross_entropy(chain(torch.randn(32, 64).double()), torch.arange(32)).backward()
products = torch.stack([(x.weight * x.weight.grad).sum() for x in layers])
torch.testing.assert_close(products, products[:1].expand(8), rtol=1e-9, atol=0)
print("the same number in all eight layers")

# %% [markdown]
# ### A head halfway
#
# Now the inventors' remedy: the network with PyTorch's weights, and a head after module 3, weight 0.3.

# %%
with_head = begin("PyTorch's", heads=(LOWER,))
reached = {
    "without head": gradient_norms(with_head),
    "head after module 3": gradient_norms(with_head, weight=0.3),
}
gain = reached["head after module 3"] / reached["without head"]
assert gain["stem"] > 3
# Above the head nothing is added, not even a rounding error.
assert (gain.loc["module4":] == 1).all()
print(f"with the head, the stem's gradient is {gain['stem']:.0f} times as large")
along(reached, "norm of the gradient")

# %% [markdown]
# It does what it was invented for: below the head the gradient grows many times over. How much depends on the draw of
# the weights and on the images, so this was done five times and *recorded*, for every position of the head. Is the
# record right? We can measure one of its rows ourselves, with the same seed, and need not take its word:

# %%
rows = load_record("auxiliary_gradients").rows
row = rows.query(
    "init == 'pytorch' and batch_norm == 'none' and head_after == @LOWER and seed == 0"
).iloc[0]
live = reached["without head"]
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
# GoogLeNet gives each head's loss the weight 0.3; the code that Google published for Inception-v3 gives its one head
# 0.4. What would 0.4 do here? There is nothing to measure again. The gradient of a sum is the sum of the gradients, g +
# w·h, and its length follows from theirs and the angle between them:
#
# |g + w·h|² = |g|² + 2 w |g| |h| cos(g, h) + w² |h|²
#
# So three recorded numbers a stage give the profile for *every* weight. In the explorer, start with what was just
# measured, then try:
#
# 1. **after module** (where the head is) from 1 to 8: how soon does its help wear off? Which stages does it never help?
# 2. **first weights** He's: what is left for the head to do?
# 3. **batch norm** in the trunk, then in trunk and head, with either first weights: look at the *cosine* below the
#    plot. Does the head ask the layers for the same as the main loss?

# %% tags=["nbval-check-output"]
explorer = AuxiliaryExplorer(
    head_after=LOWER, weight=0.3, batch_norm="none", init="pytorch"
)
explorer

# %% [markdown]
# The explorer shows what `profile_gradients` returns. You can ask it directly, here for these two weights and for 1:

# %% tags=["nbval-check-output"]
settings = {
    "PyTorch's weights": ("none", "pytorch"),
    "He's weights": ("none", "he"),
    "PyTorch's and batch norm": ("trunk", "pytorch"),
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
# gives a third more than 0.3, as the main loss's share is next to nothing. Where the gradient had not faded, the head
# is one voice of two, or, with batch norm in the trunk, hardly heard at this place.
#
# ### Exercise 3 · A weight for a purpose (medium, 10 minutes)
#
# At some layer the main loss's gradient has the norm `main`, the head's loss's the norm `head_norm`, and `cosine` is
# that of the angle between them. Write `weight_for`: the positive weight of the head with which the layer's gradient,
# of both losses together, becomes `gain` times as long as the main loss's alone. `gain` is more than 1.

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
# ## Will it learn?
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
# Each network is trained twice, from two different first weights. Recipe, images and order are equal; batch size and
# clipping (a gradient longer than 2 is shortened to 2) are those of the v3 paper (section 8).

# %%
small = data.subset(train=1500, test=500)
recipe = Recipe(
    epochs=2, batch_size=32, learning_rate=0.05, clip_norm=2.0, weight_decay=0.0
)
HEADS = {"no heads": (), "both heads": (LOWER, UPPER)}
runs: dict[tuple[str, str, int], float] = {}
trained: dict[str, nn.Module] = {}


def train(start: str, heads: str, how: Recipe = recipe, note: str = "") -> None:
    """Train this network from two seeds, and note its test accuracies in per cent."""
    for seed in (0, 1):
        model = trained[heads] = begin(start, HEADS[heads], seed)
        history = fit(model, small, how)
        runs[start + note, heads, seed] = 100 * history.test_accuracy.iloc[-1]


def accuracies(*starts: str) -> object:
    """A table of these runs, with what each network costs."""
    rows = pd.Series(runs).unstack(2, sort=False).loc[list(starts)]
    for start, heads in rows.index:
        options = {"batch_norm", "shortcuts"} & set(STARTS[start.partition(" + ")[0]])
        value = deep_network(HEADS[heads], **dict.fromkeys(options, True))
        rows.loc[(start, heads), "parameters"] = total(value, shape).params
        rows.loc[(start, heads), "MACs"] = total(value, shape).macs
    rows.columns = ["seed 0", "seed 1", "parameters", "MACs"]
    rows.index = [f"{start}; {heads}" for start, heads in rows.index]
    formats = {"seed 0": "{:.1f} %", "seed 1": "{:.1f} %"}
    return table(rows.rename_axis("first weights; heads"), formats)


# %%
for heads in HEADS:
    train("PyTorch's", heads)

# %%
for heads in HEADS:
    train("He's", heads)

# %%
scores = pd.Series(runs).sort_index()
# 500 pictures, ten classes: guessing gives 10 %, at four standard errors up to 15.4.
assert (scores["PyTorch's"] < 15.4).all()
assert (scores["He's"] > 25).all()
fold_answer(accuracies("PyTorch's", "He's"))

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# The network that the heads were to save is not saved. The other learns, with heads and without.
#
# </details>
#
# PyTorch's first weights and He's differ in three things: the variance, the form of the distribution (uniform or
# normal), and the biases. Which one is it? Multiply PyTorch's weights by √6: now their variance is 2/fan_in, too, and
# the other two are still PyTorch's. And batch norm, which restores the size of the signal in every layer, should not
# care for the first weights at all. Neither network has a head:

# %%
for start in ("PyTorch's, weights × √6", "PyTorch's, batch norm"):
    train(start, "no heads")

# %%
scores = pd.Series(runs).sort_index()
assert (scores["PyTorch's, weights × √6"] > 20).all()
assert (scores["PyTorch's, batch norm"] > 20).all()
accuracies("PyTorch's, weights × √6", "PyTorch's, batch norm")

# %% [markdown]
# Both learn: it is the variance. What the heads were invented for, weights of the right size do; so does batch
# normalisation, on either rule's weights.
#
# ### What reaches the heads
#
# A gradient can only tell images apart that the *forward* pass has kept apart. Put 128 pictures through and ask at each
# stage: how much do their activations differ from their common mean, compared with the mean itself?


# %%
def distinctness(model: nn.Module) -> pd.Series:
    """After each stage, the images' root mean square distance from their mean
    activation, over that mean's norm."""
    found, x = {}, images
    with torch.no_grad():
        for stage in STAGES:
            x = model.train().get_submodule(stage)(x)
            distance = (x - x.mean(0)).square().sum() / len(x)
            found[stage] = distance.sqrt().item() / x.mean(0).norm().item()
    return pd.Series(found)


# %%
compared = ("PyTorch's", "PyTorch's, biases 0", "He's", "PyTorch's, batch norm")
seen = {start: distinctness(begin(start)) for start in compared}
end = pd.Series({start: values["module8"] for start, values in seen.items()})
assert end["PyTorch's"] < 0.01
# Without biases the images stay as distinct as with He's weights, within a factor of 2.
assert end["PyTorch's, biases 0"] > 0.5 * end["He's"]
assert end["PyTorch's, batch norm"] > 0.5 * end["He's"]
along(seen, "difference of the images")

# %% [markdown]
# With PyTorch's weights all pictures have become one picture on their way up. Is it the small weights? No: a factor
# that shrinks the images and their mean alike leaves this measure as it is. Set the **biases to 0**, keep the weights,
# and the pictures stay as distinct as with He's. It is the *biases*: what depends on the image shrinks by 0.41 a layer,
# what the biases add is the same for every image and is added anew in each layer. After a few layers hardly anything
# else is left.
#
# So do without biases? The last word is the logits': by how much do they differ from image to image (standard
# deviation, mean over the classes) before the first step?

# %%
answers_differ = {}
for start in compared:
    outputs = begin(start, heads=(LOWER, UPPER)).train()(images)
    answers_differ[start] = {
        name: output.std(0).mean().item() for name, output in outputs._asdict().items()
    }
differences = pd.DataFrame(answers_differ).T
hardly = ["PyTorch's", "PyTorch's, biases 0"]
# With PyTorch's weights a thousandth arrives even at the lower head, biases or not.
assert (differences.loc[hardly] < 0.01).all(axis=None)
assert (differences.loc["He's"] > 0.03).all()
table(
    differences.rename_axis("logits differ by"),
    dict.fromkeys(differences.columns, "{:.1g}"),
)

# %% [markdown]
# To all classifiers of the first network, 128 pictures are one and the same. Their gradients can hardly ask for more
# than a shift of the biases: guess each class as often as it occurs. Without biases the pictures are distinct, but
# *all* is small: the logits and, as seen above, every gradient. A head shortens the way down, and the way up as well;
# it changes nothing of what has faded before it. Batch norm divides the signal by the size that it has, however small.
#
# ### Would another optimizer see it?
#
# Everything above was done with SGD, whose step grows and shrinks with the gradient, and GoogLeNet, too, was trained
# with SGD (section 6). *Adam* ([Kingma and Ba 2014](https://arxiv.org/abs/1412.6980)) divides each gradient by its own
# recent size. If small gradients alone are what keeps the network without biases at 10 %, Adam should train it. **Would
# the heads then be of use?** SGD with both heads first, for comparison, then Adam without heads and with both, in as
# many epochs.

# %%
train("PyTorch's, biases 0", "both heads")

# %%
adam = replace(recipe, optimizer="adam", learning_rate=0.005)
train("PyTorch's, biases 0", "no heads", adam, " + Adam")

# %%
train("PyTorch's, biases 0", "both heads", adam, " + Adam")

# %%
scores = pd.Series(runs).sort_index()
assert (scores["PyTorch's, biases 0"] < 15.4).all()
assert (scores["PyTorch's, biases 0 + Adam", "no heads"] < 15.4).all()
# The lower head stands on three modules only.
assert (scores["PyTorch's, biases 0 + Adam", "both heads"] > 20).all()
fold_answer(accuracies("PyTorch's, biases 0", "PyTorch's, biases 0 + Adam"))

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# Now the heads do save it. With Adam the whole network leaves 10 % when it has heads, and stays there in these two
# epochs when it has none. So small gradients alone were not it, or Adam would do without heads; and the inventors' idea
# is not wrong: it works where the step does not shrink with the gradient. That heads do not help holds for the training
# that was tried; the next optimizer may tell otherwise. (How is it with PyTorch's biases?
# `train("PyTorch's", "both heads", adam, " + Adam")` tells.)
#
# </details>
#
# ## What opens the way today
#
# Eight days after the v3 paper, in December 2015, He et al. ([arXiv:1512.03385](https://arxiv.org/abs/1512.03385))
# proposed to add a module's *input* to its output, by a **shortcut** or *residual connection*: x + f(x). On its way
# back the gradient passes the addition unchanged, whatever the weights of f are. Our modules with shortcuts have the
# very same layers; only the last ReLU of each waits until the input is added. (Around module 5 there is none: 64
# channels come in and 32 go out.)

# %%
way = {
    "plain": norms["PyTorch's"],
    "plain, both heads": gradient_norms(begin("PyTorch's", (LOWER, UPPER)), 0.3),
    "batch norm": norms["PyTorch's, batch norm"],
    "shortcuts": gradient_norms(begin("PyTorch's, shortcuts")),
}
assert way["shortcuts"]["stem"] > 0.1 * way["shortcuts"]["module8"]
assert way["shortcuts"]["stem"] > 10 * way["plain, both heads"]["stem"]
assert distinctness(begin("PyTorch's, shortcuts"))["module8"] > 0.1
along(way, "norm of the gradient")

# %%
train("PyTorch's, shortcuts", "no heads")

# %%
assert (pd.Series(runs).sort_index()["PyTorch's, shortcuts"] > 20).all()
accuracies("PyTorch's", "PyTorch's, shortcuts")

# %% [markdown]
# All four lines start from PyTorch's weights; batch norm's costs are in the table further up, shortcuts cost nothing.
# With shortcuts the gradient reaches the stem, the images stay distinct on their way up, and SGD trains the network:
# without a head, without batch norm, without He's rule. What a head does for the layers below it, a shortcut does for
# every layer, in both directions, and it stays when training is over.
#
# ### Exercise 4 · A head where you like (harder, 15 minutes)
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
# ## Early or late?
#
# So much for a network that does not learn. And one that does? With a short way back, its lower layers might learn
# *faster*. Then the authors looked.

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
# different first weights (He's), 2,000 images again and again for eight epochs without augmentation, so that there is
# something for a regulariser to do. What is compared, and what differs besides the heads:

# %% tags=["nbval-check-output"]
record = load_record("auxiliary_heads")
values = {
    "no heads": deep_network(batch_norm=True),
    "upper head": deep_network((UPPER,), batch_norm=True),
    "both heads": deep_network((LOWER, UPPER), batch_norm=True),
    "upper head, batch norm in it": deep_network(
        (UPPER,), batch_norm=True, bn_aux=True
    ),
    "no batch norm, no heads": deep_network(),
    "no batch norm, both heads": deep_network((LOWER, UPPER)),
}
rows = {}
for name in record.rows["network"].unique():
    size = total(values[name.removesuffix(", larger steps")], shape)
    rate = "0.05 × 1.6" if name.endswith("larger steps") else "0.05"
    rows[name] = {"parameters": size.params, "MACs": size.macs, "learning rate": rate}
table(pd.DataFrame(rows).T)

# %% [markdown]
# The heads' parameters and MACs are there in training only. First the four with batch norm in the trunk:

# %% tags=["nbval-check-output"]
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
# Curves that cross and touch: is there a difference? Look at the difference itself. Compare run with run, seed by seed,
# since two runs with one seed share their trunk's first weights and the order of the images. And beware of one thing.
# Which epochs count as "early" was decided after the curves of the first *three* seeds had been seen, and whoever
# chooses where to look finds something there. So those three do not count. The seven that were recorded afterwards do.


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
# What the text below says of the first epoch and of the end.
assert all(
    difference_of(fresh[name, "epoch 1"].to_list()).half_width > 10 for name in pairs
)
without_norm = fresh["no batch norm: both heads over none", "last two epochs"]
assert difference_of(without_norm.to_list()).interval[0] > 0
leads_table(fresh, f"{len(fresh)} fresh seeds: points of accuracy, ± standard error")

# %% [markdown]
# The same epoch by epoch: both heads over none, with the interval that holds the true mean in 95 of 100 cases
# (Student's t, seven pairs of runs). In the first epoch the intervals reach out of the picture.

# %% tags=["nbval-check-output"]
lines = {}
for trunk in ("batch norm", "no batch norm"):
    of, over = pairs[f"{trunk}: both heads over none"]
    by_epoch = (runs_over_time[of] - runs_over_time[over]).iloc[:, SEEN:]
    found = [difference_of(row.to_list()) for _, row in by_epoch.iterrows()]
    lines[trunk] = pd.Series([one.mean for one in found], by_epoch.index)
    lines[f"{trunk}, interval"] = pd.DataFrame(
        [one.interval for one in found], by_epoch.index
    )
figure = line_chart(
    lines,
    xlabel="epoch",
    ylabel="lead with both heads, points",
    ylim=(-8, 12),
    styles=dict(zip(lines, [SERIES[0]] * 2 + [SERIES[1]] * 2, strict=True)),
    faint=[name for name in lines if "interval" in name],
)
figure.axes[0].axhline(0, color="black", linewidth=1.5)
last = ", ".join(
    f"{trunk} {lines[trunk].iloc[-1]:+.1f}" for trunk in ("batch norm", "no batch norm")
)
figure_html(
    figure,
    "Lead in test accuracy with both heads over none, mean of seven pairs and 95 %"
    f" interval, by epoch; in the last epoch: {last} points",
)

# %% [markdown]
# In the first epoch chance has the word: seven pairs of runs cannot tell ten points from nothing. In the second and
# third the networks with heads are ahead by two or three points in the mean, but 0 lies in every interval. At the end
# those without batch norm are still ahead, by about a point, and 0 lies outside. And what had the three seeds said, on
# which the phases were chosen?

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
# stopped there, this lesson would teach that heads are worth five to seven points at the start. When somebody picks a
# window, a metric or a benchmark after seeing the results, ask for fresh ones.
#
# ### Which batch norm in the head?
#
# The last row of the next table needs a word first, as two things go by that name. Section 4 reports a gain of 0.4 %
# from batch norm in the head (figure 8). Section 10 goes from Inception-v2 to v3 in four steps (table 3): **RMSProp**,
# **label smoothing**, the **factorised 7×7**, and **BN-auxiliary**: batch norm on the head's *fully connected* layer,
# too, not on its convolution alone. In the course's values:

# %% tags=["nbval-check-output"]
forms = {
    "nothing": {"bn_aux": False},
    "the convolution: the paper's v2": {"bn_aux_fc": False},
    "the fully connected layer, too: BN-auxiliary, v3": {},
}
rows = {}
for name, options in forms.items():
    size = total(network("inception_v3", 1000, True, **options), (3, 299, 299))
    rows[name] = {"parameters": size.params, "MACs": size.macs}
table(pd.DataFrame(rows).T.rename_axis("Inception-v3; in its head is normalised"))

# %% [markdown]
# A few numbers more, no multiplications; all else is equal. **Dropout** is none of the four steps. One public
# re-implementation calls v3 what has no dropout; that is its own choice, and what it measured so is no evidence for the
# paper's steps. [Training recipes](07_training_recipes.ipynb) takes the steps apart. Our recorded "upper head, batch
# norm in it" normalises both layers of the head, "upper head" none: a larger step than BN-auxiliary.
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
larger_steps = {
    "batch norm": ("no heads, larger steps", "no heads"),
    "no batch norm": (
        "no batch norm, no heads, larger steps",
        "no batch norm, no heads",
    ),
}
control = leads_of(larger_steps, phases)[SEEN:]
# If larger steps led early as well, the heads' lead might be no more than that.
assert (control.xs(early, axis=1, level=1).mean() < 0).all()
leads_table(control, "larger steps over smaller: points, ± standard error")

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
# - Seven pairs of runs cannot tell an early lead from none; the paper saw none. Larger steps would not explain one: in
#   the same epochs they do not lead. And "start" means 126 to 189 steps here, on tiny images and with a high learning
#   rate; in the paper it means days on ImageNet.
# - A higher end, as the paper reports it, shows without batch norm, as in GoogLeNet; with batch norm it is too small
#   for seven pairs of runs.
# - Whether removing the lower head does harm, seven pairs of runs cannot tell: the interval reaches from about a point
#   lost to a point won.
# - Batch norm in the head gains nothing here: the interval reaches from a point lost to nothing won. (BN-auxiliary is a
#   smaller step, and the paper's network a larger one.)
#
# A word of caution on all of it: five comparisons in three phases are fifteen chances for an interval to miss the truth
# by luck alone, and one in twenty does.
#
# ### A regulariser?
#
# A regulariser keeps a network from learning its training images by heart. If heads regularise, the network with heads
# should do *worse on the images it was trained on*, or not so much better on them than on new ones. Look at the end of
# the recorded runs. (The accuracy on the training images is the mean over the last epoch, taken while the weights still
# change; that on the test images comes after it.)

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
# With heads the networks fit their training images *better*, by more than chance. And the gap between training and test
# images? Again pair by pair, all ten seeds:

# %% tags=["nbval-check-output"]
gaps = at_end.assign(gap=100 * (at_end["train_accuracy"] - at_end["test_accuracy"]))
gaps = gaps.pivot(index="seed", columns="network", values="gap")
rows = {}
for trunk, larger in larger_steps.items():
    heads_over_none = pairs[f"{trunk}: both heads over none"]
    for change, (of, over) in {
        "heads": heads_over_none,
        "larger steps": larger,
    }.items():
        by = difference_of((gaps[of] - gaps[over]).to_list())
        low, high = by.interval
        rows[f"{trunk}: {change}"] = {
            "gap changes by, points": f"{by.mean:+.1f}",
            "95 % interval": f"{low:+.1f} to {high:+.1f}",
        }
        # A regulariser would narrow it.
        assert change != "heads" or low > 0
    assert trunk != "batch norm" or high < 0
table(pd.DataFrame(rows).T)

# %% [markdown]
# Heads do not narrow the gap; if anything, they widen it. That is what a help to the optimiser looks like, not what a
# regulariser does. (What does narrow it, on the trunk with batch norm, is larger steps, without any head.) The v3 paper
# argued from the other end: batch norm or dropout in the head helps, therefore the head regularises. Our networks are
# too small to speak for theirs; they do show that the argument needs an experiment, and which.

# %% [markdown]
# ## Ask the heads themselves
#
# In training a head learns to answer. Nobody says that one must throw the answer away. How good is it? We train the
# network with batch norm and three heads, after modules 1, 3 and 6, and ask all four classifiers. **Before you run
# on:**

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "answers-of-heads",
    "Ten kinds of clothes, 1,500 pictures to learn from, three epochs. The head after"
    " module 1 sees the features of one module, the end those of eight. How do their"
    " accuracies on new pictures compare?",
    [
        Answer(
            "The first head only guesses",
            "Its own classifier was trained on these features, and one module tells"
            " trousers from boots.",
        ),
        Answer(
            "The first head comes within ten points of the end, or beats it",
            "For pictures so simple a stem and one module do about as well.",
            correct=True,
        ),
        Answer(
            "Each further head gains ten points",
            "Where depth pays it may be so. Here the first module has done most of the"
            " work.",
        ),
    ],
)


# %%
def classifiers(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Logits of each head and of the end, on normalised images."""
    found = {}
    with torch.no_grad():
        for name, part in model.eval().named_children():
            if name.startswith("head"):
                found[name] = part(x)
            else:
                x = part(x)
    return {**found, "end": x}


# %%
with_exits = deep_network((1, LOWER, UPPER), batch_norm=True)
new_images = normalize(small.test.images, data.mean, data.std)
answers = {}
for seed in (0, 1):
    model = first_weights(with_exits, "he", seed)
    fit(model, small, replace(recipe, epochs=3))
    answers[f"seed {seed}"] = classifiers(model.cpu(), new_images)

# %%
truth = small.test.labels
exits = pd.DataFrame(
    {
        seed: {
            name: 100 * (logits.argmax(1) == truth).float().mean().item()
            for name, logits in found.items()
        }
        for seed, found in answers.items()
    }
)
for seed in answers:
    assert exits.loc["head1", seed] > exits.loc["end", seed] - 10
# What runs for an answer: the trunk up to it, and no head but its own.
for name in exits.index:
    names = [part.name for part in with_exits.layers]
    until = with_exits.layers[: names.index(name) + 1 if name in names else None]
    running = [p for p in until if p.name == name or not p.name.startswith("head")]
    exits.loc[name, "MACs"] = total(seq(*running), shape).macs
exits["share"] = exits["MACs"] / exits.loc["end", "MACs"]
formats = dict.fromkeys(answers, "{:.1f} %") | {"share": "{:.0%}"}
fold_answer(table(exits, formats))

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# The first head does about as well as the end, or better, for a fraction of the multiplications. So a picture can be
# answered early; networks that let easy pictures out at a head are called *early-exit networks* (BranchyNet,
# [Teerapittayanon et al. 2016](https://arxiv.org/abs/1709.01686)).
#
# Depth is not all that differs: a head has a hidden layer and sees a 4×4 grid, the end has one layer on the mean of the
# grid. But it puts a question mark on all accuracies of this lesson. On these pictures one module and a small
# classifier will do, so what helps depth can hardly show.
#
# </details>
#
# ### Exercise 5 · Find the bug: early answers (medium, 10 minutes)
#
# Who may leave early? Those of whom the head is sure: its largest *probability* is at least `threshold`. For all others
# the end answers. The function below is to give each image's class, from the logits of the head and of the end, both of
# shape (N, classes). It runs, and gives classes. But with a threshold of 0.9 it lets too many pictures out. Find the
# bug, and write `answer_early` without it.


# %%
def early_with_bug(
    head_logits: torch.Tensor, end_logits: torch.Tensor, threshold: float
) -> torch.Tensor:
    """Classes (N,): the head's where it is sure, the end's elsewhere."""
    sure = head_logits.max(1).values >= threshold
    return torch.where(sure, head_logits.argmax(1), end_logits.argmax(1))


# %% tags=["nbval-check-output"]
exercises.answer_early


# %% tags=["solution"]
def answer_early(
    head_logits: torch.Tensor, end_logits: torch.Tensor, threshold: float
) -> torch.Tensor:
    # solution begin
    sure = head_logits.softmax(1).max(1).values >= threshold
    return torch.where(sure, head_logits.argmax(1), end_logits.argmax(1))
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.answer_early.check(answer_early)

# %% [markdown]
# What does it save? The head after module 3, with two thresholds. All pictures run up to the head, and those that stay
# run on:

# %%
rows = {}
for seed, found in answers.items():
    side, end = found[f"head{LOWER}"], found["end"].argmax(1)
    for threshold in (0.8, 0.5):
        sure = side.softmax(1).max(1).values >= threshold
        both = torch.where(sure, side.argmax(1), end)
        leave = sure.float().mean().item()
        macs = leave * exits.loc[f"head{LOWER}", "MACs"]
        macs += (1 - leave) * sizes["head after module 3"].macs
        rows[f"{seed}, threshold {threshold}"] = {
            "leave early": leave,
            "of these right": (side.argmax(1) == truth)[sure].float().mean().item(),
            "right in all": (both == truth).float().mean().item(),
            "the end alone": (end == truth).float().mean().item(),
            "MACs": macs / exits.loc["end", "MACs"],
        }
saving = pd.DataFrame(rows).T
# Pictures of which the head is sure are easier than the average one.
assert (saving["of these right"] > saving["the end alone"]).all()
# 500 pictures: an accuracy has a standard error of 2 points.
assert (saving["right in all"] > saving["the end alone"] - 0.04).all()
table(saving, dict.fromkeys(saving.columns, "{:.1%}"))

# %% [markdown]
# Those who leave early are answered better than the average, and in all little or nothing is lost. How much is saved
# depends on how many leave, and so on the threshold; the head's own multiplications are paid for every picture. How far
# a network that is sure can be trusted is a question of its own, and the next lesson's.

# %% [markdown]
# ## Off with the heads
#
# After training the heads have done their work, whatever it was. In eval mode the network gives its logits alone. Do
# the heads leave a trace? Take a network with both heads trained above, and a new one that never had any; give the new
# one the trunk's weights and nothing else. And to be sure that the heads are not asked, ruin them:

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
# ### Exercise 6 · Open the way yourself (harder, 20 minutes)
#
# An open question: many answers are right. Make a network of your own that lets signal and gradient through **from
# PyTorch's first weights, without any head**. `my_network` is a value such as `deep_network()`, with its stem,
# reduction and eight modules under their names, at least as many convolutions, ten logits, and at most 10 % more
# parameters and MACs. The check draws PyTorch's weights and asks on 128 images: is the stem's gradient at least a tenth
# of the largest of a module, and do the logits differ from image to image by 0.01 or more? `residual(part)` adds a
# part's input to its output if both have equally many channels; `batch_norm()` stands behind a part, as in
# `seq(part, batch_norm())`. The options of `deep_network` are allowed; a mix of your own is more fun.

# %% tags=["nbval-check-output"]
exercises.open_way

# %% tags=["solution"]
# solution begin
my_network = seq(
    *(
        residual(part).named(part.name)
        if part.name.startswith("module") and part.name != "module5"
        else part
        for part in deep_network().layers
    )
)
# solution end

# %% tags=["check", "nbval-check-output"]
exercises.open_way.check(my_network)

# %% [markdown]
# ## Recap
#
# - A head is a classifier in the middle. In training its loss counts, too, with weight 0.3 (GoogLeNet) or 0.4
#   (Inception-v3's published code); afterwards it is cut off without a trace, and GoogLeNet gets rid of half of all its
#   parameters.
# - Gradients fade where each layer shrinks them: by 0.41 a layer with PyTorch's first weights, not with He's. The
#   signal fades by the same factor on its way up. PyTorch's biases hide that, and make all images one.
# - A head shortens the way, for the layers below it only. The gradient is g + w·h: three numbers a layer tell it for
#   every weight.
# - A large gradient is not yet learning. With SGD heads saved nothing here; first weights of the right size, batch norm
#   and shortcuts did, each alone. With Adam, and without biases, heads did as well.
# - The inventors hoped for a better gradient and for regularisation; a year later they saw no faster start and a
#   slightly higher end, and kept the second reason. Our small networks show a higher end only without batch norm, and a
#   better fit to the training images, not a worse one. What a head does depends on network, data and optimizer.
# - Two forms of batch norm in a head: on its convolution, and on its fully connected layer, too. Only the second is the
#   paper's step BN-auxiliary. Dropout is no step of the paper's.
# - Heads can answer by themselves: easy pictures may leave early.
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
