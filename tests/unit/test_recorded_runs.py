"""The scripts of the recorded runs on CIFAR-10: their networks and rows at the smallest size, and that they go on where
they stopped; and the records in the course."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import cifar_ladder
import equal_wall_time
import numpy as np
import pandas as pd
import pytest
import quick_longer
import recording
import sgd_without_bn
import v2_against_v3
from PIL import Image

from course_lib.architecture import Conv, Node, labelled_children
from course_lib.reporting.records import FOLDER, load_record
from course_lib.training import Recipe

COLUMNS = {
    "cifar_ladder": "rung change params macs epochs seed test_accuracy test_loss seconds",
    "v2_against_v3": "variant seed params macs epochs test_accuracy test_loss",
    "sgd_without_bn": "batch_norm learning_rate seed train_loss test_accuracy diverged",
    "equal_wall_time": "contestant params macs epoch seconds images validation_accuracy test_accuracy",
    "quick_longer": "epochs params macs images train_loss test_accuracy test_loss seconds",
}
OPTIONS = ["--images", "20", "--epochs", "1", "--seeds", "1"]
KEYS = {module: list(module.keys(1)) for module in (cifar_ladder, v2_against_v3, sgd_without_bn)}
TRAINED = {"train_loss": 2.0, "test_accuracy": 0.25, "test_loss": 2.1, "seconds": 1.0}
TEXTBOOK = {"params": 260_650, "macs": 79_643_904}


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of random images, four to train and one to test in each class; records and checkpoints go elsewhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(recording, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.setattr(recording, "FOLDER", tmp_path)
    generator = np.random.default_rng(0)
    for split, count in (("train", 4), ("test", 1)):
        for label in range(recording.CLASSES):
            folder = tmp_path / "tiny" / split / f"class{label}"
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return str(tmp_path / "tiny")


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Recipe]:
    """The recipes of the runs asked for, none of which is trained."""
    recipes: list[Recipe] = []

    def train(model: object, data: object, test: object, recipe: Recipe, checkpoints: Path) -> recording.Row:
        recipes.append(recipe)
        return TRAINED

    for module in KEYS:
        monkeypatch.setattr(module, "train", train)
    return recipes


@pytest.mark.parametrize("script", KEYS, ids=lambda script: script.NAME)
def test_each_row_is_recorded_once(script: ModuleType, images: str, trained: list[Recipe], tmp_path: Path) -> None:
    arguments = ["--data", images, *OPTIONS]
    script.main(arguments)
    path = tmp_path / f"{script.NAME}.json"
    content = json.loads(path.read_text())
    assert [list(row) for row in content["rows"]] == [COLUMNS[script.NAME].split()] * len(KEYS[script])
    assert len(trained) == len(KEYS[script])
    assert content["command"] == f"python data/runs/{script.NAME}.py --data tiny --images 20 --epochs 1 --seeds 1"
    assert "20 images to train, 4 others held out to choose by, 10 to test" in content["data"]

    del content["rows"][1]  # as if stopped, then asked for again
    path.write_text(json.dumps(content))
    script.main(arguments)
    assert trained[len(KEYS[script]) :] == [trained[1]]
    again = load_record(script.NAME, tmp_path).rows.to_dict("records")
    assert sum(KEYS[script][1].items() <= row.items() for row in again) == 1
    assert len(again) == len(KEYS[script])


def test_a_record_of_another_command_is_left_alone(images: str, trained: list[Recipe]) -> None:
    cifar_ladder.main(["--data", images, *OPTIONS])
    with pytest.raises(SystemExit, match=r"cifar_ladder\.json was made by .* --epochs 1 .*delete the file"):
        cifar_ladder.main(["--data", images, *OPTIONS[:2], "--epochs", "2"])


NETWORKS = dict.fromkeys(
    [
        *(rung.value for rung in cifar_ladder.RUNGS),
        *(variant.value for variant in v2_against_v3.VARIANTS.values()),
        equal_wall_time.quick_network(),
    ]
)


@pytest.mark.parametrize("value", NETWORKS, ids=[f"network{number}" for number in range(len(NETWORKS))])
def test_each_network_trains(value: Node, images: str, tmp_path: Path) -> None:
    data, test = recording.load_images(images)
    model = recording.make_model(value, 0)
    assert sum(parameter.numel() for parameter in model.parameters()) == recording.sizes(value)["params"]
    recipe = Recipe(epochs=1, batch_size=12, learning_rate=1e-4, optimizer="adam")
    result = recording.train(model, data.subset(train=24), test, recipe, tmp_path / "run")
    assert set(result) == set(TRAINED)
    assert np.isfinite(list(result.values())).all()
    assert list((tmp_path / "run").glob("*.pt")), "no checkpoint to go on from"


def test_an_interrupted_run_is_not_recorded(images: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(recording, "fit", lambda *_, **__: [])
    with pytest.raises(SystemExit, match="the same command goes on"):
        sgd_without_bn.main(["--data", images, *OPTIONS])
    assert not list(tmp_path.glob("*.json"))


def test_a_loss_that_explodes_is_recorded_as_diverged(
    images: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sgd_without_bn, "LEARNING_RATES", (1e20,))
    monkeypatch.setattr(sgd_without_bn, "VALUES", {False: sgd_without_bn.VALUES[False]})
    sgd_without_bn.main(["--data", images, "--images", "36", *OPTIONS[2:]])  # two steps: the second finds NaN
    (row,) = json.loads((tmp_path / "sgd_without_bn.json").read_text())["rows"]
    assert row["diverged"]
    assert row["train_loss"] is None
    assert row["test_accuracy"] is None


def test_the_rungs_differ_as_they_say() -> None:
    rungs = cifar_ladder.RUNGS
    convolutions = [[part for part in leaves(rung.value) if isinstance(part, Conv)] for rung in rungs]
    assert [all(part.norm for part in parts) for parts in convolutions] == [False] * 3 + [True] * 4
    assert [parts[0].kernel_size for parts in convolutions] == [(7, 7)] * 2 + [(3, 3)] * 5
    assert [(rung.recipe.optimizer, rung.recipe.learning_rate) for rung in rungs] == [("adam", 1e-3)] * 4 + [
        ("sgd", 0.01),
        ("sgd", 0.01),
        ("sgd", 0.1),
    ]
    assert [rung.recipe.schedule for rung in rungs] == ["constant"] * 5 + ["cosine"] * 2
    assert recording.sizes(rungs[0].value)["params"] > recording.sizes(rungs[1].value)["params"]


def leaves(value: Node) -> list[Node]:
    parts = [part for _, part in labelled_children(value)]
    return [leaf for part in parts for leaf in leaves(part)] if parts else [value]


def test_the_contestants_have_the_sizes_they_should() -> None:
    textbook = equal_wall_time.measured_sizes(equal_wall_time.textbook_network())
    assert textbook == TEXTBOOK
    course = recording.sizes(equal_wall_time.quick_network())
    assert all(course[name] <= textbook[name] for name in textbook)


def test_both_contestants_train_for_the_time_given(
    images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(equal_wall_time, "BATCH_SIZE", 8)
    monkeypatch.setattr(equal_wall_time, "WORKERS", 0)
    equal_wall_time.main(["--data", images, "--minutes", "0.001"])
    rows = json.loads((tmp_path / "equal_wall_time.json").read_text())["rows"]
    assert {row["contestant"] for row in rows} == set(equal_wall_time.CONTESTANTS)
    for name in equal_wall_time.CONTESTANTS:
        own = [row for row in rows if row["contestant"] == name]
        assert list(own[0]) == COLUMNS["equal_wall_time"].split()
        assert [row["test_accuracy"] is None for row in own] == [True] * (len(own) - 1) + [False]
        assert own[-1]["images"] == pytest.approx(own[-1]["epoch"] * 36, rel=0.1)


def test_the_longer_run_is_recorded_once(images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipes: list[Recipe] = []
    monkeypatch.setattr(quick_longer, "train", lambda *parts: recipes.append(parts[3]) or TRAINED)
    for _ in range(2):
        quick_longer.main(["--data", images, "--epochs", "3"])
    (row,) = json.loads((tmp_path / "quick_longer.json").read_text())["rows"]
    assert list(row) == COLUMNS["quick_longer"].split()
    assert row["images"] == 3 * 36
    assert [recipe.epochs for recipe in recipes] == [3]


def recorded(name: str) -> pd.DataFrame:
    if not (FOLDER / f"{name}.json").exists():
        pytest.skip(f"data/runs/{name}.json is not recorded yet")
    return load_record(name).rows


@pytest.mark.parametrize("name", COLUMNS)
def test_the_records_have_their_columns_and_say_what_the_images_are(name: str) -> None:
    assert list(recorded(name).columns) == COLUMNS[name].split()
    assert "do not compare with published" in load_record(name).data


def test_the_ladders_sizes_are_the_networks() -> None:
    for row in recorded("cifar_ladder").itertuples():
        rung = cifar_ladder.RUNGS[row.rung - 1]
        assert (row.change, row.params, row.macs) == (rung.change, *recording.sizes(rung.value).values())


def test_the_sizes_from_v2_to_v3_are_the_networks() -> None:
    for row in recorded("v2_against_v3").itertuples():
        variant = v2_against_v3.VARIANTS[row.variant]
        assert (row.params, row.macs) == tuple(recording.sizes(variant.value).values())


def test_the_recorded_contestants_are_those_of_the_script_and_kept_to_their_time() -> None:
    contest = recorded("equal_wall_time").groupby("contestant")
    sizes = contest[["params", "macs"]].first()
    assert sizes.loc["textbook"].to_dict() == TEXTBOOK
    assert sizes.loc["quick"].to_dict() == recording.sizes(equal_wall_time.quick_network())
    assert (contest["seconds"].last() < 1.02 * 20 * 60).all()
