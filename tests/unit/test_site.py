"""Static pages, their parts that need neither npm nor a browser."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_lib import explorers
from course_lib.authoring import npm_packages
from course_lib.authoring.npm_packages import NpmError, NpmPackage
from course_lib.authoring.site.assets import inline_script
from course_lib.authoring.site.building import main, read_pages
from course_lib.authoring.site.engine import course_archive
from course_lib.authoring.site.explorer_html import explorer_html
from course_lib.authoring.site.first_values import SiteError, explorer_shown
from course_lib.authoring.site.lesson_html import LessonHtml, lesson_html
from course_lib.authoring.site.sections import sections_of, sections_script
from course_lib.explorers.answering import answer, control_state, places_of, shown, values_at
from course_lib.explorers.controls import Idea, Slider
from course_lib.explorers.ideas import IDEAS

each_idea = pytest.mark.parametrize("idea", IDEAS.values(), ids=list(IDEAS))


def html_of(*cells: NotebookNode) -> LessonHtml:
    notebook = new_notebook(cells=list(cells), metadata={"course": {"title": "A lesson"}})
    return lesson_html(notebook, {"00_start.ipynb": "index.html"})


def code_with(source: str, *outputs: NotebookNode, tags: tuple[str, ...] = ()) -> NotebookNode:
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})


def displayed(**data: str) -> NotebookNode:
    kinds = {"html": "text/html", "plain": "text/plain", "png": "image/png", "markdown": "text/markdown"}
    return new_output("execute_result", {kinds[key]: value for key, value in data.items()})


def output_of(explorer: object) -> NotebookNode:
    bundle = explorer._repr_mimebundle_()
    return displayed(html=bundle["text/html"], plain=bundle["text/plain"])


# --- what a page asks and gets


@each_idea
def test_places_stand_for_the_values(idea: Idea) -> None:
    values = idea.first_values
    states = shown(idea, values)["controls"]
    sent = json.loads(json.dumps({name: state["place"] for name, state in states.items()}))
    back = values_at(idea, sent)
    assert back == values
    assert {name: type(value) for name, value in back.items()} == {name: type(value) for name, value in values.items()}


@each_idea
def test_the_answer_to_a_wish_is_the_ideas_own(idea: Idea) -> None:
    values = idea.first_values
    places = {name: state["place"] for name, state in shown(idea, values)["controls"].items()}
    for control in idea.controls:
        if isinstance(control, Slider):
            wish, value = {"typed": control.high + 1}, control.high + 1
        else:
            wish, value = {"place": len(control.options) - 1}, control.options[-1][1]
        said = json.loads(answer(idea.name, json.dumps(places), json.dumps({"control": control.name, **wish})))
        expected = idea.correct({**values, control.name: value}, values)
        assert said == json.loads(json.dumps(shown(idea, expected)))
        assert said["summary"] == idea.result(expected).summary


def test_a_logarithmic_slider_has_a_place_for_each_value() -> None:
    slider = Slider("rate", "rate", 0.1, 0.001, 0.5, logarithmic=True)
    values = slider.allowed_values()
    assert places_of(slider) == (0, len(values) - 1, 1)
    assert [control_state(slider, value)["place"] for value in values] == list(range(len(values)))
    assert control_state(slider, 0.045)["said"] == "0.045"


def test_a_page_asks_without_anything_heavy() -> None:
    heavy = ("numpy", "pandas", "ipywidgets", "traitlets", "torch", "IPython")
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in heavy)
    code = f"""import sys; {blocked}
from course_lib.explorers.answering import IDEAS, shown
for idea in IDEAS.values():
    shown(idea, idea.first_values)"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_archive_alone_answers_for_every_idea(tmp_path: Path) -> None:
    with zipfile.ZipFile(BytesIO(course_archive())) as archive:
        archive.extractall(tmp_path)
    code = """import course_lib, sys
from course_lib.explorers.answering import IDEAS, shown
for idea in IDEAS.values():
    shown(idea, idea.first_values)
print(course_lib.__file__)"""
    isolated = [sys.executable, "-S", "-c", code]  # without installed packages
    done = subprocess.run(isolated, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))


def test_the_same_course_makes_the_same_archive() -> None:
    assert course_archive() == course_archive()


# --- the controls of a page


@each_idea
def test_every_control_has_its_label_and_stands_at_its_value(idea: Idea) -> None:
    page = BeautifulSoup(explorer_html(idea, idea.first_values, "one"), "html.parser")
    states = shown(idea, idea.first_values)["controls"]
    for control in idea.controls:
        state, inputs = states[control.name], page.select(f"input[data-control={control.name}]")
        if isinstance(control, Slider):
            box, slider = inputs
            assert page.select_one(f"label[for={box['id']}]").text == slider["aria-label"] == control.label
            assert box["value"] == slider["aria-valuetext"] == state["said"]
            ends = float(slider["min"]), float(slider["max"])
            assert (float(slider["value"]), *ends) == (state["place"], state["lowest"], state["highest"])
            assert box.has_attr("disabled") == slider.has_attr("disabled") == (not state["enabled"])
        else:
            group = inputs[0].find_parent("fieldset")
            assert group.legend.text == control.label
            assert [label.text for label in group.find_all("label")] == [text for text, _ in control.options]
            assert [int(button["value"]) for button in inputs if button.has_attr("checked")] == [state["place"]]


@each_idea
def test_an_explorer_is_a_picture_with_its_sentence_before_it_is_touched(idea: Idea) -> None:
    page = BeautifulSoup(explorer_html(idea, idea.first_values, "one"), "html.parser")
    summary = idea.result(idea.first_values).summary
    assert page.select_one(".explorer-picture img")["alt"] == page.select_one(".explorer-summary").text == summary
    assert page.select_one(".explorer-controls").has_attr("hidden")
    assert idea.needs_course in page.text


# --- the explorer that an output shows


@pytest.mark.parametrize("name", explorers.__all__)
def test_an_output_is_known_by_its_sentence(name: str) -> None:
    made = getattr(explorers, name)()
    found = explorer_shown(output_of(made), [f"{name}()"])
    assert (type(found), found.values) == (type(made), made.values)


def test_arguments_may_be_written_out_or_imported_from_the_course() -> None:
    made = explorers.AuxiliaryExplorer(head_after=3, weight=0.5)
    imported = "from course_lib.experiments.auxiliary_network import LOWER as low"
    call = "shown = AuxiliaryExplorer(head_after=low, weight=0.5)\nshown"
    assert explorer_shown(output_of(made), [imported, call]).values == made.values


def test_the_call_that_gives_the_sentence_is_taken() -> None:
    made = explorers.GridReductionExplorer(grid=64)
    calls = ["GridReductionExplorer(grid=64)", "GridReductionExplorer(grid=16)", "GridReductionExplorer(grid=mine)"]
    assert explorer_shown(output_of(made), calls).values == made.values


def test_an_explorer_whose_values_cannot_be_told_is_named() -> None:
    made = explorers.GridReductionExplorer(grid=64)
    with pytest.raises(SiteError, match="no call of GridReductionExplorer in the lesson gives the stored sentence"):
        explorer_shown(output_of(made), ["grid = 64", "GridReductionExplorer(grid=grid)"])


def test_other_outputs_show_no_explorer() -> None:
    assert explorer_shown(displayed(plain="Quiz('a')"), []) is None
    assert explorer_shown(new_output("stream", text="GridReductionExplorer: so it says"), []) is None


# --- a lesson as a page


def test_what_is_folded_stays_folded() -> None:
    quiz = code_with("Answer('28 %', correct=True)", displayed(html="<p>asked</p>"), tags=("folded",))
    cells = [quiz, code_with("import this", tags=("setup",)), code_with("return 7", tags=("solution",))]
    page = BeautifulSoup(html_of(*cells).body, "html.parser")
    assert "correct" not in page.text
    assert "asked" in page.text
    folds = {fold.summary.text: fold.pre.text for fold in page.find_all("details")}
    assert folds == {"Imports": "import this\n", "Show a solution": "return 7\n"}


def test_headings_have_anchors_of_their_own_and_links_lead_to_pages() -> None:
    html = html_of(
        new_markdown_cell("# A `title` & more\n\n[start](00_start.ipynb) [there](00_start.ipynb#the-lessons)"),
        new_markdown_cell("## Exercise"),
        new_markdown_cell("## Exercise"),
    )
    assert [anchor for _, anchor, _ in html.headings] == ["A-title-&-more", "Exercise", "Exercise-2"]
    assert html.headings[0][2] == "A title & more"
    links = [link["href"] for link in BeautifulSoup(html.body, "html.parser").find_all("a")]
    assert links == ["index.html", "index.html#the-lessons"]


def test_a_link_to_a_notebook_without_a_page_is_named() -> None:
    with pytest.raises(SiteError, match=re.escape("it links to 99_none.ipynb, which is not among the notebooks")):
        html_of(new_markdown_cell("[none](99_none.ipynb)"))


def test_a_picture_without_alternative_text_is_refused() -> None:
    with pytest.raises(SiteError, match="an output is image/png without alternative text"):
        html_of(code_with("plot()", displayed(png="iVBORw0KGgo=", plain="<Figure>")))


def test_outputs_are_text_tables_and_warnings_in_plain_colours() -> None:
    stream = new_output("stream", text="\x1b[31mred\x1b[0m <b>")
    table = displayed(html="<table><tr><td>1</td></tr></table>", plain="1")
    page = BeautifulSoup(html_of(code_with("x", stream, table)).body, "html.parser")
    assert "red <b>" in page.text
    assert page.select_one(".output .table table").text == "1"


def test_no_page_asks_to_run_a_cell() -> None:
    explorer = explorers.GridReductionExplorer()
    body = html_of(code_with("GridReductionExplorer()", output_of(explorer))).body
    assert "Shift+Enter" in output_of(explorer).data["text/html"]
    assert "Shift+Enter" not in body


# --- the search


def test_sections_are_cut_at_headings_and_hold_what_pictures_say() -> None:
    body = (
        '<h1 id="top">A lesson</h1><p>First <code>conv</code>s.</p><h2 id="two">Second &amp; last</h2>'
        '<img alt="a curve"><pre><code><span>a</span><span>b</span></code></pre><script>no()</script>'
    )
    first, second = sections_of(body, "lesson.html", "A lesson")
    assert (first.address, first.heading, first.text) == ("lesson.html#top", "A lesson", "First convs.")
    assert (second.address, second.heading, second.text) == ("lesson.html#two", "Second & last", "a curve ab")


def test_the_sections_are_a_script() -> None:
    script = sections_script(sections_of("<p>“ü”</p>", "lesson.html", "A lesson"))
    assert json.loads(script.partition("=")[2].strip().rstrip(";")) == [["lesson.html", "A lesson", "A lesson", "“ü”"]]


def test_code_within_a_page_cannot_end_its_element() -> None:
    assert inline_script('x = "</script>"') == '<script>x = "<\\/script>"</script>'


# --- the command, and what it needs


def test_a_folder_without_notebooks_is_named(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=re.escape(f"{tmp_path} holds no start page (00_start.ipynb)")):
        read_pages(tmp_path)


def test_a_missing_pyodide_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: .cache/npm/pyodide-")
    assert line.endswith("by `make site`.")
    assert list(tmp_path.iterdir()) == []


PACKAGE = NpmPackage("thing", "1.0.0", "0" * 128)


def npm_that(does: str, folder: Path) -> None:
    """An npm of our own in `folder`."""
    (folder / "npm").write_text(f"#!/bin/sh\n{does}\n")
    (folder / "npm").chmod(0o755)


@pytest.mark.parametrize(
    ("does", "sentence"),
    [
        (None, "there is no npm, which fetches thing@1.0.0: install it (Debian: apt-get install npm)."),
        ("echo getaddrinfo ENOTFOUND >&2; exit 1", "npm cannot fetch thing@1.0.0 (getaddrinfo ENOTFOUND): this step"),
        ("echo other > thing-1.0.0.tgz", "what npm sent is not thing 1.0.0, its checksum differs: delete it"),
    ],
    ids=["no npm", "no network", "another archive"],
)
def test_a_package_that_cannot_be_had_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str | None, sentence: str
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    if does:
        npm_that(does, programs)
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(NpmError, match=re.escape(sentence)):
        npm_packages.fetch(PACKAGE, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_package_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm_that("echo called >> $CALLS; echo content > thing-1.0.0.tgz", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    package = replace(PACKAGE, sha512=hashlib.sha512(b"content\n").hexdigest())
    for _ in range(2):
        assert npm_packages.fetch(package, tmp_path / "cache").read_bytes() == b"content\n"
    assert (tmp_path / "calls").read_text() == "called\n"
    (tmp_path / "cache" / package.file_name).write_bytes(b"damaged")
    with pytest.raises(NpmError, match=r"thing-1.0.0.tgz is not thing 1.0.0, its checksum differs: delete it"):
        npm_packages.fetch(package, tmp_path / "cache")
