"""Files are whole or absent; a folder has one process at a time, and a killed one leaves nothing behind."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from course_lib.errors import CourseError
from course_lib.files import LOCK, check_writable, expand_home, folder_lock, write_all, write_whole

HOLDER = """
import os, sys
from pathlib import Path
from course_lib.files import folder_lock
with folder_lock(Path(sys.argv[1])):
    (Path(sys.argv[1]) / ".model.pt.0123.tmp").touch()
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that has locked a folder, and has a temporary file there."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.communicate()


def no_space(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    left = [after]

    def fsync(_: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("course_lib.files.os.fsync", fsync)


def test_a_file_is_replaced_whole_and_its_folder_made(tmp_path):
    path = tmp_path / "a" / "b.txt"
    for content in (b"old", b"new"):
        write_whole(path, content)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("written", [0, 1])
def test_of_two_files_none_changes_where_one_cannot_be_written_and_that_one_is_named(tmp_path, monkeypatch, written):
    paths = [tmp_path / "first", tmp_path / "second"]
    write_all(dict.fromkeys(paths, b"old"))
    no_space(monkeypatch, written)
    with pytest.raises(OSError, match="No space left") as error:
        write_all(dict.fromkeys(paths, b"new"))
    assert error.value.filename == str(paths[written])
    assert [path.read_bytes() for path in paths] == [b"old", b"old"]
    assert sorted(tmp_path.iterdir()) == paths


def test_a_folder_of_another_process_is_refused_and_that_of_a_killed_one_taken_over(tmp_path, holder):
    with pytest.raises(CourseError, match="is in use by another process; wait for it to end"), folder_lock(tmp_path):
        pass
    assert (tmp_path / ".model.pt.0123.tmp").exists(), "a living process lost its temporary file"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with folder_lock(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [LOCK]
    assert not list(tmp_path.iterdir())


def test_a_lock_ends_with_its_block_also_after_an_error(tmp_path):
    with pytest.raises(KeyError), folder_lock(tmp_path / "run"):
        raise KeyError
    assert not (tmp_path / "run").exists(), "an empty folder was left"
    with folder_lock(tmp_path / "run"), pytest.raises(CourseError, match="in use"), folder_lock(tmp_path / "run"):
        pass


@pytest.mark.parametrize("below", ["", "sub"])
def test_a_folder_that_cannot_be_is_named(tmp_path, below):
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / below
    for use in (check_writable, lambda folder: folder_lock(folder).__enter__()):
        with pytest.raises(CourseError, match=rf"{folder} cannot be written \(.+\); name a folder you may write to"):
            use(folder)


def test_a_home_that_is_not_known_is_named(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    assert expand_home("~/run") == Path("/somewhere/run")

    def unknown(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    with pytest.raises(CourseError, match="~/run begins with a home folder that is not known; set HOME"):
        expand_home("~/run")
