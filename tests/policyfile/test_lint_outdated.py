"""What a QEMU still knows and a later one may not."""

from dataclasses import replace

import pytest

from reactor.errors import Place
from reactor.policyfile.calls import Call, To
from reactor.policyfile.check import load_text
from reactor.policyfile.lints.outdated import outdated
from reactor.policyfile.targets import Target, shipped_target
from reactor.qapi.shipped import versions

HEAD = "policy: p\ndescription: d\n"


def told(text: str, *targets: str) -> str:
    """The notes about a policy for these versions, or for all."""
    asks = load_text(HEAD + text, "f").asks
    found = outdated(asks, list(map(shipped_target, targets or versions())))
    return "\n".join(f"{one} [{one.path}]" for one in found)


def old(place: str, what: str, where: str, fix: str, path: str) -> str:
    """One note."""
    return f"f:{place}: R054 {what} is deprecated in {where}\n  fix: {fix} [{path}]"


STEPS = "trigger: {event: STOP}\nsteps:\n- "
BASE = ("use `base-node`", "steps/0/args/base")
BOTH = "QEMU 7.2 and QEMU 11.1"


@pytest.mark.parametrize(
    ("step", "targets", "message"),
    [
        pytest.param(
            "qmp: block-job-pause",
            [],
            old("5:8", "`block-job-pause`", "QEMU 11.1", "use `job-pause`", "steps/0/qmp"),
            id="a command, in the newest",
        ),
        pytest.param("qmp: block-job-pause", ["7.2"], "", id="not yet"),
        pytest.param("qmp: job-pause", [], "", id="its successor"),
        pytest.param("qmp: cpu-add", [], "", id="what is gone is told elsewhere"),
        pytest.param("agent: guest-ping", [], "", id="the agent's"),
        pytest.param(
            "{qmp: eject, args: {force: true, device: cd0}}",
            [],
            old("5:36", "`device` of `eject`", BOTH, "use `id`", "steps/0/args/device"),
            id="an argument",
        ),
        pytest.param(
            "{qmp: block-commit, args: {device: d, base: b}}",
            ["7.2"],
            old("5:41", "`base` of `block-commit`", "QEMU 7.2", *BASE),
            id="an argument with a successor of its own",
        ),
        pytest.param("{qmp: eject, args: {id: cd0}}", [], "", id="another argument"),
        pytest.param("{qmp: eject, args: {idd: cd0}}", [], "", id="no argument at all"),
    ],
)
def test_commands(step: str, targets: list[str], message: str) -> None:
    """Each with the targets that say so, and with what to use."""
    assert told(f"{STEPS}{step}\n", *targets) == message


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        pytest.param(
            "{event: [STOP, MEM_UNPLUG_ERROR]}",
            old(
                "3:25",
                "`MEM_UNPLUG_ERROR`",
                "QEMU 7.2",
                "use `DEVICE_UNPLUG_GUEST_ERROR`",
                "trigger/event/1",
            ),
            id="an event",
        ),
        pytest.param(
            "{event: [DEVICE_UNPLUG_GUEST_ERROR, MEM_UNPLUG_ERROR]}", "", id="beside its successor"
        ),
        pytest.param("{event: 'MEM_*'}", "", id="a glob"),
        pytest.param("{event: ACME_X}", "", id="what nobody knows"),
    ],
)
def test_events(trigger: str, message: str) -> None:
    """Unless the successor is named as well."""
    assert told(f"trigger: {trigger}\nsteps: [{{log: x}}]\n") == message


def test_a_call_whose_text_is_not_known() -> None:
    """Is told where it stands, as far as that is known."""
    place = Place("f", 5, 3)
    call = Call(To.QEMU, "eject", place, None, {"device": "cd0"}, "steps/0")
    (problem,) = outdated([call], [shipped_target("7.2")])
    assert (problem.place, problem.path) == (place, "steps/0/args/device")


def test_what_has_no_successor() -> None:
    """Is to be looked up."""
    targets = [shipped_target("11.1")]
    command = replace(targets[0].schema.commands["query-status"], deprecated=True)
    commands = {**targets[0].schema.commands, "query-status": command}
    old_one = Target("g", replace(targets[0].schema, commands=commands))
    call = Call(To.QEMU, "query-status", Place("f"), None, {}, "steps/0")
    assert [one.fix for one in outdated([call], [old_one])] == [
        "look in QEMU's list of deprecated features for another way"
    ]
