"""Names of events and commands that nobody sends or knows."""

from collections.abc import Iterable, Iterator

from reactor.core import catalog
from reactor.core.policy import EventTrigger, Policy
from reactor.core.steps import AgentStep, EventWait, QmpStep, Step, WaitEventStep
from reactor.core.text import closest
from reactor.errors import Code, Place, Problem, Severity
from reactor.policyfile.event_names import no_such_event


def unknown_triggers(policy: Policy) -> Iterator[Problem]:
    """Events of triggers that no QEMU sends."""
    for trigger in policy.triggers:
        if isinstance(trigger, EventTrigger):
            yield from _unknown_events(trigger.events, policy.place, trigger.path)
            if trigger.sequel is not None:
                key = "not_followed_by" if trigger.sequel.absent else "followed_by"
                path = f"{trigger.path}/{key}"
                yield from _unknown_events(trigger.sequel.match.events, policy.place, path)
            for index, cancel in enumerate(trigger.cancel_on):
                path = f"{trigger.path}/cancel_on/{index}"
                yield from _unknown_events(cancel.events, policy.place, path)


def unknown_in_step(step: Step) -> Iterator[Problem]:
    """Events that a step waits for in vain, and an agent's command that no agent has."""
    match step:
        case WaitEventStep(options, wait) | QmpStep(options, _, _, EventWait() as wait):
            yield from _unknown_events(wait.events, options.place, f"{options.path}/wait")
        case AgentStep():
            yield from _unknown_agent_command(step)
        case _:
            pass


def _unknown_events(events: Iterable[str], place: Place, path: str) -> Iterator[Problem]:
    """Names that no QEMU sends; vendors' own begin with two underscores."""
    for index, event in enumerate(events):
        if wrong := no_such_event(event):
            below = f"{path}/event/{index}"
            yield Problem(place, Code.UNKNOWN_NAME, *wrong, Severity.WARNING, path=below)


def _unknown_agent_command(step: AgentStep) -> Iterator[Problem]:
    """Commands that no guest agent has up to QEMU 11.1; vendors may have their own."""
    known = catalog.agent_commands()
    if step.command not in known:
        problem = f"no guest agent up to QEMU 11.1 has the command `{step.command}`"
        guess = closest(step.command, known)
        fix = f"did you mean `{guess}`?" if guess else "look it up with `reactor docs 'guest-*'`"
        options = step.options
        path = f"{options.path}/agent"
        yield Problem(options.place, Code.UNKNOWN_NAME, problem, fix, Severity.WARNING, path=path)
