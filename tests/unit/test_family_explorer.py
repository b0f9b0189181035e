"""The family explorer: what it says of a network is what the network's tables and papers say."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.architecture import ArchitectureError, Conv, Node, labelled_children, layers, total
from course_lib.explorers import FamilyExplorer
from course_lib.explorers.controls import ExplorerError
from course_lib.explorers.family.picture import HEIGHT, MACS, WIDTH, draw_family
from course_lib.explorers.family.result import (
    NETWORKS,
    count_parts,
    first_block,
    least_input_size,
    share,
    view_family,
)
from course_lib.models import entry, network, trunk


@st.composite
def views(draw: st.DrawFn) -> tuple[str, int, int]:
    name = draw(st.sampled_from(sorted(NETWORKS)))
    size = draw(st.integers(max(32, least_input_size(name)), 448))
    return name, size, draw(st.integers(1, count_parts(name)))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_parts_add_up_to_the_network(name: str) -> None:
    known = entry(name)
    whole = total(network(name, known.num_classes), known.input_shape)
    view = view_family(name, known.input_shape[1], 1)
    assert (view.macs, view.params, view.activations) == (whole.macs, whole.params, whole.activations)
    assert sum(stage.macs for stage in view.stages) == whole.macs
    assert sum(stage.activations for stage in view.stages) == whole.activations
    assert [part for stage in view.stages for part in stage.parts] == list(view.parts)


@pytest.mark.parametrize(
    ("name", "field"),
    [("googlenet", 715), ("bn_inception", 699), ("inception_v3", 1311), ("inception_v4", 2071)],
)
def test_the_last_block_sees_what_the_table_of_layers_says(name: str, field: int) -> None:
    value, shape = network(name), entry(name).input_shape
    number = [part.name for part in value.layers].index("global_pool")
    view = view_family(name, shape[1], number)
    assert view.chosen.field == total(trunk(value), shape).receptive_field == (field, field)


def test_a_block_is_the_one_of_the_table() -> None:
    view = view_family("inception_v3", 299, 13)
    rows = [row for row in layers(network("inception_v3"), (3, 299, 299)) if row.layer.startswith("mixed_6c.")]
    assert view.chosen.name == "mixed_6c"
    assert view.chosen.cost.macs == sum(row.macs for row in rows)
    assert view.chosen.cost.activations == sum(row.activations for row in rows)
    assert "mixed_6c costs 9 % of the MACs and 6 % of the memory; one unit behind it sees 543×543" in view.summary


def test_a_share_that_is_not_nothing_is_not_written_as_nothing() -> None:
    assert [share(part, 1000) for part in (0, 1, 9, 10, 400)] == ["0 %", "under 1 %", "under 1 %", "1 %", "40 %"]


@given(views())
@settings(max_examples=60, deadline=None)
def test_everything_stays_within_the_frame(case: tuple[str, int, int]) -> None:
    svg = draw_family(view_family(*case))
    for element in ElementTree.fromstring(svg).iter():
        place = {name: float(element.get(name, 0)) for name in ("x", "y", "width", "height")}
        if element.tag.endswith("rect"):
            assert 0 <= place["x"] <= place["x"] + place["width"] <= WIDTH + 0.01
            assert 0 <= place["y"] <= place["y"] + place["height"] <= HEIGHT + 0.01
        elif element.tag.endswith("text"):
            assert 0 <= place["x"] <= WIDTH
            assert 8 <= place["y"] <= HEIGHT - 8
            assert int(element.get("font-size")) >= 16


def convolutions(value: Node) -> list[Conv]:
    found = [value] if isinstance(value, Conv) else []
    return found + [conv for _, part in labelled_children(value) for conv in convolutions(part)]


@given(views())
@settings(max_examples=60, deadline=None)
def test_every_convolution_of_the_block_has_its_box(case: tuple[str, int, int]) -> None:
    view = view_family(*case)
    svg = draw_family(view)
    for conv in convolutions(view.chosen.value):
        height, width = conv.kernel_size
        stride = f"/{conv.stride[0]}" if conv.stride != (1, 1) else ""
        assert f">{height}×{width}{stride} {conv.channels}<" in svg


@given(views())
@settings(max_examples=30, deadline=None)
def test_bars_are_in_proportion(case: tuple[str, int, int]) -> None:
    view = view_family(*case)
    drawn = re.findall(rf'width="([\d.]+)" height="16" fill="{MACS}"', draw_family(view))
    macs = [stage.macs for stage in view.stages]
    assert list(map(float, drawn)) == pytest.approx([max(2.0, 76 * count / max(macs)) for count in macs], abs=0.01)


def test_another_network_begins_with_its_own_image_and_first_block() -> None:
    explorer = FamilyExplorer(block=17)
    explorer.controls["network"].value = "googlenet_cifar"
    assert explorer.values == {
        "network": "googlenet_cifar",
        "input_size": 32,
        "block": first_block("googlenet_cifar"),
    }
    assert explorer.result.chosen.name == "3a"


def test_an_image_too_small_becomes_the_smallest_that_fits() -> None:
    explorer = FamilyExplorer()
    explorer.boxes["input_size"].value = 40
    assert explorer.values["input_size"] == least_input_size("inception_v3") == 75
    assert explorer.result.chosen.after.shape[1:] == (7, 7)


def test_a_network_without_a_button_is_named() -> None:
    with pytest.raises(ExplorerError, match="network is 'inception_v2'; it must be one of 'googlenet'"):
        FamilyExplorer("inception_v2")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("inception_v5", 299, 1), "there is no network 'inception_v5'"),
        (("inception_v3", 74, 1), "input_size must be at least 75 for inception_v3; got 74"),
        (("inception_v3", 299, 22), "block must be a whole number from 1 to 21 for inception_v3; got 22"),
        (("inception_v3", 299, 0), "got 0"),
    ],
)
def test_what_cannot_be_viewed_is_named(arguments: tuple, sentence: str) -> None:
    with pytest.raises(ArchitectureError, match=sentence):
        view_family(*arguments)
