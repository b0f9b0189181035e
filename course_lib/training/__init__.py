"""Training: `fit` follows a `Recipe` and survives interruption; `evaluate` and `predict_logits` judge the model."""

from course_lib.recipes import RECIPES, SCHEDULES, Recipe, adam_steps, quick, sgd_cosine, szegedy_2016
from course_lib.training.augment import augment, normalize
from course_lib.training.checkpoint import CheckpointError, Checkpoints
from course_lib.training.evaluation import Evaluation, evaluate, predict_logits
from course_lib.training.fitting import fit
from course_lib.training.loop import DivergedError, head_weights
from course_lib.training.losses import LabelSmoothingLoss, auxiliary_loss
from course_lib.training.machine import default_device, has_bf16

__all__ = [
    "RECIPES",
    "SCHEDULES",
    "CheckpointError",
    "Checkpoints",
    "DivergedError",
    "Evaluation",
    "LabelSmoothingLoss",
    "Recipe",
    "adam_steps",
    "augment",
    "auxiliary_loss",
    "default_device",
    "evaluate",
    "fit",
    "has_bf16",
    "head_weights",
    "normalize",
    "predict_logits",
    "quick",
    "sgd_cosine",
    "szegedy_2016",
]
