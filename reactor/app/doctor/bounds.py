"""Whether the broker takes what reactor publishes: retained, acknowledged, however large."""

from collections.abc import Iterator

from reactor.adapters.mqtt.link import Takes
from reactor.adapters.mqtt.probe import Visit
from reactor.adapters.qmp.shared import Limits
from reactor.app.doctor.findings import Finding, State

LARGEST_BYTES = 2 * Limits().event_bytes
"""No event that a monitor lets in is larger when it is published, with its envelope."""

LEAST_BYTES = 16 << 10
"""The state of a guest with all its marks, and the answer to a question, need some KiB."""


def bounds(seen: Visit) -> Iterator[Finding]:
    """What the broker said of itself; one that speaks MQTT 3.1.1 has no words for it."""
    if seen.protocol == "5":
        yield _retain(seen.takes)
        yield _qos(seen.takes)
        yield _size(seen.takes)


def _retain(takes: Takes) -> Finding:
    about = "retain"
    if takes.retain:
        return Finding(about, State.OK, "the broker keeps retained messages")
    text = (
        "the broker keeps no retained messages: it does not let the daemon in, whose last will is "
        "one, and nobody would find availability, state or marks there"
    )
    fix = "write `retain_available true` in mosquitto.conf, or allow it in the broker you have"
    return Finding(about, State.PROBLEM, text, fix)


def _qos(takes: Takes) -> Finding:
    about = "qos"
    if takes.qos == 2:
        return Finding(about, State.OK, "the broker takes every quality of service")
    if takes.qos == 1:
        text = "the broker takes quality of service 1 at most: a step with `qos: 2` is sent with 1"
        return Finding(about, State.OK, text)
    text = (
        "the broker takes quality of service 0 only: it does not let the daemon in, whose last "
        "will has 1, and nothing would be known to have arrived"
    )
    return Finding(about, State.PROBLEM, text, "allow quality of service 1: `max_qos 2` there")


def _size(takes: Takes) -> Finding:
    about = "packet size"
    most = takes.packet_bytes
    if most is None:
        return Finding(about, State.OK, "the broker names no largest packet")
    text = f"the broker takes packets of at most {most:,} bytes"
    if most >= LARGEST_BYTES:
        return Finding(about, State.OK, text)
    fix = f"raise it to {LARGEST_BYTES} in the broker: `max_packet_size` in mosquitto.conf"
    if most >= LEAST_BYTES:
        text += f", an event may need {LARGEST_BYTES:,}: what is larger is dropped, and told"
        return Finding(about, State.WARNING, text, fix)
    text += ": states of guests and answers may not fit, and are dropped"
    return Finding(about, State.PROBLEM, text, fix)
