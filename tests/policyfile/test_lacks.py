"""What policies need of a guest, and what of it a guest lacks."""

from dataclasses import replace

import pytest

from reactor.app.shipped import shipped_rules
from reactor.core.equipment import NO_PANIC_DEVICE, NO_WATCHDOG, Aspect, Equipment
from reactor.policyfile.check import load
from reactor.policyfile.lacks import NO_AGENT, Standing, lacks
from reactor.policyfile.needs import needs_of
from reactor.qapi.shipped import schema_of, versions
from tests.core.simulation import policy

OLD, NEW = schema_of("7.2"), schema_of("11.1")
BARE = Equipment(
    panic=False,
    watchdog=False,
    ports=frozenset(),
    migration_events=False,
    quorum=False,
    balloon=False,
)
GUEST = Standing(qemu="7.2.22", digest="old", schema=OLD)
NEWER = Standing(qemu="11.1.3", digest="new", schema=NEW)
STORAGE = Standing("storage-daemon", "7.2.22", Equipment(ports=frozenset()), NO_AGENT, "s", OLD)
NOWHERE = replace(OLD, events={}, commands={})


def text_of(trigger: str, steps: str = "[{log: x}]", more: str = "") -> str:
    """A policy."""
    return f"policy: p\ndescription: d\n{more}trigger: {trigger}\nsteps: {steps}\n"


def said(text: str, guest: Standing) -> list[str]:
    """The sentences about this policy on that guest."""
    return [lack.sentence for lack in lacks(needs_of(policy(text)), guest)]


TRIGGERS = [
    pytest.param("{event: STOP}", GUEST, [], id="an event that every QEMU sends"),
    pytest.param("{event: REACTOR_GUEST_LOST}", GUEST, [], id="one of the engine's own"),
    pytest.param("{event: __com.vendor_EVENT}", GUEST, [], id="one of a vendor"),
    pytest.param("{every: 1h}", replace(GUEST, schema=NOWHERE), [], id="a schedule"),
    pytest.param(
        "{event: GUEST_PVSHUTDOWN}",
        GUEST,
        ["cannot fire: QEMU 7.2.22 has no event GUEST_PVSHUTDOWN"],
        id="of a newer QEMU",
    ),
    pytest.param("{event: GUEST_PVSHUTDOWN}", NEWER, [], id="on that newer QEMU"),
    pytest.param("{event: GUEST_PVSHUTDOWN}", Standing(), [], id="before the schema is told"),
    pytest.param("{event: [GUEST_PVSHUTDOWN, STOP]}", GUEST, [], id="one of two names will do"),
    pytest.param("{event: MEM_UNPLUG_ERROR}", NEWER, [], id="an old name of a new event"),
    pytest.param(
        "{event: [GUEST_PVSHUTDOWN, QUORUM_FAILURE]}",
        replace(GUEST, equipment=BARE),
        ["nothing to watch: no disk is a quorum"],
        id="a name of another version is no fault",
    ),
    pytest.param(
        "{event: [QUORUM_FAILURE, WATCHDOG, GUEST_PANICKED]}",
        replace(GUEST, equipment=BARE),
        [f"cannot fire: {NO_WATCHDOG.text}; {NO_PANIC_DEVICE.text}"],
        id="what happens unseen is named",
    ),
    pytest.param(
        '{event: "QUORUM_*"}',
        replace(GUEST, equipment=BARE),
        ["nothing to watch: no disk is a quorum"],
        id="a glob",
    ),
    pytest.param(
        '{event: "GUEST_*"}',
        replace(GUEST, equipment=BARE),
        ["cannot fire: no panic device (such as -device pvpanic)"],
        id="a glob of events that this QEMU has",
    ),
    pytest.param(
        '{event: VSERPORT_CHANGE, where: data.open && data.id == "agent"}',
        replace(GUEST, equipment=Equipment(ports=frozenset({"spice"}))),
        ["cannot fire: no virtio-serial port has the id agent"],
        id="a port by its id",
    ),
    pytest.param(
        '{event: VSERPORT_CHANGE, where: data.open && data.id == "agent"}',
        replace(GUEST, equipment=Equipment(ports=frozenset({"agent"}))),
        [],
        id="a port that is there",
    ),
    pytest.param(
        "{event: GUEST_CRASHLOADED, followed_by: {event: WATCHDOG, within: 1m}}",
        replace(GUEST, equipment=Equipment(panic=True, watchdog=False)),
        ["cannot fire: no watchdog device (such as -device i6300esb)"],
        id="a second event that cannot come",
    ),
    pytest.param(
        "{event: GUEST_CRASHLOADED, not_followed_by: {event: WATCHDOG, within: 1m}}",
        replace(GUEST, equipment=Equipment(panic=True, watchdog=False)),
        [],
        id="an absence fires all the same",
    ),
    pytest.param(
        "[{event: STOP}, {event: WATCHDOG}, {event: QUORUM_FAILURE}]",
        replace(GUEST, equipment=BARE),
        [
            "cannot fire at trigger/1: no watchdog device (such as -device i6300esb)",
            "nothing to watch at trigger/2: no disk is a quorum",
        ],
        id="some of several triggers",
    ),
    pytest.param(
        "[{event: WATCHDOG}, {event: QUORUM_FAILURE}]",
        replace(GUEST, equipment=BARE),
        ["cannot fire: no watchdog device (such as -device i6300esb)"],
        id="none of several triggers",
    ),
    pytest.param(
        "[{event: BALLOON_CHANGE}, {event: QUORUM_FAILURE}]",
        replace(GUEST, equipment=BARE),
        ["nothing to watch: no balloon device; no disk is a quorum"],
        id="none, and it is no matter",
    ),
    pytest.param(
        '{event: VSERPORT_CHANGE, where: data.id == "agent"}',
        STORAGE,
        ["nothing to watch: no virtio-serial port has the id agent"],
        id="a storage daemon needs no port",
    ),
    pytest.param(
        "{event: GUEST_PANICKED}",
        replace(STORAGE, schema=NOWHERE),
        ["nothing to watch: a storage daemon sends no GUEST_PANICKED"],
        id="a storage daemon has no guest",
    ),
]


@pytest.mark.parametrize(("trigger", "guest", "sentences"), TRIGGERS)
def test_a_trigger_that_cannot_fire(trigger: str, guest: Standing, sentences: list[str]) -> None:
    """Its reason is told, and whether somebody has to do something about it."""
    assert said(text_of(trigger), guest) == sentences


NO_TEXT = "QEMU 7.2.22: `value` is a whole number, and this gives a text"
NO_SKEYS = "QEMU 7.2.22 has no command dump-skeys"

STEPS = [
    pytest.param("[{qmp: query-status}, {guest: reset}]", GUEST, [], id="commands that it has"),
    pytest.param(
        "[{log: x}, {qmp: dump-skeys, args: {filename: /x}}]",
        GUEST,
        [f"fails at steps/1: {NO_SKEYS}"],
        id="one that it has not",
    ),
    pytest.param(
        "[{qmp: dump-skeys, args: {filename: /x}}]", Standing(), [], id="before the schema is told"
    ),
    pytest.param(
        "[{qmp: dump-skeys, args: {filename: /x}, on_error: continue}]",
        GUEST,
        [],
        id="its failure is reckoned with",
    ),
    pytest.param(
        "[{qmp: dump-guest-memory, args: {paging: false, format: kdump-raw-zlib}}]",
        GUEST,
        [
            "fails at steps/0/args/format: QEMU 7.2.22: `format` cannot be `kdump-raw-zlib`",
            "fails at steps/0/args: QEMU 7.2.22: `dump-guest-memory` needs `protocol`",
        ],
        id="arguments that it refuses",
    ),
    pytest.param(
        "[{qmp: balloon}]",
        GUEST,
        ["fails at steps/0/args: QEMU 7.2.22: `balloon` needs `value`"],
        id="no arguments",
    ),
    pytest.param(
        "[{qmp: balloon, args: {value: '${guest.memory}'}}]", GUEST, [], id="a value that may fit"
    ),
    pytest.param(
        "[{qmp: balloon, args: {value: '${guest.name}'}}]",
        GUEST,
        [f"fails at steps/0/args/value: {NO_TEXT}"],
        id="a value that cannot fit",
    ),
    pytest.param(
        "[{choose: [{when: 'true', steps: [{qmp: dump-skeys, args: {filename: /x}}]}]}]",
        GUEST,
        [f"fails at steps/0/choose/0/steps/0: {NO_SKEYS}"],
        id="in a branch",
    ),
    pytest.param(
        "[{guest: dump, to: x, format: elf}, {guest: inject-nmi}]",
        replace(GUEST, schema=NOWHERE),
        [
            "fails at steps/0: QEMU 7.2.22 has no command dump-guest-memory",
            "fails at steps/1: QEMU 7.2.22 has no command inject-nmi",
        ],
        id="what a verb is made of",
    ),
    pytest.param(
        "[{guest: start}]",
        replace(STORAGE, schema=NOWHERE),
        [
            "fails at steps/0: a storage daemon has no command system_reset",
            "fails at steps/0: a storage daemon has no command cont",
        ],
        id="a storage daemon has no guest to start",
    ),
    pytest.param(
        "[{wait: {event: [GUEST_PVSHUTDOWN, VFIO_MIGRATION], timeout: 1m}}]",
        GUEST,
        ["fails at steps/0: QEMU 7.2.22 has no event GUEST_PVSHUTDOWN or VFIO_MIGRATION"],
        id="a wait for what never comes",
    ),
    pytest.param(
        "[{qmp: stop, wait: {event: GUEST_PVSHUTDOWN, timeout: 1m}}]",
        GUEST,
        ["fails at steps/0: QEMU 7.2.22 has no event GUEST_PVSHUTDOWN"],
        id="a wait beside a command",
    ),
    pytest.param(
        "[{wait: {event: [GUEST_PVSHUTDOWN, STOP], timeout: 1m}}, {wait: {event: WATCHDOG}}]",
        replace(GUEST, equipment=BARE),
        [],
        id="a wait for what may come",
    ),
    pytest.param(
        "[{agent: guest-ping}, {guest: reboot}]",
        replace(GUEST, agent=NO_AGENT),
        [f"fails at steps/0: {NO_AGENT}", f"fails at steps/1: {NO_AGENT}"],
        id="no agent",
    ),
    pytest.param("[{agent: guest-ping}, {guest: reboot}]", GUEST, [], id="an agent"),
    pytest.param(
        "[{guest: shutdown}, {agent: guest-ping, on_error: continue}]",
        replace(GUEST, agent=NO_AGENT),
        [],
        id="who needs no agent",
    ),
]


@pytest.mark.parametrize(("steps", "guest", "sentences"), STEPS)
def test_a_step_that_fails(steps: str, guest: Standing, sentences: list[str]) -> None:
    """Wherever it stands, as far as its author does not reckon with that."""
    assert said(text_of("{every: 1h}", steps), guest) == sentences


@pytest.mark.parametrize("section", ["on_failure", "on_limit", "finally"])
def test_a_step_of_a_handler_that_fails(section: str) -> None:
    """It is told as well: handlers are read when something is wrong already."""
    more = f"{section}: [{{qmp: dump-skeys, args: {{filename: /x}}}}]\n"
    assert said(text_of("{every: 1h}", more=more), GUEST) == [f"fails at {section}/0: {NO_SKEYS}"]


def test_the_steps_of_an_arm_are_left_out() -> None:
    """What comes of an arm is known from sending it."""
    more = "arm: [{qmp: dump-skeys, args: {filename: /x}}]\n"
    assert said(text_of("{every: 1h}", more=more), GUEST) == []


def test_the_steps_of_a_policy_that_cannot_fire() -> None:
    """Are never reached: its one lack is told, and not what would come of it."""
    guest = replace(GUEST, equipment=BARE)
    steps = "[{qmp: dump-skeys, args: {filename: /x}}]"
    assert len(said(text_of("{event: WATCHDOG}", steps), guest)) == 1
    assert len(said(text_of("[{event: WATCHDOG}, {event: STOP}]", steps), guest)) == 2


def test_only_what_a_policy_needs_is_asked_for() -> None:
    """Its triggers decide; a step's wait may be for what the step itself brings about."""
    steps = "[{agent: guest-ping}, {wait: {event: WATCHDOG}}]"
    needs = needs_of(policy(text_of("[{event: MIGRATION_PASS}, {event: STOP}]", steps)))
    assert needs.aspects == {Aspect.CAPABILITIES}
    assert needs.agent
    assert not needs_of(policy(text_of("{event: STOP}"))).agent


def test_the_reason_beside_its_state() -> None:
    """As a table shows it."""
    (lack,) = lacks(
        needs_of(policy(text_of("{every: 1h}", "[{guest: reboot}]"))),
        replace(GUEST, agent=NO_AGENT),
    )
    assert (lack.kind.value, lack.reason) == ("fails", f"steps/0: {NO_AGENT}")
    (lack,) = lacks(needs_of(policy(text_of("{event: WATCHDOG}"))), replace(GUEST, equipment=BARE))
    assert lack.reason == "no watchdog device (such as -device i6300esb)"
    assert lack.hinders
    assert not lack.is_harmless


@pytest.mark.parametrize("version", versions())
def test_the_shipped_policies_fit_the_shipped_schemas(version: str) -> None:
    """Whatever they wait for and send, one written for both; devices are another matter."""
    guest = Standing(qemu=version, digest=version, schema=schema_of(version))
    loaded = load([shipped_rules()])
    assert loaded.policies
    found = {one.name: lacks(needs_of(one), guest) for one in loaded.policies}
    assert {name: told for name, told in found.items() if told} == {}
