"""One connection to the broker, from the CONNECT to its end."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiomqtt
from paho.mqtt.client import MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from reactor.adapters.mqtt import faults, packet
from reactor.adapters.mqtt.backlog import Job
from reactor.adapters.mqtt.credentials import Secrets, read_secrets
from reactor.adapters.mqtt.faults import Lost
from reactor.adapters.mqtt.gate import Head
from reactor.adapters.mqtt.inbox import Inbox
from reactor.adapters.mqtt.messages import Limits
from reactor.adapters.mqtt.options import MqttOptions
from reactor.adapters.mqtt.wire import Wire
from reactor.errors import BrokerError

# paho logs what on_trouble tells the operator, in words for its own developers.
WIRE_LOG = logging.getLogger(f"{__name__}.wire")
WIRE_LOG.setLevel(logging.CRITICAL)

V5 = aiomqtt.ProtocolVersion.V5
V311 = aiomqtt.ProtocolVersion.V311


@dataclass(frozen=True, slots=True)
class Answer:
    """The broker's answer to one message; ``code`` is MQTT 5's reason code."""

    job: Job
    code: int
    name: str

    @property
    def refused(self) -> bool:
        """Whether the broker did not take the message."""
        return self.code >= 128


@dataclass(frozen=True, slots=True)
class Takes:
    """What the broker takes, as its CONNACK says; MQTT 3.1.1 says nothing: then it is all.

    ``packet_bytes`` None: however large.
    """

    retain: bool = True
    qos: int = 2
    packet_bytes: int | None = None


class OldBrokerError(BrokerError):
    """The broker does not know MQTT 5."""


def _make_wire(  # noqa: PLR0913 - what a connection needs
    options: MqttOptions,
    secrets: Secrets,
    version: aiomqtt.ProtocolVersion,
    limits: Limits,
    most_bytes: int,
    *,
    has_will: bool,
) -> Wire:
    wishes = None
    will = aiomqtt.Will(options.availability, b"offline", qos=1, retain=True)
    if version is V5:
        wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho has none
        wishes.MaximumPacketSize = most_bytes
    return Wire(
        options.address.host,
        options.address.port,
        username=options.username,
        password=secrets.password,
        identifier=options.client_id,
        protocol=version,
        will=will if has_will else None,
        # The outbox is our session: the broker shall keep none for us. A fresh
        # MQTT 5 client begins clean anyway, and paho refuses the word there.
        clean_session=None if version is V5 else True,
        keepalive=options.keepalive,
        timeout=limits.connect_s,
        properties=wishes,
        # The window is ours, see Publisher.
        max_inflight_messages=0,
        tls_context=secrets.tls,
        logger=WIRE_LOG,
    )


class Link:
    """A connection: ``open`` it once, ``publish``, then ``close`` or ``abort`` it.

    Answers gather in ``answers``, what has none yet is ``in_flight`` with the
    time when it was sent, and the end of the connection shows in ``ended``.
    Subscriptions that have no answer yet are ``asked``, answers to them gather in
    ``grants``: filter, reason code of MQTT 5, its name. ``changed`` is called
    whenever one of these did change. What comes in goes to ``inbox``.
    """

    def __init__(  # noqa: PLR0913 - its ports, each of them once
        self,
        options: MqttOptions,
        secrets: Secrets,
        version: aiomqtt.ProtocolVersion,
        limits: Limits,
        *,
        changed: Callable[[], None],
        inbox: Inbox,
        has_will: bool = True,
    ) -> None:
        self.version = version
        self.asked: dict[int, tuple[list[str], float]] = {}
        self.grants: deque[list[tuple[str, int, str]]] = deque()
        self.answers: deque[Answer] = deque()
        self.in_flight: dict[int, tuple[Job, float]] = {}
        self.ended: Lost | None = None
        self.receive_maximum = 65535
        self.takes = Takes()
        self._options = options
        self._limits = limits
        self._changed = changed
        self._inbox = inbox
        self._loop = asyncio.get_running_loop()
        self._alerts = secrets.alerts
        self._refused: tuple[int, str] | None = None
        self._over = asyncio.Event()
        self._stack = contextlib.AsyncExitStack()
        most_bytes = inbox.limits.packet
        self._wire = _make_wire(options, secrets, version, limits, most_bytes, has_will=has_will)
        self._wire.prepare(self)

    # ------------------------------------------------------------ life

    async def open(self) -> None:
        """Returns when the broker has accepted us.

        Raises:
            OldBrokerError: it does not know MQTT 5.
            NoAnswerError: it closed the connection without a CONNACK.
            BrokerError: any other reason.
        """
        try:
            await self._enter()
        except BaseException:
            self.abort()
            raise

    async def _enter(self) -> None:
        entering = asyncio.create_task(self._stack.enter_async_context(self._wire))
        over = asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait(
                {entering, over},
                timeout=2 * self._limits.connect_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            self._judge(entering)
        finally:
            over.cancel()
            entering.cancel()
            await asyncio.gather(entering, over, return_exceptions=True)

    def _judge(self, entering: asyncio.Task[Wire]) -> None:
        """Pass when we are connected, or raise why we are not."""
        if self._refused is not None:
            code, name = self._refused
            error = faults.refused(self._options, code, name)
            if code == faults.UNSUPPORTED_VERSION and self.version is V5:
                raise OldBrokerError(error.place, error.problem, error.fix)
            raise error
        if entering.done():
            try:
                entering.result()
            except aiomqtt.MqttError as error:
                # aiomqtt keeps only the text of the cause, and hides the rest.
                raise faults.unreachable(self._options, error.__context__) from None
            except ValueError as error:
                raise faults.unreachable(self._options, error) from None
        elif self.ended is not None:
            raise faults.no_answer(self._options, self.ended, self._alerts)
        else:
            raise faults.unreachable(self._options, TimeoutError())

    async def close(self, within_s: float) -> None:
        """Say goodbye, so that the broker does not publish the last will."""
        try:
            async with asyncio.timeout(within_s):
                await self._stack.aclose()
        except (TimeoutError, aiomqtt.MqttError):
            WIRE_LOG.debug("no orderly end, hanging up")
        finally:
            self.abort()

    def abort(self) -> None:
        """Hang up: the broker then publishes the last will. Safe at any time, and again."""
        self._wire.hang_up()

    # --------------------------------------------------------- sending

    def publish(self, job: Job, remaining_s: float | None) -> None:
        """Hand a message over; an ``Answer`` will name its job.

        Args:
            remaining_s: seconds until the message expires, None for never.

        Raises:
            Unsendable: this connection can never carry it.
        """
        message = job.message
        packet.check(message)
        packed = packet.properties(message, remaining_s) if self.version is V5 else None
        packet.check_size(message, packed, self.takes.packet_bytes)
        info = self._wire.send(message, min(message.qos, self.takes.qos), packed)
        # Whatever info.rc says: a message that could not be written stays in
        # flight, and is taken back when the end of the connection is noticed.
        self.in_flight[info.mid] = (job, self._loop.time())

    def subscribe(self, filters: list[str], *, echo: bool = False) -> None:
        """Ask for the topics of these filters; a grant for each will come.

        With ``echo`` what we publish ourselves comes back, and what is retained comes as well:
        in MQTT 3.1.1 it always does.
        """
        has_options = self.version is V5 and not echo
        packet_id = self._wire.subscribe_to(filters, has_options=has_options)
        if packet_id is not None:
            self.asked[packet_id] = (filters, self._loop.time())

    def unsubscribe(self, filters: list[str]) -> None:
        """Ask for these no more; nobody waits for the answer."""
        self._wire.unsubscribe_from(filters)

    @property
    def waits_since(self) -> float | None:
        """When the oldest message or question without an answer was sent, on the loop's clock."""
        oldest = (next(iter(waiting.values()), None) for waiting in (self.in_flight, self.asked))
        return min((entry[1] for entry in oldest if entry is not None), default=None)

    # ------------------------------------------------ from the wire

    def on_accepted(self, granted: Properties | None) -> None:
        """Keep the broker's limits; it ends the connection of who exceeds them."""
        self.receive_maximum = getattr(granted, "ReceiveMaximum", self.receive_maximum)
        self.takes = Takes(
            retain=bool(getattr(granted, "RetainAvailable", 1)),
            qos=getattr(granted, "MaximumQoS", 2),
            packet_bytes=getattr(granted, "MaximumPacketSize", None),
        )

    def on_refused(self, code: int, name: str) -> None:
        """We are not let in."""
        self._refused = (code, name)
        self._over.set()

    def on_ended(self, how: Lost) -> None:
        """The connection is gone; the first reason counts."""
        if self.ended is None:
            self.ended = how
            self._over.set()
            self._changed()

    def on_answer(self, packet_id: int, code: int, name: str) -> None:
        """A message is through, or refused."""
        job, _ = self.in_flight.pop(packet_id)
        self.answers.append(Answer(job, code, name))
        self._changed()

    def on_granted(self, packet_id: int, codes: Sequence[ReasonCode]) -> None:
        """The filters of one question are subscribed, or refused."""
        filters, _ = self.asked.pop(packet_id, ([], 0.0))
        grant = [(one, code.value, str(code)) for one, code in zip(filters, codes, strict=False)]
        self.grants.append(grant)
        self._changed()

    def lets_in(self, head: Head, packet: bytes | bytearray) -> bool:
        """Whether a message that comes in is to be decoded."""
        return self._inbox.lets_in(head, packet)

    def on_message(self, message: MQTTMessage) -> None:
        """It came in."""
        self._inbox.take(message)


async def connect(  # noqa: PLR0913 - what a link needs
    options: MqttOptions,
    limits: Limits,
    changed: Callable[[], None],
    inbox: Inbox,
    version: aiomqtt.ProtocolVersion = V5,
    *,
    has_will: bool = True,
) -> Link:
    """A link that the broker has accepted; 3.1.1 where it refuses MQTT 5.

    Args:
        has_will: whether the broker says ``offline`` when the link dies.

    Raises:
        NoAnswerError: the broker closed the connection without an answer.
        BrokerError: any other reason why there is none.
    """
    try:
        async with asyncio.timeout(limits.connect_s):
            secrets = await asyncio.to_thread(read_secrets, options)
    except TimeoutError:
        raise faults.slow_files(options) from None

    def link_of(version: aiomqtt.ProtocolVersion) -> Link:
        return Link(
            options, secrets, version, limits, changed=changed, inbox=inbox, has_will=has_will
        )

    link = link_of(version)
    try:
        await link.open()
    except OldBrokerError:
        link = link_of(V311)
        await link.open()
    return link
