"""What is looked at before the daemon serves: rights, limits, policies that cannot work here."""

import resource
from collections.abc import Iterable

import structlog

from reactor.app.settings import Settings
from reactor.core.config import EngineConfig
from reactor.core.policy import MessageTrigger, Policy
from reactor.core.steps import PublishStep
from reactor.policyfile.check import check_allowed
from reactor.policyfile.walking import every, sections

log = structlog.get_logger("reactor")


def raise_file_limit() -> None:
    """Allow as many open files as the system lets us: every monitor is one.

    The usual soft limit of 1,024 is there for programs that use select(2).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def warn_of(policies: Iterable[Policy], config: EngineConfig) -> None:
    """Say which of these policies the settings keep from doing all they say."""
    policies = list(policies)
    for problem in check_allowed(policies, config):
        log.warning(
            "policy not permitted",
            place=str(problem.place),
            code=problem.code.value,
            problem=problem.problem,
            fix=problem.fix,
        )
    if not config.has_broker:
        speakers = [policy.name for policy in policies if _publishes(policy)]
        _miss_broker("no broker configured: nobody hears what policies publish", speakers)
        listeners = [policy.name for policy in policies if _listens(policy)]
        _miss_broker("no broker configured: no message can start these policies", listeners)


def _miss_broker(what: str, policies: Iterable[str]) -> None:
    names = ", ".join(sorted(policies))
    if names:
        log.warning(
            what,
            policies=names,
            fix="name a broker in the settings (mqtt: {url: ...}) or with --mqtt",
        )


def warn_of_nothing(settings: Settings) -> None:
    """Say when the settings name no guest, or no policy: the daemon would run in vain."""
    if not settings.guests and not settings.discoveries:
        log.warning(
            "no guest is named: nothing is watched",
            fix="write guests into the settings, or give --qmp",
        )
    if not settings.rules:
        log.warning(
            "no rules are named: events are journaled, and nothing reacts to them",
            fix="write rules into the settings, or give --rules",
        )


def _publishes(policy: Policy) -> bool:
    found = (located.step for steps in sections(policy) for located in every(steps))
    return any(isinstance(step, PublishStep) for step in found)


def _listens(policy: Policy) -> bool:
    return any(isinstance(trigger, MessageTrigger) for trigger in policy.triggers)
