"""A table of trainings has each run's last accuracy, and its noise is that of a share of so many images."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import pytest

from course_lib.reporting.training_results import accuracy_error, noise, results_table, training_results


def history(accuracy: float, seconds: float = 2.0) -> pd.DataFrame:
    return pd.DataFrame({"test_accuracy": [0.1, accuracy], "seconds": [seconds, seconds]})


class Size(NamedTuple):
    params: int
    macs: int


RESULTS = training_results(
    {"small": [history(0.5), history(0.6, 3.0)], "large": [history(0.7), history(0.7)]},
    {"small": Size(20, 1_500_000), "large": Size(3000, 9_000_000)},
)


def test_a_row_has_size_runs_mean_and_seconds() -> None:
    assert RESULTS.loc["small"].to_dict() == pytest.approx(
        {"parameters": 20, "million MACs": 1.5, "seed 0": 50.0, "seed 1": 60.0, "accuracy": 55.0, "seconds": 5.0}
    )
    shown = results_table(RESULTS).frame.loc["large"].tolist()
    assert shown == ["3,000", "9.0", "70.0 %", "70.0 %", "70.0 %", "4.0"]


def test_noise_is_told() -> None:
    assert accuracy_error(0.5, 2500) == pytest.approx(0.01)
    assert noise(RESULTS, 2000) == "standard error of one accuracy: 1.1 points; two seeds differ by up to 10.0"


@pytest.mark.parametrize("runs", [{"a": [history(0.5)], "b": []}, {"a": []}])
def test_networks_with_unlike_numbers_of_runs_are_refused(runs: dict) -> None:
    with pytest.raises(ValueError, match="same number of runs, at least one; got"):
        training_results(runs, {})
