"""Records the best learning rates of SGD and RMSProp for v2 in small, each for itself, on pictures held out.

    python data/runs/optimizer_rates.py --data FOLDER [--images 10000] [--epochs 10] [--seeds 2] [--tiny]

Two optimizers have been compared only when each has its own best rate. Rates lie a factor of two apart, and rates are
added until the best one is neither the lowest nor the highest. The test images are never looked at: `held_out_accuracy`
is that on the tenth of the training images that is held out. An interrupted recording goes on where it stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import product

import pandas as pd
from cifar import CLASSES, describe_images, load_images, make_model, train
from recording import Recording, Row, read_options

from course_lib.models import network
from course_lib.recipes import Recipe
from course_lib.recipes.published import szegedy_2016
from course_lib.reporting.records import load_record

NAME = "optimizer_rates"
WATCHED = 500
# The paper's batch, clipping and RMSProp with its epsilon of 1. In so few epochs its rate would hardly fall: it falls
# to 0 as a cosine instead, and the last weights are judged, not their average.
RMSPROP = replace(szegedy_2016, batch_size=32, schedule="cosine", ema_decay=0.0, label_smoothing=0.0)
RECIPES = {"sgd": replace(RMSPROP, optimizer="sgd", momentum=0.9), "rmsprop": RMSPROP}
FIRST_RATES = {"sgd": (0.025, 0.05, 0.1), "rmsprop": (0.0225, 0.045, 0.09)}
V2 = network("small_inception", CLASSES, aux=True, bn_aux_fc=False, dropout=0.5)
MOST_RATES = 9


def means(rows: Iterable[Row], optimizer: str) -> pd.Series:
    """Mean held-out accuracy of each rate, in order of the rates."""
    own = pd.DataFrame([row for row in rows if row["optimizer"] == optimizer])
    return own["held_out_accuracy"].astype(float).groupby(own["learning_rate"]).mean()


def next_rate(accuracies: pd.Series) -> float | None:
    """The rate to try next, if the best one is at an end of those tried."""
    best = accuracies.idxmax()
    if best == accuracies.index[0]:
        return best / 2
    return best * 2 if best == accuracies.index[-1] else None


def best_rate(optimizer: str) -> float:
    """The recorded best rate.

    Raises:
        SystemExit: it is at an end of the rates that were tried.
    """
    accuracies = means(load_record(NAME).rows.to_dict("records"), optimizer)
    if next_rate(accuracies) is not None:
        raise SystemExit(f"The best rate of {optimizer} is at an end of those tried; let data/runs/{NAME}.py go on.")
    return float(accuracies.idxmax())


def recipe_of(key: Row, options: argparse.Namespace) -> Recipe:
    return replace(
        RECIPES[key["optimizer"]], learning_rate=key["learning_rate"], epochs=options.epochs, seed=key["seed"]
    )


def main(arguments: list[str] | None = None) -> None:
    tiny = {"images": 20, "epochs": 1, "seeds": 1}
    options = read_options(__doc__, arguments, tiny, images=10_000, epochs=10, seeds=2)
    whole, test = load_images(options)
    data, held_out = whole.subset(train=options.images, test=min(WATCHED, len(whole.test))), whole.test
    images = describe_images(replace(whole, train=data.train), test) + ", which were not looked at"
    recording = Recording(NAME, options, images)
    rates = {optimizer: {*first, *recorded(recording, optimizer)} for optimizer, first in FIRST_RATES.items()}
    while True:
        for run in recording.missing(list(keys(rates, options))):
            result = train(make_model(V2, run.key["seed"]), data, held_out, recipe_of(run.key, options), run)
            names = {"test_accuracy": "held_out_accuracy", "test_loss": "held_out_loss"}
            recording.add(run, {names.get(name, name): value for name, value in result.items()})
        more = {optimizer: next_rate(means(recording.rows, optimizer)) for optimizer in rates}
        more = {name: rate for name, rate in more.items() if rate and len(rates[name]) < MOST_RATES}
        if options.tiny or not more:
            return
        for optimizer, rate in more.items():
            rates[optimizer].add(rate)


def recorded(recording: Recording, optimizer: str) -> set[float]:
    """Rates that an earlier recording has added."""
    return {row["learning_rate"] for row in recording.rows if row["optimizer"] == optimizer}


def keys(rates: Mapping[str, set[float]], options: argparse.Namespace) -> Iterator[Row]:
    settings = {"images": options.images, "epochs": options.epochs}
    for seed, optimizer in product(range(options.seeds), rates):
        for rate in sorted(rates[optimizer]):
            yield {"optimizer": optimizer, "learning_rate": rate, **settings, "seed": seed}


if __name__ == "__main__":
    main()
