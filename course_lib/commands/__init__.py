"""Sub-commands of `python -m course_lib`, one module each: `add_parser(subparsers)` declares one and sets its `run`."""
