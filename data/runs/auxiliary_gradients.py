"""Records the gradients of the main loss and of an auxiliary head's before the first step, stage by stage.

    python data/runs/auxiliary_gradients.py [--seeds 5]

One row for each kind of first weights, place of batch normalisation, place of the head and seed: what `stage_gradients`
gives, rounded to five digits. A seed draws the first weights and its own batch of 128 images.
"""

from __future__ import annotations

import argparse
from itertools import product

import pandas as pd
import torch

from course_lib import datasets
from course_lib.experiments.auxiliary_gradients import first_weights, stage_gradients
from course_lib.experiments.auxiliary_network import MODULES, deep_network
from course_lib.explorers.auxiliary_heads.result import BATCH_NORM, BATCH_SIZE, INITS, RECORD
from course_lib.reporting.records import Record, save_record, this_machine
from course_lib.training import normalize


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="first weights and batches of each network (default 5)")
    options = parser.parse_args()
    data = datasets.load("fashion_mnist")
    rows = []
    for seed, init, where, place in product(range(options.seeds), INITS, BATCH_NORM, range(1, MODULES + 1)):
        trunk, head = BATCH_NORM[where]
        model = first_weights(deep_network((place,), batch_norm=trunk, bn_aux=head), init, seed)
        batch = slice(seed * BATCH_SIZE, (seed + 1) * BATCH_SIZE)
        images = normalize(data.train.images[batch], data.mean, data.std)
        found = stage_gradients(model, images, data.train.labels[batch])._asdict()
        rounded = {name: [float(f"{x:.4e}") for x in values.tolist()] for name, values in found.items()}
        rows.append({"init": init, "batch_norm": where, "head_after": place, "seed": seed, **rounded})
    command = f"python data/runs/{RECORD}.py --seeds {options.seeds}"
    images = f"batches of {BATCH_SIZE} of the embedded Fashion-MNIST training images"
    machine = this_machine("cpu", bf16=False, threads=torch.get_num_threads())
    save_record(RECORD, Record(command, images, machine, pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
