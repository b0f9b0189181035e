"""Records what one hour of training can do on the machine's cores: the course's Inception-form network on CIFAR-10.

    python data/runs/one_hour.py --data FOLDER [--minutes 60] [--seeds 1] [--tiny]

The recipe was chosen on held-out training images (one_hour_changes.py); here all training images train. How many epochs
fit is found by a few timed steps, which are on the clock. The test images are judged once, when the time is up:
`test_accuracy` as they are, `mirrored` and `six_views` with logits averaged over mirrored and moved images. Run it on a
quiet machine; an interrupted run starts again.
"""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from cifar import describe_images, load_all_images
from recording import Recording, Row, read_options

from course_lib.datasets import ImageData, Split
from course_lib.experiments.one_hour import HourRecipe, hour_logits, make_hour_network, parameters, train_hour

NAME = "one_hour"
RECIPE = HourRecipe()
MARGIN = 0.97  # of the time that is left, as speed varies
TIMED_IMAGES = 2560
VIEWS = {"test_accuracy": 1, "mirrored": 2, "six_views": 6}


def seconds_of_an_image(size: int, data: ImageData) -> float:
    """What training on an image of this size takes, after a few steps to warm up."""
    few = replace(data, train=data.train.take(torch.arange(min(TIMED_IMAGES, len(data.train)))))
    recipe = replace(RECIPE, epochs=2, small=size, small_share=1.0)
    spent: list[float] = []
    train_hour(make_hour_network(few, recipe, 0), few, recipe, 0, lambda _, seconds: spent.append(seconds))
    return (spent[1] - spent[0]) / len(few.train)


def epochs_within(seconds: float, data: ImageData) -> int:
    """How many epochs of the recipe fit, some of them on small images."""
    small, full = (seconds_of_an_image(size, data) * len(data.train) for size in (RECIPE.small, 32))
    mean = RECIPE.small_share * small + (1 - RECIPE.small_share) * full
    return max(1, int(MARGIN * seconds / mean))


def measure(minutes: float, seed: int, data: ImageData, test: Split) -> Row:
    """Train for so long and judge on the test images."""
    started = time.perf_counter()
    epochs = epochs_within(60 * minutes, data)
    recipe = replace(RECIPE, epochs=epochs)
    model = make_hour_network(data, recipe, seed)
    before = time.perf_counter() - started
    print(f"{epochs} epochs, {parameters(model):,} parameters", flush=True)
    seconds = before + train_hour(
        model, data, recipe, seed, lambda done, spent: print(f"epoch {done}: {before + spent:,.0f} s", flush=True)
    )
    right = {
        name: (hour_logits(model, test.images, data, views=views).argmax(1) == test.labels).float().mean().item()
        for name, views in VIEWS.items()
    }
    accuracies = {name: round(share, 4) for name, share in right.items()}
    return {"params": parameters(model), "epochs": epochs, "seconds": round(seconds, 1), **accuracies}


def main(arguments: list[str] | None = None) -> None:
    options = read_options(__doc__, arguments, {"minutes": 0.01}, minutes=60.0, seeds=1)
    data, test = load_all_images(options, None)
    recording = Recording(NAME, options, describe_images(data, test, held_out=False))
    for run in recording.missing([{"minutes": options.minutes, "seed": seed} for seed in range(options.seeds)]):
        recording.add(run, measure(options.minutes, run.key["seed"], data, test))


if __name__ == "__main__":
    main()
