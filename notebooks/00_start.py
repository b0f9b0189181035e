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
# **Which idea needs which?** A lesson stands right of those that it builds on. Lessons that no line joins can be taken
# in any order.

# %% tags=["nbval-check-output", "keep-output"]
from course_lib.teaching.idea_map import idea_map

idea_map()

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

# %% [markdown]
# How long will a lesson take to run from top to bottom? The course's small network trains for two seconds, and what
# each lesson took elsewhere is scaled by that. A machine that does other work meanwhile seems slower than it is.

# %%
from course_lib.teaching.self_check import lesson_times

lesson_times()

# %% [markdown]
# ## Why networks of 2014 to 2016?
#
# Few people train an Inception network today. Its ideas are at work all the same:
#
# - **Its features judge pictures.** The *Fréchet Inception distance*, by which image generators are compared, is a
#   distance between activations of Inception-v3 (Heusel et al., 2017, "GANs Trained by a Two Time-Scale Update Rule
#   Converge to a Local Nash Equilibrium").
# - **Label smoothing went everywhere.** The first Transformer was trained with the epsilon of 0.1 that you will meet in
#   the lesson on it (Vaswani et al., 2017, "Attention Is All You Need", section 5.4).
# - **Factorising went to its end.** A convolution of every channel by itself, then a 1×1 over the channels: its
#   inventor presents it as Inception taken to the extreme (Chollet, 2017, "Xception: Deep Learning with Depthwise
#   Separable Convolutions").
# - **Branches came back.** InceptionNeXt splits a large window over the channels into four branches, of which two are
#   the 1×n and n×1 of the second lesson (Yu et al., 2024, "InceptionNeXt: When Inception Meets ConvNeXt").
#
# And there is a reason that does not age: the four papers contradict one another, and in part themselves. To see how a
# claim is made, tested, corrected and dropped, there is hardly a better family of papers.
