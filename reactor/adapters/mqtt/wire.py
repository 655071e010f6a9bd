"""aiomqtt's client, with what it leaves open closed (docs/adr/0006 has the reasons).

- ``aiomqtt.Client.publish`` drops the reason code of an acknowledgement;
- a connection whose CONNACK does not come in time, or whose opening is
  cancelled, is never closed, and could take our client id over later;
- a writer is registered one turn of the loop late: by then the descriptor may
  be closed, or be another connection's;
- a lost connection becomes an exception in a future that nobody may ever read;
- paho decodes whatever comes in, however large and however often.
"""

import threading
from collections.abc import Sequence
from typing import Protocol

import aiomqtt
from aiomqtt.types import PahoSocket
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from reactor.adapters.mqtt.faults import Lost
from reactor.adapters.mqtt.gate import Head, read_head
from reactor.adapters.mqtt.messages import Message


class WireListener(Protocol):
    """What a connection reports, in the event loop."""

    def on_accepted(self, granted: Properties | None) -> None:
        """CONNACK: we are in; ``granted`` are the broker's limits, MQTT 5 only."""

    def on_refused(self, code: int, name: str) -> None:
        """CONNACK: we are not, with the reason code of MQTT 5."""

    def on_ended(self, how: Lost) -> None:
        """The connection is gone, before or after it was accepted."""

    def on_answer(self, packet_id: int, code: int, name: str) -> None:
        """A message is through, or was refused (``code`` from 128 on)."""

    def on_granted(self, packet_id: int, codes: Sequence[ReasonCode]) -> None:
        """SUBACK: a reason code for each filter, from 128 on it is refused."""

    def lets_in(self, head: Head, packet: bytes | bytearray) -> bool:
        """Whether a message that comes in is to be decoded and given to ``on_message``."""
        ...

    def on_message(self, message: MQTTMessage) -> None:
        """A message came in and was let in."""


class Wire(aiomqtt.Client):
    """A client for one connection.

    paho's callbacks come in through the methods of aiomqtt that are
    overridden here: their names are private to it, which is why pyproject
    bounds its version.
    """

    listener: WireListener
    _adopted = False
    _hung_up = False

    def prepare(self, listener: WireListener) -> None:
        """To be called before the connect."""
        self.listener = listener
        self._thread = threading.get_ident()
        self._decode = self._client._handle_publish  # noqa: SLF001
        self._client._handle_publish = self._look_at_head  # type: ignore[method-assign]  # noqa: SLF001

    def send(self, message: Message, qos: int, properties: Properties | None) -> MQTTMessageInfo:
        """Queue a message; ``on_answer`` is called with the ``mid`` of the result."""
        return self._client.publish(message.topic, message.payload, qos, message.retain, properties)

    def subscribe_to(self, filters: Sequence[str], *, has_options: bool) -> int | None:
        """Ask for these topics; ``on_granted`` is called with the number returned.

        None when the connection is ending. ``has_options``: MQTT 5 is spoken. There
        the broker keeps our own messages from us, does not send what it retains,
        and says of every message whether it was published to be retained.
        """
        options = SubscribeOptions(qos=1, noLocal=True, retainAsPublished=True, retainHandling=2)
        wanted = [(one, options if has_options else 1) for one in filters]
        return self._client.subscribe(wanted)[1]  # type: ignore[arg-type]

    def unsubscribe_from(self, filters: Sequence[str]) -> None:
        """Ask for these topics no more."""
        self._client.unsubscribe(list(filters))

    def hang_up(self) -> None:
        """Close the socket without a word. Safe at any time, and again.

        paho's public ``disconnect`` would wait until the socket takes a packet.
        """
        self._hung_up = True
        # While the thread connects, the socket is its own; _adopt looks at the flag.
        if self._adopted:
            self._client._sock_close()  # noqa: SLF001

    def _on_connect(
        self,
        client: Client,
        userdata: object,
        flags: ConnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if reason_code.is_failure:
            self.listener.on_refused(reason_code.value, str(reason_code))
            return
        self.listener.on_accepted(properties)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(
        self,
        client: Client,
        userdata: object,
        flags: DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            how = Lost(reason_code.value, str(reason_code))
        else:
            how = Lost(
                silent=reason_code == "Keep alive timeout", garbled=reason_code == "Protocol error"
            )
        self.listener.on_ended(how)
        if self._connected.cancelled():
            # Nobody waits for the connection any more, and aiomqtt would raise that.
            return
        # Told as a success, or aiomqtt puts an exception into a future.
        fine = ReasonCode(PacketTypes.DISCONNECT, "Normal disconnection")
        super()._on_disconnect(client, userdata, flags, fine, properties)

    def _on_publish(
        self,
        client: Client,  # noqa: ARG002
        userdata: object,  # noqa: ARG002
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,  # noqa: ARG002
    ) -> None:
        self.listener.on_answer(mid, reason_code.value, str(reason_code))

    def _on_subscribe(
        self,
        client: Client,  # noqa: ARG002
        userdata: object,  # noqa: ARG002
        mid: int,
        reason_codes: list[ReasonCode],
        properties: Properties | None = None,  # noqa: ARG002
    ) -> None:
        self.listener.on_granted(mid, reason_codes)

    def _on_unsubscribe(self, *_: object) -> None:
        """Nobody waits for it."""

    def _on_message(
        self,
        client: Client,  # noqa: ARG002
        userdata: object,  # noqa: ARG002
        message: MQTTMessage,
    ) -> None:
        self.listener.on_message(message)

    def _look_at_head(self) -> MQTTErrorCode:
        """The library's own handler, called only for what is let in; the rest is acknowledged."""
        packet = self._client._in_packet  # noqa: SLF001
        is_new = self._client.protocol == MQTTProtocolVersion.MQTTv5
        head = read_head(packet["command"], packet["packet"], has_properties=is_new)
        # We subscribe with quality 1: what has 2, or is cut off, is paho's business.
        if head is None or head.qos > 1 or self.listener.lets_in(head, packet["packet"]):
            return self._decode()
        if head.qos:
            return self._client._send_puback(head.packet_id)  # noqa: SLF001
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _on_socket_open(self, client: Client, userdata: object, sock: PahoSocket) -> None:
        """Called in the thread that connects, as soon as TCP and TLS are through."""
        super()._on_socket_open(client, userdata, sock)
        self._loop.call_soon_threadsafe(self._adopt)

    def _adopt(self) -> None:
        # Comes before the first byte is written: that is a callback of the loop as well.
        self._adopted = True
        if self._hung_up:
            self.hang_up()

    def _on_socket_register_write(
        self,
        client: Client,  # noqa: ARG002
        userdata: object,  # noqa: ARG002
        sock: PahoSocket,
    ) -> None:
        if threading.get_ident() == self._thread:
            self._arm(sock)
        else:
            self._loop.call_soon_threadsafe(self._arm, sock)

    def _arm(self, sock: PahoSocket) -> None:
        # Not when it was closed in between: its number may be another file's by now.
        own = self._client.socket()
        if own is not None and own is sock:
            self._loop.add_writer(own.fileno(), self._client.loop_write)
