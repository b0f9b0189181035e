"""The scripts of the recorded runs, each in its tiny form: that they run, record and go on; what they compare; and the
records in the course."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cifar
import cifar_ladder
import equal_wall_time
import numpy as np
import optimizer_rates
import pandas as pd
import pytest
import recording
import sgd_without_bn
import v2_against_v3

from course_lib.architecture import Conv, Node, labelled_children, total
from course_lib.experiments.factorized_layers import replacements
from course_lib.experiments.searching import best_inside
from course_lib.experiments.width_and_depth import SHAPES, budget_network
from course_lib.reporting.records import FOLDER, load_record

SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in ("recording", "cifar", "fashion"))
COLUMNS = {
    "cifar_ladder": "rung width change params macs images epochs seed test_accuracy test_loss seconds",
    "v2_against_v3": "variant seed params macs images epochs test_accuracy test_loss",
    "optimizer_rates": "optimizer learning_rate images epochs seed held_out_accuracy held_out_loss train_loss",
    "sgd_without_bn": "batch_norm learning_rate images epochs seed train_loss test_accuracy diverged",
    "equal_wall_time": "contestant params macs epoch seconds images validation_accuracy test_accuracy minutes",
    "quick_longer": "epochs params macs images train_loss test_accuracy test_loss seconds",
    "network_or_loop": "network loop images repeat params macs cpu_seconds loading_cpu_seconds",
    "one_hour": "minutes seed params epochs seconds test_accuracy mirrored six_views",
    "one_hour_changes": "change epochs seed params images_per_second held_out_accuracy mirrored six_views",
    "factorization_by_grid": "pair_on_grid epochs seed params macs test_accuracy test_loss",
    "factorized_layers": "network images epochs seed params macs test_accuracy test_loss",
    "width_against_depth": "depth width learning_rate images epochs seed macs train_loss test_accuracy test_loss",
    "grid_reduction": "way change epochs seed params macs test_accuracy test_loss",
    "label_smoothing": "stage noise epsilon seed train_accuracy train_gap test_accuracy test_loss test_ece",
    "lesson_times": "instructions threads lesson seconds images_per_second peak_private_gb",
    "kernel_memory": "lesson threads idle_private_gb imported_private_gb peak_private_gb",
    "label_smoothing_teachers": "targets temperature epsilon seed teacher test_accuracy",
    "label_smoothing_relatives": "way seed train_accuracy train_gap test_accuracy test_loss test_ece",
    "auxiliary_heads": "network epochs seed epoch train_accuracy test_accuracy test_loss",
    "auxiliary_gradients": "init batch_norm head_after seed main head cosine",
}
RUNS = {
    "cifar_ladder": 7,
    "v2_against_v3": 7,
    "optimizer_rates": 6,
    "sgd_without_bn": 10,
    "equal_wall_time": 2,
    "quick_longer": 1,
    "network_or_loop": 4,
    "one_hour": 1,
    "one_hour_changes": 10,
    "factorization_by_grid": 4,
    "factorized_layers": 6,
    "grid_reduction": 9,
    "width_against_depth": 21,
    "label_smoothing": 8,
    "label_smoothing_teachers": 3,
    "label_smoothing_relatives": 2,
    "auxiliary_heads": 8,
    "lesson_times": 2,
    "kernel_memory": 1,
    "auxiliary_gradients": 48,
}
TEXTBOOK = {"params": 260_650, "macs": 79_643_904}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where tiny records go; checkpoints go beside it."""
    monkeypatch.setattr(recording, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.setattr(recording, "TINY_FOLDER", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_script_runs_in_its_tiny_form_and_once(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = importlib.import_module(name)
    script.main(["--tiny"])
    said = capsys.readouterr().out
    assert f"{name}: run 1 of {RUNS[name]}: " in said
    assert RUNS[name] == 1 or f"run {RUNS[name]} of {RUNS[name]}, about 0:0" in said
    content = json.loads((folder / f"{name}.json").read_text())
    assert content["command"].startswith(f"python data/runs/{name}.py --tiny")
    for row in content["rows"]:
        assert set(COLUMNS[name].split()) <= set(row)
        assert row["seconds"] >= 0
        assert row["cpu_seconds"] >= 0
    script.main(["--tiny"])
    assert "run 1 of" not in capsys.readouterr().out
    assert json.loads((folder / f"{name}.json").read_text()) == content
    assert not any((folder / "checkpoints").rglob("*.pt"))


def test_no_script_loads_widgets() -> None:
    loaded = f"import sys, {', '.join(SCRIPTS)}; print('ipywidgets' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", loaded], cwd=FOLDER, capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "False"


def test_a_script_without_pictures_says_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cifar_ladder.main([])
    assert "--data FOLDER is needed" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cifar_ladder.main(["--tiny", "--epochs", "0"])
    assert "--epochs is 0; it must be above 0" in capsys.readouterr().err


def test_an_interrupted_run_is_not_recorded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar, "fit", lambda *_, **__: [])
    with pytest.raises(SystemExit, match="the same command goes on"):
        sgd_without_bn.main(["--tiny"])
    assert not list(folder.glob("*.json"))


def test_a_loss_that_explodes_is_recorded_as_diverged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sgd_without_bn, "LEARNING_RATES", (1e20,))
    monkeypatch.setattr(sgd_without_bn, "VALUES", {False: sgd_without_bn.VALUES[False]})
    sgd_without_bn.main(["--tiny", "--images", "36"])  # two steps: the second finds NaN
    (row,) = json.loads((folder / "sgd_without_bn.json").read_text())["rows"]
    assert (row["diverged"], row["train_loss"], row["test_accuracy"]) == (True, None, None)


def test_the_sizes_of_factorized_layers_are_the_networks() -> None:
    sizes = {name: total(value, (1, 28, 28)) for name, value in replacements().items()}
    for row in recorded("factorized_layers").itertuples():
        assert (row.params, row.macs) == (sizes[row.network].params, sizes[row.network].macs)


NETWORKS = dict.fromkeys(
    [
        *(rung.value() for rung in cifar_ladder.RUNGS),
        *(variant.value for variant in v2_against_v3.VARIANTS.values()),
        equal_wall_time.quick_network(),
    ]
)


@pytest.mark.parametrize("value", NETWORKS, ids=[f"network{number}" for number in range(len(NETWORKS))])
def test_each_network_has_the_size_that_is_recorded(value: Node) -> None:
    model = cifar.make_model(value, 0)
    assert sum(parameter.numel() for parameter in model.parameters()) == cifar.sizes(value)["params"]


def leaves(value: Node) -> list[Node]:
    parts = [part for _, part in labelled_children(value)]
    return [leaf for part in parts for leaf in leaves(part)] if parts else [value]


def test_the_rungs_differ_as_they_say() -> None:
    rungs = cifar_ladder.RUNGS
    convolutions = [[part for part in leaves(rung.value()) if isinstance(part, Conv)] for rung in rungs]
    assert [all(part.norm for part in parts) for parts in convolutions] == [False] * 3 + [True] * 4
    assert [parts[0].kernel_size for parts in convolutions] == [(7, 7)] * 2 + [(3, 3)] * 5
    assert [(rung.recipe.optimizer, rung.recipe.learning_rate) for rung in rungs] == [("adam", 1e-3)] * 4 + [
        ("sgd", 0.01),
        ("sgd", 0.01),
        ("sgd", 0.1),
    ]
    assert [rung.recipe.schedule for rung in rungs] == ["constant"] * 5 + ["cosine"] * 2
    assert cifar.sizes(rungs[0].value())["params"] > cifar.sizes(rungs[1].value())["params"]


def test_the_papers_steps_change_one_thing_each() -> None:
    variants = v2_against_v3.VARIANTS
    v2 = variants["v2"]
    steps = {name: variants[f"v2 + {name}"] for name in ("RMSProp", "label smoothing", "BN-auxiliary")}
    changed = {
        name: [field for field, value in vars(step).items() if value != vars(v2)[field]] for name, step in steps.items()
    }
    assert list(changed.values()) == [["optimizer"], ["label_smoothing"], ["bn_aux_fc"]]
    assert {field: vars(variants["v3"])[field] for (field,) in changed.values()} == {
        field: vars(step)[field] for (field,), step in zip(changed.values(), steps.values(), strict=True)
    }
    assert variants["v3"].dropout == v2.dropout
    norms = [
        [part.norm for part in leaves(variant.value) if isinstance(part, Conv)]
        for variant in (v2, variants["v2 + BN-auxiliary"])
    ]
    assert [flags.count(False) for flags in norms] == [1, 0]
    assert optimizer_rates.RECIPES["sgd"].optimizer == "sgd"
    assert optimizer_rates.RECIPES["rmsprop"].optimizer_epsilon == 1.0


@pytest.mark.parametrize(
    ("accuracies", "rate"), [((0.6, 0.5, 0.4), 0.05), ((0.4, 0.5, 0.6), 0.8), ((0.4, 0.6, 0.5), None)]
)
def test_rates_are_added_until_the_best_is_at_no_end(accuracies: tuple[float, ...], rate: float | None) -> None:
    assert optimizer_rates.next_rate(pd.Series(accuracies, [0.1, 0.2, 0.4])) == rate


def test_a_run_is_watched_by_images_of_all_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    data = cifar.tiny_data()
    in_order = replace(data, train=data.train.take(data.train.labels.argsort()))
    monkeypatch.setattr(cifar, "tiny_data", lambda: in_order)
    monkeypatch.setattr(cifar, "WATCHED", 10)
    watched = cifar.load_all_images(recording.read_options("Records.", ["--tiny"], {}), None)[0].test
    assert sorted(watched.labels.tolist()) == list(range(cifar.CLASSES))


def test_the_contestants_have_the_sizes_they_should() -> None:
    textbook = equal_wall_time.measured_sizes(equal_wall_time.textbook_network())
    assert textbook == TEXTBOOK
    course = cifar.sizes(equal_wall_time.quick_network())
    assert all(course[name] <= textbook[name] for name in textbook)


def test_both_contestants_train_for_the_time_given(folder: Path) -> None:
    equal_wall_time.main(["--tiny"])
    rows = json.loads((folder / "equal_wall_time.json").read_text())["rows"]
    assert {row["contestant"] for row in rows} == set(equal_wall_time.CONTESTANTS)
    for name in equal_wall_time.CONTESTANTS:
        own = [row for row in rows if row["contestant"] == name]
        assert [row["test_accuracy"] is None for row in own] == [True] * (len(own) - 1) + [False]
        assert own[-1]["images"] == pytest.approx(own[-1]["epoch"] * 36, rel=0.1)


def recorded(name: str) -> pd.DataFrame:
    if not (FOLDER / f"{name}.json").exists():
        pytest.skip(f"data/runs/{name}.json is not recorded yet")
    return load_record(name).rows


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_records_have_their_columns(name: str) -> None:
    assert set(COLUMNS[name].split()) <= set(recorded(name).columns)


@pytest.mark.parametrize(
    "name", [name for name in SCRIPTS if hasattr(importlib.import_module(name), "describe_images")]
)
def test_records_of_cifar_say_what_their_images_are(name: str) -> None:
    recorded(name)
    assert "do not compare with published" in load_record(name).data


def test_the_ladders_sizes_are_the_networks() -> None:
    for row in recorded("cifar_ladder").itertuples():
        rung = cifar_ladder.RUNGS[row.rung - 1]
        assert (row.change, row.params, row.macs) == (rung.change, *cifar.sizes(rung.value(row.width)).values())


def test_the_sizes_from_v2_to_v3_are_the_networks() -> None:
    rows = recorded("v2_against_v3")
    if "learning_rate" not in rows:
        pytest.skip("recorded by an earlier form of the script, whose v3 was another; run it again")
    for row in rows.itertuples():
        variant = v2_against_v3.VARIANTS[row.variant]
        assert (row.params, row.macs) == tuple(cifar.sizes(variant.value).values())


def test_the_best_rate_is_at_no_end_of_those_tried() -> None:
    recorded("optimizer_rates")
    for optimizer in optimizer_rates.RECIPES:
        assert optimizer_rates.best_rate(optimizer) > 0


def test_the_recorded_contestants_are_those_of_the_script_and_kept_to_their_time() -> None:
    contest = recorded("equal_wall_time").groupby("contestant")
    sizes = contest[["params", "macs"]].first()
    assert sizes.loc["textbook"].to_dict() == TEXTBOOK
    assert sizes.loc["quick"].to_dict() == cifar.sizes(equal_wall_time.quick_network())
    assert (contest["seconds"].last() < 1.02 * 20 * 60).all()
    assert np.isfinite(contest["validation_accuracy"].last()).all()


def test_the_four_ways_cost_the_same_and_are_those_recorded() -> None:
    sizes = {depth: total(budget_network(depth), (1, 28, 28)) for depth in SHAPES}
    macs = [size.macs for size in sizes.values()]
    assert max(macs) < 1.03 * min(macs)
    for row in recorded("width_against_depth").itertuples():
        assert (row.width, row.params, row.macs) == (
            SHAPES[row.depth],
            sizes[row.depth].params,
            sizes[row.depth].macs,
        )


def test_the_best_rate_of_each_depth_is_at_no_end_of_those_tried() -> None:
    rows = recorded("width_against_depth")
    for depth, own in rows.groupby("depth"):
        losses = own.groupby("learning_rate")["train_loss"]
        assert set(losses.count()) == {own["seed"].nunique()}, f"{depth} layers: as many whole runs of each rate"
        assert best_inside(losses.mean()) > 0
