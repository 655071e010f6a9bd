"""Operators, functions and members of expressions, judged by what QEMU's values are."""

import pytest

from reactor.errors import Severity
from reactor.policyfile.check import load_text

HEAD = "policy: p\ndescription: d\n"


def errors(text: str) -> str:
    """The errors of a policy with these keys, with their columns, in one line each."""
    found = load_text(f"{HEAD}{text}", "f").problems
    wrong = [one for one in found if one.severity is Severity.ERROR]
    return "\n".join(f"{one.place.column}: {one.problem}; {one.fix}" for one in wrong)


def where(event: str, condition: str) -> str:
    """The same of a condition of a trigger."""
    return errors(f"trigger:\n  event: {event}\n  where: >-\n   {condition}\nsteps: [{{log: x}}]\n")


@pytest.mark.parametrize(
    ("event", "condition", "message"),
    [
        pytest.param("MIGRATION_PASS", "data.pass > 4", "", id="compared"),
        pytest.param("MIGRATION_PASS", "data.pass > 4.5", "", id="with a fraction"),
        pytest.param("MIGRATION_PASS", "4.5 < data.pass", "", id="a fraction with it"),
        pytest.param("MIGRATION_PASS", "data.pass != null", "", id="with null"),
        pytest.param(
            "MIGRATION_PASS",
            'data.pass > "4"',
            "data.pass is a whole number, and this is a text; compare it with a whole number",
            id="with a text",
        ),
        pytest.param(
            "MIGRATION_PASS",
            'data.pass + "x" == "4x"',
            "`+` cannot take a whole number and a text; make a text of the other wi",
            id="a text added",
        ),
        pytest.param("MIGRATION_PASS", "data.pass * 2 + 1 > 9", "", id="computed with"),
        pytest.param(
            "MIGRATION_PASS",
            "data.pass * 1.5 > 9.0",
            "`*` cannot take a whole number and a fraction; write both as whole numbers or",
            id="a fraction times it",
        ),
        pytest.param(
            "MIGRATION_PASS", "double(data.pass) * 1.5 > 9.0", "", id="a fraction times a fraction"
        ),
        pytest.param("QUORUM_REPORT_BAD", 'data.node_name.startsWith("a")', "", id="a function"),
        pytest.param(
            "MIGRATION_PASS",
            'data.pass.startsWith("a")',
            "`startsWith()` cannot take",
            id="of a text only",
        ),
        pytest.param(
            "MIGRATION_PASS", "size(data.pass) > 1", "`size()` cannot take", id="size of a number"
        ),
        pytest.param("RESET", "!data.guest", "", id="a truth turned round"),
        pytest.param("RESET", "data.guest + 1 == 2", "`+` cannot take", id="a truth in a sum"),
        pytest.param(
            "RESET", "data.guest ? data.reason : true", "the two sides of `? :`", id="two sides"
        ),
        pytest.param("RESET", "data.reason", "data.reason is a text, not true or", id="a text"),
        pytest.param(
            "MIGRATION_PASS", "data.pass + 1", "the condition is a whole number", id="a number"
        ),
        pytest.param(
            "BLOCK_IO_ERROR",
            "has(data.nospace) && data.nospace + 1 == 2",
            "`+` cannot take",
            id="behind has()",
        ),
        pytest.param(
            "BLOCK_IO_ERROR", "has(data.nospace) && data.nospace", "", id="has() and a truth"
        ),
        pytest.param(
            "BLOCK_IO_ERROR",
            "has( data.node_name ) && data.node_name.size() > 3",
            "",
            id="has() with room in it",
        ),
        pytest.param(
            "BLOCK_IO_ERROR",
            "has(event.xyz)",
            "event has no member 'xyz'",
            id="has() of what nobody has",
        ),
        pytest.param("RESET", 'data["guest"] && has([data][0].guest)', "", id="in other ways"),
        pytest.param("[RESET, MIGRATION_PASS]", "data.pass + 1 > 2", "", id="of one of two"),
        pytest.param(
            "[RESET, SHUTDOWN]", "data.guest + 1 > 2", "`+` cannot take", id="alike in both"
        ),
        pytest.param("__com.example_X", 'data.x + 1 > 2 || data.x == "a"', "", id="of a vendor"),
        pytest.param("RESET", 'guest.status == "running"', "", id="a status"),
        pytest.param(
            "RESET",
            'guest.status == "runing"',
            'guest.status is never "runing"; write "running"',
            id="no status",
        ),
        pytest.param("RESET", 'guest.status == "disconnected"', "", id="the engine's own"),
        pytest.param(
            "RESET", 'guest.kind == "VM"', 'guest.kind is never "VM"; write "vm"', id="no kind"
        ),
        pytest.param(
            "RESET",
            'guest.status in ["paused", "susp"]',
            'guest.status is never "susp"',
            id="in a list",
        ),
        pytest.param("RESET", "guest.labels.x == guest.marks.y", "", id="what is open"),
    ],
)
def test_the_operators_and_functions_of_a_condition(
    event: str, condition: str, message: str
) -> None:
    """The library's checker speaks on declared types, ours on members and values."""
    found = where(event, condition)
    _, _, rest = found.partition(": ")
    assert rest[: len(message)] == message
    assert bool(found) == bool(message)


STEPS = """\
trigger: {{schedule: '0 3 * * *'}}
vars: {{whole: 1, text: a, both: '${{guest.memory / 2}}', half: 1.5, on: true, none: null}}
steps:
  - {{qmp: query-status, save: status}}
  - {{qmp: query-block, save: disks}}
  - {{qmp: query-jobs, save: jobs}}
  - {{qmp: query-migrate, save: migration}}
  - {{qmp: stop, save: stopped}}
  - {{agent: guest-info, save: agent}}
  - choose:
      - when: guest.migrating
        steps: [{{qmp: query-status, save: same}}, {{qmp: query-jobs, save: other}}]
      - default: [{{qmp: query-status, save: same}}, {{qmp: query-status, save: other}}]
  - check: >-
     {}
"""


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        pytest.param('steps.status.result.status == "running"', "", id="a reply"),
        pytest.param(
            'steps.status.result.state == "running"',
            "steps.status.result has no member 'state'; write steps.status.result.status",
            id="misspelt",
        ),
        pytest.param(
            'steps.status.result.status == "runing"',
            'steps.status.result.status is never "runing"; write "running"',
            id="no value of it",
        ),
        pytest.param("steps.status.result.running", "", id="a truth"),
        pytest.param("steps.status.ok && !steps.status.result.running", "", id="beside ok"),
        pytest.param("steps.disks.result.size() > 1", "", id="a list"),
        pytest.param('steps.disks.result[0].device == "a"', "", id="an item"),
        pytest.param(
            'steps.disks.result[0].devise == "a"',
            "steps.disks.result[0] has no member 'devise'; write steps.disks.result[0].device",
            id="an item's member misspelt",
        ),
        pytest.param(
            'steps.disks.result.device == "a"',
            "steps.disks.result is a list, it has no members;"
            " write steps.disks.result[0], or steps.disks.result.exists(x, ...)",
            id="a member of a list",
        ),
        pytest.param(
            "steps.status.result[0] == 1",
            "steps.status.result has no member '0'; the reply of query-status has",
            id="an item of a map",
        ),
        pytest.param(
            "steps.status.result.status[0] == 1",
            "steps.status.result.status is a text, it has no items; take it out",
            id="an item of a text",
        ),
        pytest.param('steps.disks.result.exists(d, d.device == "a")', "", id="each item"),
        pytest.param("steps.disks.result.exists(d, d.locked)", "", id="a truth of each item"),
        pytest.param(
            'steps.disks.result.all(d, d.devise != "a")',
            "d has no member 'devise'; write d.device",
            id="misspelt in each item",
        ),
        pytest.param(
            'steps.jobs.result.exists(j, j.status == "conclude")',
            'j.status is never "conclude"; write "concluded"',
            id="no value in each item",
        ),
        pytest.param(
            "steps.jobs.result.exists(j, j.id > 3)",
            "j.id is a text, and this is a whole number; compare it with a text",
            id="a kind in each item",
        ),
        pytest.param(
            "steps.jobs.result.exists(j, !j.id)",
            "j.id is a text, not true or false; compare it with something",
            id="a text that decides in each item",
        ),
        pytest.param(
            'steps.jobs.result.exists(j, j.?error.orValue("") != "")', "", id="asked in each item"
        ),
        pytest.param(
            'steps.jobs.result.exists(j, j.?eror.orValue("") != "")',
            "j has no member 'eror'; write j.error",
            id="misspelt and asked",
        ),
        pytest.param(
            "steps.disks.result.exists(d, has(d.inserted) &&"
            " d.inserted.image.snapshots.exists(s, s.nam == d.device))",
            "s has no member 'nam'; write s.name",
            id="items of items",
        ),
        pytest.param(
            "steps.jobs.result.map(j, j.id).exists(j, j.x == 1)", "", id="items that are made"
        ),
        pytest.param("steps.status.result.exists(k, k.x == 1)", "", id="keys of a map"),
        pytest.param("steps.migration.result.ram.remaining * 2 > 7", "", id="deep inside"),
        pytest.param(
            "steps.migration.result.ram.remaining * 1.5 > 7.0",
            "`*` cannot take a whole number and a fraction",
            id="an operator deep inside",
        ),
        pytest.param("steps.migration.result.ram.mbps > 7", "", id="a number of either kind"),
        pytest.param(
            "steps.stopped.result.x == 1",
            "steps.stopped.result has no member 'x'; the reply of stop has no data",
            id="an empty reply",
        ),
        pytest.param("steps.agent.result.x.y == 1", "", id="the agent's are not known"),
        pytest.param("steps.same.result.running", "", id="saved alike in two ways"),
        pytest.param(
            "steps.same.result.xyz",
            "steps.same.result has no member 'xyz'; the reply of query-status has:",
            id="saved alike in two ways, and misspelt",
        ),
        pytest.param("steps.other.result.xyz", "", id="saved otherwise in two ways"),
        pytest.param("vars.whole > 1 && vars.both > 1 && vars.on", "", id="vars"),
        pytest.param(
            "vars.whole",
            "vars.whole is a whole number, not true or false; compare it with something",
            id="a var that decides",
        ),
        pytest.param(
            'vars.both == "a"',
            "vars.both is a whole number, and this is a text; compare it with a whole number",
            id="a var that is computed",
        ),
        pytest.param('vars.text == "b"', "", id="a constant may be changed"),
        pytest.param(
            "vars.text + 1 == 2", "`+` cannot take a text and a whole number", id="an operator"
        ),
        pytest.param("vars.half > 1.0 && vars.none == null", "", id="the other kinds"),
    ],
)
def test_replies_and_vars_in_steps(condition: str, message: str) -> None:
    """What a command answers is known from the schema, its items too."""
    found = errors(STEPS.format(condition))
    _, _, rest = found.partition(": ")
    assert rest[: len(message)] == message
    assert bool(found) == bool(message)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        pytest.param("params.size > 1 && params.ratio > 1", "", id="numbers"),
        pytest.param("params.sure && params.list[0].x == 1", "", id="others"),
        pytest.param(
            'params.size == "1"', "params.size is a whole number, and this is a text", id="kind"
        ),
        pytest.param(
            'params.mode == "fst"', 'params.mode is never "fst"; write "fast"', id="no choice"
        ),
        pytest.param(
            "params.mode + 1 == 2", "`+` cannot take a text and a whole number", id="an operator"
        ),
    ],
)
def test_params_in_a_runbook(condition: str, message: str) -> None:
    """By the types that are written."""
    text = (
        "runbook: r\ndescription: d\n"
        "params: {size: integer, ratio: number, sure: boolean, list: list,"
        " mode: {type: string, enum: [fast, slow]}}\n"
        f"steps:\n  - check: >-\n     {condition}\n"
    )
    found = [one for one in load_text(text, "f").problems if one.severity is Severity.ERROR]
    said = " | ".join(f"{one.problem}; {one.fix}" for one in found)
    assert said[: len(message)] == message
    assert bool(said) == bool(message)


def test_the_place_is_that_of_the_operator() -> None:
    """Behind a has() too, which is covered for the check and keeps its length."""
    text = "trigger: {event: BLOCK_IO_ERROR, where: has(data.nospace) && data.nospace + 1 == 2}\n"
    assert errors(f"{text}steps: [{{log: x}}]\n").startswith("75: ")
