"""Records plain SGD with and without batch normalisation over learning rates: where it trains and where it explodes.

    python data/runs/sgd_without_bn.py --data FOLDER [--images 2000] [--epochs 2] [--seeds 1]

The network is the ladder's with the 7x7 stem, initialised after He et al. in both forms; SGD has no momentum, no weight
decay and a constant learning rate. A run has diverged if its loss became infinite or NaN: it has then no loss and no
accuracy. An interrupted recording goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from cifar_ladder import PLAIN_SGD, network
from recording import Recording, Row, describe_images, load_few_images, make_model, parser, train

from course_lib.training import DivergedError

NAME = "sgd_without_bn"
LEARNING_RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
RECIPE = replace(PLAIN_SGD, batch_size=32)
VALUES = {batch_norm: network(cifar_stem=False, norm=batch_norm) for batch_norm in (True, False)}


def keys(seeds: int) -> Iterator[Row]:
    for seed, learning_rate, batch_norm in product(range(seeds), LEARNING_RATES, VALUES):
        yield {"batch_norm": batch_norm, "learning_rate": learning_rate, "seed": seed}


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__, images=2000, epochs=2, seeds=1).parse_args(arguments)
    data, test = load_few_images(options.data, options.images)
    recording = Recording(NAME, options, describe_images(data, test))
    for key, checkpoints in recording.missing(keys(options.seeds)):
        recipe = replace(RECIPE, epochs=options.epochs, learning_rate=key["learning_rate"], seed=key["seed"])
        model = make_model(VALUES[key["batch_norm"]], key["seed"])
        try:
            result = {**train(model, data, test, recipe, checkpoints), "diverged": False}
        except DivergedError:
            result = {"train_loss": None, "test_accuracy": None, "diverged": True}
        recording.add({**key, **{name: result[name] for name in ("train_loss", "test_accuracy", "diverged")}})


if __name__ == "__main__":
    main()
