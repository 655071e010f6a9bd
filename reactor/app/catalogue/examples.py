"""A policy for each entry that can be copied: a test holds that each of them is sound."""

import json
from collections.abc import Iterable, Sequence

from reactor.app.catalogue.entry import Line
from reactor.app.catalogue.samples import agent_sample, sample_arguments
from reactor.core import catalog
from reactor.core.text import slug
from reactor.qapi.facts import AgentArgument

_SHOWN = 4
_NOTHING = {"string": '""', "enum": '""', "int": "0", "boolean": "false", "number": "0.0"}
"""What stands for a member that is not there, by its type."""

_WAITS = {
    "device_del": (
        "    wait:\n"
        "      event: DEVICE_DELETED\n"
        '      where: data.?device.orValue("") == "disk1"\n'
        "      timeout: 30s"
    ),
    "stop": "    wait: {event: STOP, timeout: 10s}",
    "system_powerdown": "    wait: {event: SHUTDOWN, timeout: 5m}",
}

_AFTERWARDS = {
    "human-monitor-command": (
        "    save: said\n  - check: '!steps.said.result.startsWith(\"Error\")'"
    ),
    "system_reset": "  - qmp: cont",
}
"""What a policy with this command would be wrong without."""

_SWITCH = (
    "arm:\n"
    "  - qmp: migrate-set-capabilities\n"
    "    args: {capabilities: [{capability: events, state: true}]}"
)


def event_example(
    name: str, severity: str, lines: Iterable[Line], *, needs_switch: bool = False
) -> str:
    """A policy that tells people about the event, with the first members of its data.

    Args:
        needs_switch: QEMU sends it only with the capability ``events`` of the migration.
    """
    plain = [one for one in lines if one.type in _NOTHING and not set(".[<") & set(one.way)]
    payload = {"guest": "${guest.name}"} | {
        key: f"${{{_read(one, key)}}}"
        for one in plain[:_SHOWN]
        for key in (one.way.replace("-", "_"),)
    }
    return "\n".join(
        (
            f"policy: tell-{slug(name.replace('_', '-')).lower()}",
            f"description: Tell people about {name}.",
            *([_SWITCH] if needs_switch else []),
            f"trigger: {{event: {name}}}",
            "steps:",
            f"  - publish: alert/{severity}",
            "    payload:",
            *(f"      {key}: '{value}'" for key, value in payload.items()),
        )
    )


def _read(line: Line, key: str) -> str:
    if line.optional or line.versions:
        return f"data.?{key}.orValue({_NOTHING[line.type]})"
    return f"data.{key}"


def command_example(name: str, *, needs_allow: bool) -> str:
    """A policy that sends the command: a question by the clock, else when it is asked for.

    Empty where no shipped schema says which arguments it takes.
    """
    if (arguments := sample_arguments(name)) is None:
        return ""
    step = [f"  - qmp: {name}"]
    if arguments:
        step.append(f"    args: {_flow(arguments)}")
    step += (table[name] for table in (_WAITS, _AFTERWARDS) if name in table)
    above = [f"# in the settings: qmp: {{allow: [{name}]}}"] if needs_allow else []
    if catalog.effect_of(name) is catalog.EffectClass.READ:
        return "\n".join((*above, *_asking(name, "QEMU", step)))
    return "\n".join((*above, *_by_message(slug(name), f"Send {name}"), *step))


def agent_example(name: str, arguments: Sequence[AgentArgument]) -> str:
    """The same for a command of the guest agent."""
    step = [f"  - agent: {name}"]
    needed = {one.name: agent_sample(one) for one in arguments if not one.optional}
    if needed:
        step.append(f"    args: {_flow(needed)}")
    if catalog.agent_effect_of(name) is catalog.EffectClass.READ:
        return "\n".join(_asking(name, "the guest agent", step))
    return "\n".join((*_by_message(name, f"Send {name} to the guest agent"), *step))


def verb_example(name: str, needed: Sequence[str]) -> str:
    """A policy with the verb."""
    action = name.removeprefix("guest: ")
    if action == "preserve-on-panic":
        return "\n".join(
            (
                "policy: dump-panics",
                "description: Dump a guest that panicked, and let it run again.",
                "arm:",
                f"  - {name}",
                "trigger: {event: GUEST_PANICKED}",
                "limits: [3 per 1h per guest]",
                "steps:",
                "  - guest: dump",
                "  - guest: reset",
            )
        )
    above = [f"# in the settings: qmp: {{allow: [{one}]}}" for one in needed]
    return "\n".join((*above, *_by_message(action, f"Verb {action} of a guest,"), f"  - {name}"))


def _by_message(word: str, does: str) -> list[str]:
    return [
        f"policy: do-{word.lower().replace('_', '-')}",
        f"description: {does} when somebody asks for it over MQTT.",
        f"trigger: {{mqtt: request/+/{word}, guest: '${{topic[3]}}'}}",
        "steps:",
    ]


def _asking(name: str, whom: str, step: Sequence[str]) -> list[str]:
    return [
        f"policy: ask-{slug(name).lower().replace('_', '-')}",
        f"description: Ask {whom} every hour with {name}, and tell what it says.",
        "trigger: {every: 1h}",
        "steps:",
        *step,
        "    save: answer",
        f"  - publish: report/{slug(name)}",
        "    payload: {guest: '${guest.name}', answer: '${steps.answer.result}'}",
    ]


def _flow(value: object) -> str:
    """The value as YAML on one line: its plain texts without quotes."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case str() if value.replace("-", "").isalnum() and not value.isdecimal():
            return value
        case _:
            return json.dumps(value)
