"""The state of a run, from which another process goes on as if the run had never stopped."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from course_lib.training import distributed
from course_lib.training.checkpoint import CheckpointError, State
from course_lib.training.loop import EpochInWork, Run
from course_lib.training.randomness import global_states, set_global_states


def take_state(run: Run) -> State:
    """All that `restore` needs, as tensors and plain values. Of several processes, each has to call this."""
    return {
        "run": _identity(run),
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "average": run.average.state_dict() if run.average else None,
        "generator": run.generator.get_state(),
        "dropout": distributed.gather(global_states(run.device)),
        "part": vars(run.part) if run.part else None,
        "history": run.history,
    }


def restore(run: Run, state: State) -> None:
    """Go on from a state: on one CPU the rest is, bit for bit, what it would have been without the stop.

    Raises:
        CheckpointError: the state is of another run; the message names the difference.
    """
    _check_identity(_identity(run), state["run"])
    run.model.load_state_dict(state["model"])
    run.optimizer.load_state_dict(state["optimizer"])
    if run.average:
        run.average.load_state_dict(state["average"])
    run.generator.set_state(state["generator"])
    set_global_states(state["dropout"][distributed.rank()], run.device)
    if state["part"]:
        part = state["part"]
        run.part = EpochInWork(
            **{**part, **{name: part[name].to(run.device) for name in ("order", "losses", "correct")}}
        )
    run.history = state["history"]


def _identity(run: Run) -> dict[str, Any]:
    """What must agree for one run to go on where another stopped."""
    data = run.data
    return {
        **{f"recipe's {name}": value for name, value in asdict(run.recipe).items()},
        "data set": data.name,
        "number of training images": len(data.train),
        "number of test images": len(data.test),
        "image shape": list(data.train.images.shape[1:]),
        "list of classes": list(data.classes),
        "model": {name: list(value.shape) for name, value in run.model.state_dict().items()},
        "kind of device": run.device.type,
        "number of processes": distributed.world_size(),
    }


def _check_identity(here: dict[str, Any], there: dict[str, Any]) -> None:
    for what, value in here.items():
        if there.get(what) != value:
            values = f" ({there.get(what)!r} there, {value!r} here)"
            raise CheckpointError(
                f"The checkpoint is of another run: the {what} differs{values if len(values) < 80 else ''}; train into "
                "another folder, or as then."
            )
