"""Records what four ways to halve a grid cost in accuracy: at equal width, with one thing changed that differs besides
the way, and when the saving buys further layers.

    python data/runs/grid_reduction.py [--seeds 3] [--epochs 4] [--tiny]

An interrupted recording goes on where it stopped.
"""

from __future__ import annotations

from itertools import product

from fashion import describe_fashion, fashion_images, sizes, train
from recording import Recording, read_options

from course_lib.experiments.grid_reduction import WAYS, reduction_network
from course_lib.training import Recipe

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
    recording = Recording(NAME, options, describe_fashion(data))
    keys = [
        {"way": way, "change": change, "epochs": options.epochs, "seed": seed}
        for seed, (way, change) in product(range(options.seeds), NETWORKS)
    ]
    for run in recording.missing(keys):
        value, seed = reduction_network(run.key["way"], **CHANGES[run.key["change"]]), run.key["seed"]
        recipe = Recipe(epochs=options.epochs, seed=seed)
        recording.add(run, {**sizes(value), **train(value, data, recipe, run)})


if __name__ == "__main__":
    main()
