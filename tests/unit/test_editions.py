"""What the editions for a browser share: a folder of their own, and a command that says in a sentence what it did."""

from __future__ import annotations

from pathlib import Path

import pytest

from course_lib.authoring.editions import INDEX, edition_parser, lessons_in, make_edition, write_edition
from course_lib.authoring.site.first_values import SiteError


def test_an_older_edition_is_replaced_whole(tmp_path: Path) -> None:
    write_edition(tmp_path / "out", {INDEX: "first", "gone.html": "x"})
    write_edition(tmp_path / "out", {INDEX: "second"})
    assert [path.name for path in (tmp_path / "out").iterdir()] == [INDEX]
    assert (tmp_path / "out" / INDEX).read_text() == "second"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    write_edition(tmp_path, {INDEX: "first"})
    assert (tmp_path / INDEX).read_text() == "first"


def test_a_folder_of_other_things_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(SiteError, match="would be emptied, and holds no edition of the course"):
        write_edition(tmp_path, {INDEX: "first"})
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    assert not (tmp_path / INDEX).exists()


def test_a_folder_without_lessons_is_named(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="holds no lessons: name the folder of the notebooks"):
        lessons_in(tmp_path)


def test_the_command_prints_what_was_made_or_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    parser = edition_parser("site", "Writes the site.\n\nMore.")
    assert parser.parse_args([]).out == Path("build/site")
    assert make_edition(parser, [], lambda options: f"made of {options.notebooks}") == 0
    assert capsys.readouterr().out == "made of notebooks\n"
    empty = ["--notebooks", str(tmp_path)]
    assert make_edition(parser, empty, lambda options: str(lessons_in(options.notebooks))) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"error: {tmp_path} holds no lessons: name the folder of the notebooks.\n"
