"""Effects as lines of the operator's log."""

from collections.abc import Iterable

import structlog
from structlog.typing import FilteringBoundLogger

from reactor.app.metrics.tally import Tally
from reactor.core.effect import Effect, Log, MarkCleared, MarkSet, RunChanged, Trace

_AS_MEANT = frozenset({"succeeded", "skipped", "stopped", "would run"})


class Teller:
    """Tells the operator's log what happens, and counts it."""

    def __init__(self) -> None:
        self.tally = Tally()

    def tell(self, effects: Iterable[Effect]) -> None:
        """Those of the effects that are worth a line."""
        # Found once for all of them: to find it takes a third of the time of a line.
        log: FilteringBoundLogger = structlog.get_logger("reactor").bind()
        for effect in effects:
            if isinstance(effect, RunChanged):
                self.tally.run(effect)
                _tell_run(effect, log)
            elif isinstance(effect, Trace):
                self.tally.trace(effect)
                _tell_trace(effect, log)
            elif isinstance(effect, Log):
                _tell_line(effect, log)
            elif isinstance(effect, MarkSet):
                mark = effect.mark
                log.info("mark set", guest=mark.guest, mark=mark.key, reason=mark.reason)
            elif isinstance(effect, MarkCleared):
                log.info("mark cleared", guest=effect.mark.guest, mark=effect.mark.key)


def _tell_line(effect: Log, log: FilteringBoundLogger) -> None:
    """What a `log` step, an operator or the engine says."""
    say = {"warning": log.warning, "debug": log.debug}.get(effect.level, log.info)
    fields = {"policy": effect.policy, "guest": effect.guest, "run": effect.run}
    known = {name: value for name, value in fields.items() if value}
    say(effect.title, text=effect.text, **known)


def _tell_trace(trace: Trace, log: FilteringBoundLogger) -> None:
    """Why something was or was not done."""
    fields = {"policy": trace.policy, "guest": trace.guest, "path": trace.path}
    if trace.run:
        fields["run"] = trace.run
    if trace.reason:
        fields["reason"] = trace.reason
    # The steps of a run are told by the run itself; a match that was refused
    # has nobody else to tell it.
    say = log.debug if trace.run else log.info
    say("trace", verdict=trace.verdict, **fields)


def _tell_run(run: RunChanged, log: FilteringBoundLogger) -> None:
    """Each step of a run as it begins, and how the run ended."""
    fields = {"run": run.run, "policy": run.policy, "guest": run.guest}
    if run.ended is not None:
        say = log.info if run.outcome in _AS_MEANT else log.warning
        what = "run" if run.role == "run" else "on_limit"
        line = "audit: would run" if run.outcome == "would run" else f"{what} {run.outcome}"
        say(line, **fields, **({"reason": run.error} if run.error else {}))
    elif run.step:
        log.info("run at step", **fields, step=run.step, verb=run.verb)
