"""A clone holds the bytes that were committed, whatever Git is set to do with line ends (Git for Windows: to CRLF)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTENTS = {
    "lesson.py": b"# %%\n1 + 1\n",
    "lesson.ipynb": b'{\n "cells": []\n}\n',
    "record.json": b"{\n}\n",
    "SHA256SUMS": b"00  images.npz\n",
    "images.npz": b"PK\x03\x04 only\nASCII\r\nhere\n",  # text to all appearance
    "picture.png": b"only\nASCII\r\nhere\n",
}

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(*arguments: str, folder: Path) -> None:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize("autocrlf", ["true", "input", "false"])
def test_a_clone_holds_the_bytes_that_were_committed(tmp_path: Path, autocrlf: str) -> None:
    source, clone = tmp_path / "source", tmp_path / "clone"
    source.mkdir()
    shutil.copy(ROOT / ".gitattributes", source)
    for name, content in CONTENTS.items():
        (source / name).write_bytes(content)
    git("init", "-q", folder=source)
    git("add", ".", folder=source)
    git("commit", "-qm", "all", folder=source)
    git("-c", f"core.autocrlf={autocrlf}", "clone", "-q", str(source), str(clone), folder=tmp_path)
    assert {name: (clone / name).read_bytes() for name in CONTENTS} == CONTENTS
