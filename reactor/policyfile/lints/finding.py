"""How a lint says what it found, and where."""

from reactor.core.policy import Policy
from reactor.errors import Code, Problem, Severity
from reactor.policyfile.walking import Located


def at_step(  # noqa: PLR0913 - what a finding is made of
    located: Located,
    code: Code,
    problem: str,
    fix: str,
    *,
    key: str = "",
    severity: Severity = Severity.WARNING,
) -> Problem:
    """A finding about a step, or about what stands at ``key`` in it, such as ``wait/event/0``."""
    path = located.step.options.path
    below = f"{path}/{key}" if key else path
    return Problem(located.place, code, problem, fix, severity, path=below)


def at_key(  # noqa: PLR0913, PLR0917 - what a finding is made of
    policy: Policy,
    path: str,
    code: Code,
    problem: str,
    fix: str,
    severity: Severity = Severity.WARNING,
) -> Problem:
    """A finding about what stands at this path in the policy, such as ``trigger/where``."""
    return Problem(policy.place, code, problem, fix, severity, path=path)
