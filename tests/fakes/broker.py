"""A real Mosquitto on a free loopback port, and a subscriber that collects what it gets."""

import asyncio
import contextlib
import getpass
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict, Unpack

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the CA, and the broker's own certificate and key."""

    ca: Path
    cert: Path
    key: Path
    require_client: bool = False


def find(program: str) -> str:
    """The path of a program of the Mosquitto packages; Debian keeps the broker in sbin."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if path is None:
        raise FileNotFoundError(f"{program} is not installed; the package is mosquitto")
    return path


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Mosquitto:
    """One broker; ``start``, ``stop``, ``kill`` and ``start`` again keep the port.

    All calls block until the broker is up or gone, some tens of milliseconds.

    Args:
        folder: an empty folder of its own: configuration, log, database.
        persistence: keep retained messages over ``stop`` (not over ``kill``).
        users: passwords by user name; None lets everybody in.
        acl: the text of an ACL file.
        extra: more lines of mosquitto.conf.
        config: the whole text of mosquitto.conf, in place of all that; it listens on ``port``.
        port: a free one by default.
        log: what it writes about; to write a line for each packet takes its time.
    """

    def __init__(
        self,
        folder: Path,
        *,
        persistence: bool = False,
        users: Mapping[str, str] | None = None,
        acl: str | None = None,
        tls: TlsFiles | None = None,
        extra: Sequence[str] = (),
        config: str | None = None,
        port: int | None = None,
        log: str = "all",
    ) -> None:
        self.folder = folder
        self.port = free_port() if port is None else port
        self._text = config
        self._log_type = log
        self._persistence = persistence
        self._users = users
        self._acl = acl
        self._tls = tls
        self._extra = extra
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address as reactor's settings want it."""
        if self._tls is not None:
            return f"mqtts://localhost:{self.port}"
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What the broker wrote so far, all lives together."""
        return (self.folder / "mosquitto.log").read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start the broker and wait until it accepts connections."""
        if self._process is not None:
            raise RuntimeError("the broker runs already")
        config = self._write_config()
        with (self.folder / "mosquitto.log").open("ab") as log:
            process = subprocess.Popen([find("mosquitto"), "-c", config], stdout=log, stderr=log)
        self._process = process
        deadline = time.monotonic() + _LIMIT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                self._process = None
                raise RuntimeError(f"the broker ended at once:\n{self.log}")
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            time.sleep(0.005)
        self.kill()
        raise RuntimeError(f"the broker does not listen:\n{self.log}")

    def stop(self) -> None:
        """End it in order, so that it writes its database; nothing when it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL; nothing when it does not run."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it hang: connections stay open and nothing is answered, until ``thaw``."""
        self._signal(signal.SIGSTOP)

    def reload(self) -> None:
        """Let it read its passwords and ACL again."""
        self._signal(signal.SIGHUP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    @property
    def runs(self) -> bool:
        """Whether it was started and not ended since."""
        return self._process is not None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        try:
            process.wait(_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_LIMIT_S)

    def _write_config(self) -> Path:
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {'true' if self._users is None else 'false'}",
            f"persistence {'true' if self._persistence else 'false'}",
            f"persistence_location {self.folder}/",
            # Started by root, Mosquitto would become another user, who may not
            # read this folder.
            f"user {getpass.getuser()}",
            "log_dest stderr",
            f"log_type {self._log_type}",
            "set_tcp_nodelay true",
            # Not 0, "no limit": Mosquitto 2.0 then ends every connection whose message it
            # refuses, because its queue is never shorter than 0.
            "max_queued_messages 1000000",
        ]
        if self._users is not None:
            lines.append(f"password_file {self._write_passwords(self._users)}")
        if self._acl is not None:
            acl = self.folder / "acl"
            acl.write_text(self._acl, encoding="utf-8")
            acl.chmod(0o600)
            lines.append(f"acl_file {acl}")
        if self._tls is not None:
            lines += [
                f"cafile {self._tls.ca}",
                f"certfile {self._tls.cert}",
                f"keyfile {self._tls.key}",
                f"require_certificate {'true' if self._tls.require_client else 'false'}",
            ]
        config = self.folder / "mosquitto.conf"
        text = self._text or "\n".join([*lines, *self._extra, ""])
        config.write_text(text, encoding="utf-8")
        return config

    def _write_passwords(self, users: Mapping[str, str]) -> Path:
        path = self.folder / "passwords"
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        for user, password in users.items():
            subprocess.run(
                [find("mosquitto_passwd"), "-b", path, user, password],
                check=True,
                capture_output=True,
                timeout=_LIMIT_S,
            )
        return path

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()


def _host_for(client: Client, tls: ssl.SSLContext | None) -> str:
    """Where the client goes; with TLS to the name that stands in the certificate."""
    if tls is None:
        return "127.0.0.1"
    client.tls_set_context(tls)
    return "localhost"


def _close(client: Client) -> None:
    """Close what the client keeps open until it is collected: its socket, and a pair of its own."""
    client._reset_sockets()  # noqa: SLF001


@dataclass(frozen=True, slots=True)
class Received:
    """One message as a subscriber got it; ``retain`` means that the broker had kept it."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    expiry_s: int | None = None
    content_type: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


class Subscriber:
    """Collects messages in a thread of its own, and reconnects by itself within 20 ms.

    ``wait_for`` blocks and is for plain tests, ``until`` is for async ones.

    With qos 0 Mosquitto hands a message on before it acknowledges it to the
    publisher. With qos 1 it keeps all but 20 in memory until we acknowledge
    ours: those are lost when it is killed. A test that kills the broker and
    counts what arrives must subscribe with qos 0.
    """

    def __init__(
        self,
        port: int,
        topic: str = "#",
        *,
        qos: int = 1,
        username: str | None = None,
        password: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.messages: list[Received] = []
        self.subscriptions = 0
        self._port = port
        self._topic = topic
        self._qos = qos
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        if username is not None:
            self._client.username_pw_set(username, password)
        self._host = _host_for(self._client, tls)
        self._client.on_connect = lambda client, *_: client.subscribe(self._topic, self._qos)
        self._client.on_subscribe = lambda *_: self._subscribed()
        self._client.on_message = lambda _client, _userdata, message: self._take(message)
        self._thread = threading.Thread(target=self._run, name="test subscriber", daemon=True)

    def start(self) -> None:
        """Start, and wait until the broker has acknowledged the subscription."""
        self._thread.start()
        self.wait_for(lambda: self.subscriptions > 0)

    @property
    def connected(self) -> bool:
        """Whether the broker lets it be there just now."""
        return self._client.is_connected()

    def stop(self) -> None:
        """Disconnect and end the thread."""
        self._stop.set()
        self._thread.join(_LIMIT_S)

    def wait_for(self, condition: Callable[[], bool], within_s: float = _LIMIT_S) -> None:
        """Returns as soon as ``condition`` holds; it is asked after every message.

        Raises:
            AssertionError: it never held; the text shows what arrived.
        """
        with self._changed:
            if not self._changed.wait_for(condition, within_s):
                last = "\n".join(map(str, self.messages[-20:]))
                raise AssertionError(f"{len(self.messages)} messages, the last of them:\n{last}")

    async def until(self, condition: Callable[[], bool], within_s: float = _LIMIT_S) -> None:
        """``wait_for`` without holding the event loop up."""
        await asyncio.to_thread(self.wait_for, condition, within_s)

    def payloads(self, topic: str) -> list[bytes]:
        """What arrived on one topic, in order."""
        return [message.payload for message in list(self.messages) if message.topic == topic]

    def _subscribed(self) -> None:
        with self._changed:
            self.subscriptions += 1
            self._changed.notify_all()

    def _take(self, message: MQTTMessage) -> None:
        properties = message.properties
        received = Received(
            message.topic,
            bytes(message.payload),
            message.qos,
            message.retain,
            getattr(properties, "MessageExpiryInterval", None),
            getattr(properties, "ContentType", None),
            dict(getattr(properties, "UserProperty", [])),
        )
        with self._changed:
            self.messages.append(received)
            self._changed.notify_all()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._client.connect(self._host, self._port, keepalive=60)
            except OSError:
                self._stop.wait(0.02)
                continue
            while not self._stop.is_set() and not self._client.loop(timeout=0.05):
                pass
            self._stop.wait(0.02)
        self._client.disconnect()
        self._client.loop(timeout=0.05)
        _close(self._client)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


class Extras(TypedDict, total=False):
    """What a message may have beside topic and payload; all but the first two are MQTT 5's."""

    qos: int
    retain: bool
    expiry_s: int
    response_topic: str
    correlation: bytes
    properties: Sequence[tuple[str, str]]


class Speaker:
    """Publishes; every call blocks until the broker has acknowledged it.

    ``old``: in MQTT 3.1.1.
    """

    def __init__(
        self,
        port: int,
        *,
        username: str | None = None,
        password: str | None = None,
        old: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        version = MQTTProtocolVersion.MQTTv311 if old else MQTTProtocolVersion.MQTTv5
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=version)
        if username is not None:
            self._client.username_pw_set(username, password)
        self._codes: dict[int, int] = {}
        self._client.on_publish = lambda _client, _userdata, mid, code, _properties: (
            self._codes.update({mid: code.value})
        )
        self._client.connect(_host_for(self._client, tls), port)

    def say(self, topic: str, payload: bytes | str, **extras: Unpack[Extras]) -> int:
        """One message; the broker's reason code: from 128 on it was refused (MQTT 5).

        Raises:
            AssertionError: the broker did not acknowledge it in time.
        """
        packed = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if "expiry_s" in extras:
            packed.MessageExpiryInterval = extras["expiry_s"]
        if "response_topic" in extras:
            packed.ResponseTopic = extras["response_topic"]
        if "correlation" in extras:
            packed.CorrelationData = extras["correlation"]
        if "properties" in extras:
            packed.UserProperty = list(extras["properties"])
        qos, retain = extras.get("qos", 1), extras.get("retain", False)
        info = self._client.publish(topic, payload, qos, retain, packed)
        deadline = time.monotonic() + _LIMIT_S
        while not info.is_published():
            rc = self._client.loop(timeout=0.05)
            if rc is not MQTTErrorCode.MQTT_ERR_SUCCESS or time.monotonic() > deadline:
                raise AssertionError(f"the broker did not take a message on {topic!r}: {rc}")
        return self._codes.pop(info.mid, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop(timeout=0.05)
        _close(self._client)
