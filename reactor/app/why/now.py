"""Whether a match of a policy on a guest would start a run now: the order of admission, in words.

Only reads the engine's state. What an event decides, such as its ``where``, is not known
beforehand: the moments beside these findings say what became of the latest events.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reactor.app.why.reasons import Finding, Mark
from reactor.app.why.selecting import selection
from reactor.app.why.waiting import triggers
from reactor.core import scopes
from reactor.core.admission import PolicyState
from reactor.core.by_hand import allowed, command_of, named, only_reads
from reactor.core.expr import Expression
from reactor.core.guest import Guest, Readiness
from reactor.core.holds import hold_sentence, silence_sentence
from reactor.core.policy import Enforcement, EventTrigger, Mode, Policy
from reactor.core.readiness import NOT_SENT
from reactor.core.run import Phase
from reactor.core.runs import enforcement_of
from reactor.core.text import closest, render_duration, render_time
from reactor.core.windows import WindowCounts
from reactor.core.world import World
from reactor.policyfile.lacks import Lack

LACKS = "lacks"
"""The check of what a policy needs and the guest has not."""

KEYS_SHOWN = 20
"""Keys of one guest that are looked at."""

OF_THE_EVENT = frozenset(
    {"event", "data", "trigger", "message", "topic", "run", "vars", "steps", "params"}
)
"""Names in expressions that have no value until there is an event."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A policy and a guest at a time of the engine's clock."""

    world: World
    policy: Policy
    guest: Guest
    now: float

    @property
    def state(self) -> PolicyState:
        """What the policy remembers, or what one knows that has seen nothing."""
        known = self.world.states.get(self.policy.name)
        return known or PolicyState(WindowCounts(self.policy.limits))

    @property
    def keys(self) -> list[str]:
        """The keys that can be told apart: those of which something is remembered."""
        by = any(isinstance(t, EventTrigger) and t.by is not None for t in self.policy.triggers)
        name = self.guest.name
        known = self.state.keys_of(name)
        return known[:KEYS_SHOWN] if by and known else [name]


def findings(
    world: World, policy: str, guest: str, now: float, lacks: Sequence[Lack] = ()
) -> list[Finding]:
    """What stands in the way of a match of this policy on this guest, and what does not.

    In the order of admission. It ends where nothing more can be said: the policy or the guest
    is not known, or is not selected.
    """
    found, subject = _known(world, policy, guest, now)
    if subject is None:
        return found
    found += [_connected(subject), _enforcement(subject)]
    is_selected, text = selection(subject.policy.guests, subject.guest.name, subject.guest.labels)
    found.append(Finding("selected", Mark.OK if is_selected else Mark.NO, text))
    if is_selected:
        found += triggers(world, subject.policy, subject.guest, now)
        found += map(_lack, lacks)
        found += _allowed(subject)
        for look in (_ready, _silence, _hold, _inhibition, _inhibit_if, _debounce):
            found += look(subject)
        for key in subject.keys:
            found += _of_key(subject, key)
        found += _conditions(subject)
    return found


def verdict(found: list[Finding]) -> str:
    """The sentence of all findings: the first that stands in the way decides."""
    first = next((one for one in found if one.mark is Mark.NO), None)
    if first is not None and first.check == LACKS:
        return f"no match can come: {first.text}"
    if first is not None:
        return f"a match now would start no run: {first.text}"
    return "nothing stands in the way of a match now"


def _known(
    world: World, policy: str, guest: str, now: float
) -> tuple[list[Finding], Subject | None]:
    found = []
    loaded = world.index.policies.get(policy) or named(policy)
    if loaded is None:
        guess = _meant(policy, world.index.policies)
        found.append(Finding("policy", Mark.NO, f"no policy is called {policy!r}{guess}"))
    watched = world.guests.get(guest)
    if watched is None or watched.forgotten:
        names = [one.name for one in world.guests.values() if not one.forgotten]
        text = f"no guest is called {guest!r}{_meant(guest, names)}"
        found.append(Finding("guest", Mark.NO, text))
        return found, None
    return found, None if loaded is None else Subject(world, loaded, watched, now)


def _meant(word: str, known: "dict[str, Policy] | list[str]") -> str:
    guess = closest(word, known)
    return f"; did you mean {guess!r}?" if guess else ""


def _connected(subject: Subject) -> Finding:
    guest = subject.guest
    if guest.connected:
        qemu = f", QEMU {guest.facts.qemu_version}" if guest.facts.qemu_version else ""
        return Finding("guest", Mark.OK, f"its monitor is connected; it is {guest.status}{qemu}")
    reason = f": {guest.lost_reason}" if guest.lost_reason else ""
    text = f"its monitor is away since {render_time(guest.since)}{reason}; no event can come"
    return Finding("guest", Mark.NO, text)


def _enforcement(subject: Subject) -> Finding:
    match enforcement_of(subject.world, subject.policy):
        case Enforcement.AUDIT:
            text = "audit: a run is recorded as `would run`, and nothing is done"
            return Finding("enforcement", Mark.NOTE, text)
        case Enforcement.APPROVE:
            return Finding("enforcement", Mark.NOTE, "approve: a run waits for an operator's yes")
        case Enforcement.ENFORCE:
            return Finding("enforcement", Mark.OK, "enforce: a run acts")


def _allowed(subject: Subject) -> Iterator[Finding]:
    """Whether a command by hand may be sent at all."""
    command = command_of(subject.policy.name)
    if not command:
        return
    if allowed(subject.world.config.commands, command):
        yield Finding("commands", Mark.OK, f"`mqtt.commands` lets {command} be sent by hand")
    else:
        text = f"the settings' mqtt.commands do not name {command}"
        yield Finding("commands", Mark.NO, text)


def _lack(lack: Lack) -> Finding:
    # What concerns one trigger or step leaves the others as they are.
    return Finding(LACKS, Mark.NOTE if lack.path else Mark.NO, lack.sentence)


def _ready(subject: Subject) -> Iterator[Finding]:
    policy, guest = subject.policy, subject.guest
    if not policy.arm or enforcement_of(subject.world, policy) is Enforcement.AUDIT:
        yield Finding("ready", Mark.OK, "it needs no arm")
        return
    arming = guest.arming.get(policy.name)
    if arming is None:
        yield Finding("ready", Mark.NO, f"not ready on this guest: {NOT_SENT}")
    elif arming.state is Readiness.READY:
        yield Finding("ready", Mark.OK, "its arm succeeded on this guest")
    elif arming.state is Readiness.ARMING:
        waiting = len(guest.held.get(policy.name, ()))
        yield Finding("ready", Mark.NO, f"it is being armed; {waiting} matches wait for that", None)
    else:
        yield Finding("ready", Mark.NO, f"not ready on this guest: {arming.reason}")


def _silence(subject: Subject) -> Iterator[Finding]:
    if only_reads(subject.policy.name):
        yield Finding("silence", Mark.OK, "it only looks: no hold or silence is against it")
        return
    restraints = subject.world.restraints
    silence = restraints.silence(subject.policy.name, subject.guest.name, subject.now)
    if silence is None:
        yield Finding("silence", Mark.OK, "no silence covers it")
    else:
        yield Finding("silence", Mark.NO, f"silenced: {silence_sentence(silence)}", silence.until)


def _hold(subject: Subject) -> Iterator[Finding]:
    if only_reads(subject.policy.name):
        return
    hold = subject.world.restraints.hold(subject.guest.name, subject.now)
    if hold is None:
        yield Finding("hold", Mark.OK, "nobody holds the guest")
    else:
        yield Finding("hold", Mark.NO, hold_sentence(hold), hold.until)


def _inhibition(subject: Subject) -> Iterator[Finding]:
    if only_reads(subject.policy.name):
        return
    restraints = subject.world.restraints
    row = restraints.inhibition(subject.policy.name, subject.guest.name, subject.now)
    if row is None:
        yield Finding("inhibited", Mark.OK, "no other policy inhibits it")
        return
    until = render_time(row.until)
    text = f"inhibited by {row.by} (run {row.run}) until {until}, as one of `{row.policies}`"
    yield Finding("inhibited", Mark.NO, text, row.until)


def _inhibit_if(subject: Subject) -> Iterator[Finding]:
    for number, condition in enumerate(subject.policy.inhibit_if):
        check = "inhibit_if" if len(subject.policy.inhibit_if) == 1 else f"inhibit_if/{number}"
        if depends_on_event(condition):
            yield Finding(check, Mark.NOTE, f"`{condition.source}` depends on the event")
            continue
        scope = scopes.state_scope(subject.world, subject.guest)
        answer = condition.holds(scope)
        values = condition.values(scope)
        if answer.failed:
            text = f"`{condition.source}` cannot be evaluated, which counts as true"
            yield Finding(check, Mark.NO, f"{text}: {answer.reason}", None, values)
        elif answer.truth:
            yield Finding(check, Mark.NO, f"inhibited: `{condition.source}` holds", None, values)
        else:
            text = f"`{condition.source}` is false: {answer.reason}"
            yield Finding(check, Mark.OK, text, None, values)


def _debounce(subject: Subject) -> Iterator[Finding]:
    rule = subject.policy.debounce
    if rule is None:
        return
    for key in subject.keys:
        row = subject.state.debounced.get(key)
        if row is not None:
            text = f"{row.count} matches wait for quiet until {render_time(row.due)}"
            yield Finding("debounce", Mark.NOTE, f"{text}{_key(subject, key)}", row.due)
            return
    quiet = render_duration(rule.quiet)
    yield Finding("debounce", Mark.OK, f"a run starts {quiet} after the last match")


def _of_key(subject: Subject, key: str) -> Iterator[Finding]:
    yield from _busy(subject, key)
    yield from _cooldown(subject, key)
    yield from _limits(subject, key)


def _busy(subject: Subject, key: str) -> Iterator[Finding]:
    policy, state, whose = subject.policy, subject.state, _key(subject, key)
    line = list(state.open.get(key, ()))
    if not line:
        yield Finding("mode", Mark.OK, f"no run is open{whose}")
        return
    first = subject.world.runs.get(line[0])
    phase = first.phase if first else Phase.RUNNING
    stands = f"run {line[0]} is open ({phase.value}){whose}"
    match policy.mode:
        case Mode.SINGLE:
            yield Finding("mode", Mark.NO, f"busy: {stands}")
        case Mode.RESTART:
            yield Finding("mode", Mark.NOTE, f"{stands}: a new run takes its place")
        case Mode.QUEUED:
            full = len(line) > policy.max
            text = f"{stands}; {len(line) - 1} of at most {policy.max} wait"
            yield Finding("mode", Mark.NO if full else Mark.NOTE, text)
        case Mode.PARALLEL:
            full = len(line) >= policy.max
            text = f"{len(line)} of at most {policy.max} are open{whose}"
            yield Finding("mode", Mark.NO if full else Mark.NOTE, text)


def _cooldown(subject: Subject, key: str) -> Iterator[Finding]:
    cooldown = subject.policy.cooldown
    if cooldown is None:
        return
    whose, last = _key(subject, key), subject.state.starts.last(key)
    length = render_duration(cooldown)
    if last is None:
        yield Finding("cooldown", Mark.OK, f"no start is remembered (cooldown {length}){whose}")
        return
    until = last + cooldown
    started = f"the last run started at {render_time(last)}{whose}"
    if subject.now >= until:
        yield Finding("cooldown", Mark.OK, f"{started}, longer ago than {length}")
    else:
        left = render_duration(round(until - subject.now, 1))
        text = f"cooling down: {left} left of {length}; {started}"
        yield Finding("cooldown", Mark.NO, text, until)


def _limits(subject: Subject, key: str) -> Iterator[Finding]:
    values = subject.world.values_of(subject.guest.name, key)
    for usage in subject.state.counts.usage(values, subject.now):
        text = f"{usage.used} of `{usage.limit.text}` used{_key(subject, key)}"
        if usage.frees_at is None:
            yield Finding("limits", Mark.OK, text)
        else:
            text = f"limited: {text}; the next place is free at {render_time(usage.frees_at)}"
            yield Finding("limits", Mark.NO, text, usage.frees_at)
    for limit in subject.policy.limits:
        if limit.window is None:
            used = subject.state.slots_taken(limit, values)
            text = f"{used} of `{limit.text}` taken"
            if used < limit.count:
                yield Finding("limits", Mark.OK, text)
            else:
                yield Finding("limits", Mark.NOTE, f"{text}: a run would wait for its turn")


def _conditions(subject: Subject) -> Iterator[Finding]:
    conditions = subject.policy.conditions
    for number, condition in enumerate(conditions):
        check = "if" if len(conditions) == 1 else f"if/{number}"
        if depends_on_event(condition):
            yield Finding(check, Mark.NOTE, f"`{condition.source}` depends on the event")
            continue
        scope = scopes.state_scope(subject.world, subject.guest)
        answer = condition.holds(scope)
        values = condition.values(scope)
        if answer.truth:
            yield Finding(check, Mark.OK, f"`{condition.source}` holds now", None, values)
        else:
            # The guest is asked again when a run begins, and the event may change it.
            text = f"`{condition.source}` is false now: {answer.reason}; it is asked at the start"
            yield Finding(check, Mark.NOTE, text, None, values)


def depends_on_event(condition: Expression) -> bool:
    """Whether there is no telling before an event is there; room on a disk is asked then too."""
    roots = {read.partition(".")[0].partition("[")[0] for read in condition.reads}
    return bool(roots & OF_THE_EVENT) or "host.free" in condition.source


def _key(subject: Subject, key: str) -> str:
    return "" if key == subject.guest.name else f" for the key {key}"
