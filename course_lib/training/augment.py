"""Random crops and flips of a whole batch of uint8 images in one gather, and the step from pixels to network input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Moves(NamedTuple):
    """How each image of a batch is moved.

    Attributes:
        shifts: int64, shape (N, 2): pixels down and to the right by which the place to look at is moved.
        mirrored: bool, shape (N,).
    """

    shifts: Tensor
    mirrored: Tensor


def augment(images: Tensor, pad: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Shift each image by up to `pad` pixels both ways, edges reflected, and mirror every second one, by chance.

    The same as reflect padding, a random crop of the old size and a random horizontal flip per image, but no padded
    image is ever made: each output pixel is looked up where it comes from.

    Args:
        images: uint8 (or any dtype), shape (N, C, H, W); fastest in channels_last.
        pad: pixels, 0 to the smaller of H and W less one.
        flip: mirror left to right with probability 1/2.
        generator: on the device of the images.

    Returns:
        A tensor of the same shape, dtype and device, in channels_last; the very same tensor if there is nothing to do.

    Raises:
        ValueError: `pad` is too large to reflect.
    """
    return move(images, draw_moves(images.shape, pad, flip, generator))


def draw_moves(shape: Sequence[int], pad: int, flip: bool, generator: torch.Generator) -> Moves | None:
    """The moves of `augment` for images of this shape (N, C, H, W); None if there is nothing to do."""
    if not pad and not flip:
        return None
    count, _, height, width = shape
    if pad >= min(height, width):
        raise ValueError(
            f"augment: pad is {pad}, but images of {height}x{width} reflect at most {min(height, width) - 1}."
        )
    device = generator.device
    shifts = torch.randint(-pad, pad + 1, (2, count), generator=generator, device=device).T
    if not flip:
        return Moves(shifts, torch.zeros(count, dtype=torch.bool, device=device))
    return Moves(shifts, torch.rand(count, generator=generator, device=device) < 0.5)


def move(images: Tensor, moves: Moves | None) -> Tensor:
    """The images, shape (N, C, H, W), moved; in channels_last."""
    if moves is None:
        return images
    count, channels, height, width = images.shape
    device = images.device
    rows = torch.arange(height, device=device).expand(count, height)
    columns = torch.arange(width, device=device).expand(count, width)
    columns = torch.where(moves.mirrored[:, None], width - 1 - columns, columns)
    down, right = moves.shifts[:, :1], moves.shifts[:, 1:]
    rows, columns = _reflect(rows + down, height), _reflect(columns + right, width)
    first = torch.arange(count, device=device).view(-1, 1, 1) * (height * width)
    source = first + rows[:, :, None] * width + columns[:, None, :]
    # One index per pixel into a list of pixels: index_select is about three times faster than images[n, rows, columns].
    pixels = images.permute(0, 2, 3, 1).reshape(-1, channels).index_select(0, source.flatten())
    return pixels.view(count, height, width, channels).permute(0, 3, 1, 2)


def normalize(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """(images / 255 - mean) / std per channel: uint8 (N, C, H, W) to float32, channels_last; mean and std (C,)."""
    scaled = images.to(torch.float32, memory_format=torch.channels_last)
    return scaled.sub_(255 * mean.view(-1, 1, 1)).div_(255 * std.view(-1, 1, 1))


def _reflect(index: Tensor, size: int) -> Tensor:
    """Indices that ran over either end come back inside, the edge itself not repeated: -1 is 1, size is size - 2."""
    return size - 1 - (size - 1 - index.abs()).abs()
