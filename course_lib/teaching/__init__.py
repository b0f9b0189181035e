"""Classroom parts: quizzes, checks of exercises, student copies. Importing this package does not import torch."""

from course_lib.teaching.answers import fold_answer
from course_lib.teaching.exercises import ExerciseError, check_function, check_value
from course_lib.teaching.quiz import Answer, Quiz

__all__ = ["Answer", "ExerciseError", "Quiz", "check_function", "check_value", "fold_answer"]
