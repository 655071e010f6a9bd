"""Models of a `test:` document become the values that the runner takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from reactor.core.marks import MarkKind
from reactor.errors import Place
from reactor.policyfile import policy_tests as made
from reactor.policyfile.nodes import Dictionary, mappings_of, plain
from reactor.policyfile.schema_answers import Answer
from reactor.policyfile.schema_expect import EXPECTATIONS, AnyEffect, Expected, ExpectInhibit, Not
from reactor.policyfile.schema_marks import ClearTarget
from reactor.policyfile.schema_tests import Test, TestedGuest, TestedHost
from reactor.policyfile.schema_timeline import (
    AnyEntry,
    ApproveEntry,
    CancelEntry,
    ClearEntry,
    ConnectEntry,
    CrashEntry,
    DenyEntry,
    DisconnectEntry,
    EventEntry,
    HoldEntry,
    MarkEntry,
    MessageEntry,
    ReleaseEntry,
    RestartEntry,
    SetEntry,
    SilenceEntry,
    TriggerEntry,
)
from reactor.policyfile.tests_check import ALL

_WHERE_AND_WHEN = frozenset(Expected.model_fields)


def build_test(place: Place, root: Dictionary, model: Test) -> made.PolicyTest:
    """The test of a document in which nothing was found wrong."""
    builder = _Builder(model)
    timeline = zip(model.timeline, mappings_of(root.get("timeline"), ""), strict=True)
    expect = zip(model.expect, mappings_of(root.get("expect"), ""), strict=True)
    return made.PolicyTest(
        name=model.test,
        policies=model.policies,
        guests=tuple(_guest(name, guest) for name, guest in model.guests.items()),
        timeline=tuple(
            made.TimelineEntry(entry.at, builder.happening(entry), node.place)
            for entry, (node, _) in timeline
        ),
        expect=tuple(_expectation(expected, node) for expected, (node, _) in expect),
        place=place,
        start=datetime.fromisoformat(model.start).timestamp(),
        only=model.only,
        lasts=model.lasts,
        host=_host(model.host),
        simulate=_answerings(model.simulate),
    )


def _guest(name: str, model: TestedGuest) -> made.GuestSetup:
    return made.GuestSetup(
        name=name,
        labels=model.labels,
        status=model.status,
        kind=model.kind,
        version=model.version,
        memory=model.memory,
        uuid=model.uuid,
        agent=model.agent,
        connected=model.connected,
        stays=model.no_shutdown,
        reboots=not model.no_reboot,
        ports=model.ports,
        simulate=_answerings(model.simulate),
    )


def _host(model: TestedHost | None) -> made.HostSetup:
    return made.HostSetup() if model is None else made.HostSetup(**dict(model))


def _answerings(model: Mapping[str, tuple[Answer, ...]]) -> made.Answerings:
    return {name: tuple(map(_answering, answers)) for name, answers in model.items()}


def _answering(model: Answer) -> made.Answering:
    values = dict(model)
    values["then"] = tuple(made.Follow(**dict(event)) for event in model.then)
    return made.Answering(**values)


@dataclass(frozen=True, slots=True)
class _Builder:
    """Builds what happens."""

    model: Test

    def happening(  # noqa: C901 - one case for each kind
        self, entry: AnyEntry
    ) -> made.Happening:
        """What an entry of the timeline says."""
        match entry:
            case EventEntry():
                return made.EventHappens(self._guest(entry.guest), entry.event, entry.data)
            case MessageEntry():
                return made.MessageComes(
                    topic=entry.mqtt,
                    payload=entry.payload,
                    absolute=entry.topic is not None,
                    retain=entry.retain,
                    age=entry.age,
                    properties=entry.properties,
                )
            case DisconnectEntry(disconnect=guest):
                return made.MonitorGoes(guest)
            case CrashEntry(crash=guest):
                return made.MonitorGoes(guest, crashes=True)
            case ConnectEntry(connect=guest):
                return made.MonitorComes(guest)
            case SetEntry() if entry.set.free is not None:
                return made.ChangeHost(entry.set.free)
            case SetEntry():
                changes = entry.set
                answers = _answerings(changes.simulate)
                guest = self._guest(entry.guest)
                return made.ChangeGuest(guest, changes.status, changes.labels, answers)
            case RestartEntry(restart=seconds):
                return made.Restart(seconds)
            case _:
                return self._by_hand(entry)

    def _by_hand(  # noqa: C901 - one case for each kind
        self, entry: "_ByHand"
    ) -> made.Happening:
        match entry:
            case ApproveEntry(approve=policy):
                return self._run("approve", policy, entry)
            case DenyEntry(deny=policy):
                return self._run("deny", policy, entry)
            case CancelEntry(cancel=policy):
                return self._run("cancel", policy, entry)
            case TriggerEntry(trigger=policy):
                return made.TriggerRun(policy, self._guest(entry.guest), entry.data)
            case SilenceEntry():
                return made.SilencePolicies(entry.silence, entry.guests, entry.for_)
            case HoldEntry():
                return made.HoldGuest(_or_all(entry.hold), entry.for_)
            case ReleaseEntry():
                return made.ReleaseGuest(_or_all(entry.release))
            case MarkEntry(mark=mark):
                kind, name = _marked(mark)
                guest = self._guest(entry.guest)
                reason = mark.reason or ""
                return made.PutMark(guest, kind, name, mark.as_, reason, mark.expires)
            case ClearEntry(clear=mark):
                kind, name = _marked(mark)
                return made.TakeMark(self._guest(entry.guest), kind, name, mark.as_ or "")

    def _run(
        self, verb: str, policy: str, entry: ApproveEntry | DenyEntry | CancelEntry
    ) -> made.AnswerRun:
        return made.AnswerRun(verb, policy, self._guest(entry.guest), entry.comment)

    def _guest(self, name: str | None) -> str:
        return next(iter(self.model.guests)) if name is None else name


_ByHand = (
    ApproveEntry
    | DenyEntry
    | CancelEntry
    | TriggerEntry
    | SilenceEntry
    | HoldEntry
    | ReleaseEntry
    | MarkEntry
    | ClearEntry
)


def _or_all(guest: str) -> str:
    return "" if guest == ALL else guest


def _marked(mark: ClearTarget) -> tuple[MarkKind, str]:
    told = dict(mark)
    return next((kind, str(told[kind.value])) for kind in MarkKind if told[kind.value] is not None)


def _expectation(model: Not | AnyEffect, node: Dictionary) -> made.Expectation:
    if isinstance(model, Not):
        return _effect(model.not_, node.inner("not"), negated=True)
    return _effect(model, node, negated=False)


def _effect(model: Expected, node: Dictionary, *, negated: bool) -> made.Expectation:
    written = {key: plain(entry.value) for key, entry in node.entries.items()}
    if isinstance(model, ExpectInhibit):
        # In the units of the effect: `1h` and `60m` are one.
        given = {"policies": model.inhibit.policies, "for": model.inhibit.for_}
        written["inhibit"] = {key: value for key, value in given.items() if value is not None}
    return made.Expectation(
        verb=next(verb for verb in EXPECTATIONS if verb in written),
        members={key: value for key, value in written.items() if key not in _WHERE_AND_WHEN},
        place=node.place,
        target=model.target,
        times=model.times,
        at=model.at,
        after=model.after,
        before=model.before,
        negated=negated,
    )
