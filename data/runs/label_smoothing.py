"""Records what label smoothing does to a small network, early and late in its training, with true and wrong labels.

    python data/runs/label_smoothing.py [--seeds 5]

Writes data/runs/label_smoothing.json after each run; started again, it goes on after the last one written.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_calibration_error

from course_lib import datasets
from course_lib.architecture import Node, avg_pool, branches, build, conv, global_avg_pool, linear, merge
from course_lib.datasets import ImageData, Split
from course_lib.reporting.records import Record, RecordError, load_record, save_record, this_machine
from course_lib.training import Recipe, default_device, fit, has_bf16, predict_logits

NAME = "label_smoothing"
TRAINING_IMAGES = 700
SETTINGS = [(0.0, epsilon) for epsilon in (0.0, 0.05, 0.1, 0.2, 0.3)]
SETTINGS += [(0.4, epsilon) for epsilon in (0.0, 0.1, 0.3)]
"""Share of the training labels drawn anew, and epsilon."""
PLAIN = Recipe(optimizer="adam", batch_size=32, weight_decay=0, warmup_epochs=0, pad=0, flip=False)
STAGES = {
    "early": replace(PLAIN, epochs=10, learning_rate=1e-2, schedule="linear"),
    "late": replace(PLAIN, epochs=9, learning_rate=3e-3, schedule="constant"),
}


def network() -> Node:
    """The lesson's network."""
    block = branches(
        conv(32, 1), conv(32, 1) >> conv(32, 3), conv(32, 1) >> conv(32, 3) >> conv(32, 3), avg_pool(3) >> conv(32, 1)
    )
    stem = conv(32, 3, stride=2) >> conv(64, 3, stride=2)
    return stem >> block >> global_avg_pool() >> linear(10)


def careless(data: ImageData, share: float, seed: int) -> ImageData:
    """The data with this share of the training labels drawn anew from all classes."""
    generator = torch.Generator().manual_seed(seed)
    labels, count = data.train.labels, len(data.classes)
    drawn = torch.randint(count, labels.shape, generator=generator)
    changed = torch.rand(labels.shape, generator=generator) < share
    return replace(data, train=Split(data.train.images, torch.where(changed, drawn, labels)))


def judge(model: nn.Module, few: ImageData, data: ImageData) -> dict[str, float]:
    """Logit gap and accuracy on the training images and labels, accuracy, loss and calibration on all test images."""
    logits, labels = predict_logits(model, few.train.images, few), few.train.labels
    test, truth = predict_logits(model, data.test.images, few), data.test.labels
    ece = multiclass_calibration_error(test.double().softmax(1), truth, len(data.classes), n_bins=15)
    return {
        "train_accuracy": round(accuracy(logits, labels), 4),
        "train_gap": round(gap(logits, labels), 3),
        "test_accuracy": round(accuracy(test, truth), 4),
        "test_loss": round(F.cross_entropy(test, truth).item(), 4),
        "test_ece": round(ece.item(), 4),
    }


def accuracy(logits: Tensor, labels: Tensor) -> float:
    return (logits.argmax(1) == labels).double().mean().item()


def gap(logits: Tensor, labels: Tensor) -> float:
    """Mean over the images of the label's logit minus the mean of the others."""
    own = logits.gather(1, labels[:, None]).squeeze(1)
    return (own - (logits.sum(1) - own) / (logits.shape[1] - 1)).mean().item()


def run(noise: float, epsilon: float, seed: int, data: ImageData) -> list[dict[str, float | str]]:
    """One network through both stages: a row after each."""
    few = careless(data.subset(train=TRAINING_IMAGES, test=100), noise, seed)
    torch.manual_seed(seed)
    model = build(merge(network()), 1)
    rows = []
    for stage, recipe in STAGES.items():
        fit(model, few, replace(recipe, label_smoothing=epsilon, seed=seed), progress=False)
        rows.append({"stage": stage, "noise": noise, "epsilon": epsilon, "seed": seed, **judge(model, few, data)})
    return rows


def recorded() -> list[dict[str, float | str]]:
    """The rows that an interrupted recording left."""
    try:
        return load_record(NAME).rows.to_dict("records")
    except RecordError:
        return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="runs of each setting (default 5)")
    options = parser.parse_args()
    data, device = datasets.load("fashion_mnist"), default_device()
    machine = this_machine(device.type, has_bf16(device), torch.get_num_threads())
    images = f"{TRAINING_IMAGES:,} of the embedded Fashion-MNIST training images and all 2,000 test images"
    rows = recorded()
    done = {(row["noise"], row["epsilon"], row["seed"]) for row in rows}
    for seed in range(options.seeds):
        for noise, epsilon in SETTINGS:
            if (noise, epsilon, seed) not in done:
                rows += run(noise, epsilon, seed, data)
                command = f"python data/runs/{NAME}.py --seeds {options.seeds}"
                save_record(NAME, Record(command, images, machine, pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
