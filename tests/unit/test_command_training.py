"""The commands train, evaluate and predict: one run from end to end, resumed, and each wrong argument in a sentence."""

import errno
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from course_lib.__main__ import main
from course_lib.files import folder_lock
from course_lib.training import Checkpoints, DivergedError, fit
from course_lib.training.saved_model import SavedModel

CLASSES = ("bright", "dark")


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Images of 12x12 pixels, of two classes that a network tells apart at once."""
    root, random = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for split, count in (("train", 24), ("test", 8)):
        for name, value in zip(CLASSES, (200, 20), strict=True):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(value - 20, value + 20, (12, 12, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def arguments(root):
    def arguments(out: Path, *others: str) -> list[str]:
        data = ["--data", "image_folder", "--root", str(root), "--out", str(out)]
        short = ["--epochs", "2", "--batch-size", "16", "--device", "cpu", "--float32", "--set", "ema_decay=0"]
        return ["train", "small_inception", *data, *short, *others]

    return arguments


@pytest.fixture(scope="module", autouse=True)
def one_thread_and_own_cache(tmp_path_factory):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trained(arguments, one_thread_and_own_cache, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "first"
    assert main(arguments(out)) == 0
    return out


def refused(capsys, argv: list[str]) -> str:
    """The one sentence on stderr."""
    assert main(argv) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    message = shown.err.strip().splitlines()[-1]
    assert message.startswith("error: ")
    return message


def test_a_run_leaves_model_history_and_checkpoints(trained):
    assert {path.name for path in trained.iterdir()} == {"checkpoints", "history.csv", "model.pt", "model.pt.sha256"}
    assert pd.read_csv(trained / "history.csv")["epoch"].tolist() == [1, 2]
    assert len(Checkpoints(trained / "checkpoints").paths()) == 2


def test_the_same_command_goes_on_with_a_run_that_was_stopped(trained, arguments, tmp_path, monkeypatch, capsys):
    steps = []

    def interrupted(model, *others, **options):
        def stop(module, _):
            steps.append(1)
            if len(steps) == 5:
                raise KeyboardInterrupt

        model.register_forward_pre_hook(stop)
        return fit(model, *others, **options)

    with monkeypatch.context() as patch:
        patch.setattr("course_lib.training.fit", interrupted)
        with pytest.raises(SystemExit) as stopped:
            main(arguments(tmp_path / "run"))
    assert stopped.value.code == 130
    assert not (tmp_path / "run" / "model.pt").exists()
    assert main(arguments(tmp_path / "run")) == 0
    again, first = (torch.load(folder / "model.pt") for folder in (tmp_path / "run", trained))
    assert all(torch.equal(again["weights"][name], weights) for name, weights in first["weights"].items())


def test_the_signal_usr1_asks_for_a_checkpoint(arguments, tmp_path, monkeypatch):
    seen = []

    def signalled(model, data, recipe, *, checkpoints, **options):
        os.kill(os.getpid(), signal.SIGUSR1)
        seen.append(checkpoints.requested)
        return fit(model, data, recipe, checkpoints=checkpoints, **options)

    monkeypatch.setattr("course_lib.training.fit", signalled)
    assert main(arguments(tmp_path / "run", "--epochs", "1")) == 0
    assert seen == [True]


def test_evaluate_gives_the_last_accuracy_of_the_history(trained, root, capsys):
    assert main(["evaluate", str(trained), "--data", "image_folder", "--root", str(root)]) == 0
    last = pd.read_csv(trained / "history.csv").iloc[-1]
    assert f"small_inception on 16 images: accuracy {last.test_accuracy:.2%}, loss " in capsys.readouterr().out


def test_predict_names_the_classes_of_each_image_most_probable_first(trained, root, capsys):
    images = [str(root / "test" / name / "0.png") for name in CLASSES]
    assert main(["predict", *images, "--run", str(trained)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[3]) == tuple(images)
    assert {line.split()[-1] for line in lines[1:3]} == set(CLASSES)
    shares = [float(line.split()[0].rstrip("%")) for line in lines[1:3]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.2)


def test_held_out_images_are_judged_instead_of_test_images(arguments, tmp_path, capsys):
    assert main(arguments(tmp_path / "run", "--hold-out", "12", "--epochs", "1")) == 0
    assert "held-out accuracy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("others", "says"),
    [
        (["--recipe", "slow"], "there is no recipe 'slow'; the recipes are szegedy_2016, adam_steps,"),
        (["--set", "lr=1"], "--set knows no field 'lr'; the fields are optimizer, learning_rate"),
        (["--set", "learning_rate=-1"], "learning_rate is -1, but it must be a number above 0"),
        (["--option", "widht=32"], "small_inception has no option 'widht'"),
        (["--data-option", "difficult=True"], "image_folder has no option 'difficult'"),
        (["--data", "mnist"], "Unknown data set 'mnist'"),
        (["--root", "/nowhere"], "/nowhere/train does not exist"),
        (["--hold-out", "0"], "0 of 48 training images were asked for"),
        (["--aux"], "takes images of shape"),
        (["--device", "cuda:99"], "there is no device 'cuda:99' here; use cpu"),
        (["--option", "bn_aux=no"], "option bn_aux must be True or False; got 'no'."),
        (["--option", "depth=2.0"], "option depth must be a whole number; got 2.0."),
        (["--option", "dropout=0,5"], "option dropout must be a number; got (0, 5)."),
        (["--option", "width=16000000"], "parameters, too many to train in this machine's memory"),
        (["--set", "optimizer=['sgd']"], "optimizer is ['sgd'], but it must be one of"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_one_sentence(arguments, tmp_path, capsys, others, says):
    assert says in refused(capsys, arguments(tmp_path / "run", *others))


@pytest.mark.parametrize(
    "others",
    [["--device", "gpu"], ["--option", "widht=3"], ["--out", "/proc/run"], ["--set", "pad=-1"]],
    ids=lambda others: others[0],
)
def test_what_can_be_refused_is_refused_before_the_images_are_read(arguments, tmp_path, capsys, monkeypatch, others):
    def load(_):
        raise AssertionError("images were read")

    monkeypatch.setattr("course_lib.commands.train.load_data", load)
    refused(capsys, arguments(tmp_path / "run", *others))


def test_an_out_that_cannot_be_written_is_named(arguments, tmp_path, capsys):
    (tmp_path / "file").touch()
    message = refused(capsys, arguments(tmp_path / "file" / "run"))
    assert message == f"error: {tmp_path}/file/run cannot be written (Not a directory); name a folder you may write to."


def test_an_out_in_use_is_refused(arguments, tmp_path, capsys):
    with folder_lock(tmp_path / "run"):
        assert "is in use by another process; wait for it to end" in refused(capsys, arguments(tmp_path / "run"))


def test_another_option_of_a_finished_run_changes_nothing(trained, arguments, capsys):
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    message = refused(capsys, arguments(trained, "--option", "dropout=0.5"))
    assert "another run: the network's dropout.p differs (0.0 there, 0.5 here)" in message
    assert {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()} == before


def test_a_model_that_cannot_be_written_at_the_end_is_kept_elsewhere(trained, arguments, tmp_path, monkeypatch, capsys):
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / "model.pt").unlink()
    save = SavedModel.save
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))

    def full(self, path):
        if path.parent == tmp_path / "run":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(self, path)

    monkeypatch.setattr(SavedModel, "save", full)
    message = refused(capsys, arguments(tmp_path / "run"))
    (kept,) = (tmp_path / "elsewhere").iterdir()
    assert f"Cannot write {tmp_path}/run/model.pt (No space left on device); the trained model is in {kept}" in message
    assert SavedModel.load(kept / "model.pt").classes == CLASSES


def test_a_home_folder_is_the_home_folder_everywhere(trained, root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(trained, tmp_path / "run")
    shutil.copy(root / "test" / "dark" / "0.png", tmp_path)
    assert main(["predict", "~/0.png", "--run", "~/run"]) == 0
    assert main(["evaluate", "~/run", "--data", "image_folder", "--root", str(root)]) == 0
    assert Checkpoints("~/run/checkpoints").latest() is not None


def test_a_model_whose_numbers_are_none_predicts_nothing(trained, root, tmp_path, capsys):
    saved = SavedModel.load(trained / "model.pt")
    weights = {name: value.float() * float("nan") for name, value in saved.weights.items()}
    weights = {name: value.to(saved.weights[name].dtype) for name, value in weights.items()}
    replace(saved, weights=weights).save(tmp_path / "model.pt")
    image, data = str(root / "test" / "dark" / "0.png"), ["--data", "image_folder", "--root", str(root)]
    assert "gives no finite numbers for" in refused(capsys, ["predict", image, "--run", str(tmp_path)])
    assert "train it again" in refused(capsys, ["evaluate", str(tmp_path), *data])


def test_an_unknown_network_is_named(root, tmp_path, capsys):
    argv = ["train", "inception_v5", "--data", "image_folder", "--root", str(root), "--out", str(tmp_path)]
    assert "there is no network 'inception_v5'; did you mean" in refused(capsys, argv)


def test_a_diverging_run_is_one_sentence(arguments, tmp_path, monkeypatch, capsys):
    def diverge(*_, **__):
        raise DivergedError("The loss is nan at step 1.")

    monkeypatch.setattr("course_lib.training.fit", diverge)
    assert refused(capsys, arguments(tmp_path / "run")) == "error: The loss is nan at step 1."


def test_a_folder_without_a_model_other_classes_and_no_image_are_named(trained, root, tmp_path, capsys):
    assert "model.pt does not exist; name the folder" in refused(capsys, ["evaluate", str(tmp_path)])
    assert "give the --data it was trained on" in refused(capsys, ["evaluate", str(trained)])
    assert "Cannot read image none.jpg" in refused(capsys, ["predict", "none.jpg", "--run", str(trained)])


def test_an_altered_model_is_refused(trained, tmp_path, capsys):
    for name in ("model.pt", "model.pt.sha256"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    os.truncate(tmp_path / "model.pt", 1000)
    assert "model.pt is truncated or altered" in refused(capsys, ["predict", "none.jpg", "--run", str(tmp_path)])


@pytest.mark.parametrize("command", ["train", "evaluate", "predict"])
def test_help_shows_an_example(command, capsys):
    with pytest.raises(SystemExit) as done:
        main([command, "--help"])
    assert done.value.code == 0
    assert f"python -m course_lib {command} " in capsys.readouterr().out
