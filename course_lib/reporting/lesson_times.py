"""How long each lesson will take on this machine: its recorded time, scaled by how fast both machines train."""

from __future__ import annotations

from pathlib import Path

from course_lib.reporting.records import FOLDER, load_record

RECORD = "lesson_times"


def expected_seconds(images_per_second: float, folder: Path = FOLDER) -> dict[str, float]:
    """Seconds of each recorded lesson, by the stem of its notebook, on a machine that trains so fast.

    Of the two recordings, with and without bfloat16, that with the nearer speed is scaled. What does not train scales
    along, so that it is an estimate.

    Args:
        images_per_second: as `course_lib.training.speed.training_speed` measures it.
        folder: of the record.

    Raises:
        RecordError: there is no record of the lessons' times.
    """
    rows = load_record(RECORD, folder).rows
    rows = rows.assign(factor=rows["images_per_second"] / images_per_second)
    rows = rows.assign(far=(rows["factor"].where(rows["factor"] >= 1, 1 / rows["factor"])))
    nearest = rows.sort_values("far").drop_duplicates("lesson").sort_values("lesson")
    return dict(zip(nearest["lesson"], nearest["seconds"] * nearest["factor"], strict=True))
