"""The model that `train` leaves in its folder."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.errors import CourseError

if TYPE_CHECKING:
    from course_lib.training.saved_model import SavedModel

MODEL_FILE = "model.pt"


def load_saved_model(folder: Path) -> SavedModel:
    """The model that `train` left in this folder."""
    from course_lib.training.saved_model import SavedModel

    path = folder / MODEL_FILE
    if not path.is_file():
        raise CourseError(f"{path} does not exist; name the folder given to `train` as --out, of a run that has ended.")
    return SavedModel.load(path)


def save_model(saved: SavedModel, folder: Path) -> Path:
    """Writes the model into its folder; where that fails, into a new one elsewhere.

    Raises:
        CourseError: it could not be written into its folder; the message says where it is.
    """
    path = folder / MODEL_FILE
    try:
        saved.save(path)
    except OSError as error:
        raise CourseError(f"Cannot write {path} ({error.strerror}); {_save_elsewhere(saved)}") from error
    return path


def _save_elsewhere(saved: SavedModel) -> str:
    for place in (tempfile.gettempdir(), "."):
        try:
            path = Path(tempfile.mkdtemp(prefix="trained-", dir=place)).absolute() / MODEL_FILE
            saved.save(path)
        except OSError:
            continue
        return f"the trained model is in {path.parent}: move both files from there."
    return "free space there, and give the same command again: it goes on from the last checkpoint."
