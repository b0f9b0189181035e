"""Records what auxiliary heads do for a whole training: early, late, the lower one removed, with batch normalisation.

    python data/runs/auxiliary_heads.py [--epochs 8] [--seeds 10] [--tiny]

One row for each network, seed and epoch. An interrupted recording goes on where it stopped, also with more seeds. Few
images and no augmentation, so that the network overfits and a regulariser has something to do. Two networks without
heads take larger steps, to tell what heads do from what any longer gradient would do.
"""

from __future__ import annotations

from dataclasses import replace

from fashion import fashion_images
from recording import Recording, read_options

from course_lib.experiments.auxiliary_gradients import first_weights
from course_lib.experiments.auxiliary_network import LOWER, UPPER, WEIGHT, deep_network
from course_lib.training import Recipe, fit

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


def main(arguments: list[str] | None = None) -> None:
    options = read_options(__doc__, arguments, {"seeds": 1, "epochs": 1}, data=False, epochs=8, seeds=10)
    data = fashion_images(options)
    data = data.subset(train=min(IMAGES, len(data.train)))
    images = (
        f"{len(data.train):,} of the embedded Fashion-MNIST images to train, without augmentation, "
        f"and {len(data.test):,} to test"
    )
    recording = Recording(NAME, options, images)
    keys = [
        {"network": network, "epochs": options.epochs, "seed": seed}
        for seed in range(options.seeds)
        for network in RUNS
    ]
    for run in recording.missing(keys):
        value, recipe = RUNS[run.key["network"]]
        recipe = replace(recipe, epochs=options.epochs, seed=run.key["seed"])
        model = first_weights(value, "he", run.key["seed"])
        history = fit(model, data, recipe, progress=False, checkpoints=run.checkpoints)
        columns = ["epoch", "train_accuracy", "test_accuracy", "test_loss"]
        recording.add(run, *history[columns].round(4).to_dict("records"))


if __name__ == "__main__":
    main()
