"""Training small networks in a notebook: `fit` follows a `Recipe`; `evaluate` and `predict_logits` judge the model."""

from course_lib.training.augment import augment, normalize
from course_lib.training.evaluation import Evaluation, evaluate, predict_logits
from course_lib.training.loop import DivergedError, fit
from course_lib.training.machine import default_device, has_bf16
from course_lib.training.recipe import SCHEDULES, Recipe

__all__ = [
    "SCHEDULES",
    "DivergedError",
    "Evaluation",
    "Recipe",
    "augment",
    "default_device",
    "evaluate",
    "fit",
    "has_bf16",
    "normalize",
    "predict_logits",
]
