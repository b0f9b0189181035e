# ---
# jupyter:
#   course:
#     minutes_read: 75
#     minutes_run: 2
#     needs:
#     - 02_factorized_convolutions
#     title: Label smoothing
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
# # Label smoothing
#
# This is a shirt, says the label: 100 % shirt, 0 % T-shirt, 0 % pullover. A network that is told so ten thousand times
# learns to be as certain as its teacher. **What does this certainty cost, and what happens if the label keeps a tenth
# of it back?**
#
# Afterwards you can
#
# - write the smoothed loss for any prior, split it into its parts, and say its gradient without computing it;
# - predict how far apart a network's logits end up, and measure that they do;
# - measure whether a network's probabilities can be trusted, and say when smoothing helps them and when it harms them;
# - tell smoothing from its relatives, the confidence penalty and mixup, and test what is said of it as a teacher;
# - test a loss that someone else wrote, and find out that it is not what it claims to be;
# - work out how many pictures it takes to see a gain of 0.2 %.
#
# **You need** what a first course on neural networks gives: softmax, gradient descent, how a small convolutional
# network is trained in PyTorch; and the natural logarithm. Of this course, *Factorized convolutions* says how a
# network is written as `conv(32, 3) >> ...`; here that is one line.
#
# About 75 minutes to read, 2 minutes to run, 75 minutes for the six exercises.
#
# The paper is C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, *Rethinking the Inception Architecture for
# Computer Vision*, CVPR 2016, section 7; what became of its idea, R. Müller, S. Kornblith, G. Hinton, *When Does Label
# Smoothing Help?*, NeurIPS 2019.
#
# | For a lecture hour | minutes |
# |:--|--:|
# | Cross-entropy and its two problems; first question | 10 |
# | Smoothed labels: loss, split, gradient | 10 |
# | The best gap and the explorer; second question | 10 |
# | Real images: gap, probabilities, calibration; third question | 20 |
# | The loss that looks right, noise, and 0.2 % | 10 |
#
# Clusters, teachers, relatives and the exercises are for reading at home, or for a second hour.

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
from copy import deepcopy
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_calibration_error

from course_lib import datasets
from course_lib.architecture import build, merge, total
from course_lib.experiments.label_smoothing import (
    LATE_FALLING,
    STAGES,
    clusters,
    equal_penalty,
    few_images,
    last_features,
    logit_gap,
    penalized,
    smoothing_network,
)
from course_lib.explorers import EpsilonExplorer
from course_lib.reporting.confidence_plots import cluster_panels, reliability_diagrams
from course_lib.reporting.plots import LIVE, RECORDED, SERIES, figure_html, line_chart
from course_lib.reporting.records import Record, load_record
from course_lib.reporting.tables import MeanClaim, paper_beside_measured, table
from course_lib.reporting.verdicts import Difference, paired_difference, runs_needed
from course_lib.teaching import Answer, Quiz, fold_answer
from course_lib.teaching.references import label_smoothing as exercises
from course_lib.training import LabelSmoothingLoss, fit, predict_logits

# %% [markdown]
# ## Cross-entropy and its two problems
#
# A network gives K numbers z, one a class, its *logits*; softmax makes probabilities of them, p(k) = exp(z(k)) / Σ
# exp(z). The label says that class y is right: q is 1 there and 0 elsewhere. The *cross-entropy* H(q, p) = -Σ q(k) ln
# p(k) is here simply -ln p(y): 0 if the right class gets the probability 1, and the larger the less it gets. With the
# natural logarithm its unit is the *nat*. By hand:

# %%
K = 10  # classes


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean of -log p(label); logits (N, K), labels (N,)."""
    log_p = logits - logits.logsumexp(1, keepdim=True)
    return -log_p[torch.arange(len(labels)), labels].mean()


# %%
def gradient(
    loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, labels: Tensor
) -> Tensor:
    """Gradient of a loss by the logits, as PyTorch's automatic differentiation gives
    it."""
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(loss(logits, labels), logits)[0]


# %% [markdown]
# The second function asks PyTorch for the gradient of any loss by the logits. That of the cross-entropy is p - q: push
# every wrong class down by its probability, pull the right one up by what is missing to 1. Check both, on logits drawn
# at random. (Equalities in this lesson are checked in float64 on the CPU; what a network computes, on a GPU perhaps in
# TF32 or bfloat16, is held to wide bands only.)

# %% tags=["nbval-check-output"]
torch.manual_seed(0)
logits = 2 * torch.randn(5, K, dtype=torch.float64)
labels = torch.tensor([0, 3, 3, 7, 9])
q = F.one_hot(labels, K)
assert torch.allclose(cross_entropy(logits, labels), F.cross_entropy(logits, labels))
assert torch.allclose(
    gradient(cross_entropy, logits, labels), (logits.softmax(1) - q) / len(labels)
)
print("value as PyTorch's; gradient p - q, divided by 5: the loss is a mean of images")

# %% [markdown]
# **Before you run on:** a network is free to put its logits where it likes. Where does this loss want them?

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "cross-entropy-gap",
    "All wrong classes have the logit 0, the right one has z. Ten classes. At which z"
    " is the cross-entropy least?",
    [
        Answer(
            "z = ln 9 = 2.2",
            "There the right class has probability 1/2, and the gradient still pulls it"
            " up by 1/2.",
        ),
        Answer(
            "z = ln(9 · 99) = 6.8",
            "There it has 99 %, and the gradient still pulls: by 1 %, but it never"
            " stops.",
        ),
        Answer(
            "At none: more is always better",
            "The loss is ln(1 + 9 exp(-z)). It falls for ever and reaches 0 nowhere;"
            " only z = ∞ would do.",
            correct=True,
        ),
    ],
)

# %% tags=["nbval-check-output"]
gaps = torch.tensor([0.0, 2.2, 5, 10, 15, 20], dtype=torch.float64)
one_image = torch.zeros(len(gaps), K, dtype=torch.float64)
one_image[:, 0] = gaps
losses = F.cross_entropy(
    one_image, torch.zeros(len(gaps), dtype=torch.int64), reduction="none"
)
pull = 1 - one_image.softmax(1)[:, 0]
assert (losses.diff() < 0).all()
columns = {"logit of the right class": gaps, "loss": losses, "pull on it": pull}
formats = dict.fromkeys(("loss", "pull on it"), "{:.2g}")
fold_answer(table(pd.DataFrame(columns), formats))

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# **The first problem:** a network that can tell its training pictures apart is never content. Its logits drift apart as
# long as one trains, and the probabilities it states approach 1, however many new pictures it gets wrong. The paper
# names over-fitting as the danger; to say 99 % and be right in 80 % of the cases is called *over-confidence* today.
#
# </details>
#
# **The second problem:** certainty is hard to undo. No entry of p - q is larger than 1, *however wrong* the network is.
# Let a network be sure of class 0, and let the label say class 1. How many steps of gradient descent, with learning
# rate 1, does it take to change its mind?


# %% tags=["nbval-check-output"]
def steps_to_change(gap: float) -> int:
    """Steps of gradient descent until class 1 leads, from a lead of class 0 by
    `gap`."""
    z = torch.zeros(1, K, dtype=torch.float64)
    z[0, 0] = gap
    steps = 0
    while z[0].argmax() != 1:
        z -= gradient(F.cross_entropy, z, torch.tensor([1]))
        steps += 1
    return steps


steps = {gap: steps_to_change(gap) for gap in (5, 10, 20, 40)}
# Each step moves two logits by at most 1.
assert all(count >= gap / 2 for gap, count in steps.items())
print(", ".join(f"lead {gap}: {count} steps" for gap, count in steps.items()))

# %% [markdown]
# About half as many steps as the lead is large: each step moves the two logits by at most 1. The loss of a sure mistake
# is large, but its gradient is not. In the paper's words, the large difference between the logits, "combined with the
# bounded gradient", "reduces the ability of the model to adapt" (section 7).

# %% [markdown]
# ## A label that keeps something back
#
# The remedy is one line. Take a small number ε, the doubt about the label, and a *prior* u: probabilities of the
# classes that know nothing of the picture. With [k = y] for 1 at the right class and 0 elsewhere,
#
# $$q'(k) = (1-\varepsilon)\,[k = y] + \varepsilon\,u(k)$$
#
# As if, with probability ε, someone had replaced the label by a class drawn from u. The paper takes u(k) = 1/K and ε =
# 0.1. By hand, for any u:


# %%
def smoothed_labels(labels: Tensor, epsilon: float, prior: Tensor) -> Tensor:
    """q' of each image, (N, K), from labels (N,) and a prior (K,)."""
    return (1 - epsilon) * F.one_hot(labels, len(prior)) + epsilon * prior


def smoothed_loss(
    logits: Tensor, labels: Tensor, epsilon: float, prior: Tensor
) -> Tensor:
    """Mean of H(q', p) = -sum q'(k) log p(k)."""
    return (
        -(smoothed_labels(labels, epsilon, prior) * logits.log_softmax(1)).sum(1).mean()
    )


# %% [markdown]
# PyTorch has it built in, for the uniform prior; the course's `LabelSmoothingLoss` takes any. The three must agree, in
# value and in gradient, and the gradient must be p - q':

# %% tags=["nbval-check-output"]
uniform = torch.full((K,), 1 / K, dtype=torch.float64)
# A prior as if some classes were rare.
shares = torch.tensor([30, 20, 10, 10, 10, 5, 5, 5, 3, 2], dtype=torch.float64) / 100
for name, prior in (("uniform", uniform), ("class frequencies", shares)):
    by_hand = partial(smoothed_loss, epsilon=0.1, prior=prior)
    library = LabelSmoothingLoss(K, epsilon=0.1, prior=prior)
    p_minus_q = (logits.softmax(1) - smoothed_labels(labels, 0.1, prior)) / len(labels)
    assert torch.allclose(by_hand(logits, labels), library(logits, labels))
    assert torch.allclose(gradient(by_hand, logits, labels), p_minus_q)
    assert torch.allclose(gradient(library, logits, labels), p_minus_q, atol=1e-7)
    print(f"{name}: loss {by_hand(logits, labels):.4f}")
torch_loss = nn.CrossEntropyLoss(label_smoothing=0.1)
assert torch.allclose(
    torch_loss(logits, labels), smoothed_loss(logits, labels, 0.1, uniform)
)

# %% [markdown]
# ### What the new part asks for
#
# H(q', p) is linear in q', so it splits: (1-ε) times the old loss, plus ε times H(u, p), the cross-entropy measured
# with the prior. That splits once more. The *entropy* H(u) = -Σ u(k) ln u(k) says how undecided u is, and no network
# can change it; what is left, KL(u‖p) = Σ u(k) ln (u(k) / p(k)), the *Kullback-Leibler divergence*, is 0 where p = u,
# above 0 everywhere else, and so says how far p is from u:
#
# $$H(q', p) = (1-\varepsilon)\,H(q, p) + \varepsilon\,\bigl[\mathrm{KL}(u \,\|\, p) + H(u)\bigr]$$
#
# So the second part punishes a prediction for being far from u. With a uniform u: for being sure. The parts in numbers,
# for the five images and the prior with rare classes:

# %% tags=["nbval-check-output"]
log_p = logits.log_softmax(1)
kl = F.kl_div(log_p, shares.expand_as(log_p), reduction="batchmean")
entropy = -(shares * shares.log()).sum()
parts = {
    "(1-ε) H(q, p)": 0.9 * F.cross_entropy(logits, labels),
    "ε KL(u‖p)": 0.1 * kl,
    "ε H(u)": 0.1 * entropy,
}
assert torch.isclose(sum(parts.values()), smoothed_loss(logits, labels, 0.1, shares))
table(
    pd.DataFrame({"nats": {name: part.item() for name, part in parts.items()}}),
    {"nats": "{:.4f}"},
)

# %% [markdown]
# ## How sure should one be?
#
# The gradient p - q' vanishes where p = q'. So, unlike the old loss, this one has a place where it is content. **Before
# you run on:**

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "smoothed-target",
    "Ten classes, ε = 0.1, uniform prior. Which probability of the right class does the"
    " smoothed loss ask for?",
    [
        Answer(
            "0.9",
            "Nearly: 1 - ε = 0.9 is the label's part, but the prior gives the right"
            " class its share, too.",
        ),
        Answer(
            "0.91",
            "0.9 from the label and 0.1/10 from the prior, which counts the right"
            " class, too.",
            correct=True,
        ),
        Answer(
            "0.99",
            "That is 1 - ε/K. The nine wrong classes get ε/K = 0.01 each, 0.09 in all.",
        ),
        Answer(
            "1.0",
            "Then log p of the wrong classes would be -∞, and their part of the loss"
            " infinite.",
        ),
    ],
)

# %% [markdown]
# The logits that give p = q' are ln q', up to a constant. So the right logit leads each wrong one by
#
# $$z_y - z_k = \ln\frac{q'(y)}{q'(k)} = \ln\frac{1-\varepsilon+\varepsilon/K}{\varepsilon/K}
# = \ln\Bigl(\frac{K(1-\varepsilon)}{\varepsilon}+1\Bigr)$$
#
# and the loss is then the entropy of q'. Predicted so, and measured: let gradient descent move the logits of
# one image until nothing moves any more.


# %% tags=["nbval-check-output"]
first_class = torch.tensor([0])  # the label of the one image


def descend(
    loss: Callable[[Tensor, Tensor], Tensor], steps: int, classes: int = K
) -> Tensor:
    """Logits of one image, (1, classes), after gradient descent with learning rate 2
    from equal ones."""
    z = torch.zeros(1, classes, dtype=torch.float64)
    for _ in range(steps):
        z -= 2 * gradient(loss, z, first_class)
    return z


rows = []
for classes, epsilon in ((10, 0.01), (10, 0.1), (10, 0.3), (1000, 0.1)):
    loss = nn.CrossEntropyLoss(label_smoothing=epsilon)
    z = descend(loss, 2000, classes)
    predicted, gap = (
        np.log(classes * (1 - epsilon) / epsilon + 1),
        logit_gap(z, first_class),
    )
    assert abs(gap - predicted) < 1e-4
    rows.append([classes, epsilon, predicted, gap, loss(z, first_class).item()])
assert f"{rows[-1][-1]:.5f}" == "1.01485"  # quoted below
columns = ["classes", "ε", "gap predicted", "gap measured", "least loss"]
formats = dict(
    zip(columns, ("{:,}", "{:g}", "{:.3f}", "{:.3f}", "{:.5f}"), strict=True)
)
fold_answer(table(pd.DataFrame(rows, columns=columns), formats))

# %% [markdown]
# Remember from this table that the loss no longer goes to 0: with the paper's 1,000 classes and ε = 0.1 **it cannot
# fall below 1.01485**. A training loss that stops at 1.0 is not a failure; it is a perfect score. That number is the
# entropy of q'. Can you compute it for any prior?

# %% [markdown]
# ### Exercise 1: the least loss (easy, 5 minutes)
#
# Write `least_loss(epsilon, prior, label)`: the number, in nats, below which the smoothed loss of an image with this
# label cannot fall, for any prior. Mind classes whose target is 0.

# %% tags=["nbval-check-output"]
exercises.least_loss


# %% tags=["solution"]
def least_loss(epsilon: float, prior: list[float], label: int) -> float:
    # solution begin
    target = epsilon * np.array(prior)
    target[label] += 1 - epsilon
    target = target[target > 0]
    return float(-(target * np.log(target)).sum())
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.least_loss.check(least_loss)

# %% [markdown]
# ### The explorer
#
# In the explorer, start with the case shown, then try:
#
# 1. **logits** "optimum", then move **ε**: where does the gap go when ε goes to 0?
# 2. **logits** "sure and wrong": how large is the loss, and how large the gradient?
# 3. **classes** 1,000, **logits** "optimum": which of the two parts does the loss consist of?
# 4. **prior** "confusable classes", **logits** "optimum": what does this prior teach that the uniform one does not?

# %% tags=["nbval-check-output"]
EpsilonExplorer(
    epsilon=0.1, num_classes=10, prior="uniform", logits=(3.0, 2.0, 0.0, 0.0)
)

# %% [markdown]
# To 3: nine tenths of it are the prior's part. That is why the losses of networks trained with different ε must never
# be compared. Compare accuracies, or the plain cross-entropy on test pictures, as we do from here on.

# %% [markdown]
# ## On real images
#
# One free logit vector settles where it should. Does a network, where one set of weights makes the logits of all
# pictures, do so, too? We take 700 pictures of clothes in ten classes, so few that a small network gets nearly all of
# them right, and look at it **twice**: *early*, after ten epochs in which the learning rate falls to zero, and *late*,
# after nine more at a rate that does not fall. No augmentation, no weight decay: nothing but the loss keeps it from
# being too sure.

# %% tags=["nbval-check-output"]
network, stages = smoothing_network(), STAGES
size = total(network, (1, 28, 28))
assert [recipe.epochs for recipe in stages.values()] == [10, 9]
print(f"{size.params:,} parameters, {size.macs / 1e6:.1f} M MACs an image")

# %%
data = datasets.load("fashion_mnist")
# `fit` looks at 100 test images after each epoch; all 2,000 judge the end.
few = few_images(data)
models, judged = {}, {}
shown = (few.train.images, data.test.images)


def train(epsilon: float, seed: int) -> None:
    """Train the network through both stages; keep it as it is after each, and its
    logits of training and test images."""
    torch.manual_seed(seed)
    # merge: parallel 1×1 convolutions of one input as one, the same function faster
    model = build(merge(network), in_channels=1)
    for stage, recipe in stages.items():
        fit(model, few, replace(recipe, label_smoothing=epsilon, seed=seed))
        key = stage, epsilon, seed
        models[key] = deepcopy(model)
        judged[key] = [predict_logits(model, images, few) for images in shown]


assert (len(few.train), len(data.test)) == (700, 2_000)


# %%
for seed in (0, 1):
    train(0.0, seed)

# %%
for seed in (0, 1):
    train(0.1, seed)

# %%
for seed in (0, 1):
    train(0.3, seed)

# %% [markdown]
# ### The gap, predicted and measured
#
# The gap of a network is the mean over the pictures of the label's logit minus the mean of the nine others;
# `logit_gap` computes it.

# %%
gaps = pd.DataFrame(
    {
        (stage, f"ε = {epsilon:g}"): {
            f"seed {seed}": logit_gap(judged[stage, epsilon, seed][0], few.train.labels)
            for seed in (0, 1)
        }
        for stage in stages
        for epsilon in (0.0, 0.1, 0.3)
    }
)
best = {epsilon: np.log(K * (1 - epsilon) / epsilon + 1) for epsilon in (0.1, 0.3)}
for epsilon, gap in best.items():
    # A network cannot place every picture's ten logits at will; 0.8 is what it may miss
    # by, and far from ε = 0.
    assert (gaps["late", f"ε = {epsilon:g}"] - gap).abs().max() < 0.8
# Without smoothing nothing holds the logits back: the longer the training, the larger
# the gap.
assert (gaps["late", "ε = 0"] > gaps["early", "ε = 0"] + 1).all()
for seed in (0, 1):
    predicted = judged["late", 0.0, seed][0].argmax(1)
    assert (predicted == few.train.labels).double().mean() > 0.85
table(gaps.T, dict.fromkeys(gaps.index, "{:.2f}"))

# %%
record = load_record("label_smoothing")
late = record.rows.query("stage == 'late' and noise == 0")
recorded = late.pivot(index="epsilon", columns="seed", values="train_gap")
grid = np.geomspace(0.001, 0.3, 60)
series = {
    "predicted": pd.Series(np.log(K * (1 - grid) / grid + 1), grid),
    "recorded": recorded,
    "here": gaps["late"].T.set_axis([0.0, 0.1, 0.3]),
}
styles = {
    "predicted": replace(SERIES[1], marker=""),
    "recorded": replace(RECORDED, linestyle=""),
    "here": replace(LIVE, linestyle=""),
}
figure = line_chart(
    series, xlabel="ε", ylabel="logit gap on training images", styles=styles
)
alt = (
    "Logit gap over epsilon, predicted, recorded and measured here. Measured at 0, 0.1"
    " and 0.3: "
)
figure_html(figure, alt + ", ".join(f"{gap:.1f}" for gap in gaps["late"].mean()))

# %% [markdown]
# The formula knows nothing of networks, pictures or optimizers, and yet it says where a trained network's logits stand,
# to within 0.8. At ε = 0 it says infinity; how far a network gets on the way there depends on how long it trains.
#
# Is the agreement as good as it looks? The formula supposes that p(y) has reached its target, and that the nine wrong
# logits are equal. Neither is quite so. To part the two, put in place of the mean wrong logit the logarithm of the mean
# exponential, which is all that p(y) knows of them: what is missing then is the first part alone.


# %%
def misses(epsilon: float, seed: int) -> dict[str, float]:
    """By how much the gap misses the formula, in two parts that add up."""
    logits, labels = judged["late", epsilon, seed][0], few.train.labels
    wrong = logits.scatter(1, labels[:, None], -torch.inf)
    level = wrong.logsumexp(1) - np.log(K - 1)
    even = (logits.gather(1, labels[:, None]).squeeze(1) - level).mean().item()
    return {
        "label not at its target": even - best[epsilon],
        "wrong logits unequal": logit_gap(logits, labels) - even,
    }


parts = pd.DataFrame(
    {
        f"ε = {epsilon:g}, seed {seed}": misses(epsilon, seed)
        for epsilon in best
        for seed in (0, 1)
    }
).T
# The mean of unequal numbers lies below the logarithm of their mean exponential.
assert (parts["wrong logits unequal"] > 0).all()
parts["together"] = parts.sum(axis=1)
table(parts, dict.fromkeys(parts, "{:+.2f}"))

# %% [markdown]
# The second part can only be above 0. Where the first is below 0, the network still gives some pictures' labels less
# than it should, and the two cancel in part: so much of the agreement is luck.
#
# ### Where the probability goes
#
# Smoothing takes probability away from the first class. Who gets it? The mean probabilities of the *test* pictures of
# shirts, of both seeds:

# %%
shirts = data.test.labels == data.classes.index("Shirt")


def mean_of_shirts(epsilon: float) -> np.ndarray:
    """Mean probabilities of the shirts over both seeds, (K,)."""
    of_seeds = [judged["late", epsilon, seed][1][shirts] for seed in (0, 1)]
    return torch.cat(of_seeds).softmax(1).mean(0).numpy()


means = {f"ε = {epsilon:g}": mean_of_shirts(epsilon) for epsilon in (0.0, 0.1, 0.3)}
of_shirts = pd.DataFrame(means, index=pd.Index(data.classes, name="mean p on shirts"))
times = of_shirts.loc["Coat"] / of_shirts.loc["Sneaker"]
# With ε = 0.3 the floor of 0.03 under the sneaker leaves a coat little room above it.
assert times["ε = 0"] > 5 * times["ε = 0.3"]
assert times["ε = 0.3"] < 20
# The ranking survives: what is worn above the waist before what is worn on the feet.
upper = of_shirts.loc[["T-shirt/top", "Pullover", "Coat", "Dress"]]
assert (upper.min() > of_shirts.loc[["Sandal", "Sneaker", "Ankle boot"]].max()).all()
print("a coat is as many times as likely as a sneaker:")
print(", ".join(f"{name}: {ratio:,.0f} times" for name, ratio in times.items()))
table(
    of_shirts.sort_values("ε = 0", ascending=False), dict.fromkeys(of_shirts, "{:.4f}")
)

# %% [markdown]
# With or without smoothing the four other garments for the upper body come before all shoes: so much of the *ranking*
# survives. What shrinks is the distance: how many times as likely a coat is as a sneaker. A uniform prior erases part
# of what a network says about *how* its wrong answers differ. Müller and colleagues conclude that this makes it a worse
# teacher; further down you measure whether it does.

# %% [markdown]
# ## Can its probabilities be trusted?
#
# Of all pictures to which a network says "80 % sure", it should get 80 % right. Then it is *calibrated*. To see whether
# it is, sort the test pictures by the probability of the predicted class, its *confidence*, into bins, and compare each
# bin's mean confidence with its accuracy.


# %%
def reliability(logits: Tensor, labels: Tensor, count: int = 15) -> pd.DataFrame:
    """One row a bin of confidence that has images: its ends, share of the images, mean
    confidence and accuracy."""
    confidence, predicted = logits.double().softmax(1).max(1)
    images = pd.DataFrame({"confidence": confidence, "accuracy": predicted == labels})
    place = (confidence * count).long().clamp(max=count - 1).numpy()
    bins = images.groupby(place).mean()
    ends = {"low": bins.index / count, "high": (bins.index + 1) / count}
    return bins.assign(share=images.groupby(place).size() / len(images), **ends)


def calibration_error(bins: pd.DataFrame) -> float:
    """Expected calibration error (Naeini et al. 2015): the bins' distance from the
    diagonal, weighted by their images."""
    return (bins["share"] * (bins["accuracy"] - bins["confidence"]).abs()).sum()


# %% [markdown]
# The second number is the **ECE**, the *expected calibration error*. torchmetrics has it, too; ours must agree.

# %%
truth = data.test.labels
for _, z in judged.values():
    theirs = multiclass_calibration_error(z.double().softmax(1), truth, K, n_bins=15)
    assert abs(calibration_error(reliability(z, truth)) - theirs) < 1e-4

# %% [markdown]
# **Before you look:**

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "who-is-calibrated",
    "One network is trained without smoothing, its twin with ε = 0.1. Whose"
    " probabilities are nearer to the truth on new pictures?",
    [
        Answer(
            "The smoothed one's: smoothing cures over-confidence",
            "It lowers the confidence, whether that was too high or not. A network that"
            " was just right is made too modest.",
        ),
        Answer(
            "The plain one's: it was trained towards the true labels",
            "Towards the labels of the pictures it learns from. On these it is"
            " right nearly always; on new ones it is not.",
        ),
        Answer(
            "That depends on how sure the plain one has become",
            "Smoothing puts the confidence near 1 - ε on the training pictures. It"
            " helps where that is nearer to the accuracy on new ones than the plain"
            " network's confidence.",
            correct=True,
        ),
    ],
)


# %%
def show_reliability(stage: str) -> object:
    """Reliability diagrams of the first seed at one stage."""
    panels = {
        f"ε = {epsilon:g}": reliability(judged[stage, epsilon, 0][1], truth)
        for epsilon in (0.0, 0.1, 0.3)
    }
    captions = {
        name: f"ECE {calibration_error(bins):.3f}" for name, bins in panels.items()
    }
    # Smoothed early, the network is right more often than it says: most of its images
    # are in bins above the diagonal, if not all.
    for name, bins in panels.items():
        above = bins["share"][bins["accuracy"] > bins["confidence"]].sum()
        assert stage == "late" or name == "ε = 0" or above > 0.7
    alt = f"Reliability diagrams, {stage}: " + ", ".join(
        f"{name} {caption}" for name, caption in captions.items()
    )
    return figure_html(reliability_diagrams(panels, captions, LIVE), alt)


fold_answer(show_reliability("early"))

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# Early, the plain network is close to the diagonal. A bar that reaches above it means: more often right than it says.
# With smoothing most pictures lie in such bars. A pale bar holds few pictures; do not read much into one that stands
# elsewhere.
#
# </details>
#
# Now late:

# %%
show_reliability("late")


# %%
def summary(stage: str, epsilon: float, seed: int) -> dict[str, float]:
    """What the test pictures say of one run."""
    z = judged[stage, epsilon, seed][1]
    return {
        "accuracy": 100 * (z.argmax(1) == truth).double().mean().item(),
        "confidence": 100 * z.softmax(1).max(1).values.mean().item(),
        "NLL": F.cross_entropy(z, truth).item(),
        "ECE": calibration_error(reliability(z, truth)),
    }


results = pd.DataFrame({key: summary(*key) for key in judged}).T.rename_axis(
    ["stage", "ε", "seed"]
)
error = results["ECE"].groupby(["stage", "ε"]).mean()
assert (results["accuracy"] > 50).all()  # guessing gives 10 %
# At both times the smoothed network's ECE differs from the plain one's, to opposite
# sides: this is the lesson's claim.
assert error["early", 0.1] > error["early", 0.0]
assert error["late", 0.1] < error["late", 0.0]
mean = results.groupby(["stage", "ε"]).mean()
over = (mean["confidence"] - mean["accuracy"]).unstack()
# Late, the plain network says more than it holds; with ε = 0.3 a network says less, at
# any time. Smoothing moves the confidence by more than the accuracy.
assert over[0.0]["late"] > 3
assert (over[0.3] < -10).all()
moved = mean.xs(0.1, level="ε") - mean.xs(0.0, level="ε")
assert (moved["confidence"].abs() > 2 * moved["accuracy"].abs()).all()
formats = dict.fromkeys(("accuracy", "confidence"), "{:.1f} %")
formats |= dict.fromkeys(("NLL", "ECE"), "{:.3f}")
names = [
    f"{stage}, ε = {epsilon:g}, seed {seed}" for stage, epsilon, seed in results.index
]
table(results.set_axis(names), formats)

# %% [markdown]
# The same network, the same pictures, nine epochs apart: early, smoothing turns a calibrated network into one that
# understates what it knows; late, its error is smaller than that of the plain network, which has become over-confident.
# Look at the columns *accuracy* and *confidence*: roughly, calibration is their distance, and smoothing moves mostly
# the second. ε = 0.3 is too modest at any time.
#
# But is it the *length* of training that makes a network too sure? Between early and late something else has changed:
# the rate no longer falls to zero in the end. So train the plain network's second stage once more, as long, and at the
# same rate on average, but with a rate that falls:

# %%
falling = []
for seed in (0, 1):
    model = deepcopy(models["early", 0.0, seed])
    fit(model, few, replace(LATE_FALLING, seed=seed))
    judged["late, rate falling", 0.0, seed] = [
        predict_logits(model, images, few) for images in shown
    ]
    falling.append(summary("late, rate falling", 0.0, seed))
control = mean.xs(0.0, level="ε").copy()
control.loc["late, rate falling"] = pd.DataFrame(falling).mean()
too_sure = control["confidence"] - control["accuracy"]
# As over-confident as before, roughly: then it is the length.
assert too_sure["late, rate falling"] > too_sure["early"] + 3
table(control, formats)

# %% [markdown]
# It is: over-confidence comes with either rate. The *accuracy* is another matter. If late has less of it than the last
# row, then what it lacks is not over-fitting but the noise of a rate that does not fall. Without the control one would
# have told a tale of over-fitting.
#
# Two seeds are two seeds. The first two rows recorded with more seeds, and with more values of ε:

# %% tags=["nbval-check-output"]
clean = record.rows.query("noise == 0")
grouped = clean.groupby(["stage", "epsilon"])
means = grouped[["test_accuracy", "test_loss", "test_ece"]].mean()
assert means["test_ece"]["early"].is_monotonic_increasing
best, worst = means["test_ece"]["late"].idxmin(), means["test_ece"]["late"].idxmax()
# The best of the late ones is at neither end of those tried.
assert 0 < best < worst == clean["epsilon"].max() == 0.3
assert means["test_ece"]["late", worst] > means["test_ece"]["late", 0.0]
spread = grouped["test_ece"].sem().rename("± standard error")
recorded_table = means.join(spread).set_axis(
    [f"{stage}, ε = {epsilon:g}" for stage, epsilon in means.index]
)
recorded_table["test_accuracy"] *= 100
formats = dict.fromkeys(recorded_table, "{:.3f}") | {"test_accuracy": "{:.1f} %"}
table(recorded_table, formats, record=record)

# %% [markdown]
# Read *test_ece* downwards. Early, every step of ε makes it worse: best is none. Late, it falls first and rises again:
# to the over-confident network some ε does good, and too much is worse than none.
#
# And the accuracy? Against ε = 0, seed by seed; the interval holds the true difference in 95 of 100 such comparisons:


# %% tags=["nbval-check-output"]
def differences_table(differences: dict[str, Difference], source: Record) -> object:
    """Points of accuracy and what the runs can say of them."""
    rows = {}
    for name, difference in differences.items():
        low, high = difference.interval
        rows[name] = {
            "points": f"{difference.mean:+.1f}",
            "95 % interval": f"{low:+.1f} to {high:+.1f}",
            "shown?": "cannot tell" if difference.shown is None else "yes",
        }
    return table(pd.DataFrame(rows).T, record=source)


gains = {}
for stage in stages:
    runs = 100 * clean.query("stage == @stage").pivot(
        index="seed", columns="epsilon", values="test_accuracy"
    )
    for epsilon in runs.columns[1:]:
        name = f"{stage}, ε = {epsilon:g}"
        gains[name] = paired_difference(runs[epsilon], runs[0.0])
for stage in stages:
    assert gains[f"{stage}, ε = 0.3"].shown > 0
    assert gains[f"{stage}, ε = 0.1"].shown is None
differences_table(gains, record)

# %% [markdown]
# With ε = 0.1 the five runs cannot tell a gain. With 0.3 there is one, early and late, and there the table above has
# its largest ECE. Which class comes first and how sure one may be of it are two questions: the ε that is good for the
# one need not be good for the other. (0.3 is the largest that was tried; which ε is best for the accuracy this does not
# say.)
#
# ### Exercise 2: a colleague's bug (medium, 10 minutes)
#
# A colleague measures calibration, too. A hundred pictures, 99 of them as sure as they should be, and one that is not:


# %%
def colleagues_error(confidence: list[float], right: list[bool], bins: int) -> float:
    """Expected calibration error, so the colleague says."""
    sure, correct = np.array(confidence), np.array(right)
    place = np.minimum((sure * bins).astype(int), bins - 1)
    errors = []
    for number in set(place.tolist()):
        inside = place == number
        errors.append(abs(correct[inside].mean() - sure[inside].mean()))
    return float(np.mean(errors))


# %% tags=["nbval-check-output"]
sure, right = [2 / 3] * 99 + [0.1], [True] * 66 + [False] * 34
print(f"error of all hundred: {colleagues_error(sure, right, bins=2):.3f}")

# %% [markdown]
# One of a hundred pictures misses by 0.1, and the error of the whole is 0.05? **One line is wrong.** Find it by cases
# so small that you can do them in your head, and write the function anew as `mended_error`. The bins are `bins` equal
# parts of 0 to 1; a confidence of 1 belongs to the last. Like `colleagues_error` it takes lists and returns a number.

# %% tags=["nbval-check-output"]
exercises.mend_calibration_error


# %% tags=["solution"]
def mended_error(confidence: list[float], right: list[bool], bins: int) -> float:
    # solution begin
    sure, correct = np.array(confidence), np.array(right)
    place = np.minimum((sure * bins).astype(int), bins - 1)
    error = 0.0
    for number in set(place.tolist()):
        inside = place == number
        gap = abs(correct[inside].mean() - sure[inside].mean())
        error += inside.mean() * gap
    return float(error)
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.mend_calibration_error.check(mended_error)

# %% [markdown]
# ### Exercise 3: calibration without smoothing (harder, 15 minutes)
#
# There is another cure for over-confidence, after training: divide all logits by one number, the *temperature* T (Guo
# et al. 2017). It changes no prediction. Write `best_temperature(logits, labels)`: the T between 0.05 and 20 at which
# the plain cross-entropy of `logits / T` is least, to within 1 %.

# %% tags=["nbval-check-output"]
exercises.best_temperature


# %% tags=["solution"]
def best_temperature(logits: Tensor, labels: Tensor) -> float:
    # solution begin
    candidates = np.geomspace(0.05, 20, 1201)
    losses = [F.cross_entropy(logits / t, labels).item() for t in candidates]
    return float(candidates[int(np.argmin(losses))])
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.best_temperature.check(best_temperature)

# %% [markdown]
# Now on the network trained late without smoothing: choose T on one half of the test pictures, judge on the other.

# %%
for seed in (0, 1):
    plain_logits = judged["late", 0.0, seed][1]
    temperature = best_temperature(plain_logits[::2], truth[::2])
    before, after = (
        calibration_error(reliability(plain_logits[1::2] / t, truth[1::2]))
        for t in (1.0, temperature)
    )
    # If T, chosen on other pictures, did not help, the network was not over-confident
    # or 1,000 pictures too few.
    assert after < before
    print(
        f"seed {seed}: T = {temperature:.2f}, ECE {before:.3f} before, {after:.3f}"
        " after"
    )

# %% [markdown]
# ## Do clusters draw together?
#
# The last layer gives class k the logit w·x, the product of the picture's *features* x, what the layer reads, and the
# class's weights w (and adds a small number, the bias). And w·x is half of |x|² + |w|² - |x - w|². Of these |x|² is the
# same for all ten classes, and softmax does not notice what is added to all logits alike. So if the classes' weights
# are of like length, a class's logit is large where x lies *near its weights*.
#
# Smoothing asks for one large logit and nine equal ones. Then it wants x near the weights of its class and *equally
# far* from all others: tight clusters in the corners of a regular simplex (a triangle for three classes), say Müller
# and colleagues (section 2). Plain cross-entropy wants x far out, no matter where. Look: the plane through the weights
# of three classes, two alike, one not, and each test picture's features projected onto it, on one scale in all panels.


# %%
def on_plane(model: nn.Module, images: Tensor, classes: list[int]) -> np.ndarray:
    """Features projected onto the plane through three classes' weights, (N, 2)."""
    weights = model[-1].linear.weight.detach().cpu()[classes]
    basis = torch.linalg.qr((weights[1:] - weights[0]).T).Q
    return (last_features(model, images, few) @ basis).numpy()


chosen = {name: data.classes.index(name) for name in ("Pullover", "Coat", "Sneaker")}
panels = {}
for epsilon in (0.0, 0.1, 0.3):
    points = on_plane(
        models["late", epsilon, 0], data.test.images, list(chosen.values())
    )
    panels[f"ε = {epsilon:g}"] = {
        name: points[truth == label] for name, label in chosen.items()
    }
alt = (
    "Test images of pullovers, coats and sneakers on the plane of their classes'"
    " weights, for three epsilons, on one scale: the larger epsilon, the smaller the"
    " cloud"
)
figure_html(cluster_panels(panels), alt)

# %% [markdown]
# Three numbers of the *training* pictures, for which the loss asks all this: `spread`, their mean squared distance from
# the centre of their class; `share`, the same as a share of the centres' own mean squared distance from the centre of
# all; and `unevenness` of the distances between two centres, their standard deviation over their mean.

# %%
tight = pd.DataFrame(
    {
        (epsilon, seed): clusters(last_features(model, shown[0], few), few.train.labels)
        for (stage, epsilon, seed), model in models.items()
        if stage == "late"
    }
).T
of_epsilon = tight.groupby(level=0).mean()
against_plain = of_epsilon.loc[0.1] / of_epsilon.loc[0.0]
# The cloud shrinks as a whole, much more than a class shrinks against the others.
assert of_epsilon["spread"].is_monotonic_decreasing
assert against_plain["spread"] < 0.75
assert against_plain["share"] > against_plain["spread"] + 0.2
assert against_plain["unevenness"] < 1
table(
    tight.set_axis([f"ε = {epsilon:g}, seed {seed}" for epsilon, seed in tight.index]),
    dict.fromkeys(tight, "{:.2f}"),
)

# %% [markdown]
# So do clusters draw together? The first column says so: the spread falls, the more the larger ε. But the whole cloud
# shrinks, as the figure shows, and a photograph made smaller has no tighter clusters. The second column is free of
# that, and falls far less, if at all: **against the distances between classes the clusters are hardly tighter here.**
# And the distances between classes are more equal at ε = 0.1 than without, as the argument says. Müller and colleagues
# saw tight clusters in larger networks, trained far longer.

# %% [markdown]
# ## A worse teacher?
#
# A large network can teach a small one. The student does not learn the labels but the teacher's probabilities, which
# say more: this coat looks somewhat like a pullover. It is called *distillation* (Hinton, Vinyals, Dean 2015). Both
# networks' logits are divided by a *temperature* T first, which makes a sure teacher's small probabilities large enough
# to count. The student's loss is the cross-entropy of its softmax(z/T), measured with the teacher's, times T²: the
# gradient shrinks as 1/T², and a change of T should not be a change of the learning rate.
#
# Müller and colleagues say: a teacher trained with smoothing makes worse students (their section 4), since what it
# knows of likeness is erased. **Before you look:** how can one test this reason?

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "smoothed-teacher",
    "A teacher's wrong classes are levelled: it stays as sure as it was of its first"
    " class, and all others share the rest evenly. If likeness is what a student"
    " learns, how does its student do?",
    [
        Answer(
            "Worse than the student of the teacher as it is",
            "So it must be, if the argument is right; if not, something else than"
            " likeness makes the difference.",
            correct=True,
        ),
        Answer(
            "As well",
            "Then the student would have learned nothing from the wrong classes, and"
            " their erasure could not be what harms.",
        ),
        Answer(
            "Better: it is not distracted",
            "That would say that likeness harms, the contrary of the argument.",
        ),
    ],
)

# %% [markdown]
# Recorded, for it takes many networks. Teachers: the network from above, trained for 20 epochs with a rate that falls
# to zero, with each ε. Students: a quarter of the channels, 15 epochs, the teacher's probabilities of the same 700
# pictures, no labels. *Levelled* is the question's teacher. The first row learns the labels, smoothed by ε, without a
# teacher.

# %% tags=["nbval-check-output"]
taught = load_record("label_smoothing_teachers")
rows = taught.rows
by_targets = 100 * rows.pivot_table(
    index=["targets", "temperature"], columns="epsilon", values="test_accuracy"
)
own = 100 * rows.groupby("epsilon")["teacher"].mean()
students = by_targets.set_axis(
    [f"{targets}, T = {t:g}" for targets, t in by_targets.index]
).rename(columns="ε = {:g}".format)
students.loc["the teachers themselves"] = own.to_numpy()
table(students, dict.fromkeys(students, "{:.1f} %"), record=taught)

# %% tags=["nbval-check-output"]
wide = 100 * rows.pivot(
    index="seed", columns=["targets", "temperature", "epsilon"], values="test_accuracy"
)
student, levelled = wide["teacher"], wide["teacher, wrong classes levelled"]
worse, control = {}, {}
for t in student.columns.unique("temperature"):
    for e in (0.1, 0.3):
        worse[f"T = {t:g}: teacher with ε = {e} against 0"] = paired_difference(
            student[t, e], student[t, 0.0]
        )
    control[f"T = {t:g}, ε = 0: levelled against as it is"] = paired_difference(
        levelled[t, 0.0], student[t, 0.0]
    )
learned = {
    f"T = 1, ε = 0: a teacher against labels, ε = {e:g}": paired_difference(
        student[1.0, 0.0], wide["labels", 1.0, e]
    )
    for e in (0.0, 0.1)
}
# No smoothed teacher is shown to be a worse one, nor the levelled one.
for name, found in worse.items():
    assert found.shown > 0 if name.startswith("T = 4") else found.shown is None
assert all(found.shown is None for found in control.values())
against_plain, against_smoothed = learned.values()
assert against_plain.shown > 0
assert against_smoothed.shown is None
assert own.is_monotonic_increasing
differences_table(worse | control | learned, taught)

# %% [markdown]
# A teacher helps at T = 1: its student does better than one that learns the plain labels. But the worse teacher **does
# not show here**. At T = 1 the runs cannot tell, and at T = 4 the smoothed teachers have the *better* students. That
# does not refute the claim, for two reasons. The comparison is not clean: here the smoothed teachers are better
# themselves (last row of the first table). And nothing shows that our students learn likeness: as far as three runs can
# tell, they do as well with likeness erased, and as well from labels smoothed by 0.1. What a student does not use, it
# cannot miss.

# %% [markdown]
# ## Relatives
#
# ### The confidence penalty
#
# Smoothing with a uniform prior adds KL(u‖p). One can as well turn it round and add KL(p‖u), which is ln K - H(p): the
# less undecided the prediction, the higher the loss. The paper names it, says that the two are not equivalent, and has
# not tried it (section 7); Pereyra and colleagues did (*Regularizing Neural Networks by Penalizing Confident Output
# Distributions*, 2017). In a few lines, with a weight β:


# %%
def penalised_loss(logits: Tensor, labels: Tensor, beta: float) -> Tensor:
    """Cross-entropy minus beta times the entropy of the prediction."""
    p = logits.softmax(1)
    entropy = -(p * p.log()).sum(1).mean()
    return F.cross_entropy(logits, labels) - beta * entropy


# %% [markdown]
# Two checks: that it is KL(p‖u) up to a constant, and where it lets the gap of one image come to rest.

# %% tags=["nbval-check-output"]
p = logits.softmax(1)
kl_turned = (p * (p * K).log()).sum(1)
entropy = -(p * p.log()).sum(1)
assert torch.allclose(kl_turned, np.log(K) - entropy)
beta = equal_penalty(0.1, K)  # a single image comes to rest where ε = 0.1 lets it
by_hand = partial(penalised_loss, beta=beta)
assert torch.isclose(by_hand(logits, labels), penalized(logits, labels, beta))
assert (
    abs(logit_gap(descend(by_hand, 3000), first_class) - np.log(K * 0.9 / 0.1 + 1))
    < 0.01
)
print(f"β = {beta:.3f} has the gap of rest of ε = 0.1")

# %% [markdown]
# With this β both ask for the same. What differs is what they do to an image that is far too sure. How hard is a lead
# of 8, 16 or 32 pulled back?

# %% tags=["nbval-check-output"]
leads = torch.zeros(3, K, dtype=torch.float64)
leads[:, 0] = torch.tensor([8.0, 16.0, 32.0])
pull_of = {
    name: (3 * gradient(loss, leads, torch.zeros(3, dtype=torch.int64)))[:, 0]
    for name, loss in (("smoothed", torch_loss), ("penalised", by_hand))
}
# Smoothing pulls with ε (1 - 1/K) in the end, however far; the penalty's pull vanishes.
assert abs(pull_of["smoothed"][-1] - 0.09) < 1e-6
assert pull_of["penalised"][-1] < 1e-9
table(
    pd.DataFrame(
        {name: pull.numpy() for name, pull in pull_of.items()},
        index=["lead 8", "lead 16", "lead 32"],
    ),
    dict.fromkeys(pull_of, "{:.1e}"),
)

# %% [markdown]
# A network that is once very sure hears nothing of the penalty any more: its entropy is 0 there and changes no more.
# Smoothing pulls it back with the same force from any distance.
#
# ### Mixup
#
# Mixup (Zhang and colleagues, 2018) lays two pictures over one another and mixes their labels in the same proportion.
# For each batch a share is drawn from a Beta distribution, Beta(a, a); with a small a mostly near 0 or 1.
#
# ### Exercise 4: mixup (easy, 10 minutes)
#
# Write `mixup(images, labels, order, share, num_classes)`. Row i is mixed from `share` of image i and the rest of image
# `order[i]`, its label likewise. Return two tensors: the images, of the shape given, and the labels as probabilities,
# (N, num_classes), in the dtype of the images.

# %% tags=["nbval-check-output"]
exercises.mixup


# %% tags=["solution"]
def mixup(
    images: Tensor, labels: Tensor, order: Tensor, share: float, num_classes: int
) -> tuple[Tensor, Tensor]:
    # solution begin
    one_hot = F.one_hot(labels, num_classes).to(images.dtype)
    return (
        share * images + (1 - share) * images[order],
        share * one_hot + (1 - share) * one_hot[order],
    )
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.mixup.check(mixup)

# %% [markdown]
# Call a mixed picture by the larger of its two parts; a mean part ε = E[min(share, 1 - share)] of its label is given
# away, to a class drawn from the training pictures. So **mixup's labels are smoothed labels on average**, with the
# classes' frequencies as prior. Not its pictures: what is given away is given to what is *in* the picture. Check the
# labels, over many batches, with a = 0.2:

# %% tags=["nbval-check-output"]
rng = np.random.default_rng(0)
shares = rng.beta(0.2, 0.2, size=200_000)
epsilon_of_mixup = np.minimum(shares, 1 - shares).mean()
frequency = np.bincount(labels.numpy(), minlength=K) / len(labels)
partners = rng.integers(len(labels), size=len(shares))
larger = np.maximum(shares, 1 - shares)[:, None]
one_hot = np.eye(K)[labels.numpy()]
mean_label = (larger * one_hot[0] + (1 - larger) * one_hot[partners]).mean(0)
expected = smoothed_labels(labels[:1], epsilon_of_mixup, torch.from_numpy(frequency))
assert np.allclose(mean_label, expected[0], atol=0.002)
print(f"a = 0.2 gives away {epsilon_of_mixup:.3f} of a label on average")

# %% [markdown]
# Nearly the ε = 0.1 of smoothing. So the three can be compared where they ask for equally much; recorded, the same
# network late, all else equal:

# %% tags=["nbval-check-output"]
related = load_record("label_smoothing_relatives")
names = {0.0: "labels as they are", 0.1: "label smoothing"}
ways = pd.concat(
    [
        late[late["epsilon"].isin(names)].assign(way=late["epsilon"].map(names)),
        related.rows,
    ]
)
judged_by = ["train_gap", "test_accuracy", "test_loss", "test_ece"]
of_way = ways.groupby("way", sort=False)[judged_by].mean()
of_way["test_accuracy"] *= 100
formats = {"train_gap": "{:.1f}", "test_accuracy": "{:.1f} %"}
formats |= {"test_loss": "{:.3f}", "test_ece": "{:.3f}"}
table(of_way, formats, record=related)

# %% tags=["nbval-check-output"]
measures = {
    "accuracy, points": ("test_accuracy", 100),
    "ECE, points": ("test_ece", 100),
    "gap": ("train_gap", 1),
}
against_labels, against_smoothing = {}, {}
for name, (column, scale) in measures.items():
    wide = scale * ways.pivot(index="seed", columns="way", values=column)
    for way in ("label smoothing", "confidence penalty", "mixup"):
        against_labels[f"{name}: {way} against labels as they are"] = paired_difference(
            wide[way], wide["labels as they are"]
        )
for way in ("confidence penalty", "mixup"):
    against_smoothing[f"gap: {way} against label smoothing"] = paired_difference(
        wide[way], wide["label smoothing"]
    )
for name, found in against_labels.items():
    assert (found.shown is None) if name.startswith("accuracy") else (found.shown < 0)
assert all(found.shown > 0 for found in against_smoothing.values())
differences_table(against_labels | against_smoothing, related)

# %% [markdown]
# All three restrain, and all three are better calibrated, late, than the network that learns the labels as they are; of
# accuracy five runs cannot tell. (The two relatives were recorded on another machine than the first two rows, with the
# same first weights and the same order of pictures.) But the gap is not the same: both relatives end further out than
# smoothing, though a free image would rest at one place. For mixup that is no wonder, for the gap is taken on pictures
# that are not mixed. Why it is so for the penalty is not taken apart here.

# %% [markdown]
# ## A loss that looks right
#
# "(1-ε) times the label, and ε/K for the rest", says a colleague, and writes


# %%
def tempting_loss(logits: Tensor, labels: Tensor, epsilon: float = 0.1) -> Tensor:
    """(1 - epsilon) times the cross-entropy, plus epsilon / K."""
    return (1 - epsilon) * F.cross_entropy(logits, labels) + epsilon / logits.shape[1]


# %% [markdown]
# Its value falls when one trains with it, and it never reaches 0, as it should. Put it to the test that a smoothed loss
# must pass: let gradient descent move one image's logits, and watch the gap. **Guess first** where it will come to
# rest.


# %% tags=["nbval-check-output"]
contestants = {
    "cross-entropy": F.cross_entropy,
    "smoothed": torch_loss,
    "tempting": tempting_loss,
}
rows = {
    name: {
        f"after {n:,} steps": logit_gap(descend(loss, n), first_class)
        for n in (10, 100, 1000)
    }
    for name, loss in contestants.items()
}
best_gap = np.log(K * 0.9 / 0.1 + 1)
at_rest = {
    n: abs(row["after 1,000 steps"] - best_gap) < 0.01 for n, row in rows.items()
}
assert [name for name, rests in at_rest.items() if rests] == ["smoothed"]
table(pd.DataFrame(rows).T, dict.fromkeys(rows["smoothed"], "{:.2f}"))

# %% [markdown]
# One of the three came to rest. The tempting loss did not, nor will it. Why not? The exercise lets you find out.

# %% [markdown]
# ### Exercise 5: a test that tells (medium, 15 minutes)
#
# Write `is_label_smoothing(loss, epsilon, num_classes)`: True if `loss(logits, labels)`, a mean over the images, is the
# smoothed loss with a uniform prior, as far as training can notice. Two losses with equal gradients train equal
# networks; so test the gradient. Then print the gradient of `tempting_loss` beside that of `F.cross_entropy` and say in
# one sentence what the tempting loss really is.

# %% tags=["nbval-check-output"]
exercises.is_label_smoothing


# %% tags=["solution"]
def is_label_smoothing(
    loss: Callable[[Tensor, Tensor], Tensor], epsilon: float, num_classes: int
) -> bool:
    # solution begin
    draw = torch.Generator().manual_seed(0)
    z = torch.randn(4, num_classes, dtype=torch.float64, generator=draw)
    y = torch.arange(4) % num_classes
    target = (1 - epsilon) * F.one_hot(y, num_classes) + epsilon / num_classes
    z.requires_grad_()
    (found,) = torch.autograd.grad(loss(z, y), z)
    expected = (z.softmax(1) - target) / len(z)
    return torch.allclose(found, expected, atol=1e-6)
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.is_label_smoothing.check(is_label_smoothing)

# %% [markdown]
# ## Labels that are wrong
#
# Say someone labels pictures carelessly: with probability η they pick a class at random, all K alike. What does plain
# cross-entropy then minimise, on average over what they might have picked? Average it over a hundred thousand careless
# labellings of our five images:


# %% tags=["nbval-check-output"]
generator = torch.Generator().manual_seed(0)
many = labels.repeat(100_000)
drawn = torch.randint(K, many.shape, generator=generator)
changed = torch.rand(many.shape, generator=generator) < 0.1
noisy = F.cross_entropy(logits.repeat(100_000, 1), torch.where(changed, drawn, many))
smooth = smoothed_loss(logits, labels, 0.1, uniform)
assert abs(noisy - smooth) < 0.01
print(
    f"cross-entropy over careless labels, η = 0.1: {noisy:.2f}; smoothed loss of the"
    f" true labels, ε = 0.1: {smooth:.2f}"
)

# %% [markdown]
# **Careless labels are smoothed labels, on average.** But only on average: a picture that is shown in every epoch with
# one and the same wrong label can be learned like any other. Does smoothing on top of it help? Recorded: the same
# network and stages, with 40 % of the training labels drawn anew (the test labels are true). *train_accuracy* counts
# agreement with the labels as given, right or wrong.

# %% tags=["nbval-check-output"]
noisy_runs = record.rows.query("noise == 0.4")
columns = (
    noisy_runs.groupby(["stage", "epsilon"])[["train_accuracy", "test_accuracy"]].mean()
    * 100
)
columns["± standard error"] = (
    100 * noisy_runs.groupby(["stage", "epsilon"])["test_accuracy"].sem()
)
columns["test ECE"] = noisy_runs.groupby(["stage", "epsilon"])["test_ece"].mean()
formats = dict.fromkeys(columns, "{:.1f} %") | {"test ECE": "{:.3f}"}
table(
    columns.set_axis([f"{stage}, ε = {epsilon:g}" for stage, epsilon in columns.index]),
    formats,
)

# %% [markdown]
# Read it with the intervals, seed by seed:

# %% tags=["nbval-check-output"]
wide = noisy_runs.pivot(
    index="seed",
    columns=["stage", "epsilon"],
    values=["train_accuracy", "test_accuracy"],
)
tests, given = 100 * wide["test_accuracy"], 100 * wide["train_accuracy"]
early, late_plain = tests["early", 0.0], tests["late", 0.0]
compared = {
    "test, ε = 0: late against early": paired_difference(late_plain, early),
    "test, late: ε = 0.1 against 0": paired_difference(tests["late", 0.1], late_plain),
    "test, late: ε = 0.3 against 0": paired_difference(tests["late", 0.3], late_plain),
    "labels as given, late: ε = 0.1 against 0": paired_difference(
        given["late", 0.1], given["late", 0.0]
    ),
}
# Right are the labels that were kept and a tenth of those drawn anew.
assert (given["late", 0.0] > 60 + 40 / K).all()
lost, regained, *_ = compared.values()
assert lost.shown < 0 < regained.shown < -lost.shown / 2
differences_table(compared, record)

# %% [markdown]
# Late, the network agrees with more labels than the 64 % that are right (the 60 % that were kept, and a tenth of the
# others, right by chance): it has learned wrong ones. And it knows *less* about new pictures than it did early. (How
# much of that the rate that does not fall has done is not taken apart here.) Smoothing by 0.1 gives some of it back;
# **stopping early would not have lost it**. And why does smoothing help? That it keeps the network from learning wrong
# labels would be an explanation. It must show in the last row, as less agreement with the labels as given. The runs
# cannot tell, and their mean says the contrary. So we know that it helps here, not why.

# %% [markdown]
# ## What is 0.2 % worth?
#
# What did smoothing bring Inception-v3 on ImageNet? The paper says it twice. In section 7 it is "a consistent
# improvement of about 0.2% absolute both for top-1 error and the top-5 error (cf. Table 3)". In table 3 the top-1 error
# falls from 23.1 % to 22.8 %, by 0.3. Both can be true, for two numbers that are rounded to 23.1 and 22.8 can differ by
# anything from 0.2 to 0.4.
#
# Take 0.2. It is the difference of two networks, trained once each as far as the table tells. Beside it our recorded
# gain, five pairs of networks, late:

# %% tags=["nbval-check-output"]
accuracy = 100 * late.pivot(index="seed", columns="epsilon", values="test_accuracy")
gain = paired_difference(accuracy[0.1], accuracy[0.0])
text = "smoothing gains, points of top-1 accuracy (section 7)"
paper_beside_measured(
    [MeanClaim(text, 0.2, gain, number_format="{:+.1f}")], record=record
)

# %% [markdown]
# Other pictures, another network: that the two differ would be no surprise. The question is what it takes to *see* 0.2.
# First, how many test pictures? Two networks' results come from the *same* pictures, so only those matter on which one
# is right and the other wrong, a share d of all. The difference of n pictures has the standard error √(d/n), and 0.2 %
# should be two of these:

# %%
right = {key: logits.argmax(1) == truth for key, (_, logits) in judged.items()}
disagree = np.mean(
    [(right["late", 0.1, s] != right["late", 0.0, s]).double().mean() for s in (0, 1)]
)

# %%
needed = disagree * (2 / 0.002) ** 2
accuracy = results.xs("late")["accuracy"].mean() / 100
unpaired = 2 * accuracy * (1 - accuracy) * (2 / 0.002) ** 2
between_seeds = (right["late", 0.0, 0] != right["late", 0.0, 1]).double().mean().item()
# These are more than ImageNet's validation set has, fewer than without pairing.
assert 50_000 < needed < unpaired
print(
    f"with and without smoothing disagree about {disagree:.1%} of the pictures:"
    f" {needed:,.0f} test pictures needed"
)
print(f"on two separate sets of pictures: {unpaired:,.0f} in each")
assert between_seeds > 0.5 * disagree
print(f"two seeds without smoothing disagree about {between_seeds:.1%}")

# %% [markdown]
# Two seeds of one loss disagree about more than half as many pictures as two losses do that share a seed, if not about
# more. Even the 50,000 pictures of ImageNet's validation set are not many, if networks trained there disagree as ours
# do. And no number of pictures tells the loss from the luck of one seed: that takes several runs of each, as many as
# make the interval reach 0.2 to either side. (The table above asks for more runs, because it asks for an interval half
# as wide: one that cannot hold both 0 and 0.2.)

# %% tags=["nbval-check-output"]
needed_runs = runs_needed(gain, 0.2)
assert needed_runs > 2 * gain.runs
print(f"to see 0.2 points: {needed_runs:,} runs of each, on these 2,000 pictures")

# %% [markdown]
# ## Restraint without smoothed labels
#
# ### Exercise 6: a restraint of your own (harder, 20 minutes)
#
# Invent a loss that keeps a network from being too sure, *without* smoothed labels; many answers are right. Write
# `restrained(logits, labels)`, a mean over the images (N, 10) and labels (N,), as one tensor. The check lets gradient
# descent with rate 2 move single images' logits for 1,000 steps and asks that
#
# - from equal logits the label takes the lead over the best of the others, and comes to rest between 3 and 6;
# - a label that leads by 8 comes back to the same lead, within 0.5, and one that is 8 behind another class gets there;
# - all classes are treated alike.
#
# Then say in a sentence what your loss does to a network that is just right.

# %% tags=["nbval-check-output"]
exercises.restraint


# %% tags=["solution"]
def restrained(logits: Tensor, labels: Tensor) -> Tensor:
    # solution begin
    return F.cross_entropy(logits, labels) + 0.01 * logits.square().sum(1).mean()
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.restraint.check(restrained)

# %% [markdown]
# ## Recap
#
# - Plain cross-entropy is never content: it drives the logits apart for ever, and what is far apart comes back only
#   step by step.
# - Smoothed labels q' = (1-ε) one-hot + ε u. The loss is (1-ε) H(q, p) + ε [KL(u‖p) + H(u)], its gradient p - q', its
#   least value the entropy of q'.
# - With a uniform prior the logit gap comes to rest at ln(K(1-ε)/ε + 1), in a network, too: 4.5 for ten classes and ε =
#   0.1.
# - It lowers confidence. That mends a network that is too sure and harms one that is not: measure, then choose. A
#   temperature can do it afterwards.
# - It shrinks the cloud of features and evens out its distances; relative to them the clusters hardly get tighter here.
# - The confidence penalty is smoothing with the divergence turned round, and lets go of a network that is very sure;
#   mixup smooths labels on average, and changes the pictures with them.
# - A smoothed teacher is said to be a worse one. Here that does not show; find out first what the student learns.
# - A loss is what its gradient says. Test the gradient.
# - 0.2 % takes more pictures than ImageNet has for validation, and many runs, to see. Believe it when it was
#   seen often.
#
# Where to go on: the lesson on training recipes puts smoothing beside the other lines of a recipe.

# %% [markdown] tags=["navigation"]
# ---
# Before: [Auxiliary classifiers](04_auxiliary_classifiers.ipynb) ·
# [All lessons](00_start.ipynb) ·
# Next: [Inception-v3, assembled](06_inception_v3.ipynb)
