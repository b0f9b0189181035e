"""Splits, stratified subsets and channel statistics."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.datasets import DatasetError, ImageData, Split, images
from course_lib.datasets.images import channel_statistics, stratified_indices


def make_split(labels):
    """A split whose images carry their own index in their two pixels."""
    index = torch.arange(len(labels))
    pixels = torch.stack([index // 256, index % 256], dim=1).to(torch.uint8)
    return Split(pixels.reshape(-1, 1, 1, 2), torch.tensor(labels))


def indices_of(split):
    pixels = split.images.flatten(1).long()
    return (pixels[:, 0] * 256 + pixels[:, 1]).tolist()


@pytest.fixture
def data():
    return ImageData.from_splits("toy", ("a", "b", "c"), make_split([0, 1, 2] * 100), make_split([2, 1, 0] * 20))


@given(data=st.data(), labels=st.lists(st.integers(0, 5), min_size=1, max_size=80), seed=st.integers(0, 2**32))
def test_stratified_draw_keeps_every_share_to_within_one(data, labels, seed):
    n = data.draw(st.integers(1, len(labels)))
    indices = stratified_indices(torch.tensor(labels), n, seed).tolist()
    assert len(indices) == n
    assert indices == sorted(set(indices))
    drawn = [labels[index] for index in indices]
    for label in set(labels):
        assert abs(drawn.count(label) * len(labels) - n * labels.count(label)) < len(labels)


@given(
    labels=st.lists(st.integers(0, 2), min_size=2, max_size=80), fraction=st.floats(0, 1), seed=st.integers(0, 2**32)
)
def test_held_out_and_kept_images_make_up_the_training_split(labels, fraction, seed):
    data = ImageData.from_splits("toy", ("a", "b", "c"), make_split(labels), make_split([0]))
    n = 1 + round(fraction * (len(labels) - 2))
    held_out = data.hold_out(n, seed)
    assert len(held_out.test) == n
    assert sorted(indices_of(held_out.train) + indices_of(held_out.test)) == list(range(len(labels)))
    for split in (held_out.train, held_out.test):
        assert split.labels.tolist() == [labels[index] for index in indices_of(split)]


def test_subset_cuts_the_named_splits_only(data):
    smaller = data.subset(train=30)
    assert smaller.train.labels.bincount().tolist() == [10, 10, 10]
    assert smaller.test is data.test
    smaller = data.subset(test=9)
    assert smaller.train is data.train
    assert smaller.test.labels.bincount().tolist() == [3, 3, 3]
    assert torch.equal(smaller.mean, data.mean)
    smaller = data.subset(train=30, test=9)
    assert (len(smaller.train), len(smaller.test)) == (30, 9)


def test_seed_decides_the_draw(data):
    assert indices_of(data.subset(train=30, seed=1).train) == indices_of(data.subset(train=30, seed=1).train)
    assert indices_of(data.subset(train=30, seed=1).train) != indices_of(data.subset(train=30, seed=2).train)


@pytest.mark.parametrize("cut", [lambda data: data.subset(train=30), lambda data: data.hold_out(270)])
def test_statistics_follow_the_training_split(data, cut):
    smaller = cut(data)
    pixels = smaller.train.images.double() / 255
    torch.testing.assert_close(smaller.mean, pixels.mean(dim=(0, 2, 3)).float())
    torch.testing.assert_close(smaller.std, pixels.std(dim=(0, 2, 3), correction=0).float())
    assert not torch.equal(smaller.mean, data.mean)


@pytest.mark.parametrize("n", [0, -1, 301, 1.5, True, "10", np.float64(2), np.True_, torch.tensor(True)])
def test_impossible_subset_is_refused(data, n):
    with pytest.raises(DatasetError, match=r"toy: .* of 300 training images were asked for; .* from 1 to 300"):
        data.subset(train=n)


@pytest.mark.parametrize("n", [np.int64(30), np.uint8(30), torch.tensor(30), torch.tensor([30])], ids=repr)
def test_whole_numbers_of_any_library_are_taken(data, n):
    assert indices_of(data.subset(train=n).train) == indices_of(data.subset(train=30).train)
    assert indices_of(data.hold_out(n).test) == indices_of(data.hold_out(30).test)
    assert indices_of(data.subset(train=30, seed=n).train) == indices_of(data.subset(train=30, seed=30).train)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, None, "0", True])
def test_a_seed_that_is_none_is_refused(data, seed):
    with pytest.raises(DatasetError, match=r"toy: seed is .*; give a whole number from 0"):
        data.subset(train=30, seed=seed)


def test_impossible_test_subset_is_refused(data):
    with pytest.raises(DatasetError, match=r"toy: 61 of 60 test images were asked for; .* from 1 to 60"):
        data.subset(test=61)


def test_hold_out_leaves_an_image_to_train_on(data):
    with pytest.raises(DatasetError, match=r"300 of 300 training images were asked for; .* from 1 to 299"):
        data.hold_out(300)


@pytest.mark.parametrize("bytes_per_chunk", [1, 200, 2**24])
def test_channel_statistics_are_exact_in_any_chunks(monkeypatch, bytes_per_chunk):
    monkeypatch.setattr(images, "_BYTES_PER_CHUNK", bytes_per_chunk)
    pixels = torch.randint(0, 256, (37, 3, 5, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    pixels[:, 1] //= 3
    mean, std = channel_statistics(pixels)
    reference = pixels.double() / 255
    torch.testing.assert_close(mean, reference.mean(dim=(0, 2, 3)).float())
    torch.testing.assert_close(std, reference.std(dim=(0, 2, 3), correction=0).float())


@pytest.mark.parametrize(
    ("shape", "dtype"), [((4, 1, 2, 2), torch.float32), ((4, 2, 2), torch.uint8), ((4, 1, 2, 2), torch.int64)]
)
def test_split_refuses_other_images(shape, dtype):
    with pytest.raises(DatasetError, match=r"Images are .*; they must be uint8 of shape \(N, C, H, W\)"):
        Split(torch.zeros(shape, dtype=dtype), torch.zeros(4, dtype=torch.int64))


@pytest.mark.parametrize(("n", "dtype"), [(3, torch.int64), (4, torch.uint8)])
def test_split_refuses_other_labels(n, dtype):
    with pytest.raises(DatasetError, match=r"Labels are .*; they must be int64 of shape \(4,\)"):
        Split(torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.zeros(n, dtype=dtype))


@pytest.mark.parametrize("shape", [(4, 1, 0, 0), (4, 0, 2, 2)])
def test_split_refuses_images_without_pixels(shape):
    with pytest.raises(DatasetError, match="at least one pixel each"):
        Split(torch.zeros(shape, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64))


@pytest.mark.parametrize("value", [0, 1, 127, 255])
def test_a_channel_that_never_changes_has_its_mean_and_is_divided_by_one(value):
    pixels = torch.randint(0, 256, (9, 2, 5, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    pixels[:, 1] = value
    mean, std = channel_statistics(pixels)
    assert (mean[1], std[1]) == (torch.tensor(value / 255), 1)
    pixels[0, 1, 0, 0] = value ^ 1  # one pixel is enough to have a deviation
    assert 0 < channel_statistics(pixels)[1][1] < 0.01


@pytest.mark.parametrize("std", [0.0, -1.0, float("nan"), float("inf")])
def test_image_data_refuses_a_deviation_that_pixels_cannot_be_divided_by(std):
    split = make_split([0])
    with pytest.raises(DatasetError, match=r"toy: the channels' std is \[.*\], .* must be above 0"):
        ImageData("toy", ("a",), split, split, torch.zeros(1), torch.tensor([std]))


def test_split_refuses_to_be_empty():
    with pytest.raises(DatasetError, match="at least one image"):
        Split(torch.zeros(0, 1, 2, 2, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64))


def test_image_data_refuses_splits_of_different_shape():
    other = Split(torch.zeros(1, 1, 3, 3, dtype=torch.uint8), torch.tensor([0]))
    with pytest.raises(DatasetError, match=r"toy: training images are \(1, 1, 2\), test images \(1, 3, 3\)"):
        ImageData.from_splits("toy", ("a",), make_split([0]), other)


@pytest.mark.parametrize("label", [-1, 2])
def test_image_data_refuses_labels_without_a_class(label):
    with pytest.raises(DatasetError, match=rf"labels run from .*{label}.*between 0 and 1"):
        ImageData.from_splits("toy", ("a", "b"), make_split([0, 1]), make_split([label]))
