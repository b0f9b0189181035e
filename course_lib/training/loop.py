"""The training loop: `fit` runs the epochs, `_Run` holds what they share and takes the steps."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import replace

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from course_lib.datasets import ImageData, Split
from course_lib.training.augment import augment, normalize
from course_lib.training.evaluation import check_logits, evaluate
from course_lib.training.machine import autocast, default_device
from course_lib.training.recipe import Recipe

HISTORY_COLUMNS = (
    *("epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy"),
    *("learning_rate", "seconds", "images_per_second"),
)


class DivergedError(ArithmeticError):
    """The loss became NaN or infinite. `history` holds the epochs finished before; the model's weights are spoilt."""

    history: pd.DataFrame


def fit(
    model: nn.Module,
    data: ImageData,
    recipe: Recipe,
    *,
    device: torch.device | str | None = None,
    bf16: bool | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train a model in place, moved to `device` and left there in channels_last and eval mode.

    The same model, data and recipe give the same history on one machine, times apart; on a GPU as far as PyTorch's
    kernels do. Random numbers come from `recipe.seed` alone; PyTorch's global generators (CPU and CUDA) are afterwards
    as before. Interrupting the run (Ctrl-C, or the notebook's stop button) ends it with a note: the history has the
    finished epochs, and the model keeps what it has learned.

    Args:
        model: takes float32 (N, C, H, W), gives logits (N, classes).
        data: moved to the device once, as uint8, and must fit there.
        recipe: how to train.
        device: where; default is CUDA, else MPS, else the CPU.
        bf16: run forward in bfloat16 (parameters stay float32); None is yes where the hardware has it.
        progress: show a bar, in a notebook or a terminal.

    Returns:
        One row an epoch. `train_loss` (label smoothing included) and `train_accuracy` are means over the epoch's
        steps, on augmented images, while the model changes; `test_loss` and `test_accuracy` are `evaluate`'s.
        `learning_rate` is the last step's. `seconds` and `images_per_second` time the training steps alone.

    Raises:
        DivergedError: the loss is NaN or infinite; found at the end of the epoch, so that no step waits for a check.
        ValueError: the model's output does not fit the classes, or `pad` not the images.
    """
    run = _Run(model, data, recipe, torch.device(device) if device else default_device(), bf16)
    history = []
    with _own_randomness(recipe.seed), tqdm(total=recipe.epochs * run.steps, unit="step", disable=not progress) as bar:
        try:
            for epoch in range(recipe.epochs):
                train = run.epoch(epoch, bar)
                test = evaluate(model, run.data.test, run.data, bf16=bf16)
                history.append({"epoch": epoch + 1, **train, "test_loss": test.loss, "test_accuracy": test.accuracy})
                bar.set_postfix_str(f"test accuracy {test.accuracy:.1%}")
        except DivergedError as error:
            error.history = _table(history)
            raise
        except KeyboardInterrupt:
            bar.write(
                f"Interrupted after {len(history)} of {recipe.epochs} epochs; the model keeps what it has learned."
            )
        finally:
            model.eval()
    return _table(history)


class _Run:
    """A model in training: the data on its device, the optimizer and the generator of shuffling and augmentation."""

    def __init__(
        self, model: nn.Module, data: ImageData, recipe: Recipe, device: torch.device, bf16: bool | None
    ) -> None:
        self.model = model.to(device, memory_format=torch.channels_last)
        self.data, self.recipe, self.device, self.bf16 = _on_device(data, device), recipe, device, bf16
        self.optimizer = recipe.make_optimizer(model.parameters())
        self.generator = torch.Generator(device).manual_seed(recipe.seed)
        self.steps = math.ceil(len(data.train) / recipe.batch_size)

    def epoch(self, epoch: int, bar: tqdm) -> dict[str, float]:
        """One pass over the training images in a new order; gives the training columns of the history."""
        started = time.perf_counter()
        self.model.train()
        count = len(self.data.train)
        order = torch.randperm(count, generator=self.generator, device=self.device)
        # Sums stay on the device: reading them with .item() would make every step wait for the GPU.
        losses, correct = torch.zeros(self.steps, device=self.device), torch.zeros((), device=self.device)
        for step, batch in enumerate(order.tensor_split(self.steps)):
            learning_rate = self.learning_rate(epoch, step)
            losses[step], hits = self.step(batch, learning_rate)
            correct += hits
            bar.update()
        losses, accuracy = losses.cpu(), correct.item() / count
        seconds = time.perf_counter() - started
        self._check_finite(losses, epoch)
        return {
            "train_loss": losses.mean().item(),
            "train_accuracy": accuracy,
            "learning_rate": learning_rate,
            "seconds": seconds,
            "images_per_second": count / seconds,
        }

    def step(self, batch: Tensor, learning_rate: float) -> tuple[Tensor, Tensor]:
        """One update from the images of these indices; gives the loss and how many were right, as 0-d tensors."""
        recipe, data, labels = self.recipe, self.data, self.data.train.labels[batch]
        images = augment(data.train.images[batch], recipe.pad, recipe.flip, self.generator)
        with autocast(self.device, self.bf16):
            logits = self.model(normalize(images, data.mean, data.std))
        check_logits(logits, len(data.classes))
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        return loss.detach(), (logits.argmax(1) == labels).sum()

    def learning_rate(self, epoch: int, step: int) -> float:
        """The recipe's rate in the middle of the step: neither the first nor the last is wasted on a rate of 0."""
        return self.recipe.learning_rate_at(epoch + (step + 0.5) / self.steps)

    def _check_finite(self, losses: Tensor, epoch: int) -> None:
        bad = (~losses.isfinite()).nonzero()
        if not len(bad):
            return
        step = int(bad[0])
        raise DivergedError(
            f"The loss is {losses[step].item()} at step {step + 1} of epoch {epoch + 1}, learning rate "
            f"{self.learning_rate(epoch, step):.3g}; try learning_rate={self.recipe.learning_rate / 10:.3g}, "
            "a longer warm-up, or batch norm in the model."
        )


@contextlib.contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """PyTorch's global generators seeded within, for dropout, which takes no generator of its own; put back after."""
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def _on_device(data: ImageData, device: torch.device) -> ImageData:
    """The data on the device, its images in channels_last; no copy of what is so already."""

    def move(split: Split) -> Split:
        images = split.images.to(device).contiguous(memory_format=torch.channels_last)
        return Split(images, split.labels.to(device))

    train, test = move(data.train), move(data.test)
    return replace(data, train=train, test=test, mean=data.mean.to(device), std=data.std.to(device))


def _table(history: list[dict[str, float]]) -> pd.DataFrame:
    return pd.DataFrame(history, columns=HISTORY_COLUMNS)
