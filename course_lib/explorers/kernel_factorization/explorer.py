"""The explorer of kernel factorisation, with a button that measures time."""

from __future__ import annotations

from threading import Thread
from typing import Any

import ipywidgets as widgets

from course_lib.explorers.base import Explorer
from course_lib.explorers.kernel_factorization.controls import STACK, KernelFactorizationIdea
from course_lib.explorers.kernel_factorization.result import KernelFactorization
from course_lib.explorers.timing import forward_milliseconds


class KernelFactorizationExplorer(Explorer):
    """One large convolution, and what the paper's rewrites make of it.

    Args: the controls' first values, by the names of `factorize_kernel`, in the ranges of
        `KernelFactorizationIdea`; `form` is also "thin stack", of 1x3 and 3x1.

    Attributes:
        result: the `KernelFactorization` shown.
        measured: milliseconds of a forward pass of the original and of the rewritten form, once "Measure time" was
            pressed; else None.
    """

    idea = KernelFactorizationIdea()

    def __init__(
        self,
        kernel_size: int = 5,
        channels: int = 64,
        grid: int = 35,
        stride: int = 1,
        rewrites: int = 1,
        form: str = STACK,
        between: str = "relu",
    ) -> None:
        self.measured: tuple[float, float] | None = None
        self._button = widgets.Button(
            description="Measure time", tooltip="Time both forms on this machine, in the background"
        )
        self._button.on_click(lambda _: self.measure())
        self._timing = widgets.HTML().add_class("explorer-timing")
        self._thread: Thread | None = None
        super().__init__(
            [widgets.HBox([self._button, self._timing])],
            kernel_size=kernel_size,
            rewrites=rewrites,
            form=form,
            channels=channels,
            grid=grid,
            stride=stride,
            between=between,
        )

    @property
    def timing(self) -> str:
        """What stands beside the button: the measured times in words, or nothing."""
        return self._timing.value

    def _show(self, values: dict[str, Any]) -> None:
        self.measured = None
        self._timing.value = ""
        super()._show(values)

    def measure(self) -> Thread:
        """Time both forms in the background; the result appears beside the button and in `measured`."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._measure, args=(self.result,), daemon=True)
            self._thread.start()
        return self._thread

    def _measure(self, result: KernelFactorization) -> None:
        self._button.disabled = True
        self._timing.value = "measuring …"
        try:
            before, after = forward_milliseconds((result.original, result.factorized), result.in_shape)
            if result is self.result:
                self.measured = before, after
                self._timing.value = _timing_text(result, before, after)
        finally:
            self._button.disabled = False


def _timing_text(result: KernelFactorization, before: float, after: float) -> str:
    share = after / before - 1
    return (
        f"{result.kernel_size}×{result.kernel_size}: {before:.2f} ms; {' · '.join(result.kernels)}: {after:.2f} ms "
        f"({share:+.0%} time, {-result.macs_saving:+.0%} MACs). Median forward pass, batch 8, float32, on this machine."
    )
