"""Records what label smoothing does to a small network, early and late in its training, with true and wrong labels.

    python data/runs/label_smoothing.py [--seeds 5] [--tiny]

An interrupted recording goes on where it stopped.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from fashion import fashion_images
from recording import Recording, Row, read_options
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_calibration_error

from course_lib.architecture import build, merge
from course_lib.datasets import ImageData
from course_lib.experiments.label_smoothing import (
    STAGES,
    careless_labels,
    few_images,
    logit_gap,
    smoothing_network,
)
from course_lib.training import fit, predict_logits

NAME = "label_smoothing"
SETTINGS = [(0.0, epsilon) for epsilon in (0.0, 0.05, 0.1, 0.2, 0.3)]
SETTINGS += [(0.4, epsilon) for epsilon in (0.0, 0.1, 0.3)]
"""Share of the training labels drawn anew, and epsilon."""


def describe_few(data: ImageData) -> str:
    """What the records of this lesson say of their pictures."""
    training = len(few_images(data).train)
    return f"{training:,} of the embedded Fashion-MNIST training images and all {len(data.test):,} test images"


def judge(model: nn.Module, few: ImageData, data: ImageData) -> Row:
    """Logit gap and accuracy on the training images and labels, accuracy, loss and calibration on all test images."""
    logits, labels = predict_logits(model, few.train.images, few), few.train.labels
    test, truth = predict_logits(model, data.test.images, few), data.test.labels
    ece = multiclass_calibration_error(test.double().softmax(1), truth, len(data.classes), n_bins=15)
    return {
        "train_accuracy": round(accuracy(logits, labels), 4),
        "train_gap": round(logit_gap(logits, labels), 3),
        "test_accuracy": round(accuracy(test, truth), 4),
        "test_loss": round(F.cross_entropy(test, truth).item(), 4),
        "test_ece": round(ece.item(), 4),
    }


def accuracy(logits: Tensor, labels: Tensor) -> float:
    return (logits.argmax(1) == labels).double().mean().item()


def train(noise: float, epsilon: float, seed: int, data: ImageData) -> list[Row]:
    """One network through both stages: a row after each."""
    few = careless_labels(few_images(data), noise, seed)
    torch.manual_seed(seed)
    model = build(merge(smoothing_network()), 1)
    rows = []
    for stage, recipe in STAGES.items():
        fit(model, few, replace(recipe, label_smoothing=epsilon, seed=seed), progress=False)
        rows.append({"stage": stage, **judge(model, few, data)})
    return rows


def main(arguments: list[str] | None = None) -> None:
    options = read_options(__doc__, arguments, {"seeds": 1}, data=False, seeds=5)
    data = fashion_images(options)
    recording = Recording(NAME, options, describe_few(data))
    keys = [
        {"noise": noise, "epsilon": epsilon, "seed": seed}
        for seed in range(options.seeds)
        for noise, epsilon in SETTINGS
    ]
    for run in recording.missing(keys):
        recording.add(run, *train(**run.key, data=data))


if __name__ == "__main__":
    main()
