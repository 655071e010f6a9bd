"""An entry of the catalogue as people read it."""

from collections.abc import Iterable, Iterator

from reactor.app.catalogue.entry import Entry, Line, Missed, States
from reactor.cli.screen import Screen
from reactor.qapi.facts import Change, RateLimit
from reactor.qapi.shipped import versions

_LABEL = 14
_ALLOW = {"": "", "always": "`qmp.allow` must name it", "never": "not needed"}
_AGAIN = "it is sent again: twice leaves the same as once"
_IN_DOUBT = "it is not sent again: the guest is asked what became of it"
_KEPT = {"state": "the state that it left", "partial": "a part of it", "none": "nothing of it"}


def show_entry(entry: Entry, screen: Screen) -> None:
    """Print it: a line for each fact, then the members and the example."""
    about = ", ".join(filter(None, (entry.topic, entry.severity)))
    screen.line((entry.name, "bold"), f": {entry.kind}{f' ({about})' if about else ''}")
    screen.line(entry.meaning)
    screen.line()
    last = ""
    for label, text in _facts(entry):
        screen.line(("" if label == last else label).ljust(_LABEL), text)
        last = label
    for title, rows in _sections(entry):
        screen.line()
        screen.line((title, "bold"))
        for row in rows:
            screen.line(f"  {row}")


def _facts(entry: Entry) -> Iterator[tuple[str, str]]:
    facts = (*_life(entry), *_as_event(entry), *_as_command(entry), ("note", entry.note))
    return ((label, text) for label, text in facts if text)


def _life(entry: Entry) -> Iterator[tuple[str, str]]:
    seen = f"; there in {', '.join(entry.versions)}" if entry.versions else ""
    yield "since", f"QEMU {entry.since}{seen}" if entry.since else ""
    instead = f"; use `{entry.replaced_by}`" if entry.replaced_by else ""
    if entry.deprecated:
        yield "deprecated", f"since QEMU {entry.deprecated}{'' if entry.removed else instead}"
    if entry.removed:
        yield "removed", f"in QEMU {entry.removed}{instead}"
    yield "unstable", "QEMU may change it at any time" if entry.unstable else ""


def _as_event(entry: Entry) -> Iterator[tuple[str, str]]:
    yield "needs", entry.requires
    if entry.kind == "event":
        yield from _rate(entry.rate_limit)
    yield "followed by", entry.followed_by
    if entry.missed is not None:
        yield from _missed(entry.missed)


def _rate(limit: RateLimit | None) -> Iterator[tuple[str, str]]:
    if limit is None:
        yield "rate limit", "none"
        return
    each = f" for each {' and '.join(limit.key)}" if limit.key else ""
    seen = ", ".join(limit.present)
    yield "rate limit", f"one in {limit.seconds:g} s{each}, the last of them late; in QEMU {seen}"
    yield "rate limit", limit.exempt
    yield "rate limit", limit.note


def _missed(missed: Missed) -> Iterator[tuple[str, str]]:
    if missed.waits_only:
        yield "when missed", f"no policy starts; an open wait is decided: {missed.shown_by}"
    elif missed.shown_by:
        yield "when missed", f"reactor makes up for it at the next connect: {missed.shown_by}"
    else:
        yield "when missed", "reactor does not make up for it"
    yield "QEMU shows", _KEPT[missed.kept]
    yield from (("QEMU shows", f"{one.query}: {one.condition}") for one in missed.ask)
    yield "QEMU shows", missed.note


def _as_command(entry: Entry) -> Iterator[tuple[str, str]]:
    yield "effect", entry.effect
    yield "sends", ", ".join(entry.sends)
    yield "allow list", _ALLOW.get(entry.allow, f"`qmp.allow` must name it {entry.allow}")
    if entry.idempotent is not None:
        yield "reply lost", _AGAIN if entry.idempotent else _IN_DOUBT
    yield "reply", "none when it succeeds" if entry.silent else ""
    yield "out of band", "possible in QEMU" if entry.overtakes else ""
    yield "limit", f"counts for `limits.{entry.counts_as}`" if entry.counts_as else ""
    if entry.states is not None:
        yield from _guard(entry.states)
    yield "QEMU refuses", entry.refused
    yield "events", entry.events
    yield "better", f"`{entry.better}`, which looks first and waits" if entry.better else ""


def _guard(states: States) -> Iterator[tuple[str, str]]:
    for word, those in (
        ("allowed", states.allowed),
        ("waits", states.waits),
        ("nothing to do", states.nothing_to_do),
        ("refused", states.refused),
    ):
        yield "reactor", f"{word}: {', '.join(those)}" if those else ""


def _sections(entry: Entry) -> Iterator[tuple[str, Iterable[str]]]:
    is_event = entry.kind.startswith("event")
    if entry.members:
        more = ["and others, which are not in QEMU's schema"] if entry.more else []
        yield _title(entry, is_event), [*_lines(entry.members), *more]
    elif entry.versions and not set(entry.versions) & set(versions()):
        known = " and ".join(versions())
        yield "members", [f"not known: only the schemas of QEMU {known} are shipped"]
    if entry.reply:
        yield "reply", _lines(entry.reply)
    elif entry.returns:
        yield "reply", [entry.returns]
    if entry.changes:
        yield "changes", map(_change, entry.changes)
    if entry.example:
        yield "example", entry.example.splitlines()


def _title(entry: Entry, is_event: bool) -> str:
    if not is_event:
        return "arguments"
    hyphens = any("-" in one.way.partition(".<")[0] for one in entry.members)
    return "data (hyphens are underscores in expressions: data.node_name)" if hyphens else "data"


def _lines(lines: Iterable[Line]) -> Iterator[str]:
    rows = list(lines)
    width = min(max(len(one.way) for one in rows), 40)
    return (f"{one.way.ljust(width)}  {_type(one)}" for one in rows)


def _type(line: Line) -> str:
    values = (
        f"{value} (QEMU {', '.join(line.newer[value])})" if value in line.newer else value
        for value in line.values
    )
    notes = [f"{line.type} {'|'.join(values)}".rstrip()]
    notes += ["optional"] if line.optional else []
    notes += ["deprecated"] if line.deprecated else []
    notes += [f"only in QEMU {', '.join(line.versions)}"] if line.versions else []
    if line.like is not None:
        notes.append(f"as `{line.like}`" if line.like else "as the whole")
    return ", ".join(notes)


def _change(change: Change) -> str:
    before, after = change.between
    return f"from {before} to {after}: {change.path}: {_became(change)}"


def _became(change: Change) -> str:
    if not change.before or not change.after:
        return f"new, {change.after}" if change.after else "gone"
    old, new = (_values(text) for text in (change.before, change.after))
    if not old or not new:
        return f"{change.before} -> {change.after}"
    came = [f"new {value}" for value in new if value not in old]
    return ", ".join([*came, *(f"gone {value}" for value in old if value not in new)])


def _values(words: str) -> list[str]:
    """The values of an enum that is told in words; none of any other type."""
    kind, _, values = words.partition(",")[0].partition(" ")
    return values.split("|") if kind == "enum" else []
