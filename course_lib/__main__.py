"""The command line: `python -m course_lib --help`."""

import signal

if __name__ == "__main__":
    # Until `main` takes over: Ctrl-C while importing ends the process without a traceback, and there is nothing yet of
    # which USR1 could ask for a checkpoint.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Iterator, Sequence

COMMANDS = ("models", "describe", "train", "evaluate", "predict")  # modules of course_lib.commands


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command.

    Returns:
        The exit status: 0; 2 for a wrong argument, which one sentence on stderr names; 130 after Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter of a class name shows "?"
    with _interrupts() as interrupted:
        try:
            return _run(argv)
        except Exception:
            if not interrupted:
                raise
        except KeyboardInterrupt:
            pass
    print("Interrupted.", file=sys.stderr)
    return 130


def _run(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m course_lib", description="The networks of the course on the Inception family."
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        importlib.import_module(f"course_lib.commands.{command}").add_parser(subparsers)
    arguments = parser.parse_args(argv)
    try:
        arguments.run(arguments)
    except (ValueError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            # The reader, such as `head`, has gone; Python would complain again when it flushes stdout at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        is_of_file = isinstance(error, OSError) and error.filename is not None
        print(f"error: {f'{error.filename}: {error.strerror}' if is_of_file else error}", file=sys.stderr)
        return 2
    return 0


@contextlib.contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Ctrl-C is a KeyboardInterrupt within, and noted in the list: an import that it stops half way may end in any
    error."""
    noted: list[int] = []

    def interrupt(number: int, _: object) -> None:
        noted.append(number)
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGINT, interrupt)
    except ValueError:  # not in the main thread, which alone gets signals
        yield noted
        return
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


if __name__ == "__main__":
    sys.exit(main())
