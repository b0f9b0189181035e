"""Records what a small network learns from a large one's probabilities, if that one was trained with label smoothing.

    python data/runs/label_smoothing_teachers.py [--seeds 5] [--tiny]

A teacher is the lesson's network. A student is a narrower one that sees no label of its own: its
targets are the teacher's softmax(logits / T), as they are or with all but the highest probability levelled. For
comparison the same student learns the labels. An interrupted recording goes on where it stopped.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from fashion import fashion_images
from label_smoothing import accuracy, describe_few
from recording import Recording, Row, read_options
from torch import Tensor, nn

from course_lib.architecture import build, merge
from course_lib.datasets import ImageData
from course_lib.experiments.label_smoothing import (
    STUDENT,
    TEACHER,
    few_images,
    level_wrong,
    smoothing_network,
    student_network,
    targets_loss,
    train_with,
)
from course_lib.training import fit, predict_logits

NAME = "label_smoothing_teachers"
EPSILONS = (0.0, 0.1, 0.3)
TEMPERATURES = (1.0, 4.0)


def targets_of(few: ImageData, logits: Tensor) -> dict[tuple[str, float], Tensor]:
    """What the students learn, by name and temperature, each (N, K)."""
    named = {}
    for temperature in TEMPERATURES:
        softened = (logits / temperature).softmax(1)
        named["teacher", temperature] = softened
        named["teacher, wrong classes levelled", temperature] = level_wrong(softened)
    return named


def student_accuracy(targets: Tensor, temperature: float, seed: int, few: ImageData, data: ImageData) -> float:
    """Accuracy on all test images of one student, its first weights and order by the seed."""
    torch.manual_seed(seed)
    student = build(merge(student_network()), 1)
    loss = targets_loss(targets, temperature)
    train_with(loss, student, few.train.images, few, replace(STUDENT, seed=seed))
    return test_accuracy(student, few, data)


def test_accuracy(model: nn.Module, few: ImageData, data: ImageData) -> float:
    return round(accuracy(predict_logits(model, data.test.images, few), data.test.labels), 4)


def teach(epsilon: float, seed: int, data: ImageData) -> list[Row]:
    """One teacher and all its students."""
    few = few_images(data)
    torch.manual_seed(seed)
    teacher = build(merge(smoothing_network()), 1)
    fit(teacher, few, replace(TEACHER, label_smoothing=epsilon, seed=seed), progress=False)
    own = test_accuracy(teacher, few, data)
    logits = predict_logits(teacher, few.train.images, few)
    rows = []
    for (targets, temperature), values in targets_of(few, logits).items():
        reached = student_accuracy(values, temperature, seed, few, data)
        rows.append({"targets": targets, "temperature": temperature, "teacher": own, "test_accuracy": reached})
    return rows


def learn_labels(epsilon: float, seed: int, data: ImageData) -> Row:
    """A student without a teacher: the labels, smoothed by epsilon."""
    few = few_images(data)
    count = len(data.classes)
    targets = (1 - epsilon) * F.one_hot(few.train.labels, count).float() + epsilon / count
    reached = student_accuracy(targets, 1.0, seed, few, data)
    return {"targets": "labels", "temperature": 1.0, "teacher": None, "test_accuracy": reached}


def main(arguments: list[str] | None = None) -> None:
    options = read_options(__doc__, arguments, {"seeds": 1}, data=False, seeds=5)
    data = fashion_images(options)
    recording = Recording(NAME, options, describe_few(data))
    keys = [{"epsilon": epsilon, "seed": seed} for seed in range(options.seeds) for epsilon in EPSILONS]
    for run in recording.missing(keys):
        recording.add(run, learn_labels(**run.key, data=data), *teach(**run.key, data=data))


if __name__ == "__main__":
    main()
