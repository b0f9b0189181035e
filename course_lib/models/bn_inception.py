"""BN-Inception: Ioffe & Szegedy 2015, "Batch Normalization" (arXiv:1502.03167), figure 5. Some code calls it
Inception-v2; the course keeps that name for the network of the next paper."""

from __future__ import annotations

from course_lib.architecture import Branches, Conv, Pool, Sequence, avg_pool, branches, conv, max_pool, seq, with_fields
from course_lib.architecture.nodes.layers import BATCH_NORM_EPS
from course_lib.models.classifier import classifier
from course_lib.models.googlenet import stem
from course_lib.models.registry import check_option, register

MODULES = {  # 1x1 | 3x3 reduce, 3x3 | double 3x3 reduce, 3x3, 3x3 | pool and its projection
    "3a": (64, (64, 64), (64, 96, 96), (avg_pool(3), 32)),
    "3b": (64, (64, 96), (64, 96, 96), (avg_pool(3), 64)),
    "4a": (224, (64, 96), (96, 128, 128), (avg_pool(3), 128)),
    "4b": (192, (96, 128), (96, 128, 128), (avg_pool(3), 128)),
    "4c": (160, (128, 160), (128, 160, 160), (avg_pool(3), 128)),
    "4d": (96, (128, 192), (160, 192, 192), (avg_pool(3), 128)),
    "5a": (352, (192, 320), (160, 224, 224), (avg_pool(3), 128)),
    "5b": (352, (192, 320), (192, 224, 224), (max_pool(3), 128)),
}
REDUCTIONS = {  # 3x3 reduce, 3x3/2 | double 3x3 reduce, 3x3, 3x3/2; the third branch is the pool alone
    "3c": ((128, 160), (64, 96, 96)),
    "4e": ((128, 192), (192, 256, 256)),
}


def inception(one: int, three: tuple[int, int], double: tuple[int, int, int], pool: tuple[Pool, int]) -> Branches:
    """A module of stride 1: GoogLeNet's with two 3x3 in place of the 5x5."""
    return branches(
        conv(one, 1),
        conv(three[0], 1) >> conv(three[1], 3),
        conv(double[0], 1) >> conv(double[1], 3) >> conv(double[2], 3),
        pool[0] >> conv(pool[1], 1),
    )


def reduction(three: tuple[int, int], double: tuple[int, int, int], pool_padding: str) -> Branches:
    """A module that halves the grid: stride 2 in the last layer of each branch, no 1x1 branch."""
    return branches(
        conv(three[0], 1) >> conv(three[1], 3, 2),
        conv(double[0], 1) >> conv(double[1], 3) >> conv(double[2], 3, 2),
        max_pool(3, 2, padding=pool_padding),
    )


@register(paper="Ioffe & Szegedy 2015, Batch Normalization", input_shape=(3, 224, 224))
def bn_inception(
    num_classes: int = 1000,
    *,
    bias: bool = False,
    count_include_pad: bool = False,
    reduction_pool: str = "same",
    eps: float = BATCH_NORM_EPS,
    dropout: float = 0.0,
) -> Sequence:
    """BN-Inception.

    The network released with Caffe weights is this one with `bias=True, count_include_pad=True, reduction_pool="ceil",
    eps=1e-5`; with the bias alone it takes these weights and gives other logits.

    Args:
        bias: give each convolution a bias, which its batch norm's beta repeats.
        count_include_pad: average pools count the padding's zeros, as Caffe's do.
        reduction_pool: padding of the max pools in 3c and 4e: "same" pads as the convolutions beside them, "ceil" pads
            nothing and lets the last window hang over, as Caffe's do. Both give 14x14 and 7x7 of 224x224; with "ceil"
            the grids before these pools must be even, as where an image's sides are multiples of 32.
        eps: added to the variances of all batch norms.
        dropout: before the last layer; the paper found the network better without (section 4.2.1).
    """
    modules = {name: inception(*widths) for name, widths in MODULES.items()}
    check_option("reduction_pool", reduction_pool, ("same", "ceil"))
    modules |= {name: reduction(*widths, reduction_pool) for name, widths in REDUCTIONS.items()}
    body = seq(*(modules[name].named(name) for name in sorted(modules)))
    value = stem(lrn=False) >> body >> classifier(num_classes, dropout)
    value = with_fields(value, Conv, bias=bias, eps=eps)
    return with_fields(value, Pool, count_include_pad=True) if count_include_pad else value
