"""What replacing one large convolution by a stack of small ones saves (v3 paper, sections 3.1 and 3.2): the pure
part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from course_lib.architecture import (
    ArchitectureError,
    LayerCost,
    Node,
    TotalCost,
    conv,
    factorize,
    layers,
    peel_3x3,
    seq,
    total,
)

Form = Literal["stack", "pair"]
Between = Literal["relu", "linear"]


@dataclass(frozen=True)
class KernelFactorization:
    """One large convolution and what it was rewritten to, on inputs of `in_shape` (channels, height, width).

    Attributes:
        original, factorized: the two values; equal when nothing was rewritten.
        before, after: their total costs. MACs and parameters are for one image; parameters count batch norm.
        rows: cost of each convolution of `factorized`, in order.
    """

    kernel_size: int
    in_shape: tuple[int, int, int]
    rewrites: int
    between: Between
    original: Node
    factorized: Node
    before: TotalCost
    after: TotalCost
    rows: tuple[LayerCost, ...]

    @property
    def macs_saving(self) -> float:
        """Share of the original's MACs that is saved; negative where the stack costs more."""
        return 1 - self.after.macs / self.before.macs

    @property
    def params_saving(self) -> float:
        """Share of the original's parameters that is saved."""
        return 1 - self.after.params / self.before.params

    @property
    def kernels(self) -> tuple[str, ...]:
        """The stack's kernels as text, such as ("3×3", "3×3")."""
        return tuple(
            f"{height}×{width}" for height, width in (layer.kernel_size for layer in seq(self.factorized).layers)
        )

    @property
    def summary(self) -> str:
        """The result in two sentences."""
        channels, height, width = self.in_shape
        size = f"{self.kernel_size}×{self.kernel_size}"
        where = f"{channels} channels on a {height}×{width} grid"
        if self.rewrites == 0:
            return (
                f"One {size} convolution, {where}: {megas(self.before.macs)} MACs, {self.before.params:,} parameters."
            )
        field = "×".join(map(str, self.after.receptive_field))
        between = {"relu": "ReLU", "linear": "no ReLU"}[self.between]
        change = (
            f"saves {self.macs_saving:.0%} of the" if self.macs_saving >= 0 else f"costs {-self.macs_saving:.0%} more"
        )
        return (
            f"{size} as {' · '.join(self.kernels)} with {between} between, {where}, sees the same {field} patch "
            f"and {change} MACs: {megas(self.before.macs)} become {megas(self.after.macs)}. "
            f"Parameters: {self.before.params:,} become {self.after.params:,}."
        )


def max_rewrites(kernel_size: int, form: Form) -> int:
    """How often `compute` can rewrite: a stack peels off 3x3s and then splits those; a pair is made once."""
    return 1 if form == "pair" else (kernel_size - 1) // 2


def compute(
    kernel_size: int,
    channels: int,
    grid: int,
    stride: int,
    rewrites: int,
    form: Form = "stack",
    between: Between = "relu",
) -> KernelFactorization:
    """One `kernel_size` convolution, `channels` in and out, and what `rewrites` rewrites make of it.

    Args:
        kernel_size: odd, 3 or more.
        channels: in, out, and between the layers of the stack.
        grid: height and width of the input.
        stride: of the whole stack.
        rewrites: 0 to `max_rewrites(kernel_size, form)`. In the form "stack" each peels one 3x3 off the large kernel,
            and the last one turns every 3x3 into 1x3 and 3x1; in the form "pair" the one rewrite turns nxn into 1xn and
            nx1.
        between: "relu" or "linear", the activation inside the stack.

    Raises:
        ArchitectureError: if `kernel_size` is even or below 3, or there are more rewrites than the kernel allows.
    """
    if kernel_size < 3 or kernel_size % 2 == 0:
        raise ArchitectureError(f"kernel_size must be odd and at least 3, such as 5; got {kernel_size}.")
    most = max_rewrites(kernel_size, form)
    if not 0 <= rewrites <= most:
        raise ArchitectureError(f"a {kernel_size}x{kernel_size} {form} allows 0 to {most} rewrites; got {rewrites}.")
    original = conv(channels, kernel_size, stride)
    factorized: Node = original
    for step in range(rewrites):
        remaining = kernel_size - 2 * step
        if form == "pair" or remaining == 3:
            factorized = factorize(factorized, remaining, between=between)
        else:
            factorized = peel_3x3(factorized, remaining, between=between)
    in_shape = (channels, grid, grid)
    before, after = total(original, in_shape), total(factorized, in_shape)
    rows = tuple(layers(factorized, in_shape))
    return KernelFactorization(kernel_size, in_shape, rewrites, between, original, factorized, before, after, rows)


def megas(count: int) -> str:
    """A count of MACs as millions with three digits: "125 M", "0.46 M"."""
    return f"{count / 1e6:.3g} M" if count < 1e9 else f"{count / 1e9:.3g} G"
