"""Inception-v2 and v3: Szegedy et al. 2015, "Rethinking the Inception Architecture for Computer Vision"
(arXiv:1512.00567), table 1 and figures 5 to 7 and 10, in the form of the authors' released code."""

from __future__ import annotations

from course_lib.architecture import (
    Auxiliary,
    Branches,
    Pool,
    Sequence,
    adaptive_avg_pool,
    auxiliary,
    avg_pool,
    branches,
    conv,
    global_avg_pool,
    linear,
    max_pool,
    seq,
    with_fields,
)
from course_lib.models.classifier import classifier
from course_lib.models.registry import check_option, register

PAPER = "Szegedy et al. 2015, Rethinking the Inception Architecture"

STEMS = ("3x3", "7x7")
RESOLUTIONS = (299, 151, 79)
AUX_FULLY_CONNECTED = ("5x5", "linear")


def first_layers(stem: str = "3x3", resolution: int = 299) -> Sequence:
    """From the image to 192 channels on the 71x71 grid, and the pool to 35x35.

    The lower resolutions reach the same grids: 151 by a first layer of stride 1, 79 also without the first pool (paper,
    section 9).
    """
    check_option("stem", stem, STEMS)
    check_option("resolution", resolution, RESOLUTIONS)
    stride = 2 if resolution == 299 else 1
    factorized = seq(
        conv(32, 3, stride, padding="valid").named("conv_1a_3x3"),
        conv(32, 3, padding="valid").named("conv_2a_3x3"),
        conv(64, 3).named("conv_2b_3x3"),
    )
    opening = factorized if stem == "3x3" else conv(64, 7, stride, padding="valid").named("conv_1a_7x7")
    pool = seq() if resolution == 79 else max_pool(3, 2, padding="valid").named("pool_3a")
    return seq(
        opening,
        pool,
        conv(80, 1).named("conv_3b_1x1"),
        conv(192, 3, padding="valid").named("conv_4a_3x3"),
        max_pool(3, 2, padding="valid").named("pool_5a"),
    )


def block_a(pool: int) -> Branches:
    """On the 35x35 grid (figure 5; the released code keeps one 5x5)."""
    return branches(
        conv(64, 1).named("1x1"),
        (conv(48, 1) >> conv(64, 5)).named("5x5"),
        (conv(64, 1) >> conv(96, 3) >> conv(96, 3)).named("3x3dbl"),
        (avg_pool(3) >> conv(pool, 1)).named("pool"),
    )


def reduction_b() -> Branches:
    """From 35x35 to 17x17 (figure 10)."""
    return branches(
        conv(384, 3, 2, padding="valid").named("3x3"),
        (conv(64, 1) >> conv(96, 3) >> conv(96, 3, 2, padding="valid")).named("3x3dbl"),
        max_pool(3, 2, padding="valid").named("pool"),
    )


def block_c(inner: int) -> Branches:
    """On the 17x17 grid: 7x7 as 1x7 and 7x1 (figure 6)."""
    return branches(
        conv(192, 1).named("1x1"),
        (conv(inner, 1) >> conv(inner, (1, 7)) >> conv(192, (7, 1))).named("7x7"),
        seq(conv(inner, 1), conv(inner, (7, 1)), conv(inner, (1, 7)), conv(inner, (7, 1)), conv(192, (1, 7))).named(
            "7x7dbl"
        ),
        (avg_pool(3) >> conv(192, 1)).named("pool"),
    )


def reduction_d() -> Branches:
    """From 17x17 to 8x8."""
    return branches(
        (conv(192, 1) >> conv(320, 3, 2, padding="valid")).named("3x3"),
        (conv(192, 1) >> conv(192, (1, 7)) >> conv(192, (7, 1)) >> conv(192, 3, 2, padding="valid")).named("7x7x3"),
        max_pool(3, 2, padding="valid").named("pool"),
    )


def block_e() -> Branches:
    """On the 8x8 grid: 3x3 as 1x3 beside 3x1 (figure 7)."""
    pair = branches(conv(384, (1, 3)), conv(384, (3, 1)))
    return branches(
        conv(320, 1).named("1x1"),
        (conv(384, 1) >> pair).named("3x3"),
        (conv(448, 1) >> conv(384, 3) >> pair).named("3x3dbl"),
        (avg_pool(3) >> conv(192, 1)).named("pool"),
    )


def head(num_classes: int, *, bn_aux: bool, bn_aux_fc: bool, aux_fc: str) -> Auxiliary:
    """The auxiliary classifier (figure 8): pool to 5x5, a 1x1 convolution, a fully connected layer, the logits."""
    check_option("aux_fc", aux_fc, AUX_FULLY_CONNECTED)
    norm = bn_aux and bn_aux_fc
    pool = avg_pool(5, 3, padding="valid").named("pool")
    squeeze = conv(128, 1, norm=bn_aux).named("conv0")
    logits = linear(num_classes).named("fc")
    if aux_fc == "5x5":
        fully_connected = conv(768, 5, padding="valid", norm=norm).named("conv1")
        classify = seq(pool, squeeze, fully_connected, global_avg_pool().named("global_pool"), logits)
    else:
        fully_connected = linear(1024, norm=norm, activation="relu").named("fc1")
        # On a 17x17 grid the pool gives 5x5 and the adaptive one after it does nothing.
        classify = seq(pool, adaptive_avg_pool(5).named("grid"), squeeze, fully_connected, logits)
    return auxiliary(classify, 0.4).named("aux")


@register(paper=PAPER, input_shape=(3, 299, 299))
def inception_v2(
    num_classes: int = 1000,
    aux: bool = False,
    *,
    bn_aux: bool = False,
    bn_aux_fc: bool = True,
    aux_fc: str = "5x5",
    stem: str = "3x3",
    dropout: float = 0.5,
) -> Sequence:
    """Inception-v2 of the same paper: v3's trunk, its auxiliary head without batch normalisation.

    The paper's steps from v2 to v3 (section 10, table 3) are RMSProp and label smoothing, which are the training's, the
    factorised 7x7 (`stem`) and BN-auxiliary (`bn_aux`, `bn_aux_fc`). Dropout is none of them.

    Args:
        bn_aux, bn_aux_fc, aux_fc: as in `inception_v3`. By default nothing in the head is normalised. The paper's v2
            normalises the convolutions of its head, but not the fully connected layer: `bn_aux=True,
            bn_aux_fc=False`.
        stem: as in `inception_v3`; "7x7" is v2 in the paper's cumulative table 3, where the factorised 7x7 is a later
            step.
        dropout: before the last layer.
    """
    return inception_v3(num_classes, aux, bn_aux=bn_aux, bn_aux_fc=bn_aux_fc, aux_fc=aux_fc, stem=stem, dropout=dropout)


@register(paper=PAPER, input_shape=(3, 299, 299))
def inception_v3(
    num_classes: int = 1000,
    aux: bool = False,
    *,
    bn_aux: bool = True,
    bn_aux_fc: bool = True,
    aux_fc: str = "5x5",
    stem: str = "3x3",
    resolution: int = 299,
    count_include_pad: bool = False,
    dropout: float = 0.5,
) -> Sequence:
    """Inception-v3, in the form of the released code. In the paper (section 10, table 3) it is v2 with RMSProp, label
    smoothing, the factorised 7x7 and BN-auxiliary; the first two are the training's.

    torchvision's inception_v3 is this network with `count_include_pad=True`.

    Args:
        bn_aux: batch normalisation in the auxiliary head; without, its layers have biases. Never on the logits.
        bn_aux_fc: with `bn_aux`, on the head's fully connected layer, too: the paper's BN-auxiliary. False leaves it to
            the convolution before that, the paper's state one step earlier.
        aux_fc: the head's fully connected layer. "5x5" is the released code's: a convolution to 768 channels over all
            of the 5x5 that the pool leaves of a 17x17 grid. "linear" is one of 1024 units, as in GoogLeNet's heads.
        stem: "3x3", or "7x7" for one 7x7/2 in place of the first three layers, as before the paper factorised it.
        resolution: 299, or 151 or 79 for the stems that reach the same grids from smaller images (table 2).
        count_include_pad: average pools count the padding's zeros, as torchvision's do; TensorFlow's, with which the
            paper's weights were trained, leave them out.
        dropout: before the last layer.
    """
    value = seq(
        first_layers(stem, resolution),
        block_a(pool=32).named("mixed_5b"),
        block_a(pool=64).named("mixed_5c"),
        block_a(pool=64).named("mixed_5d"),
        reduction_b().named("mixed_6a"),
        block_c(inner=128).named("mixed_6b"),
        block_c(inner=160).named("mixed_6c"),
        block_c(inner=160).named("mixed_6d"),
        block_c(inner=192).named("mixed_6e"),
        head(num_classes, bn_aux=bn_aux, bn_aux_fc=bn_aux_fc, aux_fc=aux_fc) if aux else seq(),
        reduction_d().named("mixed_7a"),
        block_e().named("mixed_7b"),
        block_e().named("mixed_7c"),
        classifier(num_classes, dropout),
    )
    return with_fields(value, Pool, count_include_pad=True) if count_include_pad else value
