"""What all tests share: figures worth reading are printed once, after the tests and before pytest's closing line."""

from collections.abc import Callable

import pytest

LINES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--time-bounds", action="store_true", help="also assert bounds on measured times, which want a quiet machine"
    )
    parser.addoption("--cifar10", metavar="FOLDER", help="CIFAR-10 as an image folder, for the benchmark of training")
    parser.addoption("--contest-minutes", type=float, default=20, help="that benchmark's time for each contestant")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LINES] = []


@pytest.fixture(scope="session")
def report_line(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Adds a line to the section "measured" of the closing summary."""
    return request.config.stash[LINES].append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash[LINES]
    if lines:
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.write_line(line)
