"""`describe`: the layer table of one network."""

from __future__ import annotations

import argparse

from course_lib.architecture import ArchitectureError, cost, shape_text, smallest_input, total
from course_lib.models import entry, network, trunk

from .text import input_shape, option


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declares the sub-command."""
    parser = subparsers.add_parser(
        "describe",
        help="print the layer table of one network",
        description="Print each layer's output (channels x height x width), parameters, MACs and receptive field, "
        "counted without running anything.",
        epilog="example: python -m course_lib describe googlenet_bn --input 3x224x224 --option five_by_five=3x3",
    )
    parser.add_argument("name", metavar="NAME", help="one of the names that `python -m course_lib models` lists")
    parser.add_argument(
        "--input", type=input_shape, metavar="CxHxW", help="size of the image; default is what the network is made for"
    )
    parser.add_argument("--classes", type=int, metavar="N", help="number of classes; default as for the input")
    parser.add_argument("--aux", action="store_true", help="with the auxiliary heads, which run in training only")
    parser.add_argument(
        "--option",
        action="append",
        type=option,
        default=[],
        metavar="NAME=VALUE",
        help="an option of the network, such as width=32; may be repeated",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Prints the table and the totals."""
    known = entry(arguments.name)
    classes = known.num_classes if arguments.classes is None else arguments.classes
    value = network(arguments.name, classes, arguments.aux, **dict(arguments.option))
    shape = arguments.input or known.input_shape
    smallest = smallest_input(value)
    if shape[1] < smallest[0] or shape[2] < smallest[1]:
        heads = " with its heads" if arguments.aux else ""
        raise ArchitectureError(
            f"{arguments.name}{heads} takes images of at least {shape_text(smallest)} pixels; got {shape_text(shape)}."
        )
    table = cost(value, shape)
    for column in ("out_shape", "receptive_field"):
        table[column] = table[column].map(shape_text)
    for column in ("params", "macs", "activations"):
        table[column] = table[column].map("{:,}".format)
    print(table.to_string())
    whole, seen = total(value, shape), total(trunk(value), shape).receptive_field
    print(
        f"\n{arguments.name} on {shape_text(shape)}: {whole.params:,} parameters, {whole.macs:,} MACs, "
        f"{whole.activations:,} activations, receptive field {shape_text(seen)} before the global pool"
    )
