"""Where the course's own data lies: the embedded images and the recorded runs."""

from pathlib import Path

PACKAGED = "_data"
"""Folder inside an installed course_lib; setup.py fills it when a wheel is made."""


def data_folder(name: str) -> Path:
    """The folder data/`name`: of the wheel where the course was installed from one, else of the repository."""
    library = Path(__file__).resolve().parent
    packaged = library / PACKAGED
    return (packaged if packaged.is_dir() else library.parent / "data") / name


def how_to_restore(path: Path) -> str:
    """What to do about a file of the course's own that is missing or damaged, for the end of a message."""
    return f"restore it with `git checkout -- {path}` in a clone, or install the course again"
