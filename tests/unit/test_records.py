"""Recorded runs survive the round trip, and a missing or broken one is named."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from course_lib.reporting.records import FOLDER, Record, RecordError, load_record, save_record, this_machine

RECORD = Record(
    "python make.py",
    "ten images",
    {"processor": "a CPU", "torch": "2.9"},
    pd.DataFrame([{"seed": 0, "test_accuracy": 0.25}, {"seed": 1, "test_accuracy": 0.5}]),
)


def test_round_trip(tmp_path: Path) -> None:
    path = save_record("ladder", RECORD, tmp_path)
    again = load_record("ladder", tmp_path)
    assert (again.command, again.data, again.machine) == (RECORD.command, RECORD.data, RECORD.machine)
    pd.testing.assert_frame_equal(again.rows, RECORD.rows)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert again.source == "Recorded by `python make.py` on ten images (processor a CPU, torch 2.9)."


def test_rows_of_another_machine_are_told_apart(tmp_path: Path) -> None:
    other = {"processor": "another <CPU>", "torch": "2.10"}
    rows = RECORD.rows.assign(machine=[None, other])
    path = save_record("ladder", Record(RECORD.command, RECORD.data, RECORD.machine, rows), tmp_path)
    first, second = json.loads(path.read_text())["rows"]
    assert "machine" not in first
    assert second["machine"] == other
    again = load_record("ladder", tmp_path)
    machines = "(processor a CPU, torch 2.9: 1 of the rows; processor another <CPU>, torch 2.10: 1 of the rows)"
    assert again.source == f"Recorded by `python make.py` on ten images {machines}."
    shown = again._repr_mimebundle_()
    assert shown["text/plain"] == repr(again) == again.source
    assert "another &lt;CPU&gt;" in shown["text/html"]


def test_a_missing_record_is_named_with_those_there_are(tmp_path: Path) -> None:
    save_record("ladder", RECORD, tmp_path)
    with pytest.raises(RecordError, match=r"ladders\.json does not exist; recorded runs here: ladder\."):
        load_record("ladders", tmp_path)


def record_text(**changes: object) -> str:
    """A sound record with these values in place of its own."""
    return json.dumps({"command": "x", "data": "y", "machine": {"threads": "2"}, "rows": [{"seed": 0}], **changes})


DAMAGED = {
    "cut short": ('{"command": ', "Expecting value"),
    "incomplete": ('{"command": "x"}', "its 'data' is None, not a str"),
    "a list": ("[]", "it holds \\[\\], not a record"),
    "a number": ("7", "it holds 7, not a record"),
    "nothing": ("", "Expecting value"),
    "endless": ("[" * 100_000, "recursion"),
    "command": (record_text(command=["x"]), "its 'command' is .*, not a str"),
    "machine": (record_text(machine="a CPU"), "its 'machine' is 'a CPU', not a dict"),
    "threads": (record_text(machine={"threads": 2}), "its machine's 'threads' is 2, not a str"),
    "rows": (record_text(rows={"seed": 0}), "its 'rows' is .*, not a list"),
    "row": (record_text(rows=[{"seed": 0}, 3]), "its row 1 is 3, not a dict"),
}


@pytest.mark.parametrize(("content", "problem"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_record_is_named_with_what_is_wrong_and_the_remedy(
    tmp_path: Path, content: str, problem: str
) -> None:
    (tmp_path / "ladder.json").write_text(content)
    with pytest.raises(RecordError, match=rf"ladder\.json is damaged \(.*{problem}.*git checkout -- .*ladder\.json"):
        load_record("ladder", tmp_path)


def test_a_record_that_is_not_utf8_or_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.json").write_bytes(record_text().encode().replace(b"y", b"\xe9"))
    with pytest.raises(RecordError, match=r"latin\.json is damaged \('utf-8' codec can't decode"):
        load_record("latin", tmp_path)
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(RecordError, match=r"Cannot read .*folder\.json: "):
        load_record("folder", tmp_path)


def test_a_failed_save_keeps_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_record("ladder", RECORD, tmp_path)
    before = path.read_bytes()

    def full_disk(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("course_lib.files.os.fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        save_record("ladder", RECORD, tmp_path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_machine_names_processor_and_versions() -> None:
    machine = this_machine("cpu", bf16=True, threads=2)
    assert machine["processor"]
    assert (machine["threads"], machine["format"]) == ("2", "bfloat16")
    assert machine["torch"].startswith("2.")


# Columns that hold no value in some rows: a contestant is judged on the test images once, a run that diverged never.
GAPS = {
    "equal_wall_time": {"test_accuracy"},
    "sgd_without_bn": {"train_loss", "test_accuracy"},
    "label_smoothing_teachers": {"teacher"},  # some students learn from labels alone
}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_every_record_in_the_course_is_whole_and_its_script_is_here(path: Path) -> None:
    record = load_record(path.stem)
    assert not record.rows.empty
    assert set(record.rows.columns[record.rows.isna().any()]) <= GAPS.get(path.stem, set())
    script = record.command.split()[1]
    assert (FOLDER.parents[1] / script).is_file()
