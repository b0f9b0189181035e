"""Records where on the grid a 7x7 may become 1x7 and 7x1: accuracy with the pair on the 28x28, 14x14 or 7x7 grid.

    python data/runs/factorization_by_grid.py [--seeds 5] [--epochs 4] [--tiny]

An interrupted recording goes on where it stopped.
"""

from __future__ import annotations

from itertools import product

from fashion import describe_fashion, fashion_images, sizes, train
from recording import Recording, read_options

from course_lib.architecture import Node, conv, factorize, global_avg_pool, linear, max_pool
from course_lib.training import Recipe

NAME = "factorization_by_grid"
GRIDS = (28, 14, 7)


def network(grid: int | None) -> Node:
    """A 7x7 convolution on each of three grids; on `grid`, if given, it is 1x7 and 7x1."""
    large = {28: conv(16, 7), 14: conv(32, 7), 7: conv(64, 7)}
    stages = {size: factorize(stage, 7) if size == grid else stage for size, stage in large.items()}
    opening = conv(16, 3) >> stages[28] >> max_pool(3, 2)
    middle = conv(32, 1) >> stages[14] >> max_pool(3, 2)
    return opening >> middle >> conv(64, 1) >> stages[7] >> global_avg_pool() >> linear(10)


def main(arguments: list[str] | None = None) -> None:
    options = read_options(__doc__, arguments, {"seeds": 1, "epochs": 1}, data=False, seeds=5, epochs=4)
    data = fashion_images(options)
    recording = Recording(NAME, options, describe_fashion(data))
    keys = [
        {"pair_on_grid": grid or 0, "epochs": options.epochs, "seed": seed}
        for seed, grid in product(range(options.seeds), (None, *GRIDS))
    ]
    for run in recording.missing(keys):
        value, seed = network(run.key["pair_on_grid"] or None), run.key["seed"]
        recipe = Recipe(epochs=options.epochs, seed=seed)
        recording.add(run, {**sizes(value), **train(value, data, recipe, run)})


if __name__ == "__main__":
    main()
