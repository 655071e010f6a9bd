"""A recorded event looked at again: which part of a policy's trigger it does not fit."""

from collections.abc import Callable, Mapping, Sequence
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

    ``labels`` None: nobody knows which the guest had; ``knows_guest`` False: nobody knows such
    a guest.
    """

    policy: Policy
    guest: str
    labels: Mapping[str, str] | None
    host: Mapping[str, object]
    knows_guest: bool = True

    def look_at(self, seen: Seen, before: Sequence[Seen]) -> Moment | None:
        """The nearest that a trigger of the policy came to fit this event.

        None where none names it. ``before`` is what came before it.
        """
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
            return self.moment(seen, trigger.path, verdict, reason, values)

        if self._is_its_own(event):
            return moment(Verdict.OWN.value, "a policy never sees the REACTOR_RUN_* of its runs")
        if event.own and not trigger.own:
            return moment(Verdict.OWN.value, event.name)
        if event.synthetic and not trigger.synthetic:
            return moment(Verdict.SYNTHETIC.value, event.name)
        if trigger.where is not None:
            judged = self.judge(trigger.where, self.scope(event), moment)
            if judged.verdict != FITS:
                return judged
        return moment(FITS, self._what_it_takes(trigger, event, before))

    def judge(self, where: Expression, scope: Scope, moment: Callable[..., Moment]) -> Moment:
        """What a ``where`` came to: it fits, it does not, or nobody can tell any more.

        Args:
            moment: makes one of a verdict, a reason and the values that were looked at.
        """
        if lacking := self._not_kept(where):
            return moment(UNKNOWN, f"`{where.source}` reads {lacking}, which is not kept")
        answer = where.holds(scope)
        if answer.truth:
            return moment(FITS)
        text = f"`{where.source}`: {answer.reason}"
        return moment(Verdict.WHERE_FALSE.value, text, where.values(scope))

    def moment(
        self,
        seen: Seen,
        path: str,
        verdict: str,
        reason: str = "",
        values: Mapping[str, object] | None = None,
    ) -> Moment:
        """What is said of an event that was looked at again with this policy."""
        return Moment(
            at=seen.at,
            event=seen.event.name,
            verdict=verdict,
            reason=reason,
            path=path,
            data=seen.event.data,
            values=values or {},
            evaluated=True,
            revision=self.policy.revision,
        )

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
            "guest": self.guest_view,
            "host": self.host,
        }
        return Scope(values, now=event.received)

    @property
    def guest_view(self) -> dict[str, object]:
        """``guest`` in expressions, as far as it is known of that time."""
        return {"name": self.guest, "labels": self.labels or {}, "host": self.host["name"]}

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
