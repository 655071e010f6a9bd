"""docs/reference/policies.md holds the whole language as it is built, and what is not."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from reactor.core import catalog
from reactor.core.admission import Verdict
from reactor.core.cel_explain import SIGNATURES
from reactor.core.cel_library import MEMBERS, VARIABLES
from reactor.core.cel_names import CONDITION, STEPS
from reactor.core.guards import FAULT_STATES, Answer, GuestState, Rule, rule_on
from reactor.core.marks import MarkKind
from reactor.core.policy import Enforcement, LimitScope, Mode
from reactor.core.run import Outcome, Phase
from reactor.core.steps import GuestAction, ParamKind
from reactor.policyfile import (
    schema,
    schema_base,
    schema_marks,
    schema_runbook,
    schema_step,
    schema_steps,
    schema_triggers,
    schema_verbs,
    schema_waits,
)
from reactor.policyfile.runbooks import built_in
from tests.docs.pages import page, quoted, section

PAGE = page("docs/reference/policies.md")
WORDS = quoted(PAGE)


def models() -> Iterator[type[schema_base.Model]]:
    """Every model of the language."""
    for module in (
        schema,
        schema_triggers,
        schema_step,
        schema_steps,
        schema_verbs,
        schema_waits,
        schema_marks,
        schema_runbook,
    ):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, schema_base.Model):
                yield value


KEYS = sorted({key for model in models() for key in model.words()})


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_explained(key: str) -> None:
    """Each key that a policy may hold stands on the page."""
    assert key in WORDS


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        pytest.param("A policy, key by key", schema.Policy, id="policy"),
        pytest.param("Events", schema_triggers.EventTrigger, id="event"),
        pytest.param("Events", schema_triggers.Sequel, id="second event"),
        pytest.param("A state that lasts", schema_triggers.StateTrigger, id="state"),
        pytest.param("Schedules", schema_triggers.CronTrigger, id="schedule"),
        pytest.param("Schedules", schema_triggers.EveryTrigger, id="every"),
        pytest.param("Messages", schema_triggers.MessageTrigger, id="message"),
        pytest.param("Before a run starts", schema.Quiet, id="debounce"),
        pytest.param("Before a run starts", schema.Approval, id="approval"),
        pytest.param("Steps inside of steps", schema_steps.ChooseStep, id="choose"),
        pytest.param("Steps inside of steps", schema_steps.Rounds, id="repeat"),
        pytest.param("Steps inside of steps", schema_steps.ParallelStep, id="parallel"),
        pytest.param("Calls to the outside", schema_verbs.AgentStep, id="agent"),
        pytest.param("Calls to the outside", schema_verbs.Request, id="http"),
        pytest.param("Calls to the outside", schema_verbs.ExecStep, id="exec"),
        pytest.param("Verbs", schema_verbs.Inhibition, id="inhibit"),
        pytest.param("Verbs", schema_verbs.RunStep, id="run"),
        pytest.param("Verbs", schema_waits.StaysWait, id="stays"),
        pytest.param("Runbooks", schema_runbook.Runbook, id="runbook"),
        pytest.param("Runbooks", schema_runbook.Param, id="param"),
        pytest.param("Options of every step", schema_step.Step, id="options of a step"),
        pytest.param("Marks", schema_marks.MarkTarget, id="mark"),
        pytest.param("Verbs", schema_verbs.PublishStep, id="publish"),
        pytest.param("Verbs", schema_waits.EventWait, id="wait"),
        pytest.param("Guest", schema_verbs.DumpStep, id="dump"),
        pytest.param("Raw commands", schema_verbs.QmpStep, id="qmp"),
    ],
)
def test_the_keys_stand_where_a_reader_looks_for_them(
    heading: str, model: type[schema_base.Model]
) -> None:
    """The section of a thing has all keys of that thing, beside the options of every step."""
    shared = set() if model is schema_step.Step else set(schema_step.Step.words())
    assert set(model.words()) - shared - quoted(section(PAGE, heading)) == set()


@pytest.mark.parametrize(
    "word",
    [
        *schema_steps.VERBS,
        *schema_verbs.DUMP_FORMATS,
        *GuestAction,
        *Mode,
        *ParamKind,
        *Enforcement,
        *schema_verbs.METHODS,
        *built_in().books,
        *LimitScope,
        *MarkKind,
        *Phase,
        *Outcome,
    ],
)
def test_every_word_of_the_language_is_explained(word: str) -> None:
    """Verbs, actions, formats, modes, types, scopes, kinds of marks, states and outcomes."""
    assert str(word) in WORDS


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_is_explained(verdict: Verdict) -> None:
    """What the trace says about a match stands in the table of verdicts, word for word."""
    rows = re.findall(r"^\| ``? ?(.+?) ?``? \|", section(PAGE, "Verdicts"), re.MULTILINE)
    assert verdict.value in rows


@pytest.mark.parametrize("phase", Phase)
def test_every_state_of_a_run_has_its_row(phase: Phase) -> None:
    """What MQTT calls the state of a run is a row of its table."""
    assert f"\n| `{phase.value}` |" in section(PAGE, "States of a run")


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_its_row(outcome: Outcome) -> None:
    """What a run can come to is a row of its table."""
    assert f"\n| `{outcome.value}` |" in section(PAGE, "Outcomes")


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_of_expressions_is_explained(name: str) -> None:
    """Each name has a row, with all its members."""
    rows = [
        line for line in section(PAGE, "Expressions").splitlines() if line.startswith(f"| `{name}`")
    ]
    assert rows
    assert MEMBERS.get(name, frozenset()) - quoted("\n".join(rows)) == set()


def test_the_names_stand_where_the_page_says() -> None:
    """`trigger` begins at a policy's `if`, `run` and what follows in its steps."""
    assert set(CONDITION.allowed) == {"event", "data", "trigger", "guest", "host"}
    assert set(STEPS.allowed) - set(CONDITION.allowed) == {"run", "vars", "steps"}


@pytest.mark.parametrize("function", SIGNATURES)
def test_every_function_of_expressions_is_named(function: str) -> None:
    """What the fix of a wrong function proposes can be looked up."""
    relatives = function.startswith("get") and function != "getHours"
    assert function in WORDS or relatives


@pytest.mark.parametrize(
    "event",
    [
        "REACTOR_GUEST_CONNECTED",
        "REACTOR_GUEST_LOST",
        "REACTOR_RUN_FAILED",
        "REACTOR_RUN_LIMITED",
        "REACTOR_MARK_SET",
        "REACTOR_MARK_CLEARED",
        "REACTOR_POLICY_NOT_READY",
        "REACTOR_OUTBOX_DROPPED",
    ],
)
def test_every_event_of_our_own_has_its_row(event: str) -> None:
    """What a policy can react to beside QEMU's events is listed with its data."""
    assert f"\n| `{event}` |" in section(PAGE, "Events of reactor's own")


@pytest.mark.parametrize(
    "command", re.findall(r"`([\w-]+)`", section(PAGE, "Raw commands").partition("`quit`, ")[2])[:6]
)
def test_the_commands_that_need_a_permission_need_it(command: str) -> None:
    """The page calls no command dangerous that goes out freely."""
    assert catalog.needs_allow(command)


STATES_PAGE = page("docs/explanation/run-states.md")
COLUMNS = (
    Rule.DUMP,
    Rule.RESET,
    Rule.RESUME,
    Rule.PAUSE,
    Rule.RAW_RESET,
    Rule.RAW_CONT,
)
ANSWERS = {"goes": "allowed", "waits": "waiting", "nothing to do": "nothing to do"}


def table_rows() -> Iterator[tuple[str, Rule, str]]:
    """State, rule and the table's word for it."""
    table = section(STATES_PAGE, "The guard's table")
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 7 or not cells[0].startswith("`"):
            continue
        for state in re.findall(r"`([\w-]+)`", cells[0]):
            for rule, cell in zip(COLUMNS, cells[1:], strict=True):
                yield state, rule, cell


@pytest.mark.parametrize(
    ("state", "rule", "cell"),
    [pytest.param(*row, id=f"{row[1]} in {row[0]}") for row in table_rows()],
)
def test_the_guards_table_is_what_the_guard_does(state: str, rule: Rule, cell: str) -> None:
    """Each cell of the page is the answer for that state, with no dump and no migration."""
    ruling = rule_on(rule, GuestState(state, dump_active=False, migrating=False), 0.0)
    said = "refused" if "refused" in cell else ANSWERS[re.split(r"[;,]", cell)[0]]
    assert ruling.answer == said


@pytest.mark.parametrize(
    ("row", "change"),
    [
        pytest.param("a dump is active", {"dump_active": True}, id="dump"),
        pytest.param("a migration runs", {"migrating": True}, id="migration"),
        pytest.param("monitor away", {"status": "disconnected"}, id="away"),
    ],
)
def test_the_rows_without_a_state_are_what_the_guard_does(
    row: str, change: Mapping[str, Any]
) -> None:
    """A dump, a migration, a monitor that is away; where there would be something to do."""
    line = re.search(rf"^\| {row} \|(.+)\|$", STATES_PAGE, re.MULTILINE)
    assert line is not None
    cells = [cell.strip(" *") for cell in line[1].split("|")]
    words = {Answer.WAIT: "waits", Answer.ALLOW: "goes", Answer.REFUSE: "refused"}
    for rule, cell in zip(COLUMNS, cells, strict=True):
        status = "paused" if rule is Rule.RESUME else "running"
        usual = GuestState(status, dump_active=False, migrating=False)
        assert words[rule_on(rule, replace(usual, **change), 0.0).answer] == cell


def test_the_table_says_which_guests_run_after_a_reset() -> None:
    """`cont` follows in the states in which a guest stands still without its owner's will."""
    followed = {state for state, rule, cell in table_rows() if "then `cont`" in cell}
    assert followed == FAULT_STATES


def test_every_state_that_the_guard_knows_is_in_the_table() -> None:
    """And it was read: nothing is compared when the table changes its shape."""
    assert {state for state, _, _ in table_rows()} == {
        *("running paused prelaunch guest-panicked io-error watchdog internal-error".split()),
        *("suspended shutdown save-vm restore-vm inmigrate postmigrate".split()),
        *("finish-migrate colo".split()),
    }
