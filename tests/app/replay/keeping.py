"""A host in virtual time whose inputs, commands and runs are kept as a journal keeps them."""

from collections.abc import Iterable, Iterator, Mapping

from reactor.adapters.journal import HistoryRow, InputRow
from reactor.app.records import (
    Asked,
    Asking,
    answer_row,
    asked_as,
    input_row,
    intent_row,
    outcome_row,
    rulebook_row,
)
from reactor.app.replay.differences import Difference
from reactor.app.replay.journal import line_of
from reactor.app.replay.recording import Head, Line, Ran, Sent, Text
from reactor.app.replay.replaying import Replayed, Request, replay
from reactor.app.replay.tally import Tally, Wanted
from reactor.core.config import EngineConfig
from reactor.core.effect import CallAgent, CallHttp, Effect, EventSeen, Execute, StartProgram
from reactor.core.inputs import Answered, Happened, Input
from reactor.core.policy import Policy
from tests.core.simulation import Host, policy


class KeptHost(Host):
    """What a record of this host would hold: ``lines``, ``sent``, ``texts`` and ``ran``."""

    def __init__(
        self,
        policies: Iterable[Policy | str] = (),
        guests: Iterable[str] = ("web-1",),
        config: EngineConfig | None = None,
        labels: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.lines: list[Line] = []
        self.sent: dict[str, tuple[float, Sent]] = {}
        self.texts: dict[str, Text] = {}
        self.ran: list[Ran] = []
        self.tally = Tally(ended=self.ran.append)
        self._asked: dict[str, Asked] = {}
        self._starting = [policy(p) if isinstance(p, str) else p for p in policies]
        self._started = False
        super().__init__(self._starting, guests, config, labels)

    def _take(self, effects: Iterable[Effect]) -> None:
        effects = list(effects)
        if not self._started:
            self._started = True
            self._keep_book(starts=True)
        for effect in effects:
            self.tally.watch(self.now, effect)
            if isinstance(effect, Asking):
                self._asked[effect.id] = asked_as(effect)
            if isinstance(effect, Execute) and not effect.changes:
                continue
            if isinstance(effect, Execute | CallAgent | CallHttp | StartProgram):
                row = intent_row(self.now, effect)
                self.sent[row.id] = self.now, Sent(row.id, row.guest, row.command, row.run)
        super()._take(effects)

    def give(self, input_: Input) -> list[Effect]:
        """Hand one input to the engine now, and keep it."""
        place = len(self.lines)
        self.lines.append(Line(self.now, input_))
        effects = super().give(input_)
        self.lines[place] = self._line(input_, effects)
        return effects

    def load(self, policies: Iterable[Policy | str]) -> None:
        """Replace the loaded policies."""
        self.policies = [policy(p) if isinstance(p, str) else p for p in policies]
        self._keep_book(starts=False)
        super().load(self.policies)

    def restart(self, *, connect: bool = True) -> "KeptHost":
        """Kill the daemon and start it again."""
        self._keep_book(starts=True)
        super().restart(connect=connect)
        return self

    def _keep_book(self, *, starts: bool) -> None:
        policies = self.policies
        row = rulebook_row(self.now, policies, self.config, starts=starts)
        self.lines.append(_read(row))
        for one in policies:
            self.texts[one.revision] = Text(one.name, one.revision, one.source)

    def _line(self, input_: Input, effects: Iterable[Effect]) -> Line:
        if isinstance(input_, Happened):
            own = [e.event for e in effects if isinstance(e, EventSeen) and e.event.own]
            input_ = Happened(own[0]) if own else input_
        if not isinstance(input_, Answered):
            return _read(input_row(self.now, input_))
        guest, asked, _ = self._asked.get(input_.id, Asked())
        if input_.id in self.sent:
            at, sent = self.sent[input_.id]
            row = outcome_row(self.now, input_)
            told = Sent(
                sent.id, sent.guest, sent.command, sent.run, row.outcome, "", ended=self.now
            )
            self.sent[input_.id] = at, told
        return _read(answer_row(self.now, input_, guest, asked))

    # ------------------------------------------------------------ as a record

    def beforehand(self) -> Iterator[Line]:
        """Texts, commands, runs, and all inputs."""
        yield from (Line(0.0, text=text) for text in self.texts.values())
        yield from (Line(at, sent=sent) for at, sent in self.sent.values())
        yield from (Line(ran.at, run=ran) for ran in [*self.ran, *self.tally.open_runs()])
        yield from self.lines


class Kept:
    """The record of a kept host, to be replayed."""

    label = "kept"

    def __init__(self, host: KeptHost, *, whole: bool = True) -> None:
        self._host, self._whole = host, whole

    def head(self) -> Head:
        """Of a whole record, or one that does not say so: that one is simulated."""
        return Head(1, "abc123", whole=self._whole)

    def beforehand(self) -> Iterator[Line]:
        """Texts, commands, runs, and all inputs."""
        return self._host.beforehand()

    def lines(self) -> Iterator[Line]:
        """The inputs in their order."""
        return iter(self._host.lines)

    def close(self) -> None:
        """There is nothing to close."""


def _read(row: InputRow) -> Line:
    line = line_of(HistoryRow(0, row.at, row.guest, row.kind, row.name, row.body))
    assert line is not None
    return line


def replayed(
    host: KeptHost,
    policies: Iterable[Policy | str] | None = None,
    *,
    simulated: bool = False,
    wanted: Wanted | None = None,
) -> Replayed:
    """What these policies would have done; None: those of then, word for word."""
    built = None
    if policies is not None:
        built = [policy(p) if isinstance(p, str) else p for p in policies]
    request = Request(policies=built, wanted=wanted or Wanted(), compares=True)
    return replay([Kept(host, whole=not simulated)], request)


def readable(differing: Iterable[Difference]) -> list[str]:
    """Differences as a failing test shows them."""
    return [f"{one.at:.3f}: then {one.then}\n    now {one.now}" for one in differing]
