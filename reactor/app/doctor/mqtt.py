"""Whether the broker lets reactor do what it must: by trying it, with an echo for each topic."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reactor.adapters.mqtt.credentials import doubts
from reactor.adapters.mqtt.faults import who
from reactor.adapters.mqtt.options import MqttOptions
from reactor.adapters.mqtt.probe import Outcome, Probe, Visit, visit
from reactor.app.doctor.bounds import bounds
from reactor.app.doctor.findings import Finding, State, problem
from reactor.core.topic_filters import disjoint, fits
from reactor.errors import BrokerError

NAME = "reactor-doctor"
"""The level that stands for a guest, run or policy in the topics of probes."""

TREES = ("guest", "event", "run", "policy", "alert", "reply")

OUT = tuple(f"{tree}/{NAME}/probe" for tree in TREES)
"""One topic of each tree that reactor publishes on, below ``<prefix>/<host>/``.

None has the form of a topic that means something: a probe must not be taken for a run.
"""

WORDS = ("availability", "info")
"""Topics that are no trees, below ``<prefix>/<host>/``: a probe there would be a false word."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found; ``connected`` says whether the broker let us in."""

    findings: list[Finding]
    connected: bool


async def examine_mqtt(
    options: MqttOptions,
    filters: Iterable[str],
    *,
    daemon: str | None,
    discovery: str | None = None,
) -> Examined:
    """Everything that can be found without disturbing anybody.

    Args:
        filters: what the daemon subscribes to, with these settings and policies.
        daemon: how the daemon says its link is; None where none runs.
        discovery: first levels of Home Assistant's topics, where it is told of guests.
    """
    heard = disjoint(filters)
    found = [*_files(options), *_safety(options)]
    out = [Probe(topic, topic) for topic in (f"{options.base}/{one}" for one in OUT)]
    into = [Probe(one, _probe_of(one, options.base)) for one in heard]
    words = dict[str, bytes | None]((f"{options.base}/{one}", None) for one in WORDS)
    if daemon == "connected":
        words[options.availability] = b"online"
    if discovery is not None:
        # An empty message takes away a device; of this name there is none.
        words[f"{discovery}/device/{NAME}/config"] = b""
    try:
        seen = await visit(options, [*out, *into], words)
    except BrokerError as error:
        return Examined([*found, problem("connect", error)], connected=False)
    found.append(Finding("connect", State.OK, f"{options.address} lets {who(options)} in"))
    found.append(_version(seen))
    found += bounds(seen)
    found.append(_availability(options, seen, daemon))
    outcomes = iter(seen.outcomes)
    is_new = seen.protocol == "5"
    found += [_said_again(options, one, seen.repeated.get(one), is_new=is_new) for one in words]
    found += [_written(options, one.topic, next(outcomes), is_new=is_new) for one in out]
    found += [_heard(options, one, next(outcomes)) for one in into]
    return Examined(found, connected=True)


def _probe_of(topic_filter: str, base: str) -> str:
    """A topic that the filter matches; empty where a probe could reach somebody else's."""
    if not topic_filter.startswith(f"{base}/"):
        return ""
    levels = [NAME if level in {"+", "#"} else level for level in topic_filter.split("/")]
    topic = "/".join(levels)
    return topic if fits(topic_filter, topic) else ""


def _files(options: MqttOptions) -> list[Finding]:
    """Secrets that others can read, certificates that end."""
    return [
        Finding(one.name, State.WARNING, one.text, one.fix) for one in doubts(options, time.time())
    ]


def _safety(options: MqttOptions) -> list[Finding]:
    """What everybody on the way, or at the broker, could do."""
    found = []
    if not options.address.tls and not options.address.loopback:
        text = f"{options.address} is spoken to in the clear: who listens can read and change it"
        found.append(Finding("tls", State.WARNING, text, "write mqtts:// in the url"))
    if options.username is None and options.cert_file is None:
        text = "reactor comes without a name: the broker cannot tell it from anybody else"
        fix = "write username and password_file, or cert_file, and give that user an ACL"
        found.append(Finding("user", State.WARNING, text, fix))
    return found


def _version(seen: Visit) -> Finding:
    if seen.protocol == "5":
        return Finding("version", State.OK, "the broker speaks MQTT 5")
    text = (
        "the broker speaks MQTT 3.1.1 only: no expiry, no user properties, no response topics, "
        "and it says nothing when it refuses a message"
    )
    return Finding("version", State.WARNING, text, "use a broker that speaks MQTT 5")


def _availability(options: MqttOptions, seen: Visit, daemon: str | None) -> Finding:
    """What the broker keeps as our own word, against what we know."""
    word = seen.retained.get(options.availability, b"").decode(errors="replace")
    runs = "the daemon does not run" if daemon is None else f"the daemon says it is {daemon}"
    text = f"{options.availability} says {word or 'nothing'!r}, and {runs}"
    expected = "online" if daemon == "connected" else "offline"
    if word == expected or (not word and daemon is None):
        return Finding("availability", State.OK, text)
    fix = (
        "stop the other daemon that has this host's name, or let nobody else write "
        f"{options.base}/# in the broker's ACL"
    )
    if daemon == "connected" and not word:
        fix = f"allow {who(options)} to read and write {options.availability}, retained"
    return Finding("availability", State.WARNING, text, fix)


def _said_again(
    options: MqttOptions, topic: str, outcome: Outcome | None, *, is_new: bool
) -> Finding:
    """A topic on which what stands there was said once more."""
    if outcome is not None:
        return _written(options, topic, outcome, is_new=is_new)
    text = (
        f"{topic}: not tried: none of reactor's own messages came back, so what stands there is "
        "not known, and a word beside it might be a false one"
    )
    fix = f"let {who(options)} read {options.base}/# in the broker's ACL, and try again"
    return Finding("publish", State.UNTESTED, text, fix)


def _written(options: MqttOptions, topic: str, outcome: Outcome, *, is_new: bool) -> Finding:
    """A topic that reactor publishes on."""
    about, tree = "publish", f"{options.base}/#"
    if not topic.startswith(f"{options.base}/"):
        tree = topic.replace(NAME, "+")
    allow = f"allow {who(options)} to write {tree} in the broker's ACL"
    if outcome.published is not None:
        return Finding(about, State.PROBLEM, f"{topic}: {outcome.published}", allow)
    if outcome.echoed:
        return Finding(about, State.OK, topic)
    if is_new:
        # Here the broker says no to what it does not take: so it is the echo that is missing.
        return Finding(about, State.OK, f"{topic}: taken; it may not be read back")
    text = f"{topic}: the broker took it, and it never came back"
    fix = f"{allow}; if it may write there and not read, all is well"
    return Finding(about, State.PROBLEM, text, fix)


def _heard(options: MqttOptions, probe: Probe, outcome: Outcome) -> Finding:
    """A tree that reactor subscribes to."""
    about = "subscribe"
    allow = f"allow {who(options)} to read {probe.filter} in the broker's ACL"
    if outcome.subscribed is not None:
        return Finding(about, State.PROBLEM, f"{probe.filter}: {outcome.subscribed}", allow)
    if outcome.echoed:
        return Finding(about, State.OK, probe.filter)
    if not probe.topic:
        text = f"{probe.filter}: subscribed; no probe is sent there, it could reach others"
        return Finding(about, State.UNTESTED, text, "publish a message there and ask `reactor why`")
    if outcome.published is not None:
        text = f"{probe.filter}: subscribed; reactor may not write there, so no probe could be sent"
        return Finding(about, State.UNTESTED, text, "publish as an operator, and see what comes")
    text = f"{probe.filter}: subscribed, and a message that was published there never came"
    return Finding(about, State.PROBLEM, text, allow)


def worst(findings: Sequence[Finding]) -> State:
    """The most alarming state."""
    order = list(State)
    return max((one.state for one in findings), key=order.index, default=State.OK)
