"""Augmentation by one gather gives what padding, cropping and mirroring give one image at a time."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from course_lib.training import augment, normalize


def random_images(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def candidates(image: torch.Tensor, pad: int, flip: bool) -> list[torch.Tensor]:
    """All that may become of one image (C, H, W): by the book, with a padded image and slices of it."""
    height, width = image.shape[1:]
    padded = F.pad(image[None].float(), (pad,) * 4, mode="reflect")[0].to(image.dtype)
    shifts = range(2 * pad + 1)
    crops = [padded[:, y : y + height, x : x + width] for y in shifts for x in shifts]
    return crops + [crop.flip(2) for crop in crops if flip]


@given(
    size=st.tuples(st.integers(4, 8), st.integers(4, 8)),
    channels=st.sampled_from([1, 3]),
    pad=st.integers(0, 3),
    flip=st.booleans(),
    layout=st.sampled_from([torch.contiguous_format, torch.channels_last]),
    seed=st.integers(0, 99),
)
def test_each_image_becomes_a_crop_of_itself_reflected_or_the_mirror_of_one(size, channels, pad, flip, layout, seed):
    images = random_images(5, channels, *size).contiguous(memory_format=layout)
    before = images.clone()
    result = augment(images, pad, flip, torch.Generator().manual_seed(seed))
    assert result.shape == images.shape
    assert result.dtype == torch.uint8
    assert torch.equal(images, before)
    for image, changed in zip(images, result, strict=True):
        assert any(torch.equal(changed, candidate) for candidate in candidates(image, pad, flip))


def test_every_crop_and_flip_occurs_equally_often():
    image = random_images(1, 3, 6, 6)
    result = augment(image.expand(3600, -1, -1, -1), 1, True, torch.Generator().manual_seed(1))
    counts = [int((result == candidate).flatten(1).all(1).sum()) for candidate in candidates(image[0], 1, True)]
    assert sum(counts) == 3600
    assert len(counts) == 18
    # Each count is binomial with mean 200 and standard deviation 13.7.
    assert all(140 < count < 260 for count in counts), counts


def test_nothing_to_do_gives_the_same_tensor_and_draws_no_numbers():
    images, generator = random_images(4, 1, 8, 8), torch.Generator().manual_seed(0)
    state = generator.get_state()
    assert augment(images, 0, False, generator) is images
    assert torch.equal(generator.get_state(), state)


def test_the_same_generator_state_gives_the_same_images():
    images = random_images(64, 3, 8, 8)
    first, again, other = (augment(images, 2, True, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_padding_that_cannot_be_reflected_is_refused():
    with pytest.raises(ValueError, match=r"pad is 6, but images of 8x6 .* at most 5\."):
        augment(random_images(2, 1, 8, 6), 6, False, torch.Generator())


@pytest.mark.parametrize("channels", [1, 3])
def test_normalize_standardises_each_channel_and_leaves_the_pixels_alone(channels):
    images = random_images(50, channels, 8, 8)
    before = images.clone()
    scaled = images.double() / 255
    mean, std = scaled.mean((0, 2, 3)).float(), scaled.std((0, 2, 3)).float()
    result = normalize(images, mean, std)
    expected = (scaled - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.double(), expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(images, before)
