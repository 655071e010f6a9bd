"""The whole explanation: with the daemon how it stands now, and from the journal what was."""

from collections.abc import Mapping, Sequence

import msgspec

from reactor.adapters.journal import Reader
from reactor.app.absences import Absence, within
from reactor.app.known import of_journal
from reactor.app.timeline import run_line
from reactor.app.why import now as standing
from reactor.app.why.eyes import Eyes, Spell
from reactor.app.why.judging import Eye
from reactor.app.why.past import explain, moments_of
from reactor.app.why.reasons import Finding, Mark, Why
from reactor.app.why.record import Record, Text, gather, texts_of
from reactor.core.by_hand import command_of
from reactor.core.effect import Trace
from reactor.core.policy import MessageTrigger, Policy
from reactor.core.world import World
from reactor.errors import Place, PolicyError
from reactor.policyfile.check import build_policy
from reactor.policyfile.lacks import Lack

RECENT_S = 86_400.0
"""Seconds back from now in which the latest moments are looked for."""

RECENT_SHOWN = 10
"""The latest moments and runs of an explanation of now."""


def why_at(  # noqa: PLR0913 - what is asked, and what is known of the host
    reader: Reader,
    policy: str,
    guest: str,
    *,
    at: float,
    around: float,
    host: Mapping[str, object],
    loaded: Sequence[Policy] = (),
    down: Absence | None = None,
) -> Why:
    """Why the policy did or did not run on the guest around a time.

    Args:
        around: seconds before and after it.
        host: ``host`` in expressions.
        loaded: policies that need not be built again.
        down: since when reactor does not run, where it does not.

    Raises:
        JournalError: the journal cannot be read.
    """
    texts = texts_of(reader, policy, at - around, at + around)
    built = [_built(policy, text, loaded) for text in texts]
    hears = any(one is not None and _hears_messages(one) for one in built)
    span = (at - around, at + around)
    record = gather(reader, policy, guest, at, span, messages=hears)
    record.absences = within(reader, *span, down)
    is_known = record.labels is not None or record.monitor is not None or bool(record.events)
    eyes = [
        None if one is None else Eye(one, guest, record.labels, host, is_known) for one in built
    ]
    why = explain(policy, guest, at, record, texts, _eyes(texts, eyes))
    named = None if command_of(policy) else policy
    wrong = None if (texts or not named) and is_known else of_journal(reader, named, guest)
    if wrong is None:
        return why
    hint = Finding("fix", Mark.NOTE, f"{wrong.problem}: {wrong.fix}")
    return msgspec.structs.replace(why, unknown=True, findings=[*why.findings, hint])


def why_now(  # noqa: PLR0913, PLR0917 - what is asked, and what is known besides
    world: World,
    policy: str,
    guest: str,
    now: float,
    lacks: Sequence[Lack] = (),
    trouble: str = "",
) -> Why:
    """How it stands with the policy on the guest; reads the engine's state in one go.

    Args:
        lacks: what the policy lacks on it.
        trouble: why the journal cannot be written.
    """
    found = standing.findings(world, policy, guest, now, lacks)
    if trouble:
        text = f"the journal cannot be written: {trouble}; nothing is done until it can"
        found.insert(0, Finding("journal", Mark.NO, text))
    watched = world.guests.get(guest)
    known = policy in world.index.policies or bool(command_of(policy))
    unknown = not known or watched is None or watched.forgotten
    return Why(policy, guest, standing.verdict(found), found, online=True, unknown=unknown)


def recent(  # noqa: PLR0913 - what is known of the policy, the guest and the host
    reader: Reader,
    why: Why,
    *,
    policy: Policy | None,
    near: Sequence[Trace],
    now: float,
    labels: Mapping[str, str] | None,
    host: Mapping[str, object],
) -> Why:
    """The explanation of now with the latest moments and runs.

    Args:
        near: the engine's near misses of the policy.
        labels: those of the guest; None: there is no such guest.

    Raises:
        JournalError: the journal cannot be read.
    """
    span = (now - RECENT_S, now)
    # What nobody knows better was looked at with the policy that is loaded.
    texts = [one for one in texts_of(reader, why.policy, *span) if one.since is not None]
    loaded = [policy] if policy else []
    built = [_built(why.policy, text, loaded) for text in texts] or loaded
    hears = any(one is not None and _hears_messages(one) for one in built)
    record = gather(reader, why.policy, why.guest, now, span, messages=hears)
    record.refusals += _only_near(record, near, why.guest)
    eyes = [
        None if one is None else Eye(one, why.guest, labels, host, labels is not None)
        for one in built
    ]
    runs = reader.runs(RECENT_SHOWN, policy=why.policy, guest=why.guest)
    return msgspec.structs.replace(
        why,
        moments=moments_of(record, _eyes(texts, eyes))[-RECENT_SHOWN:],
        runs=[run_line(run) for run in reversed(runs)],
        refused=record.refused,
        begin=record.begin,
        end=now,
    )


def _only_near(record: Record, near: Sequence[Trace], guest: str) -> list[Trace]:
    """The near misses of the guest that the journal has not, such as those of a false `where`."""
    known = {(trace.at, trace.path, trace.verdict) for trace in record.refusals}
    mine = (trace for trace in near if trace.guest == guest)
    return [trace for trace in mine if (trace.at, trace.path, trace.verdict) not in known]


def _eyes(texts: Sequence[Text], eyes: Sequence[Eye | None]) -> Eyes:
    """Each text with who looks with it; without any text one looks at all."""
    if not texts:
        return Eyes([Spell(None, eye) for eye in eyes])
    spells = (
        Spell(text.since, eye, is_gone=text.source is None)
        for text, eye in zip(texts, eyes, strict=True)
    )
    return Eyes(list(spells))


def _hears_messages(policy: Policy) -> bool:
    return any(isinstance(trigger, MessageTrigger) for trigger in policy.triggers)


def _built(name: str, text: Text, loaded: Sequence[Policy]) -> Policy | None:
    """The policy of that text; None when there is none, or this version refuses it."""
    if text.source is None:
        return None
    for policy in loaded:
        if policy.revision == text.revision:
            return policy
    try:
        return build_policy(text.source, Place(f"journal:{name}", 1, 1))
    except PolicyError:
        return None
