"""Messages from the broker on their way to the engine, and what is lost on that way."""

import time
from collections.abc import Callable, Iterable
from enum import StrEnum

import msgspec
import structlog

from reactor.adapters.journal import HistoryRow, Reader
from reactor.adapters.mqtt import Drop, Inbox, Incoming, Tree
from reactor.adapters.mqtt.probe import MARK
from reactor.app.messages import identity, is_clearing, message_of
from reactor.app.own_words import OwnWords
from reactor.app.refusals import Refusals
from reactor.app.requests.reception import Requests
from reactor.app.requests.routes import about
from reactor.app.requests.turned_away import TurnedAway
from reactor.app.seen import ID_KEPT_S, IDS_MAX, Seen
from reactor.core.inputs import Operated, Received
from reactor.core.messages import BY_NAME
from reactor.core.policy import MessageTrigger, Policy

FILTERS_MAX = 1000
"""Different topic filters of all policies together; beyond it they are refused and told."""

SEARCHED_MAX = 100_000
"""Rows of the history in which messages of before a restart are looked for."""

SKEW_S = 1.0
"""Seconds between the engine's clock and the wall's that are no matter."""

TELL_S = 60.0
"""Seconds between two log lines about messages that are dropped for the same reason."""

log = structlog.get_logger("reactor")


class Loss(StrEnum):
    """Why a message that was let in did not reach the engine."""

    NOT_TEXT = "its payload is not UTF-8"
    REPEATED = "a message of that id was here before"
    PROBE = "a probe of reactor doctor"
    NO_ROOM = "too many messages wait"


def filters_of(policies: Iterable[Policy], base: str) -> list[str]:
    """The topic filters that the policies' triggers ask for, sorted.

    With them always ``<base>/trigger/<policy>/<guest>``, where any policy has such a
    trigger: it starts that policy by name.
    """
    found = {
        trigger.topic if trigger.absolute else f"{base}/{trigger.topic}"
        for policy in policies
        for trigger in policy.triggers
        if isinstance(trigger, MessageTrigger)
    }
    return sorted(found | {f"{base}/trigger/+/+"} if found else found)


def earlier_messages(reader: Reader, now: float) -> list[HistoryRow]:
    """The messages and orders whose ids still count, as the journal has them; it blocks."""
    after = max(reader.before(now - ID_KEPT_S), reader.last() - SEARCHED_MAX)
    rows = [row for kind in ("message", "operator") for row in _newest(reader, after, kind)]
    return sorted(rows, key=lambda row: row.seq)


def _newest(reader: Reader, after: int, kind: str) -> list[HistoryRow]:
    """The newest rows of a kind, as many as there are ids remembered."""
    found: list[HistoryRow] = []
    while page := reader.history(after, IDS_MAX, kind=kind):
        found, after = [*found, *page][-IDS_MAX:], page[-1].seq
    return found


class Inbound:
    """Takes what the adapter lets in, and hands it to the engine as an input.

    Args:
        submit: takes the input; False when there is no room for it.
        base: ``<prefix>/<host>``.
        ahead: by how many seconds the engine's clock is ahead of the wall clock.
        clock: seconds that never go back.
        requests: takes orders and questions, where the settings allow any.
        own: watches over our own words, where anything is heard at all.
        refusals: keeps what was lost on a topic of requests, and of policies by their name.
        turned_away: answers to who sent too much.
    """

    def __init__(  # noqa: PLR0913 - its ports
        self,
        submit: Callable[[Received], bool],
        base: str,
        ahead: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
        *,
        requests: Requests | None = None,
        own: OwnWords | None = None,
        refusals: Refusals | None = None,
        turned_away: TurnedAway | None = None,
    ) -> None:
        self.inbox = Inbox(self, clock)
        self.turned_away = turned_away
        self.requests = requests
        self._own = own
        self._refusals = refusals
        self.seen = Seen(clock)
        self.lost: dict[Loss, int] = {}
        self._submit = submit
        self._base = base
        self._ahead = ahead
        self._clock = clock
        self._told: dict[str, tuple[float, int]] = {}
        self._others: dict[str, Callable[[Incoming], None]] = {}

    def hear(self, topic: str, tell: Callable[[Incoming], None]) -> None:
        """Let somebody else than the engine hear what comes on this topic, from now on."""
        self._others[topic] = tell

    @property
    def dropped(self) -> dict[str, int]:
        """How many messages were dropped since the start, by the reason.

        Without those that nobody asked for: a filter that was joined from others brings them.
        """
        counted = {why.value: count for why, count in self.lost.items()}
        for reason, count in self.inbox.counters.dropped.items():
            if reason is not Drop.UNWANTED:
                counted[reason.value] = count
        if self.turned_away is not None and self.turned_away.unanswered:
            counted["answers to dropped messages"] = self.turned_away.unanswered
        return counted

    def take_up(self, rows: Iterable[HistoryRow], now: float) -> None:
        """Remember the ids of what came in before a restart."""
        for row in rows:
            if row.kind == "message":
                message = msgspec.json.decode(row.body, type=Received).message
                if name := identity(message):
                    self.seen.remember(name, now - row.at)
            elif self.requests is not None:
                order = msgspec.json.decode(row.body, type=Operated).id
                self.requests.seen.remember(order, now - row.at)

    def trees(self, policies: Iterable[Policy]) -> list[Tree]:
        """What is to be heard: for these policies, and of requests."""
        by_name = f"{self._base}/{BY_NAME}/"
        level = by_name.count("/")
        found = [
            Tree(one, level if one.startswith(by_name) else None) for one in self.filters(policies)
        ]
        found += (Tree(topic) for topic in self._others)
        found += self.requests.trees if self.requests else []
        # A broker that allows us to publish only need not allow more for this.
        return found + self._own.trees if found and self._own else found

    def filters(self, policies: Iterable[Policy]) -> list[str]:
        """What is to be subscribed for these policies; too many are told."""
        found = filters_of(policies, self._base)
        if len(found) > FILTERS_MAX:
            log.error(
                "topics refused",
                refused=len(found) - FILTERS_MAX,
                bound=FILTERS_MAX,
                fix="use fewer `mqtt` triggers with wildcards in their topics",
            )
        return found[:FILTERS_MAX]

    def on_message(self, message: Incoming) -> None:
        """A message that a policy asks for, or a request."""
        if self._is_for_others(message) or is_clearing(message):
            return
        # Senders tell the time by the wall clock. It may have been set since the daemon was
        # started, or the host has slept: the engine's clock knows of neither.
        ahead = self._ahead()
        found = message_of(message, self._base, ahead if abs(ahead) > SKEW_S else 0.0)
        if found is None:
            self._lose(Loss.NOT_TEXT, message.topic)
            return
        name = identity(found)
        if name is not None and self.seen.knows(name):
            self._lose(Loss.REPEATED, message.topic)
        elif not self._submit(Received(found)):
            self._lose(Loss.NO_ROOM, message.topic)
        elif name is not None:
            self.seen.remember(name)

    def _is_for_others(self, message: Incoming) -> bool:
        """Whether it is not for the engine; then it is dealt with."""
        if message.topic in self._others:
            self._others[message.topic](message)
        elif self._own is not None and self._own.takes(message.topic):
            self._own.on_message(message)
        elif message.payload.startswith(MARK):
            self.lost[Loss.PROBE] = self.lost.get(Loss.PROBE, 0) + 1
        elif self.requests is not None and self.requests.takes(message.topic):
            self.requests.on_message(message)
        else:
            return False
        return True

    def on_dropped(self, reason: Drop, topic: str, properties: bytes) -> None:
        """A message was not let in."""
        self._tell(reason, topic)
        if self.turned_away is not None:
            self.turned_away.tell(reason, topic, properties)

    def _lose(self, reason: Loss, topic: str) -> None:
        self.lost[reason] = self.lost.get(reason, 0) + 1
        self._tell(reason, topic)

    def _tell(self, reason: Drop | Loss, topic: str) -> None:
        """Say it at once the first time, then not more than once a minute."""
        if self._refusals is not None:
            below = topic.removeprefix(f"{self._base}/")
            self._refusals.note(reason, below, reason.value, who="mqtt", about=about(below))
        at, untold = self._told.get(reason, (-TELL_S, 0))
        now = self._clock()
        if now - at < TELL_S:
            self._told[reason] = (at, untold + 1)
            return
        self._told[reason] = (now, 0)
        log.warning("message dropped", topic=topic, reason=reason.value, more=untold)
