"""Which requests are let through, what is answered to the others, and where."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from reactor.adapters.control import Answer, Code
from reactor.adapters.journal import InputRow
from reactor.adapters.mqtt import Incoming, OutMessage
from reactor.app.control.asks import Ask, AskStatus, GiveOrder
from reactor.app.refusals import Refusals
from reactor.app.requests import reception as module
from reactor.app.requests.kinds import Kind
from reactor.app.requests.reception import Ports, Requests, Why
from reactor.app.requests.replying import REPLY_MAX
from reactor.core.orders import AnswerTo, HoldGuests, RunCommand
from reactor.core.topics import CORRELATION
from reactor.errors import ControlError
from tests.core.simulation import Host, document

pytestmark = pytest.mark.asyncio

BASE = "reactor/h"
NOW = 1_000_000.0
ON = GiveOrder(HoldGuests())
FRESH = '{"do": "on", "sent_at": 1000000}'


DONE = Answer(text="done", data=msgspec.Raw(b'{"a":1}'))


@dataclass
class Desk:
    """A daemon behind the requests: it keeps what it is given, and answers as it is told."""

    answer: Answer | Exception = DONE
    listens: bool = True
    clock: float = 0.0
    given: list[tuple[str, Ask, str]] = field(default_factory=list)
    said: list[OutMessage] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    rows: list[InputRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()
        host = Host([document("plain", "[{log: x}]")])
        ports = Ports(
            carry=self._carry,
            publish=self._publish,
            world=lambda: host.engine.world,
            now=lambda: NOW,
            ahead=lambda: 0.0,
            clock=lambda: self.clock,
            refusals=Refusals(self.rows.extend, lambda: NOW),
        )
        self.requests = Requests([Kind.HOLD, Kind.ASK, Kind.COMMAND], BASE, ports)

    async def _carry(self, who: str, ask: Ask, name: str) -> Answer:
        self.given.append((who, ask, name))
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def _publish(self, message: OutMessage) -> bool:
        self.said.append(message)
        return self.listens

    async def hear(
        self,
        payload: str | bytes = FRESH,
        topic: str = "set/hold",
        **more: Any,  # noqa: ANN401 - members of Incoming
    ) -> None:
        """A message, and all that follows from it at once."""
        raw = payload if isinstance(payload, bytes) else payload.encode()
        self.requests.on_message(Incoming(f"{BASE}/{topic}", raw, **more))
        for _ in range(5):
            await asyncio.sleep(0)

    @property
    def replies(self) -> list[tuple[str, Any]]:
        """Where it was answered, below the host's, and what."""
        return [(m.topic.removeprefix(f"{BASE}/"), json.loads(m.payload)) for m in self.said]


@pytest.fixture
def desk() -> Desk:
    """A new one."""
    return Desk()


async def test_an_order_is_carried_out_and_answered(desk: Desk) -> None:
    """Where its sender says, with its id and correlation data; for a minute, and once."""
    await desk.hear(
        '{"do": "on", "sent_at": 1000000, "id": "7", "by": "anna"}',
        response_topic=f"{BASE}/reply/me",
        correlation=b"\0\1",
    )
    ((who, ask, name),) = desk.given
    assert (who, ask) == ("mqtt (says 'anna')", ON)
    assert name.startswith("m-")
    assert desk.replies == [
        (
            "reply/me",
            {
                "ok": True,
                "text": "done",
                "data": {"a": 1},
                "topic": "reactor/h/set/hold",
                "id": "7",
                "correlation": "AAE=",
            },
        )
    ]
    (reply,) = desk.said
    assert (reply.retain, reply.expiry_s, dict(reply.properties)) == (
        False,
        60.0,
        {CORRELATION: "AAE="},
    )
    assert desk.requests.refused == {}


@pytest.mark.parametrize(
    ("more", "topics"),
    [
        pytest.param({}, [], id="who wants no answer gets none"),
        pytest.param({"properties": (("id", "7"),)}, ["reply/common"], id="an id, no topic"),
        pytest.param({"response_topic": f"{BASE}/reply/a/b"}, ["reply/a/b"], id="its own topic"),
    ],
)
async def test_it_is_answered_where_the_sender_listens(
    desk: Desk, more: dict[str, Any], topics: list[str]
) -> None:
    """MQTT 3.1.1 has no response topic: there the id says that an answer is wanted."""
    await desk.hear(**more)
    assert [topic for topic, _ in desk.replies] == topics
    assert len(desk.given) == 1


@pytest.mark.parametrize(
    ("payload", "more", "why", "error"),
    [
        pytest.param(
            b"\xff", {}, Why.NOT_TEXT, None, id="no text: what the sender calls it cannot be read"
        ),
        pytest.param(FRESH, {"retain": True}, Why.RETAINED, None, id="retained"),
        pytest.param(
            FRESH,
            {"response_topic": "reactor/h/alert/critical"},
            Why.FOREIGN,
            None,
            id="the answer would go to somebody else",
        ),
        pytest.param(
            FRESH, {"response_topic": "reactor/h/reply/#"}, Why.FOREIGN, None, id="no topic at all"
        ),
        pytest.param(
            "on",
            {},
            Why.AGE,
            "it has neither `sent_at` nor an expiry, and may be 1m old at most",
            id="no age",
        ),
        pytest.param(
            '{"do": "on", "sent_at": 1795450805000}',
            {},
            Why.AGE,
            "`sent_at` is 1795450805000, which is no time in seconds since 1970: "
            "it looks like milliseconds",
            id="milliseconds, as JavaScript has them",
        ),
        pytest.param(
            '{"do": "on", "sent_at": 999939.9}',
            {},
            Why.AGE,
            "it is 1m100ms old, and may be 1m old at most",
            id="too old",
        ),
        pytest.param(
            '{"do": "on", "sent_at": 1000060.1}',
            {},
            Why.AGE,
            "it was sent 1m100ms from now: a clock is wrong",
            id="from the future",
        ),
        pytest.param(
            "on",
            {"expires": 60.1},
            Why.AGE,
            "it does not say when it was sent, and does not expire within 1m",
            id="an expiry that proves nothing",
        ),
        pytest.param("on", {"expires": 0.0}, Why.AGE, "it has expired", id="expired"),
        pytest.param(
            '{"do": "up", "sent_at": 1000000}',
            {},
            Why.FORM,
            "`do` is 'up', and it may be on or off",
            id="not understood",
        ),
    ],
)
async def test_a_request_is_refused(
    desk: Desk, payload: str | bytes, more: dict[str, Any], why: Why, error: str | None
) -> None:
    """Counted, told, answered where that may be; nothing is done."""
    more = {"properties": (("id", "7"),)} | more
    with capture_logs() as lines:
        await desk.hear(payload, **more)
    assert desk.given == []
    assert desk.requests.refused == {why: 1}
    assert desk.requests.dropped[f"requests: {why.value}"] == 1
    ((what, reason),) = [(row.name, msgspec.json.decode(row.body)["reason"]) for row in desk.rows]
    assert what == "set/hold"
    assert error in {None, reason}
    assert [line["event"] for line in lines] == ["request refused"]
    assert [reply["error"] for _, reply in desk.replies] == ([] if error is None else [error])
    assert all(reply["fix"] and reply["ok"] is False for _, reply in desk.replies)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"payload": '{"do": "on", "sent_at": 999940}'}, id="a minute ago"),
        pytest.param({"payload": '{"do": "on", "sent_at": 1000060}'}, id="in a minute"),
        pytest.param({"payload": "on", "expires": 60.0}, id="it expires within a minute"),
        pytest.param(
            {"payload": "on", "expires": 3600.0, "properties": (("sent_at", "1000000"),)},
            id="a property, and an expiry of an hour",
        ),
    ],
)
async def test_an_order_may_be_a_minute_old(desk: Desk, more: dict[str, Any]) -> None:
    """And so wrong its sender's clock."""
    await desk.hear(**more)
    assert [ask for _, ask, _ in desk.given] == [ON]


async def test_a_question_needs_no_age(desk: Desk) -> None:
    """It changes nothing; but one that is told to be old is nobody's any more."""
    await desk.hear("", "ask/status")
    await desk.hear('{"sent_at": 5}', "ask/status")
    assert [ask for _, ask, _ in desk.given] == [AskStatus()]
    assert desk.requests.refused == {Why.AGE: 1}


@pytest.mark.parametrize(
    ("later", "times"), [(599.0, 1), pytest.param(600.0, 2, id="forgotten after ten minutes")]
)
async def test_the_same_request_is_carried_out_once(desk: Desk, later: float, times: int) -> None:
    """By its id on its topic; who repeats it is told. One without an id is another each time."""
    request = '{"do": "on", "sent_at": 1000000, "id": 7}'
    await desk.hear(request)
    desk.clock = later
    await desk.hear(request)
    await desk.hear(request.replace("7", "8"))
    await desk.hear(request, "set/hold/web-1")
    assert len(desk.given) == times + 2
    assert desk.requests.refused == ({Why.REPEATED: 1} if times == 1 else {})
    await desk.hear()
    await desk.hear()
    assert len(desk.given) == times + 4


@pytest.mark.parametrize(
    ("more", "answer"),
    [
        pytest.param(
            {"response_topic": f"{BASE}/reply/me", "correlation": b"\0\1"},
            AnswerTo("reply/me", f"{BASE}/cmd/web-1/stop", "", "AAE="),
            id="MQTT 5",
        ),
        pytest.param(
            {"properties": (("id", "7"),)},
            AnswerTo("reply/common", f"{BASE}/cmd/web-1/stop", "7"),
            id="an id, as with MQTT 3.1.1",
        ),
        pytest.param({}, None, id="nobody wants to know"),
    ],
)
async def test_a_command_is_answered_by_its_end(
    desk: Desk, more: dict[str, Any], answer: AnswerTo | None
) -> None:
    """Where its sender listens is told to the engine; that it was begun is no answer."""
    await desk.hear("", "cmd/web-1/stop", expires=30.0, **more)
    ((_, ask, _),) = desk.given
    assert ask == GiveOrder(RunCommand("web-1", "stop", answer=answer))
    assert desk.replies == []


async def test_a_command_that_is_refused_at_once_is_answered_at_once(desk: Desk) -> None:
    """As every order is."""
    desk.answer = Answer(Code.REFUSED, "no", "look")
    await desk.hear("", "cmd/web-1/stop", expires=30.0, properties=(("id", "7"),))
    ((topic, reply),) = desk.replies
    assert (topic, reply["error"]) == ("reply/common", "no")


async def test_what_was_not_understood_may_be_mended(desk: Desk) -> None:
    """Under the same id."""
    await desk.hear('{"do": "up", "sent_at": 1000000, "id": 7}')
    await desk.hear('{"do": "on", "sent_at": 1000000, "id": 7}')
    assert len(desk.given) == 1


async def test_only_so_many_are_under_way(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is refused, and may come again."""
    monkeypatch.setattr(module, "UNDER_WAY_MAX", 2)
    desk.gate.clear()
    for _ in range(3):
        await desk.hear()
    assert (len(desk.given), desk.requests.refused) == (2, {Why.BUSY: 1})
    desk.gate.set()
    await asyncio.gather(*desk.requests._tasks)  # noqa: SLF001
    await desk.hear()
    assert len(desk.given) == 3


@pytest.mark.parametrize(
    ("answer", "why", "error"),
    [
        pytest.param(
            Answer(Code.REFUSED, "no guest", "look", msgspec.Raw(b'{"run":"k-1"}')),
            Why.REFUSED,
            "no guest",
            id="refused by the engine",
        ),
        pytest.param(
            ControlError("orders", "too many", "try again"), Why.FAILED, "too many", id="an error"
        ),
    ],
)
async def test_why_it_was_not_done_is_answered(
    desk: Desk, answer: Answer | Exception, why: Why, error: str
) -> None:
    """With what is known of it."""
    desk.answer = answer
    await desk.hear(properties=(("id", "7"),))
    ((_, reply),) = desk.replies
    assert (reply["ok"], reply["error"]) == (False, error)
    assert reply.get("data") == ({"run": "k-1"} if why is Why.REFUSED else None)
    assert desk.requests.refused == {why: 1}


async def test_who_waits_for_long_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may yet be done."""
    monkeypatch.setattr(module, "DEADLINE_S", 0.01)
    desk.gate.clear()
    await desk.hear(properties=(("id", "7"),))
    await asyncio.gather(*desk.requests._tasks)  # noqa: SLF001
    ((_, reply),) = desk.replies
    assert reply["fix"] == "look before you ask again: it may yet be done"


@pytest.mark.parametrize(
    ("fix", "told"),
    [
        pytest.param("look", "look", id="no verb"),
        pytest.param(
            "`reactor guests` lists them",
            "`reactor guests` (over MQTT: ask/guests) lists them",
            id="a list",
        ),
        pytest.param(
            "`reactor silence` lists those that stand",
            "`reactor silence` (over MQTT: ask/silences) lists those that stand",
            id="another name",
        ),
        pytest.param(
            "`reactor runs --open` lists those that are open",
            '`reactor runs --open` (over MQTT: ask/runs with {"only_open": true}) '
            "lists those that are open",
            id="an option",
        ),
        pytest.param("`reactor runs`", "`reactor runs` (over MQTT: ask/runs)", id="all runs"),
        pytest.param(
            "`reactor runs show k-1` says more",
            "`reactor runs show k-1` (over MQTT: ask/run/k-1) says more",
            id="a name",
        ),
        pytest.param(
            "`reactor marks --guest='web 1'` lists them",
            "`reactor marks --guest='web 1'` (over MQTT: ask/marks/web-1) lists them",
            id="a name that a topic cannot hold",
        ),
        pytest.param(
            "`reactor why p 'web 1'` tells",
            "`reactor why p 'web 1'` (over MQTT: ask/why/p/web-1) tells",
            id="two names",
        ),
        pytest.param(
            "`reactor marks --guest='we`b'` lists them",
            "`reactor marks --guest='we`b'` lists them",
            id="a name that looks like the end",
        ),
        pytest.param(
            "`reactor docs stop` says more",
            "`reactor docs stop` says more",
            id="no message asks it",
        ),
    ],
)
async def test_a_fix_names_the_topic_beside_the_verb(desk: Desk, fix: str, told: str) -> None:
    """Who has no command line can ask too."""
    desk.answer = Answer(Code.REFUSED, "no", fix)
    await desk.hear(properties=(("id", "7"),))
    ((_, reply),) = desk.replies
    assert reply["fix"] == told


async def test_what_takes_a_retained_order_away_is_none(desk: Desk) -> None:
    """An empty retained message is how a broker's memory is cleared: nobody is told or counted."""
    await desk.hear("", retain=True, properties=(("id", "7"),))
    assert (desk.given, desk.said, desk.requests.refused, desk.rows) == ([], [], {}, [])


async def test_a_giant_answer_is_not_published(desk: Desk) -> None:
    """A broker may end the connection of who publishes more than it takes."""
    for size in (REPLY_MAX - 200, REPLY_MAX):
        desk.answer = Answer(data=msgspec.Raw(b'"' + b"x" * size + b'"'))
        await desk.hear("", "ask/status", properties=(("id", "7"),))
    assert [reply["ok"] for _, reply in desk.replies] == [True, False]
    assert all(len(message.payload) <= REPLY_MAX for message in desk.said)


async def test_a_reply_that_nobody_gets_is_counted(desk: Desk) -> None:
    """The connection was lost meanwhile."""
    desk.listens = False
    await desk.hear(properties=(("id", "7"),))
    assert desk.requests.dropped == {"requests: nobody gets the reply": 1}


async def test_refusals_are_told_once_a_minute(desk: Desk) -> None:
    """With the number of the others; who floods decides how many there are."""
    with capture_logs() as lines:
        for at in (0.0, 1.0, 59.9, 60.0):
            desk.clock = at
            await desk.hear("nonsense", expires=1.0)
    assert [line["more"] for line in lines] == [0, 2]


async def test_at_the_end_nobody_is_waited_for(desk: Desk) -> None:
    """What is under way is left: the engine has it."""
    desk.gate.clear()
    await desk.hear()
    await desk.requests.close()
    assert (len(desk.given), desk.said) == (1, [])


async def test_only_allowed_kinds_are_taken(desk: Desk) -> None:
    """Whole levels count."""
    taken = [f"{BASE}/set/hold", f"{BASE}/set/hold/web-1", f"{BASE}/ask/x", f"{BASE}/ask"]
    other = [f"{BASE}/set/holder", f"{BASE}/approve/k-1", "x/set/hold", "set/hold", f"{BASE}/set"]
    assert [topic for topic in taken + other if desk.requests.takes(topic)] == taken
    assert [tree.filter for tree in desk.requests.trees] == [
        f"{BASE}/ask/#",
        f"{BASE}/cmd/#",
        f"{BASE}/set/hold/#",
    ]
    assert all(tree.orders for tree in desk.requests.trees)
