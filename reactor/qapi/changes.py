"""What differs between the schemas of two versions of QEMU, for people to read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reactor.qapi.members import Part, parts_of
from reactor.qapi.types import Command, Event, Schema

_Named = Mapping[str, Event] | Mapping[str, Command]


@dataclass(frozen=True, slots=True)
class PartChange:
    """A member that is another one; ``before`` or ``after`` is None where it is not there."""

    way: str
    before: Part | None
    after: Part | None


@dataclass(frozen=True, slots=True)
class Changed:
    """Names of commands or events: those that came, that went and that QEMU will drop now.

    ``parts`` are the members that changed, by ``NAME``, ``NAME arguments`` and so on.
    """

    new: tuple[str, ...]
    gone: tuple[str, ...]
    deprecated: tuple[str, ...]
    parts: Mapping[str, tuple[PartChange, ...]]


def changed_events(old: Schema, new: Schema) -> Changed:
    """What became of the events, and of the members of their data."""
    parts = {
        name: changed_parts(old, old.events[name].data, new, new.events[name].data)
        for name in sorted(old.events.keys() & new.events.keys())
    }
    return _changed(old.events, new.events, parts)


def changed_commands(old: Schema, new: Schema) -> Changed:
    """What became of the commands, of their arguments and replies."""
    parts: dict[str, tuple[PartChange, ...]] = {}
    for name in sorted(old.commands.keys() & new.commands.keys()):
        was, is_now = old.commands[name], new.commands[name]
        parts[f"{name} arguments"] = changed_parts(
            old, was.arguments, new, is_now.arguments, once=True
        )
        parts[f"{name} reply"] = changed_parts(old, was.reply, new, is_now.reply, once=True)
    return _changed(old.commands, new.commands, parts)


def _changed(old: _Named, new: _Named, parts: Mapping[str, tuple[PartChange, ...]]) -> Changed:
    return Changed(
        new=tuple(sorted(new.keys() - old.keys())),
        gone=tuple(sorted(old.keys() - new.keys())),
        deprecated=tuple(
            name
            for name in sorted(new)
            if new[name].deprecated and not (name in old and old[name].deprecated)
        ),
        parts={name: found for name, found in parts.items() if found},
    )


def changed_parts(
    old: Schema, was: str, new: Schema, is_now: str, *, once: bool = False
) -> tuple[PartChange, ...]:
    """The parts that differ in two types, of one schema each; ``once`` as in ``parts_of``."""
    before, after = parts_of(old, was, once=once), parts_of(new, is_now, once=once)
    return tuple(
        PartChange(way, before.get(way), after.get(way))
        for way in dict.fromkeys((*before, *after))
        if not _same(before.get(way), after.get(way))
    )


def _same(before: Part | None, after: Part | None) -> bool:
    """Whether they are the same to a reader: an enum's order and a way to look up are not."""
    if before is None or after is None:
        return False
    return set(before.values) == set(after.values) and all(
        getattr(before, name) == getattr(after, name) for name in ("type", "optional", "deprecated")
    )


def report(old: Schema, new: Schema) -> Iterator[str]:
    """The differences line by line: ``+`` what came, ``-`` what went, ``~`` what changed."""
    events, commands = changed_events(old, new), changed_commands(old, new)
    for what, changed in (("event", events), ("command", commands)):
        yield from (f"+ {what} {name}" for name in changed.new)
        yield from (f"- {what} {name}" for name in changed.gone)
        yield from (f"~ {what} {name} is deprecated" for name in changed.deprecated)
    for what, changed in (("event", events), ("command", commands)):
        for name, parts in changed.parts.items():
            for part in parts:
                yield f"{_sign(part)} {what} {name} {_told(part)}"


def _sign(part: PartChange) -> str:
    if part.before is None:
        return "+"
    return "-" if part.after is None else "~"


def _told(part: PartChange) -> str:
    before, after = part.before, part.after
    if before is None or after is None:
        there = before or after
        return f"{part.way}: {in_words(there)}" if there else part.way
    told = []
    if before.type != after.type or before.optional != after.optional:
        told.append(f"{in_words(before, short=True)} -> {in_words(after, short=True)}")
    if came := [value for value in after.values if value not in before.values]:
        told.append(f"new {'|'.join(came)}")
    if went := [value for value in before.values if value not in after.values]:
        told.append(f"gone {'|'.join(went)}")
    if before.deprecated != after.deprecated:
        told.append("deprecated" if after.deprecated else "deprecated no more")
    return f"{part.way}: {', '.join(told)}"


def in_words(part: Part, *, short: bool = False) -> str:
    """The type of a part with all that belongs to it: ``enum pause|run, optional``."""
    values = f" {'|'.join(part.values)}" if part.values and not short else ""
    notes = (", optional" if part.optional else "") + (", deprecated" if part.deprecated else "")
    like = f", as `{part.like}`" if part.like else ", as the whole" if part.like == "" else ""
    return f"{part.type}{values}{notes}{like}"
