"""Records what four ways to halve a grid cost in accuracy: at equal width, with one thing changed that differs besides
the way, and when the saving buys further layers.

    python data/runs/grid_reduction.py [--seeds 3] [--epochs 4] [--tiny]

An interrupted recording goes on where it stopped.
"""

from __future__ import annotations

from itertools import product

import torch
from recording import Recording, fashion_images, read_options

from course_lib.architecture import build, total
from course_lib.experiments.grid_reduction import WAYS, reduction_network
from course_lib.training import Recipe, fit

NAME = "grid_reduction"
CHANGES = {
    "": {},
    "as many parameters": {"width": 22},
    "average pool": {"pool": "average"},
    "first window 9": {"stem": 9},
    "further layers": {"further": 3},
}
NETWORKS = (
    *((way, "") for way in WAYS),
    ("parallel", "as many parameters"),
    ("pool_conv", "average pool"),
    ("strided", "first window 9"),
    ("pool_conv", "further layers"),
    ("parallel", "further layers"),
)
"""Each way and what is changed in its network, a key of `CHANGES`."""


def main(arguments: list[str] | None = None) -> None:
    options = read_options(__doc__, arguments, {"seeds": 1, "epochs": 1}, data=False, seeds=3, epochs=4)
    data = fashion_images(options)
    images = f"the embedded Fashion-MNIST images, {len(data.train):,} to train and {len(data.test):,} to test"
    recording = Recording(NAME, options, images)
    keys = [
        {"way": way, "change": change, "epochs": options.epochs, "seed": seed}
        for seed, (way, change) in product(range(options.seeds), NETWORKS)
    ]
    for run in recording.missing(keys):
        value, seed = reduction_network(run.key["way"], **CHANGES[run.key["change"]]), run.key["seed"]
        size = total(value, (1, 28, 28))
        torch.manual_seed(seed)
        recipe = Recipe(epochs=options.epochs, seed=seed)
        last = fit(build(value, 1), data, recipe, progress=False, checkpoints=run.checkpoints).iloc[-1]
        outcome = {"test_accuracy": round(last.test_accuracy, 4), "test_loss": round(last.test_loss, 4)}
        recording.add(run, {"params": size.params, "macs": size.macs, **outcome})


if __name__ == "__main__":
    main()
