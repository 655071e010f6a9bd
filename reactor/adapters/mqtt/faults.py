"""What can be wrong with a broker, as sentences for the operator."""

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from reactor.adapters.mqtt import tls_faults
from reactor.adapters.mqtt.options import MqttOptions
from reactor.errors import BrokerError

# Reason codes of MQTT 5 (OASIS MQTT 5.0, 2.4). paho translates the return codes
# of a 3.1.1 CONNACK into these.
IMPLEMENTATION_SPECIFIC = 131
UNSUPPORTED_VERSION = 132
BAD_CLIENT_ID = 133
BAD_CREDENTIALS = 134
NOT_AUTHORIZED = 135
UNAVAILABLE = 136
BUSY = 137
SHUTTING_DOWN = 139
TAKEN_OVER = 142
TOO_LARGE = 149
QUOTA_EXCEEDED = 151
NO_RETAIN = 154
NO_QOS = 155

_LOOK = "look into the broker's log if this goes on; reactor connects again by itself"


@dataclass(frozen=True, slots=True)
class Lost:
    """How a connection ended.

    ``code`` and ``name`` are the broker's own reason, where it gave one (MQTT 5
    only). ``silent`` means that the broker stopped answering, ``garbled`` that
    what it sent makes no sense.
    """

    code: int | None = None
    name: str = ""
    silent: bool = False
    garbled: bool = False

    @property
    def blameless(self) -> bool:
        """Whether the broker said that no message of ours was the cause."""
        return self.code in {SHUTTING_DOWN, TAKEN_OVER}


class Unsendable(Exception):  # noqa: N818 - a fact about a message, told as a BrokerError
    """A message that this connection can never carry."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix


class NoAnswerError(BrokerError):
    """The broker closed the connection instead of answering the CONNECT."""


def _words(cause: BaseException) -> str:
    """The part of an error of the system that is meant for people."""
    if isinstance(cause, ssl.SSLError) and cause.reason:
        return cause.reason.replace("_", " ").lower()
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause)


def _place(options: MqttOptions) -> str:
    return f"broker {options.address}"


def unreachable(options: MqttOptions, cause: BaseException | None) -> BrokerError:
    """Why no connection could be opened at all."""
    place = _place(options)
    match cause:
        case ConnectionRefusedError():
            return BrokerError(
                place, "nothing listens there", "start the broker, or correct url in the settings"
            )
        case socket.gaierror() | UnicodeError():
            return BrokerError(
                place,
                f"the name {options.address.host!r} cannot be resolved",
                "correct url in the settings, or the name service",
            )
        case ssl.SSLCertVerificationError():
            return tls_faults.not_verified(options, cause)
        case ssl.SSLError() | ConnectionResetError() if options.address.tls:
            reason = cause.reason if isinstance(cause, ssl.SSLError) else None
            if said := tls_faults.alerted(options, [reason or ""]):
                return said
            why = _words(cause) if isinstance(cause, ssl.SSLError) else "it hung up"
            return BrokerError(
                place,
                f"TLS cannot be agreed on: {why}",
                "check that this port speaks TLS (8883 as a rule), or write mqtt:// without it",
            )
        case TimeoutError() | None:
            return BrokerError(
                place, "no answer", "check host, port and the firewalls between here and there"
            )
        case _:
            return BrokerError(
                place,
                f"cannot be reached: {_words(cause)}",
                "check url in the settings and the network",
            )


def no_answer(options: MqttOptions, how: Lost, alerts: Sequence[str] = ()) -> BrokerError:
    """It let us in, and there was no CONNACK; ``alerts`` are OpenSSL's reasons, if any."""
    if said := tls_faults.alerted(options, alerts):
        return said
    place = _place(options)
    if how.garbled:
        return BrokerError(place, "its answer is not MQTT", "correct the port in url")
    fix = "check that this is an MQTT port"
    if not options.address.tls:
        fix += ", and write mqtts:// if it speaks TLS"
    else:
        ours = "does not accept cert_file" if options.cert_file else "wants a client certificate"
        fix += f", and look into the broker's log: perhaps it {ours}"
    return NoAnswerError(place, "the connection was closed without an answer", fix)


_NOT_THIS_WAY = {
    UNAVAILABLE: ("it is too busy to let us in", _LOOK),
    BUSY: ("it is too busy to let us in", _LOOK),
    NO_RETAIN: (
        "it does not keep retained messages",
        "allow them in the broker: availability and state are retained",
    ),
    NO_QOS: (
        "it does not take quality of service 1",
        "allow it in the broker: reactor wants to know what arrived",
    ),
}
"""Reasons of the broker's own, whoever asks to be let in."""


def refused(options: MqttOptions, code: int, name: str) -> BrokerError:
    """The broker answered the CONNECT with no."""
    place = _place(options)
    if code in {BAD_CREDENTIALS, NOT_AUTHORIZED}:
        if options.username is None and options.cert_file is not None:
            return BrokerError(
                place,
                f"it does not let {who(options)} in",
                "give that name to a user of the broker, or write username and password_file",
            )
        if options.username is None:
            return BrokerError(
                place,
                "it does not let anybody in without a user name",
                "write username and password_file",
            )
        return BrokerError(
            place,
            f"it does not let the user {options.username!r} in with this password",
            "correct username, or the password in password_file: it is read at every connect",
        )
    if code == BAD_CLIENT_ID:
        return BrokerError(
            place,
            f"it does not accept the client id {options.client_id!r}",
            "write a client_id that the broker allows",
        )
    if code in _NOT_THIS_WAY:
        return BrokerError(place, *_NOT_THIS_WAY[code])
    return BrokerError(place, f"it refused the connection: {name.lower()}", _LOOK)


def lost(options: MqttOptions, how: Lost) -> BrokerError:
    """A working connection is gone."""
    place = _place(options)
    if how.code == TAKEN_OVER:
        return BrokerError(
            place,
            f"another client with the client id {options.client_id!r} took the connection over",
            "stop the other daemon, or give each its own host name or client_id",
        )
    if how.silent:
        return BrokerError(
            place,
            "it does not answer any more",
            "check the broker and the network; reactor connects again by itself",
        )
    if how.garbled:
        return BrokerError(place, "it sent something that is not MQTT", _LOOK)
    if how.code in {None, SHUTTING_DOWN}:
        return BrokerError(place, "it closed the connection", _LOOK)
    return BrokerError(place, f"it ended the connection: {how.name.lower()}", _LOOK)


def thrown_out(options: MqttOptions, times: int) -> BrokerError:
    """The broker closes one connection after the other, and gives no reason: name the likely one.

    Mosquitto says nothing to a client whose id is taken over, MQTT 3.1.1 has no words for it.
    """
    return BrokerError(
        _place(options),
        f"it closed {times} connections in a short time; perhaps another client has our "
        f"client id {options.client_id!r}",
        "stop the other daemon, or give each its own host name or client_id; else look into "
        "the broker's log",
    )


def who(options: MqttOptions) -> str:
    """Us, as the broker knows us."""
    if options.username is None and options.cert_file is not None:
        return f"the owner of {options.cert_file}"
    if options.username is None:
        return "clients without a user name"
    return f"the user {options.username!r}"


def denied(options: MqttOptions, topic: str, code: int, name: str) -> BrokerError:
    """The broker did not take a message; MQTT 5 only, 3.1.1 has no words for it."""
    reason = name.lower()
    if code == NOT_AUTHORIZED:
        fix = f"allow {who(options)} to write {options.base}/# in the broker's ACL"
        return _not_taken(options, topic, reason, fix)
    if code in {IMPLEMENTATION_SPECIFIC, TOO_LARGE}:
        return _not_taken(
            options, topic, f"{reason}, perhaps for its size", "raise the broker's limits"
        )
    return _not_taken(options, topic, reason, "look into the broker's log")


def not_subscribed(options: MqttOptions, topic_filter: str, code: int, name: str) -> BrokerError:
    """The broker does not let us hear a topic."""
    fix = "look into the broker's log"
    if code == NOT_AUTHORIZED:
        fix = f"allow {who(options)} to read {topic_filter} in the broker's ACL"
    return BrokerError(
        _place(options), f"nothing is heard on {topic_filter!r}: {name.lower()}", fix
    )


def deaf(options: MqttOptions, times: int) -> BrokerError:
    """The connection broke again and again while topics were asked for."""
    return BrokerError(
        _place(options),
        f"the connection broke {times} times while topics were subscribed; for ten minutes "
        "nothing is subscribed, and no message starts a policy",
        f"allow {who(options)} to subscribe to the topics of the `mqtt` triggers, or take "
        "these out",
    )


def unsendable(options: MqttOptions, topic: str, why: Unsendable) -> BrokerError:
    """MQTT, or a limit that the broker announced, does not allow a message."""
    return _not_taken(options, topic, why.problem, why.fix)


def given_up(options: MqttOptions, topic: str, times: int) -> BrokerError:
    """The connection broke again and again with only this message under way."""
    return _not_taken(
        options,
        topic,
        f"the connection broke {times} times while only this message was under way",
        "look into the broker's log: the message may be too large for it",
    )


def _not_taken(options: MqttOptions, topic: str, why: str, fix: str) -> BrokerError:
    return BrokerError(
        _place(options), f"a message on {topic!r} was refused and dropped: {why}", fix
    )


def unusable(name: str, path: object, why: str, fix: str) -> BrokerError:
    """A file that is named for the broker cannot be used now."""
    return BrokerError(f"{name} {path}", f"cannot be used: {why}", fix)


def unreadable(name: str, path: object, error: Exception) -> BrokerError:
    """What is in the file cannot be used."""
    return unusable(name, path, _words(error), f"mend it, or correct {name}")


def slow_files(options: MqttOptions) -> BrokerError:
    """The files for the connect hang, as those on a dead network share do."""
    return BrokerError(
        _place(options),
        "the files of the password and of TLS cannot be read in time",
        "keep them on a local file system",
    )
