"""``reactor metrics``: where the figures go, with a daemon and without."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reactor.app.control.asks import AskMetrics
from reactor.cli.exits import Exit
from tests.cli.conftest import Call
from tests.cli.fake_daemon import FakeDaemon

TEXT = "# HELP reactor_up 1.\n# TYPE reactor_up gauge\nreactor_up 1\n"
DOWN = "reactor_up 0\n"


@pytest.fixture
def settings(here: Path) -> str:
    """Settings of a daemon that may run."""
    (here / "r.yaml").write_text("control: {socket: c.sock}\njournal: {path: j.db}\n")
    return "r.yaml"


@pytest.fixture
def daemon(here: Path, settings: str) -> Iterator[FakeDaemon]:
    """It runs."""
    assert settings
    with FakeDaemon(here / "c.sock").running() as running:
        running.says(TEXT)
        yield running


def test_they_are_printed(reactor: Call, daemon: FakeDaemon) -> None:
    """As the daemon wrote them."""
    assert reactor("metrics", "-c", "r.yaml") == (Exit.OK, TEXT, "")
    assert daemon.asked == [AskMetrics()]


def test_they_go_into_a_file(reactor: Call, daemon: FakeDaemon, here: Path) -> None:
    """It is replaced as a whole, others may read it, and nothing else is left in the folder."""
    assert not daemon.asked
    folder = here / "textfiles"
    folder.mkdir()
    for before in (None, "what was there"):
        if before:
            (folder / "reactor.prom").write_text(before)
        assert reactor("metrics", "-c", "r.yaml", "--to", "textfiles/reactor.prom")[:2] == (0, "")
        (file,) = folder.iterdir()
        assert (file.read_text(), file.stat().st_mode & 0o777) == (TEXT, 0o644)


def test_without_a_daemon_that_is_what_they_say(reactor: Call, settings: str, here: Path) -> None:
    """A timer goes on writing the file, and whoever reads it learns that the daemon is away."""
    code, out, err = reactor("metrics", "-c", settings)
    assert (code, out.endswith(DOWN), "the daemon does not run" in err) == (5, True, True), err
    code, out, _ = reactor("metrics", "-c", settings, "--to", "reactor.prom")
    assert (code, out) == (Exit.NOT_RUNNING, "")
    assert (here / "reactor.prom").read_text().endswith(DOWN)


def test_a_file_that_cannot_be_written(reactor: Call, daemon: FakeDaemon) -> None:
    """It is said which, and why."""
    assert not daemon.asked
    code, out, err = reactor("metrics", "-c", "r.yaml", "--to", "nowhere/reactor.prom")
    assert (code, out) == (Exit.REFUSED, "")
    assert err == (
        "nowhere/reactor.prom: the file cannot be written: No such file or directory\n"
        "  fix: name a file in a folder that this user may write\n"
    )


def test_a_target_that_is_a_folder(reactor: Call, daemon: FakeDaemon, here: Path) -> None:
    """Nothing is left behind beside it."""
    assert not daemon.asked
    (here / "taken" / "reactor.prom").mkdir(parents=True)
    assert reactor("metrics", "-c", "r.yaml", "--to", "taken/reactor.prom")[0] == Exit.REFUSED
    assert [path.name for path in (here / "taken").iterdir()] == ["reactor.prom"]
