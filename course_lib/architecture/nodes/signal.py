"""What flows between two parts of an architecture: shapes, and which pixels of the image one unit sees."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from course_lib.errors import CourseError

Pair = tuple[int, int]
Shape = tuple[int | None, ...]  # (channels, height, width) or (features,), without the batch; None where not known


class ArchitectureError(CourseError):
    """An architecture that cannot exist; the message names the layer, the shapes and what would fit."""


@dataclass(frozen=True)
class Window:
    """What one unit of a layer's output reads of its input, as (height, width): `kernel` units, `stride` from one
    window to the next, `pad` zeros on each side. Where it `hangs`, the last window may hang over the edge, but begins
    inside."""

    kernel: Pair = (1, 1)
    stride: tuple[int | Fraction, int | Fraction] = (1, 1)
    pad: Pair = (0, 0)
    hangs: bool = False

    def grid_after(self, grid: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """(height, width) of the output for an input of `grid`; below 1 where the kernel does not fit, None where the
        input's is not known."""
        counts = []
        for extent, kernel, stride, pad in zip(grid, self.kernel, self.stride, self.pad, strict=True):
            if extent is None:
                counts.append(None)
                continue
            count = (extent + 2 * pad - kernel + self.hangs * (stride - 1)) // stride + 1
            begins_outside = self.hangs and stride > 1 and (count - 1) * stride >= extent
            counts.append(count - begins_outside)
        return tuple(counts)

    def grid_before(self, grid: Pair) -> Pair:
        """The least (height, width) of an input for which the output has at least `grid`."""
        extents = []
        for count, kernel, stride, pad in zip(grid, self.kernel, self.stride, self.pad, strict=True):
            last = (count - 1) * stride
            end = max(last + kernel - (stride - 1), last + 1) if self.hangs else last + kernel - 2 * pad
            extents.append(max(end, 1))
        return tuple(extents)


@dataclass(frozen=True)
class Reach:
    """Which pixels of the image a unit sees. Per dimension (height, width), unit `i` sees those from `i * jump + start`
    on, `field` of them (padding included)."""

    start: Pair = (0, 0)
    field: Pair = (1, 1)
    jump: Pair = (1, 1)

    def through(self, window: Window) -> Reach:
        """The reach of what `window` makes of units with this reach."""
        return Reach(
            tuple(start - pad * jump for start, pad, jump in zip(self.start, window.pad, self.jump, strict=True)),
            tuple(
                f + (kernel - 1) * jump for f, kernel, jump in zip(self.field, window.kernel, self.jump, strict=True)
            ),
            tuple(max(1, round(jump * stride)) for jump, stride in zip(self.jump, window.stride, strict=True)),
        )

    @staticmethod
    def union(reaches: Iterable[Reach]) -> Reach:
        """The reach of a unit that reads one unit of each of `reaches`, which have one jump."""
        reaches = list(reaches)
        start = tuple(min(reach.start[axis] for reach in reaches) for axis in (0, 1))
        stop = tuple(max(reach.start[axis] + reach.field[axis] for reach in reaches) for axis in (0, 1))
        return Reach(start, (stop[0] - start[0], stop[1] - start[1]), reaches[0].jump)


@dataclass(frozen=True)
class Signal:
    """What flows between two layers: its shape without the batch, and the reach of one of its units, None where the
    size of the image is not known."""

    shape: Shape
    reach: Reach | None = None

    @classmethod
    def of_image(cls, shape: Shape) -> Signal:
        """The image itself, of shape (channels, height, width).

        Raises:
            ArchitectureError: for another kind of shape.
        """
        if len(shape) != 3 or min(shape) < 1:
            raise ArchitectureError(f"input_shape is (channels, height, width), each at least 1; got {tuple(shape)}.")
        return cls(tuple(shape), Reach())

    @classmethod
    def of_channels(cls, channels: int | None) -> Signal:
        """Images of any size; `channels` is None where not even these are known."""
        return cls((channels, None, None))

    @property
    def channels(self) -> int | None:
        """Channels, or features where it is flat."""
        return self.shape[0]


def shape_text(shape: Iterable[int]) -> str:
    """(64, 35, 35) as "64x35x35"; a size that is not known is "?"."""
    return "x".join("?" if size is None else str(size) for size in shape)


def agree(first: Shape, second: Shape) -> bool:
    """Whether two shapes are equal where both are known."""
    known = (None not in pair and pair[0] != pair[1] for pair in zip(first, second, strict=False))
    return len(first) == len(second) and not any(known)


def known_of(shapes: Iterable[Shape]) -> Shape:
    """What is known of one shape that several tell of, each perhaps in part."""
    return tuple(next((size for size in sizes if size is not None), None) for sizes in zip(*shapes, strict=True))
