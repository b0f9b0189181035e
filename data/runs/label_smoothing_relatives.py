"""Records the confidence penalty and mixup, each restraining as much as the label smoothing in `label_smoothing`.

    python data/runs/label_smoothing_relatives.py [--seeds 5] [--tiny]

The weight of the penalty is the one at which a single image's logits come to rest where smoothing lets them rest;
mixup's alpha, one of its authors' own, gives away a tenth of a label on average. All else, first weights and order of
the images included, is as in that record. An interrupted recording goes on where it stopped.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from fashion import fashion_images
from label_smoothing import describe_few, judge
from recording import Recording, Row, read_options

from course_lib.architecture import build, merge
from course_lib.datasets import ImageData
from course_lib.experiments.label_smoothing import (
    STAGES,
    StepLoss,
    equal_penalty,
    few_images,
    mixup_loss,
    penalized,
    smoothing_network,
    train_with,
)

NAME = "label_smoothing_relatives"
EPSILON, ALPHA = 0.1, 0.2
WAYS = ("confidence penalty", "mixup")


def loss_of(way: str, few: ImageData, seed: int) -> StepLoss:
    """The loss of one way, on these training images."""
    labels, count = few.train.labels, len(few.classes)
    if way == "mixup":
        return mixup_loss(F.one_hot(labels, count).float(), ALPHA, seed)
    weight = equal_penalty(EPSILON, count)
    return lambda model, images, places: penalized(model(images).float(), labels[places], weight)


def train(way: str, seed: int, data: ImageData) -> Row:
    """One network through both stages, judged at the end."""
    few = few_images(data)
    torch.manual_seed(seed)
    model = build(merge(smoothing_network()), 1)
    loss = loss_of(way, few, seed)
    for recipe in STAGES.values():
        train_with(loss, model, few.train.images, few, replace(recipe, seed=seed))
    return judge(model, few, data)


def main(arguments: list[str] | None = None) -> None:
    options = read_options(__doc__, arguments, {"seeds": 1}, data=False, seeds=5)
    data = fashion_images(options)
    recording = Recording(NAME, options, describe_few(data))
    keys = [{"way": way, "seed": seed} for seed in range(options.seeds) for way in WAYS]
    for run in recording.missing(keys):
        recording.add(run, train(**run.key, data=data))


if __name__ == "__main__":
    main()
