"""Records plain SGD with and without batch normalisation over learning rates: where it trains and where it explodes.

    python data/runs/sgd_without_bn.py --data FOLDER [--images 2000] [--epochs 2] [--seeds 1] [--tiny]

The network is the ladder's with the 7x7 stem and an eighth of the width, initialised after He et al. in both forms; SGD
has no momentum, no weight decay and a constant learning rate. A run has diverged if its loss became infinite or NaN: it
has then no loss and no accuracy. An interrupted recording goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from cifar import describe_images, load_few_images, make_model, train
from cifar_ladder import PLAIN_SGD, network
from recording import Recording, Row, read_options

from course_lib.training import DivergedError

NAME = "sgd_without_bn"
LEARNING_RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
RECIPE = replace(PLAIN_SGD, batch_size=32)
VALUES = {batch_norm: network(cifar_stem=False, norm=batch_norm, width=1 / 8) for batch_norm in (True, False)}


def keys(images: int, epochs: int, seeds: int) -> Iterator[Row]:
    for seed, learning_rate, batch_norm in product(range(seeds), LEARNING_RATES, VALUES):
        settings = {"images": images, "epochs": epochs}
        yield {"batch_norm": batch_norm, "learning_rate": learning_rate, **settings, "seed": seed}


def main(arguments: list[str] | None = None) -> None:
    tiny = {"images": 20, "epochs": 1, "seeds": 1}
    options = read_options(__doc__, arguments, tiny, images=2000, epochs=2, seeds=1)
    data, test = load_few_images(options, options.images)
    recording = Recording(NAME, options, describe_images(data, test))
    for run in recording.missing(list(keys(options.images, options.epochs, options.seeds))):
        rate, seed = run.key["learning_rate"], run.key["seed"]
        recipe = replace(RECIPE, epochs=options.epochs, learning_rate=rate, seed=seed)
        try:
            result = {
                **train(make_model(VALUES[run.key["batch_norm"]], seed), data, test, recipe, run),
                "diverged": False,
            }
        except DivergedError:
            result = {"train_loss": None, "test_accuracy": None, "diverged": True}
        recording.add(run, {name: result[name] for name in ("train_loss", "test_accuracy", "diverged")})


if __name__ == "__main__":
    main()
