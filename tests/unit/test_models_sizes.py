"""Parameters, MACs, receptive fields and shapes equal what papers and released code state."""

from __future__ import annotations

import pytest

from course_lib.architecture import ArchitectureError, Conv, Linear, Node, Pool, rewrite, seq, smallest_input, total
from course_lib.architecture.nodes.layers import LocalResponseNorm
from course_lib.models import entry, network, reference_options, trunk

TORCHVISION = reference_options("googlenet_bn", "torchvision")


# Counted from the released code where there is any, else from the structure the paper gives.
@pytest.mark.parametrize(
    ("name", "options", "params", "gmacs", "receptive_field"),
    [
        ("googlenet", {}, 6_998_552, "1.583", 715),
        ("googlenet", {"aux": True}, 13_378_280, None, 715),
        ("googlenet_bn", TORCHVISION, 6_624_904, "1.498", 379),
        ("googlenet_bn", {"aux": True, **TORCHVISION}, 13_004_888, None, 379),
        ("googlenet_bn", {"pool4": 2}, 7_005_832, "1.583", 699),
        ("googlenet_bn", {}, 7_005_832, "1.583", 715),
        ("googlenet_cifar", {}, 5_979_178, "1.557", 91),
        ("bn_inception", {}, 11_285_224, "2.033", 699),
        ("bn_inception", {"bias": True}, 11_295_240, "2.033", 699),
        ("inception_v3", {}, 23_834_568, "5.713", 1311),
        ("inception_v3", {"aux": True}, 27_161_264, None, 1311),
        ("inception_v2", {}, 23_834_568, "5.713", 1311),
        ("inception_v4", {}, 42_679_816, "12.254", 2071),
        ("inception_resnet_v1", {}, 24_357_096, "6.309", 1631),
        ("inception_resnet_v2", {}, 55_843_464, "13.156", 3039),
    ],
)
def test_sizes(name: str, options: dict, params: int, gmacs: str | None, receptive_field: int) -> None:
    known = entry(name)
    value = network(name, known.num_classes, **options)
    counted = total(value, known.input_shape)
    assert counted.params == params
    assert gmacs is None or f"{counted.macs / 1e9:.3f}" == gmacs
    assert total(trunk(value), known.input_shape).receptive_field == (receptive_field, receptive_field)


def grids(name: str, side: int, **options: object) -> dict[str, tuple[int, ...]]:
    """Output of each top-level part of a network without heads, by its name."""
    value = network(name, **options)
    return {
        part.name: total(seq(*value.layers[: index + 1]), (3, side, side)).out_shape
        for index, part in enumerate(value.layers)
    }


def test_googlenets_shapes_are_those_of_table_1() -> None:
    shapes = grids("googlenet", 224)
    table = {"conv1": (64, 112), "pool1": (64, 56), "conv3": (192, 56), "pool2": (192, 28), "3a": (256, 28)}
    table |= {"3b": (480, 28), "pool3": (480, 14), "4a": (512, 14), "4b": (512, 14), "4c": (512, 14), "4d": (528, 14)}
    table |= {"4e": (832, 14), "pool4": (832, 7), "5a": (832, 7), "5b": (1024, 7)}
    assert {name: shapes[name] for name in table} == {name: (c, side, side) for name, (c, side) in table.items()}


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("bn_inception", {"3a": (256, 28), "3b": (320, 28), "3c": (576, 14), "4d": (608, 14), "4e": (1056, 7)}),
        ("inception_v3", {"mixed_5d": (288, 35), "mixed_6a": (768, 17), "mixed_7a": (1280, 8), "mixed_7c": (2048, 8)}),
        ("inception_v4", {"mixed_5a": (384, 35), "mixed_6a": (1024, 17), "mixed_7a": (1536, 8)}),
        ("inception_resnet_v1", {"conv_4b_3x3": (256, 35), "mixed_6a": (896, 17), "mixed_7a": (1792, 8)}),
        ("inception_resnet_v2", {"mixed_5b": (320, 35), "mixed_6a": (1088, 17), "mixed_7a": (2080, 8)}),
    ],
)
def test_grids_and_widths_at_the_ends_of_each_stage(name: str, ends: dict[str, tuple[int, int]]) -> None:
    shapes = grids(name, entry(name).input_shape[1])
    assert {end: shapes[end] for end in ends} == {end: (c, side, side) for end, (c, side) in ends.items()}


@pytest.mark.parametrize("side", [28, 32])
def test_small_inception_has_the_three_grids(side: int) -> None:
    shapes = grids("small_inception", side)
    assert [shapes[name][1] for name in ("mixed_5b", "mixed_6a", "mixed_6b", "mixed_7a", "mixed_7b")] == [
        *(side, side // 2, side // 2),
        *(side // 4, side // 4),
    ]


def parts(value: Node, kind: type[Node]) -> list[Node]:
    found: list[Node] = []
    rewrite(value, lambda node, _: found.append(node) or node)
    return [node for node in found if isinstance(node, kind)]


def test_lower_resolutions_at_equal_cost() -> None:
    """Table 2 of the v3 paper: the stride-1 stem makes 151 cost exactly what 299 costs, and 79 a little less."""
    costs = {side: total(network("inception_v3", resolution=side), (3, side, side)) for side in (299, 151, 79)}
    assert costs[151].macs == costs[299].macs == 5_713_216_096
    assert f"{costs[79].macs / 1e9:.3f}" == "5.362"
    assert {cost.params for cost in costs.values()} == {23_834_568}
    plain = network("inception_v3")
    assert [f"{total(plain, (3, side, side)).macs / 1e9:.3f}" for side in (151, 79)] == ["1.082", "0.212"]


def test_the_7x7_stem_reaches_the_grid_of_the_three_3x3() -> None:
    assert grids("inception_v3", 299, stem="7x7")["pool_3a"] == grids("inception_v3", 299)["pool_3a"] == (64, 73, 73)
    first = parts(network("inception_v3", stem="7x7"), Conv)[0]
    assert (first.kernel_size, first.stride, first.channels) == ((7, 7), (2, 2), 64)


def test_version_2_is_version_3_without_batch_norm_in_its_head() -> None:
    assert network("inception_v2", 5) == network("inception_v3", 5)
    assert network("inception_v2", 5, aux=True, bn_aux=True) == network("inception_v3", 5, aux=True)
    v2 = next(part for part in network("inception_v2", 5, aux=True).layers if part.name == "aux")
    assert [(layer.norm, layer.bias) for layer in parts(v2, Conv)] == [(False, True)] * 2


def test_the_heads_fully_connected_layer_may_be_normalised_or_not_and_be_a_layer_of_its_own() -> None:
    def norms(**options: object) -> list[tuple[str, bool]]:
        head = next(part for part in network("inception_v3", 5, aux=True, **options).layers if part.name == "aux")
        return [(layer.name, layer.norm) for layer in parts(head, Conv | Linear)]

    assert norms() == [("conv0", True), ("conv1", True), ("fc", False)]
    assert norms(bn_aux_fc=False) == [("conv0", True), ("conv1", False), ("fc", False)]
    assert norms(bn_aux=False) == [("conv0", False), ("conv1", False), ("fc", False)]
    assert norms(aux_fc="linear") == [("conv0", True), ("fc1", True), ("fc", False)]
    assert norms(aux_fc="linear", bn_aux_fc=False) == [("conv0", True), ("fc1", False), ("fc", False)]
    head = next(part for part in network("inception_v3", 5, True, aux_fc="linear").layers if part.name == "aux").head
    assert total(head, (768, 17, 17)).params == 768 * 128 + 2 * 128 + 3200 * 1024 + 2 * 1024 + 1024 * 5 + 5
    with pytest.raises(ArchitectureError, match="option aux_fc must be one of '5x5', 'linear'; got '1x1'"):
        network("inception_v3", aux=True, aux_fc="1x1")
    small = [network("small_inception", 5, True, bn_aux_fc=fc) for fc in (True, False)]
    heads = [next(part for part in value.layers if part.name == "aux") for value in small]
    assert [[layer.norm for layer in parts(head, Conv)] for head in heads] == [[True, True], [True, False]]


def test_the_published_googlenet_has_biases_and_response_norm_and_no_batch_norm() -> None:
    value = network("googlenet", aux=True)
    assert all(layer.bias and not layer.norm for layer in [*parts(value, Conv), *parts(value, Linear)])
    assert [part.name for part in parts(value, LocalResponseNorm)] == ["norm1", "norm2"]
    assert not parts(network("googlenet", lrn=False), LocalResponseNorm)
    assert len(parts(network("googlenet"), Conv)) == 57  # 2 convolutions and a reduction in the stem, 9 modules of 6


def test_count_include_pad_reaches_every_average_pool() -> None:
    for counted in (False, True):
        pools = [p for p in parts(network("inception_v3", count_include_pad=counted), Pool) if p.kind == "avg"]
        assert len(pools) == 9
        assert {pool.count_include_pad for pool in pools} == {counted}


def test_the_width_of_googlenet_for_cifar_scales_its_cost_with_the_square() -> None:
    whole, double = (total(network("googlenet_cifar", 10, width=width), (3, 32, 32)) for width in (1, 2))
    assert 3.9 < double.macs / whole.macs < 4.1  # v3 paper, section 1: doubling all filter banks costs 4 times
    assert total(network("googlenet_cifar", 10, width=0.25), (3, 32, 32)).macs < whole.macs / 10


@pytest.mark.parametrize(
    ("name", "options", "smallest"),
    [
        ("inception_v3", {}, 75),  # what torchvision states
        ("inception_v3", {"aux": True}, 299),
        ("googlenet_bn", TORCHVISION, 15),  # what torchvision states
        ("inception_resnet_v2", {}, 75),
        ("small_inception", {"aux": True}, 27),
    ],
)
def test_smallest_inputs(name: str, options: dict, smallest: int) -> None:
    assert smallest_input(network(name, **options)) == (smallest, smallest)
