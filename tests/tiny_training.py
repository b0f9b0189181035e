"""A data set and a network of milliseconds, and a run of them that a test may kill."""

import threading
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from torch import nn
from tqdm.auto import tqdm

from course_lib.datasets import ImageData, Split
from course_lib.training import Checkpoints, Recipe, fit

# All that has a state of its own: momentum, augmentation, dropout (in the network), an average of the weights.
KILLED_RECIPE = Recipe(epochs=6, batch_size=16, pad=1, ema_decay=0.9, clip_norm=1.0, label_smoothing=0.1)


def two_classes(train: int = 96, test: int = 40, channels: int = 1) -> ImageData:
    """8x8 images, the upper half bright in class 0 and the lower half in class 1."""

    def split(count: int, seed: int) -> Split:
        images = torch.randint(0, 100, (count, channels, 8, 8), generator=torch.Generator().manual_seed(seed))
        labels = torch.arange(count) % 2
        images[labels == 0, :, :4] += 150
        images[labels == 1, :, 4:] += 150
        return Split(images.to(torch.uint8), labels)

    return ImageData.from_splits("two halves", ("upper", "lower"), split(train, 0), split(test, 1))


def small_network(channels: int = 1, seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(channels, 16, 3, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, stride=2, bias=False),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(16 * 9, 2),
        )


def run_to_be_killed(folder: Path, begun: Connection) -> None:
    """Train with checkpoints in `folder`, after each epoch and after each fourth step; leave `result.pt` in it.

    Once there is a checkpoint, first weights differ from call to call: a run that goes on has to take its own from it.
    """
    torch.set_num_threads(1)
    tqdm.set_lock(threading.RLock())  # its own one is a semaphore of the system's, which a killed process leaves
    folder.mkdir(exist_ok=True)
    begun.send(True)
    store = Checkpoints(folder)
    model = small_network(seed=torch.seed() if store.paths() else 0)
    steps = []

    def request(*_) -> None:
        if model.training:
            steps.append(1)
            if len(steps) % 4 == 0:
                store.request()

    model.register_forward_hook(request)
    history = fit(model, two_classes(), KILLED_RECIPE, checkpoints=store, csv=folder / "history.csv", progress=False)
    torch.save({"weights": model.state_dict(), "history": history.to_dict("list")}, folder / "result.pt")
