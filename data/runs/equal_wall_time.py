"""Records two contestants after the same wall time of training: the textbook's network and loop, and the course's.

    python data/runs/equal_wall_time.py --data FOLDER [--minutes 20] [--tiny]

"textbook" is a tutorial's reduced GoogLeNet (260,650 parameters) in plain PyTorch, float32 in NCHW, one PIL image at a
time from a DataLoader, Adam at 1e-3. "quick" is a network of no more parameters and multiply-accumulates from this
course's vocabulary, trained by `fit` with the recipe `quick`. The clock runs while a contestant trains, and stands
while it is judged on the held-out images; what "quick" spends to find out how many epochs fit is on its clock. Each is
judged on the test images once, when its time is up. Run it on a quiet machine. A contestant that has finished stays in
the record; one that was interrupted starts again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from cifar import CLASSES, SHAPE, describe_images, load_images, make_model, sizes
from PIL import Image
from recording import Recording, Row, read_options
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision import transforms

from course_lib.architecture import Node, branches, conv, global_avg_pool, linear, max_pool
from course_lib.datasets import ImageData, Split
from course_lib.reporting.records import this_machine
from course_lib.training import evaluate, fit, has_bf16, quick

NAME = "equal_wall_time"
BATCH_SIZE, EVALUATION_BATCH, WORKERS = 128, 256, 2
SPEED_IMAGES = 2560  # from whose time follows how many epochs fit
MARGIN = 0.97  # of the time that is left, as speed varies
JUDGED_EVERY = 120.0  # seconds of training between two looks at the held-out images

# The tutorial's modules: 1x1 | 3x3 reduce, 3x3 | 5x5 reduce, 5x5 | pool projection; None is a 3x3 max-pool of stride 2.
TEXTBOOK_MODULES = (
    (16, (32, 32), (16, 8), 8),
    (24, (32, 48), (16, 12), 12),
    None,
    (24, (32, 48), (16, 12), 12),
    (16, (32, 48), (16, 16), 16),
    (16, (32, 48), (16, 16), 16),
    (32, (32, 48), (16, 24), 24),
    None,
    (32, (48, 64), (16, 16), 16),
    (32, (48, 64), (16, 16), 16),
)


def quick_network() -> Node:
    """Modules of 1x1 beside 3x3, on the grids 16 and 8 only and of widths that are multiples of 16: fewer and faster
    passes over memory, so more epochs."""

    def module(one: int, reduce: int, three: int) -> Node:
        return branches(conv(one, 1), conv(reduce, 1) >> conv(three, 3))

    stem = conv(32, 3) >> max_pool(3, 2)
    middle = module(32, 32, 64) >> module(32, 48, 64) >> max_pool(3, 2)
    return stem >> middle >> module(64, 80, 96) >> module(64, 80, 96) >> global_avg_pool() >> linear(CLASSES)


class InceptionBlock(nn.Module):
    """Four paths side by side, joined on channels."""

    def __init__(self, in_channels: int, one: int, three: tuple[int, int], five: tuple[int, int], pool: int) -> None:
        super().__init__()
        self.paths = nn.ModuleList(
            [
                convolution(in_channels, one, 1),
                nn.Sequential(convolution(in_channels, three[0], 1), convolution(*three, 3)),
                nn.Sequential(convolution(in_channels, five[0], 1), convolution(*five, 5)),
                nn.Sequential(nn.MaxPool2d(3, 1, padding=1), convolution(in_channels, pool, 1)),
            ]
        )

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([path(images) for path in self.paths], dim=1)


def convolution(in_channels: int, out_channels: int, kernel_size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


def textbook_network() -> nn.Sequential:
    """The tutorial's network, initialised after He et al."""
    layers, channels = [convolution(SHAPE[0], 64, 3)], 64
    for widths in TEXTBOOK_MODULES:
        if widths is None:
            layers.append(nn.MaxPool2d(3, 2, padding=1))
            continue
        layers.append(InceptionBlock(channels, *widths))
        channels = widths[0] + widths[1][1] + widths[2][1] + widths[3]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return network


def measured_sizes(network: nn.Module) -> Row:
    """Parameters, and multiply-accumulates of convolutions and fully connected layers for one image."""
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, *SHAPE))
    params = sum(parameter.numel() for parameter in network.parameters())
    return {"params": params, "macs": counter.get_total_flops() // 2}


class PILImages(Dataset):
    """One image at a time, as torchvision's data sets give it."""

    def __init__(self, split: Split, transform: Callable[[Image.Image], Tensor]) -> None:
        self.arrays = split.images.permute(0, 2, 3, 1).numpy()
        self.labels = split.labels.tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.arrays[index])), self.labels[index]


def loaders(data: ImageData, test: Split) -> tuple[DataLoader, DataLoader, DataLoader]:
    """Training, held-out and test images, the first of them augmented as in the tutorial."""
    plain = [transforms.ToTensor(), transforms.Normalize(data.mean.tolist(), data.std.tolist())]
    crop = transforms.RandomResizedCrop(SHAPE[1:], scale=(0.8, 1.0), ratio=(0.9, 1.1))
    augmented = transforms.Compose([transforms.RandomHorizontalFlip(), crop, *plain])
    train = PILImages(data.train, augmented)
    others = (PILImages(split, transforms.Compose(plain)) for split in (data.test, test))
    # The tiny form has less than one batch, which drop_last would drop for ever.
    size, workers = (BATCH_SIZE, WORKERS) if len(train) >= BATCH_SIZE else (len(train) // 4, 0)
    return (
        DataLoader(train, size, shuffle=True, drop_last=True, num_workers=workers),
        *(DataLoader(other, EVALUATION_BATCH, num_workers=workers) for other in others),
    )


@torch.no_grad()
def accuracy(network: nn.Module, loader: DataLoader) -> float:
    network.eval()
    correct = sum((network(images).argmax(1) == labels).sum().item() for images, labels in loader)
    network.train()
    return correct / len(loader.dataset)


def forever(loader: DataLoader) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from loader


def train_textbook(data: ImageData, test: Split, seconds: float) -> list[Row]:
    """The rows of the plain loop after so many seconds of training."""
    torch.manual_seed(0)
    network = textbook_network()
    cost = measured_sizes(network)
    train, held_out, unseen = loaders(data, test)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    batches, rows, images_seen, spent = forever(train), [], 0, 0.0
    while spent < seconds:
        until = min(spent + JUDGED_EVERY, seconds)
        started = time.perf_counter() - spent
        while spent < until:
            images, labels = next(batches)
            optimizer.zero_grad()
            loss = F.cross_entropy(network(images), labels)
            loss.backward()
            optimizer.step()
            images_seen += len(labels)
            spent = time.perf_counter() - started
        rows.append(
            {
                "contestant": "textbook",
                **cost,
                "epoch": round(images_seen / len(data.train), 2),
                "seconds": round(spent, 1),
                "images": images_seen,
                "validation_accuracy": round(accuracy(network, held_out), 4),
                "test_accuracy": None,
            }
        )
        print(rows[-1], flush=True)
    rows[-1]["test_accuracy"] = round(accuracy(network, unseen), 4)
    return rows


def epochs_within(seconds: float, value: Node, data: ImageData) -> int:
    """How many epochs fit, after the speed of a few steps."""
    few = replace(
        data,
        train=data.train.take(torch.arange(min(SPEED_IMAGES, len(data.train)))),
        test=data.test.take(torch.arange(1)),
    )
    history = fit(make_model(value, 0), few, replace(quick, epochs=2), device="cpu", progress=False)
    rate = history["images_per_second"].iloc[-1]
    return max(1, int(MARGIN * seconds * rate / len(data.train)))


def train_quick(data: ImageData, test: Split, seconds: float) -> list[Row]:
    """The rows of `fit` after so many seconds of training."""
    started = time.perf_counter()
    value = quick_network()
    epochs = epochs_within(seconds, value, data)
    model = make_model(value, 0)
    spent = time.perf_counter() - started
    history = fit(model, data, replace(quick, epochs=epochs), device="cpu")
    rows = [
        {
            "contestant": "quick",
            **sizes(value),
            "epoch": row.epoch,
            "seconds": round(spent + seconds, 1),
            "images": row.epoch * len(data.train),
            "validation_accuracy": round(row.test_accuracy, 4),
            "test_accuracy": None,
        }
        for row, seconds in zip(history.itertuples(), history["seconds"].cumsum(), strict=True)
    ]
    rows[-1]["test_accuracy"] = round(evaluate(model, test, data).accuracy, 4)
    return rows


CONTESTANTS = {"textbook": train_textbook, "quick": train_quick}


def main(arguments: list[str] | None = None) -> None:
    options = read_options(__doc__, arguments, {"minutes": 0.001}, minutes=20.0)
    data, test = load_images(options)
    formats = "float32 (textbook), " + ("bfloat16" if has_bf16(torch.device("cpu")) else "float32") + " (quick)"
    machine = {**this_machine("cpu", bf16=False, threads=torch.get_num_threads()), "format": formats}
    recording = Recording(NAME, options, describe_images(data, test), machine)
    keys = [{"contestant": contestant, "minutes": options.minutes} for contestant in CONTESTANTS]
    for run in recording.missing(keys):
        recording.add(run, *CONTESTANTS[run.key["contestant"]](data, test, 60 * options.minutes))


if __name__ == "__main__":
    main()
