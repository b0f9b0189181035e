"""The naive module and the narrow GoogLeNet of the lesson on the Inception module."""

from __future__ import annotations

import pytest

from course_lib.architecture import ArchitectureError, Node, avg_pool, branches, conv, max_pool, total
from course_lib.experiments.inception_module import DOWN_SAMPLINGS, narrow_googlenet, without_reductions
from course_lib.models import network
from course_lib.models.googlenet import MODULES, PUBLISHED_COSTS, inception

IMAGE = (1, 32, 32)


def grids(removed: tuple[str, ...]) -> dict[str, int]:
    """The side of the grid on which each module works."""
    value, sides = narrow_googlenet(removed), {}
    for end, part in enumerate(value.layers, start=1):
        if part.name in MODULES:
            sides[part.name] = total(type(value)(value.layers[:end]), IMAGE).out_shape[1]
    return sides


def test_the_naive_module_is_that_of_the_paper() -> None:
    assert without_reductions(inception(*MODULES["3a"])) == branches(
        conv(64, 1), conv(128, 3), conv(32, 5), max_pool(3)
    )


def test_a_branch_of_one_1x1_stays_and_names_are_kept() -> None:
    module = branches(
        conv(8, 1), (conv(4, 1) >> conv(8, 3) >> conv(8, 3)).named("twice"), (avg_pool(3) >> conv(8, 1)).named("pool")
    )
    assert without_reductions(module) == branches(
        conv(8, 1), (conv(8, 3) >> conv(8, 3)).named("twice"), avg_pool(3).named("pool")
    )


@pytest.mark.parametrize(
    ("removed", "last"), [((), 1), (("pool1",), 2), (("pool1", "pool2"), 4), (("conv1", "pool1", "pool2"), 8)]
)
def test_each_down_sampling_that_goes_doubles_the_last_grid(removed: tuple[str, ...], last: int) -> None:
    assert grids(removed)["5b"] == last


def test_without_down_samplings_the_grid_stays_and_so_do_the_parameters() -> None:
    assert set(grids(DOWN_SAMPLINGS).values()) == {32}
    counts = {total(narrow_googlenet(removed), IMAGE).params for removed in ((), ("pool1",), DOWN_SAMPLINGS)}
    assert len(counts) == 1


def test_it_has_googlenets_modules_with_widths_that_are_multiples_of_16() -> None:
    value = narrow_googlenet()
    assert [part.name for part in value.layers if part.name in MODULES] == list(MODULES)
    channels = [size for part in value.layers if part.name in MODULES for size in _channels(part)]
    assert channels
    assert all(size % 16 == 0 for size in channels)


def _channels(node: Node) -> list[int]:
    own = [node.channels] if hasattr(node, "channels") else []
    return own + [size for part in node.parts for size in _channels(part)]


def test_without_batch_norm_convolutions_have_biases() -> None:
    first = narrow_googlenet(batch_norm=False).layers[0]
    assert (first.norm, first.bias) == (False, True)


def test_nonsense_is_named() -> None:
    with pytest.raises(ArchitectureError, match=r"removed must name some of conv1, .*; got 'pool5'"):
        narrow_googlenet(("pool5",))
    with pytest.raises(ArchitectureError, match=r"width must be a number above 0, such as 0\.125; got 0"):
        narrow_googlenet(width=0)


def test_the_papers_table_names_every_layer_with_weights_once() -> None:
    with_weights, shape = [], (3, 224, 224)
    for part in network("googlenet").layers:
        size = total(part, shape)
        shape = size.out_shape
        with_weights += [part.name] if size.params else []
    assert [name for row in PUBLISHED_COSTS for name in row.split(" + ")] == with_weights


def test_the_papers_ops_add_up_to_its_budget_of_1_5_billion() -> None:
    assert sum(ops for _, ops in PUBLISHED_COSTS.values()) == 1502
