"""The whole explanation: with the daemon how it stands now, and from the journal what was."""

from collections.abc import Mapping, Sequence

import msgspec

from reactor.adapters.journal import Reader
from reactor.app.timeline import run_line
from reactor.app.why import now as standing
from reactor.app.why.judging import Eye
from reactor.app.why.past import explain, moments_of
from reactor.app.why.reasons import Why
from reactor.app.why.record import Text, gather, text_of
from reactor.core.effect import Trace
from reactor.core.policy import Policy
from reactor.core.world import World
from reactor.errors import Place, PolicyError
from reactor.policyfile.check import build_policy

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
) -> Why:
    """Why the policy did or did not run on the guest around a time.

    Args:
        around: seconds before and after it.
        host: ``host`` in expressions.
        loaded: policies that need not be built again.

    Raises:
        JournalError: the journal cannot be read.
    """
    text = text_of(reader, policy, at, at + around)
    record = gather(reader, policy, guest, at, (at - around, at + around))
    built = _built(policy, text, loaded)
    eye = Eye(built, guest, record.labels, host) if built else None
    return explain(policy, guest, at, record, text, eye)


def why_now(world: World, policy: str, guest: str, now: float) -> Why:
    """How it stands with the policy on the guest; reads the engine's state in one go."""
    found = standing.findings(world, policy, guest, now)
    return Why(policy, guest, standing.verdict(found), found, online=True)


def recent(  # noqa: PLR0913 - what is known of the policy, the guest and the host
    reader: Reader,
    why: Why,
    *,
    policy: Policy | None,
    near: Sequence[Trace],
    now: float,
    labels: Mapping[str, str],
    host: Mapping[str, object],
) -> Why:
    """The explanation of now with the latest moments and runs.

    Args:
        near: the engine's near misses of the policy.

    Raises:
        JournalError: the journal cannot be read.
    """
    record = gather(reader, why.policy, why.guest, now, (now - RECENT_S, now))
    known = {(trace.at, trace.path, trace.verdict) for trace in record.refusals}
    # Those of a `where` that was false are only there.
    record.refusals += [
        trace
        for trace in near
        if trace.guest == why.guest and (trace.at, trace.path, trace.verdict) not in known
    ]
    eye = Eye(policy, why.guest, labels, host) if policy else None
    moments = moments_of(record, eye)
    runs = reader.runs(RECENT_SHOWN, policy=why.policy, guest=why.guest)
    return msgspec.structs.replace(
        why,
        moments=moments[-RECENT_SHOWN:],
        runs=[run_line(run) for run in reversed(runs)],
        begin=record.begin,
        end=now,
    )


def _built(name: str, text: Text | None, loaded: Sequence[Policy]) -> Policy | None:
    """The policy of that text; None when there is none, or this version refuses it."""
    if text is None or text.source is None:
        return None
    for policy in loaded:
        if policy.revision == text.revision:
            return policy
    try:
        return build_policy(text.source, Place(f"journal:{name}", 1, 1))
    except PolicyError:
        return None
