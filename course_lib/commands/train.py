"""`train`: train a network, and go on where an earlier run of the same command stopped."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from .images import MODEL_FILE, add_data_arguments, load_data, plain_errors
from .text import option

if TYPE_CHECKING:
    from course_lib.datasets import ImageData
    from course_lib.training import Recipe

EPILOG = """\
examples:
  python -m course_lib train small_inception --recipe quick --epochs 4 --out runs/first
  python -m course_lib train googlenet_cifar --data cifar10 --root ~/data --recipe sgd_cosine --out runs/cifar
  python -m course_lib train inception_v3 --aux --data voc_crops --root ~/data/VOCdevkit --image-size 299x299 \\
      --recipe adam_steps --set label_smoothing=0.1 --out runs/voc

The same command goes on from the last checkpoint of a run that was stopped, killed or out of power. A checkpoint is
written after each epoch, and after the step in work when the process gets the signal USR1 (kill -USR1 PID). In the
folder of --out are, at the end, model.pt for `evaluate` and `predict`, history.csv, and checkpoints/.

Several GPUs of one machine:
  torchrun --standalone --nproc-per-node 4 -m course_lib train ...
Several machines, the same on each, and --out on a disk that the first one sees:
  torchrun --nnodes 2 --nproc-per-node 4 --rdzv-backend c10d --rdzv-endpoint FIRST_MACHINE:29500 -m course_lib train ...
The batch size is that of all processes together."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declares the sub-command."""
    parser = subparsers.add_parser(
        "train",
        help="train a network; the same command goes on with a stopped run",
        description="Train a network of the family and judge it after each epoch on the test images.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="one of the names that `python -m course_lib models` lists")
    parser.add_argument("--aux", action="store_true", help="with the auxiliary heads")
    parser.add_argument(
        "--option", action="append", type=option, default=[], metavar="NAME=VALUE",
        help="an option of the network, such as width=32; may be repeated",
    )  # fmt: skip
    add_data_arguments(parser)
    parser.add_argument(
        "--hold-out", type=int, metavar="N", help="judge on N training images, left out of training, not on test images"
    )
    parser.add_argument(
        "--recipe", default="quick", metavar="NAME", help="quick (default), sgd_cosine, adam_steps or szegedy_2016"
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="passes over the training images; default the recipe's")
    parser.add_argument(
        "--batch-size", type=int, metavar="N",
        help="images a step; the learning rate is scaled by the same factor, or, with adam, by its square root",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of weights and training; default 0")
    parser.add_argument(
        "--set", action="append", type=option, default=[], metavar="FIELD=VALUE",
        help="any other field of the recipe, such as learning_rate=0.05; may be repeated",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the run writes its files")
    parser.add_argument("--tensorboard", action="store_true", help="also write TensorBoard's scalars to FOLDER/events")
    parser.add_argument("--device", metavar="DEVICE", help="cpu, cuda, mps; default the fastest there is")
    parser.add_argument("--float32", action="store_true", help="not bfloat16, where the hardware has it")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Trains, and saves the model."""
    from course_lib.training.distributed import process_group

    recipe = _recipe(arguments)
    with plain_errors(), process_group():
        data = load_data(arguments)
        _train(arguments, recipe, data.hold_out(arguments.hold_out) if arguments.hold_out is not None else data)


def _train(arguments: argparse.Namespace, recipe: Recipe, data: ImageData) -> None:
    import torch

    from course_lib.models import create_model
    from course_lib.training import Checkpoints, fit
    from course_lib.training.distributed import rank
    from course_lib.training.saved_model import SavedModel

    options, out = dict(arguments.option), arguments.out
    torch.manual_seed(recipe.seed)
    channels = data.train.images.shape[1]
    model = create_model(arguments.model, len(data.classes), arguments.aux, in_channels=channels, **options)
    store = Checkpoints(out / "checkpoints")
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, lambda *_: store.request())
    history = fit(
        model,
        data,
        recipe,
        device=arguments.device,
        bf16=False if arguments.float32 else None,
        checkpoints=store,
        csv=out / "history.csv",
        tensorboard=out / "events" if arguments.tensorboard else None,
    )
    if len(history) < recipe.epochs:
        raise SystemExit(130)  # fit has said that it was interrupted
    if rank() == 0:
        SavedModel.of(model, arguments.aux, options, data).save(out / MODEL_FILE)
        last = history.iloc[-1]
        judged = "test" if arguments.hold_out is None else "held-out"
        print(f"{judged} accuracy {last.test_accuracy:.2%}, loss {last.test_loss:.4f}; saved {out / MODEL_FILE}")


def _recipe(arguments: argparse.Namespace) -> Recipe:
    from dataclasses import fields, replace

    from course_lib.training import RECIPES

    if arguments.recipe not in RECIPES:
        raise ValueError(f"there is no recipe {arguments.recipe!r}; the recipes are {', '.join(RECIPES)}.")
    recipe = RECIPES[arguments.recipe]
    if arguments.batch_size is not None:
        recipe = recipe.at_batch_size(arguments.batch_size)
    changes = {"epochs": recipe.epochs if arguments.epochs is None else arguments.epochs, "seed": arguments.seed}
    known = [field.name for field in fields(recipe) if field.name not in (*changes, "batch_size")]
    for name, value in arguments.set:
        if name not in known:
            raise ValueError(f"--set knows no field {name!r}; the fields are {', '.join(known)}.")
        changes[name] = value
    return replace(recipe, **changes)
