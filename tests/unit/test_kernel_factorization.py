"""The kernel factorisation explorer: its numbers, its picture, and the time it measures on request."""

from __future__ import annotations

import sys
from time import sleep

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_lib.architecture import ArchitectureError, conv, factorize, peel_3x3, split_5x5
from course_lib.explorers import KernelFactorizationExplorer
from course_lib.explorers.kernel_factorization.picture import HEIGHT, WIDTH, draw_kernel_factorization
from course_lib.explorers.kernel_factorization.result import factorize_kernel, max_rewrites, megas
from course_lib.explorers.timing import forward_milliseconds

CASES = st.sampled_from([3, 5, 7, 9, 11]).flatmap(
    lambda kernel_size: st.sampled_from(["stack", "pair"]).flatmap(
        lambda form: st.tuples(
            st.just(kernel_size),
            st.integers(1, 64),
            st.integers(7, 40),
            st.sampled_from([1, 2]),
            st.integers(0, max_rewrites(kernel_size, form)),
            st.just(form),
            st.sampled_from(["relu", "linear"]),
        )
    )
)


@given(CASES)
def test_the_rewritten_form_sees_the_same_patch(case: tuple) -> None:
    result = factorize_kernel(*case)
    assert result.after.receptive_field == (case[0], case[0])
    assert result.after.out_shape == result.before.out_shape
    assert sum(row.macs for row in result.rows) == result.after.macs


@given(CASES)
def test_the_picture_stays_within_its_frame(case: tuple) -> None:
    svg = draw_kernel_factorization(factorize_kernel(*case))
    assert f'viewBox="0 0 {WIDTH} {HEIGHT}"' in svg
    assert svg.count("<circle") == 2 * len(factorize_kernel(*case).rows)


@pytest.mark.parametrize(
    ("arguments", "kernels", "saving"),
    [
        ((5, 64, 35, 1, 1), ("3×3", "3×3"), 0.28),  # v3 paper, section 3.1
        ((3, 64, 35, 1, 1), ("1×3", "3×1"), 1 / 3),  # section 3.2
        ((7, 64, 17, 1, 1, "pair"), ("1×7", "7×1"), 1 - 14 / 49),
        ((7, 64, 17, 1, 1), ("5×5", "3×3"), 1 - 34 / 49),
        ((7, 64, 17, 1, 2), ("3×3", "3×3", "3×3"), 1 - 27 / 49),
        ((5, 64, 36, 2, 1), ("3×3", "3×3"), 1 - (4 * 9 + 9) / 25),  # the first 3x3 runs on the large grid: dearer
    ],
)
def test_savings(arguments: tuple, kernels: tuple[str, ...], saving: float) -> None:
    result = factorize_kernel(*arguments)
    assert result.kernels == kernels
    assert result.macs_saving == pytest.approx(saving)


def test_values_are_the_rewrites_own() -> None:
    assert factorize_kernel(5, 64, 35, 1, 1, between="linear").factorized == split_5x5(conv(64, 5), between="linear")
    assert factorize_kernel(7, 32, 17, 1, 1, "pair").factorized == factorize(conv(32, 7), 7)
    assert factorize_kernel(7, 32, 17, 1, 1).factorized == peel_3x3(conv(32, 7), 7)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((4, 64, 35, 1, 0), "kernel_size must be odd and at least 3, such as 5; got 4"),
        ((5, 64, 35, 1, 3), "a 5x5 stack allows 0 to 2 rewrites; got 3"),
        ((5, 64, 35, 1, 2, "pair"), "a 5x5 pair allows 0 to 1 rewrites; got 2"),
    ],
)
def test_nonsense_is_named(arguments: tuple, sentence: str) -> None:
    with pytest.raises(ArchitectureError, match=sentence):
        factorize_kernel(*arguments)


@pytest.mark.parametrize(
    ("count", "written"), [(462_000, "0.462 M"), (90_316_800, "90.3 M"), (5_713_000_000, "5.71 G")]
)
def test_megas(count: int, written: str) -> None:
    assert megas(count) == written


def test_summary_says_when_a_stack_costs_more() -> None:
    assert "costs 80% more of the MACs" not in factorize_kernel(5, 64, 36, 1, 1).summary
    assert "costs 80% more MACs" in factorize_kernel(5, 64, 36, 2, 1).summary


def test_an_even_kernel_size_typed_into_the_box_becomes_odd() -> None:
    explorer = KernelFactorizationExplorer()
    explorer.boxes["kernel_size"].value = 8
    assert explorer.result.kernel_size == explorer.controls["kernel_size"].value == 9


def test_a_smaller_kernel_takes_back_rewrites_it_does_not_allow() -> None:
    explorer = KernelFactorizationExplorer(kernel_size=11, rewrites=5)
    explorer.controls["kernel_size"].value = 3
    assert explorer.controls["rewrites"].max == explorer.controls["rewrites"].value == 1
    assert explorer.result.kernels == ("1×3", "3×1")


def test_time_is_measured_on_request_and_forgotten_on_change() -> None:
    explorer = KernelFactorizationExplorer(channels=16, grid=7)
    assert explorer.measured is None
    explorer.measure().join(timeout=60)
    before, after = explorer.measured
    assert min(before, after) > 0
    assert f"{before:.2f} ms" in explorer.timing
    explorer.controls["grid"].value = 8
    assert explorer.measured is None
    assert explorer.timing == ""


def test_one_time_for_each_value_in_milliseconds() -> None:
    times = forward_milliseconds([conv(16, 3), conv(16, 7)], (16, 8, 8), batch_size=1, seconds=0.01)
    assert len(times) == 2
    assert all(0 < time < 10_000 for time in times)


class Waiting(nn.Module):
    """A network whose pass takes 20 ms, in which the processor works for somebody else."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sleep(0.02)
        return x


@pytest.mark.skipif(sys.platform == "win32", reason="Windows counts the processor's time too coarsely")
def test_the_processors_time_leaves_out_what_it_does_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("course_lib.training.default_device", lambda: torch.device("cpu"))
    monkeypatch.setattr("course_lib.architecture.build", lambda *_: Waiting())
    by_clock, by_processor = (
        forward_milliseconds([conv(1, 1)], (1, 1, 1), seconds=0, processor=processor)[0] for processor in (False, True)
    )
    assert by_clock >= 20
    assert by_processor < 10
