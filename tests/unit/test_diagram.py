"""The picture of a value shows every layer of it, legibly, and says the same in words."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import architectures, convolutions, pools

from course_lib.architecture import (
    ArchitectureError,
    Node,
    auxiliary,
    avg_pool,
    branches,
    conv,
    diagram,
    dropout,
    global_avg_pool,
    layers,
    linear,
    local_response_norm,
    max_pool,
    merge,
    residual,
    seq,
    split,
    total,
)
from course_lib.architecture.drawing.marks import COLOURS, INK, text_width

SVG = "{http://www.w3.org/2000/svg}"
IMAGE = (3, 40, 36)
EXHAUSTIVE = settings(max_examples=100)


def inception_a(pool_width: int) -> Node:
    return branches(
        conv(64, 1),
        conv(48, 1) >> conv(64, 5),
        conv(64, 1) >> conv(96, 3) >> conv(96, 3),
        avg_pool(3) >> conv(pool_width, 1),
    )


def head(name: str) -> Node:
    return auxiliary(avg_pool(5, 3) >> conv(128, 1) >> linear(1024, activation="relu") >> linear(10), 0.3).named(name)


STEM = seq(conv(32, 3, 2, padding="valid"), local_response_norm(), max_pool(3, 2)).named("stem")
REDUCTION = branches(conv(384, 3, 2), conv(64, 1) >> conv(96, 3, 2), max_pool(3, 2)).named("B")
EXPANDED = branches(conv(320, 1), conv(384, 1) >> branches(conv(384, (1, 3)), conv(384, (3, 1)))).named("E1")
RESIDUAL = residual(branches(conv(32, 1), seq()) >> conv(768, 1, activation="linear"), 0.17).named("R1")
NETWORK = seq(
    STEM,
    inception_a(32).named("A1"),
    inception_a(64).named("A2"),
    inception_a(64).named("A3"),
    head("aux1"),
    REDUCTION,
    head("aux2"),
    RESIDUAL,
    EXPANDED,
    global_avg_pool(),
    dropout(0.5),
    linear(1000),
)
NETWORK_INPUT = (3, 149, 149)
V4_STEM = seq(
    conv(32, 3, 2, padding="valid"),
    conv(32, 3, padding="valid"),
    conv(64, 3),
    branches(max_pool(3, 2, padding="valid"), conv(96, 3, 2, padding="valid")),
    branches(
        conv(64, 1) >> conv(96, 3, padding="valid"),
        conv(64, 1) >> conv(64, (7, 1)) >> conv(64, (1, 7)) >> conv(96, 3, padding="valid"),
    ),
    branches(conv(192, 3, 2, padding="valid"), max_pool(3, 2, padding="valid")),
)


@dataclass(frozen=True)
class Rectangle:
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Rectangle) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


@dataclass(frozen=True)
class Picture:
    """What stands in an SVG: boxes with role and text, labels and wire segments as rectangles, its whole area."""

    boxes: list[tuple[str, str, Rectangle]]
    labels: list[tuple[str, Rectangle]]
    wires: list[Rectangle]
    area: Rectangle

    @classmethod
    def read(cls, svg: str) -> Picture:
        root = ElementTree.fromstring(svg)
        boxes, labels, wires = [], [], []
        for group in root.findall(f"{SVG}g"):
            lines = [text.text for text in group.findall(f"{SVG}text")]
            boxes.append((group.get("data-role"), " / ".join(lines), _rectangle(group.find(f"{SVG}rect"))))
        for text in root.findall(f"{SVG}text"):
            labels.append((text.text, _text_rectangle(text)))
        for line in root.findall(f"{SVG}polyline"):
            points = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
            for (x0, y0), (x1, y1) in pairwise(points):
                wires.append(Rectangle(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
        return cls(boxes, labels, wires, Rectangle(*map(float, root.get("viewBox").split())))

    def texts(self, *, of: set[str] | None = None) -> list[str]:
        return [text for role, text, _ in self.boxes if of is None or role in of]


def _rectangle(element: ElementTree.Element) -> Rectangle:
    x, y, width, height = (float(element.get(name)) for name in ("x", "y", "width", "height"))
    return Rectangle(x, y, x + width, y + height)


def _text_rectangle(element: ElementTree.Element) -> Rectangle:
    x, baseline, size = (float(element.get(name)) for name in ("x", "y", "font-size"))
    width = text_width(element.text, int(size), element.get("font-weight") == "bold")
    left = x - width / 2 if element.get("text-anchor") == "middle" else x
    return Rectangle(left, baseline - 0.75 * size, left + width, baseline + 0.2 * size)


def shown(operation: str) -> str:
    """A layer's operation from the cost table as its box has it."""
    return re.sub(r"(?<=\d)x(?=\d)", "×", operation.replace(" valid", " V"))


def fitting(value: Node, input_shape: tuple[int, int, int] = IMAGE) -> Node:
    try:
        layers(value, input_shape)
    except ArchitectureError:
        assume(False)
    return value


def assert_legible(svg: str) -> None:
    picture = Picture.read(svg)
    placed = [(text, box) for _, text, box in picture.boxes] + picture.labels
    for index, (text, box) in enumerate(placed):
        assert box.left >= 0, text
        assert box.top >= 0, text
        assert box.right <= picture.area.right, text
        assert box.bottom <= picture.area.bottom, text
        for other_text, other in placed[index + 1 :]:
            assert not box.meets(other), f"{text!r} lies over {other_text!r}"
        for wire in picture.wires:
            assert not box.meets(wire), f"a wire crosses {text!r}"


@EXHAUSTIVE
@given(value=architectures(max_parts=6), shape=st.sampled_from([IMAGE, None]))
def test_every_layer_is_drawn_once_and_nothing_overlaps(value: Node, shape: tuple[int, int, int] | None) -> None:
    svg = diagram(fitting(value), shape).svg
    expected = Counter(shown(row.operation) for row in layers(value, IMAGE))
    drawn = Picture.read(svg).texts(of=set(COLOURS) - {"join", "block"})
    # A residual's ReLU and the shares of a split are drawn, but are no layers.
    assert Counter(text for text in drawn if text != "ReLU" and not text.endswith(" channels")) == expected
    assert_legible(svg)


@pytest.mark.parametrize("shape", [NETWORK_INPUT, None])
@pytest.mark.parametrize(("overview", "blocks"), [(True, True), (True, False), (False, False)])
def test_a_network_with_heads_is_legible(shape: tuple[int, int, int] | None, overview: bool, blocks: bool) -> None:
    assert_legible(diagram(NETWORK, shape, title="Network", overview=overview, blocks=blocks).svg)


def test_a_network_drawn_in_full_shows_every_layer_of_the_cost_table() -> None:
    texts = Picture.read(diagram(NETWORK, NETWORK_INPUT, overview=False).svg).texts()
    expected = Counter(shown(row.operation) for row in layers(NETWORK, NETWORK_INPUT))
    assert Counter(text for text in texts if text in expected) == expected


def test_a_split_says_how_many_channels_each_path_takes() -> None:
    picture = diagram(conv(6, 1) >> split((4, 2), seq(), conv(3, 3)), IMAGE)
    assert [text for text in Picture.read(picture.svg).texts() if text.endswith(" channels")] == [
        "4 channels",
        "2 channels",
    ]
    assert "two branches, on 4 and 2 of the channels, from 6x40x36 joined to 7x40x36" in picture.text


@EXHAUSTIVE
@given(parts=st.lists(convolutions() | pools(), min_size=1, max_size=5))
def test_wires_of_a_chain_carry_the_shapes_of_the_cost_table(parts: list[Node]) -> None:
    value = fitting(seq(*parts))
    labels = [text for text, _ in Picture.read(diagram(value, IMAGE).svg).labels]
    expected = [IMAGE, *(row.out_shape for row in layers(value, IMAGE))]
    assert [text for text in labels if re.fullmatch(r"\d+×\d+×\d+", text)] == ["×".join(map(str, s)) for s in expected]


@EXHAUSTIVE
@given(value=architectures(max_parts=1))
def test_a_join_states_the_shape_that_comes_out(value: Node) -> None:
    joins = [text for text in Picture.read(diagram(fitting(value), IMAGE).svg).texts(of={"join"}) if "concat" in text]
    assume(joins)
    assert joins[-1] == "concat " + "×".join(map(str, total(value, IMAGE).out_shape))


def test_the_stem_of_inception_v4_has_the_grids_of_the_paper() -> None:
    texts = Picture.read(diagram(V4_STEM, (3, 299, 299)).svg).texts(of={"join"})
    assert texts == ["concat 160×73×73", "concat 192×71×71", "concat 384×35×35"]  # Inception-v4 paper, figure 3


def test_without_an_input_shape_a_join_states_channels_where_they_are_known() -> None:
    assert Picture.read(diagram(inception_a(32)).svg).texts(of={"join"}) == ["concat 256"]
    assert Picture.read(diagram(REDUCTION).svg).texts(of={"join"}) == ["concat"]  # the pool passes on what comes in


@EXHAUSTIVE
@given(value=architectures())
def test_the_text_names_every_layer(value: Node) -> None:
    text = diagram(fitting(value), IMAGE, title="Picture").text
    told = Counter(re.split(r" then |; |[()]|: |, ", text.lower().rstrip(".")))
    missing = Counter(row.operation for row in layers(value, IMAGE)) - told
    assert not missing, text


def test_the_text_of_a_block_reads_as_a_sentence() -> None:
    assert diagram(inception_a(32), (192, 35, 35)).text == (
        "Four branches from 192x35x35 joined to 256x35x35: conv 1x1 64; conv 1x1 48 then conv 5x5 64; "
        "conv 1x1 64 then conv 3x3 96 then conv 3x3 96; avg pool 3x3 then conv 1x1 32."
    )
    assert diagram(residual(conv(8, 3, activation="linear"), 0.2), (8, 5, 5)).text == (
        "Residual, input plus 0.2 times (conv 3x3 8 linear), then ReLU."
    )


def test_text_and_picture_of_an_overview_name_blocks_runs_and_heads() -> None:
    picture = diagram(NETWORK, NETWORK_INPUT)
    blocks = [text.split(" / ")[0] for text in Picture.read(picture.svg).texts(of={"block"})]
    assert blocks == ["A1", "A2\N{EN DASH}A3 ×2", "B", "R1", "E1"]  # A1 leaves other channels than A2 and A3
    assert "A2 to A3, 2 blocks of this form (four branches from 256x37x37" in picture.text
    assert "auxiliary head with loss weight 0.3 (" in picture.text
    labels = [text for text, _ in Picture.read(picture.svg).labels]
    assert [text for text in labels if "loss" in text][:2] == ["aux1: loss × 0.3", "aux2: loss × 0.3"]
    assert {"74×74", "37×37", "19×19", "1000 logits"} <= set(labels)


def test_blocks_are_drawn_once_for_each_form() -> None:
    labels = [text for text, _ in Picture.read(diagram(NETWORK, NETWORK_INPUT, blocks=True).svg).labels]
    assert [text for text in labels if text in {"A1", "A2", "A3", "B", "E1", "R1"}] == ["A1", "B", "R1", "E1"]
    assert "same form, other widths: A2\N{EN DASH}A3" in labels


def test_a_named_block_is_drawn_in_full_under_its_name() -> None:
    picture = Picture.read(diagram(EXPANDED, (1280, 8, 8)).svg)
    assert picture.labels[0][0] == "E1"
    assert picture.texts(of={"asymmetric"}) == ["conv 1×3 384", "conv 3×1 384"]
    assert picture.texts(of={"join"}) == ["concat 1088×8×8"]  # inner branches run straight into the outer join


def test_a_path_that_only_passes_its_share_on_has_no_frame() -> None:
    value = merge(branches(conv(4, 1).named("one"), (conv(2, 1) >> conv(3, 3)).named("three")))
    assert [label for label, *_ in Picture.read(diagram(value, IMAGE).svg).labels if label in ("one", "three")] == [
        "three"
    ]


def test_a_residual_shows_scale_sum_and_activation() -> None:
    assert [t for t in Picture.read(diagram(RESIDUAL, (768, 9, 9)).svg).texts() if "conv" not in t] == [
        "concat 800×9×9",
        "× 0.17",
        "+",
        "ReLU",
    ]
    plain = residual(conv(8, 1, activation="linear"), activation="linear")
    assert Picture.read(diagram(plain).svg).texts() == ["conv 1×1 8 linear", "+"]


def test_signs_in_the_picture_are_explained_and_others_are_not() -> None:
    labels = [text for text, _ in Picture.read(diagram(V4_STEM).svg).labels]
    assert labels[1:] == ["/2: stride 2", "V: valid, no padding"]
    assert [text for text, _ in Picture.read(diagram(conv(8, 3)).svg).labels] == ["input"]


@pytest.mark.parametrize("value", [seq(), branches(seq()), residual(seq()), branches(branches(conv(1, 1)))])
def test_degenerate_values_have_a_picture(value: Node) -> None:
    assert_legible(diagram(value, (1, 8, 8)).svg)
    assert diagram(value).text.endswith(".")


def test_pictures_fit_a_slide() -> None:
    values = [(inception_a(32), (192, 35, 35)), (EXPANDED, (1280, 8, 8)), (NETWORK, NETWORK_INPUT)]
    for value, shape in values:
        area = Picture.read(diagram(value, shape, title="Network").svg).area
        assert area.right <= 1280
        assert area.bottom <= 1000
    sizes = re.findall(r'font-size="(\d+)"', diagram(NETWORK, NETWORK_INPUT, blocks=True).svg)
    assert min(map(int, sizes)) >= 14


def test_text_stands_out_from_every_colour() -> None:
    def luminance(colour: str) -> float:
        values = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear_values = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear_values, strict=True))

    for role, (fill, outline) in COLOURS.items():
        assert (luminance(fill) + 0.05) / (luminance(INK) + 0.05) >= 7, role  # WCAG 2, level AAA
        assert 1.05 / (luminance(outline) + 0.05) >= 3, role  # the outline on the white card


def test_the_same_value_has_the_same_picture_without_ids() -> None:
    first, second = (diagram(NETWORK, NETWORK_INPUT, blocks=True) for _ in range(2))
    assert first == second
    assert not re.search(r"\b(id|class|href)=", first.svg)


def test_notebooks_get_html_with_a_text_alternative() -> None:
    picture = diagram(inception_a(32), (192, 35, 35), title="A < B")
    bundle = picture._repr_mimebundle_()
    assert bundle["text/plain"] == picture.text
    image = ElementTree.fromstring(bundle["text/html"].removesuffix(">") + "/>")
    assert image.get("alt") == picture.text
    root = ElementTree.fromstring(base64.b64decode(image.get("src").removeprefix("data:image/svg+xml;base64,")))
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text == "A < B"
    assert root.find(f"{SVG}desc").text == picture.text


def test_save_writes_the_svg(tmp_path: Path) -> None:
    picture = diagram(NETWORK, NETWORK_INPUT)
    picture.save(tmp_path / "network.svg")
    assert ElementTree.parse(tmp_path / "network.svg").getroot().tag == f"{SVG}svg"
    assert (tmp_path / "network.svg").read_text(encoding="utf-8") == picture.svg + "\n"


@pytest.mark.parametrize(("value", "shape"), [(conv(8, 9, padding="valid"), (3, 5, 5)), (conv(8, 3), (3, 5))])
def test_a_misfit_is_the_error_of_layers(value: Node, shape: tuple[int, ...]) -> None:
    with pytest.raises(ArchitectureError) as from_layers:
        layers(value, shape)
    with pytest.raises(ArchitectureError, match=re.escape(str(from_layers.value))):
        diagram(value, shape)


def test_drawing_loads_neither_torch_nor_matplotlib() -> None:
    code = (
        "import sys; from course_lib.architecture import conv, diagram; diagram(conv(8, 3), (3, 9, 9)); "
        "sys.exit(', '.join({'torch', 'matplotlib', 'pandas'} & set(sys.modules)) or 0)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
