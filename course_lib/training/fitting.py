"""`fit`: train a model by a recipe, epoch by epoch, with logs and checkpoints."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pandas as pd
import torch
from torch import nn
from tqdm.auto import tqdm

from course_lib.datasets import ImageData
from course_lib.files import folder_lock
from course_lib.recipes import Recipe
from course_lib.training import distributed
from course_lib.training.checkpoint import Checkpoints
from course_lib.training.logs import HistoryLog, epoch_table
from course_lib.training.loop import DivergedError, TrainingLoop
from course_lib.training.machine import find_device
from course_lib.training.randomness import own_randomness
from course_lib.training.resuming import identify, resume, take_state


def fit(
    model: nn.Module,
    data: ImageData,
    recipe: Recipe,
    *,
    device: torch.device | str | None = None,
    bf16: bool | None = None,
    progress: bool = True,
    checkpoints: Checkpoints | str | Path | None = None,
    csv: str | Path | None = None,
    tensorboard: str | Path | None = None,
) -> pd.DataFrame:
    """Train a model in place, moved to `device` and left there in channels_last and eval mode.

    The same model, data and recipe give the same history on one machine, times apart; on a GPU as far as PyTorch's
    kernels do. Random numbers come from `recipe.seed` alone; PyTorch's global generators (CPU and CUDA) are afterwards
    as before. Interrupting the run (Ctrl-C, or the notebook's stop button) ends it with a note: the history has the
    finished epochs, and the model keeps what it has learned.

    Under `distributed.process_group` each batch is shared among the processes, and all get the same history.

    Args:
        model: takes float32 (N, C, H, W), gives logits (N, classes); in training it may give a named tuple (logits,
            then those of auxiliary heads). Its parameters are float32. Of a part whose parameters are frozen by
            `requires_grad_(False)` batch norms still measure the images; `course_lib.models.freeze` stops that, too.
        data: moved to the device once, as uint8, and must fit there.
        recipe: how to train.
        device: where; default is CUDA, else MPS, else the CPU.
        bf16: run forward in bfloat16 (parameters stay float32); None is yes where the hardware has it.
        progress: show a bar, in a notebook or a terminal.
        checkpoints: a folder of this run's own. A checkpoint is written there after each epoch and when
            `Checkpoints.request` asks; a run that finds one goes on from it, and on a CPU ends bit for bit as if it had
            never stopped. No other process may have the folder meanwhile.
        csv: file to write the history to after each epoch. A leading ~ is the home folder, here and below.
        tensorboard: folder to write the history to after each epoch, as TensorBoard's scalars.

    Returns:
        One row an epoch. `train_loss` (label smoothing and auxiliary heads included) and `train_accuracy` are means
        over the epoch's steps, on augmented images, while the model changes; `test_loss` and `test_accuracy` are
        `evaluate`'s. `learning_rate` is the last step's. `seconds` and `images_per_second` time the training steps.

    Raises:
        DivergedError: the loss is NaN or infinite, of training or of the test images; found at the end of the epoch, so
            that no step waits for a check.
        CheckpointError: `checkpoints` holds those of another run, or none that is good. A run is another if network,
            recipe, number format, images or their normalisation differ.
        CourseError: before the first step: a folder cannot be written or belongs to another process, there is no such
            device, nothing of the model can be trained, its parameters are not float32, a channel cannot be
            normalised, or a batch, or a process's share of one, is too small for the model's batch norm.
        ValueError: the model's output does not fit the classes, or `pad` not the images.
    """
    first = distributed.rank() == 0
    store = checkpoints if isinstance(checkpoints, Checkpoints) or not checkpoints else Checkpoints(checkpoints)
    log = HistoryLog(csv, tensorboard) if first else HistoryLog(None, None)
    log.check()
    with contextlib.ExitStack() as within:
        if store and first:
            within.enter_context(folder_lock(store.folder))
        loop = TrainingLoop(model, data, recipe, find_device(device), bf16)
        within.enter_context(own_randomness(recipe.seed + distributed.rank()))
        bar = tqdm(total=recipe.epochs * loop.steps, unit="step", disable=not (progress and first))
        within.enter_context(bar)
        try:
            _run_epochs(loop, store, log, bar)
        except DivergedError as error:
            error.history = epoch_table(loop.history)
            raise
        except KeyboardInterrupt:
            bar.write(
                f"Interrupted after {len(loop.history)} of {recipe.epochs} epochs; the model keeps what it has learned."
            )
        finally:
            loop.finish()
            log.close()
    return epoch_table(loop.history)


def _run_epochs(loop: TrainingLoop, store: Checkpoints | None, log: HistoryLog, bar: tqdm) -> None:
    """The epochs that are missing after the newest checkpoint."""
    identity = identify(loop) if store else {}

    def save() -> None:
        state = take_state(loop, identity)
        if distributed.rank() == 0:
            store.save(state, *loop.position)

    def after_step() -> None:
        bar.update()
        if store and store.requested and distributed.world_size() == 1:
            save()

    if store and resume(loop, store, identity):
        bar.update(loop.position[0] * loop.steps + loop.position[1])
    while len(loop.history) < loop.recipe.epochs:
        row = loop.epoch(after_step)
        bar.set_postfix_str(f"test accuracy {row['test_accuracy']:.1%}")
        log.write(loop.history)
        if store:
            save()
