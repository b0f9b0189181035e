"""Records a ladder of changes to GoogLeNet on CIFAR-10, from the ImageNet stem with Adam to batch norm with SGD.

    python data/runs/cifar_ladder.py --data FOLDER [--images 50000] [--epochs 15] [--seeds 2] [--tiny]

The rungs and their learning rates are those of a ladder once climbed with the full network in 100 epochs from 88 % to
95 %. Here every width is three sixteenths, and batches are a quarter of the ladder's, so that few epochs hold more
steps. Nothing is chosen, so that no training image is held out. `seconds` may have been spent on a core shared with
other work, `cpu_seconds` not. An interrupted recording goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from cifar import CLASSES, describe_images, load_all_images, make_model, sizes, train
from recording import Recording, Row, read_options

from course_lib import models
from course_lib.architecture import Conv, Node, conv, seq, with_fields
from course_lib.training import Recipe

NAME = "cifar_ladder"
WIDTH = 3 / 16

ADAM = Recipe(
    batch_size=64, optimizer="adam", learning_rate=1e-3, weight_decay=0.0, schedule="constant", warmup_epochs=0, pad=4
)
PLAIN_SGD = replace(ADAM, optimizer="sgd", learning_rate=0.01, momentum=0.0)
COSINE = replace(PLAIN_SGD, schedule="cosine")
MOMENTUM = replace(COSINE, batch_size=32, learning_rate=0.1, momentum=0.9, weight_decay=5e-4)


def network(*, aux: bool = False, cifar_stem: bool = True, norm: bool = True, width: float = WIDTH) -> Node:
    """GoogLeNet for 32x32 images, its width reduced.

    Args:
        aux: with both auxiliary heads.
        cifar_stem: a 3x3 stem of stride 1, and pool3 between the modules 3b and 4a; else the 7x7 stem of stride 2, and
            the first three max-pools removed. Both have the modules 4a to 4e on 16x16.
        norm: batch normalisation; without, the convolutions have biases.
    """
    value = models.network("googlenet_cifar", CLASSES, aux, width=width)
    if not cifar_stem:
        conv1, conv2, *rest = value.layers
        reduce = conv(conv1.channels, 1).named("reduce")
        rest = [part for part in rest if part.name != "pool3"]
        value = seq(conv(conv1.channels, 7, 2).named("conv1"), reduce, conv2, *rest)
    return value if norm else with_fields(value, Conv, norm=False, bias=True)


@dataclass(frozen=True)
class Rung:
    """One step of the ladder: what changed from the rung below, the network as `network` is told, and its training."""

    change: str
    options: dict[str, bool]
    recipe: Recipe

    def value(self, width: float = WIDTH) -> Node:
        return network(**self.options, width=width)


RUNGS = (
    Rung(
        "7x7/2 stem, first three max-pools removed, auxiliary heads, no batch norm, Adam 0.001",
        {"aux": True, "cifar_stem": False, "norm": False},
        ADAM,
    ),
    Rung("no auxiliary heads", {"cifar_stem": False, "norm": False}, ADAM),
    Rung("3x3/1 stem, pool3 back", {"norm": False}, ADAM),
    Rung("batch norm", {}, ADAM),
    Rung("SGD 0.01 in place of Adam", {}, PLAIN_SGD),
    Rung("cosine schedule", {}, COSINE),
    Rung("SGD 0.1, momentum 0.9, weight decay 0.0005, half the batch", {}, MOMENTUM),
)


def keys(images: int, epochs: int, seeds: int) -> Iterator[Row]:
    """From the top rung down, whose accuracy says first whether the scale is large enough."""
    for seed, number in product(range(seeds), range(len(RUNGS), 0, -1)):
        yield {"rung": number, "width": WIDTH, "images": images, "epochs": epochs, "seed": seed}


def main(arguments: list[str] | None = None) -> None:
    tiny = {"images": 20, "epochs": 1, "seeds": 1}
    options = read_options(__doc__, arguments, tiny, images=50_000, epochs=15, seeds=2)
    data, test = load_all_images(options, options.images)
    recording = Recording(NAME, options, describe_images(data, test, held_out=False))
    for run in recording.missing(list(keys(options.images, options.epochs, options.seeds))):
        rung = RUNGS[run.key["rung"] - 1]
        recipe = replace(rung.recipe, epochs=options.epochs, seed=run.key["seed"])
        value = rung.value()
        result = train(make_model(value, run.key["seed"]), data, test, recipe, run)
        recording.add(run, {"change": rung.change, **sizes(value), **result})


if __name__ == "__main__":
    main()
