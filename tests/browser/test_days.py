"""A student's days with a copy, a lecturer's with a master: what is saved, and what the next morning shows."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.conftest import NOTEBOOKS, RUN_TIMEOUT_S, running_lab
from browser.lab_page import LabPage
from playwright.sync_api import Browser

from course_lib.authoring.notebooks import build
from course_lib.authoring.student import write_copies
from course_lib.reporting.static_form import RUN_FOR_CONTROLS

HEADER = (NOTEBOOKS / "02_factorized_convolutions.py").read_text(encoding="utf-8").partition("\n# %%")[0]
LESSON = """
# %% [markdown]
# # A lesson

# %% tags=["setup"]
from tqdm.auto import tqdm

from course_lib.explorers import KernelFactorizationExplorer
from course_lib.teaching import Answer, Quiz, check_value, fold_answer

# %% tags=["folded"]
Quiz(
    "saving",
    "How much do two 3×3 save?",
    [Answer("64 %", "One sees too little."), Answer("28 %", "18/25 are left.", correct=True)],
)

# %%
fold_answer(f"18/25 = {18 / 25:.0%} are left")

# %% [markdown]
# <details>
# <summary>Show the answer</summary>
#
# Prose that *tells* it.
#
# </details>

# %%
KernelFactorizationExplorer(kernel_size=3, channels=64, grid=17, rewrites=1)

# %%
assert sum(tqdm(range(3))) == 3

# %% tags=["solution"]
# solution begin
saving = 28
# solution end

# %% tags=["check"]
check_value(28, 28, name="saving-value")
"""
LOST_WIDGET = "Error displaying widget"
SCREEN = {"width": 1280, "height": 720}


@pytest.fixture(scope="module")
def masters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one lesson, built."""
    source = tmp_path_factory.mktemp("course") / "01_lesson.py"
    source.write_text(HEADER.rstrip() + "\n" + LESSON, encoding="utf-8")
    build(source)
    return source.parent


@pytest.fixture
def student_folder(masters: Path, tmp_path: Path) -> Path:
    write_copies([masters / "01_lesson.ipynb"], tmp_path / "student")
    return tmp_path / "student"


def opened(browser: Browser, server: dict[str, str]) -> LabPage:
    lab = LabPage(browser.new_page(viewport=SCREEN), "01_lesson.ipynb", server["url"], server["token"])
    lab.open()
    return lab


def outputs(lab: LabPage) -> str:
    return "\n".join(lab.page.locator(".jp-OutputArea").all_inner_texts())


def test_the_next_morning_shows_what_was_there_and_brings_the_answer_back(
    browser: Browser, student_folder: Path, tmp_path: Path
) -> None:
    with running_lab(student_folder, tmp_path / "first") as server:
        lab = opened(browser, server)
        lab.run_all(RUN_TIMEOUT_S)
        quiz = lab.find(".course-quiz")
        quiz.locator("input").first.focus()
        lab.page.keyboard.press("ArrowDown")
        quiz.get_by_role("button", name="Check").press("Enter")
        quiz.get_by_text("✓ Right.").wait_for()
        lab.screenshot("day-1")
        lab.save()
        lab.close()
    assert "28 %" in (student_folder / "progress.json").read_text(encoding="utf-8")
    with running_lab(student_folder, tmp_path / "second") as server:
        lab = opened(browser, server)
        lab.page.get_by_text("How much do two 3×3 save?").first.wait_for()
        lab.screenshot("day-2-before-running")
        shown = outputs(lab)
        assert LOST_WIDGET not in shown
        assert re.sub("<.*?>", "", RUN_FOR_CONTROLS) in shown
        assert lab.page.locator(".jp-OutputArea img").count() == 1  # the explorer's picture
        lab.run_all(RUN_TIMEOUT_S)
        quiz = lab.find(".course-quiz")
        assert quiz.locator("input").nth(1).is_checked()
        assert "✓ Right." in quiz.inner_text()
        lab.close()


def test_what_gives_an_answer_away_stays_folded_after_run_all(
    browser: Browser, student_folder: Path, tmp_path: Path
) -> None:
    with running_lab(student_folder, tmp_path / "home") as server:
        lab = opened(browser, server)
        lab.run_all(RUN_TIMEOUT_S)
        lab.find(".course-quiz")
        lab.screenshot("folded-answers")
        for text in ("18/25 = 72% are left", "Prose that tells it."):
            assert not lab.page.get_by_text(text).first.is_visible()
            fold = lab.page.locator("details", has_text=text).first
            fold.locator("summary").focus()
            fold.locator("summary").press("Enter")
            assert lab.page.get_by_text(text).first.is_visible()
        lab.close()


def test_a_quiz_is_one_stop_of_the_tab_key_with_a_name(browser: Browser, student_folder: Path, tmp_path: Path) -> None:
    with running_lab(student_folder, tmp_path / "home") as server:
        lab = opened(browser, server)
        lab.run_all(RUN_TIMEOUT_S)
        quiz = lab.find(".course-quiz")
        buttons = quiz.locator("input")
        buttons.first.focus()
        for key, chosen in (("Space", 0), ("ArrowDown", 1), ("ArrowDown", 0), ("ArrowUp", 1)):
            lab.page.keyboard.press(key)
            assert [button.is_checked() for button in buttons.all()] == [chosen == 0, chosen == 1]
        lab.page.keyboard.press("Tab")
        assert lab.page.evaluate("document.activeElement.textContent") == "Check"
        assert quiz.get_by_role("radiogroup", name="How much do two 3×3 save?").count() == 1
        lab.close()


@pytest.fixture
def lecturer(masters: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    with running_lab(masters, tmp_path / "home", ("lecturer", "config"), make_options("lab-lecturer")) as server:
        yield server


def make_options(target: str) -> list[str]:
    """The options for the file list that the Makefile gives to JupyterLab."""
    dry = subprocess.run(["make", "-n", target], cwd=NOTEBOOKS.parent, capture_output=True, text=True, check=True)
    return [option for option in shlex.split(dry.stdout) if option.startswith("--ContentsManager.")]


def test_a_master_is_saved_as_it_was_and_never_unasked(
    browser: Browser, masters: Path, lecturer: dict[str, str]
) -> None:
    before = {path.name: path.read_bytes() for path in masters.glob("01_lesson.*")}
    lab = opened(browser, lecturer)
    lab.save()
    assert {path.name: path.read_bytes() for path in masters.glob("01_lesson.*")} == before
    settings = "window.jupyterapp.serviceManager.settings.fetch('@jupyterlab/docmanager-extension:plugin')"
    assert lab.page.evaluate(f"{settings}.then(plugin => plugin.schema.properties.autosave.default)") is False
    lab.close()


def test_the_file_list_shows_lessons_without_sources_and_no_question_covers_it(
    browser: Browser, lecturer: dict[str, str]
) -> None:
    lab = opened(browser, lecturer)
    names = lab.page.locator(".jp-DirListing-itemText")
    names.get_by_text("01_lesson.ipynb").wait_for()
    lab.screenshot("file-list")
    assert [name for name in names.all_inner_texts() if name.endswith(".py")] == []
    assert lab.page.get_by_text("Jupyter news").count() == 0
    lab.close()
