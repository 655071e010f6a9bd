"""Commands and events held against the QEMUs that a policy is for."""

from dataclasses import replace

import pytest

from reactor.errors import Severity
from reactor.policyfile.check import load_text
from reactor.policyfile.targets import (
    Target,
    held_against,
    shipped_target,
    shipped_targets,
)
from reactor.qapi.shipped import schema_of

HEAD = "policy: p\ndescription: d\n"
OLD, NEW = shipped_target("7.2"), shipped_target("11.1")
LIVE = Target("web-1", schema_of("7.2"))


def said(text: str, *targets: Target) -> str:
    """Everything that is said about a policy with these keys, for these targets."""
    loaded = load_text(f"{HEAD}{text}", "f")
    found = [*loaded.problems, *held_against(loaded.asks, targets or shipped_targets())]
    found.sort(key=lambda one: one.place)
    return "\n".join(f"{one.severity}: {one} [{one.path}]" for one in found)


def steps(text: str, *targets: Target, trigger: str = "{event: GUEST_PANICKED}") -> str:
    """The same of steps."""
    return said(f"trigger: {trigger}\nsteps:\n{text}", *targets)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("  - qmp: stop\n", "", id="no arguments"),
        pytest.param(
            "  - qmp: block_resize\n    args: {node-name: a, size: 1}\n",
            "",
            id="arguments that fit",
        ),
        pytest.param(
            "  - qmp: block_resize\n    args: {node_name: a, size: 1}\n",
            "error: f:6:12: R013 `block_resize` has no argument `node_name`\n"
            "  fix: did you mean `node-name`? [steps/0/args/node_name]",
            id="an unknown argument, at its key",
        ),
        pytest.param(
            "  - qmp: block_resize\n    args:\n      node-name: a\n      size: 1GiB\n",
            "error: f:8:13: R013 `size` is a whole number, and this is a text\n"
            "  fix: QEMU takes bytes: write 1073741824 [steps/0/args/size]",
            id="a wrong value, at the value",
        ),
        pytest.param(
            "  - qmp: block_resize\n    args: {node-name: a}\n",
            "error: f:6:11: R013 `block_resize` needs `size`\n"
            "  fix: add `size: ...` [steps/0/args]",
            id="a missing one, at the map",
        ),
        pytest.param(
            "  - qmp: block_resize\n",
            "error: f:5:10: R013 `block_resize` needs `size`\n"
            "  fix: add `size: ...` [steps/0/args]",
            id="a missing one, at the command where there is no map",
        ),
        pytest.param(
            "  - qmp: set_link\n",
            "error: f:5:10: R013 `set_link` needs `name`\n"
            "  fix: add `name: ...` [steps/0/args]\n"
            "error: f:5:10: R013 `set_link` needs `up`\n"
            "  fix: add `up: ...` [steps/0/args]",
            id="two missing ones at one place, each told once for all targets",
        ),
        pytest.param(
            "  - qmp: nbd-server-start\n"
            "    args: {addr: {type: inet, data: {host: a, port: 7, prt: 1}}}\n",
            "error: f:6:53: R013 `addr.data.port` is a text, and this is a whole number\n"
            "  fix: put it in quotes: '7' [steps/0/args/addr/data/port]\n"
            "error: f:6:56: R013 `addr.data` has no member `prt`\n"
            "  fix: did you mean `port`? [steps/0/args/addr/data/prt]",
            id="deep inside",
        ),
        pytest.param(
            "  - qmp: transaction\n    args: {actions: [{type: abort}]}\n",
            "error: f:6:22: R013 `actions[0]` needs `data` where `type` is `abort`\n"
            "  fix: add `data: ...` [steps/0/args/actions/0]",
            id="in an item of a list",
        ),
        pytest.param(
            "  - parallel:\n      - - {qmp: job-pause, args: {id: 1}}\n"
            "      - - choose: [{default: [{repeat: {times: 2}, steps: [{qmp: cnt}]}]}]\n",
            "error: f:6:39: R013 `id` is a text, and this is a whole number\n"
            "  fix: put it in quotes: '1' [steps/0/parallel/0/0/args/id]\n"
            "warning: f:7:66: R012 no QEMU from 5.2 to 11.1 has the command `cnt`\n"
            "  fix: did you mean `cont`? [steps/0/parallel/1/0/choose/0/default/0/steps/0/qmp]",
            id="in steps of steps",
        ),
        pytest.param(
            "  - qmp: frobnicate-everything\n",
            "warning: f:5:10: R012 no QEMU from 5.2 to 11.1 has the command"
            " `frobnicate-everything`\n"
            "  fix: `reactor docs` lists all commands [steps/0/qmp]",
            id="like no command",
        ),
        pytest.param("  - qmp: __com.example_x\n    args: {a: 1}\n", "", id="a vendor's own"),
        pytest.param("  - qmp: dump-skeys\n    args: {filename: a}\n", "", id="of both"),
        pytest.param(
            "  - qmp: query-migrationthreads\n",
            "error: f:5:10: R013 there is no command `query-migrationthreads`\n"
            "  fix: take the step out, or ask another QEMU [steps/0/qmp]",
            id="gone before, and there after",
        ),
        pytest.param(
            "  - qmp: query-named-block-nodes\n    args: {flat: yes}\n",
            "error: f:6:18: R013 `flat` is true or false, and this is a text\n"
            "  fix: write true [steps/0/args/flat]",
            id="yes is a text",
        ),
        pytest.param(
            "  - agent: guest-shutdown\n    args: {mode: reboot, moode: halt}\n",
            "error: f:6:26: R013 `guest-shutdown` has no argument `moode`\n"
            "  fix: did you mean `mode`? [steps/0/args/moode]",
            id="the agent's",
        ),
        pytest.param(
            "  - agent: guest-fsfreeze-freeze-list\n    args: {mountpoints: [1]}\n",
            "error: f:6:26: R013 `mountpoints[0]` is a text, and this is a whole number\n"
            "  fix: put it in quotes: '1' [steps/0/args/mountpoints/0]",
            id="a list of the agent's",
        ),
        pytest.param(
            "  - agent: guest-file-seek\n    args: {handle: 1, offset: 0, whence: set}\n",
            "",
            id="types of the agent's own",
        ),
        pytest.param(
            "  - agent: guest-xyzzy\n    args: {a: 1}\n",
            "warning: f:5:12: R012 no guest agent up to QEMU 11.1 has the command `guest-xyzzy`\n"
            "  fix: did you mean `guest-sync`? [steps/0/agent]",
            id="an agent's command that none has",
        ),
        pytest.param(
            "  - qmp: job-pause\n    args: {id: '${', x: 1}\n",
            "error: f:6:17: R008 `${` is not closed\n"
            "  fix: close it with }, or write $${ for the characters themselves [steps/0/args/id]",
            id="templates first",
        ),
    ],
)
def test_a_call_is_held_against_all_targets(text: str, message: str) -> None:
    """What all of them refuse is an error, at its very place."""
    assert steps(text) == message


@pytest.mark.parametrize(
    ("template", "trigger", "problem"),
    [
        pytest.param("${data.pass}", "MIGRATION_PASS", "", id="a whole number for one"),
        pytest.param("${data.pass * 2 + 1}", "MIGRATION_PASS", "", id="computed"),
        pytest.param("${trigger.count}", "MIGRATION_PASS", "", id="a number of the engine"),
        pytest.param("${guest.memory}", "MIGRATION_PASS", "", id="a number of the guest"),
        pytest.param("${int(data.node_name)}", "QUORUM_REPORT_BAD", "", id="converted"),
        pytest.param("${message.json.x}", "mqtt", "", id="anything"),
        pytest.param(
            "${data.node_name}", "QUORUM_REPORT_BAD", "gives a text", id="a text of an event"
        ),
        pytest.param(
            "${data.?error.orValue('')}", "QUORUM_REPORT_BAD", "gives a text", id="or another text"
        ),
        pytest.param(
            "${data.?size.orValue(0)}", "BLOCK_IMAGE_CORRUPTED", "", id="or another number"
        ),
        pytest.param(
            "${has(data.size) ? data.size : 0}", "BLOCK_IMAGE_CORRUPTED", "", id="one of two"
        ),
        pytest.param("${guest.name}", "RESET", "gives a text", id="a text of the guest"),
        pytest.param("x${data.pass}", "MIGRATION_PASS", "gives a text", id="in a longer text"),
        pytest.param("${data.guest}", "RESET", "gives true or false", id="a truth"),
        pytest.param("${data.pass > 1}", "MIGRATION_PASS", "gives true or false", id="compared"),
        pytest.param("${double(data.pass)}", "MIGRATION_PASS", "gives a fraction", id="fraction"),
        pytest.param("${[data.pass]}", "MIGRATION_PASS", "gives a list", id="a list"),
        pytest.param("${{'a': data.pass}}", "MIGRATION_PASS", "gives a map", id="a map"),
        pytest.param("${data.result}", "DUMP_COMPLETED", "gives a map", id="a map of the event"),
        pytest.param("${now()}", "RESET", "gives a text", id="a time"),
        pytest.param("${null}", "RESET", "gives null", id="null"),
        pytest.param("${vars.whole}", "RESET", "", id="a var"),
        pytest.param("${vars.text}", "RESET", "gives a text", id="a var that is a text"),
        pytest.param("${vars.made}", "RESET", "gives true or false", id="a var that is computed"),
        pytest.param("${vars.list}", "RESET", "", id="a var that may be anything"),
        pytest.param("${steps.jobs.result[0].id}", "RESET", "gives a text", id="of a reply"),
        pytest.param(
            "${steps.jobs.result[0].current_progress}", "RESET", "", id="a number of a reply"
        ),
        pytest.param("${steps.gone.result.x}", "RESET", "", id="of a reply that nobody knows"),
    ],
)
def test_templates_are_typed_through_to_the_argument(
    template: str, trigger: str, problem: str
) -> None:
    """Which here is a whole number."""
    brings = "{mqtt: a, guest: web-1}" if trigger == "mqtt" else f"{{event: {trigger}}}"
    text = (
        f"trigger: {brings}\n"
        "vars: {whole: 1, text: a, half: 0.5, yes: true, made: '${guest.migrating}', list: [1]}\n"
        "steps:\n"
        "  - {qmp: query-jobs, save: jobs}\n"
        "  - {qmp: __vendor_x, save: gone}\n"
        "  - qmp: block_resize\n"
        f'    args: {{node-name: a, size: "{template}"}}\n'
    )
    loaded = load_text(f"{HEAD}{text}", "f")
    assert [one.problem for one in loaded.problems if one.severity is Severity.ERROR] == []
    found = [one.problem for one in held_against(loaded.asks, shipped_targets())]
    assert found == ([f"`size` is a whole number, and this {problem}"] if problem else [])


def test_a_text_of_an_event_that_no_argument_takes() -> None:
    """All that it may be is known from the schema, as is what the argument takes."""
    text = "  - qmp: set-action\n    args: {panic: '${data.action}', watchdog: '${data.action}'}\n"
    assert steps(text, trigger="{event: GUEST_PANICKED}") == ""
    assert steps(text, trigger="{event: MEMORY_FAILURE}") == (
        "error: f:6:19: R013 `panic` cannot be what this gives (`fatal`, `ignore`, `inject`, ...)\n"
        "  fix: write one of: pause, shutdown, exit-failure, none [steps/0/args/panic]"
    )


RUNBOOK = """\
runbook: grow
description: d
params:
  node: string
  size: {type: integer, default: 1}
  mode: {type: string, enum: [pause, poweroff]}
  odd: {type: frob}
  all: map
steps:
  - qmp: block_resize
    args: {node-name: '${params.SIZE_OR_NODE}', size: '${params.size}'}
  - qmp: set-action
    args: {panic: '${params.mode}', watchdog: '${params.mode}'}
  - qmp: job-pause
    args: {id: '${params.all}'}
"""


def test_what_a_runbook_is_told_is_typed_by_its_params() -> None:
    """At the step of the runbook, once, whoever runs it."""
    text = RUNBOOK.replace("  odd: {type: frob}\n", "")
    sound = load_text(text.replace("SIZE_OR_NODE", "node"), "f")
    assert list(held_against(sound.asks, shipped_targets())) == []
    wrong = load_text(text.replace("SIZE_OR_NODE", "size"), "f")
    (found,) = held_against(wrong.asks, shipped_targets())
    assert found.problem == "`node-name` is a text, and this gives a whole number"
    assert (found.place.line, found.path) == (10, "steps/0/args/node-name")


TAKES = """\
runbook: r
description: d
params: {text: string, size: integer, ratio: number, sure: boolean, list: list, map: map}
steps: [{log: x}]
---
policy: p
description: d
trigger: {event: RESET}
steps: [{qmp: query-jobs, save: jobs}, {run: r, with: {text: a, size: 1, ratio: 1, sure: true,
"""


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        pytest.param("list: [], map: {}", "", id="written out"),
        pytest.param("list: '${steps.jobs.result}', map: '${data}'", "", id="of the right kind"),
        pytest.param(
            "list: '${data.reason}', map: {}",
            "list`: it takes a list, and this gives a text",
            id="list",
        ),
        pytest.param(
            "list: [], map: '${steps.jobs.result}'",
            "map`: it takes a map, and this gives a list",
            id="map",
        ),
        pytest.param(
            "list: [], map: 'a${data.reason}'", "map`: it takes a map, not", id="told once"
        ),
        pytest.param("list: '${message.json}', map: {}", "", id="anything"),
    ],
)
def test_what_a_runbook_is_given_is_typed(given: str, problem: str) -> None:
    """At the value, by what its template gives."""
    text = TAKES.replace("{event: RESET}", "[{event: RESET}, {mqtt: a, guest: b}]")
    told = load_text(f"{text}   {given}}}}}]\n", "f").problems
    assert [one.problem.partition("runbook `r")[0] for one in told if problem == ""] == []
    found = [one for one in told if one.severity is Severity.ERROR]
    if problem:
        (one,) = found
        key, _, rest = problem.partition("`: ")
        assert one.problem.startswith(f"`{key}` of the runbook `r`: {rest}")
        assert one.path == f"steps/1/with/{key}"


@pytest.mark.parametrize(
    ("param", "template", "given"),
    [
        pytest.param(
            "size", "${guest.name}", "it takes an integer, and this gives a text", id="int"
        ),
        pytest.param(
            "ratio", "${data.guest}", "a number, and this gives true or false", id="number"
        ),
        pytest.param(
            "sure", "${guest.memory}", "a boolean, and this gives a whole number", id="bool"
        ),
        pytest.param(
            "text", "${guest.memory}", "a string, and this gives a whole number", id="text"
        ),
    ],
)
def test_a_template_that_gives_another_kind(param: str, template: str, given: str) -> None:
    """For each kind of param."""
    text = TAKES.replace(
        f"{param}: {'a' if param == 'text' else 'true' if param == 'sure' else '1'},",
        f"{param}: '{template}',",
    )
    (one,) = load_text(f"{text}   list: [], map: {{}}}}}}]\n", "f").problems
    assert given in one.problem


def test_a_param_of_no_type_may_be_anything() -> None:
    """That it has none is told elsewhere."""
    found = load_text(RUNBOOK.replace("SIZE_OR_NODE", "odd"), "f")
    assert [one.path for one in found.problems] == ["params/odd/type"]


NEWER = "  - qmp: block-job-change\n    args: {id: a, type: mirror, copy-mode: write-blocking}\n"
NEWER_VALUE = "  - qmp: migrate-set-parameters\n    args: {mode: cpr-reboot}\n"


@pytest.mark.parametrize(
    ("text", "targets", "message"),
    [
        pytest.param(
            NEWER,
            (OLD, NEW),
            "warning: f:5:10: R013 QEMU 7.2: there is no command `block-job-change`\n"
            "  fix: take the step out, or ask another QEMU [steps/0/qmp]",
            id="a command of the newer one",
        ),
        pytest.param(NEWER, (NEW,), "", id="for the newer one alone"),
        pytest.param(
            NEWER,
            (OLD,),
            "error: f:5:10: R013 there is no command `block-job-change`\n"
            "  fix: take the step out, or ask another QEMU [steps/0/qmp]",
            id="for the older one alone",
        ),
        pytest.param(
            NEWER.replace("mirror", "miror"),
            (OLD, NEW),
            "error: f:5:10: R013 QEMU 7.2: there is no command `block-job-change`\n"
            "  fix: take the step out, or ask another QEMU [steps/0/qmp]\n"
            "error: f:6:25: R013 QEMU 11.1: `type` cannot be `miror`\n"
            "  fix: did you mean `mirror`? [steps/0/args/type]",
            id="refused by each for its own reason",
        ),
        pytest.param(
            NEWER_VALUE,
            (OLD, NEW),
            "warning: f:6:12: R013 QEMU 7.2: `migrate-set-parameters` has no argument `mode`\n"
            "  fix: look it up with `reactor docs` [steps/0/args/mode]",
            id="an argument of the newer one",
        ),
        pytest.param(
            "  - qmp: migrate-set-parameters\n    args: {compress-level: 1}\n",
            (OLD, NEW, replace(LIVE, name="db-1")),
            "warning: f:6:12: R013 QEMU 11.1: `migrate-set-parameters` has no argument"
            " `compress-level`\n"
            "  fix: look it up with `reactor docs` [steps/0/args/compress-level]",
            id="an argument of the older ones",
        ),
        pytest.param(
            "  - qmp: query-cpu-model-comparison\n"
            "    args: {modela: {name: a}, modelb: {name: 1}}\n",
            (OLD,),
            "",
            id="another machine's: nothing can be told from a shipped schema",
        ),
        pytest.param(
            "  - qmp: query-cpu-model-comparison\n"
            "    args: {modela: {name: a}, modelb: {name: 1}}\n",
            (LIVE,),
            "error: f:5:10: R013 there is no command `query-cpu-model-comparison`\n"
            "  fix: take the step out, or ask another QEMU [steps/0/qmp]",
            id="a QEMU that was asked has not got it",
        ),
    ],
)
def test_what_only_some_targets_refuse(
    text: str, targets: tuple[Target, ...], message: str
) -> None:
    """It is a warning that names them."""
    assert steps(text, *targets) == message


@pytest.mark.parametrize(
    ("trigger", "targets", "message"),
    [
        pytest.param("{event: RESET}", (OLD, NEW), "", id="of all"),
        pytest.param(
            "{event: VFIO_MIGRATION}",
            (OLD, NEW),
            "warning: f:3:18: R013 QEMU 7.2 never sends `VFIO_MIGRATION`\n"
            "  fix: take it out, or name others beside it [trigger/event]",
            id="of the newer one",
        ),
        pytest.param(
            "{event: RDMA_GID_STATUS_CHANGED}",
            (NEW,),
            "error: f:3:18: R013 QEMU 11.1 never sends `RDMA_GID_STATUS_CHANGED`\n"
            "  fix: take it out, or name others beside it [trigger/event]",
            id="gone for all",
        ),
        pytest.param(
            "{event: VFIO_MIGRATION}",
            (OLD, LIVE),
            "error: f:3:18: R013 the targets never send `VFIO_MIGRATION`\n"
            "  fix: take it out, or name others beside it [trigger/event]",
            id="not there yet for all of several",
        ),
        pytest.param("{event: [VFIO_MIGRATION, RESET]}", (OLD, NEW), "", id="another beside it"),
        pytest.param("{event: [VFIO_MIGRATION, 'R*']}", (OLD,), "", id="a glob beside it"),
        pytest.param("{event: MEM_UNPLUG_ERROR}", (NEW,), "", id="it comes by its new name"),
        pytest.param("{event: REACTOR_GUEST_LOST}", (OLD,), "", id="the engine's own"),
        pytest.param("{event: __com.example_X}", (OLD,), "", id="a vendor's own"),
        pytest.param(
            "{event: GUEST_PANICED}",
            (OLD,),
            "warning: f:3:18: R012 no QEMU from 5.2 to 11.1 sends `GUEST_PANICED`\n"
            "  fix: did you mean `GUEST_PANICKED`? [trigger/event]",
            id="that nobody knows is told once",
        ),
        pytest.param(
            "{event: RESET, followed_by: {event: [VFIO_MIGRATION], within: 1m}}",
            (OLD,),
            "error: f:3:47: R013 QEMU 7.2 never sends `VFIO_MIGRATION`\n"
            "  fix: take it out, or name others beside it [trigger/followed_by/event/0]",
            id="a second event",
        ),
    ],
)
def test_an_event_that_a_target_never_sends(
    trigger: str, targets: tuple[Target, ...], message: str
) -> None:
    """Unless another of the list is sent."""
    assert steps("  - log: x\n", *targets, trigger=trigger) == message


def test_a_version_that_is_not_shipped() -> None:
    """The caller says so in its own words."""
    with pytest.raises(LookupError, match=r"no schema of QEMU 3\.1 is shipped"):
        shipped_target("3.1")
