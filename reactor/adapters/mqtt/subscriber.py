"""Keeps what is subscribed on a connection equal to what is asked for."""

import asyncio
from collections.abc import Callable, Iterable

from reactor.adapters.mqtt import faults
from reactor.adapters.mqtt.faults import Lost
from reactor.adapters.mqtt.inbox import Inbox
from reactor.adapters.mqtt.link import Link
from reactor.adapters.mqtt.messages import Limits
from reactor.adapters.mqtt.options import MqttOptions
from reactor.errors import BrokerError

_AT_ONCE = 100
"""Filters in one packet."""

GIVEN_UP_S = 600.0
"""Seconds without a subscription, after one broke the connection again and again."""


class Subscriber:
    """Subscribes on each new connection, and again when what is asked for changes.

    The session is not kept by the broker: what is published while there is no
    connection is not heard, because a command that arrives late is worse than none.
    """

    def __init__(
        self,
        options: MqttOptions,
        limits: Limits,
        inbox: Inbox,
        tell: Callable[[BrokerError], None],
    ) -> None:
        self._options = options
        self._limits = limits
        self._inbox = inbox
        self._tell = tell
        self._link: Link | None = None
        self._standing: set[str] = set()
        self._broken = 0
        self._quiet_until = 0.0
        self._told: set[str] = set()

    def renew(self, link: Link) -> None:
        """Send what is missing; a filter that stays is not touched.

        Where a filter gives way to another that overlaps it, the old one goes
        first: a message between the two is lost rather than heard twice.
        """
        if link is not self._link:
            self._link = link
            self._standing.clear()
            self._told.clear()
        self._take_grants(link)
        if asyncio.get_running_loop().time() < self._quiet_until:
            return
        wanted = set(self._inbox.filters)
        for filters in _portions(self._standing - wanted):
            link.unsubscribe(filters)
        for filters in _portions(wanted - self._standing):
            link.subscribe(filters)
        self._standing = wanted

    def on_lost(self, link: Link, how: Lost) -> None:
        """A connection is gone: was it for what we asked?

        A broker may hang up on who asks for what it does not allow. What is
        published must not suffer from that.
        """
        if how.blameless or how.silent or not link.asked:
            return
        self._broken += 1
        if self._broken >= self._limits.strikes:
            self._broken = 0
            self._quiet_until = asyncio.get_running_loop().time() + GIVEN_UP_S
            self._tell(faults.deaf(self._options, self._limits.strikes))

    def _take_grants(self, link: Link) -> None:
        while link.grants:
            grant = link.grants.popleft()
            self._broken = 0
            for topic_filter, code, name in grant:
                if code >= 128 and name not in self._told:
                    self._told.add(name)
                    self._tell(faults.not_subscribed(self._options, topic_filter, code, name))


def _portions(filters: Iterable[str]) -> Iterable[list[str]]:
    """The filters in order, as many at a time as go into one packet."""
    line = sorted(filters)
    return [line[start : start + _AT_ONCE] for start in range(0, len(line), _AT_ONCE)]
