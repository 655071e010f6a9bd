"""What is looked at before the daemon serves: rights, limits, policies that cannot work here."""

import resource
import sys
from collections.abc import Iterable
from dataclasses import replace

import structlog

from reactor.app.broker_files import file_problems
from reactor.app.settings import Settings
from reactor.core.policy import MessageTrigger, Policy, Selector
from reactor.core.steps import PublishStep
from reactor.errors import Problem
from reactor.policyfile.check import check_allowed
from reactor.policyfile.walking import every, sections

SWITCH_S = 0.0001

log = structlog.get_logger("reactor")


def raise_file_limit() -> None:
    """Allow as many open files as the system lets us: every monitor is one.

    The usual soft limit of 1,024 is there for programs that use select(2).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def share_the_interpreter() -> None:
    """Let the threads of this process take short turns.

    As long as a turn of the loop lasts, a commit waits at each of its dozen statements, and
    the loop waits for the journal's thread. Python's own 5 ms are longer than the commit.
    """
    sys.setswitchinterval(SWITCH_S)


def not_permitted(policies: Iterable[Policy], settings: Settings) -> tuple[Problem, ...]:
    """What the settings keep these policies from doing on guests that they name.

    A policy that asks for a label which no guest has needs no permission yet: nobody who
    leaves it alone is to be bothered with it.
    """
    meant = (policy for policy in policies if _may_have_guests(policy.guests, settings))
    return check_allowed(meant, settings.engine_config())


def of_broker(settings: Settings) -> list[Problem]:
    """What is wrong with the files that the settings name for the broker; warnings, all of them."""
    options = settings.mqtt_options()
    if options is None:
        return []
    return list(file_problems(options, str(settings.sources[0]) if settings.sources else "mqtt"))


def _may_have_guests(selector: Selector, settings: Settings) -> bool:
    """Whether a guest of the settings can be meant; of one that is found the name is open."""
    found = replace(selector, names=(), excludes=_by_labels_alone(selector.excludes))
    nobody = not settings.guests and not settings.discoveries
    return (
        nobody  # they may come with `--qmp`, or be written down later
        or any(selector.selects(guest.name, guest.labels) for guest in settings.guests)
        or any(found.selects("", discovery.labels) for discovery in settings.discoveries)
    )


def _by_labels_alone(excludes: Selector | None) -> Selector | None:
    return None if excludes is None or excludes.names else excludes


def warn_of(policies: Iterable[Policy], settings: Settings) -> None:
    """Say which of these policies the settings keep from doing all they say."""
    policies = list(policies)
    for problem in not_permitted(policies, settings):
        log.warning(
            "policy not permitted",
            place=str(problem.place),
            code=problem.code.value,
            problem=problem.problem,
            fix=problem.fix,
        )
    if settings.mqtt is None:
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


def warn_of_clock(set_by: float) -> None:
    """Say that the time of day was set since the first start on this boot, by so many seconds."""
    if set_by:
        way = "ahead" if set_by > 0 else "back"
        log.warning(
            "the time of day was set",
            place="the clock of this host",
            problem=f"it was set {way} by {abs(set_by):.3f} s since reactor first started on "
            "this boot",
            fix="nothing is late or early: deadlines, and the times that are told, go by the "
            "time as it was counted before, until the host is booted",
        )


def _publishes(policy: Policy) -> bool:
    found = (located.step for steps in sections(policy) for located in every(steps))
    return any(isinstance(step, PublishStep) for step in found)


def _listens(policy: Policy) -> bool:
    return any(isinstance(trigger, MessageTrigger) for trigger in policy.triggers)
