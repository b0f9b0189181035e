"""Records where on the grid a 7x7 may become 1x7 and 7x1: accuracy with the pair on the 28x28, 14x14 or 7x7 grid.

    python data/runs/factorization_by_grid.py [--seeds 5] [--epochs 4]

Writes data/runs/factorization_by_grid.json after each run, so that an interrupted recording keeps what it has.
"""

from __future__ import annotations

import argparse

import pandas as pd
import torch

from course_lib import datasets
from course_lib.architecture import Node, build, conv, factorize, global_avg_pool, linear, max_pool, total
from course_lib.reporting.records import Record, save_record, this_machine
from course_lib.training import Recipe, default_device, fit, has_bf16

NAME = "factorization_by_grid"
GRIDS = (28, 14, 7)


def network(grid: int | None) -> Node:
    """A 7x7 convolution on each of three grids; on `grid`, if given, it is 1x7 and 7x1."""
    large = {28: conv(16, 7), 14: conv(32, 7), 7: conv(64, 7)}
    stages = {size: factorize(stage, 7) if size == grid else stage for size, stage in large.items()}
    opening = conv(16, 3) >> stages[28] >> max_pool(3, 2)
    middle = conv(32, 1) >> stages[14] >> max_pool(3, 2)
    return opening >> middle >> conv(64, 1) >> stages[7] >> global_avg_pool() >> linear(10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="runs of each network (default 5)")
    parser.add_argument("--epochs", type=int, default=4, help="passes over the 10,000 training images (default 4)")
    options = parser.parse_args()
    data, device = datasets.load("fashion_mnist"), default_device()
    machine = this_machine(device.type, has_bf16(device), torch.get_num_threads())
    command = f"python data/runs/{NAME}.py --seeds {options.seeds} --epochs {options.epochs}"
    images = "the embedded Fashion-MNIST images, 10,000 to train and 2,000 to test"
    rows = []
    for seed in range(options.seeds):
        for grid in (None, *GRIDS):
            value = network(grid)
            size = total(value, (1, 28, 28))
            torch.manual_seed(seed)
            history = fit(build(value, 1), data, Recipe(epochs=options.epochs, seed=seed))
            last = history.iloc[-1]
            rows.append(
                {
                    "pair_on_grid": grid or 0,
                    "seed": seed,
                    "params": size.params,
                    "macs": size.macs,
                    "test_accuracy": round(last.test_accuracy, 4),
                    "test_loss": round(last.test_loss, 4),
                }
            )
            save_record(NAME, Record(command, images, machine, pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
