"""One machine for all tests of the service; what a test changes it puts back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.machine import Machine, cannot_boot
from tests.service.service import Service

_HERE = Path(__file__).parent
_WHY_NOT = cannot_boot()

collect_ignore_glob = ["test_on_systemd_*.py"] if _WHY_NOT else []


def pytest_report_header() -> str:
    """Why nothing is tried on a machine, where it is so."""
    return f"service: {_WHY_NOT or 'tried on a systemd of its own'}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is marked ``service`` and has a limit of its own."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker("service")
            item.add_marker(pytest.mark.timeout(150))


@pytest.fixture(scope="session")
def installed() -> Iterator[Service]:
    """A machine on which the how-to was followed to the end of step 5."""
    with Machine() as machine:
        service = Service(machine)
        service.install()
        yield service


@pytest.fixture
def service(installed: Service) -> Iterator[Service]:
    """The service as it was installed, and active."""
    yield installed
    installed.mend()
