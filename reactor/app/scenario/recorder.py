"""Watches the effects of an engine, and notes what policies did, reached and refused."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reactor.app.scenario.deeds import Deed
from reactor.app.scenario.steps_of import Spot, spots
from reactor.core.effect import (
    CallAgent,
    CallHttp,
    Effect,
    EventSeen,
    Execute,
    Log,
    MarkCleared,
    MarkSet,
    Publish,
    Reply,
    RunChanged,
    StartProgram,
    Trace,
)
from reactor.core.marks import Mark
from reactor.core.policy import Policy
from reactor.core.steps import GuestDump, InhibitStep, LogStep, PublishStep
from reactor.core.template import Template, Tree

TRACES_MAX = 20_000
"""Traces kept for explaining a failure; later ones are counted only."""

_GUEST = "guest: "


@dataclass(slots=True)
class _Begun:
    """A step that is under way; ``counted`` once its `guest:` effect is noted."""

    verb: str
    counted: bool = False


class Recorder:
    """What was done, what was reached, why what was not.

    Args:
        start: the first moment, in seconds since the epoch.
        dumps_folder: what dumps may be written relative to.
    """

    def __init__(self, policies: Iterable[Policy], start: float, dumps_folder: str) -> None:
        self.deeds: list[Deed] = []
        self.reached: set[tuple[str, str]] = set()
        self.started: set[str] = set()
        self.traces: list[Trace] = []
        self.traces_dropped = 0
        self.replies: list[Reply] = []
        self._start = start
        self._dumps_folder = dumps_folder
        self._begun: dict[tuple[str, str], _Begun] = {}
        self._policies: dict[str, str] = {}
        self._failed_steps: dict[str, str] = {}
        self._targets: dict[str, str] = {}
        self._spots: Mapping[str, Mapping[str, Spot]] = {
            policy.name: {spot.path: spot for spot in spots(policy)} for policy in policies
        }

    def see(self, now: float, effect: Effect) -> None:  # noqa: C901 - one case for each kind
        """Note an effect."""
        # What is done before the start, at the connect, counts as done at the start.
        at = max(0.0, now - self._start)
        match effect:
            case Trace():
                self._trace(at, effect)
            case Execute() | CallAgent():
                self._command(at, effect)
            case CallHttp():
                self._http(at, effect)
            case StartProgram():
                self._note(at, "exec", {"exec": [effect.program, *effect.arguments]}, effect)
            case Publish():
                self._publish(at, effect)
            case Log() if effect.step:
                self._log(at, effect)
            case MarkSet(mark) if mark.run:
                self._mark(at, "mark", mark)
            case MarkCleared(mark):
                self._mark(at, "clear", mark)
            case _:
                self._told(at, effect)

    def _told(self, at: float, effect: Effect) -> None:
        match effect:
            case RunChanged():
                self._run(at, effect)
            case EventSeen(event) if event.name == "REACTOR_RUN_FAILED":
                self._failed(event.data)
            case Reply():
                self.replies.append(effect)
            case _:
                pass

    # ------------------------------------------------------------ effects

    def _command(self, at: float, effect: Execute | CallAgent) -> None:
        """A command, and the `guest:` step that it is the first command of."""
        if not effect.step:
            return  # a guard asks
        begun = self._begun.get((effect.run, effect.step))
        inner = begun is not None and begun.verb.startswith(_GUEST)
        if begun is not None and inner and not begun.counted:
            begun.counted = True
            self._guest(at, begun.verb.removeprefix(_GUEST), effect)
        verb = "qmp" if isinstance(effect, Execute) else "agent"
        members = {verb: effect.command, "args": dict(effect.arguments)}
        self._note(at, verb, members, effect)
        self.deeds[-1] = dataclasses.replace(self.deeds[-1], inner=inner)

    def _guest(self, at: float, action: str, effect: Execute | CallAgent) -> None:
        members: dict[str, object] = {"guest": action}
        written: dict[str, object] = {}
        step = self._step(effect)
        if isinstance(step, GuestDump):
            members["to"] = str(effect.arguments.get("protocol", "")).removeprefix("file:")
            members["format"] = effect.arguments.get("format")
            folder = f"{self._dumps_folder}/"
            written["to"] = (_written(step.to), str(members["to"]).removeprefix(folder))
        self._note(at, "guest", members, effect, written)

    def _http(self, at: float, effect: CallHttp) -> None:
        request: dict[str, object] = {"method": effect.method, "url": effect.url}
        if effect.has_body:
            request["json"] = effect.json
        if effect.headers:
            request["headers"] = dict(effect.headers)
        self._note(at, "http", {"http": request}, effect)

    def _publish(self, at: float, effect: Publish) -> None:
        members = {
            "publish": effect.topic,
            "payload": effect.payload,
            "qos": effect.qos,
            "retain": effect.retain,
            "properties": dict(effect.properties),
        }
        step = self._step(effect)
        written = (
            {"publish": _written(step.topic), "payload": _written(step.payload)}
            if isinstance(step, PublishStep)
            else {}
        )
        self._note(at, "publish", members, effect, written)

    def _log(self, at: float, effect: Log) -> None:
        step = self._step(effect)
        written = {"log": _written(step.text)} if isinstance(step, LogStep) else {}
        self._note(at, "log", {"log": effect.text}, effect, written)

    def _mark(self, at: float, verb: str, mark: Mark) -> None:
        told = {mark.kind.value: mark.id, "as": mark.word, "reason": mark.reason}
        self.deeds.append(Deed(at, verb, {verb: told}, mark.guest, mark.policy, mark.run))

    def _run(self, at: float, effect: RunChanged) -> None:
        self._policies[effect.run] = effect.policy
        self.started.add(effect.policy)
        if effect.ended is not None and effect.role == "run":
            members = {"run": effect.policy, "outcome": effect.outcome}
            if effect.error:
                members |= {"error": effect.error}
            self.deeds.append(Deed(at, "run", members, effect.guest, effect.policy, effect.run))
            self._name_failed_step(effect.run)

    def _failed(self, data: Mapping[str, object]) -> None:
        """A run failed: its event alone says at which step."""
        run = str(data.get("run", ""))
        self._failed_steps[run] = str(data.get("step", ""))
        self._name_failed_step(run)

    def _name_failed_step(self, run: str) -> None:
        """Put the step into the effect, whichever of the two was told first."""
        step = self._failed_steps.get(run)
        for place, deed in enumerate(self.deeds):
            if step and deed.verb == "run" and deed.run == run:
                members = {**deed.members, "failed_step": step}
                self.deeds[place] = dataclasses.replace(deed, members=members)

    def _note(
        self,
        at: float,
        verb: str,
        members: Mapping[str, object],
        effect: "_OfStep",
        written: Mapping[str, object] | None = None,
    ) -> None:
        policy = self._policies.get(effect.run, "")
        known = self._targets.get(effect.run, "")
        target = known if isinstance(effect, Publish) else effect.guest
        self.deeds.append(
            Deed(at, verb, members, target, policy, effect.run, effect.step, written or {})
        )

    def _step(self, effect: "_OfStep") -> object:
        policy = self._policies.get(effect.run, "")
        spot = self._spots.get(policy, {}).get(effect.step)
        return None if spot is None else spot.step

    # ------------------------------------------------------------ traces

    def _trace(self, at: float, trace: Trace) -> None:
        if len(self.traces) < TRACES_MAX:
            self.traces.append(trace)
        else:
            self.traces_dropped += 1
        if trace.run:
            self._policies[trace.run] = trace.policy
            self._targets[trace.run] = trace.guest
        key = (trace.run, trace.path)
        match trace.verdict:
            case "begun":
                self._begun[key] = _Begun(trace.reason)
                self.reached.add((trace.policy, trace.path))
            case "taken":
                self.reached.add((trace.policy, trace.path))
            case "done":
                self._inhibited(at, trace)
            case _:
                pass

    def _inhibited(self, at: float, trace: Trace) -> None:
        spot = self._spots.get(trace.policy, {}).get(trace.path)
        if spot is not None and isinstance(spot.step, InhibitStep):
            told = {"policies": list(spot.step.policies), "for": spot.step.seconds}
            self.deeds.append(
                Deed(at, "inhibit", {"inhibit": told}, trace.guest, trace.policy, trace.run)
            )


_OfStep = Execute | CallAgent | CallHttp | StartProgram | Publish | Log


def _written(tree: Tree) -> object:
    """A value as the policy writes it."""
    match tree:
        case Template():
            return tree.source
        case list() | tuple():
            return [_written(item) for item in tree]
        case dict():
            return {key: _written(item) for key, item in tree.items()}
        case _:
            return tree
