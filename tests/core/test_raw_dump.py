"""A dump in exact QMP keeps the rules of `guest: dump`: where it goes, and when."""

import pytest

from reactor.core.config import EngineConfig
from reactor.core.effect import AskPath, Discard, Execute
from tests.core.simulation import Host, document


def _host(protocol: str, **config: object) -> Host:
    step = (
        "{qmp: dump-guest-memory, args: {paging: false, detach: true, "
        f"protocol: '{protocol}'}}, wait: {{event: DUMP_COMPLETED, timeout: 1m}}}}"
    )
    return Host(
        [document("p", f"[{step}]")],
        config=EngineConfig(host="h1", **config),  # type: ignore[arg-type]
    ).connect()


def _go(host: Host, **data: object) -> Host:
    host.event("web-1", "GO", data, after=0)
    return host.run(30)


def _asked(host: Host) -> list[str]:
    return [effect.path for effect in host.seen(AskPath) if isinstance(effect, AskPath)]


@pytest.mark.parametrize(
    ("protocol", "config", "sent"),
    [
        pytest.param("file:/var/crash/x", {}, "file:/var/crash/x", id="in the folder"),
        pytest.param(
            "file:/var/crash/a/../x", {}, "file:/var/crash/x", id="by a detour: sent as asked about"
        ),
        pytest.param(
            "file:/mnt/x", {"dumps_allow": frozenset({"/mnt/x"})}, "file:/mnt/x", id="allowed"
        ),
        pytest.param("file:/x", {"dumps_folder": "/"}, "file:/x", id="the folder is the root"),
        pytest.param(
            "file:/var/crash/${guest.name}.elf", {}, "file:/var/crash/web-1.elf", id="a template"
        ),
    ],
)
def test_a_path_is_asked_about_and_then_sent(
    protocol: str, config: dict[str, object], sent: str
) -> None:
    """The one that was asked about, and no other."""
    host = _go(_host(protocol, **config))
    assert host.files == [sent]
    assert _asked(host) == [sent.removeprefix("file:")]
    assert host.outcomes() == ["succeeded"]


def test_a_template_that_moves_on_does_not_move_the_target() -> None:
    """Between the question and the command time passes."""
    host = _go(_host("file:/var/crash/${string(now())}"))
    assert host.files == [f"file:{_asked(host)[0]}"]


@pytest.mark.parametrize(
    ("protocol", "error"),
    [
        pytest.param(
            "file:/etc/passwd",
            "the dump path /etc/passwd is outside dumps.folder (/var/crash) and dumps.allow",
            id="elsewhere",
        ),
        pytest.param(
            "file:/var/crash/../x",
            "the dump path /var/x is outside dumps.folder (/var/crash) and dumps.allow",
            id="dots",
        ),
        pytest.param(
            "file:/var/crash/${data.name}",
            "the dump path /etc/x is outside dumps.folder (/var/crash) and dumps.allow",
            id="what a guest chose",
        ),
        pytest.param(
            "file:x", "the dump path 'x' must be absolute in a raw command", id="relative"
        ),
        pytest.param("fd:3", "a dump to 'fd:3' needs qmp.allow", id="a file descriptor"),
        pytest.param("exec:cat", "a dump to 'exec:cat' needs qmp.allow", id="a program"),
    ],
)
def test_a_dump_that_goes_elsewhere_is_not_sent(protocol: str, error: str) -> None:
    """The reason names the setting."""
    host = _go(_host(protocol), name="../../etc/x")
    assert host.commands() == []
    assert [run.error for run in host.ended()] == [error]


def test_a_template_that_fails_fails_the_step_before_anything_is_sent() -> None:
    """Nor is the file system asked."""
    host = _go(_host("file:/var/crash/${data.gone}"))
    assert host.commands() == []
    assert _asked(host) == []
    assert host.outcomes() == ["failed"]


def test_a_file_descriptor_goes_with_the_allow_list() -> None:
    """Nothing is there to ask about."""
    host = _go(_host("fd:3", allow=frozenset({"dump-guest-memory"})))
    assert host.files == ["fd:3"]
    assert _asked(host) == []
    assert host.outcomes() == ["succeeded"]


def test_a_raw_dump_waits_for_the_dump_of_another() -> None:
    """Like the verb; and half a dump of a raw command is its author's to remove."""
    host = _host("file:/var/crash/x")
    guest = host.guests["web-1"]
    guest.dump = "active"
    _go(host)
    assert host.commands() == []
    guest.dump = "completed"
    host.run(30)
    assert host.commands() == ["dump-guest-memory"]
    assert host.seen(Discard) == []
    (asked,) = [effect for effect in host.seen(AskPath) if isinstance(effect, AskPath)]
    assert not asked.is_told


def test_a_raw_dump_of_a_storage_daemon_is_refused() -> None:
    """It has no memory of a guest."""
    host = Host(
        [document("p", "[{qmp: dump-guest-memory, args: {protocol: 'file:/var/crash/x'}}]")]
    )
    host.guests["web-1"].kind = "storage-daemon"
    host.connect()
    _go(host)
    assert [run.error for run in host.ended()] == [
        "guest: dump: web-1 is a storage daemon, it has no guest"
    ]


def test_a_question_about_a_path_that_nobody_answers_is_asked_again() -> None:
    """Until the step's own deadline."""
    host = _host("file:/var/crash/x")
    host.deaf_paths = 1
    _go(host)
    assert _asked(host) == ["/var/crash/x"] * 2
    assert host.outcomes() == ["succeeded"]


@pytest.mark.parametrize(
    ("detach", "seconds"),
    [
        pytest.param("detach: true, ", 60, id="detached: the answer comes at once"),
        pytest.param("", 3600, id="not detached: the answer comes when it is over"),
    ],
)
def test_how_long_the_answer_may_take(detach: str, seconds: float) -> None:
    """A dump that is not detached has as long as its step and its run."""
    step = f"{{qmp: dump-guest-memory, args: {{{detach}protocol: 'file:/var/crash/x'}}}}"
    host = _go(Host([document("p", f"[{step}]")]).connect())
    ((at, sent),) = [
        (at, e)
        for at, e in host.effects
        if isinstance(e, Execute) and e.command == "dump-guest-memory"
    ]
    assert sent.deadline - at == pytest.approx(seconds, abs=0.01)
