"""Explorers: an idea with sliders. Each is a pure `compute`, a picture of its result, and a thin shell of widgets."""

from course_lib.explorers.kernel_factorization_explorer import KernelFactorizationExplorer

__all__ = ["KernelFactorizationExplorer"]
