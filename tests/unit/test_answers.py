"""A folded answer shows nothing but one line until it is asked for, whatever it holds."""

import pandas as pd
import pytest
from IPython.display import SVG
from matplotlib.figure import Figure

from course_lib.reporting.plots import figure_html
from course_lib.teaching import fold_answer


def test_text_tables_and_figures_are_folded_in_their_order() -> None:
    table = pd.DataFrame({"saved": ["28 %"]})
    html = fold_answer("28 % & more", table, figure_html(Figure(), "A bar at 28"))._repr_html_()
    closed, _, shown = html.partition("</summary>")
    assert closed.startswith("<details")
    assert "open" not in closed
    assert closed.endswith("Show the answer")
    assert shown.index("<p>28 % &amp; more</p>") < shown.index("<table") < shown.index('alt="A bar at 28"')
    assert shown.endswith("</details>")


def test_text_of_several_lines_keeps_them() -> None:
    assert "<pre>[[1 0]\n [0 1]]</pre>" in fold_answer("[[1 0]\n [0 1]]")._repr_html_()


@pytest.mark.parametrize(
    ("thing", "shown"), [(SVG("<svg><text>28</text></svg>"), "<text>28</text>"), ({"saved": 28}, "<pre>{&#x27;saved")]
)
def test_what_has_no_html_of_its_own_is_shown_as_picture_or_text(thing: object, shown: str) -> None:
    assert shown in fold_answer(thing)._repr_html_()


def test_the_plain_form_says_it_for_the_comparison_of_runs() -> None:
    assert repr(fold_answer("28 %", 0.28)) == "28 %\n0.28"
