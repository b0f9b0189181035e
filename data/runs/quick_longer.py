"""Records how far the small network of `equal_wall_time` comes with more time: the recipe `quick`, more epochs.

    python data/runs/quick_longer.py --data FOLDER [--epochs 26] [--tiny]

Nothing is chosen, so the held-out images are only watched; the test images are judged once, at the end. `seconds` may
have been spent on a core shared with other work. An interrupted recording goes on where it stopped.
"""

from __future__ import annotations

from dataclasses import replace

from cifar import describe_images, load_few_images, make_model, sizes, train
from equal_wall_time import quick_network
from recording import Recording, read_options

from course_lib.training import quick

NAME = "quick_longer"


def main(arguments: list[str] | None = None) -> None:
    options = read_options(__doc__, arguments, {"epochs": 1}, epochs=26)
    data, test = load_few_images(options, None)
    recording = Recording(NAME, options, describe_images(data, test))
    value, recipe = quick_network(), replace(quick, epochs=options.epochs)
    for run in recording.missing([{"epochs": options.epochs}]):
        result = train(make_model(value, 0), data, test, recipe, run)
        recording.add(run, {**sizes(value), "images": options.epochs * len(data.train), **result})


if __name__ == "__main__":
    main()
