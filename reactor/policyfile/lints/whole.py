"""All lints of a policy, and of steps whatever stands around them."""

from collections.abc import Collection, Container, Iterator, Sequence
from itertools import chain

from reactor.core.policy import Policy
from reactor.core.steps import Step
from reactor.errors import Problem
from reactor.policyfile.lints.bounds import unlimited
from reactor.policyfile.lints.branches import (
    needless_handler,
    never_in_policy,
    never_in_step,
    shadowed,
    unreachable,
)
from reactor.policyfile.lints.commands import lost_jobs, odd_commands, silent_migrations
from reactor.policyfile.lints.counts import mixed_counts, rate_limited
from reactor.policyfile.lints.inhibited import unknown_inhibited
from reactor.policyfile.lints.loops import loops
from reactor.policyfile.lints.names import unknown_in_step, unknown_triggers
from reactor.policyfile.lints.opposing import opposed
from reactor.policyfile.lints.others import Others
from reactor.policyfile.lints.paths import open_paths
from reactor.policyfile.lints.shells import open_shells
from reactor.policyfile.lints.states import (
    hasty_resumes,
    left_stopped,
    old_status,
    resumed_panics,
    stands_still,
    unarmed,
)
from reactor.policyfile.lints.waits import (
    endless_waits,
    late_waits,
    unawaited_unplugs,
    unchecked_success,
)
from reactor.policyfile.walking import Steps, sections, sequences


def lint_policy(policy: Policy, keys: Container[str], others: Others) -> Iterator[Problem]:
    """The warnings and notes about a sound policy; those of its runbooks stand at these.

    Args:
        keys: the keys that its document has.
        others: what the policies of the set do for it.
    """
    yield from chain(
        unknown_triggers(policy),
        never_in_policy(policy),
        needless_handler(policy),
        rate_limited(policy),
        mixed_counts(policy),
        old_status(policy),
        unarmed(policy, others),
        left_stopped(policy),
        stands_still(policy),
        resumed_panics(policy),
        hasty_resumes(policy),
        unlimited(policy),
        silent_migrations(policy, others),
        unawaited_unplugs(policy, others),
        open_paths(policy),
        open_shells(policy),
        endless_waits(policy) if "timeout" not in keys else (),
    )
    for section in filter(None, sections(policy)):
        yield from lint_steps(section)


def lint_rest(policy: Policy) -> Iterator[Problem]:
    """The warnings and notes that hold whatever stood where something is wrong.

    Args:
        policy: what is sound of a policy.
    """
    yield from chain(
        unknown_triggers(policy),
        never_in_policy(policy),
        rate_limited(policy),
        mixed_counts(policy),
        old_status(policy),
        open_paths(policy),
        open_shells(policy),
    )
    for section in filter(None, sections(policy)):
        yield from odd_commands(section)
        for sequence in sequences(section):
            for step in sequence:
                yield from _of_one(step)


def _of_one(step: Step) -> Iterator[Problem]:
    yield from unknown_in_step(step)
    yield from never_in_step(step)
    yield from shadowed(step)


def lint_set(
    policies: Sequence[Policy], names: Collection[str]
) -> Iterator[tuple[Policy, Problem]]:
    """The warnings about policies that are sound one by one, each at one of them.

    Args:
        names: those of all policies, sound or not.
    """
    yield from opposed(policies)
    yield from loops(policies)
    yield from unknown_inhibited(policies, names)


def lint_steps(steps: Steps) -> Iterator[Problem]:
    """The warnings about steps of a policy or of a runbook, whatever stands around them."""
    yield from odd_commands(steps)
    yield from unchecked_success(steps)
    yield from lost_jobs(steps)
    for sequence in sequences(steps):
        for step in sequence:
            yield from _of_one(step)
        yield from late_waits(sequence)
        yield from unreachable(sequence)
