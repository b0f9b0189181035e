"""The training loop: `fit` runs the epochs, whose steps `Run` takes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch
from torch import nn
from tqdm.auto import tqdm

from course_lib.datasets import ImageData
from course_lib.recipes import Recipe
from course_lib.training import distributed
from course_lib.training.checkpoint import Checkpoints
from course_lib.training.logs import HistoryLog, history_table
from course_lib.training.loop import DivergedError, Run
from course_lib.training.machine import default_device
from course_lib.training.randomness import own_randomness
from course_lib.training.resuming import restore, take_state


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
            then those of auxiliary heads).
        data: moved to the device once, as uint8, and must fit there.
        recipe: how to train.
        device: where; default is CUDA, else MPS, else the CPU.
        bf16: run forward in bfloat16 (parameters stay float32); None is yes where the hardware has it.
        progress: show a bar, in a notebook or a terminal.
        checkpoints: a folder of this run's own. A checkpoint is written there after each epoch and when
            `Checkpoints.request` asks; a run that finds one goes on from it, and on a CPU ends bit for bit as if it had
            never stopped.
        csv: file to write the history to after each epoch.
        tensorboard: folder to write the history to after each epoch, as TensorBoard's scalars.

    Returns:
        One row an epoch. `train_loss` (label smoothing and auxiliary heads included) and `train_accuracy` are means
        over the epoch's steps, on augmented images, while the model changes; `test_loss` and `test_accuracy` are
        `evaluate`'s. `learning_rate` is the last step's. `seconds` and `images_per_second` time the training steps.

    Raises:
        DivergedError: the loss is NaN or infinite; found at the end of the epoch, so that no step waits for a check.
        CheckpointError: `checkpoints` holds those of another run, or none that is good.
        ValueError: the model's output does not fit the classes, or `pad` not the images.
    """
    run = Run(model, data, recipe, torch.device(device) if device else default_device(), bf16)
    first = distributed.rank() == 0
    store = checkpoints if isinstance(checkpoints, Checkpoints) or not checkpoints else Checkpoints(checkpoints)
    log = HistoryLog(csv, tensorboard) if first else HistoryLog(None, None)
    bar = tqdm(total=recipe.epochs * run.steps, unit="step", disable=not (progress and first))

    def save() -> None:
        state = take_state(run)
        if first:
            store.save(state, *run.position)

    def after_step() -> None:
        bar.update()
        if store and store.requested and distributed.world_size() == 1:
            save()

    with own_randomness(recipe.seed + distributed.rank()), bar:
        try:
            if store and (state := distributed.from_first(store.latest() if first else None)):
                restore(run, state)
                bar.update(run.position[0] * run.steps + run.position[1])
            while len(run.history) < recipe.epochs:
                row = run.epoch(after_step)
                bar.set_postfix_str(f"test accuracy {row['test_accuracy']:.1%}")
                log.write(run.history)
                if store:
                    save()
        except DivergedError as error:
            error.history = history_table(run.history)
            raise
        except KeyboardInterrupt:
            bar.write(
                f"Interrupted after {len(run.history)} of {recipe.epochs} epochs; the model keeps what it has learned."
            )
        finally:
            run.finish()
            log.close()
    return history_table(run.history)
