"""Records one budget of multiplications spent four ways: 36, 9, 4 or 1 layers, each as wide as the budget allows.

    python data/runs/width_against_depth.py [--images 2500] [--epochs 4] [--seeds 3] [--tiny]

Deep networks want other learning rates than shallow ones, so each form is trained with rates of its own, and a lesson
takes the best of each form. Where the rate with the lowest training loss is at an end, its row needs another one. A run
that diverges has no losses and no accuracy. An interrupted recording goes on where it stopped.
"""

from __future__ import annotations

from itertools import product

from fashion import describe_fashion, fashion_images, sizes, train
from recording import Recording, read_options

from course_lib.experiments.width_and_depth import SHAPES, budget_network
from course_lib.training import DivergedError, Recipe

NAME = "width_against_depth"
COMMON_RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
RATES = dict.fromkeys(SHAPES, COMMON_RATES) | {36: (*COMMON_RATES, 3.0)}
OUTCOMES = ("train_loss", "test_accuracy", "test_loss")
TINY = {"images": 40, "epochs": 1, "seeds": 1}


def main(arguments: list[str] | None = None) -> None:
    options = read_options(__doc__, arguments, TINY, data=False, images=2500, epochs=4, seeds=3)
    data = fashion_images(options)
    data = data.subset(train=min(options.images, len(data.train)))
    recording = Recording(NAME, options, describe_fashion(data))
    keys = [
        {"depth": depth, "learning_rate": rate, "images": len(data.train), "epochs": options.epochs, "seed": seed}
        for seed, depth in product(range(options.seeds), SHAPES)
        for rate in RATES[depth]
    ]
    for run in recording.missing(keys):
        value, seed = budget_network(run.key["depth"]), run.key["seed"]
        recipe = Recipe(epochs=options.epochs, learning_rate=run.key["learning_rate"], seed=seed)
        try:
            outcome = train(value, data, recipe, run, OUTCOMES)
        except DivergedError:
            outcome = dict.fromkeys(OUTCOMES)
        recording.add(run, {"width": SHAPES[run.key["depth"]], **sizes(value), **outcome})


if __name__ == "__main__":
    main()
