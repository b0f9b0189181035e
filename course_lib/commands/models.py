"""`models`: the table of all networks."""

from __future__ import annotations

import argparse

from course_lib.architecture import shape_text, smallest_input, total
from course_lib.models import entry, list_models, network, trunk


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declares the sub-command."""
    parser = subparsers.add_parser(
        "models",
        help="print the table of all networks",
        description="Print all networks with their cost at the input and number of classes they are made for. One MAC "
        "is one multiplication with its addition. Receptive fields are those before the global average pool. In "
        "brackets: the parameters that auxiliary heads add.",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Prints the table."""
    import pandas as pd

    print(pd.DataFrame([_row(name) for name in list_models()]).to_string(index=False))


def _row(name: str) -> dict[str, str | int]:
    known = entry(name)
    value = network(name, known.num_classes)
    cost = total(value, known.input_shape)
    return {
        "name": name,
        "input": shape_text(known.input_shape),
        "classes": known.num_classes,
        "parameters": f"{cost.params:,}",
        "GMACs": f"{cost.macs / 1e9:.3f}",
        "receptive field": total(trunk(value), known.input_shape).receptive_field[0],
        "smallest input": shape_text(smallest_input(value)),
        "heads": _heads_text(name) if known.has_heads else "",
        "paper": known.paper,
    }


def _heads_text(name: str) -> str:
    known = entry(name)
    plain, headed = (network(name, known.num_classes, aux) for aux in (False, True))
    params = total(headed, known.input_shape).params - total(plain, known.input_shape).params
    return f"{len(headed.layers) - len(plain.layers)} (+{params:,})"
