"""Records what three 7x7 convolutions and their replacements reach, in the classifiers that the lesson trains.

    python data/runs/factorized_layers.py [--seeds 10] [--epochs 3] [--images 5000] [--tiny]

An interrupted recording goes on where it stopped.
"""

from __future__ import annotations

from itertools import product

import torch
from recording import Recording, fashion_images, read_options

from course_lib.architecture import build, total
from course_lib.experiments.factorized_layers import replacements
from course_lib.training import Recipe, fit

NAME = "factorized_layers"


def main(arguments: list[str] | None = None) -> None:
    tiny = {"seeds": 1, "epochs": 1, "images": 40}
    options = read_options(__doc__, arguments, tiny, data=False, seeds=10, epochs=3, images=5000)
    data = fashion_images(options).subset(train=options.images)
    images = f"the embedded Fashion-MNIST images, {len(data.train):,} to train and {len(data.test):,} to test"
    recording = Recording(NAME, options, images)
    networks = replacements()
    keys = [
        {"network": name, "images": options.images, "epochs": options.epochs, "seed": seed}
        for seed, name in product(range(options.seeds), networks)
    ]
    for run in recording.missing(keys):
        value, seed = networks[run.key["network"]], run.key["seed"]
        size = total(value, (1, 28, 28))
        torch.manual_seed(seed)
        recipe = Recipe(epochs=options.epochs, seed=seed)
        last = fit(build(value, 1), data, recipe, progress=False, checkpoints=run.checkpoints).iloc[-1]
        outcome = {"test_accuracy": round(last.test_accuracy, 4), "test_loss": round(last.test_loss, 4)}
        recording.add(run, {"params": size.params, "macs": size.macs, **outcome})


if __name__ == "__main__":
    main()
