"""The state of a run, from which another process goes on as if the run had never stopped."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from functools import partial
from typing import Any

from torch import Tensor, nn

from course_lib.datasets import Split
from course_lib.training import distributed
from course_lib.training.checkpoint import CheckpointError, Checkpoints, DamagedCheckpointError, State
from course_lib.training.logs import HISTORY_COLUMNS
from course_lib.training.loop import EpochInWork, TrainingLoop
from course_lib.training.randomness import global_states, set_global_states

Identity = dict[str, Any]
IMAGES_PER_CHUNK = 256
# What checkpoints called it before.
RENAMED = {"recipe's epsilon": "recipe's optimizer_epsilon"}


def identify(loop: TrainingLoop) -> Identity:
    """What must agree for one run to go on where another stopped, by what a message calls it. Reads every image."""
    data = loop.data
    return {
        **{f"recipe's {name}": value for name, value in asdict(loop.recipe).items()},
        "data set": data.name,
        "number of training images": len(data.train),
        "number of test images": len(data.test),
        "image shape": list(data.train.images.shape[1:]),
        "list of classes": list(data.classes),
        "content of the training images": fingerprint(data.train),
        "content of the test images": fingerprint(data.test),
        "mean of the channels": [round(value, 5) for value in data.mean.tolist()],
        "standard deviation of the channels": [round(value, 5) for value in data.std.tolist()],
        "model": {name: list(value.shape) for name, value in loop.model.state_dict().items()},
        "layers": _layers(loop.model),
        **_settings(loop.model),
        "number format": "bfloat16" if loop.bf16 else "float32",
        "kind of device": loop.device.type,
        "number of processes": distributed.world_size(),
    }


def fingerprint(split: Split) -> str:
    """SHA-256 of the pixels and labels, wherever and in whatever memory format they lie."""
    digest = hashlib.sha256()
    for images in split.images.split(IMAGES_PER_CHUNK):
        digest.update(images.cpu().contiguous().numpy())
    digest.update(split.labels.cpu().numpy())
    return digest.hexdigest()


def _layers(model: nn.Module) -> dict[str, str]:
    """The kind of each of PyTorch's own layers, by its path."""
    modules = {path: type(module) for path, module in model.named_modules()}
    return {path: kind.__name__ for path, kind in modules.items() if kind.__module__.startswith("torch.nn.modules")}


def _settings(model: nn.Module) -> Identity:
    """What makes a network what it is beside its weights: the public arguments of its modules, such as a pool's kernel,
    a dropout's rate, or the weight of an auxiliary head. A module of the user's own may count in an attribute, so only
    PyTorch's and the course's are asked."""
    return {
        f"network's {path}.{name}": list(value) if isinstance(value, tuple) else value
        for path, module in model.named_modules()
        if type(module).__module__.startswith(("torch.nn.modules", "course_lib."))
        for name, value in vars(module).items()
        if not name.startswith("_") and name != "training" and _is_plain(value)
    }


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return isinstance(value, bool | int | float | str)


def take_state(loop: TrainingLoop, identity: Identity) -> State:
    """All that `restore` needs, as tensors and plain values. Of several processes, each has to call this."""
    return {
        "run": identity,
        "model": loop.model.state_dict(),
        "optimizer": loop.optimizer.state_dict(),
        "average": loop.average.state_dict() if loop.average else None,
        "generator": loop.generator.get_state(),
        "dropout": distributed.gather(global_states(loop.device)),
        "part": vars(loop.part) if loop.part else None,
        "history": loop.history,
    }


def resume(loop: TrainingLoop, store: Checkpoints, identity: Identity) -> bool:
    """Go on from the newest good checkpoint; whether there was one. Of several processes, each has to call this.

    Raises:
        CheckpointError: the checkpoints are of another run, or none is good.
    """
    first = distributed.rank() == 0
    state = store.latest(partial(restore, loop, identity)) if first else None
    state = distributed.from_first(state)
    if state and not first:
        restore(loop, identity, state)
    return state is not None


def restore(loop: TrainingLoop, identity: Identity, state: State) -> None:
    """Go on from a state: on one CPU the rest is, bit for bit, what it would have been without the stop.

    Raises:
        CheckpointError: the state is of another run; the message names the difference.
        DamagedCheckpointError: it is no state of a run; the loop may hold a part of it.
    """
    there = state.get("run")
    if not isinstance(there, dict) or "model" not in there:
        raise DamagedCheckpointError("holds no state of a run.")
    _check_identity(identity, {RENAMED.get(what, what): value for what, value in there.items()})
    try:
        _restore(loop, state)
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise DamagedCheckpointError(f"holds a state that cannot be used ({type(error).__name__}).") from error


def _restore(loop: TrainingLoop, state: State) -> None:
    history = state["history"]
    if not all(row.keys() >= set(HISTORY_COLUMNS) for row in history) or len(history) > loop.recipe.epochs:
        raise ValueError("history")
    loop.model.load_state_dict(state["model"])
    loop.optimizer.load_state_dict(state["optimizer"])
    for parameter, values in loop.optimizer.state.items():
        if any(isinstance(v, Tensor) and v.ndim and v.shape != parameter.shape for v in values.values()):
            raise ValueError("optimizer")
    if loop.average:
        loop.average.load_state_dict(state["average"])
    loop.generator.set_state(state["generator"])
    set_global_states(state["dropout"][distributed.rank()], loop.device)
    loop.part = _part(loop, state["part"]) if state["part"] else None
    loop.history = history


def _part(loop: TrainingLoop, saved: dict[str, Any]) -> EpochInWork:
    tensors = {name: saved[name].to(loop.device) for name in ("order", "losses", "correct")}
    part = EpochInWork(**{**saved, **tensors})
    order = part.order.sort().values.tolist()
    if order != list(range(len(loop.data.train))) or part.losses.shape != (loop.steps,):
        raise ValueError("part")
    if part.correct.ndim or not 0 <= part.step <= loop.steps or not part.seconds >= 0:
        raise ValueError("part")
    return part


def _check_identity(here: Identity, there: Identity) -> None:
    """Older checkpoints say less of their run: what they do not say cannot differ."""
    for what, new in here.items():
        old = there.get(what, new)
        if old == new:
            continue
        if what == "layers" and isinstance(old, dict):
            path = next(path for path in {**old, **new} if old.get(path) != new.get(path))
            what, old, new = f"network's layer {path}", old.get(path), new.get(path)
        values = f" ({old!r} there, {new!r} here)"
        raise CheckpointError(
            f"The checkpoint is of another run: the {what} differs{values if len(values) < 80 else ''}; train into "
            "another folder, or as then."
        )
