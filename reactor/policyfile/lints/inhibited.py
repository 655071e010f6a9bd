"""Policies that a step holds off, and that nobody has."""

from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase

from reactor.core.policy import Policy
from reactor.core.steps import InhibitStep
from reactor.core.text import closest
from reactor.errors import Code, Problem, Severity
from reactor.policyfile.lints.finding import at_step
from reactor.policyfile.walking import every, sections


def unknown_inhibited(
    policies: Sequence[Policy], names: Collection[str]
) -> Iterator[tuple[Policy, Problem]]:
    """The names and globs of `inhibit` that no other policy has.

    A note where no name is near: the policy may be in another folder.

    Args:
        names: those of all policies, sound or not.
    """
    for policy in policies:
        for located in (one for steps in sections(policy) for one in every(steps)):
            globs = located.step.policies if isinstance(located.step, InhibitStep) else ()
            for index, glob in enumerate(globs):
                others = [name for name in names if name != policy.name]
                if glob == "*" or any(fnmatchcase(name, glob) for name in others):
                    continue
                guess = closest(glob, others)
                problem = f"no policy here is called `{glob}`: nothing is held off"
                if glob == policy.name:
                    problem = "a policy never holds itself off: use `cooldown`, or `limits`"
                fix = f"did you mean `{guess}`?" if guess else "write the name of another policy"
                severity = Severity.WARNING if guess else Severity.NOTE
                key, code = f"inhibit/policies/{index}", Code.NOBODY_INHIBITED
                yield policy, at_step(located, code, problem, fix, key=key, severity=severity)
