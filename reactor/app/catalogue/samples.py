"""Arguments for the examples: those that a command needs, with values that fit."""

from collections.abc import Mapping

from reactor.qapi.facts import AgentArgument
from reactor.qapi.shipped import schema_of, versions
from reactor.qapi.types import AnyOf, Choice, Json, ListOf, Plain, Record, Schema

_GIVEN: Mapping[str, Mapping[str, object]] = {
    "balloon": {"value": 1 << 30},
    "blockdev-add": {"driver": "file", "filename": "/srv/images/data.img", "node-name": "data"},
    "device_add": {"driver": "virtio-blk-pci", "drive": "data", "id": "disk1"},
    "device_del": {"id": "disk1"},
    "dump-guest-memory": {"paging": False, "protocol": "file:/var/crash/web-1.dump"},
    "human-monitor-command": {"command-line": "info block"},
    "migrate": {"uri": "tcp:other-host:4444"},
    "migrate-set-capabilities": {"capabilities": [{"capability": "events", "state": True}]},
    "migrate-set-parameters": {"max-bandwidth": 100 << 20},
    "netdev_add": {"type": "user", "id": "net1"},
    "object-add": {"qom-type": "iothread", "id": "io1"},
    "set-action": {"panic": "pause"},
}
"""Arguments that say more than the first that would do."""

_AGENT_TEXTS = {"path": "/bin/sync", "username": "root"}

_TEXTS = {
    "device": "disk0",
    "filename": "/srv/images/out.img",
    "id": "disk0",
    "job-id": "job0",
    "name": "net0",
    "node": "disk0",
    "node-name": "disk0",
    "path": "/machine",
    "target": "disk1",
}

_PLAIN: Mapping[Json, object] = {
    Json.INT: 1,
    Json.NUMBER: 1,
    Json.BOOLEAN: True,
    Json.NULL: None,
    Json.OBJECT: {},
    Json.ARRAY: [],
}


def agent_sample(argument: AgentArgument) -> object:
    """A value for an argument of a command of the guest agent."""
    text = _AGENT_TEXTS.get(argument.name, "text")
    plain: Mapping[str, object] = {"int": 1, "bool": False, "[str]": [text]}
    if argument.type.startswith("["):
        return plain.get(argument.type, [])
    return plain.get(argument.type, text)


def _text(name: str) -> str:
    return _TEXTS.get(name, "text")


def sample_arguments(command: str) -> Mapping[str, object] | None:
    """What the newest QEMU that has the command demands; None where no schema knows it."""
    if command in _GIVEN:
        return _GIVEN[command]
    for version in reversed(versions()):
        schema = schema_of(version)
        if command in schema.commands:
            return _record(schema, schema.record(schema.commands[command].arguments))
    return None


def _record(schema: Schema, record: Record) -> dict[str, object]:
    """The members that must be there, and those that come with the first value of the tag."""
    found = {
        name: _sample(schema, member.type, name)
        for name, member in record.members.items()
        if not member.optional
    }
    branch = (record.variants or {}).get(str(found.get(record.tag or "", "")))
    return found if branch is None else found | _record(schema, schema.record(branch))


def _sample(schema: Schema, type_name: str, name: str) -> object:
    match schema.types[type_name]:
        case Plain(json):
            return _PLAIN.get(json, _text(name))
        case Choice(values):
            return values[0]
        case ListOf(element):
            return [_sample(schema, element, name)]
        case Record() as record:
            return _record(schema, record)
        case AnyOf(branches):
            plain = (one for one in branches if isinstance(schema.types[one], Plain))
            return _sample(schema, next(plain, branches[0]), name)
