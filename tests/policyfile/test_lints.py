"""Warnings about policies that are sound and most likely not meant so."""

import pytest

from reactor.policyfile.check import load_text

HEAD = "policy: p\ndescription: d\n"
PANIC = "trigger: {event: GUEST_PANICKED}\n"
RESET = "trigger: {event: [RESET, STOP]}\n"
ARM = "arm: [{guest: preserve-on-panic}]\n"


def warnings_of(text: str) -> str:
    """The findings of a policy without errors, as people read them."""
    found = load_text(HEAD + text, "f")
    assert len(found.policies) == 1
    return "\n".join(
        f"{problem.severity}: {problem} [{problem.path}]" for problem in found.problems
    )


UNARMED = (
    "warning: f:{place}: R012 QEMU ends at a panic unless it was told to pause:"
    " nothing would be left here\n"
    "  fix: add `arm: [{{guest: preserve-on-panic}}]` to the policy [{path}]"
)
STOPPED = (
    "warning: f:{place}: R012 a guest that stood still does not run again"
    " after `system_reset` alone\n"
    "  fix: use `guest: reset`, or add `- qmp: cont` behind it [{path}]"
)
LATE = (
    "warning: f:{place}: R012 {event} may come before this wait begins\n"
    "  fix: put the `wait` on the `qmp: {command}` step [{path}]"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # an event that never comes
        pytest.param(
            "trigger: [{event: [STOP, GUEST_PANICED]}, {event: XYZZY}]\nsteps: [{log: x}]\n",
            "warning: f:1:1: R005 no QEMU from 5.2 to 11.1 sends `GUEST_PANICED`\n"
            "  fix: did you mean `GUEST_PANICKED`? [trigger/0]\n"
            "warning: f:1:1: R005 no QEMU from 5.2 to 11.1 sends `XYZZY`\n"
            "  fix: look it up in QEMU's QMP reference [trigger/1]",
            id="misspelt in a trigger",
        ),
        pytest.param(
            RESET + "steps:\n- wait: {event: RESTE}\n- {qmp: stop, wait: {event: STOPP_*}}\n",
            "warning: f:5:3: R005 no QEMU from 5.2 to 11.1 sends `RESTE`\n"
            "  fix: did you mean `RESET`? [steps/0/wait]\n"
            "warning: f:6:3: R005 no QEMU from 5.2 to 11.1 sends `STOPP_*`\n"
            "  fix: did you mean `STOP`? [steps/1/wait]",
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
            RESET + "steps: [{qmp: stop}, {log: x}, {wait: {event: STOP}}]\n", "", id="not next"
        ),
    ],
)
def test_lints(text: str, message: str) -> None:
    """Each warning whole; nothing for what is as it should be."""
    assert warnings_of(text) == message
