"""How the daemon itself is: its journal, its queues, its broker."""

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reactor import __version__
from reactor.adapters.control import ControlServer
from reactor.adapters.journal import Journal
from reactor.app.broker import Broker
from reactor.app.clock import Clock
from reactor.app.control.answers import DaemonLine
from reactor.app.dispatcher import Dispatcher
from reactor.app.lacks.judge import Judge
from reactor.app.refusals import Refusals
from reactor.app.rules import Rules
from reactor.app.scheduling import Scheduling
from reactor.app.settings import Settings
from reactor.app.upkeep import Upkeep
from reactor.core.engine import Engine
from reactor.core.policy import Enforcement
from reactor.errors import Severity


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a daemon that operators ask about.

    ``troubles`` answers why monitors cannot be used now, by guest; ``judge`` what policies
    lack on guests.
    """

    settings: Settings
    engine: Engine
    dispatcher: Dispatcher
    journal: Journal
    upkeep: Upkeep
    clock: Clock
    rules: Rules
    broker: Broker | None
    scheduling: Scheduling
    troubles: Callable[[], Mapping[str, str]]
    judge: Judge
    refusals: Refusals


def daemon_line(parts: Parts, server: ControlServer, since: float) -> DaemonLine:
    """The daemon as ``reactor status`` shows it."""
    settings, world = parts.settings, parts.engine.world
    return DaemonLine(
        version=__version__,
        pid=os.getpid(),
        host=settings.host.name,
        since=since,
        now=parts.clock.now(),
        journal=str(parts.journal.path),
        journal_problem=journal_trouble(parts),
        broker=_link(parts.broker),
        broker_url=settings.mqtt.url if settings.mqtt else "",
        policies=len(world.index.policies),
        policy_problems=_rule_errors(parts),
        audit=settings.enforcement is Enforcement.AUDIT,
        waiting=_waiting(parts),
        dropped=_dropped(parts, server),
        journal_figures=parts.upkeep.line(),
        check=_check(settings),
    )


def journal_trouble(parts: Parts) -> str:
    """Why the journal cannot be written; empty when it can."""
    return parts.dispatcher.commits.trouble or parts.journal.problem


def rules_trouble(parts: Parts) -> str:
    """That there are rules which are not in force since they are wrong; empty when all are."""
    errors = _rule_errors(parts)
    if not errors:
        return ""
    counted = "an error" if errors == 1 else f"{errors} errors"
    fix = f"`{_check(parts.settings)}` shows what is wrong"
    return f"the rules have {counted}, so they are not in force as they are written: {fix}"


def _rule_errors(parts: Parts) -> int:
    return sum(problem.severity is Severity.ERROR for problem in parts.rules.problems)


def _check(settings: Settings) -> str:
    """The command line that looks at the same rules, with the same settings."""
    # Several files are found again as the daemon found them: one of them alone is not enough.
    config = ["-c", str(settings.sources[0])] if len(settings.sources) == 1 else []
    return shlex.join(["reactor", "check", *config, *map(str, settings.rules)])


def _link(broker: Broker | None) -> str:
    if broker is None:
        return "none"
    return "connected" if broker.publisher.connected else "away"


def _waiting(parts: Parts) -> Mapping[str, int]:
    figures = parts.journal.statistics()
    return {
        "inputs": parts.dispatcher.waiting,
        "commits": figures.commits_waiting,
        "history": figures.rows_waiting,
        "outbox": parts.journal.outbox.counters()["waiting"],
    }


def _dropped(parts: Parts, server: ControlServer) -> Mapping[str, int]:
    counted = {
        "inputs": parts.dispatcher.dropped,
        "inputs: somebody waited for": parts.dispatcher.missed,
        "history": parts.journal.statistics().history_dropped,
        "derived events": parts.engine.world.derived_dropped,
        "firings: missed": parts.scheduling.schedules.missed,
        "schedules: beyond the bound": parts.scheduling.schedules.refused,
    }
    if parts.broker is not None:
        lost = parts.broker.inbound.dropped
        counted |= {f"messages: {why}": count for why, count in lost.items()}
        counted["own words: overwritten by others"] = parts.broker.own_words.overwritten
        counted["replies: nobody gets them"] = parts.broker.publisher.replies.dropped
        if parts.broker.requests is not None:
            counted |= parts.broker.requests.dropped
    triggers = parts.engine.world.triggers.dropped
    for kind, count in triggers.items():
        # Who reads of messages need not know that triggers count them.
        counted[kind if kind.endswith(("messages", "guest", "policy")) else f"triggers: {kind}"] = (
            count
        )
    outbox = parts.journal.outbox.counters()
    counted |= {f"outbox: {why}": count for why, count in outbox.items() if why != "waiting"}
    counted |= {f"control: {why}": count for why, count in server.refused.items()}
    return {name: count for name, count in counted.items() if count}
