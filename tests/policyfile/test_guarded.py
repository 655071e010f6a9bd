"""What an earlier condition has asked for or read is there: no note says that it may be absent."""

import itertools

import pytest

from reactor.core.cel_facts import Facts, where_computed, where_not_true, where_true
from reactor.core.cel_tree import Node
from reactor.core.expr import STEPS, Scope, compile_expression
from reactor.errors import Code
from reactor.policyfile.check import load_text

NODE = "{qmp: block_resize, args: {node-name: '${data.node_name}', size: 5}}"
TIER = "{exec: [/bin/x, '${guest.labels.tier}']}"
INFO = "{exec: [/bin/x, '${data.info.type}']}"
HAS = '{if: has(data.node_name), log: "${data.node_name}"}'


def notes(keys: str, steps: str) -> list[str]:
    """Where something is said to be absent maybe, in a policy with these keys and steps."""
    text = f"policy: p\ndescription: d\n{keys}\nsteps: {steps}\ntimeout: 1h\n"
    loaded = load_text(text, "f")
    assert loaded.is_sound, loaded.problems
    return [one.path for one in loaded.problems if "may be absent" in one.problem]


IO = "trigger: {event: BLOCK_IO_ERROR}"
NAMED = "trigger: {event: BLOCK_IO_ERROR, where: has(data.node_name)}"
PANIC = "trigger: {event: GUEST_PANICKED}"


LABELS = "guests: {labels: {tier: [prod, stage]}"
DEMANDS = 'guest.labels.tier == "prod"'


@pytest.mark.parametrize(
    ("keys", "steps", "paths"),
    [
        pytest.param(
            f"{LABELS}}}\n{IO}\nif: {DEMANDS}\ninhibit_if: {DEMANDS}\n"
            "arm: [{qmp: set-action, args: {panic: '${guest.labels.tier}'}}]",
            f"[{TIER}]",
            [],
            id="a label that the policy selects by",
        ),
        pytest.param(
            f"{LABELS}}}\ntrigger: [{{event: STOP, where: '{DEMANDS}', by: guest.labels.tier,"
            f" followed_by: {{event: RESUME, where: '{DEMANDS}', within: 1m}}}},"
            f" {{state: '{DEMANDS}'}},"
            f" {{mqtt: x, guest: a, where: '{DEMANDS}'}}]",
            "[{log: x}]",
            [],
            id="in each trigger",
        ),
        pytest.param(
            f"guests: {{except: {{labels: {{tier: prod}}}}}}\n{IO}",
            f"[{TIER}]",
            ["steps/0/exec/1"],
            id="not one that it must not have",
        ),
        pytest.param(IO, f"[{NODE}]", ["steps/0/args"], id="nobody asks"),
        pytest.param(NAMED, f"[{NODE}]", [], id="the trigger"),
        pytest.param(
            NAMED, f"[{NODE.replace('data.', 'trigger.data.')}]", [], id="by its other name"
        ),
        pytest.param(
            "trigger: {event: BLOCK_IO_ERROR, by: data.node_name}",
            f"[{NODE}]",
            ["trigger/by"],
            id="a match without its key is refused",
        ),
        pytest.param(
            "trigger: [{event: BLOCK_IO_ERROR, where: has(data.node_name)},"
            " {event: BLOCK_IO_ERROR, where: has(data.qom_path)}]",
            f"[{NODE}]",
            ["steps/0/args"],
            id="one of two triggers",
        ),
        pytest.param(
            "trigger: {event: STOP, followed_by: {event: BLOCK_IO_ERROR,"
            " where: has(data.node_name), within: 1m}}",
            f"[{NODE.replace('data.', 'trigger.next.data.')}]",
            [],
            id="the second event",
        ),
        pytest.param(
            "trigger: {event: BLOCK_IO_ERROR, where: has(data.node_name), followed_by:"
            " {event: BLOCK_IO_ERROR, where: data.node_name == trigger.data.node_name,"
            " by: data.node_name, within: 1m}}",
            "[{log: x}]",
            ["trigger/followed_by/where"],
            id="the first event's is not the second's",
        ),
        pytest.param(
            f"{IO}\nif: [has(data.node_name), data.node_name == 'x']",
            f"[{NODE}]",
            [],
            id="the if of the policy",
        ),
        pytest.param(
            f"{IO}\nif: has(data.node_name)\ninhibit_if: data.node_name == 'x'\n"
            "vars: {n: '${data.node_name}'}",
            "[{log: x}]",
            ["inhibit_if"],
            id="what inhibits is asked before",
        ),
        pytest.param(IO, f"[{NODE[:-1]}, if: has(data.node_name)}}]", [], id="the step's own if"),
        pytest.param(IO, f"[{HAS}, {NODE}]", ["steps/1/args"], id="not the if of another step"),
        pytest.param(IO, f"[{{check: has(data.node_name)}}, {NODE}]", [], id="a check before"),
        pytest.param(
            IO,
            f"[{{check: has(data.node_name), on_error: continue}}, {NODE}]",
            ["steps/1/args"],
            id="one that may fail",
        ),
        pytest.param(
            IO,
            f"[{{check: has(data.node_name), if: guest.migrating}}, {NODE}]",
            ["steps/1/args"],
            id="one that is not always asked",
        ),
        pytest.param(
            IO,
            f'[{{if: "!has(data.node_name)", stop: no node}}, {NODE}]',
            [],
            id="who has none has gone",
        ),
        pytest.param(
            IO,
            f"[{{fail: no node, if: guest.migrating}}, {NODE}]",
            ["steps/1/args"],
            id="who goes for another reason",
        ),
        pytest.param(
            IO,
            f'[{{choose: [{{when: "!has(data.node_name)", steps: [{{log: x}}]}},'
            f" {{default: [{NODE}]}}]}}]",
            [],
            id="the other way of a choose",
        ),
        pytest.param(
            IO,
            f"[{{choose: [{{when: has(data.node_name), steps: [{NODE}]}},"
            f" {{default: [{NODE}]}}]}}, {NODE}]",
            ["steps/0/choose/1/default/0/args", "steps/1/args"],
            id="its own way alone",
        ),
        pytest.param(
            IO,
            f"[{{if: has(data.node_name), repeat: {{times: 2}}, steps: [{NODE}]}}]",
            [],
            id="all that is inside",
        ),
        pytest.param(
            NAMED,
            "[{wait: {event: BLOCK_IO_ERROR, where: data.node_name == 'x', timeout: 1m}}]",
            ["steps/0/wait/where"],
            id="in a wait data is another event's",
        ),
        pytest.param(IO, f"[{{check: has(guest.labels.tier)}}, {TIER}]", [], id="a label"),
        pytest.param(
            f'{IO}\nif: \'"tier" in guest.labels && guest.labels.tier == "x"\'',
            f"[{TIER}]",
            [],
            id="a label by in",
        ),
        pytest.param(PANIC, f"[{{check: has(data.info)}}, {INFO}]", [], id="a member of a map"),
        pytest.param(
            PANIC, f"[{{check: has(data.info) && has(data.info.type)}}, {INFO}]", [], id="and below"
        ),
        pytest.param(
            PANIC,
            '[{check: has(data.info)}, {exec: [/bin/x, "${data.info.core}"]}]',
            ["steps/1/exec/1"],
            id="not what is below",
        ),
        pytest.param(
            IO,
            "[{qmp: query-migrate, save: s}, {check: has(steps.s.result.status)},"
            ' {exec: [/bin/x, "${steps.s.result.status}"]}]',
            [],
            id="a reply",
        ),
        pytest.param(
            IO,
            "[{qmp: query-migrate, save: s}, {check: has(steps.s.result.status)},"
            " {repeat: {times: 3, until: steps.t.result.status == 'active'},"
            " steps: [{qmp: query-migrate, save: t}]},"
            ' {exec: [/bin/x, "${steps.s.result.status}"]}]',
            ["steps/2/repeat/until"],
            id="one that is asked for again in each round",
        ),
        pytest.param(
            IO,
            "[{repeat: {times: 3}, steps: ["
            "{qmp: query-migrate, save: s}, {check: has(steps.s.result.status)}]},"
            ' {exec: [/bin/x, "${steps.s.result.status}"]}]',
            ["steps/1/exec/1"],
            id="what a list inside has asked for",
        ),
        pytest.param(
            IO,
            "[{repeat: {times: 3}, steps: [{check: has(steps.s.result.status)},"
            ' {exec: [/bin/x, "${steps.s.result.status}"]}, {qmp: query-migrate, save: s},'
            ' {exec: [/bin/x, "${steps.s.result.status}"]}]}]',
            ["steps/0/steps/3/exec/1"],
            id="the reply of the round before",
        ),
        pytest.param(
            f"{IO}\nfinally:\n  - check: has(data.node_name)\n  - if: data.node_name == 'x'\n"
            "    log: x",
            "[{log: x}]",
            ["finally/1/if"],
            id="handlers go on behind what fails",
        ),
    ],
)
def test_what_is_said_to_be_absent_maybe(keys: str, steps: str, paths: list[str]) -> None:
    """Only what no condition on the way there has asked for."""
    assert notes(keys, steps) == paths


STATUS = "{qmp: query-status, save: s}"
READ = "{check: steps.s.result.running}"


def ways(*found: str) -> str:
    """A choose with these ways, and a step that reads what they save."""
    return f"[{{choose: [{', '.join(found)}]}}, {READ}]"


@pytest.mark.parametrize(
    ("steps", "paths"),
    [
        pytest.param(f"[{STATUS}, {READ}]", [], id="no way"),
        pytest.param(
            ways(f"{{when: guest.migrating, steps: [{STATUS}]}}"), ["steps/1/check"], id="one way"
        ),
        pytest.param(
            ways(f"{{when: guest.migrating, steps: [{STATUS}]}}", "{default: [{log: x}]}"),
            ["steps/1/check"],
            id="one of two",
        ),
        pytest.param(
            ways(f"{{when: guest.migrating, steps: [{STATUS}]}}", f"{{default: [{STATUS}]}}"),
            [],
            id="both",
        ),
        pytest.param(
            ways(f"{{when: guest.migrating, steps: [{STATUS}]}}", "{default: [{stop: x}]}"),
            [],
            id="the other way ends the run",
        ),
        pytest.param(
            ways(
                f"{{when: guest.migrating, steps: [{STATUS}]}}",
                "{default: [{stop: x, if: guest.name == 'a'}]}",
            ),
            ["steps/1/check"],
            id="or ends it sometimes",
        ),
        pytest.param(
            ways("{when: guest.migrating, steps: [{stop: x}]}", "{default: [{fail: x}]}").replace(
                READ, "{log: x}"
            ),
            [],
            id="all ways end it",
        ),
        pytest.param(
            ways(f"{{when: guest.migrating, steps: [{STATUS}, {READ}]}}").replace(
                f"}}, {READ}]", "}, {if: has(steps.s) && steps.s.ok, log: x}]"
            ),
            [],
            id="in its own way, and asked for",
        ),
        pytest.param(
            f"[{STATUS.replace('save: s', 'save: t')},"
            f" {{choose: [{{when: guest.migrating, steps: [{STATUS}]}}]}},"
            " {check: steps.t.result.running}, {check: has(steps.s)}, {log: x},"
            f" {READ}]",
            [],
            id="what was saved before, and what a check asks for",
        ),
    ],
)
def test_what_only_some_ways_save(steps: str, paths: list[str]) -> None:
    """It may be absent behind the choose, unless the others end the run."""
    assert notes("trigger: {event: STOP}", steps) == paths


@pytest.mark.parametrize(
    ("where", "said"),
    [
        pytest.param(
            "data.node_name == null",
            "data.node_name is never null: this does not hold; write !has(data.node_name)",
            id="may be absent",
        ),
        pytest.param(
            "true && null == data.device",
            "data.device is never null: this does not hold; take it out: it is always there",
            id="always there",
        ),
        pytest.param("data.node_name != null", "", id="what is there is not null"),
        pytest.param("event.name == null", "", id="nothing is known of it"),
        pytest.param("size(data.device) == null", "", id="no member"),
        pytest.param("data.device == 'd'", "", id="no null"),
    ],
)
def test_what_is_never_null(where: str, said: str) -> None:
    """QEMU leaves out what it has not."""
    assert never_null(f'{{event: BLOCK_IO_ERROR, where: "{where}"}}') == said


def never_null(trigger: str) -> str:
    """What is said of conditions that do not hold, in a policy with this trigger."""
    text = f"policy: p\ndescription: d\ntrigger: {trigger}\nsteps: [{{log: x}}]\n"
    found = load_text(text, "f").problems
    return "".join(f"{one.problem}; {one.fix}" for one in found if one.code is Code.NEVER_HOLDS)


def test_what_may_be_anything_may_be_null() -> None:
    """Nothing is said of it."""
    assert never_null("{event: REACTOR_GUEST_CONNECTED, where: data.epoch == null}") == ""


def tree(source: str) -> Node:
    """The tree of a condition."""
    return compile_expression(source, condition=False, names=STEPS).tree


def paths(*dotted: str) -> Facts:
    """Paths, of their dotted form."""
    return frozenset(tuple(one.split(".")) for one in dotted)


A, B, AB = paths("data.a"), paths("data.b"), paths("data.a", "data.b")
NONE = paths()


PROVEN = [
    pytest.param("has(data.a)", A, NONE, id="asked for"),
    pytest.param("!has(data.a)", NONE, A, id="not there"),
    pytest.param("!has(data.a.b)", A, NONE, id="not there, or nothing above it"),
    pytest.param(
        "!has(guest.labels.a)", paths("guest.labels"), paths("guest.labels.a"), id="no label"
    ),
    pytest.param("!!has(data.a)", A, NONE, id="twice not"),
    pytest.param("has(data.a) && data.b == 1", AB, NONE, id="and"),
    pytest.param("has(data.a) || data.b == 1", NONE, NONE, id="or"),
    pytest.param("data.a == 1 || data.a == 2", A, NONE, id="or, of one"),
    pytest.param("!has(data.a) || !has(data.b)", NONE, AB, id="neither is absent"),
    pytest.param("!has(data.a) && !has(data.b)", NONE, NONE, id="one may be absent"),
    pytest.param("!(!has(data.a) || data.b == 1)", AB, NONE, id="not or"),
    pytest.param("!(data.a == 1 && data.b == 1)", NONE, NONE, id="not and"),
    pytest.param("!(data.a == 1 && data.a == 2)", A, NONE, id="not and, of one"),
    pytest.param('"a" in data', A, NONE, id="a key"),
    pytest.param('"a" in data.b', paths("data.b", "data.b.a"), NONE, id="of a member"),
    pytest.param('"a" in {"a": 1}', NONE, NONE, id="of no member"),
    pytest.param("data.?a.hasValue()", A, NONE, id="an optional"),
    pytest.param("data.?a.orValue(false)", A, NONE, id="an optional that is true"),
    pytest.param("data.?a.orValue(true)", NONE, NONE, id="or is absent"),
    pytest.param("data.?a.orValue('') == 'x'", A, NONE, id="not its default"),
    pytest.param("'x' == data.?a.orValue('')", A, NONE, id="the other way round"),
    pytest.param("data.?a.orValue('') != ''", A, NONE, id="unlike its default"),
    pytest.param("data.?a.orValue('') == ''", NONE, NONE, id="its default"),
    pytest.param("optional.of(1).orValue(0) == 1", NONE, NONE, id="an optional of no member"),
    pytest.param("data.?a.orValue(data.b) == 1", NONE, NONE, id="a default that is read"),
    pytest.param("data.l.exists(x, x == data.a)", paths("data.l"), NONE, id="a list"),
    pytest.param("data.a == 1 ? data.b == 1 : true", A, NONE, id="a way"),
    pytest.param("(data.a == 1 && data.b == 1) == true", NONE, NONE, id="of two no one knows"),
    pytest.param("size(data) > 1", NONE, NONE, id="the whole"),
    pytest.param("[data.a, 1] == [1, data.b]", AB, NONE, id="all that is read"),
]


@pytest.mark.parametrize(("source", "true", "not_true"), PROVEN)
def test_what_a_condition_proves(source: str, true: Facts, not_true: Facts) -> None:
    """Where it was true, and where it was not, which it is too where it cannot be computed."""
    assert where_true(tree(source)) == true
    assert where_not_true(tree(source)) == not_true


def test_what_a_value_proves() -> None:
    """It was read; what was only asked for need not be there."""
    assert where_computed(tree("data.a + data.b")) == AB
    assert where_computed(tree("has(data.a)")) == NONE


_VALUES = (None, {"c": 1}, 1, 2, "x")


@pytest.mark.parametrize("source", [one.values[0] for one in PROVEN])
def test_what_is_proved_is_there(source: str) -> None:
    """Whatever the data is: what was true, or not, has what it is said to have."""
    made = compile_expression(source, condition=False, names=STEPS)
    for a, b, listed in itertools.product(_VALUES, _VALUES, (None, [], [1, 2])):
        members = {"a": a, "b": b, "l": listed}
        data = {name: value for name, value in members.items() if value is not None}
        labels = dict.fromkeys(data, "x")
        env = {"data": data, "guest": {"labels": labels}}
        held = made.holds(Scope(env)).truth
        for path in where_true(made.tree) if held else where_not_true(made.tree):
            here: object = env
            for part in path:
                assert isinstance(here, dict), (data, path)
                assert part in here, (data, path)
                here = here[part]
