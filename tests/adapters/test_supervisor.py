"""What a supervisor is told: the protocol of sd_notify(3), over real sockets."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from reactor.adapters.supervisor import State, Supervisor
from tests.fakes.supervisor import Ear, hearing


@pytest.fixture(params=["a path", "an abstract name"])
def ear(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ear]:
    """Somebody who listens."""
    abstract = f"@reactor-test-{os.getpid()}-{tmp_path.name}"
    with hearing(abstract if "abstract" in request.param else f"{tmp_path}/notify") as ear:
        yield ear


@pytest.fixture
def supervisor(ear: Ear) -> Iterator[Supervisor]:
    """The program's side of it."""
    with contextlib.closing(Supervisor(ear.address)) as made:
        yield made


def test_every_word_is_told_at_once(ear: Ear, supervisor: Supervisor) -> None:
    """At a path, and at an abstract name."""
    supervisor.describe("reads")
    supervisor.enter(State.READY, 1.0)
    supervisor.live()
    supervisor.enter(State.RELOADING, 12.3456789)
    supervisor.enter(State.STOPPING, 13.0)
    assert ear.news() == [
        ["STATUS=reads"],
        ["READY=1"],
        ["WATCHDOG=1"],
        ["RELOADING=1", "MONOTONIC_USEC=12345679"],
        ["STOPPING=1"],
    ]
    assert supervisor.problem == ""


@pytest.mark.parametrize(
    ("status", "told"),
    [
        pytest.param("one\nREADY=1\n\n two\t", "STATUS=one READY=1 two", id="several lines"),
        pytest.param("half a \udce4", "STATUS=half a ?", id="no text"),
        pytest.param("ä", "STATUS=ä", id="not ASCII"),
    ],
)
def test_a_status_is_one_line_of_text(
    ear: Ear, supervisor: Supervisor, status: str, told: str
) -> None:
    """Whatever it is made of: a line of its own would be another word of the protocol."""
    supervisor.describe(status)
    assert ear.news() == [[told]]


@pytest.mark.parametrize(
    ("environment", "address", "patience_s"),
    [
        pytest.param({}, "", None, id="started by hand"),
        pytest.param({"NOTIFY_SOCKET": ""}, "", None, id="empty"),
        pytest.param({"NOTIFY_SOCKET": "/run/n"}, "/run/n", None, id="no watchdog"),
        pytest.param(
            {"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "30000000"}, "@n", 30.0, id="a watchdog"
        ),
        pytest.param(
            {"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "7"},
            "@n",
            1e-6,
            id="for this process",
        ),
        pytest.param(
            {"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "8"},
            "@n",
            None,
            id="for another process",
        ),
        pytest.param(
            {"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "0"}, "@n", None, id="no time at all"
        ),
        pytest.param({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "³"}, "@n", None, id="no number"),
    ],
)
def test_the_environment_says_who_listens(
    environment: Mapping[str, str], address: str, patience_s: float | None
) -> None:
    """As systemd writes it."""
    with contextlib.closing(Supervisor.of(environment, 7)) as made:
        assert (made.address, made.patience_s) == (address, patience_s)
        assert made.listens == bool(address)


def test_nobody_is_told_where_nobody_asked() -> None:
    """And nothing is wrong with that."""
    silent = Supervisor()
    silent.enter(State.READY, 0.0)
    silent.live()
    silent.close()
    assert (silent.listens, silent.problem) == (False, "")


@pytest.mark.parametrize("address", ["vsock:2:9999", "notify"])
def test_an_address_of_another_kind_is_told_as_a_problem(address: str) -> None:
    """Not an error: the program works without it."""
    made = Supervisor(address)
    made.live()
    assert not made.listens
    assert made.problem == "it is neither a path nor the name of an abstract socket"


def test_what_there_is_no_room_for_comes_with_the_next_word(
    ear: Ear, supervisor: Supervisor
) -> None:
    """Of each kind the latest; nobody waits for room meanwhile."""
    rooms = 10_000
    for number in range(rooms):
        supervisor.describe(f"{number}")
    supervisor.enter(State.RELOADING, 1.0)
    supervisor.enter(State.READY, 2.0)
    assert supervisor.problem == ""  # a full socket is no problem yet
    told = ear.news()
    assert 0 < len(told) < rooms
    assert ["READY=1"] not in told
    supervisor.live()
    supervisor.live()
    assert ear.news() == [["READY=1", f"STATUS={rooms - 1}", "WATCHDOG=1"], ["WATCHDOG=1"]]


def test_who_comes_late_hears_where_it_stands(tmp_path: Path) -> None:
    """What could not be told is a problem until it is; the path may be made anew."""
    address = f"{tmp_path}/notify"
    with contextlib.closing(Supervisor(address)) as made:
        made.enter(State.READY, 1.0)
        assert made.problem == "No such file or directory"
        with hearing(address) as ear:
            made.live()
            assert ear.news() == [["READY=1", "WATCHDOG=1"]]
            assert made.problem == ""
        made.live()
        assert made.problem == "Connection refused"


def test_a_path_that_is_too_long_is_a_problem(tmp_path: Path) -> None:
    """A unix socket's path has at most 107 bytes."""
    with contextlib.closing(Supervisor(f"{tmp_path}/{'n' * 108}")) as made:
        made.live()
        assert made.problem == "AF_UNIX path too long"
