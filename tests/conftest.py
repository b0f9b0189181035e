"""What all tests share: figures worth reading are printed once, after the tests and before pytest's closing line."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

MEASURED = "measured"

# A busy machine may take its cores away for seconds; how long an example takes is a question for benchmarks.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--time-bounds", action="store_true", help="also assert bounds on measured times, which want a quiet machine"
    )
    parser.addoption("--cifar10", metavar="FOLDER", help="CIFAR-10 as an image folder, for the benchmark of training")
    parser.addoption("--contest-minutes", type=float, default=20, help="that benchmark's time for each contestant")


@pytest.fixture
def report_line(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Adds a line to the section "measured" of the closing summary."""
    return lambda line: record_property(MEASURED, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = (report for reports in terminalreporter.stats.values() for report in reports)
    calls = (report for report in reports if getattr(report, "when", None) == "call")
    lines = sorted(line for report in calls for name, line in report.user_properties if name == MEASURED)
    if lines:
        terminalreporter.section(MEASURED)
        for line in lines:
            terminalreporter.write_line(line)
