"""Records how fast the two networks of `equal_wall_time` train in each of its two loops: what is the network's part?

    python data/runs/network_or_loop.py [--images 256] [--repeats 5] [--tiny]

All four pairs of network and loop take turns on one core and train for one epoch of pictures drawn by chance, since
speed depends on no picture. `cpu_seconds` is what the training of the epoch took, on a core that may be shared;
`loading_cpu_seconds` what the plain loop's loader alone takes, which opens, crops and mirrors one picture at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import product

import torch
import torch.nn.functional as F
from cifar import CLASSES, SHAPE, make_model, sizes
from equal_wall_time import BATCH_SIZE, loaders, measured_sizes, quick_network, textbook_network
from recording import Recording, Row, read_options
from torch import Tensor, nn
from torch.utils.data import DataLoader

from course_lib.datasets import ImageData, Split
from course_lib.training import quick
from course_lib.training.loop import TrainingLoop

NAME = "network_or_loop"
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "textbook": textbook_network,
    "quick": lambda: make_model(quick_network(), 0),
}
SIZES: dict[str, Callable[[], Row]] = {
    "textbook": lambda: measured_sizes(textbook_network()),
    "quick": lambda: sizes(quick_network()),
}


def random_images(count: int) -> ImageData:
    """So many training images of chance, and as few others as the loops can do with."""
    draw = torch.Generator().manual_seed(0)

    def split(images: int) -> Split:
        pixels = torch.randint(0, 256, (images, *SHAPE), generator=draw, dtype=torch.uint8)
        return Split(pixels, torch.arange(images) % CLASSES)

    half = torch.full((SHAPE[0],), 0.5)
    return ImageData("random", tuple("abcdefghij"), split(count), split(CLASSES), half, half / 2)


def plain_loader(data: ImageData) -> Iterable[tuple[Tensor, Tensor]]:
    """The loader of the plain loop without its worker processes, whose time no clock of this process would count."""
    return DataLoader(loaders(data, data.test)[0].dataset, BATCH_SIZE, shuffle=True)


def train_plain(network: nn.Module, data: ImageData) -> float:
    """CPU seconds of an epoch in plain PyTorch, float32 in NCHW."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    network.train()
    started = time.process_time()
    for images, labels in plain_loader(data):
        loss = F.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.process_time() - started


def train_course(network: nn.Module, data: ImageData) -> float:
    """CPU seconds of an epoch in the loop of `fit`, with the recipe `quick`."""
    run = TrainingLoop(network, data, replace(quick, batch_size=BATCH_SIZE), torch.device("cpu"), None)
    started = time.process_time()
    run.epoch(lambda: None)
    return time.process_time() - started


LOOPS: dict[str, Callable[[nn.Module, ImageData], float]] = {"plain": train_plain, "course": train_course}


def main(arguments: list[str] | None = None) -> None:
    options = read_options(__doc__, arguments, {"images": 40, "repeats": 1}, data=False, images=256, repeats=5)
    torch.set_num_threads(1)
    data = random_images(options.images)
    recording = Recording(NAME, options, f"{options.images} images of {SHAPE[1]}x{SHAPE[2]} drawn by chance")
    keys = [
        {"network": network, "loop": loop, "images": options.images, "repeat": repeat}
        for repeat, network, loop in product(range(options.repeats), NETWORKS, LOOPS)
    ]
    for run in recording.missing(keys):
        name = run.key["network"]
        started = time.process_time()
        for _ in plain_loader(data):
            pass
        loading = round(time.process_time() - started, 3)
        taken = round(LOOPS[run.key["loop"]](NETWORKS[name](), data), 3)
        recording.add(run, {**SIZES[name](), "cpu_seconds": taken, "loading_cpu_seconds": loading})


if __name__ == "__main__":
    main()
