"""Exercises of the lesson on label smoothing."""

from course_lib.teaching.references.label_smoothing.calibration import best_temperature, mend_calibration_error
from course_lib.teaching.references.label_smoothing.restraint import restraint
from course_lib.teaching.references.label_smoothing.suspects import is_label_smoothing
from course_lib.teaching.references.label_smoothing.targets import least_loss, mixup

__all__ = ["best_temperature", "is_label_smoothing", "least_loss", "mend_calibration_error", "mixup", "restraint"]
