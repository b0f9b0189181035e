"""Records what each part of the one-hour recipe is worth: one change at a time, on pictures held out, several seeds.

    python data/runs/one_hour_changes.py --data FOLDER [--epochs 8] [--seeds 3] [--tiny]

Everything is chosen by `held_out_accuracy`, that on the tenth of the training images that is held out; the test images
are never looked at. `mirrored` and `six_views` average the logits over mirrored and moved images, and are told apart.
`images_per_second` is that of the last epoch, whose images have full size. An interrupted recording goes on.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from cifar import describe_images, load_images
from recording import Recording, Row, read_options

from course_lib.datasets import ImageData
from course_lib.experiments.one_hour import HourRecipe, hour_logits, make_hour_network, parameters, train_hour

NAME = "one_hour_changes"
RECIPE = HourRecipe()
CHANGES = {
    "none": {},
    "first layer trained": {"whiten": False},
    "flips by chance": {"flips": "random"},
    "no flips": {"flips": "none"},
    "full size throughout": {"small": 32},
    "no label smoothing": {"label_smoothing": 0.0},
    "half the rate": {"peak": 0.1},
    "twice the rate": {"peak": 0.4},
    "half the weight decay": {"weight_decay": 2.5e-4},
    "twice the weight decay": {"weight_decay": 1e-3},
}


def measure(recipe: HourRecipe, seed: int, data: ImageData) -> Row:
    """Train once and judge on `data.test`."""
    model = make_hour_network(data, recipe, seed)
    spent = [0.0]
    train_hour(model, data, recipe, seed, lambda _, seconds: spent.append(seconds))
    accuracies = {
        name: (hour_logits(model, data.test.images, data, views=views).argmax(1) == data.test.labels).float().mean()
        for name, views in {"held_out_accuracy": 1, "mirrored": 2, "six_views": 6}.items()
    }
    return {
        "params": parameters(model),
        "images_per_second": round(len(data.train) / (spent[-1] - spent[-2]), 1),
        **{name: round(accuracy.item(), 4) for name, accuracy in accuracies.items()},
    }


def main(arguments: list[str] | None = None) -> None:
    options = read_options(__doc__, arguments, {"epochs": 1, "seeds": 1}, epochs=8, seeds=3)
    data, test = load_images(options)
    recording = Recording(NAME, options, describe_images(data, test) + "; those were not looked at")
    keys = [
        {"change": change, "epochs": options.epochs, "seed": seed}
        for seed, change in product(range(options.seeds), CHANGES)
    ]
    for run in recording.missing(keys):
        recipe = replace(RECIPE, **CHANGES[run.key["change"]], epochs=options.epochs)
        recording.add(run, measure(recipe, run.key["seed"], data))


if __name__ == "__main__":
    main()
