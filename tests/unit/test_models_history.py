"""GoogLeNet becomes v3 by rewrites, and the table says what each does."""

from __future__ import annotations

from itertools import pairwise, takewhile

import pytest
import torch

from course_lib.architecture import (
    ArchitectureError,
    Branches,
    Conv,
    Node,
    avg_pool,
    branches,
    build,
    conv,
    factorize,
    max_pool,
    parallel_reduction,
    rewrite,
    seq,
    total,
)
from course_lib.models import history, history_costs, network
from course_lib.models.history import exchange, first_change, span


def kernels(value: Node) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    rewrite(value, lambda node, _: found.add(node.kernel_size) or node if isinstance(node, Conv) else node)
    return found


def test_a_pool_after_a_block_gets_a_convolution_beside_it() -> None:
    block = branches(conv(8, 1), conv(24, 3)).named("3b")
    value = conv(4, 3) >> max_pool(3, 2) >> block >> max_pool(3, 2).named("pool3") >> avg_pool(3, 2)
    reduced = parallel_reduction(value)
    assert reduced.layers[3] == branches(conv(32, 3, 2), max_pool(3, 2)).named("pool3")
    assert [reduced.layers[i] for i in (0, 1, 2, 4)] == [value.layers[i] for i in (0, 1, 2, 4)]
    assert total(seq(*reduced.layers[:4]), (3, 32, 32)).out_shape == (64, 8, 8)


def test_a_convolution_beside_a_valid_pool_is_valid_and_keeps_grids_equal() -> None:
    value = branches(conv(8, 1)) >> max_pool(3, 2, padding="valid")
    assert total(parallel_reduction(value), (3, 35, 35)).out_shape == (16, 17, 17)
    hanging = branches(conv(8, 1)) >> max_pool(3, 2, padding="ceil")
    assert total(parallel_reduction(hanging), (3, 28, 28)).out_shape == (16, 14, 14)


def test_later_rewrites_see_the_doubled_channels() -> None:
    value = branches(conv(8, 1)) >> max_pool(3, 2) >> conv(4, 7)
    pair = factorize(parallel_reduction(value), 7).layers[2]
    assert pair.channels == 16


def test_channels_that_depend_on_the_input_are_refused() -> None:
    with pytest.raises(ArchitectureError, match="reach pool3 depend on the network's input; put a convolution before"):
        parallel_reduction(branches(seq(), conv(8, 1)) >> max_pool(3, 2).named("pool3"))


def test_the_story_begins_and_ends_with_the_papers_networks() -> None:
    steps = history()
    assert steps[0].value == network("googlenet_bn")
    assert steps[-1].value == network("inception_v3")
    assert [kernels(step.value) & {(7, 7), (5, 5), (1, 7)} for step in steps[:6]] == [
        {(7, 7), (5, 5)},
        {(5, 5)},
        set(),
        set(),
        {(7, 7)},
        {(1, 7)},
    ]
    reductions = [part for part in steps[3].value.layers if part.name in ("pool3", "pool4")]
    assert all(isinstance(part, Branches) for part in reductions)


def test_first_come_the_rewrites_and_then_what_the_authors_chose() -> None:
    steps = history()
    assert [step.chosen for step in steps] == [False] * 6 + [True] * 7
    before, released = steps[5].value, network("inception_v3")
    chosen = [part.name for part in released.layers]
    for number, step in enumerate(steps[6:], start=1):
        # From the image on, each step holds more of the released network; behind it all is as it was.
        labels = step.value.labels()
        pairs = zip(step.value.layers, released.layers, strict=False)
        taken = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
        assert labels[:taken] == chosen[:taken]
        assert number == len(steps) - 6 or step.value.layers[-3:] == before.layers[-3:]
        rest = [part for part in step.value.layers[taken:] if part not in released.layers]
        assert all(part in before.layers for part in rest)


def test_parts_are_exchanged_from_the_first_to_the_last_name() -> None:
    value = seq(conv(8, 3).named("a"), conv(8, 3).named("b"), conv(8, 3).named("c"), conv(8, 3).named("d"))
    assert span(value, ("b", "c")) == value.layers[1:3]
    new = max_pool(3, 2).named("pool")
    assert exchange(value, ("b", "c"), (new,)) == seq(value.layers[0], new, value.layers[3])


def test_each_step_shows_the_first_part_that_it_changes() -> None:
    steps = history()
    changes = [first_change(*pair) for pair in pairwise(steps)]
    assert [[part.name for part in change.after[0].layers] for change in changes[1:5]] == [
        ["3a"],
        ["pool3"],
        ["4a"],
        ["4a"],
    ]
    assert [part.kernel_size for part in changes[0].after[0].layers] == [(3, 3)] * 3
    assert changes[0].before == (seq(network("googlenet_bn").layers[0]), (3, 224, 224))
    assert [change.after[0].layers[0].name for change in changes[5:]] == [
        "conv_1a_3x3",
        "mixed_5b",
        "mixed_6a",
        "mixed_6b",
        "mixed_7a",
        "mixed_7b",
        "dropout",
    ]
    assert [change.after[1] for change in changes[6:11]] == [
        (192, 35, 35),
        (288, 35, 35),
        (768, 17, 17),
        (768, 17, 17),
        (1280, 8, 8),
    ]


def test_every_step_can_be_built() -> None:
    for step in history()[:-1]:
        with torch.device("meta"):
            model = build(step.value, 3)
        assert sum(p.numel() for p in model.parameters()) == total(step.value, step.input_shape).params


def test_the_table_shows_what_each_step_saves_and_costs() -> None:
    table = history_costs()
    assert table.loc["googlenet_bn", ["params", "macs"]].tolist() == [7_005_832, 1_582_671_872]
    assert table.loc["dropout 0.5: inception_v3", "params"] == 23_834_568
    # Splitting GoogLeNet's narrow 5x5 saves nothing: the second 3x3 is wider than what led into the 5x5.
    assert table.loc["5x5 -> two 3x3", "macs_change"] > 0
    wide, factorised = table.loc["3x3 -> 7x7 on the 14x14 grid"], table.loc["7x7 -> 1x7 and 7x1"]
    assert factorised["receptive_field"] == wide["receptive_field"]
    # 1x7 and 7x1 need 14 weights where 7x7 needs 49 and the 3x3 that it began with 9.
    parallel = table.loc["pools -> parallel reductions"]
    assert parallel["params"] < factorised["params"] < wide["params"]
