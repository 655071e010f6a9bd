"""The JSON Schema for editors, and what it has to say about what the reader says."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from reactor.policyfile.check import load_text
from reactor.policyfile.event_shapes import known_events
from reactor.policyfile.json_schema import json_schema
from reactor.policyfile.nodes import Dictionary, plain
from reactor.policyfile.reader import read
from reactor.qapi.facts import facts

# It has no types; the check-jsonschema tool brings it.
jsonschema: Any = importlib.import_module("jsonschema")
SCHEMA = json_schema()
NAMES = {name for name in SCHEMA["$defs"] if name[0].islower()}
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
RULES = Path(__file__).resolve().parents[2] / "rules"
HEAD = "policy: p\ndescription: d\n"
TRIGGER = "trigger: {event: RESET}\n"
STEPS = "steps: [{log: x}]\n"
BOOK = "runbook: r\ndescription: d\nparams: {a: integer}\nsteps: [{log: '${params.a}'}]\n"


def accepted_by_schema(text: str) -> bool:
    """Whether an editor would underline nothing."""
    roots = [document.root for document in read(text, "f").documents]
    assert all(isinstance(root, Dictionary) for root in roots)
    return all(VALIDATOR.is_valid(plain(root)) for root in roots)


def accepted_by_reader(text: str) -> bool:
    """Whether everything would be loaded."""
    return load_text(text, "f").is_sound


def test_the_schema_is_one() -> None:
    """Draft 2020-12, as JSON."""
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["title"] == "reactor policy file"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_every_key_is_described() -> None:
    """An editor that points at a key has something to show."""
    models = {name: one for name, one in SCHEMA["$defs"].items() if name not in NAMES}
    bare = [
        f"{name}.{key}"
        for name, model in models.items()
        for key, value in model["properties"].items()
        if "description" not in value and "enum" not in value
    ]
    assert bare == []
    assert all("description" in model for model in models.values())


def test_nothing_of_python_is_in_the_schema() -> None:
    """No defaults that are null, no names of classes for people."""
    text = json.dumps(SCHEMA)
    assert '"default": null' not in text
    assert '"type": "null"' not in text
    assert [name for name, one in SCHEMA["$defs"].items() if "title" in one] == []


def test_defaults_are_written_as_in_a_policy() -> None:
    """What an editor offers can be taken as it stands."""
    keys = SCHEMA["$defs"]["Policy"]["properties"]
    defaults = {key: value["default"] for key, value in keys.items() if value.get("default")}
    assert defaults == {"enforcement": "enforce", "mode": "single", "max": 10, "timeout": "1h"}


@pytest.mark.parametrize("path", sorted(RULES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_policies_fit(path: Path) -> None:
    """Editor and reader both take what we ship."""
    text = path.read_text(encoding="utf-8")
    assert accepted_by_schema(text)
    assert accepted_by_reader(text)


GOOD = [
    pytest.param(HEAD + TRIGGER + STEPS, id="the least"),
    pytest.param(HEAD + "trigger: [{event: [RESET, 'B_*']}]\n" + STEPS, id="lists"),
    pytest.param(HEAD + TRIGGER + STEPS + "if: true\n", id="a boolean as condition"),
    pytest.param(HEAD + TRIGGER + STEPS + "if: [true, 'false']\n", id="conditions"),
    pytest.param(HEAD + TRIGGER + STEPS + "timeout: 1d2h3m4s5ms\n", id="every unit"),
    pytest.param(HEAD + TRIGGER + STEPS + "timeout: 1.5h\n", id="a fraction"),
    pytest.param(HEAD + TRIGGER + STEPS + "timeout: 5ms\n", id="milliseconds only"),
    pytest.param(HEAD + TRIGGER + STEPS + "limits: [1 at once per key]\n", id="at once"),
    pytest.param(HEAD + TRIGGER + STEPS + "limits: [5 per 10m per host]\n", id="per time"),
    pytest.param(HEAD + TRIGGER + STEPS + "guests: {}\n", id="no selector"),
    pytest.param(
        HEAD + TRIGGER + STEPS + "guests: {name: a, labels: {b: [c]}, except: {name: [d]}}\n",
        id="selector",
    ),
    pytest.param(
        HEAD + TRIGGER + STEPS + "arm: [{guest: preserve-on-panic}, {qmp: x}]\n", id="arm"
    ),
    pytest.param(HEAD + TRIGGER + "steps: [{guest: dump, format: elf}]\n", id="dump"),
    pytest.param(
        HEAD + TRIGGER + "steps: [{wait: {event: A}}, {wait: {until: 'true'}}]\n", id="wait"
    ),
    pytest.param(
        HEAD + TRIGGER + "steps: [{qmp: a, args: {b: [1, {c: null}]}, wait: {event: A}}]\n",
        id="qmp",
    ),
    pytest.param(
        HEAD + TRIGGER + "steps: [{mark: {host: self, as: x, expires: 1d}}, {clear: {disk: y}}]\n",
        id="marks",
    ),
    pytest.param(
        HEAD + TRIGGER + "steps: [{publish: a, payload: [1], qos: 0, topic: absolute}]\n",
        id="publish",
    ),
    pytest.param(
        HEAD + TRIGGER + "steps: [{delay: 5s, retry: {times: 100, backoff: 1s}, save: a_1}]\n",
        id="options",
    ),
    pytest.param(HEAD + STEPS + "trigger: {event: A, count: 5, within: 1m}\n", id="count"),
    pytest.param(
        HEAD + STEPS + "trigger: {event: A, followed_by: {event: B, within: 1m, by: data.x},"
        " cancel_on: [C, {event: D, where: true}], own: true, synthetic: false}\n",
        id="sequence",
    ),
    pytest.param(
        HEAD + STEPS + "trigger: {event: A, not_followed_by: {event: B, within: 1m},"
        " cancel_on: C}\n",
        id="absence",
    ),
    pytest.param(
        HEAD + STEPS + "trigger: [{state: true}, {state: guest.migrating, for: 0s}]\n", id="state"
    ),
    pytest.param(
        HEAD + STEPS + "trigger: [{schedule: 0 3 * * *, timezone: UTC, jitter: 5s},"
        " {schedule: '@daily', catch_up: 0s}, {every: 15m, jitter: 1s}]\n",
        id="schedules",
    ),
    pytest.param(
        HEAD + STEPS + "trigger: [{mqtt: a/+, guest: '${topic[2]}', where: true, max_age: 5s},"
        " {mqtt: /a, guest: b, topic: absolute}]\n",
        id="messages",
    ),
    pytest.param(
        HEAD + TRIGGER + STEPS + "debounce: {quiet: 5s, at_most: 1m}\napproval: {ask: x}\n"
        "inhibit_if: ['true']\nmode: restart\nenforcement: approve\n",
        id="admission",
    ),
    pytest.param(HEAD + TRIGGER + STEPS + "debounce: 5s\napproval: {}\n", id="in short"),
    pytest.param(
        HEAD + TRIGGER + "steps: [{choose: [{when: true, steps: [{log: x}]},"
        " {default: [{parallel: [[{log: x}], [{log: y}]]}]}]},"
        " {repeat: {times: 3, backoff: [1s, 2s], until: 'true'}, steps: [{log: x}]}]\n",
        id="steps inside of steps",
    ),
    pytest.param(
        HEAD + TRIGGER + "steps: [{http: {url: 'http://x', json: [1], headers: {A: b},"
        " expect: [200, 201], method: PUT}}, {exec: [/x, a]}, {agent: a, args: {b: 1}},"
        " {inhibit: {policies: x, for: 1h}}, {wait: {stays: true, for: 1m, timeout: 2m}},"
        " {run: preserve, with: {reason: x}}, {guest: destroy}]\n",
        id="the other verbs",
    ),
    pytest.param(HEAD + TRIGGER + "steps: [{run: r, with: {a: 1}}]\n---\n" + BOOK, id="a runbook"),
]


@pytest.mark.parametrize("text", GOOD)
def test_good_policies_fit_both(text: str) -> None:
    """Nobody complains."""
    assert accepted_by_reader(text)
    assert accepted_by_schema(text)


BAD = [
    pytest.param("description: d\n" + TRIGGER + STEPS + "policy: P\n", id="name"),
    pytest.param("policy: p\n" + TRIGGER + STEPS, id="no description"),
    pytest.param("policy: p\ndescription: ' '\n" + TRIGGER + STEPS, id="blank description"),
    pytest.param(HEAD + STEPS, id="no trigger"),
    pytest.param(HEAD + TRIGGER + "steps: []\n", id="no step"),
    pytest.param(HEAD + "trigger: {event: reset}\n" + STEPS, id="event in small letters"),
    pytest.param(HEAD + "trigger: {event: []}\n" + STEPS, id="no event"),
    pytest.param(HEAD + TRIGGER + STEPS + "colour: red\n", id="unknown key"),
    pytest.param(HEAD + TRIGGER + STEPS + "if:\n", id="a key without its value"),
    pytest.param(HEAD + TRIGGER + STEPS + "if: 5\n", id="a number as condition"),
    pytest.param(HEAD + TRIGGER + STEPS + "max: 0\n", id="max below"),
    pytest.param(HEAD + TRIGGER + STEPS + "max: 1001\n", id="max above"),
    pytest.param(HEAD + TRIGGER + STEPS + "max: '5'\n", id="max as text"),
    pytest.param(HEAD + TRIGGER + STEPS + "timeout: 30\n", id="no unit"),
    pytest.param(HEAD + TRIGGER + STEPS + "timeout: 30 s\n", id="a blank in a duration"),
    pytest.param(HEAD + TRIGGER + STEPS + "timeout: 5m1h\n", id="units mixed up"),
    pytest.param(HEAD + TRIGGER + STEPS + "timeout: ''\n", id="no duration"),
    pytest.param(HEAD + TRIGGER + STEPS + "limits: [3 per 1h per fleet]\n", id="fleet, later"),
    pytest.param(HEAD + TRIGGER + STEPS + "limits: [0 at once per host]\n", id="limit of none"),
    pytest.param(HEAD + TRIGGER + STEPS + "limits: 1 at once per host\n", id="limit, no list"),
    pytest.param(HEAD + TRIGGER + STEPS + "guests: {except: {}}\n", id="empty except"),
    pytest.param(HEAD + TRIGGER + STEPS + "guests: {labels: {a: true}}\n", id="label"),
    pytest.param(HEAD + TRIGGER + STEPS + "arm: [{guest: reset}]\n", id="arm with a reset"),
    pytest.param(HEAD + TRIGGER + STEPS + "arm: [{log: x}]\n", id="arm with a log"),
    pytest.param(HEAD + TRIGGER + STEPS + "vars: {A: 1}\n", id="name of a var"),
    pytest.param(HEAD + TRIGGER + "steps: [{}]\n", id="no verb"),
    pytest.param(HEAD + TRIGGER + "steps: [{log: x, fail: y}]\n", id="two verbs"),
    pytest.param(HEAD + TRIGGER + "steps: [{log: x, to: y}]\n", id="option of another verb"),
    pytest.param(HEAD + TRIGGER + "steps: [{guest: reset, to: y}]\n", id="target of a reset"),
    pytest.param(HEAD + TRIGGER + "steps: [{wait: {}}]\n", id="wait for nothing"),
    pytest.param(
        HEAD + TRIGGER + "steps: [{wait: {event: A, until: 'true'}}]\n", id="wait for both"
    ),
    pytest.param(HEAD + TRIGGER + "steps: [{qmp: a, wait: {until: 'true'}}]\n", id="until on qmp"),
    pytest.param(HEAD + TRIGGER + "steps: [{qmp: '${x}'}]\n", id="command as template"),
    pytest.param(HEAD + TRIGGER + "steps: [{mark: {disk: a}}]\n", id="mark without a word"),
    pytest.param(HEAD + TRIGGER + "steps: [{mark: {as: a}}]\n", id="mark on nothing"),
    pytest.param(
        HEAD + TRIGGER + "steps: [{clear: {disk: a, port: b}}]\n", id="clear on two things"
    ),
    pytest.param(HEAD + TRIGGER + "steps: [{publish: a, qos: 3}]\n", id="qos"),
    pytest.param(HEAD + TRIGGER + "steps: [{publish: a, topic: x}]\n", id="topic"),
    pytest.param(HEAD + TRIGGER + "steps: [{log: x, save: A}]\n", id="save"),
    pytest.param(HEAD + TRIGGER + "steps: [{log: x, retry: {times: 0}}]\n", id="retry"),
    pytest.param(HEAD + TRIGGER + "steps: [{log: x, on_error: stop}]\n", id="on_error"),
    pytest.param(HEAD + STEPS + "trigger: {event: A, count: 5}\n", id="count without within"),
    pytest.param(HEAD + STEPS + "trigger: {event: A, within: 5s}\n", id="within without count"),
    pytest.param(HEAD + STEPS + "trigger: {event: A, cancel_on: B}\n", id="nothing to cancel"),
    pytest.param(
        HEAD + STEPS + "trigger: {event: A, followed_by: {event: B, within: 1m},"
        " not_followed_by: {event: B, within: 1m}}\n",
        id="both sequels",
    ),
    pytest.param(HEAD + STEPS + "trigger: {event: A, followed_by: {event: B}}\n", id="no end"),
    pytest.param(HEAD + STEPS + "trigger: {event: A, state: true}\n", id="two kinds"),
    pytest.param(HEAD + STEPS + "trigger: {event: A, for: 1m}\n", id="for of an event"),
    pytest.param(HEAD + STEPS + "trigger: {schedule: 0 3 * *}\n", id="four fields"),
    pytest.param(HEAD + STEPS + "trigger: {every: 1m, timezone: UTC}\n", id="zone of every"),
    pytest.param(HEAD + STEPS + "trigger: {mqtt: a}\n", id="message about nobody"),
    pytest.param(HEAD + STEPS + "trigger: {mqtt: /a, guest: b}\n", id="a slash first"),
    pytest.param(HEAD + TRIGGER + STEPS + "mode: serial\n", id="mode"),
    pytest.param(HEAD + TRIGGER + STEPS + "debounce: {at_most: 5s}\n", id="no quiet"),
    pytest.param(HEAD + TRIGGER + STEPS + "approval: true\n", id="approval"),
    pytest.param(HEAD + TRIGGER + "steps: [{guest: rboot}]\n", id="guest action"),
    pytest.param(HEAD + TRIGGER + "steps: [{choose: []}]\n", id="no way"),
    pytest.param(HEAD + TRIGGER + "steps: [{choose: [{when: true}]}]\n", id="no steps"),
    pytest.param(
        HEAD + TRIGGER + "steps: [{choose: [{when: true, steps: [{lg: x}]}]}]\n", id="inside"
    ),
    pytest.param(HEAD + TRIGGER + "steps: [{repeat: {times: 3}}]\n", id="nothing to repeat"),
    pytest.param(HEAD + TRIGGER + "steps: [{parallel: [{log: x}]}]\n", id="no lists"),
    pytest.param(HEAD + TRIGGER + "steps: [{log: x, steps: [{log: y}]}]\n", id="steps of a log"),
    pytest.param(HEAD + TRIGGER + "steps: [{exec: [logger]}]\n", id="program without a path"),
    pytest.param(HEAD + TRIGGER + "steps: [{exec: ['/${x}']}]\n", id="program as template"),
    pytest.param(HEAD + TRIGGER + "steps: [{http: {json: 1}}]\n", id="no url"),
    pytest.param(HEAD + TRIGGER + "steps: [{http: {url: x, timeout: 5s}}]\n", id="its timeout"),
    pytest.param(HEAD + TRIGGER + "steps: [{wait: {stays: true}}]\n", id="stays for no time"),
    pytest.param(HEAD + TRIGGER + "steps: [{inhibit: {for: 1h}}]\n", id="inhibit nobody"),
    pytest.param(HEAD + TRIGGER + "steps: [{run: R}]\n", id="name of a runbook"),
    pytest.param("runbook: r\ndescription: d\n", id="a runbook without steps"),
    pytest.param(BOOK + "trigger: {event: A}\n", id="a runbook with a trigger"),
    pytest.param(BOOK.replace("integer", "text"), id="type of a param"),
    pytest.param(BOOK.replace("{a: integer}", "{a: {default: 1}}"), id="a param without type"),
]


@pytest.mark.parametrize("text", BAD)
def test_bad_policies_fit_neither(text: str) -> None:
    """Both complain."""
    assert not accepted_by_reader(text)
    assert not accepted_by_schema(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(HEAD + TRIGGER + STEPS + "if: guest.staus == 1\n", id="expression"),
        pytest.param(HEAD + TRIGGER + STEPS + "timeout: 0s\n", id="no time"),
        pytest.param(HEAD + TRIGGER + STEPS + "timeout: 99999d\n", id="too long"),
        pytest.param(HEAD + TRIGGER + "steps: [{publish: /a}]\n", id="topic"),
        pytest.param(HEAD + TRIGGER + "steps: [{guest: dump, format: zip}]\n", id="format"),
        pytest.param(HEAD + TRIGGER + "steps: [{mark: {host: x, as: y}}]\n", id="id of a host"),
        pytest.param(
            HEAD + TRIGGER + "steps: [{log: x, save: a}, {log: x, save: a}]\n", id="saved twice"
        ),
        pytest.param(HEAD + TRIGGER + "steps: [{log: x, name: '${a}'}]\n", id="name"),
        pytest.param(HEAD + STEPS + "trigger: {schedule: 61 3 * * *}\n", id="minute"),
        pytest.param(
            HEAD + STEPS + "trigger: {schedule: '@daily', timezone: xy}\n", id="time zone"
        ),
        pytest.param(HEAD + STEPS + "trigger: {mqtt: a/#/b, guest: c}\n", id="topic filter"),
        pytest.param(HEAD + STEPS + "trigger: {every: 1m, jitter: 2m}\n", id="jitter"),
        pytest.param(HEAD + TRIGGER + "steps: [{run: nobody}]\n", id="runbook"),
        pytest.param(HEAD + TRIGGER + "steps: [{http: {url: 'ftp://x'}}]\n", id="url"),
        pytest.param(
            HEAD + TRIGGER + "steps: [{choose: [{default: [{log: x}]}, {when: true, steps:"
            " [{log: x}]}]}]\n",
            id="behind default",
        ),
        pytest.param(BOOK.replace("integer", "{type: integer, default: x}"), id="default"),
    ],
)
def test_what_only_the_reader_knows(text: str) -> None:
    """JSON Schema cannot say it; `reactor check` does."""
    assert not accepted_by_reader(text)
    assert accepted_by_schema(text)


def offered(kind: str) -> dict[str, str]:
    """The names that an editor offers, with what it tells about them."""
    names, _ = SCHEMA["$defs"][kind]["anyOf"]
    return dict(zip(names["enum"], names["enumDescriptions"], strict=True))


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        pytest.param("events", "GUEST_PANICKED", "guest kernel panicked; QEMU 1.5", id="event"),
        pytest.param("events", "REACTOR_MARK_SET", "an event of reactor itself", id="our own"),
        pytest.param("commands", "blockdev-mirror", "a job that copies a disk", id="command"),
        pytest.param("agent", "guest-ping", "nothing: it shows", id="command of the agent"),
    ],
)
def test_names_are_offered_with_what_is_known(kind: str, name: str, told: str) -> None:
    """In the order of the alphabet; where a policy may write others, too."""
    assert offered(kind)[name].startswith(told)
    assert list(offered(kind)) == sorted(offered(kind))


def test_all_names_of_the_catalogue_are_offered() -> None:
    """Those that are gone say so."""
    assert offered("events").keys() == known_events()
    assert offered("commands").keys() == facts().commands.keys()
    assert offered("agent").keys() == facts().agent.keys()
    gone = {name: one for name, one in facts().commands.items() if one.removed}
    assert gone
    assert all(
        f"removed in {one.removed}" in offered("commands")[name] for name, one in gone.items()
    )


def arguments(command: str) -> Any:  # noqa: ANN401 - any JSON
    """What an editor knows of the arguments of a command; None where it knows nothing."""
    for condition in SCHEMA["$defs"]["QmpStep"]["allOf"]:
        if condition["if"]["properties"]["qmp"]["const"] == command:
            return resolved(condition["then"]["properties"]["args"])
    return None


def resolved(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """The definition that is meant, with what is said beside its name."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return {**SCHEMA["$defs"][name], **schema} if name else schema


def test_arguments_are_offered_with_their_types() -> None:
    """Those of a union's branches, too, and what is inside of them."""
    mirror = arguments("blockdev-mirror")["properties"]
    assert mirror["device"] == {"description": "string"}
    assert mirror["speed"] == {"description": "int, may be left out"}
    assert {"enum": ["background", "write-blocking"]} in resolved(mirror["copy-mode"])["anyOf"]
    added = arguments("blockdev-add")["properties"]
    assert {"driver", "node-name", "filename", "server"} <= added.keys()
    actions = resolved(arguments("transaction")["properties"]["actions"])
    assert {"type", "data"} <= resolved(actions["items"])["properties"].keys()
    assert arguments("query-status") is None


def test_no_argument_is_ever_marked() -> None:
    """A template may stand for anything, and another QEMU may take another thing."""
    steps = []
    for command in sorted(facts().commands)[::8]:
        args = dict.fromkeys((arguments(command) or {}).get("properties", {}), "${guest.name}")
        steps.append({"qmp": command, "args": {**args, "x-of-a-newer-qemu": [1]}})
    assert accepted_by_schema(HEAD + TRIGGER + f"steps: {json.dumps(steps)}\n")


def test_patterns_of_the_schema_are_anchored() -> None:
    """A pattern of JSON Schema matches anywhere unless it says otherwise."""
    patterns = re.findall(r'"pattern": "([^"]*)"', json.dumps(SCHEMA))
    loose = {pattern for pattern in patterns if not (pattern[0] == "^" and pattern[-1] == "$")}
    assert loose == {r"\\S"}
