"""Recipes as values: how to train, field by field, the learning rate over time, and the recipes of the papers.

Nothing here imports more than Python's own library, so that a page in a browser may.
"""

from course_lib.recipes.published import RECIPES, adam_steps, quick, sgd_cosine, szegedy_2016
from course_lib.recipes.recipe import BATCH_SIZE_POWERS, SCHEDULES, Recipe

__all__ = [
    "BATCH_SIZE_POWERS",
    "RECIPES",
    "SCHEDULES",
    "Recipe",
    "adam_steps",
    "quick",
    "sgd_cosine",
    "szegedy_2016",
]
