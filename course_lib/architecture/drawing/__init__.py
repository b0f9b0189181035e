"""The picture of a value, as inline SVG and in words."""

from .diagram import Diagram, diagram

__all__ = ["Diagram", "diagram"]
