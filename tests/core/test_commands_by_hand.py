"""One QMP command that somebody sends to one guest: what is refused, what is done and told."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.core import by_hand, command_ends, operator_commands
from reactor.core.config import EngineConfig
from reactor.core.effect import AskPath, Execute, Publish, Reply, RunChanged
from reactor.core.inputs import Answered, GuestForgotten
from reactor.core.orders import (
    AddSilence,
    AnswerTo,
    CancelRun,
    HoldGuests,
    ReleaseGuests,
    RunCommand,
)
from reactor.core.policy import Enforcement, Limit, LimitScope
from reactor.core.topics import CORRELATION
from tests.core.simulation import Host, document

COMMANDS = frozenset(
    "query-* stop cont quit system_reset dump-guest-memory device_del send-key set_password".split()
)
ANSWER = AnswerTo("reply/anna", "reactor/h1/cmd/web-1/stop", "7", "AAE=")


def _config(**more: Any) -> EngineConfig:  # noqa: ANN401 - members of the settings
    return EngineConfig(host="h1", commands=COMMANDS, **more)


def _host(*texts: str, **more: Any) -> Host:  # noqa: ANN401 - members of the settings
    return Host(texts, guests=("web-1", "web-2"), config=_config(**more)).connect()


def _told(host: Host) -> list[Mapping[str, Any]]:
    """What was published as the ends of commands."""
    found = [e for e in host.seen(Publish) if isinstance(e, Publish)]
    assert all(one.topic == "reply/anna" for one in found)
    return [one.payload for one in found if isinstance(one.payload, dict)]


def _order(command: str = "stop", guest: str = "web-1", **more: Any) -> RunCommand:  # noqa: ANN401
    return RunCommand(guest, command, **{"answer": ANSWER, **more})


# -------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("order", "text", "fix"),
    [
        pytest.param(
            _order("stpo"),
            "no QEMU that reactor knows has a command 'stpo'",
            "did you mean 'stop'?",
            id="misspelt",
        ),
        pytest.param(
            _order("sytem_powerdown"),
            "no QEMU that reactor knows has a command 'sytem_powerdown'",
            "did you mean 'system_powerdown'?",
            id="misspelt, and not allowed either",
        ),
        pytest.param(
            _order("frobnicate-it"),
            "no QEMU that reactor knows has a command 'frobnicate-it'",
            "`reactor docs` lists the commands",
            id="like no command",
        ),
        pytest.param(
            _order("system_resett"),
            "no QEMU that reactor knows has a command 'system_resett'",
            "did you mean 'system_reset'?",
            id="one that may be sent comes first",
        ),
        pytest.param(
            _order("system_powerdown"),
            "'system_powerdown' may not be sent by hand: "
            "the settings' mqtt.commands do not name it",
            "add it there, if it shall be",
            id="not allowed",
        ),
        pytest.param(
            _order(""),
            "the command has 0 characters; 1 to 256 are allowed",
            "name the command",
            id="no name",
        ),
        pytest.param(
            _order(guest="web-3"),
            "no guest is called 'web-3'; did you mean 'web-2'?",
            "`reactor guests` lists them",
            id="unknown guest",
        ),
        pytest.param(
            _order("quit"),
            "refused: quit is not in the settings' qmp.allow",
            "`reactor docs quit` says more",
            id="dangerous",
        ),
        pytest.param(
            _order("set_password", arguments={"protocol": "vnc", "password": "s3cret"}),
            "set_password is not sent: its arguments hold a secret, and a message over MQTT may be "
            "read by others and is kept",
            "give it to QEMU on the host: by a monitor of your own, or as a file "
            "(object-add of a `secret` takes `file`)",
            id="a secret",
        ),
        pytest.param(
            _order(timeout=0.0),
            "0 s is no time to wait: more than 0, and at most 10m",
            "write such as 30s or 5m",
            id="no time",
        ),
        pytest.param(
            _order(timeout=600.1),
            "600.1 s is no time to wait: more than 0, and at most 10m",
            "write such as 30s or 5m",
            id="too long",
        ),
        pytest.param(
            _order(timeout=float("nan")),
            "nan s is no time to wait: more than 0, and at most 10m",
            "write such as 30s or 5m",
            id="no number",
        ),
    ],
)
def test_what_may_not_be_sent_is_refused_at_once(order: RunCommand, text: str, fix: str) -> None:
    """With the sentence, and no run; nothing goes to the guest, nothing is published."""
    host = _host()
    reply = host.order(order)
    assert (reply.ok, reply.text, reply.fix) == (False, text, fix)
    assert (host.commands(), host.outcomes(), _told(host)) == ([], [], [])


def test_nothing_may_be_sent_by_default() -> None:
    """Not even a question."""
    host = Host(guests=("web-1",)).connect()
    assert not host.order(_order("query-status")).ok


def test_a_guest_that_is_away_gets_no_command() -> None:
    """Who sends it hears so now; it is not sent when the guest is back."""
    host = _host()
    host.disconnect("web-1")
    reply = host.order(_order())
    assert reply.text == "the monitor of web-1 is away: stop cannot be sent"
    host.connect("web-1").run(60)
    assert host.commands() == []


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        pytest.param("query-block", True, id="a glob names it, and it reads"),
        pytest.param("stop", True, id="by its name"),
        pytest.param("system_wakeup", False, id="not named"),
        pytest.param("query-made-up", False, id="nobody knows what it does"),
    ],
)
def test_globs_stand_for_commands_that_only_read(command: str, allowed: bool) -> None:
    """Whatever they would match."""
    assert by_hand.allowed({"query-*", "s[t-z]*", "stop"}, command) is allowed


@pytest.mark.parametrize(
    ("policy", "command"),
    [("cmd/stop", "stop"), ("cmd/", ""), ("stop", ""), ("a-cmd/stop", "")],
)
def test_a_command_by_hand_is_known_by_its_name(policy: str, command: str) -> None:
    """No policy of a file has a slash in its own."""
    assert by_hand.command_of(policy) == command
    made = by_hand.named(policy)
    assert (made and made.name) == (policy if command else None)


# ----------------------------------------------------------------------- sent


def test_a_command_is_sent_and_its_end_is_told() -> None:
    """As a run of one step, with QEMU's answer, and all by which its sender knows it again."""
    host = _host()
    reply = host.order(_order(), "mqtt (says 'anna')")
    assert (reply.ok, reply.text, reply.data) == (
        True,
        "run abc123-1 sends stop to web-1",
        {"run": "abc123-1"},
    )
    assert _told(host) == []
    host.run(1)
    assert host.commands() == ["stop"]
    assert host.outcomes() == ["succeeded"]
    assert _told(host) == [
        {
            "topic": "reactor/h1/cmd/web-1/stop",
            "ok": True,
            "text": "stop on web-1: done",
            "data": {"run": "abc123-1", "return": {}},
            "id": "7",
            "correlation": "AAE=",
        }
    ]
    (published,) = [e for e in host.seen(Publish) if isinstance(e, Publish)]
    assert (published.properties, published.expiry_s) == ({CORRELATION: "AAE="}, 600.0)
    assert host.reasons()[0] == "REACTOR_OPERATOR by mqtt (says 'anna')"
    assert {e.policy for e in host.seen(RunChanged) if isinstance(e, RunChanged)} == {"cmd/stop"}


def test_a_command_that_nobody_waits_for_is_told_to_nobody() -> None:
    """Nor is one without a broker."""
    host = _host()
    host.order(_order(answer=None))
    host.run(1)
    lonely = _host(has_broker=False)
    lonely.order(_order())
    lonely.run(1)
    assert host.commands() == lonely.commands() == ["stop"]
    assert _told(host) == _told(lonely) == []


def test_an_answer_has_no_more_than_its_order_had() -> None:
    """Neither an id nor correlation data."""
    host = _host()
    host.order(_order(answer=AnswerTo("reply/anna", "t")))
    host.run(1)
    (told,) = _told(host)
    assert set(told) == {"topic", "ok", "text", "data"}


def test_qemus_refusal_is_told_with_its_class() -> None:
    """For programs; and no policy that waits for failed runs hears of it."""
    alarm = document("alarm", "[{publish: alarm}]", trigger="{event: REACTOR_RUN_FAILED}")
    host = _host(alarm)
    host.guests["web-1"].failing["stop"] = "no way"
    host.order(_order())
    host.run(1)
    (told,) = _told(host)
    assert told["ok"] is False
    assert told["error"] == "stop: GenericError: no way"
    assert told["fix"] == (
        "`reactor runs show abc123-1` (over MQTT: ask/run/abc123-1) tells what it did"
    )
    assert told["data"] == {
        "run": "abc123-1",
        "outcome": "failed",
        "class": "GenericError",
        "desc": "no way",
    }


@pytest.mark.parametrize(
    ("size", "told"),
    [
        pytest.param(command_ends.RETURN_MAX - 1, True, id="one less"),
        pytest.param(command_ends.RETURN_MAX, True, id="as much"),
        pytest.param(command_ends.RETURN_MAX + 1, False, id="one more"),
    ],
)
def test_an_answer_that_is_too_large_is_not_told(size: int, told: bool) -> None:
    """The command was done all the same, and that is told."""
    host = _host()
    host.guests["web-1"].silent.add("query-status")
    host.order(_order("query-status"))
    (execute,) = [e for e in host.seen(Execute) if isinstance(e, Execute) and e.run]
    host.give(Answered(execute.id, result="x" * (size - 2)))
    (said,) = _told(host)
    assert said["ok"] is True
    assert ("return" in said["data"]) is told
    assert ("too much to be told" in said["text"]) is not told


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.just("${guest.name} $${x}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None)
@given(arguments=st.dictionaries(st.text(), JSON, max_size=4))
def test_arguments_are_sent_as_they_came(arguments: dict[str, Any]) -> None:
    """Whatever they hold: nothing in them is a template, no name and no number is changed."""
    host = _host()
    assert host.order(_order("query-block", arguments=arguments)).ok
    (sent,) = [e for e in host.seen(Execute) if isinstance(e, Execute) and e.run]
    assert (sent.command, sent.arguments, sent.changes) == ("query-block", arguments, False)
    host.restart()
    host.run(60)
    again = [e for e in host.seen(Execute) if isinstance(e, Execute) and e.run]
    assert all(one.arguments == arguments for one in again)
    assert host.outcomes() == ["succeeded"]


# ------------------------------------------------------------ the same decision


def test_the_guard_of_the_run_state_holds() -> None:
    """``cont`` does not go to a guest whose kernel is dead."""
    host = _host()
    host.guests["web-1"].status = "guest-panicked"
    host.order(_order("cont"))
    host.run(60)
    assert host.commands() == []
    assert _told(host)[0]["error"].endswith("cont must not be sent to a guest in guest-panicked")


@pytest.mark.parametrize(
    ("protocol", "problem"),
    [
        pytest.param(
            "file:/etc/cron.d/x",
            "the dump path /etc/cron.d/x is outside dumps.folder (/var/crash) and dumps.allow",
            id="outside",
        ),
        pytest.param(
            "file:/var/crash/../../etc/x",
            "the dump path /etc/x is outside dumps.folder (/var/crash) and dumps.allow",
            id="climbs",
        ),
        pytest.param(
            "file:x", "the dump path 'x' must be absolute in a raw command", id="relative"
        ),
        pytest.param("fd:x", "a dump to 'fd:x' needs qmp.allow", id="no file"),
    ],
)
def test_a_dump_goes_into_the_vault_only(protocol: str, problem: str) -> None:
    """What fails before anything is asked is refused at once, and not told again later."""
    host = _host()
    arguments = {"paging": False, "protocol": protocol}
    reply = host.order(_order("dump-guest-memory", arguments=arguments))
    host.run(60)
    assert (host.commands(), _told(host)) == ([], [])
    assert reply.text == f"dump-guest-memory on web-1 is not sent: run abc123-1 failed: {problem}"
    assert reply.data == {"run": "abc123-1"}


def test_a_dump_into_the_vault_is_asked_about_and_made() -> None:
    """With the free space looked at before."""
    host = _host()
    arguments = {"paging": False, "detach": True, "protocol": "file:/var/crash/a.kdump"}
    host.order(_order("dump-guest-memory", arguments=arguments))
    host.run(60)
    asked = [e.path for e in host.seen(AskPath) if isinstance(e, AskPath)]
    assert asked == ["/var/crash/a.kdump"]
    assert host.files == ["file:/var/crash/a.kdump"]
    assert _told(host)[0]["ok"]


def test_what_is_written_beside_the_vault_is_refused_at_once() -> None:
    """Also for who may send the command."""
    commands = frozenset({"screendump"})
    config = EngineConfig(host="h1", commands=commands, allow=commands)
    host = Host(guests=("web-1",), config=config).connect()
    reply = host.order(_order("screendump", arguments={"filename": "/etc/x"}))
    assert reply.text == (
        "refused: screendump: the path /etc/x is outside dumps.folder (/var/crash) and dumps.allow"
    )


@pytest.mark.parametrize(
    "restraint",
    [
        pytest.param(HoldGuests(comment="c"), id="the big red button"),
        pytest.param(HoldGuests("web-1"), id="a hold of the guest"),
        pytest.param(AddSilence(("cmd/*",), ("*",), 60.0), id="a silence of commands"),
        pytest.param(AddSilence(("*",), ("web-1",), 60.0), id="a silence of all"),
    ],
)
def test_holds_and_silences_are_against_changes_and_not_against_looking(
    restraint: HoldGuests | AddSilence,
) -> None:
    """Who holds a guest wants to look at it."""
    host = _host()
    host.order(restraint)
    refused = host.order(_order())
    assert not refused.ok
    assert refused.text.startswith("stop on web-1 is not sent: ")
    assert refused.fix == "`reactor status` shows holds, silences and open runs"
    assert host.order(_order("query-status")).ok
    host.run(1)
    assert host.commands() == []
    assert host.outcomes() == ["succeeded"]


@pytest.mark.parametrize("glob", ["cmd/*", "cmd/stop"])
def test_a_silence_of_commands_says_what_it_covers(glob: str) -> None:
    """They are no policies, and not misspelt."""
    reply = _host().order(AddSilence((glob,), ("*",), 60.0))
    assert reply.text.endswith(
        "; it covers 0 of the loaded policies and 2 of the known guests, and commands by hand"
    )


def test_a_command_waits_for_the_guests_hand() -> None:
    """Until its time is over."""
    slow = document("slow", "[{qmp: stop, wait: {event: X, timeout: 2m}}]")
    host = _host(slow)
    host.event("web-1", "GO", {})
    host.run(1)
    host.order(_order("cont", timeout=5.0))
    host.run(10)
    assert host.commands() == ["stop"]
    (told,) = _told(host)
    assert (told["data"]["outcome"], told["error"]) == (
        "timed-out",
        "the run did not end within 5s",
    )


def test_the_settings_limits_count_commands_by_hand() -> None:
    """Those over all policies."""
    once = {"reset": (Limit(1, 3600.0, LimitScope.GUEST, "1 per 1h per guest"),)}
    host = _host(limits=once)
    for _ in range(2):
        host.order(_order("system_reset"))
        host.run(1)
    assert host.commands() == ["system_reset"]
    assert _told(host)[1]["error"] == (
        "refused: the settings' limit for reset is reached (1 per 1h per guest)"
    )


def test_in_audit_nothing_is_sent() -> None:
    """It is recorded as every run is, and refused."""
    host = _host(enforcement=Enforcement.AUDIT)
    reply = host.order(_order())
    assert reply.text == "stop on web-1 is not sent: run abc123-1 would run"
    host.run(1)
    assert (host.commands(), host.outcomes(), _told(host)) == ([], ["would run"], [])


def test_commands_under_way_are_bounded() -> None:
    """Of one command on a guest, and of all together."""
    host = _host()
    host.guests["web-1"].silent |= {"query-status", "query-block"}
    for _ in range(by_hand.AT_ONCE):
        assert host.order(_order("query-status")).ok
    reply = host.order(_order("query-status"))
    assert reply.text == (
        "query-status on web-1 is not sent: "
        "as many runs of this key are open as `max` allows: 4 are open"
    )
    assert host.order(_order("query-block")).ok


def test_all_commands_under_way_are_bounded() -> None:
    """The next one may come when one has ended."""
    names = [f"query-{number}" for number in range(operator_commands.OPEN_MAX)]
    config = EngineConfig(host="h1", commands=frozenset({*names, "stop"}), allow=frozenset(names))
    host = Host(guests=("web-1",), config=config).connect()
    host.guests["web-1"].silent |= set(names)
    for name in names:
        assert host.order(_order(name)).ok
    reply = host.order(_order())
    assert reply.text == "32 commands by hand are under way already"
    host.order(CancelRun("abc123-2"))
    host.run(1)
    assert host.order(_order()).ok


def test_a_command_can_be_cancelled_while_it_waits() -> None:
    """And its sender is told."""
    host = _host()
    host.order(HoldGuests("web-2"))
    host.order(ReleaseGuests("web-2"))
    host.guests["web-1"].status = "save-vm"
    host.order(_order("cont"))
    host.run(1)
    host.order(CancelRun("abc123-1"))
    host.run(1)
    assert _told(host)[0]["data"]["outcome"] == "cancelled"
    assert host.commands() == []


# ---------------------------------------------------------------- over a restart


@pytest.mark.parametrize(
    ("command", "is_done", "ok", "sent"),
    [
        pytest.param("system_reset", True, True, ["system_reset"], id="done: not sent again"),
        pytest.param("query-status", False, True, [], id="only read: asked again"),
        pytest.param("stop", False, True, ["stop", "stop"], id="idempotent: sent again"),
        pytest.param("send-key", False, False, ["send-key"], id="nobody can know"),
    ],
)
def test_a_command_in_flight_at_a_restart_is_found_out_about(
    command: str, is_done: bool, ok: bool, sent: list[str]
) -> None:
    """As every command is; who sent it is told by the next life, once."""
    host = _host()
    guest = host.guests["web-1"]
    if is_done:
        guest.status = "paused"
    else:
        guest.silent.add(command)
    host.order(_order(command))
    while is_done and not host.commands():
        host.run(0.001)
    host.run(0.0 if is_done else 0.5)
    guest.silent.clear()
    assert _told(host) == []
    host.restart()
    host.run(120)
    (said,) = _told(host)
    assert (said["ok"], host.commands()) == (ok, sent), said
    if not ok:
        assert said["data"]["outcome"] == "unknown"
        assert said["fix"].startswith("look at the guest before you send it again; ")
    assert host.engine.world.runs == {}


def test_its_policy_is_forgotten_when_it_has_ended() -> None:
    """Not before the last run of it has."""
    host = _host()
    host.guests["web-1"].silent.add("query-status")
    for _ in range(2):
        host.order(_order("query-status"))
    programs = host.engine.world.programs
    assert len(programs) == 1
    first, second = [e for e in host.seen(Execute) if isinstance(e, Execute) and e.run]
    host.give(Answered(first.id, result={}))
    assert len(programs) == 1
    host.give(Answered(second.id, result={}))
    assert programs == {}


def test_a_guest_that_is_forgotten_meanwhile_ends_it_all_the_same() -> None:
    """The order is answered in any case."""
    host = _host()
    host.guests["web-1"].silent.add("stop")
    host.order(_order())
    host.give(GuestForgotten("web-1"))
    host.run(700)
    assert len(_told(host)) == 1
    replies = [e for e in host.seen(Reply) if isinstance(e, Reply)]
    assert len(replies) == 1
