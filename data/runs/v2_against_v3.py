"""Records what leads from Inception-v2 to v3 on a small network: label smoothing, batch norm in the head, no dropout.

    python data/runs/v2_against_v3.py --data FOLDER [--images 3000] [--epochs 4] [--seeds 3]

Each change is tried alone and all together. (The factorised 7x7 stem, the fourth, has no place on 32x32 images.) An
interrupted recording goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from recording import CLASSES, Recording, Row, describe_images, load_few_images, make_model, parser, sizes, train

from course_lib.architecture import Node
from course_lib.models import network
from course_lib.training import adam_steps

NAME = "v2_against_v3"
# So few epochs that the rate of the papers would hardly fall: it falls to 0 instead, and the last weights are judged.
RECIPE = replace(adam_steps.at_batch_size(32), schedule="cosine")


@dataclass(frozen=True)
class Variant:
    """A form between v2 and v3; the defaults are v2."""

    label_smoothing: float = 0.0
    bn_aux: bool = False
    dropout: float = 0.5

    @property
    def value(self) -> Node:
        return network("small_inception", CLASSES, aux=True, bn_aux=self.bn_aux, dropout=self.dropout)


VARIANTS = {
    "v2": Variant(),
    "v2 + label smoothing": Variant(label_smoothing=0.1),
    "v2 + batch norm in the head": Variant(bn_aux=True),
    "v2 without dropout": Variant(dropout=0.0),
    "v3": Variant(label_smoothing=0.1, bn_aux=True, dropout=0.0),
}


def keys(seeds: int) -> Iterator[Row]:
    for seed, variant in product(range(seeds), VARIANTS):
        yield {"variant": variant, "seed": seed}


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__, images=3000, epochs=4, seeds=3).parse_args(arguments)
    data, test = load_few_images(options.data, options.images)
    recording = Recording(NAME, options, describe_images(data, test))
    for key, checkpoints in recording.missing(keys(options.seeds)):
        variant = VARIANTS[key["variant"]]
        recipe = replace(RECIPE, epochs=options.epochs, seed=key["seed"], label_smoothing=variant.label_smoothing)
        result = train(make_model(variant.value, key["seed"]), data, test, recipe, checkpoints)
        outcome = {name: result[name] for name in ("test_accuracy", "test_loss")}
        recording.add({**key, **sizes(variant.value), "epochs": options.epochs, **outcome})


if __name__ == "__main__":
    main()
