"""GoogLeNet: Szegedy et al. 2014, "Going Deeper with Convolutions" (arXiv:1409.4842), table 1 and figure 3; and its
forms with batch normalisation and for 32x32 images."""

from __future__ import annotations

from dataclasses import replace

from course_lib.architecture import (
    ArchitectureError,
    Branches,
    Conv,
    Node,
    Sequence,
    adaptive_avg_pool,
    auxiliary,
    avg_pool,
    branches,
    conv,
    dropout,
    linear,
    local_response_norm,
    max_pool,
    rewrite,
    seq,
    with_fields,
)
from course_lib.models.classifier import classifier
from course_lib.models.registry import check_option, register

PAPER = "Szegedy et al. 2014, Going Deeper with Convolutions"

MODULES = {  # table 1: 1x1 | 3x3 reduce, 3x3 | 5x5 reduce, 5x5 | pool projection
    "3a": (64, (96, 128), (16, 32), 32),
    "3b": (128, (128, 192), (32, 96), 64),
    "4a": (192, (96, 208), (16, 48), 64),
    "4b": (160, (112, 224), (24, 64), 64),
    "4c": (128, (128, 256), (24, 64), 64),
    "4d": (112, (144, 288), (32, 64), 64),
    "4e": (256, (160, 320), (32, 128), 128),
    "5a": (256, (160, 320), (32, 128), 128),
    "5b": (384, (192, 384), (48, 128), 128),
}
PUBLISHED_COSTS = {  # table 1, by the layers that a row means: "params" in units of 1,024, and "ops" in millions
    "conv1": (2.7, 34),
    "conv2 + conv3": (112, 360),
    "3a": (159, 128),
    "3b": (380, 304),
    "4a": (364, 73),
    "4b": (437, 88),
    "4c": (463, 100),
    "4d": (580, 119),
    "4e": (840, 170),
    "5a": (1072, 54),
    "5b": (1388, 71),
    "fc": (1000, 1),
}
HEADS_AFTER = {"4a": "aux1", "4d": "aux2"}
HEAD_POOLS = {"5/3": avg_pool(5, 3, padding="valid") >> adaptive_avg_pool(4), "adaptive": adaptive_avg_pool(4)}
FIVE_BY_FIVE = {"5x5": 5, "3x3": 3}


def inception(one: int, three: tuple[int, int], five: tuple[int, int], pool: int, five_kernel: int = 5) -> Branches:
    """The Inception module with dimension reductions (figure 2b)."""
    return branches(
        conv(one, 1),
        conv(three[0], 1) >> conv(three[1], 3),
        conv(five[0], 1) >> conv(five[1], five_kernel),
        max_pool(3) >> conv(pool, 1),
    )


def head(num_classes: int, pool: str = "5/3") -> Sequence:
    """An auxiliary classifier (section 5). On its 14x14 grid the 5x5/3 pool gives 4x4 and the adaptive one after it
    does nothing; on other grids it keeps the fully connected layer's size."""
    return seq(
        HEAD_POOLS[pool],
        conv(128, 1).named("conv"),
        linear(1024, activation="relu").named("fc1"),
        dropout(0.7).named("dropout"),
        linear(num_classes).named("fc2"),
    )


def stem(lrn: bool) -> Sequence:
    """From the image to the 28x28 grid."""
    norm = local_response_norm() if lrn else seq()
    return seq(
        conv(64, 7, 2).named("conv1"),
        max_pool(3, 2, padding="ceil").named("pool1"),
        norm.named("norm1") if lrn else norm,
        conv(64, 1).named("conv2"),
        conv(192, 3).named("conv3"),
        norm.named("norm2") if lrn else norm,
        max_pool(3, 2, padding="ceil").named("pool2"),
    )


def body(num_classes: int, aux: bool, *, pool4: int = 3, head_pool: str = "5/3", five_by_five: str = "5x5") -> Sequence:
    """Modules 3a to 5b with the pools and heads between them."""
    check_option("pool4", pool4, (3, 2))
    check_option("head_pool", head_pool, HEAD_POOLS)
    check_option("five_by_five", five_by_five, FIVE_BY_FIVE)
    pools = {"3b": ("pool3", 3), "4e": ("pool4", pool4)}
    parts: list[Node] = []
    for name, widths in MODULES.items():
        parts.append(inception(*widths, FIVE_BY_FIVE[five_by_five]).named(name))
        if name in pools:
            pool, kernel_size = pools[name]
            parts.append(max_pool(kernel_size, 2, padding="ceil").named(pool))
        if aux and name in HEADS_AFTER:
            parts.append(auxiliary(head(num_classes, head_pool), 0.3).named(HEADS_AFTER[name]))
    return seq(*parts)


@register(paper=PAPER, input_shape=(3, 224, 224))
def googlenet(num_classes: int = 1000, aux: bool = False, *, lrn: bool = True, dropout: float = 0.4) -> Sequence:
    """GoogLeNet as published: true 5x5, biases, no batch normalisation.

    Args:
        lrn: the two local response normalisations of the stem (figure 3), which hold no parameters.
        dropout: before the last layer (table 1).
    """
    with_norm = stem(lrn) >> body(num_classes, aux) >> classifier(num_classes, dropout)
    return with_fields(with_norm, Conv, norm=False, bias=True)


@register(paper=PAPER + ", with batch norm", input_shape=(3, 224, 224))
def googlenet_bn(
    num_classes: int = 1000,
    aux: bool = False,
    *,
    five_by_five: str = "5x5",
    pool4: int = 3,
    head_pool: str = "5/3",
    dropout: float = 0.4,
) -> Sequence:
    """GoogLeNet with batch normalisation in place of biases and local response normalisation.

    torchvision's googlenet is this network with `five_by_five="3x3", pool4=2, head_pool="adaptive", dropout=0.2`.

    Args:
        five_by_five: kernel of the third branch; "3x3" is torchvision's, a slip it keeps for its published weights.
        pool4: kernel of the pool before 5a; table 1 says 3, torchvision uses 2.
        head_pool: how the heads reach 4x4; "5/3" is the paper's 5x5 pool with stride 3, "adaptive" torchvision's.
        dropout: before the last layer.
    """
    modules = body(num_classes, aux, pool4=pool4, head_pool=head_pool, five_by_five=five_by_five)
    return stem(lrn=False) >> modules >> classifier(num_classes, dropout)


@register(paper=PAPER + ", for CIFAR", input_shape=(3, 32, 32), num_classes=10)
def googlenet_cifar(
    num_classes: int = 1000, aux: bool = False, *, width: float = 1.0, dropout: float = 0.4
) -> Sequence:
    """GoogLeNet for 32x32 images: a 3x3 stem of stride 1, no pool before 3a, batch normalisation.

    Args:
        width: factor on the channels of every convolution. Other than 1, they are rounded to multiples of 16, on
            which batch normalisation runs several times faster on a CPU.
        dropout: before the last layer.
    """
    if not width > 0:
        raise ArchitectureError(f"option width must be a number above 0; got {width!r}.")
    first = conv(64, 3).named("conv1") >> conv(192, 3).named("conv2")
    value = first >> body(num_classes, aux) >> classifier(num_classes, dropout)
    return value if width == 1 else scaled(value, width)


def scaled(value: Node, width: float) -> Node:
    """`value` with `width` times the channels in every convolution, rounded to multiples of 16, at least 16."""
    return rewrite(value, lambda part, _: _scaled(part, width))


def _scaled(part: Node, width: float) -> Node:
    if not isinstance(part, Conv):
        return part
    return replace(part, channels=max(1, round(part.channels * width / 16)) * 16)
