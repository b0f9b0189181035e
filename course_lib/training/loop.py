"""The loop of steps: a model in training, what its epochs share, and the steps they take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice

import pandas as pd
import torch
from torch import Tensor, nn

from course_lib.architecture.building import AuxiliaryModule
from course_lib.datasets import ImageData, Split
from course_lib.errors import CourseError
from course_lib.recipes import Recipe
from course_lib.training import distributed
from course_lib.training.augment import Moves, draw_moves, move, normalize
from course_lib.training.averaging import average_weights
from course_lib.training.checks import check_batch_norm, check_model, check_normalization, check_shares
from course_lib.training.evaluation import Evaluation, check_logits, evaluate
from course_lib.training.logs import Row
from course_lib.training.losses import LabelSmoothingLoss, auxiliary_loss
from course_lib.training.machine import autocast, has_bf16
from course_lib.training.optimizers import make_optimizer


class DivergedError(CourseError, ArithmeticError):
    """The loss became NaN or infinite. `history` holds the epochs finished before; the model's weights are spoilt."""

    history: pd.DataFrame


@dataclass
class EpochInWork:
    """The part of an epoch that is done.

    Attributes:
        order: int64, shape (images,): the training images in this epoch's order.
        losses: float32, shape (steps,): of the steps done; 0 of the others.
        correct: images classified right, float32, no dimensions.
        step: steps done.
        seconds: spent on them.
    """

    order: Tensor
    losses: Tensor
    correct: Tensor
    step: int = 0
    seconds: float = 0.0


class TrainingLoop:
    """A model in training: the data on its device, the optimizer and the generator of shuffling and augmentation.

    Attributes:
        history: one row for each finished epoch.
        part: the epoch in work, if one is.
    """

    def __init__(
        self, model: nn.Module, data: ImageData, recipe: Recipe, device: torch.device, bf16: bool | None
    ) -> None:
        self.steps = math.ceil(len(data.train) / recipe.batch_size)
        check_model(model)
        check_normalization(data)
        check_shares(data, self.steps)
        self.model = model.to(device, memory_format=torch.channels_last)
        self.data, self.recipe, self.device = _on_device(data, device), recipe, device
        self.bf16 = has_bf16(device) if bf16 is None else bf16
        check_batch_norm(self.model, self.data, self.steps)
        self.forward = distributed.replicate(self.model)
        self.criterion = LabelSmoothingLoss(len(data.classes), recipe.label_smoothing).to(device)
        self.aux_weight = head_weights(model) if recipe.aux_weight is None else recipe.aux_weight
        self.optimizer = make_optimizer(recipe, model.parameters())
        self.average = average_weights(self.model, recipe.ema_decay) if recipe.ema_decay else None
        self.generator = torch.Generator(device).manual_seed(recipe.seed)
        self.history: list[Row] = []
        self.part: EpochInWork | None = None

    def epoch(self, after_step: Callable[[], None]) -> Row:
        """One pass over the training images in a new order, or the rest of one, then a look at the test images."""
        part = self.part = self.part or self._new_epoch()
        self.forward.train()
        count, started = len(self.data.train), time.perf_counter() - part.seconds
        # Sums stay on the device: reading them with .item() would make every step wait for the GPU.
        for step, batch in islice(enumerate(part.order.tensor_split(self.steps)), part.step, None):
            part.losses[step], hits = self.step(batch, self.learning_rate(step))
            part.correct += hits
            part.step, part.seconds = step + 1, time.perf_counter() - started
            after_step()
        losses = distributed.add_up(part.losses).cpu()
        accuracy = distributed.add_up(part.correct).item() / count
        seconds = time.perf_counter() - started
        self._check_finite(losses)
        test = self._evaluate(self.data.test)
        if not math.isfinite(test.loss):
            raise self._diverged(f"The loss is {test.loss} on the test images after", self.steps - 1)
        row = {
            "epoch": len(self.history) + 1,
            "train_loss": losses.mean().item(),
            "train_accuracy": accuracy,
            "test_loss": test.loss,
            "test_accuracy": test.accuracy,
            "learning_rate": self.learning_rate(self.steps - 1),
            "seconds": seconds,
            "images_per_second": count / seconds,
        }
        self.history.append(row)
        self.part = None
        return row

    def step(self, batch: Tensor, learning_rate: float) -> tuple[Tensor, Tensor]:
        """One update from the images of these indices, of which each process takes its share; gives this share's part
        of the batch's mean loss and how many were right, as 0-d tensors."""
        recipe, data, own = self.recipe, self.data, distributed.share(batch)
        images, labels = self._augmented(batch, own), data.train.labels[own]
        with autocast(self.device, self.bf16):
            outputs = self.forward(normalize(images, data.mean, data.std))
        logits = getattr(outputs, "logits", outputs)
        check_logits(logits, len(data.classes))
        loss = auxiliary_loss(outputs, labels, self.criterion, self.aux_weight) * (len(own) / len(batch))
        self.optimizer.zero_grad()
        # The processes' gradients are averaged, but the shares' parts of the loss add up.
        (loss * distributed.world_size()).backward()
        if recipe.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        if self.average:
            self.average.update_parameters(self.model)
        return loss.detach(), (logits.argmax(1) == labels).sum()

    def learning_rate(self, step: int) -> float:
        """The recipe's rate in the middle of the step: neither the first nor the last is wasted on a rate of 0."""
        return self.recipe.learning_rate_at(len(self.history) + (step + 0.5) / self.steps)

    def finish(self) -> None:
        """Leave the model in eval mode, and with the average of its weights where the recipe asks for one."""
        if self.average and self.average.n_averaged:
            self.model.load_state_dict(self.average.module.state_dict())
        self.model.eval()

    @property
    def position(self) -> tuple[int, int]:
        """Finished epochs, and steps of the next."""
        return len(self.history), self.part.step if self.part else 0

    def _augmented(self, batch: Tensor, own: Tensor) -> Tensor:
        """This process's share of a batch. Moves are drawn for all of it, so that any number of processes together
        sees the images that one would."""
        images = self.data.train.images
        moves = draw_moves((len(batch), *images.shape[1:]), self.recipe.pad, self.recipe.flip, self.generator)
        if moves:
            moves = Moves(*map(distributed.share, moves))
        return move(images[own], moves)

    def _new_epoch(self) -> EpochInWork:
        order = torch.randperm(len(self.data.train), generator=self.generator, device=self.device)
        return EpochInWork(order, torch.zeros(self.steps, device=self.device), torch.zeros((), device=self.device))

    def _evaluate(self, split: Split) -> Evaluation:
        """`evaluate`, each process on its share of the images."""
        model = self.average.module if self.average else self.model
        distributed.share_buffers(model)
        own = Split(distributed.share(split.images), distributed.share(split.labels))
        result = evaluate(model, own, self.data, bf16=self.bf16)
        if distributed.world_size() == 1:
            return result
        weighted = torch.tensor(result, device=self.device) * (len(own) / len(split))
        return Evaluation(*distributed.add_up(weighted).tolist())

    def _check_finite(self, losses: Tensor) -> None:
        bad = (~losses.isfinite()).nonzero()
        if not len(bad):
            return
        step = int(bad[0])
        raise self._diverged(f"The loss is {losses[step].item()} at step {step + 1} of", step)

    def _diverged(self, what: str, step: int) -> DivergedError:
        """The images are finite, as `check_normalization` sees to: what can be changed is how they are learned."""
        return DivergedError(
            f"{what} epoch {len(self.history) + 1}, learning rate {self.learning_rate(step):.3g}; try "
            f"learning_rate={self.recipe.learning_rate / 10:.3g}, a longer warm-up, or batch norm in the model."
        )


def head_weights(model: nn.Module) -> dict[str, float]:
    """The weight that a built network's value gives the loss of each auxiliary head, by the head's name. The network
    may be wrapped, as by `torch.compile` or DataParallel."""
    parts = model.named_modules()
    return {path.rpartition(".")[2]: part.weight for path, part in parts if isinstance(part, AuxiliaryModule)}


def _on_device(data: ImageData, device: torch.device) -> ImageData:
    """The data on the device, its images in channels_last; no copy of what is so already."""

    def move_split(split: Split) -> Split:
        images = split.images.to(device).contiguous(memory_format=torch.channels_last)
        return Split(images, split.labels.to(device))

    train, test = move_split(data.train), move_split(data.test)
    return replace(data, train=train, test=test, mean=data.mean.to(device), std=data.std.to(device))
