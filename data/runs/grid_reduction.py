"""Records what the three ways to halve a grid cost in accuracy, at equal width and when the saving buys further layers.

    python data/runs/grid_reduction.py [--seeds 3] [--epochs 4]

Writes data/runs/grid_reduction.json after each run. Runs that the file holds already, made by the same command, are not
made again, so that an interrupted recording goes on where it stopped.
"""

from __future__ import annotations

import argparse

import pandas as pd
import torch

from course_lib import datasets
from course_lib.architecture import Node, build, conv, global_avg_pool, linear, seq, total
from course_lib.explorers.grid_reduction.result import WAYS, reduction
from course_lib.reporting.records import Record, RecordError, load_record, save_record, this_machine
from course_lib.training import Recipe, default_device, fit, has_bf16

NAME = "grid_reduction"
# Three further 3x3 convolutions cost what "pool, then convolution" saves against the dearest way.
NETWORKS = (*((way, 0) for way in WAYS), ("pool_conv", 3), ("parallel", 3))


def network(way: str, further: int) -> Node:
    """From 28x28x16 to 7x7x64 in two reductions of one way, with 0 or 3 `further` 3x3 convolutions between and after
    them."""
    middle, end = (seq(conv(32, 3), conv(32, 3)), conv(64, 3)) if further else (seq(), seq())
    body = seq(reduction(way, 16), middle, reduction(way, 32), end)
    return conv(16, 3) >> body >> global_avg_pool() >> linear(10)


def recorded(command: str) -> list[dict[str, object]]:
    """The rows that an earlier, interrupted recording by `command` has left."""
    try:
        record = load_record(NAME)
    except RecordError:
        return []
    return record.rows.to_dict("records") if record.command == command else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="runs of each network (default 3)")
    parser.add_argument("--epochs", type=int, default=4, help="passes over the 10,000 training images (default 4)")
    options = parser.parse_args()
    data, device = datasets.load("fashion_mnist"), default_device()
    machine = this_machine(device.type, has_bf16(device), torch.get_num_threads())
    command = f"python data/runs/{NAME}.py --seeds {options.seeds} --epochs {options.epochs}"
    images = "the embedded Fashion-MNIST images, 10,000 to train and 2,000 to test"
    rows = recorded(command)
    done = {(row["way"], row["further"], row["seed"]) for row in rows}
    for seed in range(options.seeds):
        for way, further in NETWORKS:
            if (way, further, seed) in done:
                continue
            rows.append(run(way, further, seed, options.epochs, data))
            save_record(NAME, Record(command, images, machine, pd.DataFrame(rows)))


def run(way: str, further: int, seed: int, epochs: int, data: datasets.ImageData) -> dict[str, object]:
    """Train one network and return its row."""
    value = network(way, further)
    size = total(value, (1, 28, 28))
    torch.manual_seed(seed)
    last = fit(build(value, 1), data, Recipe(epochs=epochs, seed=seed)).iloc[-1]
    return {
        "way": way,
        "further": further,
        "seed": seed,
        "params": size.params,
        "macs": size.macs,
        "test_accuracy": round(last.test_accuracy, 4),
        "test_loss": round(last.test_loss, 4),
    }


if __name__ == "__main__":
    main()
