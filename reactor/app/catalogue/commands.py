"""What is known of QEMU's commands, and of those of the guest agent."""

from reactor.app.catalogue.entry import Entry, Line
from reactor.app.catalogue.examples import agent_example, command_example
from reactor.app.catalogue.guards import states_of
from reactor.app.catalogue.lines import lines_of
from reactor.app.catalogue.verbs import better_than
from reactor.core import catalog, guest_ops
from reactor.qapi.facts import facts
from reactor.qapi.types import Schema

SOMETIMES = {
    "migrate": "where it goes to `exec:`, `file:` or `channels`",
    "dump-guest-memory": "where its `protocol` is no file that `guest: dump` could write to",
}
"""When commands need the allow list that mostly do not."""


def command_entry(name: str) -> Entry:
    """All about a command of QEMU."""
    known = facts().commands[name]

    def arguments(schema: Schema) -> str | None:
        return schema.commands[name].arguments if name in schema.commands else None

    def reply(schema: Schema) -> str | None:
        return schema.commands[name].reply if name in schema.commands else None

    rule = guest_ops.RAW_RULES.get(name)
    return Entry(
        name=name,
        kind="command",
        meaning=known.meaning,
        since=known.since,
        deprecated=known.deprecated,
        removed=known.removed,
        replaced_by=known.replaced_by,
        unstable=known.unstable,
        versions=known.present,
        effect=catalog.effect_of(name).value,
        allow="always" if catalog.needs_allow(name) else SOMETIMES.get(name, "never"),
        idempotent=catalog.is_idempotent(name),
        overtakes=known.oob,
        counts_as=catalog.limited_as(name) or "",
        better=better_than(name),
        states=None if rule is None else states_of(rule),
        refused=known.refused,
        events=known.events,
        members=lines_of(arguments, once=True),
        more=known.open,
        reply=lines_of(reply, once=True),
        note=known.note,
        example=command_example(name, needs_allow=catalog.needs_allow(name)),
    )


def agent_entry(name: str) -> Entry:
    """All about a command of the guest agent."""
    known = facts().agent[name]
    return Entry(
        name=name,
        kind="command of the guest agent",
        meaning=known.meaning,
        since=known.since,
        effect=catalog.agent_effect_of(name).value,
        idempotent=catalog.agent_is_idempotent(name),
        silent=not catalog.agent_replies(name),
        members=tuple(
            Line(one.name, _in_words(one.type), optional=one.optional) for one in known.arguments
        ),
        returns=_in_words(known.returns),
        note=known.note,
        example=agent_example(name, known.arguments),
    )


def _in_words(name: str) -> str:
    """A type as the agent's schema names it, in the words of all others."""
    if name.startswith("["):
        return f"list of {_in_words(name[1:-1])}"
    return {"str": "string", "bool": "boolean"}.get(name, name)
