"""What stands beside the static form of a widget, which a reader sees where no kernel runs."""

RUN_FOR_CONTROLS = '<p style="opacity: 0.8"><em>Run this cell (Shift+Enter) to bring the controls.</em></p>'
