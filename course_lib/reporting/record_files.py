"""The files of recorded runs, read without pandas: what an explorer shows of a record must load in an instant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from course_lib.data_files import data_folder, how_to_restore
from course_lib.errors import CourseError

FOLDER = data_folder("runs")
_KINDS = {"command": str, "data": str, "machine": dict, "rows": list}


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
    except FileNotFoundError as error:
        known = ", ".join(sorted(file.stem for file in folder.glob("*.json"))) or "none"
        raise RecordError(f"{path} does not exist; recorded runs here: {known}.") from error
    except OSError as error:
        raise RecordError(f"Cannot read {path}: {error.strerror}; {how_to_restore(path)}.") from error
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, or nested without end
        raise RecordError(f"{path} is damaged ({error}); {how_to_restore(path)}.") from error
    problem = _structural_problem(content)
    if problem:
        raise RecordError(f"{path} is damaged ({problem}); {how_to_restore(path)}.")
    return {key: content[key] for key in _KINDS}


def _structural_problem(content: Any) -> str | None:
    """What a record has that it should not have, or lacks; None if it is sound."""
    if not isinstance(content, dict):
        return f"it holds {_short(content)}, not a record"
    for key, kind in _KINDS.items():
        if not isinstance(content.get(key), kind):
            return f"its {key!r} is {_short(content.get(key))}, not a {kind.__name__}"
    for name, value in content["machine"].items():
        if not isinstance(value, str):
            return f"its machine's {name!r} is {_short(value)}, not a str"
    for number, row in enumerate(content["rows"]):
        if not isinstance(row, dict):
            return f"its row {number} is {_short(row)}, not a dict"
    return None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
