"""Images a second of `fit` against the textbook loop, on the same network and images, in alternation.

    pytest tests/benchmarks/test_training_speed.py --time-bounds

The textbook loop is given what it is usually given: PIL transforms in a DataLoader, NCHW, float32, a loss read at each
step. It runs with its images decoded in the same process and in two worker processes; the faster of the two counts.
"""

import copy
import os
import statistics
import time

import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from course_lib.architecture import avg_pool, branches, build, conv, global_avg_pool, linear, max_pool, total
from course_lib.datasets import ImageData, Split
from course_lib.training import Recipe, fit, has_bf16

IMAGES, BATCH_SIZE, ROUNDS = 1280, 128, 5
SHAPE, CLASSES = (3, 32, 32), 10
BOUNDS = {"fit, bf16": 2.2, "fit, float32": 1.5}


def inception(width: int):
    return branches(
        conv(width, 1),
        conv(width // 2, 1) >> conv(width, 3),
        conv(width // 2, 1) >> conv(width, 3) >> conv(width, 3),
        avg_pool(3) >> conv(width, 1),
    )


NETWORK = (
    conv(64, 3) >> inception(32) >> max_pool(3, 2) >> inception(64) >> max_pool(3, 2) >> inception(96)
    >> global_avg_pool() >> linear(CLASSES)
)  # fmt: skip


def random_data() -> ImageData:
    generator = torch.Generator().manual_seed(0)

    def split(count: int) -> Split:
        images = torch.randint(0, 256, (count, *SHAPE), dtype=torch.uint8, generator=generator)
        return Split(images, torch.randint(0, CLASSES, (count,), generator=generator))

    return ImageData.from_splits("random", tuple(map(str, range(CLASSES))), split(IMAGES), split(16))


class PILDataset(Dataset):
    """One image at a time, as torchvision's data sets do it."""

    def __init__(self, data: ImageData) -> None:
        self.arrays = data.train.images.permute(0, 2, 3, 1).numpy()
        self.labels = data.train.labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4, padding_mode="reflect"),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(data.mean.tolist(), data.std.tolist()),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.arrays[index])), self.labels[index]


def textbook(model: nn.Module, data: ImageData, workers: int):
    """A function that trains one epoch and gives its images a second; workers stay alive between calls."""
    loader = DataLoader(PILDataset(data), BATCH_SIZE, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)

    def epoch() -> float:
        model.train()
        running_loss, correct, started = 0.0, 0, time.perf_counter()
        for images, labels in loader:
            optimizer.zero_grad()
            logits = model(images)
            loss = F.cross_entropy(logits, labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
            correct += (logits.argmax(1) == labels).sum().item()
        return IMAGES / (time.perf_counter() - started)

    return epoch


def course(model: nn.Module, data: ImageData, bf16: bool):
    recipe = Recipe(epochs=1, batch_size=BATCH_SIZE, warmup_epochs=0.5, pad=4)
    return lambda: fit(model, data, recipe, device="cpu", bf16=bf16)["images_per_second"].item()


def test_fit_against_the_textbook_loop(benchmark, pytestconfig, capsys):
    assert 65e6 < total(NETWORK, SHAPE).macs < 75e6
    data, model = random_data(), build(NETWORK, SHAPE[0])
    runs = {f"textbook, {workers} workers": textbook(copy.deepcopy(model), data, workers) for workers in (0, 2)}
    runs["fit, float32"] = course(copy.deepcopy(model), data, bf16=False)
    if has_bf16(torch.device("cpu")):
        runs["fit, bf16"] = course(copy.deepcopy(model), data, bf16=True)
    rates = {name: [] for name in runs}

    def one_round() -> None:
        for name, run in runs.items():
            rates[name].append(run())

    benchmark.pedantic(one_round, rounds=ROUNDS, warmup_rounds=1)
    rates = {name: measured[1:] for name, measured in rates.items()}  # the first round warms up
    by_the_book = [max(pair) for pair in zip(*(rates[name] for name in runs if "textbook" in name), strict=True)]
    ratios = {
        name: statistics.median(ours / theirs for ours, theirs in zip(rates[name], by_the_book, strict=True))
        for name in BOUNDS
        if name in runs
    }
    medians = {name: statistics.median(measured) for name, measured in rates.items()}
    benchmark.extra_info.update(images_per_second=medians, ratios=ratios, load=os.getloadavg()[0])
    with capsys.disabled():
        print(f"\n{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}, median of {ROUNDS} rounds")
        for name, rate in medians.items():
            ratio = f"{ratios[name]:.2f}x the textbook's" if name in ratios else ""
            print(f"{name:22}{rate:7.0f} images/s  {ratio}")
    if pytestconfig.getoption("--time-bounds"):
        for name, ratio in ratios.items():
            assert ratio >= BOUNDS[name], (
                f"{name}: {ratio:.2f}x the textbook loop; the course's bound is {BOUNDS[name]}x"
            )
