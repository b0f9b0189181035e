"""The explorer of kernel factorisation: controls around `compute` and `FactorizationPicture`."""

from __future__ import annotations

from threading import Thread

import ipywidgets as widgets

from course_lib.explorers.base import Explorer, choice, int_slider
from course_lib.explorers.kernel_factorization.picture import draw
from course_lib.explorers.kernel_factorization.result import KernelFactorization, compute, max_rewrites
from course_lib.explorers.timing import forward_milliseconds

MAX_KERNEL_SIZE = 11


class KernelFactorizationExplorer(Explorer):
    """One large convolution, and what the paper's rewrites make of it.

    Args: the controls' first values, by the names and ranges of `kernel_factorization.compute`.

    Attributes:
        result: the `KernelFactorization` shown.
        measured: milliseconds of a forward pass of the original and of the rewritten form, once "Measure time" was
            pressed; else None.
    """

    name = "kernel-factorization"

    def __init__(
        self,
        kernel_size: int = 5,
        channels: int = 64,
        grid: int = 35,
        stride: int = 1,
        rewrites: int = 1,
        form: str = "stack",
        between: str = "relu",
    ) -> None:
        self.measured: tuple[float, float] | None = None
        self._button = widgets.Button(
            description="Measure time", tooltip="Time both forms on this machine, in the background"
        )
        self._button.on_click(lambda _: self.measure())
        self._timing = widgets.HTML().add_class("explorer-timing")
        self._thread: Thread | None = None
        controls = {
            "kernel_size": int_slider("kernel size", kernel_size, 3, MAX_KERNEL_SIZE, 2),
            "rewrites": int_slider("rewrites", rewrites, 0, max_rewrites(kernel_size, form)),
            "form": choice("into", {"a stack of 3×3": "stack", "1×n and n×1": "pair"}, form),
            "channels": int_slider("channels", channels, 16, 512, 16),
            "grid": int_slider("grid size", grid, 7, 147),
            "stride": int_slider("stride", stride, 1, 2),
            "between": choice("between layers", {"ReLU": "relu", "linear": "linear"}, between),
        }
        super().__init__(controls, [widgets.HBox([self._button, self._timing])])

    def _compute(self) -> KernelFactorization:
        return compute(**self.values)

    def _draw(self, result: KernelFactorization) -> str:
        return draw(result)

    @property
    def timing(self) -> str:
        """What stands beside the button: the measured times in words, or nothing."""
        return self._timing.value

    def _constrain(self) -> None:
        kernel, rewrites = self.controls["kernel_size"], self.controls["rewrites"]
        kernel.value |= 1  # an even number can be typed into the number box
        rewrites.max = max_rewrites(kernel.value, self.controls["form"].value)
        self.measured = None
        self._timing.value = ""

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
