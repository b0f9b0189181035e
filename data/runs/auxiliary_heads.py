"""Records what auxiliary heads do for a whole training: early, late, the lower one removed, with batch normalisation.

    python data/runs/auxiliary_heads.py [--epochs 8] [--seeds 10]

One row for each network, seed and epoch. Writes data/runs/auxiliary_heads.json after each network is trained, and goes
on where it stopped, also with more seeds. Few images and no augmentation, so that the network overfits and a
regulariser has something to do. Two networks without heads take larger steps, to tell what heads do from what any
longer gradient would do.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import pandas as pd
import torch

from course_lib import datasets
from course_lib.experiments.auxiliary_gradients import first_weights
from course_lib.experiments.auxiliary_network import LOWER, UPPER, WEIGHT, deep_network
from course_lib.reporting.records import FOLDER, Record, load_record, save_record, this_machine
from course_lib.training import Recipe, default_device, fit, has_bf16

NAME = "auxiliary_heads"
IMAGES = 2000
# Batch and clipping are those of the v3 paper, section 8; with them networks without batch norm train, too.
RECIPE = Recipe(batch_size=32, learning_rate=0.05, clip_norm=2.0, weight_decay=0.0, pad=0, flip=False)
NETWORKS = {
    "no heads": deep_network(batch_norm=True),
    "upper head": deep_network((UPPER,), batch_norm=True),
    "both heads": deep_network((LOWER, UPPER), batch_norm=True),
    "upper head, batch norm in it": deep_network((UPPER,), batch_norm=True, bn_aux=True),
    "no batch norm, no heads": deep_network(),
    "no batch norm, both heads": deep_network((LOWER, UPPER)),
}
RUNS = {name: (value, RECIPE) for name, value in NETWORKS.items()}
# As if the gradients of both heads' losses were that of the main loss.
LARGER_STEPS = replace(RECIPE, learning_rate=(1 + 2 * WEIGHT) * RECIPE.learning_rate)
RUNS |= {f"{name}, larger steps": (NETWORKS[name], LARGER_STEPS) for name in ("no heads", "no batch norm, no heads")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8, help=f"passes over the {IMAGES:,} images (default 8)")
    parser.add_argument("--seeds", type=int, default=10, help="runs of each network (default 10)")
    options = parser.parse_args()
    data, device = datasets.load("fashion_mnist").subset(train=IMAGES), default_device()
    machine = this_machine(device.type, has_bf16(device), torch.get_num_threads())
    command = f"python data/runs/{NAME}.py --epochs {options.epochs} --seeds {options.seeds}"
    images = f"{IMAGES:,} of the embedded Fashion-MNIST images to train, without augmentation, and 2,000 to test"
    rows = []
    if (FOLDER / f"{NAME}.json").exists() and _same_but_for_seeds(record := load_record(NAME), command):
        rows = record.rows.to_dict("records")
    done = {(row["network"], row["seed"]) for row in rows}
    for seed in range(options.seeds):
        for network, (value, recipe) in RUNS.items():
            if (network, seed) in done:
                continue
            recipe = replace(recipe, epochs=options.epochs, seed=seed)
            history = fit(first_weights(value, "he", seed), data, recipe, progress=False)
            columns = ["epoch", "train_accuracy", "test_accuracy", "test_loss"]
            for row in history[columns].round(4).to_dict("records"):
                rows.append({"network": network, "seed": seed, **row})
            save_record(NAME, Record(command, images, machine, pd.DataFrame(rows)))


def _same_but_for_seeds(record: Record, command: str) -> bool:
    """Whether the record was made as `command` says, with more seeds or fewer."""
    return record.command.rpartition(" ")[0] == command.rpartition(" ")[0]


if __name__ == "__main__":
    main()
