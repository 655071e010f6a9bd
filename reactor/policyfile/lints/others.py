"""What the policies of a set do for each other: looked up once for all of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from reactor.core.matching import named
from reactor.core.policy import EventTrigger, Policy, Selector
from reactor.core.steps import GuestAction, GuestStep, QmpStep, Step
from reactor.policyfile.lints.selectors import covers

_UNPLUGGED = ("DEVICE_DELETED", "DEVICE_UNPLUG_GUEST_ERROR", "MEM_UNPLUG_ERROR")


@dataclass(frozen=True, slots=True)
class Others:
    """What some policy of the set arms, and whether one hears what comes of an unplug.

    ``pausing`` selects the guests that pause at a panic, ``telling`` those that tell of
    their migrations.
    """

    pausing: tuple[Selector, ...]
    telling: tuple[Selector, ...]
    hear_unplugs: bool

    def pause(self, guests: Selector) -> bool:
        """Whether all these guests pause at a panic."""
        return any(covers(selector, guests) for selector in self.pausing)

    def tell(self, guests: Selector) -> bool:
        """Whether all these guests tell of their migrations."""
        return any(covers(selector, guests) for selector in self.telling)


def others_of(policies: Sequence[Policy]) -> Others:
    """What these do for each other."""
    return Others(
        _arming(policies, preserves),
        _arming(policies, tells),
        any(_hears_unplugs(policy) for policy in policies),
    )


def together(parts: Sequence[Others]) -> Others:
    """What the policies of several parts of a set do for each other."""
    return Others(
        _once(selector for part in parts for selector in part.pausing),
        _once(selector for part in parts for selector in part.telling),
        any(part.hear_unplugs for part in parts),
    )


def _arming(policies: Sequence[Policy], arms: Callable[[Step], bool]) -> tuple[Selector, ...]:
    return _once(policy.guests for policy in policies if any(map(arms, policy.arm)))


def _once(selectors: Iterable[Selector]) -> tuple[Selector, ...]:
    """Each of them once: many policies select the same guests."""
    return tuple(dict.fromkeys(selectors))


def preserves(step: Step) -> bool:
    """Whether the step has QEMU pause at a panic."""
    return (isinstance(step, GuestStep) and step.action is GuestAction.PRESERVE_ON_PANIC) or (
        isinstance(step, QmpStep) and step.command == "set-action"
    )


def tells(step: Step) -> bool:
    """Whether the step may have QEMU tell of migrations."""
    return isinstance(step, QmpStep) and step.command == "migrate-set-capabilities"


def _hears_unplugs(policy: Policy) -> bool:
    return any(
        isinstance(trigger, EventTrigger) and any(named(one, trigger.events) for one in _UNPLUGGED)
        for trigger in policy.triggers
    )
