"""Inception-v4, Inception-ResNet-v1 and v2: Szegedy et al. 2016, "Inception-v4, Inception-ResNet and the Impact of
Residual Connections on Learning" (arXiv:1602.07261), figures 3 to 15 and table 1, in the form of the released code."""

from __future__ import annotations

from course_lib.architecture import (
    Branches,
    Residual,
    Sequence,
    avg_pool,
    branches,
    conv,
    max_pool,
    residual,
    seq,
)
from course_lib.models.classifier import classifier
from course_lib.models.inception_v3 import first_layers
from course_lib.models.registry import register

PAPER = "Szegedy et al. 2016, Inception-v4, Inception-ResNet"


def stem() -> Sequence:
    """Inception-v4's stem, with three concatenations, from the image to 35x35x384 (figure 3)."""
    return seq(
        conv(32, 3, 2, padding="valid").named("conv_1a_3x3"),
        conv(32, 3, padding="valid").named("conv_2a_3x3"),
        conv(64, 3).named("conv_2b_3x3"),
        branches(max_pool(3, 2, padding="valid"), conv(96, 3, 2, padding="valid")).named("mixed_3a"),
        branches(
            conv(64, 1) >> conv(96, 3, padding="valid"),
            conv(64, 1) >> conv(64, (1, 7)) >> conv(64, (7, 1)) >> conv(96, 3, padding="valid"),
        ).named("mixed_4a"),
        branches(conv(192, 3, 2, padding="valid"), max_pool(3, 2, padding="valid")).named("mixed_5a"),
    )


def block_a() -> Branches:
    """On the 35x35 grid (figure 4)."""
    return branches(
        conv(96, 1),
        conv(64, 1) >> conv(96, 3),
        conv(64, 1) >> conv(96, 3) >> conv(96, 3),
        avg_pool(3) >> conv(96, 1),
    )


def block_b() -> Branches:
    """On the 17x17 grid (figure 5)."""
    return branches(
        conv(384, 1),
        conv(192, 1) >> conv(224, (1, 7)) >> conv(256, (7, 1)),
        conv(192, 1) >> conv(192, (7, 1)) >> conv(224, (1, 7)) >> conv(224, (7, 1)) >> conv(256, (1, 7)),
        avg_pool(3) >> conv(128, 1),
    )


def block_c() -> Branches:
    """On the 8x8 grid (figure 6)."""
    return branches(
        conv(256, 1),
        conv(384, 1) >> branches(conv(256, (1, 3)), conv(256, (3, 1))),
        conv(384, 1) >> conv(448, (3, 1)) >> conv(512, (1, 3)) >> branches(conv(256, (1, 3)), conv(256, (3, 1))),
        avg_pool(3) >> conv(256, 1),
    )


def reduction_a(k: int, l: int, m: int, n: int) -> Branches:  # noqa: E741 (table 1 calls it l)
    """From 35x35 to 17x17, of all three networks (figure 7 and table 1)."""
    return branches(
        conv(n, 3, 2, padding="valid"),
        conv(k, 1) >> conv(l, 3) >> conv(m, 3, 2, padding="valid"),
        max_pool(3, 2, padding="valid"),
    )


def reduction_b() -> Branches:
    """Inception-v4's, from 17x17 to 8x8 (figure 8)."""
    return branches(
        conv(192, 1) >> conv(192, 3, 2, padding="valid"),
        conv(256, 1) >> conv(256, (1, 7)) >> conv(320, (7, 1)) >> conv(320, 3, 2, padding="valid"),
        max_pool(3, 2, padding="valid"),
    )


@register(paper=PAPER, input_shape=(3, 299, 299))
def inception_v4(num_classes: int = 1000, *, dropout: float = 0.2) -> Sequence:
    """Inception-v4 (figure 9). The paper says dropout "keep 0.8", so 0.2 before the last layer."""
    return seq(
        stem(),
        *(block_a().named(f"mixed_5{letter}") for letter in "bcde"),
        reduction_a(192, 224, 256, 384).named("mixed_6a"),
        *(block_b().named(f"mixed_6{letter}") for letter in "bcdefgh"),
        reduction_b().named("mixed_7a"),
        *(block_c().named(f"mixed_7{letter}") for letter in "bcd"),
        classifier(num_classes, dropout),
    )


def scaled(inner: Branches, channels: int, scale: float, activation: str = "relu") -> Residual:
    """Branches, then the 1x1 to the input's channels with bias, without batch norm and ReLU, times `scale`, added to
    the input (section 3.3)."""
    return residual(inner >> conv(channels, 1, norm=False, activation="linear"), scale, activation=activation)


def branches_35(double: tuple[int, int, int]) -> Branches:
    """Of the residual blocks on 35x35 (figures 10 and 16)."""
    return branches(
        conv(32, 1), conv(32, 1) >> conv(32, 3), conv(double[0], 1) >> conv(double[1], 3) >> conv(double[2], 3)
    )


def branches_line(one: int, line: tuple[int, int, int], size: int) -> Branches:
    """Of the residual blocks on 17x17 (`size` 7, figures 11 and 17) and 8x8 (`size` 3, figures 13 and 19)."""
    return branches(conv(one, 1), conv(line[0], 1) >> conv(line[1], (1, size)) >> conv(line[2], (size, 1)))


def residual_reduction_b(second: int, third: tuple[int, int]) -> Branches:
    """From 17x17 to 8x8 (figures 12 and 18)."""
    return branches(
        conv(256, 1) >> conv(384, 3, 2, padding="valid"),
        conv(256, 1) >> conv(second, 3, 2, padding="valid"),
        conv(256, 1) >> conv(third[0], 3) >> conv(third[1], 3, 2, padding="valid"),
        max_pool(3, 2, padding="valid"),
    )


def residual_body(
    counts: tuple[int, int, int],
    inner: tuple[Branches, Branches, Branches],
    widths: tuple[int, int, int],
    first: Branches,
    second: Branches,
) -> Sequence:
    """The three grids' residual blocks with the reductions `first` and `second` between them; one more block, without
    scale and ReLU, ends the last grid."""
    grids = []
    for size, count, part, channels, scale in zip((35, 17, 8), counts, inner, widths, (0.17, 0.10, 0.20), strict=True):
        grids.append([scaled(part, channels, scale).named(f"block{size}_{i}") for i in range(1, count + 1)])
    last = scaled(inner[2], widths[2], 1.0, "linear").named(f"block8_{counts[2] + 1}")
    return seq(*grids[0], first.named("mixed_6a"), *grids[1], second.named("mixed_7a"), *grids[2], last)


@register(paper=PAPER, input_shape=(3, 299, 299))
def inception_resnet_v1(num_classes: int = 1000, *, dropout: float = 0.2) -> Sequence:
    """Inception-ResNet-v1 (figure 15, stem of figure 14), about as costly as Inception-v3."""
    return seq(
        *first_layers().layers[:-1],
        conv(256, 3, 2, padding="valid").named("conv_4b_3x3"),
        residual_body(
            counts=(5, 10, 5),
            inner=(
                branches_35((32, 32, 32)),
                branches_line(128, (128, 128, 128), 7),
                branches_line(192, (192, 192, 192), 3),
            ),
            widths=(256, 896, 1792),
            first=reduction_a(192, 192, 256, 384),
            second=residual_reduction_b(256, (256, 256)),
        ),
        classifier(num_classes, dropout),
    )


@register(paper=PAPER, input_shape=(3, 299, 299))
def inception_resnet_v2(num_classes: int = 1000, *, dropout: float = 0.2) -> Sequence:
    """Inception-ResNet-v2 as released. It begins with Inception-v3's stem and one Inception block, where the paper
    draws Inception-v4's stem; it has 10, 20 and 9 + 1 residual blocks, not 5, 10 and 5 (figure 15); its widths are 320,
    1088 and 2080, not 384, 1154 and 2048 (figures 16, 17 and 19); and a 1x1 to 1536 ends it."""
    mixed_5b = branches(
        conv(96, 1),
        conv(48, 1) >> conv(64, 5),
        conv(64, 1) >> conv(96, 3) >> conv(96, 3),
        avg_pool(3) >> conv(64, 1),
    )
    return seq(
        first_layers(),
        mixed_5b.named("mixed_5b"),
        residual_body(
            counts=(10, 20, 9),
            inner=(
                branches_35((32, 48, 64)),
                branches_line(192, (128, 160, 192), 7),
                branches_line(192, (192, 224, 256), 3),
            ),
            widths=(320, 1088, 2080),
            first=reduction_a(256, 256, 384, 384),
            second=residual_reduction_b(288, (288, 320)),
        ),
        conv(1536, 1).named("conv_7b_1x1"),
        classifier(num_classes, dropout),
    )
