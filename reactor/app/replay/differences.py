"""What was done then beside what would be done now, run by run."""

from collections.abc import Sequence
from dataclasses import dataclass

from reactor.app.replay.recording import Ran

NEAR_S = 1.0
"""Seconds by which the admissions of one run may lie apart then and now."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A run that was otherwise (both), is gone (``then``), or is new (``now``)."""

    then: Ran | None
    now: Ran | None

    @property
    def at(self) -> float:
        """When it was, seconds since the epoch."""
        ran = self.then or self.now
        return ran.at if ran is not None else 0.0


def differences(then: Sequence[Ran], now: Sequence[Ran]) -> list[Difference]:
    """The runs of one policy and guest are paired by their time; the rest differs."""
    found: list[Difference] = []
    for key in {(ran.policy, ran.guest): None for ran in (*then, *now)}:
        mine = sorted((r for r in then if (r.policy, r.guest) == key), key=lambda ran: ran.at)
        theirs = sorted((r for r in now if (r.policy, r.guest) == key), key=lambda ran: ran.at)
        found += _paired(mine, theirs)
    return sorted(found, key=lambda difference: difference.at)


def _paired(then: list[Ran], now: list[Ran]) -> list[Difference]:
    found: list[Difference] = []
    while then or now:
        if then and now and abs(then[0].at - now[0].at) <= NEAR_S:
            before, after = then.pop(0), now.pop(0)
            if (before.outcome, before.commands) != (after.outcome, after.commands):
                found.append(Difference(before, after))
        elif then and (not now or then[0].at < now[0].at):
            found.append(Difference(then.pop(0), None))
        else:
            found.append(Difference(None, now.pop(0)))
    return found
