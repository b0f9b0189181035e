"""The course as its users have it: a wheel, and a folder into which that was installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ("course_lib", "data", "jupyter", "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")
OFFLINE = ("--no-deps", "--no-index", "--disable-pip-version-check")


def run(*command: str, **options: object) -> str:
    """What the command prints; fails with what it said."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def make_wheel(folder: Path) -> Path:
    """The course's wheel, made in `folder` from a copy, so that making it leaves nothing in the repository."""
    source, out = folder / "source", folder / "wheel"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    run(sys.executable, "-m", "pip", "wheel", *OFFLINE, "--no-build-isolation", "--wheel-dir", str(out), str(source))
    return next(out.glob("*.whl"))


def install(wheel: Path, target: Path) -> Path:
    """The folder `target`, to be put on PYTHONPATH, with the wheel installed into it."""
    run(sys.executable, "-m", "pip", "install", *OFFLINE, "--target", str(target), str(wheel))
    return target
