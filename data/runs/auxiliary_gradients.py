"""Records the gradients of the main loss and of an auxiliary head's before the first step, stage by stage.

    python data/runs/auxiliary_gradients.py [--seeds 5] [--tiny]

One row for each kind of first weights, place of batch normalisation, place of the head and seed: what `stage_gradients`
gives, rounded to five digits. A seed draws the first weights and its own batch of 128 images.
"""

from __future__ import annotations

from itertools import product

import torch
from fashion import fashion_images
from recording import Recording, Row, read_options

from course_lib.datasets import ImageData
from course_lib.experiments.auxiliary_gradients import first_weights, stage_gradients
from course_lib.experiments.auxiliary_network import MODULES, deep_network
from course_lib.explorers.auxiliary_heads.result import BATCH_NORM, BATCH_SIZE, INITS, RECORD
from course_lib.reporting.records import this_machine
from course_lib.training import normalize


def measure(key: Row, data: ImageData) -> Row:
    """The gradients of one network on the seed's own batch."""
    trunk, head = BATCH_NORM[key["batch_norm"]]
    value, seed = deep_network((key["head_after"],), batch_norm=trunk, bn_aux=head), key["seed"]
    batch = slice(seed * BATCH_SIZE, (seed + 1) * BATCH_SIZE)
    images = normalize(data.train.images[batch], data.mean, data.std)
    found = stage_gradients(first_weights(value, key["init"], seed), images, data.train.labels[batch])._asdict()
    return {name: [float(f"{x:.4e}") for x in values.tolist()] for name, values in found.items()}


def main(arguments: list[str] | None = None) -> None:
    options = read_options(__doc__, arguments, {"seeds": 1}, data=False, seeds=5)
    data = fashion_images(options)
    images = f"batches of {BATCH_SIZE} of the embedded Fashion-MNIST training images"
    machine = this_machine("cpu", bf16=False, threads=torch.get_num_threads())
    recording = Recording(RECORD, options, images, machine)
    keys = [
        {"init": init, "batch_norm": where, "head_after": place, "seed": seed}
        for seed, init, where, place in product(range(options.seeds), INITS, BATCH_NORM, range(1, MODULES + 1))
    ]
    for run in recording.missing(keys):
        recording.add(run, measure(run.key, data))


if __name__ == "__main__":
    main()
