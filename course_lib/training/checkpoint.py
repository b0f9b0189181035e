"""Checkpoints of a run: written whole with their SHA-256, refused if altered, the one before kept."""

from __future__ import annotations

import contextlib
import hashlib
import io
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from course_lib.errors import CourseError
from course_lib.files import NO_SPACE, expand_home, write_all

KEPT = 2
State = dict[str, Any]


class CheckpointError(CourseError):
    """A checkpoint cannot be used; the message names its path and the remedy."""


class DamagedCheckpointError(CheckpointError):
    """A checkpoint is truncated, altered, or no checkpoint."""


class Checkpoints:
    """The checkpoints of one run in one folder: `epoch_0003_step_000000.pt` has three epochs and no step of the fourth.

    Beside each lies its SHA-256, as `sha256sum --check` reads it. The newest two are kept.

    Args:
        folder: of this run alone; made when first written to. A leading ~ is the home folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = expand_home(folder)
        self.requested = False

    def request(self) -> None:
        """Ask for a checkpoint after the step now in work, besides those after each epoch; a signal handler may call
        it. Of several processes, as under torchrun, none writes one before its epoch ends."""
        self.requested = True

    def save(self, state: State, epoch: int, step: int) -> None:
        """Write a checkpoint and remove all but the newest two.

        Where it cannot be written, as on a full disk, a RuntimeWarning says so, training may go on, and the newest good
        checkpoint stays. A disk that has no room for a third has the older of two removed first.
        """
        self.requested = False
        path = self.folder / f"epoch_{epoch:04d}_step_{step:06d}.pt"
        try:
            self._write(path, state)
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
        _remove(self.paths()[:-KEPT])
        hashes = self.folder.glob("epoch_*_step_*.pt.sha256")
        _remove(orphan for orphan in map(_hashed_path, hashes) if not orphan.exists())

    def _write(self, path: Path, state: State) -> None:
        try:
            save_hashed(path, state)
        except OSError as error:
            older = [other for other in self.paths() if other != path][:-1]
            if error.errno not in NO_SPACE or not older:
                raise
            _remove(older)
            save_hashed(path, state)

    def paths(self) -> list[Path]:
        """All checkpoints, oldest first."""
        return sorted(self.folder.glob("epoch_*_step_*.pt"))

    def latest(self, use: Callable[[State], None] = lambda state: None) -> State | None:
        """The newest good checkpoint; None where there is no checkpoint.

        Args:
            use: is given the state; a DamagedCheckpointError from it means that the checkpoint is not good.

        A RuntimeWarning names each newer one that is damaged.

        Raises:
            CheckpointError: there are checkpoints, and none is good.
        """
        paths = self.paths()
        for path in reversed(paths):
            try:
                state = load_hashed(path)
                use(state)
            except DamagedCheckpointError as error:
                named = f"{error}" if str(path) in str(error) else f"{path} {error}"
                warnings.warn(f"{named} The one before it is tried.", RuntimeWarning, stacklevel=2)
            else:
                return state
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
    digest = f"{hashlib.sha256(content).hexdigest()}  {path.name}\n".encode()
    write_all({hash_path(path): digest, path: content})


def load_hashed(path: Path) -> State:
    """What `save_hashed` wrote, on the CPU; nothing in the file is executed (`weights_only`).

    Raises:
        DamagedCheckpointError: the file or its hash is missing, the two do not agree, or it holds something else.
    """
    try:
        content, recorded = path.read_bytes(), hash_path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        alone = path.exists() and not hash_path(path).exists()
        hint = f" If {path.name} was copied, copy {hash_path(path).name} too." if alone else ""
        raise DamagedCheckpointError(f"Cannot read {path} and its SHA-256 ({error}).{hint}") from error
    if recorded.split()[:1] != [hashlib.sha256(content).hexdigest()]:
        raise DamagedCheckpointError(f"{path} is truncated or altered: its SHA-256 is not the recorded one.")
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # of a file that torch.save did not write, anything may come
        raise DamagedCheckpointError(f"{path} holds more than weights and numbers, and is not loaded.") from error
    if not isinstance(state, dict):
        raise DamagedCheckpointError(f"{path} holds a {type(state).__name__}, and is not loaded.")
    return state


def hash_path(path: Path) -> Path:
    """Where the SHA-256 of a file lies."""
    return path.with_name(f"{path.name}.sha256")


def _hashed_path(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".sha256"))


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            hash_path(path).unlink(missing_ok=True)
