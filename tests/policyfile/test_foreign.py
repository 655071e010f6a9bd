"""Words of the neighbours: what is written here in their place is told before any guess."""

import pytest

from reactor.errors import Severity
from reactor.policyfile import foreign, schema, schema_marks, schema_step, schema_waits
from reactor.policyfile.check import load_text
from reactor.policyfile.event_shapes import known_events
from reactor.policyfile.schema_base import Model
from reactor.policyfile.schema_steps import VERBS, Rounds, WhenBranch
from reactor.policyfile.schema_triggers import KINDS, EventTrigger, StateTrigger
from reactor.policyfile.schema_verbs import GuestStep

HEAD = "policy: p\ndescription: d\n"
TRIGGER = "trigger: {event: RESET}\n"
STEPS = "steps: [{log: x}]\n"


def told(text: str) -> list[str]:
    """The errors as people read them, with the place in one line."""
    problems = load_text(text, "f").problems
    return [
        f"{one.place.line}:{one.place.column} {one.problem} -> {one.fix}"
        for one in problems
        if one.severity is Severity.ERROR
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # whole policies
        pytest.param(
            f"{HEAD}on: {{event: RESET}}\n{STEPS}",
            ["3:1 `on` is no key here -> write `trigger: {event: NAME}`"],
            id="GitHub: on; that the trigger is missing follows from it",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}tasks: []\n",
            ["4:1 `tasks` is no key here -> write `steps`"],
            id="Ansible: tasks",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}{STEPS}condition: data.x\n",
            [
                (
                    "5:1 `condition` is no key here -> `if: CONDITION` asks the guest's state when"
                    " a run starts; what the event says is asked with `where` in `trigger`"
                )
            ],
            id="Home Assistant: condition, which is near to description",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}{STEPS}rate_limit: 3\n",
            ["5:1 `rate_limit` is no key here -> write `limits: [3 per 1h per guest]`"],
            id="rate_limit, which is near to on_limit",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}{STEPS}StartLimitBurst: 3\n",
            ["5:1 `StartLimitBurst` is no key here -> write `limits: [3 per 1h per guest]`"],
            id="systemd, with its capitals",
        ),
        pytest.param(
            "alias: p\n",
            [
                "1:1 a document cannot begin with `alias` -> write `policy: NAME`",
            ],
            id="Home Assistant: alias",
        ),
        # triggers
        pytest.param(
            f"{HEAD}trigger: {{event: RESET, count: 3, window: 5m}}\n{STEPS}",
            ["3:35 `window` is no key here -> write `within: 10m`"],
            id="window; that count needs it is not told",
        ),
        pytest.param(
            f"{HEAD}trigger: {{time: '03:00'}}\n{STEPS}",
            ["3:11 `time` is no key here -> write `schedule: '0 3 * * *'`"],
            id="a time of the day",
        ),
        pytest.param(
            f"{HEAD}trigger: {{state: guest.migrating, to: 'on', duration: 1m}}\n{STEPS}",
            [
                (
                    "3:35 `to` is no key here"
                    " -> `state: 'guest.status == \"paused\"'` says all of it"
                ),
                "3:45 `duration` is no key here -> write `for: 1m`",
            ],
            id="Home Assistant: a state",
        ),
        pytest.param(
            f"{HEAD}trigger: RESET\n{STEPS}",
            ["3:10 a trigger is a mapping -> write it as `event: RESET`"],
            id="the event alone",
        ),
        pytest.param(
            f"{HEAD}trigger: {{event: vir_domain_event_id_io_error}}\n{STEPS}",
            [
                "3:18 `vir_domain_event_id_io_error` is no event name -> write `BLOCK_IO_ERROR`",
            ],
            id="libvirt's event",
        ),
        pytest.param(
            f"{HEAD}guests: {{tier: prod}}\n{TRIGGER}{STEPS}",
            ["3:10 `tier` is no key here -> write `labels: {tier: VALUE}` if it is a label"],
            id="a label where guests are selected",
        ),
        pytest.param(
            f"{HEAD}guests: {{nam: web}}\n{TRIGGER}{STEPS}",
            ["3:10 `nam` is no key here -> did you mean `name`?"],
            id="a misspelt key there",
        ),
        # steps
        pytest.param(
            f"{HEAD}{TRIGGER}steps:\n  - guest: restart\n",
            ["5:12 `restart` is not known here -> write `reset`"],
            id="restart, which is near to start",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}steps:\n  - execute: query-status\n",
            ["5:5 unknown step `execute` -> write `qmp: COMMAND`"],
            id="QMP's own word, which is near to exec",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}steps:\n  - {{when: data.x, shell: ls}}\n",
            [
                (
                    "5:20 unknown step `shell` -> `exec: [/usr/bin/PROGRAM, ARGUMENT]` for a"
                    " program, `qmp: COMMAND` for one of QEMU"
                )
            ],
            id="a verb of Ansible beside one of its options",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}steps:\n  - {{log: x, when: a, ignore_errors: true}}\n",
            [
                "5:14 `when` is no key here -> write `if`",
                "5:23 `ignore_errors` is no key here -> write `on_error: continue`",
            ],
            id="options of Ansible",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}steps:\n  - reset: {{}}\n  - query-status:\n  - guest-ping: 1\n"
            "  - reset\n  - log\n  - what\n  - xyzzy: 1\n  - {}\n",
            [
                "5:5 unknown step `reset` -> write `guest: reset`",
                "6:5 unknown step `query-status` -> write `qmp: query-status`",
                "7:5 unknown step `guest-ping` -> write `agent: guest-ping`",
                "8:5 a step is a mapping with a verb -> write it as `- guest: reset`",
                "9:5 a step is a mapping with a verb -> write it as `- log: VALUE`",
                "10:5 a step is a mapping with a verb -> write it as `- VERB: VALUE`",
                f"11:5 unknown step `xyzzy` -> write one of: {', '.join(VERBS)}",
                f"12:5 the step has no verb -> write one of: {', '.join(VERBS)}",
            ],
            id="what is known to QEMU, without its verb",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}steps:\n  - wait: 5m\n  - wait: RESET\n  - wait: x\n"
            "  - wait: {condition: a}\n",
            [
                "5:11 a wait is a mapping -> write `delay: 5m` for a fixed time",
                "6:11 a wait is a mapping -> write `wait: {event: RESET, timeout: 5m}`",
                (
                    "7:11 a wait is a mapping -> write `wait: {event: NAME}` or"
                    " `wait: {until: CONDITION}`; for a fixed time `delay`"
                ),
                "8:12 `condition` is no key here -> write `until`",
            ],
            id="waits as others write them",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}limits: 3 per hour\nsteps:\n  - publish: {{topic: a}}\n"
            "  - log: {msg: a}\n  - fail: {a: b}\n  - parallel: [{log: x}]\n"
            "  - exec: /bin/x y\n  - {stop: a, error: true}\n",
            [
                (
                    "4:9 a list is expected here, not the string '3 per hour'"
                    " -> write `limits: [3 per 1h per guest]`"
                ),
                (
                    "6:14 a string is expected here, not a mapping"
                    " -> write `publish: TOPIC`, and `payload:` beside it"
                ),
                (
                    "7:10 a string is expected here, not a mapping -> write `log: TEXT`;"
                    " what is to be read by programs goes out with `publish`"
                ),
                "8:11 a string is expected here, not a mapping -> write one text",
                (
                    "9:16 a list is expected here, not a mapping"
                    " -> write it as `- - VERB: VALUE`: each branch is a list of steps"
                ),
                (
                    "10:11 a list is expected here, not the string '/bin/x y'"
                    " -> write it as a list: [/bin/x, y]"
                ),
                (
                    "11:15 `error` is no key here"
                    " -> `fail: TEXT` in the place of `stop` ends the run as failed"
                ),
            ],
            id="values of another kind",
        ),
    ],
)
def test_what_others_write(text: str, said: list[str]) -> None:
    """Each is told once, at its place, with what to type."""
    assert told(text) == said


TABLES = {
    "POLICY": (foreign.POLICY, schema.Policy.words()),
    "TRIGGER": (foreign.TRIGGER, KINDS),
    "EVENT_TRIGGER": (foreign.EVENT_TRIGGER, EventTrigger.words()),
    "STATE_TRIGGER": (foreign.STATE_TRIGGER, StateTrigger.words()),
    "GUESTS": (foreign.GUESTS, schema.Guests.words()),
    "VERBS": (foreign.VERBS, VERBS),
    "OPTIONS": (foreign.OPTIONS, schema_step.Step.words()),
    "ACTIONS": (foreign.ACTIONS, GuestStep.model_fields["guest"].metadata[0].words),
    "WAIT": (foreign.WAIT, schema_waits.WAITS),
    "EVENT_WAIT": (foreign.EVENT_WAIT, schema_waits.EventWait.words()),
    "WAY": (foreign.WAY, WhenBranch.words()),
    "ROUNDS": (foreign.ROUNDS, Rounds.words()),
    "MARK": (foreign.MARK, schema_marks.MarkTarget.words()),
    "EVENTS": (foreign.EVENTS, known_events()),
    "ENFORCEMENT": (foreign.ENFORCEMENT, ("audit", "approve", "enforce")),
    "MODE": (foreign.MODE, ("single", "restart", "queued", "parallel")),
    "ON_ERROR": (foreign.ON_ERROR, ("fail", "continue")),
    "DOCUMENT": (foreign.DOCUMENT, ("policy", "runbook", "test")),
}
ELSEWHERE = {
    "POLICY": {*EventTrigger.words(), *VERBS, *schema_step.Step.words(), "args"},
    "EVENT_TRIGGER": set(schema.Policy.words()),
    "VERBS": {"vars", "steps"},
    "OPTIONS": {"args", "payload", "choose", "wait", "delay", "steps", "fail"},
    "ACTIONS": {"dump", "run"},
    "WAIT": {"delay"},
    "WAY": {"default"},
    "ROUNDS": {"steps"},
}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_tables_lead_to_our_own_words(name: str) -> None:
    """None of ours is taken for a word of others, and each leads to one that there is."""
    table, ours = TABLES[name]
    wrong = [word for word in table if word in ours]
    assert wrong == []
    known = {*ours, *ELSEWHERE.get(name, ())}
    lost = [word for word in table if foreign.ours_of(word, table) not in known]
    assert lost == []


def test_a_model_has_no_foreign_words_of_its_own() -> None:
    """Only those that are given to it."""
    assert Model.fix_of("restart") == ""
