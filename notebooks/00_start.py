# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,slideshow,-all
#     formats: ipynb,py:percent
#     notebook_metadata_filter: kernelspec,jupytext,course,-jupytext.text_representation.jupytext_version,-widgets,-language_info
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The Inception networks, measured
#
# Between 2014 and 2016 four papers led from GoogLeNet to Inception-v4, one idea at a time. In this course you take the
# ideas apart: you read what a paper claims, say what you expect, and measure it on real images in under a minute. Paper
# and measurement then stand side by side. Where they disagree, we find out why.

# %% [markdown]
# ## The lessons
#
# Click a title to open it.

# %% tags=["guard", "folded"]
import importlib.util
import sys
import time

if importlib.util.find_spec("course_lib") is None:

    class CourseMissingError(Exception):
        def _render_traceback_(self):
            return [str(self)]

    # The cells of "Run All" arrive meanwhile, and are stopped with this one.
    time.sleep(2)
    raise CourseMissingError(
        "This lesson needs the course's library, which this Python does not have: "
        f"in the course's folder run `{sys.executable} -m pip install -e .` "
        "and restart the kernel, or open the lesson with `make lab`."
    )

# %% tags=["nbval-check-output", "keep-output"]
from course_lib.teaching.lessons import lesson_table

lesson_table()

# %% [markdown]
# ## How to work
#
# - **Shift+Enter** runs a cell and goes to the next. Run a lesson from top to bottom: later cells need the earlier
#   ones.
# - When a lesson asks for a prediction, answer before you run on. A wrong guess is worth more than none.
# - Move the sliders. With the keyboard: **Tab** to a slider, then the arrow keys.
# - Each exercise has a check that tells you what is wrong, not only that it is.
# - Lost? **Kernel > Restart Kernel and Run All Cells** brings back a clean state.

# %% [markdown]
# ## Is everything here?
#
# The next cell looks at your machine and reads the images. No GPU is needed, nor a network once the course is
# installed.

# %%
from course_lib.teaching.self_check import self_check

self_check()
