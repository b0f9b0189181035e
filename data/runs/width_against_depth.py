"""Records one budget of multiplications spent four ways: 36, 9, 4 or 1 layers, each as wide as the budget allows.

    python data/runs/width_against_depth.py [--images 2500] [--epochs 4] [--seeds 3] [--tiny]

Deep networks want other learning rates than shallow ones, so each form is trained with each of three rates, and a
lesson takes the best of each form. An interrupted recording goes on where it stopped.
"""

from __future__ import annotations

from itertools import product

import torch
from recording import Recording, fashion_images, read_options

from course_lib.architecture import build, total
from course_lib.experiments.width_and_depth import SHAPES, budget_network
from course_lib.training import Recipe, fit

NAME = "width_against_depth"
RATES = (0.03, 0.1, 0.3)
TINY = {"images": 40, "epochs": 1, "seeds": 1}


def main(arguments: list[str] | None = None) -> None:
    options = read_options(__doc__, arguments, TINY, data=False, images=2500, epochs=4, seeds=3)
    data = fashion_images(options)
    data = data.subset(train=min(options.images, len(data.train)))
    images = f"the embedded Fashion-MNIST images, {len(data.train):,} to train and {len(data.test):,} to test"
    recording = Recording(NAME, options, images)
    keys = [
        {"depth": depth, "learning_rate": rate, "images": len(data.train), "epochs": options.epochs, "seed": seed}
        for seed, depth, rate in product(range(options.seeds), SHAPES, RATES)
    ]
    for run in recording.missing(keys):
        value, seed = budget_network(run.key["depth"]), run.key["seed"]
        size = total(value, (1, 28, 28))
        torch.manual_seed(seed)
        recipe = Recipe(epochs=options.epochs, learning_rate=run.key["learning_rate"], seed=seed)
        last = fit(build(value, 1), data, recipe, progress=False, checkpoints=run.checkpoints).iloc[-1]
        outcome = {
            "train_loss": round(last.train_loss, 4),
            "test_accuracy": round(last.test_accuracy, 4),
            "test_loss": round(last.test_loss, 4),
        }
        recording.add(run, {"width": SHAPES[run.key["depth"]], "params": size.params, "macs": size.macs, **outcome})


if __name__ == "__main__":
    main()
