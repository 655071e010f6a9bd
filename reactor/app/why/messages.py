"""A recorded MQTT message looked at again: why it started no run of a policy on a guest."""

from collections.abc import Mapping, Sequence

from reactor.app.why.judging import FITS, Eye
from reactor.app.why.reasons import Moment
from reactor.app.why.record import Seen
from reactor.app.why.selecting import selection
from reactor.core import scopes
from reactor.core.admission import Verdict
from reactor.core.expr import EvaluationFailed, Scope
from reactor.core.inputs import Message
from reactor.core.messages import age_problem, named
from reactor.core.policy import MessageTrigger, Policy
from reactor.core.template import render_tree
from reactor.core.text import render_text, slug
from reactor.core.topic_filters import fits


def look_at_message(eye: Eye, seen: Seen) -> Moment | None:
    """What is to be said of a message; None of one that is not about this policy and guest."""
    message = seen.message
    if message is None:
        return None
    for trigger, guest in _meant(eye.policy, message):
        about = guest if guest is not None else _rendered(eye, trigger, seen, message)
        if about is not None and about in {eye.guest, slug(eye.guest)}:
            return _look(eye, trigger, seen, message)
    return None


def _look(eye: Eye, trigger: MessageTrigger, seen: Seen, message: Message) -> Moment:
    """In the order in which the engine decides."""

    def moment(
        verdict: str, reason: str = "", values: Mapping[str, object] | None = None
    ) -> Moment:
        return eye.moment(seen, trigger.path, verdict, reason, values)

    if message.retain:
        return moment(Verdict.RETAINED.value, message.topic)
    if trigger.max_age is not None and (old := age_problem(message, trigger.max_age, seen.at)):
        return moment(Verdict.TOO_OLD.value, old)
    if not eye.knows_guest:
        return moment(Verdict.NO_GUEST.value, f"no guest is called {eye.guest!r}")
    if eye.labels is not None:
        is_selected, text = selection(eye.policy.guests, eye.guest, eye.labels)
        if not is_selected:
            return moment(Verdict.NOT_SELECTED.value, text)
    if trigger.where is None:
        return moment(FITS)
    return eye.judge(trigger.where, _scope(eye, seen, message, is_known=True), moment)


def _scope(eye: Eye, seen: Seen, message: Message, *, is_known: bool) -> Scope:
    """What the trigger saw, as far as it is known of that time; first it knows no guest."""
    values = {**scopes.message_views(message), "host": eye.host}
    if is_known:
        values["guest"] = eye.guest_view
    return Scope(values, now=seen.at)


def _meant(policy: Policy, message: Message) -> Sequence[tuple[MessageTrigger, str | None]]:
    """The policy's triggers for the topic, each with the guest where the topic names it."""
    triggers = [trigger for trigger in policy.triggers if isinstance(trigger, MessageTrigger)]
    found: list[tuple[MessageTrigger, str | None]] = []
    for trigger in triggers:
        topic = message.topic if trigger.absolute else message.below
        if topic and fits(trigger.topic, topic):
            found.append((trigger, None))
    name, guest = named(message)
    if name == policy.name and not found:
        found += [(trigger, guest) for trigger in triggers[:1]]
    return found


def _rendered(eye: Eye, trigger: MessageTrigger, seen: Seen, message: Message) -> str | None:
    """Which guest the trigger says that it is about; None where it says none."""
    try:
        scope = _scope(eye, seen, message, is_known=False)
        return render_text(render_tree(trigger.guest, scope))
    except EvaluationFailed:
        return None
