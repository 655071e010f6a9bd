"""Expressions and templates of a document: where an error stands, and what each place may read."""

import pytest

from reactor.errors import Code, Place, Problem
from reactor.policyfile import sites_steps as sites
from reactor.policyfile.json_schema import json_schema
from reactor.policyfile.nodes import Dictionary, items_of
from reactor.policyfile.reader import read
from reactor.policyfile.runbook_params import Shelf
from reactor.policyfile.sites import compile_policy


def problems_in(text: str) -> list[Problem]:
    """The problems of one document, in the order of the file."""
    root = read(text, "f").documents[0].root
    assert isinstance(root, Dictionary)
    return sorted(compile_policy(root, Shelf()).problems, key=lambda problem: problem.place)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # the very character, whatever the quotes
        pytest.param("if: guest.staus == 1\n", ["1:11 staus == 1 [if]"], id="plain"),
        pytest.param(
            "if: '\"it''s\" == guest.staus'\n",
            ["1:23 staus' [if]"],
            id="single quotes, one doubled before",
        ),
        pytest.param('if: "guest.staus"\n', ['1:12 staus" [if]'], id="double quotes"),
        pytest.param(
            "if: |\n  true &&\n  guest.staus == 1\n",
            ["1:5 | [if]"],
            id="a block: where it begins",
        ),
        pytest.param(
            "steps:\n- publish: x\n  payload: {a: ['x ${guest.nam}']}\n",
            ["3:28 nam}']} [steps/0/payload/a/0]"],
            id="a template deep in a payload",
        ),
        pytest.param(
            "steps:\n- log: a ${guest.name\n",
            ["2:10 ${guest.name [steps/0/log]"],
            id="a template that is not closed",
        ),
        pytest.param(
            "if: guest.staus # why\n",
            ["1:11 staus # why [if]"],
            id="a comment behind an error of another kind",
        ),
        pytest.param("if: guest.name\n", ["1:5 guest.name [if]"], id="no condition"),
        pytest.param("trigger: {by: data.node_name}\n", [], id="`by` may be of any type"),
        pytest.param("if: [true, False, 'true']\nsteps: [{if: true}]\n", [], id="booleans"),
        # what each place may read
        pytest.param(
            "trigger: [{where: 'trigger.index == 1'}, {by: run.id}]\n",
            [
                "1:20 trigger.index == 1'}, {by: run.id}] [trigger/0/where]",
                "1:47 run.id}] [trigger/1/by]",
            ],
            id="triggers",
        ),
        pytest.param("if: [true, run.nth == 1]\n", ["1:12 run.nth == 1] [if/1]"], id="if"),
        pytest.param(
            "vars:\n a: ${run.id}\n b: ${vars.a} ${vars.c}\n c: ${steps.x.ok}\n",
            ["3:22 c} [vars/b]", "4:13 x.ok} [vars/c]"],
            id="vars know those before them",
        ),
        pytest.param(
            "vars: {target: 1}\nsteps:\n- log: ${vars.target} ${vars.taget}\n",
            ["3:30 taget} [steps/0/log]"],
            id="vars in steps",
        ),
        pytest.param("steps:\n- log: ${vars.x}\n", ["2:15 x} [steps/0/log]"], id="no vars"),
        pytest.param(
            "steps:\n- {qmp: x, save: one, args: {a: '${steps.one.ok}'}}\n"
            "- {log: '${steps.oen.ok}', save: two}\n- log: ${steps.two.done} ${steps.one.ok}\n",
            [
                "2:42 one.ok}'}} [steps/0/args/a]",
                "3:18 oen.ok}', save: two} [steps/1/log]",
                "4:20 done} ${steps.one.ok} [steps/2/log]",
            ],
            id="a step knows what was saved before it",
        ),
        pytest.param(
            "steps:\n- {log: x, save: one}\non_failure:\n"
            "- {log: '${run.error} ${steps.one.ok} ${steps.two.ok}', save: two}\n"
            "finally:\n- log: ${run.outcome} ${steps.one.ok} ${steps.two.ok}\n",
            ["4:47 two.ok}', save: two} [on_failure/0/log]"],
            id="handlers know all steps",
        ),
        pytest.param(
            "vars: {a: 1}\nsteps:\n- {log: x, save: one}\n"
            "on_limit:\n- log: ${vars.a}\n- log: ${steps.one.ok}\n- log: ${guest.name}\n",
            ["5:10 vars.a} [on_limit/0/log]", "6:16 one.ok} [on_limit/1/log]"],
            id="on_limit: nothing has run",
        ),
        pytest.param(
            "steps:\n- log: ${run.failed_step}\n",
            ["2:14 failed_step} [steps/0/log]"],
            id="how the run ended, while it runs",
        ),
        pytest.param(
            "arm:\n- {qmp: x, args: {a: '${guest.name} ${data.x}'}, if: event.own}\n",
            ["2:39 data.x}'}, if: event.own} [arm/0/args/a]", "2:54 event.own} [arm/0/if]"],
            id="arm: there is no event",
        ),
        # every other place of a step
        pytest.param(
            "steps:\n- {wait: {event: X, where: a1, fail_when: a2}}\n- wait: {until: a3}\n"
            "- {qmp: x, wait: {event: X, where: a4}, if: a5}\n- check: a6\n",
            [
                "2:28 a1, fail_when: a2}} [steps/0/wait/where]",
                "2:43 a2}} [steps/0/wait/fail_when]",
                "3:17 a3} [steps/1/wait/until]",
                "4:36 a4}, if: a5} [steps/2/wait/where]",
                "4:45 a5} [steps/2/if]",
                "5:10 a6 [steps/3/check]",
            ],
            id="conditions of steps",
        ),
        pytest.param(
            "steps:\n- {guest: dump, to: '${a1}', format: '${a2}'}\n- log: ${a3}\n- fail: ${a4}\n"
            "- stop: ${a5}\n- {publish: '${a6}', properties: {x: '${a7}'}}\n"
            "- mark: {disk: '${a8}', as: '${a9}', reason: '${a10}'}\n- clear: {port: '${a11}'}\n",
            [
                "2:24 a1}', format: '${a2}'} [steps/0/to]",
                "2:41 a2}'} [steps/0/format]",
                "3:10 a3} [steps/1/log]",
                "4:11 a4} [steps/2/fail]",
                "5:11 a5} [steps/3/stop]",
                "6:16 a6}', properties: {x: '${a7}'}} [steps/4/publish]",
                "6:41 a7}'}} [steps/4/properties/x]",
                "7:19 a8}', as: '${a9}', reason: '${a10}'} [steps/5/mark/disk]",
                "7:32 a9}', reason: '${a10}'} [steps/5/mark/as]",
                "7:49 a10}'} [steps/5/mark/reason]",
                "8:20 a11}'} [steps/6/clear/port]",
            ],
            id="templates of steps",
        ),
        # what the models complain about is passed over
        pytest.param(
            "trigger: [x, {where: 5, by: [a]}]\nif: {a: b}\nvars: [1]\nsteps: x\narm: [5]\n"
            "finally: [{wait: 5s, mark: x, clear: [y], save: [z], publish: 5, args: !x y}]\n",
            [],
            id="nothing is an expression",
        ),
    ],
)
def test_where_an_expression_is_wrong(text: str, found: list[str]) -> None:
    """The place with what stands there, and the path in the policy."""
    shown = []
    for problem in problems_in(text):
        line, column = problem.place.line, problem.place.column
        there = text.split("\n")[line - 1][column - 1 :]
        shown.append(f"{line}:{column} {there} [{problem.path}]")
        assert problem.code is Code.EXPRESSION
    assert shown == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "if: guest.staus == 1\n",
            "f:1:11: R008 guest has no member 'staus'\n  fix: write guest.status [if]",
            id="plain",
        ),
        pytest.param(
            'if: data.x == "a # b"\n',
            "f:1:17: R008 ` #` begins a comment: the expression ends here, inside a text\n"
            "  fix: put it in single quotes [if]",
            id="a comment inside a text",
        ),
        pytest.param(
            "steps:\n- log: ${message.json}\n- log: ${topic[1]}\n- check: host.free('/') > 1\n",
            "f:2:10: R008 `message` is not known in a step\n"
            "  fix: give the policy an `mqtt` trigger, or do without it [steps/0/log]\n"
            "f:3:10: R008 `topic` is not known in a step\n"
            "  fix: give the policy an `mqtt` trigger, or do without it [steps/1/log]",
            id="the names of a message, where no message is",
        ),
        pytest.param(
            "steps:\n- {log: x, save: a}\n- {log: x, save: a}\nfinally: [{log: x, save: a}]\n",
            "f:3:18: R009 `save: a` stands twice, first in line 2\n"
            "  fix: choose another name [steps/1/save]\n"
            "f:4:26: R009 `save: a` stands twice, first in line 2\n"
            "  fix: choose another name [finally/0/save]",
            id="one name, saved three times",
        ),
        pytest.param(
            "steps: [{log: x, save: a}, {log: x, save: a}]\n",
            "f:1:43: R009 `save: a` stands twice, first in line 1\n"
            "  fix: choose another name [steps/1/save]",
            id="one name, saved twice in one line",
        ),
        pytest.param(
            "steps:\n- publish: /alert\n- publish: $SYS/x\n- publish: a/+/b\n- publish: a/#\n"
            "- publish: ''\n- publish: x/${guest.name}/#\n- publish: ${guest.name}/x\n"
            '- publish: "a\\0b"\n',
            "f:2:12: R005 the topic '/alert' begins with a slash\n"
            "  fix: write a topic such as alert/critical [steps/0/publish]\n"
            "f:3:12: R005 the topic '$SYS/x' begins with $, which belongs to the broker\n"
            "  fix: write a topic such as alert/critical [steps/1/publish]\n"
            "f:4:12: R005 the topic 'a/+/b' holds a wildcard\n"
            "  fix: write a topic such as alert/critical [steps/2/publish]\n"
            "f:5:12: R005 the topic 'a/#' holds a wildcard\n"
            "  fix: write a topic such as alert/critical [steps/3/publish]\n"
            "f:6:12: R005 the topic is empty\n"
            "  fix: write a topic such as alert/critical [steps/4/publish]\n"
            "f:7:12: R005 the topic 'x/…/#' holds a wildcard\n"
            "  fix: write a topic such as alert/critical [steps/5/publish]\n"
            "f:9:12: R005 the topic holds a NUL character\n"
            "  fix: write a topic such as alert/critical [steps/7/publish]",
            id="topics",
        ),
        pytest.param(
            "steps:\n- {guest: dump, format: kdump}\n- {guest: dump, format: zip}\n"
            "- {guest: dump, format: '${vars.x}-zlib'}\n- {guest: dump, format: elf}\n"
            "vars: {x: kdump}\n",
            "f:2:25: R005 `kdump` is no dump format\n"
            "  fix: did you mean `kdump-lzo`? [steps/0/format]\n"
            "f:3:25: R005 `zip` is no dump format\n  fix: write one of: elf, kdump-zlib,"
            " kdump-lzo, kdump-snappy, kdump-raw-zlib, kdump-raw-lzo, kdump-raw-snappy, win-dmp"
            " [steps/1/format]",
            id="dump formats",
        ),
    ],
)
def test_what_is_said(text: str, message: str) -> None:
    """Place, code, problem, fix and path."""
    assert "\n".join(f"{problem} [{problem.path}]" for problem in problems_in(text)) == message


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(
            "steps:\n"
            "- choose:\n"
            "  - {when: steps.a.ok, steps: [{log: x, save: a}] }\n"
            "  - {when: steps.b.ok, steps: [{log: '${steps.a.ok}', save: b}]}\n"
            "  - default: [{log: y, save: a}]\n"
            "- log: ${steps.a.ok} ${steps.b.ok} ${steps.c.ok}\n",
            [
                "3:18 a.ok, steps: [{log: x, save: a}] } [steps/0/choose/0/when]",
                "4:18 b.ok, steps: [{log: '${steps.a.ok}', save: b}]} [steps/0/choose/1/when]",
                "4:47 a.ok}', save: b}]} [steps/0/choose/1/steps/0/log]",
                "6:44 c.ok} [steps/1/log]",
            ],
            id="ways: of two only one is gone",
        ),
        pytest.param(
            "steps:\n- parallel:\n  - [{log: x, save: a}]\n"
            "  - [{log: '${steps.a.ok}', save: b}, {log: '${steps.b.ok}'}]\n"
            "- log: ${steps.a.ok} ${steps.b.ok}\n",
            ["4:21 a.ok}', save: b}, {log: '${steps.b.ok}'}] [steps/0/parallel/1/0/log]"],
            id="lists side by side",
        ),
        pytest.param(
            "steps:\n- repeat: {times: 2, until: steps.a.ok && steps.c.ok}\n"
            "  steps: [{log: '${steps.b.ok}', save: a}, {log: x, save: b}]\n"
            "- check: steps.a.ok && steps.b.ok\n",
            ["2:49 c.ok} [steps/0/repeat/until]"],
            id="rounds",
        ),
        pytest.param(
            "steps:\n- repeat: {times: 2}\n  steps: [stop, {log: '${steps.b.ok}', save: b}]\n",
            [],
            id="a round with something that is no step",
        ),
        pytest.param(
            "steps:\n- choose: [{when: 'true', steps: [{log: x, save: a}]}]\n  save: a\n",
            ["3:9 a [steps/0/save]"],
            id="saved inside and as a whole",
        ),
        pytest.param(
            "steps:\n- parallel: [[{log: x, save: a}], [{log: x, save: a}]]\n",
            ["2:51 a}]] [steps/0/parallel/1/0/save]"],
            id="saved on two sides at once",
        ),
        pytest.param(
            "steps:\n- http: {url: '${x}', json: {a: '${y}'}, headers: {b: '${z}'}}\n"
            "- exec: [/x, '${x}', {a: '${y}'}]\n- {agent: a, args: {b: '${x}'}}\n"
            "- {run: destroy, with: {a: '${x}'}}\n- wait: {stays: x, for: 1s}\n",
            [
                "2:18 x}', json: {a: '${y}'}, headers: {b: '${z}'}} [steps/0/http/url]",
                "2:36 y}'}, headers: {b: '${z}'}} [steps/0/http/json/a]",
                "2:58 z}'}} [steps/0/http/headers/b]",
                "3:17 x}', {a: '${y}'}] [steps/1/exec/1]",
                "3:29 y}'}] [steps/1/exec/2/a]",
                "4:27 x}'}} [steps/2/args/b]",
                "5:9 destroy, with: {a: '${x}'}} [steps/3/run]",
                "5:31 x}'}} [steps/3/with/a]",
                "6:17 x, for: 1s} [steps/4/wait/stays]",
            ],
            id="every new verb",
        ),
        pytest.param(
            "approval: {ask: '${run.id} ${run.nth} ${vars.x}'}\n"
            "inhibit_if: [trigger.index == 0, run.id]\n",
            [
                "1:34 nth} ${vars.x}'} [approval/ask]",
                "1:41 vars.x}'} [approval/ask]",
                "2:34 run.id] [inhibit_if/1]",
            ],
            id="before a run starts",
        ),
        pytest.param(
            "if: host.free('/a') > 1\ninhibit_if: host.free('/b') > 1\n"
            "steps:\n- {check: host.free('/c') > 1, if: host.free('/d') > 1}\n"
            "- choose: [{when: host.free('/e') > 1, steps: [{log: \"${host.free('/f')}\"}]}]\n"
            "- {repeat: {times: 1, until: host.free('/g') > 1}, steps: [{log: x}]}\n"
            "- wait: {until: host.free('/h') > 1}\n"
            "- wait: {stays: host.free('/i') > 1, for: 1s}\n"
            "- wait: {event: X, where: host.free('/j') > 1}\n",
            [
                "2:18 free('/b') > 1 [inhibit_if]",
                "5:62 free('/f')}\"}]}] [steps/1/choose/0/steps/0/log]",
                "9:32 free('/j') > 1} [steps/5/wait/where]",
            ],
            id="free space is asked with fresh state only",
        ),
    ],
)
def test_steps_inside_of_steps(text: str, found: list[str]) -> None:
    """Each step knows what was saved before it, and by whom."""
    lines = text.split("\n")
    assert [
        f"{problem.place.line}:{problem.place.column}"
        f" {lines[problem.place.line - 1][problem.place.column - 1 :]} [{problem.path}]"
        for problem in problems_in(text)
    ] == found


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("ftp://x", "`ftp://x` is no URL of HTTP", id="another scheme"),
        pytest.param("x.example/y", "`x.example/y` is no URL of HTTP", id="no scheme"),
        pytest.param("http://${guest.name}", "", id="a host that is rendered"),
        pytest.param("https://x", "", id="https"),
        pytest.param("${guest.name}/x", "", id="a scheme that is rendered"),
    ],
)
def test_urls(url: str, message: str) -> None:
    """What is certain before anything is rendered."""
    problems = problems_in(f"steps:\n- http: {{url: '{url}'}}\n")
    assert "".join(problem.problem for problem in problems) == message


def test_an_expression_is_kept_for_its_node() -> None:
    """What was compiled belongs to the very node it was written at."""
    root = read("if: [data.a == 1, data.b == 2]\n", "f").documents[0].root
    assert isinstance(root, Dictionary)
    made = compile_policy(root, Shelf())
    sources = [made.expressions[id(node)].source for node, _ in items_of(root.get("if"), "")]
    assert sources == ["data.a == 1", "data.b == 2"]
    assert Place("f", 1, 19) in [node.place for node, _ in items_of(root.get("if"), "")]


def test_every_expression_of_the_models_has_its_site() -> None:
    """A key of the schema that holds CEL or a template is one that the walk compiles."""
    found: dict[str, set[str]] = {}
    for name, model in json_schema()["$defs"].items():
        for key, value in model.get("properties", {}).items():
            keys = value.get("patternProperties", {}).values()
            kinds = [value, value.get("additionalProperties", {}), *keys]
            formats = {kind.get("format") for kind in kinds if isinstance(kind, dict)}
            if not formats.isdisjoint({"cel-condition", "cel-value", "template"}):
                found.setdefault(name, set()).add(key)
    waits = found.pop("EventWait") | found.pop("UntilWait") | found.pop("StaysWait")
    marks = found.pop("ClearTarget") | found.pop("MarkTarget")
    assert found.pop("EventTrigger") == {"where", "by"}
    assert found.pop("Sequel") == {"where", "by"}
    assert found.pop("Cancel") == {"where"}
    assert found.pop("StateTrigger") == {"state"}
    assert found.pop("MessageTrigger") == {"guest", "where"}
    assert found.pop("Approval") == {"ask"}
    assert found.pop("WhenBranch") == {"when"}
    assert found.pop("Policy") == {"vars"}
    assert found.pop("Param") == {"default"}
    assert found.pop("RunStep") == {"with"} | {"if"}
    assert found.pop("Rounds") == {"until"}
    assert found.pop("Request") == set(sites.INNER_TEMPLATES["http"])
    assert waits == {*sites.FRESH_WAITS, *sites.EVENT_WAITS}
    assert marks == set(sites.MARK_TEMPLATES)
    assert set().union(*found.values()) == {"if", "check", *sites.STEP_TEMPLATES}
