"""Files that are whole or absent, whatever stops the process that writes them; folders that one process has alone."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from course_lib.errors import CourseError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

LOCK = ".lock"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def write_whole(path: Path, content: bytes) -> None:
    """`write_all` of one file."""
    write_all({path: content})


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Writes a temporary file beside each path, brings all to the disk, and renames them, in this order, once all are
    there; makes folders if need be.

    Raises:
        OSError: one of them, its `filename`, cannot be written. Unless a rename failed, older files of these names stay
            as they were; no temporary file stays.
    """
    temporaries: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporaries[path] = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
            with open(temporaries[path], "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for path, temporary in temporaries.items():
            os.replace(temporary, path)
    except BaseException as error:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def expand_home(path: str | Path) -> Path:
    """The path, a leading ~ replaced by the home folder.

    Raises:
        CourseError: nothing says where the home folder is.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise CourseError(f"{path} begins with a home folder that is not known; set HOME, or write it out.") from error


def check_writable(folder: Path) -> None:
    """Makes the folder if need be, and a file in it for a moment.

    Raises:
        CourseError: no file can be made there; the message names the folder and the reason.
    """
    probe = folder / f".{secrets.token_hex(4)}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _not_writable(folder, error) from error


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """The folder belongs to this process alone within the block; it is made if need be.

    The operating system holds the lock and drops it when the process ends, however it ends. Temporary files that a
    killed process has left are removed, and a folder made here that stayed empty. Where a disk knows no locks, as some
    network disks, there is none.

    Raises:
        CourseError: another process has the folder, or no file can be made there; the message says which.
    """
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _take(folder / LOCK)
    except OSError as error:
        raise _not_writable(folder, error) from error
    try:
        for leftover in folder.glob(".*.tmp"):
            leftover.unlink(missing_ok=True)
        yield
    finally:
        # Removed first, so that nobody locks a file that is about to go; Windows removes no open file.
        steps = [(folder / LOCK).unlink, partial(os.close, descriptor)]
        for step in steps if fcntl else reversed(steps):
            with contextlib.suppress(OSError):
                step()
        if made:
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()


def _take(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(descriptor)
            # Whoever had it may have removed the file since it was opened: then the lock is one of no file.
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        except BlockingIOError as error:
            os.close(descriptor)
            raise CourseError(
                f"{path.parent} is in use by another process; wait for it to end, or name another folder."
            ) from error
        except FileNotFoundError:
            pass
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    if fcntl is None:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError from error
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # this disk knows no locks
        return


def _not_writable(folder: Path, error: OSError) -> CourseError:
    return CourseError(f"{folder} cannot be written ({error.strerror}); name a folder you may write to.")
