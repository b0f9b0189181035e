"""A record in work: which rows are kept and which dropped, what a row is given, and that nothing is half written."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
import recording
from recording import Recording, Row, read_options

MACHINE = {"processor": "a CPU", "threads": "1"}
OTHER = {"processor": "another CPU", "threads": "2"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(recording, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.setattr(recording, "FOLDER", tmp_path)
    return tmp_path


def options(**numbers: int) -> argparse.Namespace:
    arguments = [word for name, number in numbers.items() for word in (f"--{name}", str(number))]
    return read_options("Records.", arguments, {}, data=False, seeds=3, epochs=2)


def keys(seeds: int = 3, epochs: int = 2) -> list[Row]:
    return [{"seed": seed, "epochs": epochs} for seed in range(seeds)]


def record(machine: dict[str, str] = MACHINE, wanted: list[Row] | None = None, **numbers: int) -> list[Row]:
    """Make what is missing; the keys of the runs made."""
    made = []
    wanted = keys(**numbers) if wanted is None else wanted
    own = Recording("some", options(**numbers), "ten images", machine)
    for run in own.missing(wanted):
        own.add(run, {"accuracy": 0.5})
        made.append(run.key)
    return made


def content(folder: Path) -> dict:
    return json.loads((folder / "some.json").read_text())


def test_each_key_is_run_once_in_order(folder: Path) -> None:
    assert record() == keys()
    assert record() == []
    assert [row["seed"] for row in content(folder)["rows"]] == [0, 1, 2]
    assert content(folder)["command"] == "python data/runs/some.py --seeds 3 --epochs 2"


def test_more_seeds_keep_the_rows_and_the_command_says_so(folder: Path) -> None:
    record(seeds=2)
    before = content(folder)["rows"]
    assert record(seeds=4) == keys(4)[2:]
    assert content(folder)["rows"][:2] == before
    assert "--seeds 4" in content(folder)["command"]


def test_rows_no_longer_asked_for_are_dropped_and_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record()
    capsys.readouterr()
    assert record(wanted=[*keys(1), *keys(1, epochs=9)], epochs=9) == keys(1, epochs=9)
    said = capsys.readouterr().out
    assert "2 rows are no longer asked for and dropped" in said
    assert "'seed': 2" in said
    assert [(row["seed"], row["epochs"]) for row in content(folder)["rows"]] == [(0, 2), (0, 9)]


def test_fewer_seeds_are_saved_though_nothing_is_run(folder: Path) -> None:
    record()
    assert record(seeds=1) == []
    assert len(content(folder)["rows"]) == 1


def test_a_row_made_elsewhere_says_where(folder: Path) -> None:
    record(seeds=1)
    record(OTHER, seeds=2)
    first, second = content(folder)["rows"]
    assert content(folder)["machine"] == MACHINE
    assert "machine" not in first
    assert second["machine"] == OTHER
    record(seeds=3)
    assert [row.get("machine") for row in content(folder)["rows"]] == [None, OTHER, None]


def test_an_older_record_still_counts(folder: Path) -> None:
    old = {"command": "python data/runs/some.py", "data": "ten images", "machine": OTHER}
    rows = [{"seed": 1, "epochs": 2, "accuracy": None, "count": 3}]
    (folder / "some.json").write_text(json.dumps({**old, "rows": rows}))
    assert record() == [keys()[0], keys()[2]]
    kept = content(folder)["rows"][0]
    assert (kept["seed"], kept["count"], kept["accuracy"]) == (1, 3, None)
    assert isinstance(kept["count"], int)
    assert "machine" not in kept
    assert content(folder)["rows"][1]["machine"] == MACHINE


def test_an_error_keeps_the_rows_made_before(folder: Path) -> None:
    own = Recording("some", options(), "ten images", MACHINE)
    runs = own.missing(keys())
    own.add(next(runs), {"accuracy": 0.5})
    next(runs)
    runs.close()
    assert [row["seed"] for row in content(folder)["rows"]] == [0]
    assert record() == keys()[1:]


def test_a_run_taken_up_again_claims_no_cpu_time(folder: Path) -> None:
    left = folder / "checkpoints" / "some" / "0_2"
    left.mkdir(parents=True)
    (left / "something.pt").touch()
    record(seeds=2)
    first, second = content(folder)["rows"]
    assert (first["seconds"], first["cpu_seconds"]) == (None, None)
    assert min(second["seconds"], second["cpu_seconds"]) >= 0
    assert not left.exists()


def test_the_time_left_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    record()
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert lines[0] == "some: run 1 of 3: seed 0, epochs 2"
    assert lines[2].startswith("some: run 3 of 3, about 0:00:0")
    assert lines[2].endswith(" left: seed 2, epochs 2")


def test_the_time_left_is_the_mean_of_the_runs_made_times_those_to_come(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 60.0, 60.0, 60.0, 160.0, 160.0, 160.0, 200.0, 200.0])
    monkeypatch.setattr(recording.time, "perf_counter", lambda: next(clock))
    record()
    assert "run 2 of 3, about 0:02:00 left" in capsys.readouterr().out
