"""``reactor run`` and ``reactor demo``: what the daemon and the story are given."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest
import structlog

from reactor.app.settings import NamedGuest, Settings
from reactor.cli.exits import Exit
from reactor.core.policy import Enforcement
from reactor.errors import JournalError
from tests.cli.conftest import Call


@dataclass
class Daemon:
    """Stands in for the daemon: keeps what it is given, logs a line, and ends."""

    given: list[Settings] = field(default_factory=list)
    code: int = 0
    error: Exception | None = None
    loop: str = ""
    on_reload: object = None

    async def serve(self, settings: Settings) -> int:
        """What `reactor run` calls."""
        self.given.append(settings)
        self.on_reload = signal.getsignal(signal.SIGHUP)
        self.loop = type(asyncio.get_running_loop()).__module__
        structlog.get_logger("reactor").info("ready")
        if self.error is not None:
            raise self.error
        return self.code


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """The daemon that `reactor run` starts; signals are as before at the end."""
    before = signal.getsignal(signal.SIGHUP)
    daemon = Daemon()
    module = ModuleType("reactor.app.daemon")
    module.serve = daemon.serve  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "reactor.app.daemon", module)
    yield daemon
    signal.signal(signal.SIGHUP, before)


def test_a_reload_that_comes_early_does_not_end_it(
    reactor: Call, daemon: Daemon, here: Path
) -> None:
    """SIGHUP would, until the daemon listens to it."""
    (here / "reactor.yaml").write_text("host: {name: h}\n", encoding="utf-8")
    assert reactor("run", "-c", "reactor.yaml")[0] == 0
    assert daemon.on_reload is signal.SIG_IGN


def test_a_settings_file_is_enough(reactor: Call, daemon: Daemon, here: Path) -> None:
    """The daemon gets what it says, on the fast loop."""
    (here / "a.yaml").write_text("host: {name: one}\n", encoding="utf-8")
    code, out, err = reactor("run", "-c", "a.yaml")
    assert (code, out) == (Exit.OK, "")
    (settings,) = daemon.given
    assert (settings.host.name, settings.enforcement) == ("one", None)
    assert daemon.loop.startswith("uvloop")
    assert json.loads(err)["event"] == "ready"


def test_without_the_fast_loop_the_usual_one_does(
    reactor: Call, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no fast one for every platform."""
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert reactor("run", "--qmp", "/a.sock")[0] == Exit.OK
    assert daemon.loop.startswith("asyncio")


def test_flags_are_enough(reactor: Call, daemon: Daemon, here: Path) -> None:
    """No file is needed for anything."""
    flags = "--rules r --rules /s --qmp /run/*.sock --qmp /run/a.sock --mqtt mqtt://b --audit"
    reactor("run", *flags.split(), "--journal", "j.db", "--host", "two")
    (settings,) = daemon.given
    assert settings.rules == (here / "r", Path("/s"))
    assert [found.discover for found in settings.discoveries] == ["/run/*.sock"]
    assert settings.guests == (NamedGuest("a", "unix:/run/a.sock"),)
    assert settings.mqtt is not None
    assert settings.mqtt.url == "mqtt://b"
    assert settings.journal.path == here / "j.db"
    assert settings.host.name == "two"
    assert settings.enforcement is Enforcement.AUDIT


def test_what_the_shell_makes_of_a_pattern_is_taken(reactor: Call, daemon: Daemon) -> None:
    """Every socket counts, and the log says what the quotes are for."""
    code, _, err = reactor("run", "--qmp", "/a.sock", "/b.sock", "/c.sock", "--audit")
    assert code == Exit.OK
    (settings,) = daemon.given
    assert [guest.name for guest in settings.guests] == ["a", "b", "c"]
    assert settings.enforcement is Enforcement.AUDIT
    warning = json.loads(err.splitlines()[0])
    del warning["timestamp"]
    assert warning == {
        "event": "--qmp was given several sockets: guests that appear later are not found",
        "fix": "put the pattern in single quotes",
        "level": "warning",
    }


def test_a_word_without_an_option_is_wrong(reactor: Call, daemon: Daemon) -> None:
    """Nothing is started."""
    told = (
        "reactor run: `x` is not expected here\n  fix: `reactor run --help` shows what it takes\n"
    )
    assert reactor("run", "x") == (Exit.USAGE, "", told)
    assert daemon.given == []


def test_without_any_settings_nothing_is_started(reactor: Call, daemon: Daemon) -> None:
    """It is told how to begin."""
    assert reactor("run", "--rules", "rules") == (
        Exit.USAGE,
        "",
        (
            "reactor run: there is no settings file, and no guest is named\n"
            "  fix: write `reactor init` for settings to begin with, or name guests: "
            "reactor run --rules rules/ --qmp '/run/qemu/*.sock'\n"
        ),
    )
    assert daemon.given == []


def test_the_settings_file_is_looked_for(reactor: Call, daemon: Daemon, here: Path) -> None:
    """In the user's home, for one."""
    folder = here.parent / "home" / ".config" / "reactor"
    folder.mkdir(parents=True)
    (folder / "reactor.yaml").write_text("host: {name: mine}\n", encoding="utf-8")
    assert reactor("run")[0] == Exit.OK
    assert daemon.given[0].host.name == "mine"


def test_the_daemons_exit_code_is_the_programs(reactor: Call, daemon: Daemon) -> None:
    """Whatever it is."""
    daemon.code = 7
    assert reactor("run", "--qmp", "/a.sock")[0] == 7


def test_an_error_of_the_daemon_is_told(reactor: Call, daemon: Daemon) -> None:
    """In its own words, with its exit code."""
    daemon.error = JournalError("j.db", "the disk is full", "make room")
    code, _, err = reactor("run", "--qmp", "/a.sock")
    assert code == Exit.CANNOT_CONNECT
    assert err.endswith("j.db: the disk is full\n  fix: make room\n")


def test_who_reads_a_path_says_what_is_wrong_with_it(
    reactor: Call, daemon: Daemon, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unreadable one is for the daemon to tell; the command line is not wrong."""
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    for name in ("reactor.yaml", "journal.db"):
        (here / name).touch()
    (here / "rules").mkdir()
    flags = ["--rules", "rules", "--journal", "journal.db"]
    assert reactor("run", "-c", "reactor.yaml", *flags)[0] == Exit.OK
    assert reactor("check", "-c", "reactor.yaml", "rules")[0] == Exit.OK
    for words in (["-c", "reactor.yaml"], ["--journal", "journal.db"]):
        assert reactor("events", *words)[0] != Exit.USAGE
    assert len(daemon.given) == 1


@pytest.mark.parametrize(
    ("flags", "is_said", "is_json"),
    [
        pytest.param([], True, True, id="JSON where nobody looks"),
        pytest.param(["--log-format", "json"], True, True, id="JSON"),
        pytest.param(["--log-format", "console"], True, False, id="for people"),
        pytest.param(["--log-level", "warning"], False, False, id="only warnings"),
    ],
)
def test_the_log_is_as_was_asked_for(
    reactor: Call, daemon: Daemon, flags: list[str], is_said: bool, is_json: bool
) -> None:
    """On standard error."""
    _, out, err = reactor("run", "--qmp", "/a.sock", *flags)
    assert len(daemon.given) == 1
    assert out == ""
    assert ("ready" in err) is is_said
    assert err.startswith("{") is is_json


@pytest.mark.parametrize(
    ("flags", "given"),
    [
        pytest.param([], (None, "text"), id="nothing"),
        pytest.param(["--keep", "f", "-o", "jsonl"], (Path("f"), "jsonl"), id="everything"),
    ],
)
def test_the_demo_is_told_where_and_how(
    reactor: Call,
    monkeypatch: pytest.MonkeyPatch,
    flags: list[str],
    given: tuple[Path | None, str],
) -> None:
    """Its verdict is the exit code."""
    told: list[tuple[Path | None, str]] = []

    async def story(keep: Path | None, output: str) -> int:
        told.append((keep, output))
        return 1

    module = ModuleType("reactor.demo.story")
    module.main = story  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "reactor.demo.story", module)
    assert reactor("demo", *flags)[0] == 1
    assert told == [given]
