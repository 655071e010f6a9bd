"""Looks at what was recorded with the policy that was in force just then."""

from collections.abc import Sequence
from dataclasses import dataclass

from reactor.app.why.judging import Eye
from reactor.app.why.messages import look_at_message
from reactor.app.why.reasons import Moment
from reactor.app.why.record import Record, Seen

NOT_LOADED = "the policy was not loaded then"


@dataclass(frozen=True, slots=True)
class Spell:
    """A time from ``since`` on in which one text was in force; None: from ever.

    ``is_gone``: there was no such policy. ``eye`` None besides: this version refuses the text.
    """

    since: float | None
    eye: Eye | None
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Eyes:
    """The spells of a policy, one behind the other."""

    spells: Sequence[Spell]

    def at(self, moment: float) -> Spell | None:
        """The spell of that time, None before the first one."""
        found = [one for one in self.spells if one.since is None or one.since <= moment]
        return found[-1] if found else None

    def look_at(self, record: Record) -> list[tuple[Seen, Moment]]:
        """What is to be said of each event and message, as far as there is anything."""
        found = []
        for number, seen in enumerate(record.events):
            moment = self._look(seen, record.events[:number])
            if moment is not None:
                found.append((seen, moment))
        for seen in record.messages:
            moment = self._look(seen, ())
            if moment is not None:
                found.append((seen, moment))
        return found

    def _look(self, seen: Seen, before: Sequence[Seen]) -> Moment | None:
        spell = self.at(seen.at)
        if spell is not None and not spell.is_gone:
            return None if spell.eye is None else _seen_by(spell.eye, seen, before)
        # What the nearest text waits for says whether the event would have been of interest.
        others = [one.eye for one in self.spells if one.eye is not None]
        fits = next((found for eye in others if (found := _seen_by(eye, seen, before))), None)
        if fits is None:
            return None
        return Moment(
            fits.at, fits.event, NOT_LOADED, data=fits.data, path=fits.path, evaluated=True
        )


def _seen_by(eye: Eye, seen: Seen, before: Sequence[Seen]) -> Moment | None:
    return look_at_message(eye, seen) if seen.message else eye.look_at(seen, before)
