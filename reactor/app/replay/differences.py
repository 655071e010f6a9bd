"""What was done then beside what would be done now, run by run."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from reactor.app.replay.recording import Ran

NEAR_S = 5.0
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


def differences(then: Iterable[Ran], now: Iterable[Ran]) -> list[Difference]:
    """The runs of one policy and guest are paired by their time; the rest differs.

    A run that was still open then, or is now, is compared as far as it came.
    """
    both: dict[tuple[str, str], tuple[list[Ran], list[Ran]]] = defaultdict(lambda: ([], []))
    for ran in then:
        both[ran.policy, ran.guest][0].append(ran)
    for ran in now:
        both[ran.policy, ran.guest][1].append(ran)
    found: list[Difference] = []
    for mine, theirs in both.values():
        found += _paired(sorted(mine, key=_at), sorted(theirs, key=_at))
    return sorted(found, key=lambda difference: difference.at)


def _at(ran: Ran) -> float:
    return ran.at


def _paired(then: list[Ran], now: list[Ran]) -> list[Difference]:
    found: list[Difference] = []
    i = j = 0
    while i < len(then) or j < len(now):
        if i < len(then) and j < len(now) and _belong(then[i:], now[j:]):
            if _differ(then[i], now[j]):
                found.append(Difference(then[i], now[j]))
            i, j = i + 1, j + 1
        elif j >= len(now) or (i < len(then) and then[i].at < now[j].at):
            found.append(Difference(then[i], None))
            i += 1
        else:
            found.append(Difference(None, now[j]))
            j += 1
    return found


def _belong(then: list[Ran], now: list[Ran]) -> bool:
    """Whether the first of each are one run: near, and neither nearer to the other's next."""
    apart = abs(then[0].at - now[0].at)
    nearer = (len(then) > len(now) and abs(then[1].at - now[0].at) < apart) or (
        len(now) > len(then) and abs(now[1].at - then[0].at) < apart
    )
    return apart <= NEAR_S and not nearer


def _differ(then: Ran, now: Ran) -> bool:
    if then.outcome and now.outcome:
        return (then.outcome, then.steps, then.commands) != (now.outcome, now.steps, now.commands)
    return not (_begins(then.steps, now.steps) and _begins(then.commands, now.commands))


def _begins(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one of them is the beginning of the other."""
    return all(a == b for a, b in zip(one, other, strict=False))
