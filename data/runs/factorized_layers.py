"""Records what three 7x7 convolutions and their replacements reach, in the classifiers that the lesson trains.

    python data/runs/factorized_layers.py [--seeds 10] [--epochs 3] [--images 5000] [--tiny]

An interrupted recording goes on where it stopped.
"""

from __future__ import annotations

from itertools import product

from fashion import describe_fashion, fashion_images, sizes, train
from recording import Recording, read_options

from course_lib.experiments.factorized_layers import replacements
from course_lib.training import Recipe

NAME = "factorized_layers"


def main(arguments: list[str] | None = None) -> None:
    tiny = {"seeds": 1, "epochs": 1, "images": 40}
    options = read_options(__doc__, arguments, tiny, data=False, seeds=10, epochs=3, images=5000)
    data = fashion_images(options).subset(train=options.images)
    recording = Recording(NAME, options, describe_fashion(data))
    networks = replacements()
    keys = [
        {"network": name, "images": options.images, "epochs": options.epochs, "seed": seed}
        for seed, name in product(range(options.seeds), networks)
    ]
    for run in recording.missing(keys):
        value, seed = networks[run.key["network"]], run.key["seed"]
        recipe = Recipe(epochs=options.epochs, seed=seed)
        recording.add(run, {**sizes(value), **train(value, data, recipe, run)})


if __name__ == "__main__":
    main()
