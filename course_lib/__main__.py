"""The command line: `python -m course_lib --help`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from course_lib.commands import describe, evaluate, models, predict, train

COMMANDS = (models, describe, train, evaluate, predict)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command.

    Returns:
        The exit status: 0, or 2 for a wrong argument, which one sentence on stderr names.
    """
    parser = argparse.ArgumentParser(
        prog="python -m course_lib", description="The networks of the course on the Inception family."
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    arguments = parser.parse_args(argv)
    try:
        arguments.run(arguments)
    except (ValueError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            # The reader, such as `head`, has gone; Python would complain again when it flushes stdout at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
