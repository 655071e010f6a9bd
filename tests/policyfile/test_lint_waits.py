"""Waits that begin too late, last too long or believe too much; jobs and unplugs."""

import pytest

from tests.policyfile.linting import EVENT, HEAD, codes, found, sentences

JOB = "- {qmp: blockdev-mirror, args: {job-id: j, device: d, target: t, sync: full%s}}\n"
JOB_WAIT = (
    "- log: x\n- guest: pause\n- wait: {event: BLOCK_JOB_COMPLETED, fail_when: has(data.error)}\n"
)
DIES = "- {qmp: job-dismiss, args: {id: %s}}\n"


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        # late
        pytest.param(
            "- guest: pause\n- wait: {event: STOP}\n", ["R020 steps/1"], id="`pause` waited"
        ),
        pytest.param(
            "- guest: shutdown\n- log: x\n- wait: {event: [SHUTDOWN, POWERDOWN]}\n",
            ["R020 steps/2"],
            id="`shutdown` waited for both",
        ),
        pytest.param(
            "- guest: pause\n- wait: {event: [STOP, RESUME]}\n", [], id="another event may come"
        ),
        pytest.param("- guest: reset\n- wait: {event: RESET}\n", [], id="the firmware's own RESET"),
        pytest.param("- agent: guest-ping\n- wait: {event: RESET}\n", [], id="an agent's command"),
        pytest.param(
            "- guest: dump\n- wait: {event: DUMP_COMPLETED, fail_when: has(data.error)}\n",
            ["R020 steps/1"],
            id="`dump` waited",
        ),
        # a failure that is taken for a success
        pytest.param(
            "- {qmp: dump-guest-memory, wait: {event: DUMP_COMPLETED}}\n",
            ["R022 steps/0/wait"],
            id="a dump that may have failed",
        ),
        pytest.param(
            "- wait: {event: [BLOCK_JOB_COMPLETED, BLOCK_JOB_CANCELLED]}\n",
            ["R022 steps/0/wait"],
            id="a job that may have failed",
        ),
        *(
            pytest.param(f"- wait: {{event: {event}, {key}}}\n", [], id=f"{event} {key}")
            for event, key in (
                ("DUMP_COMPLETED", "where: data.result.status == 'completed'"),
                ("DUMP_COMPLETED", "fail_when: data.result.status == 'failed'"),
                ("DUMP_COMPLETED", "fail_when: has(data.error)"),
                ("BLOCK_JOB_COMPLETED", "fail_when: 'data.?error.hasValue()'"),
                ("BLOCK_JOB_COMPLETED", "where: data.offset == data.len"),
                ("'BLOCK_JOB_*'", "where: has(data.device)"),
            )
        ),
        pytest.param("- {wait: {event: DUMP_COMPLETED}, save: x}\n", [], id="it is saved"),
        pytest.param(
            "- wait: {event: DUMP_COMPLETED}\n- qmp: query-dump\n", [], id="the dump is asked for"
        ),
        pytest.param(
            "- qmp: query-dump\n- wait: {event: DUMP_COMPLETED}\n",
            ["R022 steps/1/wait"],
            id="it was asked for before",
        ),
        pytest.param(
            "- wait: {event: BLOCK_JOB_COMPLETED}\n- qmp: query-jobs\n", [], id="the job is"
        ),
        # unplugs
        pytest.param(
            "- {qmp: device_del, args: {id: x}}\n- log: x\n- guest: pause\n",
            ["R023 steps/0"],
            id="nobody asks",
        ),
        *(
            pytest.param(f"- {{qmp: device_del, args: {{id: x}}{wait}}}\n{after}", [], id=name)
            for name, wait, after in (
                ("it is waited for", ", wait: {event: DEVICE_DELETED}", ""),
                ("a query", "", "- qmp: query-pci\n"),
                ("a wait on another step", "", "- {qmp: stop, wait: {event: DEVICE_DELETED}}\n"),
                ("a condition", "", "- wait: {until: guest.status == 'running'}\n"),
                ("a state", "", "- wait: {stays: guest.status == 'running', for: 1m}\n"),
                ("the agent", "", "- agent: guest-ping\n"),
                (
                    "another event",
                    "",
                    "- log: x\n- guest: pause\n- wait: {event: DEVICE_DELETED}\n",
                ),
            )
        ),
        pytest.param(
            "- repeat: {times: 2}\n  steps:\n  - {qmp: query-pci}\n  - {qmp: device_del}\n",
            [],
            id="the next round asks",
        ),
        # jobs
        pytest.param(JOB % "" + DIES % "j", ["R024 steps/0"], id="a job is dismissed"),
        pytest.param(
            JOB % ", auto-dismiss: true" + DIES % "j", ["R024 steps/0"], id="it goes by itself"
        ),
        pytest.param(JOB % ", auto-dismiss: false" + DIES % "j", [], id="it stays"),
        pytest.param(
            JOB % ", auto-dismiss: '${guest.migrating}'" + DIES % "j", [], id="perhaps it stays"
        ),
        pytest.param(JOB % "" + DIES % "k", [], id="another job is dismissed"),
        pytest.param(
            (JOB % "").replace("job-id: j, ", "") + DIES % "d",
            ["R024 steps/0"],
            id="the job of the device",
        ),
        pytest.param(
            (JOB % "").replace("job-id: j", "job-id: '${run.id}'") + DIES % "'${run.id}'",
            ["R024 steps/0"],
            id="a name that is made alike",
        ),
        pytest.param(
            JOB % "" + JOB_WAIT + "- qmp: query-jobs\n", ["R024 steps/0"], id="asked at its end"
        ),
        pytest.param(JOB % "" + "- qmp: query-jobs\n", [], id="asked while it runs"),
        pytest.param("- qmp: block-stream\n- qmp: stop\n", [], id="nobody asks for the job"),
        pytest.param("- qmp: query-jobs\n- qmp: job-dismiss\n", [], id="a job of somebody else"),
        pytest.param("- run: restart\n- {run: coredump-restart}\n", [], id="runbooks"),
    ],
)
def test_waits(steps: str, expected: list[str]) -> None:
    """Each code with the step that it is about."""
    assert codes(f"{EVENT}steps:\n{steps}") == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param("steps: [{wait: {event: STOP}}]\n", ["steps/0/wait"], id="an event"),
        pytest.param(
            "steps: [{qmp: stop, wait: {event: STOP}}, {qmp: stop}]\n",
            ["steps/0/wait"],
            id="on a command",
        ),
        pytest.param(
            "steps: [{wait: {until: guest.migrating}}, {wait: {stays: 'true', for: 1m}}]\n",
            ["steps/0/wait", "steps/1/wait"],
            id="conditions",
        ),
        pytest.param("steps: [{wait: {event: STOP, timeout: 1m}}]\n", [], id="its own timeout"),
        pytest.param("steps: [{wait: {event: STOP}, timeout: 1m}]\n", [], id="the step's"),
        pytest.param(
            "steps: [{repeat: {times: 2}, timeout: 1m, steps: [{wait: {event: STOP}}]}]\n",
            [],
            id="that of the step around",
        ),
        pytest.param("timeout: 1h\nsteps: [{wait: {event: STOP}}]\n", [], id="the policy's"),
        pytest.param(
            "steps: [{log: x}]\non_failure: [{wait: {event: STOP}}]\n", [], id="in a handler"
        ),
        pytest.param(
            "steps: [{parallel: [[{log: x}], [{wait: {event: STOP}}]]}]\n",
            ["steps/0/parallel/1/0/wait"],
            id="inside of a step",
        ),
        pytest.param(
            "steps: [{run: r}]\n---\nrunbook: r\ndescription: d\nsteps: [{wait: {event: STOP}}]\n",
            ["steps/0/run/steps/0/wait"],
            id="in a runbook, at the step that runs it",
        ),
        pytest.param(
            "steps: [{run: r, timeout: 1m}]\n---\n"
            "runbook: r\ndescription: d\nsteps: [{wait: {event: STOP}}]\n",
            [],
            id="in a runbook that has its time",
        ),
    ],
)
def test_waits_that_nothing_ends(policy: str, expected: list[str]) -> None:
    """A note for each; none where somebody wrote down when it ends."""
    problems = [one for one in found(HEAD + EVENT + policy) if one.code.value == "R021"]
    assert [one.path for one in problems] == expected
    assert {str(one.severity) for one in problems} <= {"note"}


def test_an_unplug_that_another_policy_hears_of() -> None:
    """What it does about a device that stays is its affair."""
    hears = (
        "---\npolicy: q\ndescription: d\ntrigger: {event: MEM_UNPLUG_ERROR}\nsteps: [{log: x}]\n"
    )
    text = f"{HEAD}{EVENT}steps: [{{qmp: device_del}}]\n"
    assert [one.code.value for one in found(text)] == ["R023"]
    assert found(text + hears) == ()


def test_what_a_runbook_does_is_told_in_the_runbook() -> None:
    """Once, whoever runs it."""
    book = (
        "---\nrunbook: r\ndescription: d\nsteps:\n"
        "- {qmp: dump-guest-memory, wait: {event: DUMP_COMPLETED, timeout: 1m}}\n"
        "- {qmp: human-monitor-command, args: {command-line: info}}\n"
        "- {qmp: stop, wait: {event: STOPP, timeout: 1m}}\n" + JOB % "" + DIES % "j"
    )
    told = [
        f"{one.place} {one.code.value}"
        for one in found(f"{HEAD}{EVENT}steps: [{{run: r}}]\n{book}")
    ]
    assert told == ["f:9:34 R022", "f:10:3 R050", "f:11:29 R012", "f:12:3 R024"]


def test_the_sentences() -> None:
    """Whole, with places and fixes."""
    steps = (
        "- guest: pause\n- wait: {event: STOP}\n"
        "- wait: {event: DUMP_COMPLETED}\n- wait: {event: BLOCK_JOB_COMPLETED}\n"
        "- {qmp: block-stream, args: {device: d}}\n- {qmp: job-dismiss, args: {id: d}}\n"
        "- qmp: device_del\n"
    )
    assert sentences(f"{EVENT}steps:\n{steps}") == (
        "warning: f:6:3: R020 `guest: pause` ends after STOP: this wait begins too late for it\n"
        "  fix: take the wait out\n"
        "warning: f:7:9: R022 QEMU sends DUMP_COMPLETED for a failure as well, and"
        " data.result.status is not looked at\n"
        '  fix: add `fail_when: data.result.status == "failed"` to the wait\n'
        "warning: f:8:9: R022 QEMU sends BLOCK_JOB_COMPLETED for a failure as well, and"
        " data.error is not looked at\n  fix: add `fail_when: has(data.error)` to the wait\n"
        "warning: f:9:3: R024 the job is gone when it ends, and `job-dismiss` does not find it\n"
        "  fix: add `auto-dismiss: false` to the `args`\n"
        "warning: f:11:3: R023 `device_del` succeeds whether or not the guest lets the device go\n"
        "  fix: add `wait: {event: DEVICE_DELETED, where: ..., timeout: 30s}` to the step\n"
    )
