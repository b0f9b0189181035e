"""How long lessons take here, from how long they took there."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from course_lib.reporting.lesson_times import RECORD, expected_seconds
from course_lib.reporting.records import Record, save_record
from course_lib.training.machine import has_bf16
from course_lib.training.speed import training_speed


@pytest.fixture
def record(tmp_path: Path) -> Path:
    rows = [
        {"lesson": "01_a", "instructions": "AVX2", "seconds": 100.0, "images_per_second": 200.0},
        {"lesson": "01_a", "instructions": "all", "seconds": 40.0, "images_per_second": 800.0},
        {"lesson": "02_b", "instructions": "AVX2", "seconds": 50.0, "images_per_second": 200.0},
    ]
    save_record(RECORD, Record("command", "images", {"cpu": "x"}, pd.DataFrame(rows)), tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("speed", "first", "second"), [(200, 100, 50), (100, 200, 100), (250, 80, 40), (800, 40, 12.5), (1600, 20, 6.25)]
)
def test_the_nearer_recording_is_scaled(record: Path, speed: float, first: float, second: float) -> None:
    assert expected_seconds(speed, record) == pytest.approx({"01_a": first, "02_b": second})


def test_speed_is_measured_and_leaves_random_numbers_alone() -> None:
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    assert training_speed(0.0, device=torch.device("cpu"), bf16=False) > 0
    assert torch.equal(torch.rand(3), wanted)


@pytest.mark.parametrize("isa", ["AVX2", "avx512_core"])
def test_instructions_left_out_by_onednn_are_not_there(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", isa)
    assert not has_bf16(torch.device("cpu"))
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_AMX")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert has_bf16(torch.device("cpu"))
