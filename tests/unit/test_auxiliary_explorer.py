"""The explorer of auxiliary classifiers: its arithmetic on known gradients, the record behind it, and its picture."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib import datasets
from course_lib.architecture import ArchitectureError
from course_lib.experiments.auxiliary_gradients import first_weights, stage_gradients
from course_lib.experiments.auxiliary_network import LOWER, MODULES, STAGES, UPPER, deep_network
from course_lib.explorers import AuxiliaryExplorer
from course_lib.explorers.auxiliary_heads import result as auxiliary
from course_lib.explorers.auxiliary_heads.picture import BOTTOM, DECADES, HEIGHT, TOP, WIDTH, draw_gradient_profile
from course_lib.explorers.auxiliary_heads.result import BATCH_NORM, BATCH_SIZE, INITS, RECORD, profile_gradients
from course_lib.reporting.records import load_record
from course_lib.training import normalize

SETTINGS = list(product(range(1, MODULES + 1), BATCH_NORM, INITS))


@given(st.floats(0, 2), st.integers(0, 2**32 - 1))
def test_together_is_the_norm_of_the_sum(weight: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    below = 4
    g, h = rng.normal(size=(1, len(STAGES), 50)), rng.normal(size=(1, below, 50))
    norms = [np.linalg.norm(gradient, axis=-1) for gradient in (g, h)]
    cosine = (g[:, :below] * h).sum(-1) / (norms[0][:, :below] * norms[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auxiliary, "_recorded", lambda: {(LOWER, "none", "he"): [*norms, cosine]})
        result = profile_gradients(LOWER, weight, "none", "he")
    g[:, :below] += weight * h
    np.testing.assert_allclose(result.together, np.linalg.norm(g[0], axis=-1))
    assert result.together == result.lowest == result.highest
    assert result.stages_below == below
    assert result.head[below:] == (0,) * (len(STAGES) - below)


@pytest.mark.parametrize(("place", "batch_norm", "init"), SETTINGS)
def test_every_setting_is_recorded_and_drawn(place: int, batch_norm: str, init: str) -> None:
    result = profile_gradients(place, 0.3, batch_norm, init)
    assert result.stages_below == STAGES.index(f"module{place}") + 1
    assert all(-1 <= cosine <= 1 for cosine in result.cosines[: result.stages_below])
    ranges = zip(result.lowest, result.together, result.highest, strict=True)
    assert all(low <= middle <= high for low, middle, high in ranges)
    # Every norm has its place in the plot, so that no line is cut off at its edge.
    low, high = (10.0**power for power in DECADES)
    assert all(low < norm < high for norm in (*result.main, *result.head[: result.stages_below], *result.highest))
    assert f'viewBox="0 0 {WIDTH} {HEIGHT}"' in draw_gradient_profile(result)


def test_without_weight_the_head_changes_nothing() -> None:
    result = profile_gradients(UPPER, 0, "trunk", "he")
    assert result.together == result.main
    assert result.gain == 1
    assert "0 × head" in draw_gradient_profile(result)


def test_the_main_gradient_is_the_same_wherever_the_head_stands() -> None:
    for batch_norm, init in product(BATCH_NORM, INITS):
        profiles = [profile_gradients(place, 0.3, batch_norm, init).main for place in range(1, MODULES + 1)]
        for profile in profiles:
            assert profile == pytest.approx(profiles[0], rel=1e-2)


def test_the_record_is_measured_again() -> None:
    """One row, by the code of today. Float32 sums in another order differ far less than 1 %."""
    data, row = datasets.load("fashion_mnist"), load_record(RECORD).rows.query("seed == 0").iloc[LOWER - 1]
    assert (row["init"], row["batch_norm"], row["head_after"]) == ("pytorch", "none", LOWER)
    images, labels = data.train.images[:BATCH_SIZE], data.train.labels[:BATCH_SIZE]
    model = first_weights(deep_network((LOWER,)), "pytorch", seed=0)
    main, head, _ = stage_gradients(model, normalize(images, data.mean, data.std), labels)
    torch.testing.assert_close(main, torch.tensor(row["main"]).double(), rtol=1e-2, atol=1e-9)
    torch.testing.assert_close(head, torch.tensor(row["head"]).double(), rtol=1e-2, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((0, 0.3, "none", "he"), "no gradients are recorded for head_after=0"),
        ((3, 0.3, "head", "he"), "batch_norm one of none, trunk, trunk and head"),
        ((3, 0.3, "none", "xavier"), "init one of pytorch, he"),
        ((3, -0.1, "none", "he"), "a head's weight is 0 or more, such as 0.3; got -0.1"),
    ],
)
def test_nonsense_is_named(arguments: tuple, sentence: str) -> None:
    with pytest.raises(ArchitectureError, match=sentence):
        profile_gradients(*arguments)


def test_the_plot_rises_with_the_norm() -> None:
    from course_lib.explorers.auxiliary_heads.picture import _y

    assert [_y(10.0**power) for power in DECADES] == [BOTTOM, TOP]
    assert _y(0.0) == BOTTOM


def test_the_summary_says_what_the_sliders_say() -> None:
    summary = AuxiliaryExplorer(UPPER, 0.4, "trunk and head", "he").result.summary
    assert summary.startswith(f"Head after module {UPPER}, weight 0.4, He's first weights, batch norm everywhere.")
