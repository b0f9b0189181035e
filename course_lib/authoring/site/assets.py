"""The files of style and code that pages are made with."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "assets"


def asset(name: str) -> str:
    """The text of a file in `assets/`."""
    return (FOLDER / name).read_text(encoding="utf-8")


def inline_script(code: str) -> str:
    """A script element that holds `code`, which may speak of script elements itself."""
    harmless = code.replace("</script", r"<\/script")
    return f"<script>{harmless}</script>"
