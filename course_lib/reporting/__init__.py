"""Figures, tables and recorded runs: how the course shows numbers."""
