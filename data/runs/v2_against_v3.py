"""Records what leads from Inception-v2 to v3 on a small network: RMSProp, label smoothing, BN-auxiliary; each alone.

    python data/runs/v2_against_v3.py --data FOLDER [--images 10000] [--epochs 10] [--seeds 5] [--tiny]

These are the v3 paper's own steps (section 10, table 3) but one: the factorised 7x7 stem has no place on 32x32 images.
BN-auxiliary is batch norm on the head's fully connected layer, too, beside that on its convolution. Dropout is none of
the paper's steps; "without dropout", the choice of a re-implementation, is recorded apart. Each optimizer has the rate
that optimizer_rates.py found best for v2 on held-out images. An interrupted recording goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from cifar import CLASSES, describe_images, load_few_images, make_model, sizes, train
from optimizer_rates import FIRST_RATES, RECIPES, best_rate
from recording import Recording, Row, read_options

from course_lib.architecture import Node
from course_lib.models import network

NAME = "v2_against_v3"


@dataclass(frozen=True)
class Variant:
    """A form between v2 and v3; the defaults are v2."""

    optimizer: str = "sgd"
    label_smoothing: float = 0.0
    bn_aux_fc: bool = False
    dropout: float = 0.5

    @property
    def value(self) -> Node:
        return network("small_inception", CLASSES, aux=True, bn_aux_fc=self.bn_aux_fc, dropout=self.dropout)


VARIANTS = {
    "v2": Variant(),
    "v2 + RMSProp": Variant(optimizer="rmsprop"),
    "v2 + label smoothing": Variant(label_smoothing=0.1),
    "v2 + BN-auxiliary": Variant(bn_aux_fc=True),
    "v3": Variant("rmsprop", 0.1, True),
    "v2 without dropout": Variant(dropout=0.0),
    "v3 without dropout": Variant("rmsprop", 0.1, True, 0.0),
}


def keys(images: int, epochs: int, seeds: int) -> Iterator[Row]:
    for seed, variant in product(range(seeds), VARIANTS):
        yield {"variant": variant, "images": images, "epochs": epochs, "seed": seed}


def main(arguments: list[str] | None = None) -> None:
    tiny = {"images": 20, "epochs": 1, "seeds": 1}
    options = read_options(__doc__, arguments, tiny, images=10_000, epochs=10, seeds=5)
    rates = {name: first[1] if options.tiny else best_rate(name) for name, first in FIRST_RATES.items()}
    data, test = load_few_images(options, options.images)
    recording = Recording(NAME, options, describe_images(data, test))
    for run in recording.missing(list(keys(options.images, options.epochs, options.seeds))):
        variant, seed = VARIANTS[run.key["variant"]], run.key["seed"]
        recipe = replace(
            RECIPES[variant.optimizer],
            learning_rate=rates[variant.optimizer],
            label_smoothing=variant.label_smoothing,
            epochs=options.epochs,
            seed=seed,
        )
        result = train(make_model(variant.value, seed), data, test, recipe, run)
        recording.add(run, {"learning_rate": recipe.learning_rate, **sizes(variant.value), **result})


if __name__ == "__main__":
    main()
