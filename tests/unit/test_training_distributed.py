"""Two processes under torchrun train as one does: the same history, the same weights."""

import os
import subprocess
import sys
from pathlib import Path

import distributed_run
import pandas as pd
import pytest
import torch
from tiny_training import small_network, two_classes

from course_lib.training import Recipe, distributed, fit


def torchrun(folder: Path) -> None:
    """Two processes, on this machine alone."""
    script = Path(distributed_run.__file__)
    paths = os.pathsep.join(map(str, (script.parent, script.parents[1])))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script, folder]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": paths}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_two_processes_give_the_history_and_weights_of_one(tmp_path):
    torchrun(tmp_path)
    two, one = torch.load(tmp_path / "result.pt"), distributed_run.run(tmp_path / "one")
    assert two["models agree"]
    times = ["seconds", "images_per_second"]
    histories = [pd.DataFrame(each["history"]).drop(columns=times) for each in (one, two)]
    pd.testing.assert_frame_equal(*histories, rtol=0, atol=1e-4)
    torch.testing.assert_close(two["weights"], one["weights"], rtol=0, atol=1e-4)


@pytest.mark.parametrize(("rank", "own"), [(0, [0, 1, 2]), (1, [3, 4])])
def test_each_process_has_its_share(monkeypatch, rank, own):
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    monkeypatch.setattr(distributed, "rank", lambda: rank)
    assert distributed.share(torch.arange(5)).tolist() == own


def test_batches_too_small_to_share_are_refused(monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: 5)
    with pytest.raises(ValueError, match="5 processes cannot share batches of 4 images and 40 test images"):
        fit(small_network(), two_classes(), Recipe(batch_size=4), progress=False)


def test_without_torchrun_there_is_one_process(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with distributed.process_group():
        assert not torch.distributed.is_initialized()
        assert (distributed.world_size(), distributed.rank(), distributed.gather("a")) == (1, 0, ["a"])
        assert distributed.from_first({}) == {}
        assert distributed.add_up(torch.ones(1)).item() == 1
