"""A ladder of reduced networks for 28x28 and 32x32 images, with Inception-v3's three grids: the middle one lies at 14
or 16, where the paper finds that 1x7 and 7x1 belong (section 3.2)."""

from __future__ import annotations

from course_lib.architecture import (
    ArchitectureError,
    Auxiliary,
    Branches,
    Sequence,
    auxiliary,
    avg_pool,
    branches,
    conv,
    global_avg_pool,
    linear,
    max_pool,
    seq,
)
from course_lib.models.classifier import classifier
from course_lib.models.registry import check_option, register

LETTERS = "bcdefgh"  # of the blocks on one grid, after the reduction "a"


def block_a(w: int) -> Branches:
    """On 28x28: v3's figure 5, to 4w channels."""
    return branches(
        conv(w, 1),
        conv(w, 1) >> conv(w, 3),
        conv(w, 1) >> conv(w, 3) >> conv(w, 3),
        avg_pool(3) >> conv(w, 1),
    )


def block_c(w: int) -> Branches:
    """On 14x14: v3's figure 6 with 1x7 and 7x1, to 8w channels."""
    return branches(
        conv(2 * w, 1),
        conv(w, 1) >> conv(w, (1, 7)) >> conv(2 * w, (7, 1)),
        conv(w, 1) >> conv(w, (7, 1)) >> conv(w, (1, 7)) >> conv(w, (7, 1)) >> conv(2 * w, (1, 7)),
        avg_pool(3) >> conv(2 * w, 1),
    )


def block_e(w: int) -> Branches:
    """On 7x7: v3's figure 7 with 1x3 beside 3x1, to 12w channels."""
    pair = branches(conv(2 * w, (1, 3)), conv(2 * w, (3, 1)))
    return branches(
        conv(2 * w, 1), conv(2 * w, 1) >> pair, conv(2 * w, 1) >> conv(2 * w, 3) >> pair, avg_pool(3) >> conv(2 * w, 1)
    )


def reduction(direct: int, double: int) -> Branches:
    """Halves the grid beside a pool (figure 10)."""
    return branches(
        conv(direct, 3, 2),
        conv(double, 1) >> conv(double, 3) >> conv(double, 3, 2),
        max_pool(3, 2),
    )


def head(num_classes: int, w: int, bn_aux: bool, bn_aux_fc: bool) -> Auxiliary:
    """v3's auxiliary classifier; the pool leaves 4x4 of a grid of 14 or 16, so its fully connected layer is a 4x4
    convolution."""
    classify = seq(
        avg_pool(5, 3, padding="valid").named("pool"),
        conv(4 * w, 1, norm=bn_aux).named("conv0"),
        conv(8 * w, 4, padding="valid", norm=bn_aux and bn_aux_fc).named("conv1"),
        global_avg_pool().named("global_pool"),
        linear(num_classes).named("fc"),
    )
    return auxiliary(classify, 0.4).named("aux")


@register(paper="Reduced from Szegedy et al. 2015, after its three grids", input_shape=(3, 32, 32), num_classes=10)
def small_inception(
    num_classes: int = 1000,
    aux: bool = False,
    *,
    width: int = 16,
    depth: int = 1,
    bn_aux: bool = True,
    bn_aux_fc: bool = True,
    dropout: float = 0.0,
) -> Sequence:
    """v3 in small: blocks as in figure 5 on the image's own grid, as in figure 6 on half of it, as in figure 7 on a
    quarter. On 28x28, width 16 and depths 1 to 4 cost 23, 39, 55 and 71 million MACs.

    Args:
        width: channels of the narrowest layers, a multiple of 16: on others batch normalisation runs several times
            slower on a CPU.
        depth: blocks on each grid, 1 to 7.
        bn_aux: batch normalisation in the auxiliary head; without, its convolutions have biases.
        bn_aux_fc: with `bn_aux`, on the head's fully connected layer, too, as in the v3 paper's BN-auxiliary.
        dropout: before the last layer.
    """
    if not isinstance(width, int) or width < 16 or width % 16:
        raise ArchitectureError(f"option width must be a multiple of 16, such as 16, 32 or 48; got {width!r}.")
    check_option("depth", depth, range(1, len(LETTERS) + 1))
    w, letters = width, LETTERS[:depth]
    return seq(
        conv(w, 3).named("conv_1a_3x3"),
        *(block_a(w).named(f"mixed_5{letter}") for letter in letters),
        reduction(2 * w, w).named("mixed_6a"),
        *(block_c(w).named(f"mixed_6{letter}") for letter in letters),
        head(num_classes, w, bn_aux, bn_aux_fc) if aux else seq(),
        reduction(2 * w, w).named("mixed_7a"),
        *(block_e(w).named(f"mixed_7{letter}") for letter in letters),
        classifier(num_classes, dropout),
    )
