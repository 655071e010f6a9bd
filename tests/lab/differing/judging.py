"""Both judge the same calls."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from reactor.qapi.types import Schema
from reactor.qapi.values import Misfit, Wrong, fit_call
from tests.lab.differing.calls import Call, Maker
from tests.lab.differing.qemu import FITS, Judge


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A call about which they do not agree, and what each says."""

    call: Call
    qemu: str
    reactor: str

    def __str__(self) -> str:
        """Both sides."""
        return f"{self.call}\n  QEMU: {self.qemu}\n  reactor: {self.reactor or 'it fits'}"


@dataclass(slots=True)
class Judged:
    """What came of it."""

    commands: int
    fitting: int = 0
    misfitting: int = 0
    disagreements: list[Disagreement] = field(default_factory=list)


def calls_of(schema: Schema, count: int, seed: int) -> list[Call]:
    """So many calls of this schema from this seed."""
    maker = Maker(schema, seed)
    return [maker.call(number) for number in range(count)]


def judged(judge: Judge, calls: Sequence[Call], schema: Schema) -> Judged:
    """What QEMU says of these calls, and what follows from this schema."""
    result = Judged(len({call.command for call in calls}))
    for call, words in zip(calls, judge.said(calls), strict=True):
        misfits = fit_call(schema, call.command, call.arguments).misfits
        if misfits:
            result.misfitting += 1
        else:
            result.fitting += 1
        if not _agree(words, misfits):
            told = "; ".join(one.problem for one in misfits)
            result.disagreements.append(Disagreement(call, words, told))
    return result


def _agree(words: str, misfits: Sequence[Misfit]) -> bool:
    """Whether QEMU's words say the same; of arguments that nobody knows it names any one."""
    surplus = [one for one in misfits if one.wrong is Wrong.UNKNOWN and len(one.way) == 1]
    if len(surplus) < len(misfits):
        return words != FITS
    return words.endswith("is unexpected") if surplus else words == FITS
