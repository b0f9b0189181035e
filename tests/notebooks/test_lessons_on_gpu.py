"""Every lesson runs on a pretend GPU, with few images: no cell puts together what lies on two devices."""

import subprocess
import sys
from pathlib import Path

import pytest

from course_lib.authoring.notebooks import code_cells
from course_lib.teaching.sources import read_source

SCRIPT = Path(__file__).parents[1] / "pretend_gpu.py"
MISPLACED = """# %%
import torch

from course_lib.training import default_device

weights = torch.ones(3, device=default_device())
# %%
weights @ torch.ones(3)
"""


def run(source: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), source.name]
    return subprocess.run(command, cwd=source.parent, capture_output=True, text=True, check=False)


def test_lesson_runs_on_the_pretend_gpu(source: Path) -> None:
    finished = run(source)
    if finished.returncode:
        pytest.fail(finished.stderr[-3000:])
    ran = int(finished.stdout.splitlines()[-1].split()[0])
    # Bands of trained accuracies may fail on so few images, and little else.
    assert ran >= 0.8 * len(code_cells(read_source(source)))


def test_a_misplaced_tensor_is_found(tmp_path: Path) -> None:
    (tmp_path / "01_misplaced.py").write_text(MISPLACED)
    finished = run(tmp_path / "01_misplaced.py")
    assert finished.returncode
    assert "code cell 2 fails on the pretend GPU: Expected all tensors to be on the same device" in finished.stderr
