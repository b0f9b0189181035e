"""The files of recorded runs, read without pandas: what an explorer shows of a record must load in an instant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from course_lib.errors import CourseError

FOLDER = Path(__file__).resolve().parents[2] / "data" / "runs"


class RecordError(CourseError):
    """A record that is missing or broken; the message names the file and the remedy."""


def read_record(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """What stands in the record `name` under data/runs: "command", "data", "machine", and "rows", a dict each.

    Raises:
        RecordError: there is no such record, or it is not one; the message names the file.
    """
    path = folder / f"{name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {key: content[key] for key in ("command", "data", "machine", "rows")}
    except FileNotFoundError as error:
        known = ", ".join(sorted(file.stem for file in folder.glob("*.json"))) or "none"
        raise RecordError(f"{path} does not exist; recorded runs here: {known}.") from error
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise RecordError(f"{path} is damaged ({error}); restore it with `git checkout -- {path}`.") from error
