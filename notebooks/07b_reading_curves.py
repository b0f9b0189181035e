# ---
# jupyter:
#   course:
#     minutes_read: 55
#     minutes_run: 2
#     needs:
#     - 07_training_recipes
#     title: Reading learning curves
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
# # Reading learning curves
#
# A training leaves a curve. It jitters, it jumps where an epoch starts, and it ends in a number that is compared with
# another number. **What in a curve is learning, what is noise, what is the display; and when is one number really
# better than another?** The first part, `07_training_recipes`, builds the ingredients of a recipe; this one asks what
# they were worth.
#
# Afterwards you can
#
# - tell in a curve what is noise, what is the display, what is batch norm, and what is learning;
# - say why the pictures that choose must not be the ones that judge, and by how much the choice flatters;
# - compare two trainings by Student's t, and say when the runs cannot tell;
# - tell the steps from Inception-v2 to v3 in the paper from those of a re-implementation of the same name;
# - read a ladder of changes without taking a rung for more than it is.
#
# You should know the first part, or what an optimizer, a learning rate, a schedule and weight decay are, and from
# school what a mean and a standard deviation are. Accuracies are in per cent; a *point* is one per cent of the
# pictures.
#
# About 55 minutes to read without the exercises, which say their own, and 2 minutes to run. The paper is C. Szegedy, V.
# Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, *Rethinking the Inception Architecture for Computer Vision*, CVPR 2016,
# section 10.
#
# | For a lecture hour | minutes |
# |:--|--:|
# | Jitter: of the batch, of the bar, of batch norm | 20 |
# | Validation against test | 10 |
# | A ladder of changes, told and climbed again | 15 |
# | From v2 to v3: two stories of one name | 10 |
# | Twenty minutes each | 5 |

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
import copy
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch.optim.swa_utils import update_bn
from tqdm.auto import tqdm

from course_lib import datasets
from course_lib.experiments.training_recipes import make_network, recipe_network
from course_lib.reporting.plots import (
    PAPER,
    RECORDED,
    SERIES,
    figure_html,
    line_chart,
)
from course_lib.reporting.records import load_record
from course_lib.reporting.tables import MeanClaim, paper_beside_measured, table
from course_lib.reporting.verdicts import paired_difference
from course_lib.teaching import Answer, Quiz, fold_answer
from course_lib.teaching.references import reading_curves as exercises
from course_lib.training import (
    RECIPES,
    Recipe,
    default_device,
    normalize,
    predict_logits,
)
from course_lib.training.loop import TrainingLoop

# %% [markdown]
# ## A curve, logged step by step
#
# The network of the first part, two convolutions and two Inception modules with batch norm, learns from 2,560
# pictures of clothes: four epochs of 40 steps with 64 pictures each. The rate rises in the first half epoch and then
# stays at 0.1. There are two runs, which start from different first weights (seeds 0 and 1) and see the pictures in
# different orders. Every step is logged. In the last epoch, after every fifth step, we also note which of 2,000
# pictures that it does not learn from the network gets right; these eight *looks* serve later. `TrainingLoop` is what
# `fit` is made of; `after_step` is called after each of its steps, and `run.part` is what the current epoch has so
# far.

# %%
whole = datasets.load("fashion_mnist")
data = whole.subset(train=2560, test=100)
recipe = Recipe(epochs=4, batch_size=64, learning_rate=0.1, schedule="constant")


def right_guesses(model: torch.nn.Module) -> torch.Tensor:
    """Which pictures of `whole.test` are guessed right, bool, shape (2000,)."""
    logits = predict_logits(model, whole.test.images, data)
    return (logits.argmax(1) == whole.test.labels.to(logits.device)).cpu()


def with_new_statistics(run: TrainingLoop) -> torch.nn.Module:
    """A copy of the model whose batch norm holds the mean and variance of all training
    pictures under the weights of now, in place of a running average."""
    model, train = copy.deepcopy(run.model), run.data.train
    batches = train.images.split(256)
    update_bn(
        (normalize(batch, run.data.mean, run.data.std) for batch in batches), model
    )
    return model


def logged(seed: int, bar: tqdm) -> tuple[pd.DataFrame, TrainingLoop, torch.Tensor]:
    """The log of each step; the run at its end; which guesses on `whole.test` were
    right, bool, shape (2, 8 looks, 2000): of the model as it is, and of its copy."""
    start = make_network(recipe_network(), seed)
    run = TrainingLoop(start, data, replace(recipe, seed=seed), default_device(), None)
    steps, looks = [], []

    def after_step() -> None:
        part, epoch = run.part, len(run.history) + 1
        loss, right = part.losses[part.step - 1].item(), part.correct.item()
        steps.append([epoch, part.step, loss, right])
        if epoch == recipe.epochs and part.step % math.ceil(run.steps / 8) == 0:
            models = (run.model, with_new_statistics(run))
            looks.append(torch.stack([right_guesses(model) for model in models]))
            run.model.train()
        bar.update()

    for _ in range(recipe.epochs):
        run.epoch(after_step)
    names = ["epoch", "step", "loss", "right so far"]
    return pd.DataFrame(steps, columns=names), run, torch.stack(looks, dim=1)


# %%
with tqdm(total=2 * recipe.epochs * 40, unit="step") as bar:
    logs = {seed: logged(seed, bar) for seed in (0, 1)}
# Guessing gives 10 %: below 50 % the curves would show nothing of learning. This and
# all bands below are wide enough for the runs that a GPU gives, in TF32 or bfloat16.
assert all(looks[1, -1].float().mean() > 0.5 for _, _, looks in logs.values())
figure = line_chart(
    {
        f"seed {seed}": steps["loss"].set_axis(steps.index + 1)
        for seed, (steps, *_) in logs.items()
    },
    xlabel="step",
    ylabel="loss of one batch",
    ylim=(0, 2.5),
)
text = ", ".join(
    f"{steps['loss'].iloc[-40:].mean():.2f}" for steps, *_ in logs.values()
)
figure_html(
    figure, f"Loss of each of 160 steps, two runs. Mean of the last epoch: {text}."
)

# %% [markdown]
# ### Jitter is a matter of sampling
#
# The loss jumps from step to step. Does the network get worse and better that fast? Each value is the mean over 64
# pictures drawn by chance. If single pictures' losses have the standard deviation s, such a mean has s/√64, *even if
# the weights stand still*. That is the prediction, from the final weights. The experiment that could refute it: one
# more epoch in which the weights do stand still, at a rate of almost 0. If learning made the jitter, it would be gone
# there. Predict the two, then compare with the last epoch of the log:


# %%
def losses_standing_still(run: TrainingLoop) -> list[float]:
    """The losses of one more epoch, in which the weights do not change."""
    frozen = replace(recipe, learning_rate=1e-12, momentum=0, weight_decay=0, seed=9)
    still = TrainingLoop(copy.deepcopy(run.model), data, frozen, default_device(), None)
    losses = []
    still.epoch(lambda: losses.append(still.part.losses[still.part.step - 1].item()))
    return losses


jitter = {}
for seed, (steps, run, _) in logs.items():
    logits = predict_logits(run.model, data.train.images, data)
    labels = data.train.labels.to(logits.device)
    one_by_one = F.cross_entropy(logits, labels, reduction="none")
    jitter[f"seed {seed}"] = {
        "predicted": one_by_one.std().item() / math.sqrt(64),
        "weights stand still": np.std(losses_standing_still(run), ddof=1),
        "while it learns": steps["loss"].iloc[-40:].std(),
    }
jitter = pd.DataFrame(jitter).T
still, seen = jitter["weights stand still"].mean(), jitter["while it learns"].mean()
# A standard deviation of 40 values is good to 11 %, the share below to a quarter of
# itself. The prediction takes pictures neither shifted nor mirrored.
assert 0.4 < (still / seen) ** 2 < 2
assert (jitter["while it learns"] / jitter["predicted"]).between(0.5, 2).all()
print(
    f"variance with weights that stand still, of that seen: {(still / seen) ** 2:.0%}"
)
fold_answer(table(jitter))

# %% [markdown]
# The share printed needs no learning at all. To halve the jitter on the display, average four times as many steps; to
# halve it in the *gradient*, take batches four times as large.

# %% [markdown]
# ### Exercise 1 · How large a batch? (easy, 5 minutes)
#
# Write `batch_for_jitter(spread, wanted)`: the smallest batch whose mean loss jitters by at most `wanted`, if the
# losses of single pictures have the standard deviation `spread`.

# %% tags=["nbval-check-output"]
exercises.batch_for_jitter


# %% tags=["solution"]
def batch_for_jitter(spread: float, wanted: float) -> int:
    # solution begin
    return math.ceil((spread / wanted) ** 2)
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.batch_for_jitter.check(batch_for_jitter)

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
            "Known pictures would lift the batches, too. Measured below: do they jump?",
        ),
        Answer(
            "The mean starts anew, without the bad first steps of epoch 1",
            "At the end of epoch 1 the bar still counts its beginning, when the network"
            " knew nothing. The new mean starts with what it knows now.",
            correct=True,
        ),
        Answer(
            "The learning rate is changed there",
            "Here it is constant.",
        ),
    ],
)

# %%
steps = logs[0][0]
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
        f" Within ten steps the bar moves {text}; the mean of 40 steps has no jump.",
    )
)

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# The progress bar draws a saw: each tooth starts where the network is and lags behind it for the rest of the epoch. The
# mean over the last 40 steps, which never starts anew, has no tooth.
#
# </details>
#
# In numbers, over both runs: how far does the bar jump, and how much better were the ten batches after the boundary
# than the ten before it?

# %%
jumps = []
for steps, *_ in logs.values():
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
# jump must be more than that and than real learning, and the largest.
assert jumps.loc[1, "bar"] > 2 * max(abs(jumps.loc[1, "batches"]), 2)
assert jumps["bar"].idxmax() == 1
fold_answer(table(jumps, dict.fromkeys(jumps.columns, "{:+.1f}")))

# %% [markdown]
# The bar jumps most after epoch 1, in which the network learned most. The batches themselves change by what ten steps
# of learning bring, and by chance: two points or so either way. After epochs 2 and 3 the bar's jump may be of that
# size, too. Beware of the same lag when you compare *training* with *test* accuracy: `train_accuracy` is a mean over
# an epoch of weights, and of pictures that are shifted and mirrored; the test is judged at the epoch's end, on
# pictures as they are.

# %% [markdown]
# ### Exercise 2 · Undo the progress bar (medium, 10 minutes)
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
# ### Exercise 3 · Find the bug (easy, 8 minutes)
#
# The last batch of an epoch is often smaller. This function takes how many pictures were right in each batch and how
# many there were, and gives the accuracy of the epoch. It is wrong. Write `epoch_accuracy(right, sizes)`, which is
# right.
#
# ```python
# def accuracy(right, sizes):
#     return sum(hits / size for hits, size in zip(right, sizes)) / len(sizes)
# ```

# %% tags=["nbval-check-output"]
exercises.epoch_accuracy


# %% tags=["solution"]
def epoch_accuracy(right: list[int], sizes: list[int]) -> float:
    # solution begin
    return sum(right) / sum(sizes)
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.epoch_accuracy.check(epoch_accuracy)

# %% [markdown]
# ### A jitter that is not sampling
#
# Now the test accuracy, at the eight looks. All eight see the *same* 2,000 pictures, so hardly any chance of drawing
# is left in their differences; even eight independent draws would scatter by one point only. What do you expect?
#
# Batch norm knows two kinds of statistics. In training it takes mean and variance from the batch. At a test it takes
# a running average of those of the last batches, in PyTorch about ten. At a high rate ten steps change the weights,
# so the average belongs to a network that is gone. If *that* is what scatters, the scatter must vanish when the same
# weights are judged with statistics made anew, from all training pictures. `with_new_statistics` does so on a copy;
# the training itself is not touched.

# %%
scatter = {}
for seed, (*_, looks) in logs.items():
    percent = 100 * looks.float().mean(dim=2)
    share = percent[1].mean().item() / 100
    scatter[f"seed {seed}"] = {
        "running average": percent[0].std().item(),
        "statistics anew": percent[1].std().item(),
        "eight draws of 2,000": 100 * math.sqrt(share * (1 - share) / 2000),
        "worst look": percent[0].min().item(),
        "worst look, anew": percent[1].min().item(),
    }
scatter = pd.DataFrame(scatter).T
# Eight values give a standard deviation to a quarter, and the quotient of two means of
# two to a quarter: at half and less it is not chance.
assert scatter["statistics anew"].mean() < scatter["running average"].mean() / 2
fold_answer(table(scatter, dict.fromkeys(scatter.columns, "{:.1f}")))

# %% [markdown]
# The weights were good all along; what was worse at the bad looks is what batch norm remembered. So before you
# explain a dip in a test curve by the weights, or choose an epoch by its peak: let the rate fall, as a schedule does,
# or make the statistics anew. The eight looks, judged with new statistics, are candidates of nearly one quality. That
# is what the next section needs.

# %% [markdown]
# ## Validation against test
#
# Whoever looks at several curves and takes the best has *chosen*. If the pictures that judged are also the ones that
# chose, the number is flattered: among equally good candidates the luckiest wins. So pictures are parted in three: to
# train, to choose (validation), to judge, once (test).
#
# How large is the flattery? The eight looks into the last epoch, with new statistics, are eight candidates of nearly
# one quality. Draw n of the 2,000 pictures by chance, choose the look that is best on them, and judge it on all the
# others. **Predict** for n = 50: how many points is the accuracy on the choosing pictures above that on the others?


# %%
def flattery(right: np.ndarray, count: int, rng: np.random.Generator) -> float:
    """By how many points choosing on `count` pictures flatters, mean of 500 draws; of a
    single candidate nothing is chosen."""
    gaps = []
    for _ in range(500):
        order = rng.permutation(right.shape[1])
        chosen_on, others = right[:, order[:count]], right[:, order[count:]]
        best = chosen_on.mean(axis=1).argmax()
        gaps.append(100 * (chosen_on[best].mean() - others[best].mean()))
    return float(np.mean(gaps))


counts = (25, 50, 100, 200, 500, 1000)
rng = np.random.default_rng(0)
gaps = {
    f"seed {seed}": pd.Series({n: flattery(looks[1].numpy(), n, rng) for n in counts})
    for seed, (*_, looks) in logs.items()
}

# %%
flattered = pd.DataFrame(gaps).mean(axis=1)
# 500 draws of 25 pictures are good to 0.4 points. Chance falls with the root of n.
assert flattered[25] > flattered[200] > flattered[1000] - 0.1
assert flattered[25] > 3
assert flattered[1000] < 2
# If it were not the choice that flatters, a candidate that nobody chose would gain too.
# So count the candidates: the more, the luckier the best of them.
by_candidates = {
    n: np.mean([flattery(looks[1, :n].numpy(), 25, rng) for *_, looks in logs.values()])
    for n in (1, 2, 8)
}
assert abs(by_candidates[1]) < flattered[25] / 3
assert by_candidates[1] < by_candidates[2] < by_candidates[8]
figure = line_chart(
    gaps,
    xlabel="pictures to choose by",
    ylabel="flattered by, points",
    log="x",
)
text = ", ".join(f"{gap:.1f} points with {n}" for n, gap in flattered.items())
fewer = ", ".join(f"{gap:+.1f} points among {n}" for n, gap in by_candidates.items())
fold_answer(
    figure_html(
        figure,
        f"Flattery of a choice among eight, two runs: {text}. With 25: {fewer}.",
    )
)

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# The fewer pictures choose, the more they flatter, and nothing was learned in between: the same eight candidates,
# judged by others. More candidates flatter more, and one that was not chosen is not flattered: that is the last line
# below the figure. From n = 25 to n = 1,000 the flattery falls from several points to one or so, which is still what
# many tables of results argue about.
#
# </details>
#
# The honest report names the accuracy on the pictures that did *not* choose.

# %% [markdown]
# ### Exercise 4 · Choose, then judge (medium, 10 minutes)
#
# Write `chosen_by_validation(validation, test)`: from the accuracies after each epoch on validation and on test
# pictures, return the epoch to take, counted from 1, and the accuracy to report for it. Of equally good epochs the
# first is taken.

# %% tags=["nbval-check-output"]
exercises.chosen_by_validation


# %% tags=["solution"]
def chosen_by_validation(
    validation: list[float], test: list[float]
) -> tuple[int, float]:
    # solution begin
    place = validation.index(max(validation))
    return place + 1, test[place]
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.chosen_by_validation.check(chosen_by_validation)

# %% [markdown]
# ## What each ingredient was worth
#
# ### A ladder from 88 to 95 %
#
# One step at a time, 100 epochs a rung: so the sources of this course report GoogLeNet on CIFAR-10. What kind of
# source is that? A second-hand one, a list of percentages on small data. We found no publication, no code and no log
# behind it, and it does not tell how many runs stand behind a number. So it cannot be checked, and it is no evidence
# to cite. It is a *guess to test*, and that is how it is used here:

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
# The list adds that without batch norm plain SGD diverged; the first part shows why it may. No number comes with an
# interval, so two rungs 0.03 points apart say nothing of each other. And not every rung is *one* change: rung 3
# changes the stem and the pooling, rung 7 four settings of the training at once. **Before you run on**, look at rungs
# 4, 5 and 7:

# %% tags=["folded", "nbval-check-output"]
Quiz(
    "ladder-sgd",
    "SGD in place of Adam lost 4 points at rung 5; at rung 7 it won 2.4 points against"
    " the same Adam. What does rung 5 say about SGD?",
    [
        Answer("It is worse than Adam", "At rung 7 it is better, on the same network."),
        Answer("It needs a cosine", "Rung 6 has one, and gains 0.75 points of the 4."),
        Answer(
            "Nothing yet: its rate may have been far too small",
            "0.01 against 0.1 with momentum 0.9: the next cells count how much further"
            " that goes, and try it in small.",
            correct=True,
        ),
        Answer("It needs batch norm", "Rung 5 has batch norm already."),
    ],
)

# %% [markdown]
# How far *can* each rung of SGD travel? Count rate × steps. Momentum 0.9 adds a steady gradient up to 1/(1 - 0.9) =
# 10 times its size; half the batch means twice the steps. For rungs 5 and 6 no momentum and no new batch size are
# told: take none, and 256.

# %% tags=["nbval-check-output"]
velocity = 0.0
for _ in range(200):
    velocity = 0.9 * velocity + 1.0  # a steady gradient of 1
assert math.isclose(velocity, 1 / (1 - 0.9), rel_tol=1e-6)
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
# A hundred times as far: ten by the rate, ten by the momentum, two by the batch, and half of that by the cosine. Two
# optimizers have been compared only when *each* has been given its own best rate. Rung 5 compares Adam with one rate
# of SGD.
#
# </details>

# %% [markdown]
# That is arithmetic. Is it also the *cause* that rungs 5 and 6 lag? If so, the rate alone, times ten, must bring a
# good part of what rung 7 mixes with three other changes, and a cosine must cost where the rate is too small. Try
# both on the network above, from the same two first weights; what the table does not name is as there. **Predict**
# the order of the four losses:

# %%
tried = {
    (0.01, 0, "constant"): {},
    (0.01, 0, "cosine"): {},
    (0.1, 0, "constant"): {},
    (0.1, 0.9, "constant"): {
        f"seed {seed}": run.history[-1]["train_loss"]
        for seed, (_, run, _) in logs.items()
    },
}
missing = [key for key, losses in tried.items() if not losses]
with tqdm(total=len(missing) * len(logs) * recipe.epochs, unit="epoch") as bar:
    for rate, momentum, schedule in missing:
        changes = {"learning_rate": rate, "momentum": momentum, "schedule": schedule}
        for seed in logs:
            slow = replace(recipe, seed=seed, **changes)
            start = make_network(recipe_network(), seed)
            run = TrainingLoop(start, data, slow, default_device(), None)
            for _ in range(recipe.epochs):
                run.epoch(lambda: None)
                bar.update()
            losses = tried[rate, momentum, schedule]
            losses[f"seed {seed}"] = run.history[-1]["train_loss"]
tried = pd.DataFrame(
    {
        f"rate {rate}, momentum {m}, {s}": losses
        for (rate, m, s), losses in tried.items()
    }
).T
# The seeds differ by about 0.1; the cosine's cost is small, but of one sign in both.
constant, cosine, larger, momentum = tried.to_numpy()
assert (cosine > constant).all()
assert (larger < constant - 0.4).all()
assert (momentum < larger - 0.2).all()
tried.columns.name = "mean loss of the last epoch"
fold_answer(table(tried, dict.fromkeys(tried.columns, "{:.2f}")))

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# In these 160 steps the rate alone does most of it and the momentum the rest. The cosine costs a little, in both
# runs: it halves the way that weights can go, where the way was too short already. So "its rate was too small" holds
# *here*. In the ladder's 100 epochs, nearly 20,000 steps at rung 5, a cosine may well have helped, as it is told: a
# step belongs to its length of training.
#
# </details>

# %% [markdown]
# ### The ladder, climbed again
#
# The same seven rungs, *recorded*. All that differs from the told ladder: a narrower network, CIFAR-10 pictures
# recompressed as JPEG, a shorter training, and batches a quarter as large. How many pictures, epochs and runs, the
# cell says. The accuracies do not compare with the told ones. The *steps* may: does each lead in the same direction?
# A told step of less than half a point claims no sign; there, a difference within two points counts as the same.

# %% tags=["nbval-check-output"]
record = load_record("cifar_ladder")
by_seed = 100 * record.rows.pivot(index="seed", columns="rung", values="test_accuracy")
climbed, claims = by_seed.mean(), []
scale = record.rows.iloc[0]
print(
    f"{scale['images']:,} pictures, {scale['epochs']} epochs, width {scale['width']:g}"
    f" of GoogLeNet's; runs of each rung: {len(by_seed)}"
)
sizes = record.rows.groupby("rung")[["params", "macs"]].first()
for rung, size in sizes.iterrows():
    print(
        f"rung {rung}: {size['params']:,} parameters, {size['macs'] / 1e6:.1f} M MACs"
    )
for rung in climbed.index[1:]:
    step = ladder["told, %"].diff()[rung]
    measured = paired_difference(by_seed[rung], by_seed[rung - 1])
    judged = {"sign_only": True} if abs(step) > 0.5 else {"margin": 2.0}
    text = f"rung {rung}: {ladder['change'][rung]}, points"
    claims.append(MeanClaim(text, step, measured, **judged))
verdicts = paper_beside_measured(claims, record=record)
verdicts

# %%
epochs = record.rows["epochs"].iloc[0]
both = {"told, 100 epochs": ladder["told, %"], f"recorded, {epochs} epochs": climbed}
figure = line_chart(
    both,
    xlabel="rung",
    ylabel="test accuracy, %",
    styles=dict(zip(both, (PAPER, RECORDED), strict=True)),
)
text = ", ".join(
    f"{name}: {' '.join(f'{value:.1f}' for value in values)}"
    for name, values in both.items()
)
figure_html(figure, f"Accuracy of the seven rungs, told and recorded, %. {text}.")


# %% tags=["nbval-check-output"]
def words_of(claims: list[MeanClaim]) -> str:
    """How many claims agree, disagree and cannot be told, and which lead as told."""
    words = [claim.verdict.word for claim in claims]
    counts = pd.Series(words).value_counts()
    same = sum(claim.paper * claim.measured.mean > 0 for claim in claims)
    told = ", ".join(f"{word}: {count}" for word, count in counts.items())
    return f"{told}. Same sign as told, before any doubt: {same} of {len(words)}."


print(words_of(claims))
order = climbed.sort_values(ascending=False).index
print(f"rungs from the best down: recorded {list(order)},")
print(f"told {list(ladder['told, %'].sort_values(ascending=False).index)}")
error = 100 * math.sqrt(2 * climbed.mean() / 100 * (1 - climbed.mean() / 100) / 8_000)
print(
    "from the test pictures alone, were they drawn anew for each run: a difference has"
    f" a standard error of {error:.1f} points (less on the same ones)"
)

# %% [markdown]
# Read the verdicts first, and the picture after them. Where the table says "cannot tell", a step in the figure is a
# guess that may fit, however long it looks: a single run has no interval, and two have a wide one. And a step, even
# where runs show it, belongs to the rungs below it, to its rate, and to the length of the training.

# %% [markdown]
# ### Exercise 5 · Student's t (harder, 15 minutes)
#
# Runs with the same seed share their first weights and the order of their pictures, so they are compared in pairs.
# Write `paired_t(first, second)`: the mean of the differences first - second, divided by its standard error. The
# standard error of a mean of n numbers is their standard deviation over √n, and the standard deviation of a sample
# divides the sum of squares by n - 1. (An interval of 95 % is the mean ± so many standard errors as Student's table
# says: 12.7 with two runs, 4.3 with three, 2.8 with five.)

# %% tags=["nbval-check-output"]
exercises.paired_t


# %% tags=["solution"]
def paired_t(first: list[float], second: list[float]) -> float:
    # solution begin
    differences = np.array(first) - np.array(second)
    error = differences.std(ddof=1) / math.sqrt(len(differences))
    return float(differences.mean() / error)
    # solution end


# %% tags=["check", "nbval-check-output"]
exercises.paired_t.check(paired_t)

# %% [markdown]
# ### From v2 to v3: two stories of one name
#
# **The paper's** (section 10, table 3): Inception-v3 is v2 with RMSProp, with label smoothing, with the 7×7 of the
# stem factorised into three 3×3, and with *BN-auxiliary*, which normalises the fully connected layer of the auxiliary
# head too, not only its convolution. The table gives the errors of these steps on ImageNet, cumulated, one network
# each. (We have its numbers from a transcription, not from the paper itself.)
#
# **A re-implementation's** (github.com/zjZSTU/GoogLeNet, 2020): there, the code of "Inception_v3" is that of
# "Inception_v2" *without dropout* before its last two layers, and nothing else; both were trained with Adam and with
# label smoothing. On objects cut out of PASCAL VOC its log (docs/log-inception_v2-vs-inception_v3.md) notes 79.44 %
# for v3 and 78.36 % for v2. Dropout is none of the paper's steps. And what is compared is the *best of 100 epochs on
# the test pictures*, one run each. You have just seen what that does, and here it shows: after the last epoch, which
# nobody chose, the same log has 78.62 % and 76.85 %. The choice lifts one number by 0.8 points and the other by 1.5,
# and their difference is 1.1 points or 1.8.
#
# So one name, two changes, and no reason that their numbers should agree. What does each mean here, in small? A record,
# several first weights, differences taken seed by seed. The factorised stem has no place on 32×32 pictures.

# %% tags=["nbval-check-output"]
record = load_record("v2_against_v3")
runs = 100 * record.rows.pivot(index="seed", columns="variant", values="test_accuracy")
runs = runs[list(dict.fromkeys(record.rows["variant"]))]
if "v3 without dropout" not in runs:  # the record's earlier form, with Adam throughout
    runs = runs.rename(columns={"v3": "smoothing, head and no dropout"})
    print(
        "in this record v2's head has no batch norm; 'batch norm in the head' puts it"
        " on both its layers, which is not table 3's step"
    )
scale = record.rows.iloc[0]
print(f"{scale['images']:,} pictures, {scale['epochs']} epochs, {len(runs)} runs each")
sizes = record.rows.groupby("variant")["params"].first()
print(f"parameters: {sizes.min():,} to {sizes.max():,}; MACs the same in all")
assert record.rows["macs"].nunique() == 1
rows = {"v2": {"accuracy, %": f"{runs['v2'].mean():.2f}"}}
for variant in runs.columns.drop("v2"):
    measured = paired_difference(runs[variant], runs["v2"])
    low, high = measured.interval
    rows[variant] = {
        "accuracy, %": f"{runs[variant].mean():.2f}",
        "against v2": f"{measured.mean:+.2f}",
        "95 % interval": f"{low:+.2f} to {high:+.2f}",
        "differs from v2?": "yes" if measured.shown is not None else "cannot tell",
    }
chance = 1 - 0.95 ** (len(rows) - 1)
print(f"if all were equal to v2, up to {chance:.0%} of such tables would hold a yes")
table(pd.DataFrame(rows).T.fillna(""), record=record)

# %% tags=["nbval-check-output"]
# Points of top-1 error between neighbours of table 3 (v3 paper), and the step of the
# re-implementation. An earlier form of the record has other variants, so what is there
# is compared. A step's size belongs to its network, pictures and epochs: its sign is
# judged.
table_3 = [23.4, 23.1, 22.8, 21.6, 21.2]
steps = dict(
    zip(["RMSProp", "smoothing", "7×7", "BN-auxiliary"], -np.diff(table_3), strict=True)
)
told = {
    "v2 + RMSProp": ("RMSProp (table 3), points", steps["RMSProp"]),
    "v2 + label smoothing": ("label smoothing (table 3), points", steps["smoothing"]),
    "v2 + BN-auxiliary": ("BN-auxiliary (table 3), points", steps["BN-auxiliary"]),
    "v2 without dropout": ("no dropout (zjZSTU/GoogLeNet, VOC), points", 79.44 - 78.36),
}
claims = [
    MeanClaim(
        claim, points, paired_difference(runs[variant], runs["v2"]), sign_only=True
    )
    for variant, (claim, points) in told.items()
    if variant in runs
]
paper_beside_measured(claims, record=record)

# %% tags=["nbval-check-output"]
print(words_of(claims))
others = runs.columns.drop("v2")
gains = {name: paired_difference(runs[name], runs["v2"]) for name in others}
named = {
    True: [name for name, gain in gains.items() if gain.shown is not None],
    False: [name for name, gain in gains.items() if gain.shown is None],
}
print(f"differ from v2 beyond chance: {', '.join(named[True]) or 'none'}")
print(
    f"cannot be told from v2 with {len(runs)} runs: {', '.join(named[False]) or 'none'}"
)

# %% [markdown]
# How to read these lines. Only what stands in the first list differs from v2 *in this record*, and even there a "yes"
# may be chance: who makes many comparisons is choosing again. What stands in the second may differ, and too few runs
# looked. And a difference that has the size of the told one need not have its cause. Where a network without dropout
# is ahead after few epochs, a likely reason is that dropout hides half of the last features from a network that has
# hardly begun to learn. What would refute it: a training long enough to overfit, in which the network with dropout
# were still behind. This record does not hold one, so it stays a guess. **Only a change made alone tells what it
# does**, and only there where it was made.
#
# On label smoothing the paper itself gives two numbers: about 0.2 points in the text of section 7, and 23.1 to 22.8
# %, so 0.3, in table 3. The table is cumulated and rounds to a tenth; the lesson on label smoothing,
# `05_label_smoothing`, uses the 0.2 of the text. Whether runs as few as these could show so little, the interval in
# the first table says: half its width is the smallest step that they tell from none.

# %% [markdown]
# ### Exercise 6 · Plan a fair comparison · open (harder, 15 minutes)
#
# Is SGD better than Adam? Plan the runs that could tell. `fair_comparison` is a list of `Recipe` values, at most 40.
# Each optimizer must be able to show its own best rate, so each has at least three, the highest at least ten times
# the lowest. Every rate has the same seeds, at least three. Nothing but `optimizer`, `learning_rate` and `seed`
# differs. All else is yours. (One thing a check of the plan cannot see: when the runs are done, the best rate must
# not be the lowest or the highest that was tried, and the pictures that choose it must not judge.)

# %% tags=["nbval-check-output"]
exercises.fair_comparison


# %% tags=["solution"]
# solution begin
fair_comparison = [
    Recipe(epochs=8, optimizer=optimizer, learning_rate=rate, seed=seed)
    for optimizer, rates in {
        "sgd": (0.03, 0.1, 0.3),
        "adam": (1e-4, 1e-3, 1e-2),
    }.items()
    for rate in rates
    for seed in range(3)
]
# solution end

# %% tags=["check", "nbval-check-output"]
exercises.fair_comparison.check(fair_comparison)

# %% [markdown]
# ### Twenty minutes each
#
# Last, everything together. *textbook* is the reduced GoogLeNet of a university's tutorial (P. Lippe, *UvA Deep
# Learning Tutorials*, tutorial 5) in a plain loop: PyTorch as it comes, float32, Adam at 0.001, batches of 128 whose
# pictures are cropped and mirrored one by one. *quick* is this course's small network with the recipe `quick`. Both
# train on one machine, for the same time by the clock. The question is not how many epochs, but **what to do with
# twenty minutes**. That is longer than a lesson, so it was *recorded*. Accuracy along the way is that on held-out
# training pictures; the test pictures were looked at once, at the end.

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

# %% tags=["nbval-check-output"]
seen = finals["images"]
print(
    f"pictures seen, quick over textbook: {seen['quick'] / seen['textbook']:.0f} times"
)
loop = speed["quick"] / speed["textbook"]
network = finals.loc["textbook", "macs"] / finals.loc["quick", "macs"]
print(f"of which fewer MACs, if time went with them, would explain {network:.1f}")

# %% [markdown]
# Where do the points come from? First, from *pictures*: the network multiplies less, and the loop has bfloat16, a
# memory layout that suits the processor, and whole batches cropped and mirrored at once instead of one by one.
# **Predict** which of the two has the larger part. To tell them apart each network has to run in each loop, which is
# recorded, too: on another machine and on one core, so that only quotients carry over.

# %% tags=["nbval-check-output"]
record = load_record("network_or_loop")
taken = record.rows.pivot_table(
    index="network", columns="loop", values="cpu_seconds", aggfunc="median"
).loc[["textbook", "quick"], ["plain", "course"]]
taken["loop's part"] = taken["plain"] / taken["course"]
taken.loc["network's part"] = taken.loc["textbook"] / taken.loc["quick"]
plain = record.rows[record.rows["loop"] == "plain"].groupby("network")
loading = plain["loading_cpu_seconds"].median() / plain["cpu_seconds"].median()
print(
    f"both at once: {taken.loc['textbook', 'plain'] / taken.loc['quick', 'course']:.0f}"
)
for name, share in loading.items():
    print(
        f"cropping, mirroring one by one, share of the plain loop: {name} {share:.0%}"
    )
texts = taken.map("{:.2f}".format)
texts.loc["network's part", "loop's part"] = ""
table(texts, record=record)

# %% [markdown]
# CPU seconds for as many pictures; each *part* is a quotient. The network's part is the larger one, in either loop,
# and larger than the quotient of MACs. A likely reason: its modules have fewer and wider layers, so fewer passes over
# memory for each multiplication. A textbook network of the same MACs in fewer layers would test that. And what looks
# slowest in the code, one picture after the other, is next to nothing of the textbook's time. Guessing where time
# goes is a poor way to find out.
#
# Second, the points come from what is learned of *each* picture: the lines above hold both after as many of them.
# There, network, rate and average of weights differ all at once, and one run each cannot tell these apart. Nor does
# the race say which network is the better one: the tutorial reports 89.70 % for its own after 180 epochs, on the
# pictures as they were published.
#
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
# Of two accuracies on 8,000 pictures each; on the same pictures it is less.
error = 100 * math.sqrt(2 * end * (1 - end) / 8_000)
gained = 100 * (end - race_end["test_accuracy"])
print(
    f"standard error of such a difference, from the test pictures alone: {error:.1f}"
    f" points; {gained / error:.1f} times that were gained"
)
record

# %% [markdown]
# A single run each: the error printed is that of the test pictures, were they drawn anew, and first weights come on
# top. So the gain is a guess with a likely sign. Whether the next eleven epochs would bring less than these, a third
# run would have to tell: the flat end of the race's curve does not, as there the rate goes to zero. What sets the
# limit now, the parameters, the recipe or the pictures, this run does not tell either; each would have to be changed
# alone.
#
# ## Recap
#
# - Jitter in a loss curve is mostly sampling. Jumps at the start of an epoch are the display's. Dips of a test curve at
#   a high rate may be batch norm's memory. None of them is learning.
# - Who chooses by some pictures must be judged by others; the fewer chose, the more they flatter.
# - Two trainings are compared by pairs of seeds and an interval. "Cannot tell" is an answer, and says how many runs
#   would.
# - Two optimizers are compared only when each has its own best rate, found between others that were tried.
# - A name is not a change: "v3" meant four steps in the paper, and one other step in a re-implementation.
#
# Where to go on: two ingredients of the recipe have lessons of their own, `04_auxiliary_classifiers` and
# `05_label_smoothing`.

# %% [markdown] tags=["navigation"]
# ---
# Before: [Training recipes](07_training_recipes.ipynb) ·
# [All lessons](00_start.ipynb)
