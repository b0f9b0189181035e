"""`train`: train a network, and go on where an earlier run of the same command stopped."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
from typing import TYPE_CHECKING

from course_lib.errors import CourseError

from .data_arguments import add_data_arguments, load_data
from .saved_models import save_model
from .text import option, path

if TYPE_CHECKING:
    from course_lib.datasets import ImageData
    from course_lib.training import Checkpoints, Recipe

EPILOG = """\
examples:
  python -m course_lib train small_inception --recipe quick --epochs 4 --out runs/first
  python -m course_lib train googlenet_cifar --data cifar10 --root ~/data --recipe sgd_cosine --out runs/cifar
  python -m course_lib train inception_v3 --aux --data voc_crops --root ~/data/VOCdevkit --image-size 299x299 \\
      --recipe adam_steps --set label_smoothing=0.1 --out runs/voc

The same command goes on from the last checkpoint of a run that was stopped, killed or out of power; another network,
recipe, number format (--float32) or other images are refused. A checkpoint is written after each epoch, and after the
step in work when the process gets the signal USR1 (kill -USR1 PID). In the folder of --out, which one process at a time
has, are, at the end, model.pt for `evaluate` and `predict`, history.csv, and checkpoints/.

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
    parser.add_argument("--out", type=path, required=True, metavar="FOLDER", help="where the run writes its files")
    parser.add_argument("--tensorboard", action="store_true", help="also write TensorBoard's scalars to FOLDER/events")
    parser.add_argument("--device", metavar="DEVICE", help="cpu, cuda, mps; default the fastest there is")
    parser.add_argument("--float32", action="store_true", help="not bfloat16, where the hardware has it")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Trains, and saves the model. What can be refused is refused before the images are read."""
    from course_lib.files import folder_lock
    from course_lib.training import Checkpoints
    from course_lib.training.distributed import process_group, rank
    from course_lib.training.machine import find_device

    recipe = _recipe(arguments)
    find_device(arguments.device)
    _check_network(arguments)
    store = Checkpoints(arguments.out / "checkpoints")
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, lambda *_: store.request())
    with process_group(), folder_lock(arguments.out) if rank() == 0 else contextlib.nullcontext():
        data = load_data(arguments)
        held_out = arguments.hold_out is not None
        _train(arguments, recipe, data.hold_out(arguments.hold_out) if held_out else data, store)


def _check_network(arguments: argparse.Namespace) -> None:
    """ValueError for a name or an option that is none, or for more parameters than the machine's memory holds."""
    import torch

    from course_lib.architecture import build
    from course_lib.models import network

    value = network(arguments.model, 2, arguments.aux, **dict(arguments.option))
    try:
        with torch.device("meta"):
            parameters = sum(parameter.numel() for parameter in build(value, 3).parameters())
    except (OverflowError, RuntimeError, ValueError):  # torch's, of sizes beyond 64 bits
        parameters = 2**63
    # As many gradients as weights, and at least one number more for each in optimizer or average.
    if parameters * 4 * 3 > _memory():
        raise CourseError(
            f"{arguments.model} with these options has {parameters:,} parameters, too many to train in this machine's "
            f"memory of {_memory() / 2**30:.0f} GiB; choose smaller options."
        )


def _memory() -> float:
    """Bytes of the machine's memory; infinite where it does not say."""
    names = ("SC_PAGE_SIZE", "SC_PHYS_PAGES")
    if not hasattr(os, "sysconf") or not all(name in os.sysconf_names for name in names):
        return float("inf")
    page, pages = map(os.sysconf, names)
    return page * pages


def _train(arguments: argparse.Namespace, recipe: Recipe, data: ImageData, store: Checkpoints) -> None:
    import torch

    from course_lib.models import create_model
    from course_lib.training import fit
    from course_lib.training.distributed import rank
    from course_lib.training.saved_model import SavedModel

    options, out = dict(arguments.option), arguments.out
    torch.manual_seed(recipe.seed)
    channels = data.train.images.shape[1]
    model = create_model(arguments.model, len(data.classes), arguments.aux, in_channels=channels, **options)
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
        saved = save_model(SavedModel.of(model, arguments.aux, options, data), out)
        last = history.iloc[-1]
        judged = "test" if arguments.hold_out is None else "held-out"
        print(f"{judged} accuracy {last.test_accuracy:.2%}, loss {last.test_loss:.4f}; saved {saved}")


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
