"""Runs that survive: killed, resumed, interrupted, out of disk space; and checkpoints that are refused."""

import errno
import hashlib
import multiprocessing
import os
import random
import re
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from tiny_training import KILLED_RECIPE, run_to_be_killed, small_network, two_classes

from course_lib.errors import CourseError
from course_lib.training import CheckpointError, Checkpoints, DivergedError, Recipe, evaluate, fit
from course_lib.training.checkpoint import hash_path, load_hashed, save_hashed

TIMES = ["seconds", "images_per_second"]
KILLS = 24


def assert_same(left: object, right: object, where: str = "") -> None:
    """Equal bit for bit, names of times apart."""
    assert type(left) is type(right), where
    if isinstance(left, dict):
        assert left.keys() == right.keys(), where
        for key in left.keys() - set(TIMES):
            assert_same(left[key], right[key], f"{where}/{key}")
    elif isinstance(left, list | tuple):
        assert len(left) == len(right), where
        for index, pair in enumerate(zip(left, right, strict=True)):
            assert_same(*pair, f"{where}/{index}")
    elif isinstance(left, torch.Tensor):
        assert torch.equal(left, right), where
    else:
        assert left == right, where


def train(folder: Path, recipe: Recipe = KILLED_RECIPE, seed: int = 0, **options) -> tuple[pd.DataFrame, dict]:
    model = small_network(seed=seed)
    history = fit(model, two_classes(), recipe, checkpoints=folder, progress=False, **options)
    return history.drop(columns=TIMES), model.state_dict()


@pytest.fixture(autouse=True)
def one_thread():
    """The networks are too small for more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def finished(tmp_path):
    """The folder of a run that was never stopped, its history and weights."""
    return tmp_path / "finished", *train(tmp_path / "finished")


class StoppingAt:
    """Raises an exception after so many forward passes in training."""

    def __init__(self, step: int, error: BaseException) -> None:
        self.step, self.error = step, error

    def __call__(self, module, inputs, output) -> None:
        if module.training:
            self.step -= 1
            if not self.step:
                raise self.error


def stopped(folder: Path, step: int, error: BaseException, recipe: Recipe = KILLED_RECIPE):
    model = small_network()
    model.register_forward_hook(StoppingAt(step, error))
    return model, fit(model, two_classes(), recipe, checkpoints=folder, progress=False)


class Runs:
    """Starts `run_to_be_killed` in processes forked from one that has imported all it needs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))  # the server looks nowhere else
        self.context = multiprocessing.get_context("forkserver")
        # Optimizers import the second when first made, which takes seconds.
        self.context.set_forkserver_preload(["tiny_training", "torch._dynamo"])

    def run(self, folder: Path, seconds: float | None) -> bool:
        """Run until the end or until killed, so long after its first line; whether it came to the end."""
        receiver, sender = self.context.Pipe(duplex=False)
        process = self.context.Process(target=run_to_be_killed, args=(folder, sender))
        process.start()
        assert receiver.poll(60), "the process did not start"
        process.join(seconds)
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL), f"the run failed with {process.exitcode}"
        return process.exitcode == 0


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_as_if_it_had_never_stopped(tmp_path, monkeypatch, report_line):
    runs, chance = Runs(monkeypatch), random.Random()
    folders = [tmp_path / str(number) for number in range(KILLS)]
    runs.run(folders[0], None)
    started = time.monotonic()
    runs.run(tmp_path / "timed", None)
    longest = 0.5 * (time.monotonic() - started)
    kills, stops, used = 0, set(), 1
    while kills < KILLS:
        if runs.run(folders[used], chance.uniform(0, longest)):
            used += 1
        else:
            kills += 1
            stops.update(path.name for path in Checkpoints(folders[used]).paths()[-1:])
    runs.run(folders[used], None)
    whole, result = Checkpoints(folders[0]).latest(), torch.load(folders[0] / "result.pt")
    for folder in folders[1 : used + 1]:
        assert_same(torch.load(folder / "result.pt"), result)
        assert_same(Checkpoints(folder).latest(), whole)
        assert len(pd.read_csv(folder / "history.csv")) == KILLED_RECIPE.epochs
    assert len(stops) > 3, f"{KILLS} kills found checkpoints only at {stops}"
    report_line(
        f"runs killed {kills} times, at {len(stops)} different checkpoints, ended {used} times as one never killed"
    )


@pytest.mark.parametrize("step", [7, 20, 36])
def test_an_interrupted_run_goes_on_bit_for_bit(tmp_path, finished, step):
    folder, history, weights = finished
    stopped(tmp_path / "other", step, KeyboardInterrupt())
    again, again_weights = train(tmp_path / "other", seed=99)
    pd.testing.assert_frame_equal(again, history, check_exact=True)
    assert_same(again_weights, weights)
    assert_same(Checkpoints(tmp_path / "other").latest(), Checkpoints(folder).latest())


def test_a_finished_run_gives_its_history_and_weights_without_a_step(tmp_path, finished):
    folder, history, weights = finished
    model = small_network(seed=5)
    model.register_forward_hook(StoppingAt(1, AssertionError("it trained again")))
    again = fit(model, two_classes(), KILLED_RECIPE, checkpoints=folder, progress=False)
    pd.testing.assert_frame_equal(again.drop(columns=TIMES), history)
    assert_same(model.state_dict(), weights)


def test_a_checkpoint_is_written_on_request_within_an_epoch(tmp_path):
    store, model = Checkpoints(tmp_path), small_network()
    seen = []

    def request_then_stop(module, inputs, output) -> None:
        seen.append(1)
        if len(seen) == 2:
            store.request()
        if len(seen) == 3:
            raise KeyboardInterrupt

    model.register_forward_hook(request_then_stop)
    fit(model, two_classes(), KILLED_RECIPE, checkpoints=store, progress=False)
    assert [path.name for path in store.paths()] == ["epoch_0000_step_000002.pt"]
    assert not store.requested


def test_an_interrupt_leaves_model_and_history_usable(tmp_path, capsys):
    model, history = stopped(tmp_path, 15, KeyboardInterrupt())
    assert history["epoch"].tolist() == [1, 2]
    assert "Interrupted after 2 of 6 epochs" in capsys.readouterr().out
    assert not model.training
    assert evaluate(model, two_classes().test, two_classes()).accuracy > 0.5


def test_two_checkpoints_are_kept_each_with_its_hash(finished):
    folder, *_ = finished
    names = [path.name for path in Checkpoints(folder).paths()]
    assert names == ["epoch_0005_step_000000.pt", "epoch_0006_step_000000.pt"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names + [f"{name}.sha256" for name in names])
    for name in names:
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert (folder / f"{name}.sha256").read_text() == f"{digest}  {name}\n"


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: os.truncate(path, 0),
    "altered": flip_a_byte,
    "without hash": lambda path: hash_path(path).unlink(),
    "with an empty hash": lambda path: hash_path(path).write_text(""),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_checkpoint_is_refused_and_the_one_before_used(finished, damage):
    folder, history, weights = finished
    newest = Checkpoints(folder).paths()[-1]
    damage(newest)
    with pytest.warns(RuntimeWarning, match=rf"{re.escape(str(newest))}.*The one before it is tried"):
        again, again_weights = train(folder, seed=3)
    pd.testing.assert_frame_equal(again, history, check_exact=True)
    assert_same(again_weights, weights)


def test_if_no_checkpoint_is_good_the_run_does_not_start_over_it(finished):
    folder, *_ = finished
    for path in Checkpoints(folder).paths():
        flip_a_byte(path)
    with (
        pytest.warns(RuntimeWarning, match="truncated or altered"),
        pytest.raises(CheckpointError, match=rf"No checkpoint in {re.escape(str(folder))} is good; remove the folder"),
    ):
        train(folder)


def test_nothing_in_a_checkpoint_is_executed(tmp_path):
    path = tmp_path / "epoch_0001_step_000000.pt"
    save_hashed(path, {"code": print})
    with pytest.raises(CheckpointError, match=rf"{re.escape(str(path))} holds more than weights"):
        load_hashed(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"learning_rate": 0.2}, r"the recipe's learning_rate differs \(0\.1 there, 0\.2 here\)"),
        ({"epochs": 7}, r"the recipe's epochs differs \(6 there, 7 here\)"),
    ],
)
def test_a_checkpoint_of_another_recipe_is_refused(finished, change, says):
    with pytest.raises(CheckpointError, match=says):
        train(finished[0], replace(KILLED_RECIPE, **change))


def test_a_checkpoint_of_other_data_or_another_model_is_refused(finished):
    with pytest.raises(CheckpointError, match=r"number of training images differs \(96 there, 80 here\)"):
        fit(small_network(), two_classes(train=80), KILLED_RECIPE, checkpoints=finished[0], progress=False)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2))
    with pytest.raises(CheckpointError, match="the model differs; train into another folder"):
        fit(model, two_classes(), KILLED_RECIPE, checkpoints=finished[0], progress=False)


def full_disk(monkeypatch, after: int) -> None:
    """No file is brought to the disk after so many."""
    left = [after]

    def fsync(_: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("course_lib.files.os.fsync", fsync)


@pytest.mark.parametrize("files", [0, 2, 3, 4])
def test_a_full_disk_is_reported_and_the_last_good_checkpoint_stays(tmp_path, finished, monkeypatch, files):
    _, history, weights = finished
    folder = tmp_path / "small disk"
    full_disk(monkeypatch, files)
    with pytest.warns(RuntimeWarning) as warnings:
        again, again_weights = train(folder)
    pd.testing.assert_frame_equal(again, history, check_exact=True)
    assert_same(again_weights, weights)
    good = files // 2  # each checkpoint is two files
    kept = rf"the last good one is .*epoch_000{good}_step" if good else "there is none yet"
    assert re.search(rf"Cannot write checkpoint .*: No space left on device; .*{kept}", str(warnings[0].message))
    assert len(warnings) == KILLED_RECIPE.epochs - good
    assert not list(folder.glob(".*")), "a temporary file was left"
    assert (Checkpoints(folder).latest() is not None) == (good > 0)


def test_a_full_disk_spoils_no_log(tmp_path, monkeypatch):
    full_disk(monkeypatch, 2)
    with pytest.warns(RuntimeWarning, match=r"Cannot write the log .*history\.csv: No space left on device"):
        history = fit(small_network(), two_classes(), KILLED_RECIPE, csv=tmp_path / "history.csv", progress=False)
    assert len(history) == KILLED_RECIPE.epochs
    assert pd.read_csv(tmp_path / "history.csv")["epoch"].tolist() == [1, 2]


def test_a_diverged_run_keeps_the_checkpoints_before(tmp_path):
    model = small_network()
    model.register_forward_pre_hook(
        lambda module, inputs: inputs[0].fill_(float("nan")) if len(Checkpoints(tmp_path).paths()) == 2 else None
    )
    with pytest.raises(DivergedError, match="epoch 3"):
        fit(model, two_classes(), KILLED_RECIPE, checkpoints=tmp_path, progress=False)
    assert len(Checkpoints(tmp_path).latest()["history"]) == 2


def test_csv_and_tensorboard_hold_the_history_also_of_a_resumed_run(tmp_path):
    logs = {"csv": tmp_path / "history.csv", "tensorboard": tmp_path / "events"}
    model = small_network()
    model.register_forward_hook(StoppingAt(15, KeyboardInterrupt()))
    fit(model, two_classes(), KILLED_RECIPE, checkpoints=tmp_path / "run", progress=False, **logs)
    history = fit(small_network(), two_classes(), KILLED_RECIPE, checkpoints=tmp_path / "run", progress=False, **logs)
    pd.testing.assert_frame_equal(pd.read_csv(logs["csv"]), history, check_dtype=False)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(logs["tensorboard"])).Reload()
    for tag, column in {
        "loss/train": "train_loss", "loss/test": "test_loss", "accuracy/train": "train_accuracy",
        "accuracy/test": "test_accuracy", "learning_rate": "learning_rate", "images_per_second": "images_per_second",
    }.items():  # fmt: skip
        scalars = events.Scalars(tag)
        assert [scalar.step for scalar in scalars] == history["epoch"].tolist(), tag
        assert [scalar.value for scalar in scalars] == pytest.approx(history[column].tolist(), rel=1e-6), tag


HOSTILE = {
    "a list": lambda state: [state],
    "nothing": lambda state: {},
    "a run that is none": lambda state: {**state, "run": 3},
    "no model": lambda state: {**state, "model": None},
    "weights of another shape": lambda state: {**state, "model": {**state["model"], "0.weight": torch.zeros(1)}},
    "no generator": lambda state: {name: value for name, value in state.items() if name != "generator"},
    "a generator that is none": lambda state: {**state, "generator": torch.zeros(3, dtype=torch.uint8)},
    "an optimizer that is none": lambda state: {**state, "optimizer": []},
    "no dropout": lambda state: {**state, "dropout": []},
    "rows that are none": lambda state: {**state, "history": [{}]},
    "a history that is none": lambda state: {**state, "history": 7},
    "too many epochs": lambda state: {**state, "history": 9 * state["history"]},
    "a part of an epoch that is none": lambda state: {**state, "part": {"order": 1}},
    "momentum of another shape": lambda state: {
        **state,
        "optimizer": {**state["optimizer"], "state": {0: {"momentum_buffer": torch.zeros(5)}}},
    },
}


@pytest.mark.parametrize("spoil", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_checkpoint_with_a_fitting_hash_and_bad_content_falls_back_in_words(finished, spoil):
    folder, history, weights = finished
    newest = Checkpoints(folder).paths()[-1]
    save_hashed(newest, spoil(load_hashed(newest)))
    with pytest.warns(RuntimeWarning, match=rf"{re.escape(str(newest))} holds .*The one before it is tried"):
        again, again_weights = train(folder, seed=3)
    pd.testing.assert_frame_equal(again, history, check_exact=True)
    assert_same(again_weights, weights)


@pytest.mark.parametrize(
    "content", [b"", b"<html></html>", b"PK\x03\x04", b"\x80\x02]q\x00.", b"\x80\x02cos\nsystem\n."]
)
def test_a_file_of_anything_with_a_fitting_hash_is_refused(tmp_path, content):
    path = tmp_path / "epoch_0001_step_000000.pt"
    path.write_bytes(content)
    hash_path(path).write_text(hashlib.sha256(content).hexdigest())
    with pytest.raises(CheckpointError, match=rf"{re.escape(str(path))} holds"):
        load_hashed(path)


def test_a_copied_file_without_its_hash_says_what_to_copy_too(tmp_path):
    save_hashed(tmp_path / "model.pt", {})
    hash_path(tmp_path / "model.pt").unlink()
    with pytest.raises(CheckpointError, match=r"If model\.pt was copied, copy model\.pt\.sha256 too"):
        load_hashed(tmp_path / "model.pt")


def test_a_disk_with_room_for_two_checkpoints_gets_each_new_one(tmp_path, monkeypatch):
    def write_all(contents) -> None:
        if len(list(tmp_path.glob("*.pt"))) >= 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "disk")
        for path, content in contents.items():
            path.write_bytes(content)

    monkeypatch.setattr("course_lib.training.checkpoint.write_all", write_all)
    store = Checkpoints(tmp_path)
    for epoch in range(1, 6):
        store.save({"epoch": epoch}, epoch, 0)
    assert [path.name for path in store.paths()] == ["epoch_0004_step_000000.pt", "epoch_0005_step_000000.pt"]
    assert len(list(tmp_path.iterdir())) == 4, "a hash without its checkpoint was left"


def test_a_kill_within_a_checkpoint_leaves_nothing_for_ever(tmp_path, finished):
    folder, history, _ = finished
    left = [".epoch_0006_step_000003.pt.0a1b2c3d.tmp", "epoch_0006_step_000003.pt.sha256"]
    for name in left:
        (folder / name).write_bytes(b"half")
    Checkpoints(folder).paths()[-1].unlink()
    pd.testing.assert_frame_equal(train(folder)[0], history, check_exact=True)
    assert not [name for name in left if (folder / name).exists()]
    assert len(list(folder.iterdir())) == 4


def test_two_runs_cannot_have_one_folder(tmp_path):
    def second(module, inputs) -> None:
        with pytest.raises(CourseError, match=f"{tmp_path} is in use by another process"):
            train(tmp_path)
        raise KeyboardInterrupt

    model = small_network()
    model.register_forward_pre_hook(second)
    assert fit(model, two_classes(), KILLED_RECIPE, checkpoints=tmp_path, progress=False).empty


@pytest.mark.parametrize("target", ["checkpoints", "csv", "tensorboard"])
def test_a_folder_that_cannot_be_written_is_refused_before_the_first_step(tmp_path, target):
    (tmp_path / "file").touch()
    model = small_network()
    model.register_forward_hook(StoppingAt(1, AssertionError("it trained")))
    with pytest.raises(CourseError, match=r"file.* cannot be written \(Not a directory\); name a folder you may write"):
        fit(model, two_classes(), KILLED_RECIPE, progress=False, **{target: tmp_path / "file" / "sub" / "x"})
