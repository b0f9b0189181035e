"""Two processes under torchrun train as one does: the same history, the same weights."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import distributed_run
import pandas as pd
import pytest
import torch
from tiny_training import small_network, two_classes

from course_lib.errors import CourseError
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


@pytest.mark.parametrize(
    "error",
    [
        torch.distributed.DistNetworkError("recv"),
        RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:1"),
    ],
)
def test_the_end_of_another_process_says_how_to_go_on(monkeypatch, error):
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda _: None)
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: None)
    before = signal.getsignal(signal.SIGTERM)
    says = "Another process of this run was killed .*; the same torchrun command goes on from the last checkpoint"
    with pytest.raises(CourseError, match=says), distributed.process_group():
        raise error
    with pytest.raises(CourseError, match=says), distributed.process_group():
        os.kill(os.getpid(), signal.SIGTERM)  # as torchrun does to those that are left
    with pytest.raises(RuntimeError, match="the user's own"), distributed.process_group():
        raise RuntimeError("an error of the user's own")
    assert signal.getsignal(signal.SIGTERM) is before


def test_without_torchrun_there_is_one_process(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with distributed.process_group():
        assert not torch.distributed.is_initialized()
        assert (distributed.world_size(), distributed.rank(), distributed.gather("a")) == (1, 0, ["a"])
        assert distributed.from_first({}) == {}
        assert distributed.add_up(torch.ones(1)).item() == 1
