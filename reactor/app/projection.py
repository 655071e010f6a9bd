"""What the world reads on MQTT: effects and events as topics and payloads.

Shapes and retention are those of the reference page "MQTT topics".
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from reactor.adapters.journal import RunRow
from reactor.app.homeassistant import HomeAssistant
from reactor.app.outgoing import CLOUDEVENT, EVENT_TYPE, JSON, TEXT, Outgoing, encode
from reactor.core.by_hand import command_of
from reactor.core.drops import DROPPED_EVENT
from reactor.core.effect import (
    Effect,
    EventSeen,
    GuestChanged,
    MarkCleared,
    MarkSet,
    Publish,
    RunChanged,
)
from reactor.core.event import Event
from reactor.core.marks import Mark, MarkKind
from reactor.core.policy import Policy
from reactor.core.text import slug

EVENT_EXPIRY = 3600.0
RUN_EXPIRY = 86_400.0

_SAFE_INTEGER = 2**53
_DEPTH_MAX = 100
_TIME_END = 253_402_300_800.0  # the year 10000


class Projection:
    """Turns what happened into messages, and remembers what must stay retained.

    Args:
        prefix: first level of every topic.
        host: second level; the host's name.
        version: of this program.
        discovery: the prefix of Home Assistant's discovery; None where it is told nothing.
    """

    def __init__(self, prefix: str, host: str, version: str, discovery: str | None = None) -> None:
        self._base = f"{prefix}/{slug(host)}"
        self._host = host
        self._version = version
        self._guests: dict[str, GuestChanged] = {}
        self._marks: dict[str, dict[str, Mark]] = {}
        # Different names can give one slug: who stands on each topic.
        self._guests_at: dict[str, dict[str, None]] = {}
        self._marks_at: dict[str, dict[str, Mark]] = {}
        self._info: Mapping[str, object] = {}
        self._last_runs: dict[str, RunChanged] = {}
        self._sequence = 0
        self.home_assistant = (
            None if discovery is None else HomeAssistant(discovery, self._base, host, version)
        )

    def messages(self, effect: Effect) -> list[Outgoing]:
        """What the world is told of one effect."""
        match effect:
            case Publish():
                return [self._published(effect)]
            case MarkSet(mark):
                told = self._remember(mark)
                return [self._mark(mark), *self._state_again(mark.guest), *told]
            case MarkCleared(mark):
                return [self._no_mark(mark), *self._state_again(mark.guest)]
            case RunChanged():
                return self._run(effect)
            case GuestChanged():
                return self._guest(effect)
            case EventSeen(event) if event.name != DROPPED_EVENT:
                return [self.event(event)]
            case EventSeen(event):
                # Once for the host: one for each guest would fill the outbox again.
                return [] if event.guest else [self._of_host(event)]
            case _:
                return []

    def event(self, event: Event, uuid: str = "") -> Outgoing:
        """An event of a guest as a CloudEvents 1.0 structured message."""
        topic = f"{self._guest_base(event.guest)}/event/{slug(event.name)}"
        body = self._cloud_event(event, uuid)
        return Outgoing(topic, body, expiry_s=EVENT_EXPIRY, content_type=CLOUDEVENT)

    def _of_host(self, event: Event) -> Outgoing:
        """One of the host, which must be told though the outbox is full."""
        topic = f"{self._base}/event/{slug(event.name)}"
        return Outgoing(topic, self._cloud_event(event), content_type=CLOUDEVENT, spare=True)

    def _cloud_event(self, event: Event, uuid: str = "") -> bytes:
        self._sequence += 1
        known = self._guests.get(event.guest)
        body = {
            "specversion": "1.0",
            "id": f"{self._host}/{event.received:.6f}/{self._sequence}",
            "source": f"/{self._host}/{event.guest}".rstrip("/"),
            "type": f"{EVENT_TYPE}{event.name}",
            "time": instant(event.time),
            "datacontenttype": JSON,
            "received": instant(event.received),
            "synthetic": event.synthetic,
            "own": event.own,
            "uuid": uuid or (known.uuid if known else ""),
            "data": with_hex(event.data),
        }
        return encode(body)

    def policies(self, policies: Sequence[Policy], revision: str) -> list[Outgoing]:
        """Version, number of policies and their common revision; what follows from them."""
        self._info = {"version": self._version, "policies": len(policies), "revision": revision}
        told = [] if self.home_assistant is None else self.home_assistant.adopt(policies)
        return [self._info_message(), *told]

    def retained(self) -> list[Outgoing]:
        """All that must stand retained on a broker that may have forgotten it."""
        messages = [self._info_message()] if self._info else []
        for guest in self._guests.values():
            messages += [self._availability(guest), self._state(guest)]
        messages += [self._mark(mark) for marks in self._marks.values() for mark in marks.values()]
        return messages + ([] if self.home_assistant is None else self.home_assistant.retained())

    def adopt(self, marks: Iterable[Mark], runs: Iterable[RunChanged] = ()) -> None:
        """Marks that an earlier life of the daemon set, and the last run of each guest."""
        for mark in marks:
            self._remember(mark)
        self._last_runs = {run.guest: run for run in runs}

    def _remember(self, mark: Mark) -> list[Outgoing]:
        self._marks.setdefault(mark.guest, {})[mark.key] = mark
        self._marks_at.setdefault(self._mark_topic(mark), {})[mark.key] = mark
        if self.home_assistant is None or mark.kind is not MarkKind.DISK:
            return []
        return self.home_assistant.saw_disk(mark.guest, mark.id)

    def _guest_base(self, guest: str) -> str:
        return f"{self._base}/guest/{slug(guest)}"

    def _info_message(self) -> Outgoing:
        return Outgoing(f"{self._base}/info", encode(self._info), retain=True)

    def _published(self, effect: Publish) -> Outgoing:
        topic = effect.topic if effect.absolute else f"{self._base}/{effect.topic}"
        payload, kind = payload_of(effect.payload)
        return Outgoing(
            topic,
            payload,
            qos=effect.qos,
            retain=effect.retain,
            expiry_s=effect.expiry_s,
            content_type=kind,
            properties=effect.properties,
        )

    def _run(self, effect: RunChanged) -> list[Outgoing]:
        body = {
            "run": effect.run,
            "policy": effect.policy,
            "guest": effect.guest,
            "role": effect.role,
            "state": effect.word,
            "ask": effect.ask or None,
            "step": effect.step,
            "verb": effect.verb,
            "outcome": effect.outcome or None,
            "error": effect.error or None,
            "started": instant(effect.started),
            "ended": instant(effect.ended),
        }
        message = Outgoing(f"{self._base}/run/{effect.run}", encode(body), expiry_s=RUN_EXPIRY)
        # Who polls a guest by commands must not hide what policies did to it.
        if effect.ended is None or effect.role != "run" or command_of(effect.policy):
            return [message]
        last = f"{self._base}/policy/{effect.policy}/last"
        self._last_runs[effect.guest] = effect
        return [
            message,
            Outgoing(last, encode(body), retain=True),
            *self._state_again(effect.guest),
        ]

    def _guest(self, effect: GuestChanged) -> list[Outgoing]:
        told = [] if self.home_assistant is None else self.home_assistant.follow(effect)
        if effect.gone:
            self._last_runs.pop(effect.guest, None)
            return [*self._no_guest(effect), *told]
        before = self._guests.get(effect.guest)
        self._guests[effect.guest] = effect
        self._guests_at.setdefault(self._guest_base(effect.guest), {})[effect.guest] = None
        state = self._state(effect)
        if before is not None and before.connected == effect.connected:
            return [state, *told]
        return [self._availability(effect), state, *told]

    def _no_guest(self, effect: GuestChanged) -> list[Outgoing]:
        """The topics are emptied, unless another guest's name gives the same slug."""
        base = self._guest_base(effect.guest)
        self._guests.pop(effect.guest, None)
        standing = self._guests_at.get(base, {})
        standing.pop(effect.guest, None)
        for name in reversed(standing):
            other = self._guests[name]
            return [self._availability(other), self._state(other)]
        self._guests_at.pop(base, None)
        return [
            Outgoing(f"{base}/{leaf}", b"", retain=True, content_type="")
            for leaf in ("availability", "state")
        ]

    def _availability(self, guest: GuestChanged) -> Outgoing:
        word = b"online" if guest.connected else b"offline"
        topic = f"{self._guest_base(guest.guest)}/availability"
        return Outgoing(topic, word, retain=True, content_type=TEXT)

    def _state(self, guest: GuestChanged) -> Outgoing:
        marks = [
            {"kind": mark.kind.value, "id": mark.id, "as": mark.word, "reason": mark.reason}
            for mark in self._marks.get(guest.guest, {}).values()
        ]
        body = {
            "name": guest.guest,
            "uuid": guest.uuid,
            "kind": guest.kind,
            "status": guest.status,
            "since": instant(guest.since),
            "qemu_version": guest.qemu_version,
            "labels": dict(guest.labels),
            "marks": marks,
            "last_run": _summary(self._last_runs.get(guest.guest)),
        }
        return Outgoing(f"{self._guest_base(guest.guest)}/state", encode(body), retain=True)

    def _state_again(self, name: str) -> list[Outgoing]:
        guest = self._guests.get(name)
        return [] if guest is None else [self._state(guest)]

    def _mark_topic(self, mark: Mark) -> str:
        parts = "/".join((mark.kind.value, slug(mark.id), slug(mark.word)))
        return f"{self._guest_base(mark.guest)}/mark/{parts}"

    def _no_mark(self, mark: Mark) -> Outgoing:
        """The topic is emptied, unless another mark's names give the same slugs."""
        topic = self._mark_topic(mark)
        of_guest = self._marks.get(mark.guest, {})
        of_guest.pop(mark.key, None)
        if not of_guest:
            self._marks.pop(mark.guest, None)
        standing = self._marks_at.get(topic, {})
        standing.pop(mark.key, None)
        for other in reversed(standing.values()):
            return self._mark(other)
        self._marks_at.pop(topic, None)
        return Outgoing(topic, b"", retain=True, content_type="")

    def _mark(self, mark: Mark) -> Outgoing:
        body = {
            "guest": mark.guest,
            "kind": mark.kind.value,
            "id": mark.id,
            "as": mark.word,
            "reason": mark.reason,
            "since": instant(mark.since),
            "expires": instant(mark.expires),
            "by": {"policy": mark.policy, "run": mark.run},
        }
        return Outgoing(self._mark_topic(mark), encode(body), retain=True)


LAST_RUNS = 10_000
"""Runs among which the last one of each guest is looked for at the start."""


def last_runs(runs: Iterable[RunRow]) -> list[RunChanged]:
    """The last run of each guest that has ended, of runs from the journal, the newest first."""
    found: dict[str, RunChanged] = {}
    for row in runs:
        is_of_policy = row.body == b"run" and not command_of(row.policy)
        if row.ended is not None and is_of_policy and row.guest not in found:
            found[row.guest] = RunChanged(
                row.id,
                row.policy,
                row.guest,
                row.state,
                outcome=row.outcome,
                error=row.error,
                started=row.started,
                ended=row.ended,
            )
    return list(found.values())


def _summary(run: RunChanged | None) -> Mapping[str, object] | None:
    if run is None:
        return None
    return {
        "run": run.run,
        "policy": run.policy,
        "outcome": run.outcome,
        "error": run.error or None,
        "ended": instant(run.ended),
    }


def payload_of(value: object) -> tuple[bytes, str]:
    """A publish step's payload as bytes with its content type.

    Text goes as it stands, so that ``payload: ON`` is what a switch expects;
    null is an empty payload; everything else is JSON.
    """
    if value is None:
        return b"", ""
    if isinstance(value, str):
        return value.encode(errors="replace"), TEXT
    return encode(with_hex(value)), JSON


def instant(at: float | None) -> str | None:
    """A time as RFC 3339 in UTC; None for none, or one that no calendar has.

    QEMU's stamps come from outside: a wrong one must not end the daemon.
    """
    if at is None or not 0 <= at < _TIME_END:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def with_hex(value: object, depth: int = 0) -> object:
    """The value with ``NAME_hex`` beside every integer that JavaScript would round.

    What is nested deeper than 100 levels becomes null.
    """
    if depth > _DEPTH_MAX:
        return None
    if isinstance(value, Mapping):
        result: dict[str, object] = {}
        for name, member in value.items():
            result[str(name)] = with_hex(member, depth + 1)
            if _is_unsafe(member) and f"{name}_hex" not in value:
                result[f"{name}_hex"] = f"{member:#x}"
        return result
    if isinstance(value, list | tuple):
        return [with_hex(member, depth + 1) for member in value]
    return value


def _is_unsafe(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) > _SAFE_INTEGER
