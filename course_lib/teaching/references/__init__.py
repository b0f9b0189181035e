"""The exercises of the lessons, one module a lesson, named as the lesson without its number."""
