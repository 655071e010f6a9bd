"""Counts of events: of which QEMU leaves some out, or that belong to different things."""

import pytest

from tests.policyfile.linting import codes, sentences

STEPS = "steps: [{log: x}]\n"


@pytest.mark.parametrize(
    ("trigger", "severity"),
    [
        pytest.param("event: WATCHDOG, count: 6, within: 5s", "note", id="just possible"),
        pytest.param("event: WATCHDOG, count: 7, within: 5s", "warning", id="impossible"),
        pytest.param("event: [WATCHDOG, STOP], count: 7, within: 5s", "note", id="others count"),
        pytest.param("event: VSERPORT_CHANGE, count: 7, within: 5s", "note", id="several ports"),
        pytest.param(
            "event: VSERPORT_CHANGE, by: data.id, count: 7, within: 5s", "warning", id="one port"
        ),
        pytest.param(
            "event: HV_BALLOON_STATUS_REPORT, count: 99, within: 5s", "note", id="newer ones only"
        ),
        pytest.param(
            "event: BLOCK_IO_ERROR, where: data.action == 'stop', count: 9, within: 5s",
            "",
            id="what is never left out",
        ),
        pytest.param("event: BLOCK_IO_ERROR, count: 9, within: 5s", "note", id="some are"),
    ],
)
def test_counts_of_what_is_left_out(trigger: str, severity: str) -> None:
    """A lower bound is a note; what cannot be reached is a warning."""
    said = sentences(f"trigger: {{{trigger}}}\n{STEPS}")
    assert said.partition(":")[0] == severity
    assert not said or ": R040 " in said


def test_the_sentence_says_how_many_come() -> None:
    """And within what."""
    assert sentences(f"trigger: {{event: WATCHDOG, count: 7, within: 5s}}\n{STEPS}") == (
        "warning: f:3:35: R040 QEMU sends at most one WATCHDOG in 1s: 7 never come within 5s\n"
        "  fix: count 6 or fewer, or over a longer `within`\n"
    )


MANY = "event: BLOCK_JOB_ERROR, count: 3, within: 10m"
MARK = "steps: [{log: x}, {mark: {disk: '${data.device}', as: bad, reason: x}}]\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(f"trigger: {{{MANY}}}\n{MARK}", ["R041 steps/1"], id="a mark"),
        pytest.param(
            f"trigger: {{{MANY}}}\n" + MARK.replace("data.", "trigger.data."),
            ["R041 steps/1"],
            id="by its longer name",
        ),
        pytest.param(
            f"trigger: {{{MANY}}}\nsteps: [{{clear: {{disk: '${{data.device}}'}}}}]\n",
            ["R041 steps/0"],
            id="a mark that is taken away",
        ),
        pytest.param(
            f"trigger: {{{MANY}}}\nsteps: [{{qmp: job-pause, args: {{id: '${{data.device}}'}}}}]\n",
            ["R041 steps/0"],
            id="a command",
        ),
        pytest.param(
            f"trigger: {{{MANY}}}\nsteps: [{{publish: a, payload: '${{data.device}}'}}]\n",
            [],
            id="what is only told",
        ),
        pytest.param(f"trigger: {{{MANY}}}\nsteps: [{{qmp: stop}}]\n", [], id="the guest itself"),
        pytest.param(f"trigger: {{{MANY}, by: data.device}}\n{MARK}", [], id="each by itself"),
        pytest.param(
            f"trigger: {{{MANY}, where: data.device == 'a'}}\n{MARK}", [], id="one of them only"
        ),
        pytest.param(f"trigger: [{{{MANY}}}, {{event: BLOCK_JOB_READY}}]\n{MARK}", [], id="mixed"),
        pytest.param(
            "trigger: {event: DEVICE_TRAY_MOVED, count: 3, within: 10m}\n" + MARK,
            [],
            id="other events",
        ),
    ],
)
def test_counts_of_several_things(text: str, expected: list[str]) -> None:
    """Where a step acts on the thing of the last event."""
    assert codes(text) == expected


def test_the_sentence_names_the_member() -> None:
    """And how to count each thing by itself."""
    assert sentences(f"trigger: {{{MANY}}}\n{MARK}") == (
        "warning: f:4:19: R041 `count` takes the events of any data.device together, and this"
        " acts on that of the last one\n  fix: add `by: data.device` to the trigger\n"
    )
