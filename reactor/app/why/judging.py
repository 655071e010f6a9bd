"""A recorded event looked at again: which part of a policy's trigger it does not fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reactor.app.why.reasons import Moment
from reactor.app.why.record import Seen
from reactor.core import scopes
from reactor.core.admission import Verdict
from reactor.core.event import Event
from reactor.core.expr import Expression, Scope
from reactor.core.matching import meant
from reactor.core.policy import EventTrigger, Policy
from reactor.core.text import render_duration

FITS = "it fits"
UNKNOWN = "it cannot be told"

_KEPT = ("guest.name", "guest.host")
"""What of a guest is known of any time; its labels are where the journal knows them."""


@dataclass(frozen=True, slots=True)
class Eye:
    """A policy as it was, a guest as far as it is known, and the host.

    ``labels`` None: nobody knows which the guest had.
    """

    policy: Policy
    guest: str
    labels: Mapping[str, str] | None
    host: Mapping[str, object]

    def look_at(self, seen: Sequence[Seen]) -> list[Moment | None]:
        """What is to be said of each event; None of one that no trigger names."""
        return [self._moment(one, seen[:number]) for number, one in enumerate(seen)]

    def _moment(self, seen: Seen, before: Sequence[Seen]) -> Moment | None:
        """The nearest that a trigger of the policy came to fit this event."""
        found = [
            self._look(trigger, seen, before)
            for trigger in self.policy.triggers
            if isinstance(trigger, EventTrigger) and meant(seen.event, trigger.events)
        ]
        # One that fits says more than one that does not.
        return next((one for one in found if one.verdict == FITS), found[0] if found else None)

    def _look(self, trigger: EventTrigger, seen: Seen, before: Sequence[Seen]) -> Moment:
        event = seen.event

        def moment(
            verdict: str, reason: str = "", values: Mapping[str, object] | None = None
        ) -> Moment:
            return Moment(
                at=seen.at,
                event=event.name,
                verdict=verdict,
                reason=reason,
                path=trigger.path,
                data=event.data,
                values=values or {},
                evaluated=True,
            )

        if self._is_its_own(event):
            return moment(Verdict.OWN.value, "a policy never sees the REACTOR_RUN_* of its runs")
        if event.own and not trigger.own:
            return moment(Verdict.OWN.value, event.name)
        if event.synthetic and not trigger.synthetic:
            return moment(Verdict.SYNTHETIC.value, event.name)
        if trigger.where is not None:
            if lacking := self._not_kept(trigger.where):
                text = f"`{trigger.where.source}` reads {lacking}, which is not kept"
                return moment(UNKNOWN, text)
            scope = self.scope(event)
            answer = trigger.where.holds(scope)
            values = trigger.where.values(scope)
            if not answer.truth:
                text = f"`{trigger.where.source}`: {answer.reason}"
                return moment(Verdict.WHERE_FALSE.value, text, values)
        return moment(FITS, self._what_it_takes(trigger, event, before))

    def _what_it_takes(self, trigger: EventTrigger, event: Event, before: Sequence[Seen]) -> str:
        """Why an event that fits starts no run by itself; empty when it does."""
        if trigger.within is not None:
            lasts = render_duration(trigger.within)
            count = 1 + sum(
                self._counts(trigger, one.event)
                for one in before
                if one.event.received > event.received - trigger.within
            )
            return (
                f"the trigger wants {trigger.count} within {lasts}: it was the {count}. of those "
                "recorded, of all keys and those before the last run included"
            )
        if trigger.sequel is not None:
            second = ", ".join(trigger.sequel.match.events)
            word = "not followed" if trigger.sequel.absent else "followed"
            return f"the trigger wants it {word} by {second}"
        return ""

    def _counts(self, trigger: EventTrigger, event: Event) -> bool:
        if not meant(event, trigger.events) or (event.own and not trigger.own):
            return False
        return trigger.where is None or trigger.where.holds(self.scope(event)).truth

    def _is_its_own(self, event: Event) -> bool:
        return (
            event.name.startswith("REACTOR_RUN_") and event.data.get("policy") == self.policy.name
        )

    def scope(self, event: Event) -> Scope:
        """What ``where`` saw, as far as it is known of that time."""
        values: dict[str, object] = {
            "event": scopes.event_view(event),
            "data": event.data,
            "guest": {
                "name": self.guest,
                "labels": self.labels or {},
                "host": self.host["name"],
            },
            "host": self.host,
        }
        return Scope(values, now=event.received)

    def _not_kept(self, condition: Expression) -> str:
        """The first thing that it reads and that nobody knows any more; empty without one."""
        if "marked(" in condition.source:
            return "marks"
        kept = _KEPT if self.labels is None else (*_KEPT, "guest.labels")
        for read in sorted(condition.reads):
            path = read.partition("[")[0]
            if path.partition(".")[0] == "guest" and not any(
                path == name or path.startswith(f"{name}.") for name in kept
            ):
                return read
        return ""
