"""Warnings about policies that are sound and most likely not meant so."""

import pytest

from reactor.policyfile.check import load_text

HEAD = "policy: p\ndescription: d\n"
PANIC = "trigger: {event: GUEST_PANICKED}\n"
TAIL = "timeout: 1h\nlimits: [9 per 1h per guest]\n"
RESET = "trigger: {event: [RESET, STOP]}\n"
ARM = "arm: [{guest: preserve-on-panic}]\n"


def warnings_of(text: str) -> str:
    """The findings of a policy without errors, as people read them."""
    found = load_text(HEAD + text + TAIL, "f")
    assert len(found.policies) == 1
    return "\n".join(
        f"{problem.severity}: {problem} [{problem.path}]" for problem in found.problems
    )


UNARMED = (
    "warning: f:{place}: R030 QEMU ends at a panic unless it was told to pause:"
    " nothing would be left here\n"
    "  fix: add `arm: [{{guest: preserve-on-panic}}]` to the policy [{path}]"
)
STOPPED = (
    "warning: f:{place}: R031 a guest that stood still does not run again"
    " after `system_reset` alone\n"
    "  fix: use `guest: reset`, or add `- qmp: cont` behind it [{path}]"
)
LATE = (
    "warning: f:{place}: R020 {event} may come before this wait begins\n"
    "  fix: put the `wait` on the `qmp: {command}` step [{path}]"
)


LOWER = (
    "note: f:3:43: R040 QEMU sends at most one {event} in 1s{each}: `count` is a lower bound\n"
    "  fix: count fewer, or over a longer `within`, if that matters [trigger/count]"
)
STILL = (
    "note: f:{place}: R034 a running guest stands still while its memory is written\n"
    "  fix: dump at a time when that does no harm, or leave it as it is [{path}]"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # an event that never comes
        pytest.param(
            "trigger: [{event: [STOP, GUEST_PANICED]}, {event: XYZZY}]\nsteps: [{log: x}]\n",
            "warning: f:3:26: R012 no QEMU from 5.2 to 11.1 sends `GUEST_PANICED`\n"
            "  fix: did you mean `GUEST_PANICKED`? [trigger/0/event/1]\n"
            "warning: f:3:51: R012 no QEMU from 5.2 to 11.1 sends `XYZZY`\n"
            "  fix: `reactor docs` lists all events [trigger/1/event]",
            id="misspelt in a trigger",
        ),
        pytest.param(
            RESET + "steps:\n- wait: {event: RESTE}\n- {qmp: stop, wait: {event: STOPP_*}}\n",
            "warning: f:5:17: R012 no QEMU from 5.2 to 11.1 sends `RESTE`\n"
            "  fix: did you mean `RESET`? [steps/0/wait/event]\n"
            "warning: f:6:29: R012 no QEMU from 5.2 to 11.1 sends `STOPP_*`\n"
            "  fix: did you mean `STOP`? [steps/1/wait/event]",
            id="misspelt in a wait",
        ),
        pytest.param(
            "trigger: {event: ['BLOCK_JOB_*', '*', REACTOR_GUEST_LOST, MEM_UNPLUG_ERROR,"
            " __com.redhat_X]}\nsteps: [{log: x}]\n",
            "",
            id="globs, own ones, removed ones, vendors'",
        ),
        # a panic of which nothing is left
        pytest.param(
            PANIC + "steps:\n- log: x\n- guest: dump\n- guest: reset\n",
            UNARMED.format(place="6:3", path="steps/1"),
            id="a dump after a panic, once",
        ),
        pytest.param(
            PANIC + "steps: [{guest: reset}]\n",
            UNARMED.format(place="4:9", path="steps/0"),
            id="a reset after a panic",
        ),
        pytest.param(
            "trigger: {event: GUEST_*}\nsteps: [{qmp: dump-guest-memory}]\n",
            UNARMED.format(place="4:9", path="steps/0"),
            id="a raw dump after a glob",
        ),
        pytest.param(PANIC + ARM + "steps: [{guest: dump}]\n", "", id="armed"),
        pytest.param(
            PANIC + "arm: [{qmp: set-action, args: {panic: pause}}]\nsteps: [{guest: dump}]\n",
            "",
            id="armed by hand",
        ),
        pytest.param(
            PANIC + "arm: [{qmp: query-status}]\nsteps: [{guest: dump}]\n",
            UNARMED.format(place="5:9", path="steps/0"),
            id="armed with something else",
        ),
        pytest.param(PANIC + "steps: [{log: x}, {guest: pause}, {qmp: stop}]\n", "", id="no need"),
        pytest.param(RESET + "steps: [{guest: dump}, {guest: reset}]\n", "", id="no panic"),
        # a reset that leaves the guest standing still
        pytest.param(
            RESET + "steps: [{qmp: system_reset}, {log: x}, {guest: pause}, {qmp: stop}]\n",
            STOPPED.format(place="4:9", path="steps/0"),
            id="a raw reset",
        ),
        pytest.param(
            RESET + "steps: [{log: x}]\nfinally: [{qmp: cont}, {qmp: system_reset}]\n",
            STOPPED.format(place="5:24", path="finally/1"),
            id="a cont before the reset",
        ),
        pytest.param(RESET + "steps: [{qmp: system_reset}, {qmp: cont}]\n", "", id="cont"),
        pytest.param(RESET + "steps: [{qmp: system_reset}, {guest: resume}]\n", "", id="resume"),
        # a wait that begins too late
        pytest.param(
            RESET + "steps: [{qmp: stop}, {wait: {event: STOP}}]\n",
            LATE.format(place="4:22", event="STOP", command="stop", path="steps/1"),
            id="wait behind the command",
        ),
        pytest.param(
            RESET
            + "steps: [{log: x}]\non_failure: [{qmp: device_del}, {wait: {event: DEVICE_*}}]\n",
            LATE.format(
                place="5:33", event="DEVICE_DELETED", command="device_del", path="on_failure/1"
            ),
            id="of several events one is enough",
        ),
        pytest.param(
            RESET + "steps: [{qmp: stop, wait: {event: STOP}}, {wait: {event: STOP}}]\n",
            "",
            id="wait on the command",
        ),
        pytest.param(RESET + "steps: [{qmp: stop}, {wait: {event: RESUME}}]\n", "", id="other"),
        pytest.param(
            RESET + "steps: [{qmp: query-status}, {wait: {event: STOP}}]\n", "", id="a query"
        ),
        pytest.param(
            RESET + "steps: [{qmp: stop}, {log: x}, {wait: {event: STOP}}]\n",
            LATE.format(place="4:32", event="STOP", command="stop", path="steps/2"),
            id="what takes no time stands between",
        ),
        pytest.param(
            RESET + "steps: [{qmp: stop}, {guest: resume}, {wait: {event: STOP}}]\n",
            "",
            id="not next",
        ),
        # steps inside of steps, and runbooks
        pytest.param(
            RESET + "steps:\n- choose: [{when: 'true', steps: [{qmp: system_reset}]}]\n"
            "- parallel: [[{log: x}], [{qmp: cont}]]\n",
            "",
            id="a cont further out",
        ),
        pytest.param(
            RESET + "steps:\n- parallel: [[{qmp: cont}], [{log: x}]]\n"
            "- {repeat: {times: 2}, steps: [{qmp: system_reset}]}\n",
            STOPPED.format(place="6:32", path="steps/1/steps/0"),
            id="a raw reset in a round",
        ),
        pytest.param(
            RESET + "steps: [{qmp: system_reset}, {run: restart}]\n", "", id="a runbook resets"
        ),
        pytest.param(
            PANIC + "steps: [{log: x}, {run: coredump-restart}]\n",
            UNARMED.format(place="4:19", path="steps/1/run/steps/0"),
            id="a dump in a runbook: where it is run",
        ),
        pytest.param(
            RESET + "steps:\n- choose:\n  - when: 'true'\n    steps:\n"
            "    - qmp: stop\n    - wait: {event: [STOP, STOPP]}\n",
            LATE.format(place="9:7", event="STOP", command="stop", path="steps/0/choose/0/steps/1")
            + "\nwarning: f:9:28: R012 no QEMU from 5.2 to 11.1 sends `STOPP`\n"
            "  fix: did you mean `STOP`? [steps/0/choose/0/steps/1/wait/event/1]",
            id="a late wait in a way",
        ),
        # sequels and agents
        pytest.param(
            "trigger:\n- {event: STOP, followed_by: {event: RESUM, within: 1m},"
            " cancel_on: RESTE}\n"
            "- {event: STOP, not_followed_by: {event: RESUM, within: 1m}}\n"
            "steps: [{agent: guest-pong}, {agent: guest-ping}, {agent: com-acme-x}]\n",
            "warning: f:4:38: R012 no QEMU from 5.2 to 11.1 sends `RESUM`\n"
            "  fix: did you mean `RESUME`? [trigger/0/followed_by/event]\n"
            "warning: f:4:69: R012 no QEMU from 5.2 to 11.1 sends `RESTE`\n"
            "  fix: did you mean `RESET`? [trigger/0/cancel_on]\n"
            "warning: f:5:42: R012 no QEMU from 5.2 to 11.1 sends `RESUM`\n"
            "  fix: did you mean `RESUME`? [trigger/1/not_followed_by/event]\n"
            "warning: f:6:17: R012 no guest agent up to QEMU 11.1 has the command `guest-pong`\n"
            "  fix: did you mean `guest-ping`? [steps/0/agent]\n"
            "warning: f:6:59: R012 no guest agent up to QEMU 11.1 has the command `com-acme-x`\n"
            "  fix: look it up with `reactor docs 'guest-*'` [steps/2/agent]",
            id="misspelt elsewhere",
        ),
        # a count of events of which QEMU leaves some out
        pytest.param(
            "trigger: {event: [QUORUM_*, STOP], count: 5, within: 1m}\nsteps: [{log: x}]\n",
            LOWER.format(event="QUORUM_FAILURE", each="")
            + "\n"
            + LOWER.format(event="QUORUM_REPORT_BAD", each=" for each data.node_name"),
            id="a count of rate-limited events",
        ),
        pytest.param(
            "trigger: [{event: WATCHDOG}, {event: STOP, count: 5, within: 1m}]\n"
            "steps: [{log: x}]\n",
            "",
            id="no count, no limit",
        ),
        # a status that is looked at before it is asked
        pytest.param(
            "trigger: [{event: STOP, where: guest.status == 'paused'},"
            " {event: STOP, where: guest.name == 'a'}, {state: guest.status == 'paused'}]\n"
            "steps: [{log: x}]\n",
            "note: f:3:32: R033 `where` sees the last known `guest.status`, which may be old\n"
            "  fix: put this condition into `if`: there it is asked afresh [trigger/0/where]",
            id="a status in `where`",
        ),
        # a dump of a guest that certainly runs
        pytest.param(
            'trigger: {every: 1d}\nif: \'guest.status == "running" && host.free("/d") > 1\'\n'
            "steps: [{log: x}, {guest: dump}, {guest: dump}]\n",
            STILL.format(place="5:19", path="steps/1"),
            id="`if` says that it runs",
        ),
        pytest.param(
            RESET + "steps: [{check: '\"running\"==guest.status'}, {run: coredump-restart}]\n",
            STILL.format(place="4:45", path="steps/1/run/steps/0"),
            id="a check says so",
        ),
        pytest.param(
            "trigger: {state: guest.status == 'running', for: 1d}\nsteps: [{guest: dump}]\n",
            STILL.format(place="4:9", path="steps/0"),
            id="a state says so",
        ),
        *(
            pytest.param(
                RESET + f"if: '{condition}'\nsteps: [{before}{{guest: dump}}]\n", "", id=name
            )
            for name, condition, before in (
                ("perhaps it runs", 'guest.status == "running" || event.own', ""),
                ("it does not run", '!(guest.status == "running" && true)', ""),
                ("it is paused first", 'guest.status == "running"', "{guest: pause}, "),
                (
                    "it may be paused first",
                    'guest.status == "running"',
                    "{choose: [{when: 'true', steps: [{qmp: stop}]}]}, ",
                ),
                ("another state", 'guest.status == "paused"', ""),
            )
        ),
        pytest.param(
            RESET + "if: guest.status == 'running'\nsteps: [{log: x}]\n", "", id="no dump"
        ),
    ],
)
def test_lints(text: str, message: str) -> None:
    """Each warning whole; nothing for what is as it should be."""
    assert warnings_of(text) == message
