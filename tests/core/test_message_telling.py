"""What is said of messages that start nothing: to who asks, in the log, and never a flood."""

import pytest

from reactor.core import message_telling as module
from reactor.core.effect import Log
from reactor.core.inputs import Message, Received
from reactor.core.policy import MessageTrigger, Policy, Selector
from reactor.core.world import NEAR_MISSES_KEPT
from tests.core.simulation import Host
from tests.core.triggers import condition, happen, misses, on, tree, with_triggers

BASE = "reactor/h1/"
NO_GUEST = "the message does not say which guest it is about"
STALE = "the message is too old, or does not say how old it is"


def policy(name: str = "p", where: str | None = None, max_age: float | None = None) -> Policy:
    """A policy that hears `request/<guest>`, and the event GO."""
    hears = MessageTrigger(
        "request/+", tree("${topic[3]}"), condition(where) if where else None, max_age=max_age
    )
    sees = on("GO", where="data.x > 5")
    return with_triggers(hears, sees, name=name, guests=Selector(names=("web-1",)))


def send(host: Host, below: str = "request/web-1", times: int = 1, **more: object) -> None:
    """Messages on a topic below the host's."""
    message = Message(BASE + below, "x", below, **more)  # type: ignore[arg-type]
    for _ in range(times):
        host.give(Received(message))


def said(host: Host) -> list[tuple[str, str, str]]:
    """Level, guest and text of what the log is told of refused messages."""
    lines = [effect for _, effect in host.effects if isinstance(effect, Log)]
    assert {line.title for line in lines} <= {"message refused"}
    return [(line.level, line.guest, line.text) for line in lines]


@pytest.mark.parametrize(
    ("made", "below", "more", "line"),
    [
        pytest.param(
            policy(max_age=60.0),
            "request/web-1",
            {"sent_at": 5.0},
            ("info", "web-1", f"on 'reactor/h1/request/web-1': {STALE}: it is "),
            id="too old",
        ),
        pytest.param(
            policy(),
            "request/web-1",
            {"retain": True},
            ("info", "web-1", "on 'reactor/h1/request/web-1': the message was retained: nobody "),
            id="retained",
        ),
        pytest.param(
            policy(),
            "request/web-9",
            {"retain": True},
            ("info", "web-9", "on 'reactor/h1/request/web-9': the message was retained: nobody "),
            id="retained, for nobody",
        ),
        pytest.param(
            policy(),
            "request/web-9",
            {},
            (
                "info",
                "web-9",
                f"on 'reactor/h1/request/web-9': {NO_GUEST}: no guest is called 'web-9'",
            ),
            id="an unknown guest",
        ),
        pytest.param(
            policy(where="message.payload == 'y'"),
            "request/web-1",
            {},
            (
                "debug",
                "web-1",
                "on 'reactor/h1/request/web-1': `where` is false: message.payload is \"x\"",
            ),
            id="where is false",
        ),
        pytest.param(
            policy(),
            "trigger/q/web-1",
            {},
            (
                "warning",
                "",
                "on 'reactor/h1/trigger/q/web-1': no policy with an `mqtt` trigger is called 'q'",
            ),
            id="an unknown policy",
        ),
    ],
)
def test_a_refused_message_is_told_and_remembered(
    made: Policy, below: str, more: dict[str, object], line: tuple[str, str, str]
) -> None:
    """With its topic, of the guest that it is about; to who asks `why` of that guest, too."""
    host = Host([made]).connect()
    send(host, below, 1, **more)
    ((level, guest, text),) = said(host)
    assert (level, guest) == line[:2]
    assert text.startswith(line[2])
    assert [miss.guest for miss in host.engine.near_misses("p")] == ([guest] if guest else [])


def test_a_flood_is_one_line_a_minute_with_its_number() -> None:
    """Of each policy and reason: just before the minute nothing, just at it the next one."""
    host = Host([policy()]).connect()
    send(host, "request/web-9", times=100)
    send(host, "request/web-8", times=5)
    send(host, "trigger/q/web-1", times=7)
    host.run(module.TELL_S - 0.001)
    send(host, "request/web-9")
    assert len(said(host)) == 2
    host.run(0.001)
    send(host, "request/web-9", times=2)
    send(host, "trigger/r/web-1", times=2)
    told = [text for _, _, text in said(host)[2:]]
    of_guest = f"on 'reactor/h1/request/web-9': {NO_GUEST}: no guest is called 'web-9'"
    of_policy = "on 'reactor/h1/trigger/r/web-1': no policy with an `mqtt` trigger is called 'r'"
    assert told == [
        f"{of_guest} (and 105 more like it since the line before)",
        f"{of_policy} (and 6 more like it since the line before)",
    ]


def test_other_reasons_and_policies_have_lines_of_their_own() -> None:
    """Who floods one of them hides nothing of the others."""
    host = Host([policy(), policy("q")]).connect()
    send(host, "request/web-9", times=9)
    send(host, retain=True, times=9)
    assert len(said(host)) == 4


def test_it_is_remembered_of_so_many_policies_and_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was told longest ago is forgotten first, and then told once too often."""
    monkeypatch.setattr(module, "REFUSALS_TOLD", 2)
    host = Host([policy(), policy("q")]).connect()
    send(host, "request/web-9")  # p and q
    send(host, "trigger/r/web-1")
    send(host, "request/web-9")
    assert len(host.engine.world.triggers.told) == 2
    assert len(said(host)) == 5


def test_who_sends_much_pushes_out_nothing_of_others() -> None:
    """Neither the events of the same policy nor what another policy refused; all are bounded."""
    host = Host(
        [
            policy(where="message.payload == 'y'"),
            with_triggers(on("GO", where="data.y > 5"), name="q"),
        ]
    )
    host.connect()
    happen(host, "GO", {"x": 2, "y": 2})
    send(host, times=NEAR_MISSES_KEPT + 10)
    told = [miss.values["event"] for miss in host.engine.near_misses("p")]
    assert told == ["GO"] + ["REACTOR_MESSAGE"] * NEAR_MISSES_KEPT
    assert len(misses(host, "q")) == 1
    host.load([policy()])
    assert "q" not in host.engine.world.near_messages


def test_near_misses_stand_in_the_order_of_time() -> None:
    """Of events and messages together."""
    host = Host([policy(where="message.payload == 'y'")]).connect()
    send(host)
    host.run(1)
    happen(host, "GO", {"x": 2})
    host.run(1)
    send(host)
    told = [miss.values["event"] for miss in host.engine.near_misses("p")]
    assert told == ["REACTOR_MESSAGE", "GO", "REACTOR_MESSAGE"]


def test_what_a_sender_chose_is_cut() -> None:
    """Of names, topics and reasons no more is kept than people read."""
    host = Host([policy()]).connect()
    send(host, f"request/{'w' * 60_000}")
    (miss,) = host.engine.near_misses("p")
    ((_, guest, text),) = said(host)
    assert (len(miss.guest), len(miss.reason), len(guest)) == (256, 256, 256)
    assert len(text) < 700


def test_a_message_that_says_no_guest_is_nobodys() -> None:
    """It is told without one."""
    hears = MessageTrigger("request/+", tree("${message.json.guest}"))
    host = Host([with_triggers(hears)]).connect()
    send(host, retain=True)
    ((_, guest, _),) = said(host)
    assert guest == ""


def test_a_message_that_names_its_guest_by_the_topic_is_told_of_it() -> None:
    """Also where it is too old to be looked at."""
    host = Host([policy(max_age=60.0)]).connect()
    send(host, "trigger/p/web-1", sent_at=5.0)
    ((_, guest, _),) = said(host)
    assert guest == "web-1"
