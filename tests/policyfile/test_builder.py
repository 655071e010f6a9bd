"""Every construct of the language as the value that the engine gets."""

from dataclasses import fields, is_dataclass

import pytest

from reactor.core import policy as core
from reactor.core import steps
from reactor.core.expr import Expression
from reactor.core.marks import MarkKind
from reactor.core.template import Template
from reactor.errors import Place, Severity
from reactor.policyfile.builder import revision_of
from reactor.policyfile.check import load_text

FULL = """\
policy: everything
description: All there is.
enforcement: audit
guests:
  name: [web-*, db-1]
  labels: {tier: [prod, stage], rack: a*}
  except: {name: web-9, labels: {on-panic: keep}}
arm:
  - guest: preserve-on-panic
  - {qmp: set-action, args: {panic: pause}, timeout: 5s}
trigger:
  - {event: RESET, where: data.guest == true, by: data.reason}
  - {event: [STOP, 'BLOCK_*']}
if: ['true', guest.status == "running"]
cooldown: 1h30m
debounce: {quiet: 10s, at_most: 2m}
inhibit_if: ['marked("guest", "self")', 'false']
approval: {ask: "${guest.name}?", expires: 10m}
mode: queued
max: 3
limits: [3 per 1h per guest, 1 at once per key]
timeout: 2h
vars: {a: 1, b: "${data.reason}"}
steps:
  - {log: x}
on_limit: [{log: limit}]
on_failure: [{log: failure}]
finally: [{log: end}]
"""


def shown(value: object) -> object:
    """The value with expressions and templates as their sources, so that it can be compared."""
    match value:
        case Expression():
            return f"cel: {value.source}"
        case Template():
            return f"template: {value.source}"
        case dict():
            return {key: shown(item) for key, item in value.items()}
        case tuple():
            return tuple(shown(item) for item in value)
        case _ if is_dataclass(value) and not isinstance(value, Place | steps.StepOptions):
            return {
                "": type(value).__name__,
                **{
                    field.name: shown(getattr(value, field.name))
                    for field in fields(value)
                    if field.name != "options"
                },
            }
        case _:
            return value


SAYS_NO_MORE = {
    "count": 1,
    "within": None,
    "sequel": None,
    "cancel_on": (),
    "own": False,
    "synthetic": True,
}
"""What an event trigger is that says nothing of these."""


def built(text: str) -> core.Policy:
    """The one policy of a text without problems."""
    loaded = load_text(text, "f")
    told = [str(one) for one in loaded.problems if one.severity is not Severity.NOTE]
    assert told == []
    return loaded.policies[0]


def options(section: str, index: int, line: int, column: int = 5) -> steps.StepOptions:
    """The options of a step that says nothing but its verb."""
    return steps.StepOptions(f"{section}/{index}", Place("f", line, column))


def test_a_policy_with_every_key() -> None:
    """Each key arrives where the engine looks for it; durations are seconds."""
    policy = built(FULL)
    assert policy.name == "everything"
    assert policy.description == "All there is."
    assert policy.enforcement is core.Enforcement.AUDIT
    assert policy.guests == core.Selector(
        names=("web-*", "db-1"),
        labels=(("tier", ("prod", "stage")), ("rack", ("a*",))),
        excludes=core.Selector(names=("web-9",), labels=(("on-panic", ("keep",)),)),
    )
    assert shown(policy.triggers) == (
        {
            "": "EventTrigger",
            "events": ("RESET",),
            "where": "cel: data.guest == true",
            "by": "cel: data.reason",
            "path": "trigger/0",
            **SAYS_NO_MORE,
        },
        {
            "": "EventTrigger",
            "events": ("STOP", "BLOCK_*"),
            "where": None,
            "by": None,
            "path": "trigger/1",
            **SAYS_NO_MORE,
        },
    )
    assert shown(policy.conditions) == ("cel: true", 'cel: guest.status == "running"')
    assert policy.debounce == core.Debounce(10.0, 120.0)
    assert shown(policy.inhibit_if) == ('cel: marked("guest", "self")', "cel: false")
    assert shown(policy.approval) == {
        "": "Approval",
        "ask": "template: ${guest.name}?",
        "expires": 600.0,
    }
    assert (policy.cooldown, policy.timeout) == (5400.0, 7200.0)
    assert (policy.mode, policy.max) == (core.Mode.QUEUED, 3)
    assert policy.limits == (
        core.Limit(3, 3600.0, core.LimitScope.GUEST, "3 per 1h per guest"),
        core.Limit(1, None, core.LimitScope.KEY, "1 at once per key"),
    )
    assert shown(policy.vars) == (("a", 1), ("b", "template: ${data.reason}"))
    assert policy.steps == (steps.LogStep(options("steps", 0, 25), "x"),)
    assert policy.on_limit == (steps.LogStep(options("on_limit", 0, 26, 12), "limit"),)
    assert policy.on_failure == (steps.LogStep(options("on_failure", 0, 27, 14), "failure"),)
    assert policy.finally_ == (steps.LogStep(options("finally", 0, 28, 11), "end"),)
    assert policy.arm == (
        steps.GuestStep(options("arm", 0, 9), steps.GuestAction.PRESERVE_ON_PANIC),
        steps.QmpStep(
            steps.StepOptions("arm/1", Place("f", 10, 5), timeout=5.0),
            "set-action",
            {"panic": "pause"},
        ),
    )
    assert (policy.place, policy.source) == (Place("f", 1, 1), FULL)


def test_a_policy_with_no_more_than_it_needs() -> None:
    """What is left out is the default of the contract."""
    text = "policy: p\ndescription: d\ntrigger: {event: RESET}\nsteps: [{log: x}]\n"
    policy = built(text)
    assert policy == core.Policy(
        name="p",
        description="d",
        triggers=(core.EventTrigger(("RESET",)),),
        steps=(steps.LogStep(options("steps", 0, 4, 9), "x"),),
        revision="42c486ed7cf2",
        source=text,
        place=Place("f", 1, 1),
        enforcement=core.Enforcement.ENFORCE,
        guests=core.Selector(),
        arm=(),
        conditions=(),
        mode=core.Mode.SINGLE,
        max=10,
        cooldown=None,
        limits=(),
        timeout=3600.0,
        vars=(),
        on_failure=(),
        on_limit=(),
        finally_=(),
    )


@pytest.mark.parametrize(
    ("step", "value"),
    [
        pytest.param(
            "guest: dump",
            {
                "": "GuestDump",
                "to": "template: ${guest.name}-${run.id}.dump",
                "format": "kdump-zlib",
            },
            id="dump, as it is",
        ),
        pytest.param(
            "{guest: dump, to: a.dump, format: elf}",
            {"": "GuestDump", "to": "a.dump", "format": "elf"},
            id="dump to a file",
        ),
        pytest.param(
            "guest: reset", {"": "GuestStep", "action": steps.GuestAction.RESET}, id="reset"
        ),
        pytest.param(
            "guest: pause", {"": "GuestStep", "action": steps.GuestAction.PAUSE}, id="pause"
        ),
        pytest.param(
            "guest: resume", {"": "GuestStep", "action": steps.GuestAction.RESUME}, id="resume"
        ),
        pytest.param(
            "guest: preserve-on-panic",
            {"": "GuestStep", "action": steps.GuestAction.PRESERVE_ON_PANIC},
            id="preserve-on-panic as a step",
        ),
        pytest.param(
            "qmp: query-status",
            {"": "QmpStep", "command": "query-status", "arguments": {}, "wait": None},
            id="qmp",
        ),
        pytest.param(
            "{qmp: balloon, args: {value: '${guest.memory}', deep: [{x: true}, null]},"
            " wait: {event: [BALLOON_CHANGE, 'R*'], where: data.actual > 1, fail_when: false,"
            " timeout: 10s}}",
            {
                "": "QmpStep",
                "command": "balloon",
                "arguments": {"value": "template: ${guest.memory}", "deep": ({"x": True}, None)},
                "wait": {
                    "": "EventWait",
                    "events": ("BALLOON_CHANGE", "R*"),
                    "where": "cel: data.actual > 1",
                    "fail_when": "cel: false",
                    "timeout": 10.0,
                },
            },
            id="qmp with arguments and a wait",
        ),
        pytest.param(
            "wait: {event: RESET}",
            {
                "": "WaitEventStep",
                "wait": {
                    "": "EventWait",
                    "events": ("RESET",),
                    "where": None,
                    "fail_when": None,
                    "timeout": None,
                },
            },
            id="wait for an event",
        ),
        pytest.param(
            "wait: {until: guest.migrating, timeout: 1m}",
            {"": "WaitUntilStep", "until": "cel: guest.migrating", "limit": 60.0},
            id="wait for a condition",
        ),
        pytest.param("check: true", {"": "CheckStep", "holds": "cel: true"}, id="check"),
        pytest.param("delay: 500ms", {"": "DelayStep", "seconds": 0.5}, id="delay"),
        pytest.param(
            "publish: alert/x",
            {
                "": "PublishStep",
                "topic": "alert/x",
                "payload": None,
                "qos": 1,
                "retain": False,
                "absolute": False,
                "properties": None,
            },
            id="publish, as it is",
        ),
        pytest.param(
            "{publish: 'a/${slug(guest.name)}', payload: ['${run.id}'], qos: 2, retain: true,"
            " topic: absolute, properties: {by: '${run.policy}'}}",
            {
                "": "PublishStep",
                "topic": "template: a/${slug(guest.name)}",
                "payload": ("template: ${run.id}",),
                "qos": 2,
                "retain": True,
                "absolute": True,
                "properties": {"by": "template: ${run.policy}"},
            },
            id="publish with everything",
        ),
        pytest.param(
            "mark: {disk: '${data.reason}', as: degraded, reason: bad, expires: 1d}",
            {
                "": "MarkStep",
                "kind": MarkKind.DISK,
                "id": "template: ${data.reason}",
                "word": "degraded",
                "reason": "bad",
                "expires": 86400.0,
            },
            id="mark",
        ),
        pytest.param(
            "mark: {host: self, as: full}",
            {
                "": "MarkStep",
                "kind": MarkKind.HOST,
                "id": "self",
                "word": "full",
                "reason": None,
                "expires": None,
            },
            id="mark on the host",
        ),
        pytest.param(
            "clear: {port: agent}",
            {"": "ClearStep", "kind": MarkKind.PORT, "id": "agent", "word": None},
            id="clear all of an id",
        ),
        pytest.param(
            "clear: {migration: m, as: slow}",
            {"": "ClearStep", "kind": MarkKind.MIGRATION, "id": "m", "word": "slow"},
            id="clear one word",
        ),
        *(
            pytest.param(
                f"guest: {action}",
                {"": "GuestStep", "action": steps.GuestAction(action)},
                id=action,
            )
            for action in ("shutdown", "reboot", "start", "destroy", "inject-nmi")
        ),
        pytest.param(
            "wait: {stays: guest.migrating, for: 1m, timeout: 5m}",
            {
                "": "WaitStaysStep",
                "stays": "cel: guest.migrating",
                "seconds": 60.0,
                "limit": 300.0,
            },
            id="wait for a condition that lasts",
        ),
        pytest.param(
            "{agent: guest-exec, args: {path: '${guest.name}'}}",
            {
                "": "AgentStep",
                "command": "guest-exec",
                "arguments": {"path": "template: ${guest.name}"},
            },
            id="agent",
        ),
        pytest.param(
            "agent: guest-ping",
            {"": "AgentStep", "command": "guest-ping", "arguments": {}},
            id="agent without arguments",
        ),
        pytest.param(
            "http: {url: 'http://x/${run.id}', json: {a: ['${data.reason}', 1]},"
            " expect: [200, 204], headers: {X-Who: '${run.policy}'}}",
            {
                "": "HttpStep",
                "method": "POST",
                "url": "template: http://x/${run.id}",
                "json": {"a": ("template: ${data.reason}", 1)},
                "headers": {"X-Who": "template: ${run.policy}"},
                "expect": (200, 204),
            },
            id="http with a body",
        ),
        pytest.param(
            "http: {url: 'https://x', expect: 204}",
            {
                "": "HttpStep",
                "method": "GET",
                "url": "https://x",
                "json": None,
                "headers": None,
                "expect": (204,),
            },
            id="http without a body",
        ),
        pytest.param(
            "http: {url: 'https://x', method: PUT, json: x}",
            {
                "": "HttpStep",
                "method": "PUT",
                "url": "https://x",
                "json": "x",
                "headers": None,
                "expect": (200,),
            },
            id="http with a method",
        ),
        pytest.param(
            "exec: [/usr/bin/logger, -t, '${guest.name}: ${run.id}', '']",
            {
                "": "ExecStep",
                "program": "/usr/bin/logger",
                "arguments": ("-t", "template: ${guest.name}: ${run.id}", ""),
            },
            id="exec",
        ),
        pytest.param(
            "exec: [/bin/true]",
            {"": "ExecStep", "program": "/bin/true", "arguments": ()},
            id="exec without arguments",
        ),
        pytest.param(
            "inhibit: {policies: [a, 'b-*'], for: 1h}",
            {"": "InhibitStep", "policies": ("a", "b-*"), "seconds": 3600.0},
            id="inhibit",
        ),
        pytest.param("log: $${x}", {"": "LogStep", "text": "${x}"}, id="log"),
        pytest.param("fail: no", {"": "FailStep", "text": "no"}, id="fail"),
        pytest.param("stop: '5'", {"": "StopStep", "text": "5"}, id="stop"),
    ],
)
def test_a_step(step: str, value: dict[str, object]) -> None:
    """The verb with all it may say."""
    policy = built(f"policy: p\ndescription: d\ntrigger: {{event: RESET}}\nsteps:\n  - {step}\n")
    assert shown(policy.steps) == (value,)
    assert policy.steps[0].options == options("steps", 0, 5)


NESTED = """\
policy: p
description: d
trigger: {event: RESET}
steps:
  - choose:
      - when: guest.migrating
        steps:
          - log: one
          - {log: two, if: 'true'}
      - default:
          - parallel:
              - [{log: three}]
              - - repeat: {times: 3, backoff: [1s, 5s], until: steps.x.ok}
                  steps:
                    - {log: four, save: x}
  - {repeat: {times: 2}, steps: [{log: five}]}
"""


def test_steps_inside_of_steps() -> None:
    """Each has its own path and place, whatever it stands in."""
    choose, again = built(NESTED).steps
    assert isinstance(choose, steps.ChooseStep)
    first, otherwise = choose.branches
    assert shown(first.when) == "cel: guest.migrating"
    assert otherwise.when is None
    assert [branch.path for branch in choose.branches] == ["steps/0/choose/0", "steps/0/choose/1"]
    (side_by_side,) = otherwise.steps
    assert isinstance(side_by_side, steps.ParallelStep)
    (three,), (rounds,) = side_by_side.branches
    assert isinstance(rounds, steps.RepeatStep)
    assert (rounds.times, rounds.backoff, shown(rounds.until)) == (3, (1.0, 5.0), "cel: steps.x.ok")
    assert isinstance(again, steps.RepeatStep)
    assert (again.times, again.backoff, again.until) == (2, (), None)
    everything = (*first.steps, *otherwise.steps, three, rounds, *rounds.steps, *again.steps)
    assert [(step.options.path, step.options.place) for step in everything] == [
        ("steps/0/choose/0/steps/0", Place("f", 8, 13)),
        ("steps/0/choose/0/steps/1", Place("f", 9, 13)),
        ("steps/0/choose/1/default/0", Place("f", 11, 13)),
        ("steps/0/choose/1/default/0/parallel/0/0", Place("f", 12, 18)),
        ("steps/0/choose/1/default/0/parallel/1/0", Place("f", 13, 19)),
        ("steps/0/choose/1/default/0/parallel/1/0/steps/0", Place("f", 15, 23)),
        ("steps/1/steps/0", Place("f", 16, 34)),
    ]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        pytest.param("debounce: 10s\n", {"debounce": core.Debounce(10.0)}, id="debounce"),
        pytest.param(
            "debounce: {quiet: 1m}\n", {"debounce": core.Debounce(60.0)}, id="debounce, only quiet"
        ),
        pytest.param("approval: {}\n", {"approval": core.Approval("", 3600.0)}, id="approval"),
        pytest.param(
            "enforcement: approve\n",
            {"enforcement": core.Enforcement.APPROVE, "approval": None},
            id="approve",
        ),
        pytest.param("mode: restart\n", {"mode": core.Mode.RESTART}, id="restart"),
        pytest.param("mode: parallel\n", {"mode": core.Mode.PARALLEL}, id="parallel"),
    ],
)
def test_what_admission_may_say(written: str, value: dict[str, object]) -> None:
    """The short forms, and what is left out of them."""
    policy = built(
        f"policy: p\ndescription: d\ntrigger: {{event: RESET}}\nsteps: [{{log: x}}]\n{written}"
    )
    assert {key: getattr(policy, key) for key in value} == value


def test_the_options_of_a_step() -> None:
    """Each one, on a step that has them all."""
    step = (
        "{log: x, name: A step, if: guest.migrating, timeout: 1m, retry: {times: 3,"
        " backoff: [5s, 1m]}, on_error: continue, save: it}"
    )
    policy = built(f"policy: p\ndescription: d\ntrigger: {{event: RESET}}\nsteps: [{step}]\n")
    found = policy.steps[0].options
    assert found.condition is not None
    assert found.condition.source == "guest.migrating"
    assert (found.path, found.place, found.name) == ("steps/0", Place("f", 4, 9), "A step")
    assert (found.timeout, found.retry) == (60.0, steps.Retry(3, (5.0, 60.0)))
    assert (found.on_error, found.save) == (steps.OnError.CONTINUE, "it")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("a: 1\n", "a: 1\n", True, id="the same text"),
        pytest.param("a: 1\n", "a: 2\n", False, id="another value"),
        pytest.param("a: 1\n", "a: 1 # why\n", False, id="another comment"),
    ],
)
def test_the_revision_names_the_text(one: str, other: str, same: bool) -> None:
    """Twelve hex digits, equal exactly for equal texts."""
    assert (revision_of(one) == revision_of(other)) is same
    assert len(revision_of(one)) == 12


def test_the_revision_does_not_depend_on_what_surrounds_the_document() -> None:
    """The same policy in another file, at another line, with Windows line ends."""
    text = "policy: p\ndescription: d\ntrigger: {event: RESET}\nsteps: [{log: x}]\n"
    other = f"# more\n---\n\n{text}\n\n---\n# end\n".replace("\n", "\r\n")
    assert built(other).revision == built(text).revision
    assert built(other).source == text
