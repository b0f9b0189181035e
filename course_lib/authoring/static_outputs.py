"""Outputs as they are stored: what a reader sees when the notebook is opened and no kernel runs.

A widget ends with its kernel, and JupyterLab shows a lost one as an error, "model not found". Without the widget's view
it shows the picture and text that lie beside the view. A build stores notebooks so, and so does `save_static`, which
JupyterLab calls before each save of a lesson: a student's own notebook is readable the next morning.
"""

from __future__ import annotations

import re
from typing import Any

PROGRESS_BAR = re.compile(r"(.*: )?\s*(\d+%\||\d+\S* \[\d\d:\d\d)")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def keep_static(notebook: dict[str, Any]) -> None:
    """Drop what differs between two equal runs, and the views of widgets.

    Of a progress bar only its first text would stay, "0%", so it goes as a whole.
    """
    metadata = notebook["metadata"]
    metadata.get("language_info", {}).pop("version", None)
    metadata.get("jupytext", {}).pop("text_representation", None)  # jupytext drops it from the second pairing on
    metadata.pop("widgets", None)
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        cell["outputs"] = [output for output in cell["outputs"] if not PROGRESS_BAR.match(_plain_text(output))]
        for output in cell["outputs"]:
            data = output.get("data", {})
            if len(data) > 1:
                data.pop(WIDGET_VIEW, None)


def save_static(model: dict[str, Any], **_: object) -> None:
    """A pre-save hook of Jupyter's contents managers; leaves all but the course's lessons alone."""
    content = model.get("content")
    if model.get("type") == "notebook" and content and "course" in content["metadata"]:
        keep_static(content)


def _plain_text(output: dict[str, Any]) -> str:
    text = output.get("data", {}).get("text/plain", "")
    return text if isinstance(text, str) else "".join(text)
