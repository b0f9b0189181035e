"""Pictures in a row say the same to those who see them and to those who do not."""

from __future__ import annotations

import pytest

from course_lib.architecture import conv, diagram
from course_lib.reporting.side_by_side import side_by_side


def test_each_picture_stands_under_its_heading_with_its_words() -> None:
    before, after = diagram(conv(8, 5)), diagram(conv(8, 3) >> conv(8, 3))
    shown = side_by_side({"before": before, "after <1>": after})
    html = shown._repr_html_()
    assert html.index("before") < html.index("after &lt;1&gt;")
    assert html.count("<img ") == 2
    assert before._repr_mimebundle_()["text/html"] in html
    assert repr(shown) == f"before: {before.text}\nafter <1>: {after.text}"


def test_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        side_by_side({})
