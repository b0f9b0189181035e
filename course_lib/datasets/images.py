"""Images in memory: two splits of uint8 pixels with labels, class names and channel statistics."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from course_lib.datasets.errors import DatasetError
from course_lib.whole_numbers import whole_number

_BYTES_PER_CHUNK = 2**24


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Images and their labels, in one fixed order.

    Attributes:
        images: uint8, shape (N, C, H, W), pixel values 0 to 255. May be memory-mapped: pages are read when used, and
            writing to them changes this process's copy only.
        labels: int64, shape (N,), index into the class names.

    Raises:
        DatasetError: wrong dtype or shape, no image or no pixel, or not as many labels as images.
    """

    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise DatasetError(f"Images are {describe_tensor(self.images)}; they must be uint8 of shape (N, C, H, W).")
        if 0 in self.images.shape[1:]:
            raise DatasetError(f"Images are {describe_tensor(self.images)}; they must have at least one pixel each.")
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1] or len(self.labels) == 0:
            raise DatasetError(
                f"Labels are {describe_tensor(self.labels)}; they must be int64 of shape ({len(self.images)},), one an "
                "image, with at least one image."
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Split({len(self):,} images, {' x '.join(map(str, self.images.shape[1:]))})"

    def take(self, indices: Tensor) -> Split:
        """The images at `indices` (int64, shape (M,)), copied into a new split in that order."""
        return Split(self.images[indices], self.labels[indices])


@dataclass(frozen=True, eq=False, repr=False)
class ImageData:
    """A data set for classification: a training split, a test split, and what normalisation needs.

    Attributes:
        name: what the data set is called in tables and titles.
        classes: class names; a label is an index into them.
        train, test: the two splits, with images of one shape (C, H, W).
        mean, std: float32, shape (C,), of the pixels of `train` divided by 255, as `channel_statistics` gives them.

    Raises:
        DatasetError: the splits' shapes differ, a label has no class name, or a channel's std is not above 0.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    mean: Tensor
    std: Tensor

    def __post_init__(self) -> None:
        train_shape, test_shape = tuple(self.train.images.shape[1:]), tuple(self.test.images.shape[1:])
        if train_shape != test_shape:
            raise DatasetError(f"{self.name}: training images are {train_shape}, test images {test_shape}; must agree.")
        labels = torch.cat([self.train.labels, self.test.labels])
        if labels.min() < 0 or labels.max() >= len(self.classes):
            raise DatasetError(
                f"{self.name}: labels run from {labels.min()} to {labels.max()}; with {len(self.classes)} class names "
                f"they must lie between 0 and {len(self.classes) - 1}."
            )
        if not ((self.std > 0) & self.std.isfinite()).all():
            raise DatasetError(
                f"{self.name}: the channels' std is {self.std.tolist()}, by which pixels are divided; it must be above "
                "0, and is 1 for a channel that never changes."
            )

    @classmethod
    def from_splits(cls, name: str, classes: tuple[str, ...], train: Split, test: Split) -> ImageData:
        """Join two splits and measure `mean` and `std` on the training split."""
        return cls(name, classes, train, test, *channel_statistics(train.images))

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.train.images.shape[1:]))
        return (
            f"ImageData({self.name}: {len(self.train):,} training and {len(self.test):,} test images, {shape}, "
            f"{len(self.classes)} classes)"
        )

    def subset(self, *, train: int | None = None, test: int | None = None, seed: int = 0) -> ImageData:
        """A smaller data set in which every class keeps its share, to within one image.

        Args:
            train: number of training images; None keeps them all. `mean` and `std` are measured again.
            test: number of test images; None keeps them all.
            seed: which images are drawn; the same seed draws the same ones. Their order is kept.

        Raises:
            DatasetError: a number is not between 1 and what the split holds, or the seed is no whole number from 0.
        """
        smaller = self
        if test is not None:
            indices = self._draw(self.test, "test", test, len(self.test), seed)
            smaller = replace(smaller, test=self.test.take(indices))
        if train is not None:
            indices = self._draw(self.train, "training", train, len(self.train), seed)
            smaller = ImageData.from_splits(self.name, self.classes, self.train.take(indices), smaller.test)
        return smaller

    def hold_out(self, n: int, seed: int = 0) -> ImageData:
        """Training images alone, `n` of them moved to the test split, to choose a recipe without the test images.

        Every class keeps its share to within one image; `mean` and `std` are measured on what is left to train on.
        The training images are copied into memory.

        Raises:
            DatasetError: `n` is not between 1 and one less than the number of training images, or the seed is no whole
                number from 0.
        """
        held_out = self._draw(self.train, "training", n, len(self.train) - 1, seed)
        kept = torch.ones(len(self.train), dtype=torch.bool)
        kept[held_out] = False
        rest = self.train.take(kept.nonzero().flatten())
        return ImageData.from_splits(self.name, self.classes, rest, self.train.take(held_out))

    def _draw(self, split: Split, split_name: str, n: int, most: int, seed: int) -> Tensor:
        number = whole_number(n)
        if number is None or not 1 <= number <= most:
            raise DatasetError(
                f"{self.name}: {n!r} of {len(split):,} {split_name} images were asked for; "
                f"give a whole number from 1 to {most:,}."
            )
        whole_seed = whole_number(seed)
        if whole_seed is None or not 0 <= whole_seed < 2**64:
            raise DatasetError(f"{self.name}: seed is {seed!r}; give a whole number from 0 to 2**64 - 1.")
        return stratified_indices(split.labels, number, whole_seed)


def stratified_indices(labels: Tensor, n: int, seed: int) -> Tensor:
    """Draw `n` indices so that each class keeps its share of `labels`, to within one (largest remainder).

    Args:
        labels: int64, shape (N,).
        n: from 1 to N.
        seed: of the draw.

    Returns:
        int64, shape (n,), ascending and without repeats.
    """
    generator = torch.Generator().manual_seed(seed)
    classes, counts = labels.unique(return_counts=True)
    quotas, remainders = n * counts // len(labels), n * counts % len(labels)
    # The remainders sum to a multiple of N and each is below N: more classes have one than there are places left.
    places_left = n - int(quotas.sum())
    quotas[remainders.argsort(descending=True, stable=True)[:places_left]] += 1
    drawn = []
    for label, quota in zip(classes, quotas, strict=True):
        members = (labels == label).nonzero().flatten()
        drawn.append(members[torch.randperm(len(members), generator=generator)[:quota]])
    return torch.cat(drawn).sort().values


def channel_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and population standard deviation of each channel, in units of [0, 1] pixel values.

    Counts how often each of the 256 values occurs, chunk by chunk: exact, whatever the chunks, and a memory-mapped set
    larger than memory is read once without a float copy.

    Args:
        images: uint8, shape (N, C, H, W).

    Returns:
        Two float32 tensors of shape (C,). The deviation of a channel that never changes is given as 1: divided by it,
        the channel becomes 0 everywhere, where its own 0 would make it NaN.
    """
    counts = torch.zeros(images.shape[1], 256, dtype=torch.int64)
    for chunk in images.split(max(1, _BYTES_PER_CHUNK // images[0].numel())):
        for channel in range(images.shape[1]):
            counts[channel] += chunk[:, channel].flatten().bincount(minlength=256)
    frequencies = counts.double() / counts[0].sum()
    values = torch.arange(256, dtype=torch.float64) / 255
    mean = frequencies @ values
    variance = (frequencies * (values - mean[:, None]) ** 2).sum(dim=1)
    std = variance.sqrt()
    return mean.float(), torch.where(frequencies.amax(1) == 1, 1.0, std).float()


def describe_tensor(tensor: Tensor) -> str:
    """Dtype and shape, for a message: "uint8 of shape (3, 2)"."""
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"
