"""A plugin for nbval, which gives a kernel 5 s to hand over the outputs of a cell that has ended, and no option to
change that: a machine under load takes longer, and being slow is no fault."""

from typing import Any

from nbval.plugin import IPyNbCell

OUTPUT_TIMEOUT_S = 600
_initialize = IPyNbCell.__init__


def _initialize_patiently(cell: IPyNbCell, /, *arguments: Any, **options: Any) -> None:
    _initialize(cell, *arguments, **options)
    cell.output_timeout = OUTPUT_TIMEOUT_S


IPyNbCell.__init__ = _initialize_patiently
