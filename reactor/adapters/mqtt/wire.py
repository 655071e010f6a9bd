"""aiomqtt's client, with what it leaves open closed (docs/adr/0006 has the reasons).

- ``aiomqtt.Client.publish`` drops the reason code of an acknowledgement;
- a connection whose CONNACK does not come in time, or whose opening is
  cancelled, is never closed, and could take our client id over later;
- a writer is registered one turn of the loop late: by then the descriptor may
  be closed, or be another connection's;
- a lost connection becomes an exception in a future that nobody may ever read.
"""

import threading
from typing import Protocol

import aiomqtt
from aiomqtt.types import PahoSocket
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessageInfo
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from reactor.adapters.mqtt.faults import Lost
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

    def send(self, message: Message, qos: int, properties: Properties | None) -> MQTTMessageInfo:
        """Queue a message; ``on_answer`` is called with the ``mid`` of the result."""
        return self._client.publish(message.topic, message.payload, qos, message.retain, properties)

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
