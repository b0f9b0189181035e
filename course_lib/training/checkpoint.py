"""Checkpoints of a run: written whole with their SHA-256, refused if altered, the one before kept."""

from __future__ import annotations

import hashlib
import io
import pickle
import warnings
from pathlib import Path
from typing import Any

import torch

from course_lib.errors import CourseError
from course_lib.files import write_whole

KEPT = 2
State = dict[str, Any]


class CheckpointError(CourseError):
    """A checkpoint cannot be used; the message names its path and the remedy."""


class Checkpoints:
    """The checkpoints of one run in one folder: `epoch_0003_step_000000.pt` has three epochs and no step of the fourth.

    Beside each lies its SHA-256, as `sha256sum --check` reads it. The newest two are kept.

    Args:
        folder: of this run alone; made when first written to.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser()
        self.requested = False

    def request(self) -> None:
        """Ask for a checkpoint after the step now in work, besides those after each epoch; a signal handler may call
        it. Of several processes, as under torchrun, none writes one before its epoch ends."""
        self.requested = True

    def save(self, state: State, epoch: int, step: int) -> None:
        """Write a checkpoint and remove all but the newest two.

        Where it cannot be written, as on a full disk, a RuntimeWarning says so, training may go on, and the good
        checkpoints stay.
        """
        self.requested = False
        path = self.folder / f"epoch_{epoch:04d}_step_{step:06d}.pt"
        try:
            save_hashed(path, state)
        except OSError as error:
            good = self.paths()
            kept = f"the last good one is {good[-1]}" if good else "there is none yet"
            warnings.warn(
                f"Cannot write checkpoint {path}: {error.strerror}; training goes on, {kept}. Free "
                "space there, or make it writable.",
                RuntimeWarning,
                stacklevel=2,
            )
            return
        for old in self.paths()[:-KEPT]:
            old.unlink(missing_ok=True)
            hash_path(old).unlink(missing_ok=True)

    def paths(self) -> list[Path]:
        """All checkpoints, oldest first."""
        return sorted(self.folder.glob("epoch_*_step_*.pt"))

    def latest(self) -> State | None:
        """The newest good checkpoint; None where there is no checkpoint.

        A RuntimeWarning names each newer one that is damaged.

        Raises:
            CheckpointError: there are checkpoints, and none is good.
        """
        paths = self.paths()
        for path in reversed(paths):
            try:
                return load_hashed(path)
            except CheckpointError as error:
                warnings.warn(f"{error} The one before it is tried.", RuntimeWarning, stacklevel=2)
        if paths:
            raise CheckpointError(f"No checkpoint in {self.folder} is good; remove the folder to train from the start.")
        return None


def save_hashed(path: Path, state: State) -> None:
    """Write what `torch.save` makes of the state, and its SHA-256 beside it; OSError where that fails.

    Hash first: a file without one of its own is never taken for good.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    write_whole(hash_path(path), f"{hashlib.sha256(content).hexdigest()}  {path.name}\n".encode())
    write_whole(path, content)


def load_hashed(path: Path) -> State:
    """What `save_hashed` wrote, on the CPU; nothing in the file is executed (`weights_only`).

    Raises:
        CheckpointError: the file or its hash is missing, the two do not agree, or it holds something else.
    """
    try:
        content, recorded = path.read_bytes(), hash_path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"Cannot read {path} and its SHA-256 ({error}).") from error
    if recorded.split()[:1] != [hashlib.sha256(content).hexdigest()]:
        raise CheckpointError(f"{path} is truncated or altered: its SHA-256 is not the recorded one.")
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise CheckpointError(f"{path} holds more than weights and numbers, and is not loaded.") from error


def hash_path(path: Path) -> Path:
    """Where the SHA-256 of a file lies."""
    return path.with_name(f"{path.name}.sha256")
