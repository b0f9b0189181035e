"""Classroom parts: quizzes and exercises with their checks. Importing this package does not import torch."""

from course_lib.teaching.answers import fold_answer
from course_lib.teaching.checking import ExerciseError, check_function, check_value
from course_lib.teaching.exercises import Exercise
from course_lib.teaching.quiz import Answer, Quiz

__all__ = ["Answer", "Exercise", "ExerciseError", "Quiz", "check_function", "check_value", "fold_answer"]
