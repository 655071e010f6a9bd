"""The members of events: a misspelt one, a wrong kind, a value that never is, told at load."""

import pytest

from reactor.core.catalog import RENAMED
from reactor.core.cel_shapes import Kind, Member
from reactor.policyfile.check import load_text
from reactor.policyfile.event_shapes import either, known_events, shape_of

REST = "policy: p\ndescription: d\n"


def said(text: str) -> str:
    """Everything that is said about a policy with these keys."""
    steps = "" if "\nsteps:" in f"\n{text}" else "steps: [{log: x}]\n"
    found = load_text(f"{text}\n{REST}{steps}", "f").problems
    return "\n".join(f"{one.severity}: {one} [{one.path}]" for one in found)


def where(event: str, condition: str) -> str:
    """What is said about a trigger with this condition, in one line without its place."""
    problems = load_text(
        f"{REST}steps: [{{log: x}}]\ntrigger:\n  event: {event}\n  where: '{condition}'\n", "f"
    ).problems
    return " | ".join(f"{one.problem}; {one.fix}" for one in problems)


@pytest.mark.parametrize(
    ("event", "condition", "message"),
    [
        # members
        pytest.param("RESET", "data.guest", "", id="a member"),
        pytest.param(
            "RESET", "data.gest", "data has no member 'gest'; write data.guest", id="near"
        ),
        pytest.param(
            "RESET", "data.xyz == 1", "data has no member 'xyz'; RESET has: guest, reason", id="far"
        ),
        pytest.param("STOP", "data.x == 1", "data has no member 'x'; STOP has no data", id="empty"),
        pytest.param("QUORUM_REPORT_BAD", 'data.node_name == "a"', "", id="an underscore"),
        pytest.param("QUORUM_REPORT_BAD", 'data["node-name"] == "a"', "", id="a hyphen"),
        pytest.param("DUMP_COMPLETED", 'data.result.status == "failed"', "", id="further down"),
        pytest.param(
            "DUMP_COMPLETED",
            'data.result.state == "failed"',
            "data.result has no member 'state'; write data.result.status",
            id="misspelt further down",
        ),
        pytest.param(
            "RESET",
            'data.reason.text == "x"',
            "data.reason is a text, it has no members; take it out",
            id="below a text",
        ),
        pytest.param(
            "RESET", "has(data.gest)", "data has no member 'gest'; write data.guest", id="has()"
        ),
        pytest.param(
            "RESET",
            "data.?gest.orValue(true)",
            "data has no member 'gest'; write data.guest",
            id="an optional that never is",
        ),
        pytest.param(
            "RESET",
            "[1].all(data, data > 0)",
            "",
            id="a macro's own name",
        ),
        # several events
        pytest.param("[RESET, STOP]", "has(data.guest)", "", id="one of them has it"),
        pytest.param(
            "[RESET, STOP]",
            "data.x == 1",
            "data has no member 'x'; RESET or STOP has: guest, reason",
            id="none of them has it",
        ),
        pytest.param(
            "[RESET, STOP, RESUME, SHUTDOWN]",
            "data.x == 1",
            "data has no member 'x'; any of these events has: guest, reason",
            id="many events",
        ),
        pytest.param(
            "VNC_*",
            "data.client.x == 1",
            "data.client has no member 'x'; VNC_CONNECTED or"
            " VNC_DISCONNECTED or VNC_INITIALIZED has: family, host, sasl_username, service,"
            " websocket, x509_dname",
            id="a glob",
        ),
        pytest.param(
            "GUEST_PANICKED",
            "data.action == pause",
            '`pause` is not known; write "pause" if it is a text',
            id="a text without quotes",
        ),
        pytest.param(
            "GUEST_PANICKED",
            'action == "pause"',
            "`action` is not known; write data.action",
            id="a member without data",
        ),
        pytest.param(
            "BLOCK_*",
            "data.xyzzy == 1",
            "data has no member 'xyzzy'; `reactor docs EVENT` lists them",
            id="too many to be listed",
        ),
        pytest.param("MEM_UNPLUG_ERROR", "has(data.path)", "", id="its other name has it"),
        # what may have any data
        pytest.param("'*'", "data.x == 1", "", id="every event"),
        pytest.param("[RESET, __ACME_X]", "data.x == 1", "", id="a vendor's"),
        pytest.param("REACTOR_GUEST_CONNECTED", "data.epoch == 1", "", id="any value"),
        pytest.param("REACTOR_GUEST_CONNECTED", "data.epoch.x == 1", "", id="below any value"),
        # kinds
        pytest.param(
            "RESET",
            'data.guest == "true"',
            "data.guest is true or false, and this is a text; compare it with true or false",
            id="a text for a truth",
        ),
        pytest.param(
            "BALLOON_CHANGE",
            'data.actual > "5"',
            "data.actual is a whole number, and this is a text; compare it with a whole number",
            id="a text for a number",
        ),
        pytest.param("BALLOON_CHANGE", "1.5 < data.actual", "", id="a fraction for a number"),
        pytest.param("BALLOON_CHANGE", "data.actual != null", "", id="null is never wrong"),
        pytest.param(
            "BALLOON_CHANGE",
            'data.actual in [1, "2"]',
            "data.actual is a whole number, and this is a text; compare it with a whole number",
            id="a list of values",
        ),
        pytest.param(
            "BALLOON_CHANGE",
            "data.actual",
            "data.actual is a whole number, not true or false; compare it with something",
            id="a number as condition",
        ),
        pytest.param(
            "RESET",
            "data.guest && !data.reason",
            "data.reason is a text, not true or false; compare it with something",
            id="a text as truth",
        ),
        # values
        pytest.param(
            "GUEST_PANICKED",
            'data.action == "pasue"',
            'data.action is never "pasue"; write "pause"',
            id="a value misspelt",
        ),
        pytest.param(
            "GUEST_PANICKED",
            '"stop" == data.action',
            'data.action is never "stop"; it is one of: pause, poweroff, run',
            id="a value that never is",
        ),
        pytest.param(
            "GUEST_PANICKED",
            'data.action in ["pause", "reboot"]',
            'data.action is never "reboot"; it is one of: pause, poweroff, run',
            id="one of a list that never is",
        ),
        pytest.param(
            "[GUEST_PANICKED, WATCHDOG]", 'data.action == "reset"', "", id="of one of two events"
        ),
        pytest.param(
            "[BLOCK_JOB_COMPLETED, QUORUM_REPORT_BAD]",
            'data.type == "stream" || data.type == "read"',
            "",
            id="values of both",
        ),
        pytest.param(
            "[BLOCK_JOB_ERROR, DEVICE_TRAY_MOVED]", 'data.device == "any"', "", id="any text"
        ),
        pytest.param("GUEST_PANICKED", 'data.action.startsWith("p")', "", id="no comparison"),
        pytest.param(
            "GUEST_PANICKED", '["pause"].exists(a, data.action == a)', "", id="of no constant"
        ),
    ],
)
def test_the_data_of_an_event(event: str, condition: str, message: str) -> None:
    """Of several events it is enough that one has the member, the kind or the value."""
    assert where(event, condition) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "trigger: {event: RESET, followed_by: {event: WATCHDOG, within: 1m,"
            " where: data.action == trigger.data.reson, by: data.actoin}}\n"
            'if: trigger.data.guest && trigger.next.data.acton == "x"\n',
            "error: f:1:103: R008 trigger.data has no member 'reson'\n"
            "  fix: write trigger.data.reason [trigger/followed_by/where]\n"
            "error: f:1:119: R008 data has no member 'actoin'\n"
            "  fix: write data.action [trigger/followed_by/by]\n"
            "error: f:2:45: R008 trigger.next.data has no member 'acton'\n"
            "  fix: write trigger.next.data.action [if]",
            id="the first and the second event",
        ),
        pytest.param(
            "trigger: {event: RESET}\nsteps:\n- log: ${data.gest} ${trigger.data.guest}\n"
            "- wait: {event: STOP, where: data.guest && trigger.data.guest}\n"
            "- {qmp: balloon, wait: {event: BALLOON_CHANGE, where: data.actual > 1}}\n"
            "- log: ${event.name} ${data.actual}\n",
            "error: f:3:15: R008 data has no member 'gest'\n  fix: write data.guest [steps/0/log]\n"
            "error: f:4:35: R008 data has no member 'guest'\n"
            "  fix: STOP has no data [steps/1/wait/where]\n"
            "error: f:6:29: R008 data has no member 'actual'\n"
            "  fix: RESET has: guest, reason [steps/3/log]",
            id="steps, and the candidates of their waits",
        ),
        pytest.param(
            "trigger: [{event: RESET}, {every: 1h}, {state: 'true'}]\n"
            "if: '!has(data.guest) || data.guest'\n",
            "",
            id="an event or none",
        ),
        pytest.param(
            "trigger: {every: 1h}\nif: data.x == 1\n",
            "error: f:2:10: R008 data has no member 'x'\n"
            "  fix: what is no event of a guest has no data [if]",
            id="no event",
        ),
        pytest.param(
            "trigger: [{event: RESET}, {event: __ACME_X}]\nif: data.x == 1\n",
            "",
            id="one may have any data",
        ),
        pytest.param(
            "trigger: {event: [RESET, [x]], where: data.x == 1}\n",
            "error: f:1:26: R005 a"
            " string is expected here, not a list\n  fix: write one text"
            " [trigger/event/1]",
            id="what is no name: nothing is known",
        ),
    ],
)
def test_every_place_knows_its_events(text: str, message: str) -> None:
    """`data` is the event at hand; the first and the second have names of their own."""
    assert said(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "trigger: {event: BLOCK_IO_ERROR, where: data.nospace, by: data.node_name}\n"
            'inhibit_if: guest.labels["no-touch"] == "yes"\n'
            "vars: {tier: '${guest.labels.tier}'}\n"
            "steps:\n- check: data.qom_path == 'x'\n- {qmp: x, args: {a: '${data.reason}'}}\n"
            "- log: ${data.qom_path}\non_failure:\n- {qmp: x, args: {a: '${data.qom_path}'}}\n",
            "note: f:1:41: R008 data.nospace may be absent: then this counts as false\n"
            "  fix: write data.?nospace.orValue(...), or ask with has() first [trigger/where]\n"
            "note: f:1:59: R008 data.node_name may be absent: then the match is refused\n"
            "  fix: write data.?node_name.orValue(...), or ask with has() first [trigger/by]\n"
            'note: f:2:13: R008 guest.labels["no-touch"] may be absent:'
            " then this counts as true\n"
            '  fix: write guest.labels[?"no-touch"].orValue(...), or ask with has() first'
            " [inhibit_if]\n"
            "note: f:3:14: R008 guest.labels.tier may be absent: then the step fails\n"
            "  fix: write guest.labels.?tier.orValue(...), or ask with has() first [vars/tier]\n"
            "note: f:5:10: R008 data.qom_path may be absent: then the run fails\n"
            "  fix: write data.?qom_path.orValue(...), or ask with has() first [steps/0/check]",
            id="each place with what it means there",
        ),
        pytest.param(
            "trigger: {event: BLOCK_IO_ERROR}\nif: >-\n  has(data.nospace) && data.nospace"
            ' && data.?node_name.orValue("") != "" && "a" in guest.labels'
            ' && guest.labels.a == guest.labels[?"b"].orValue("") && data.device != ""\n',
            "",
            id="who asks first is not told",
        ),
        pytest.param(
            "trigger: {event: [RESET, STOP], where: data.guest}\n",
            "note: f:1:40: R008 data.guest may be absent: then this counts as false\n"
            "  fix: write data.?guest.orValue(...), or ask with has() first [trigger/where]",
            id="only one of the events has it",
        ),
        pytest.param(
            "trigger: {event: GUEST_PANICKED, where: 'data.info.type == \"s390\"'}\n",
            "note: f:1:41: R008 data.info.type may be absent: then this counts as false\n"
            "  fix: write data.info.?type.orValue(...), or ask with has() first [trigger/where]",
            id="what is below something that may be absent",
        ),
        pytest.param(
            "trigger: {event: RESET, where: '[data].all(d, guest.labels.x == \"1\")'}\n",
            "note: f:1:32: R008 guest.labels.x may be absent: then this counts as false\n"
            "  fix: write guest.labels.?x.orValue(...), or ask with has() first [trigger/where]",
            id="inside of a macro",
        ),
    ],
)
def test_what_may_be_absent(text: str, message: str) -> None:
    """A note: it may be meant as it is."""
    assert said(text) == message


EVERY = [shape for name in sorted(known_events()) if (shape := shape_of((name,)))]


def test_every_event_has_its_data() -> None:
    """Those that QEMU has renamed, too."""
    assert len(EVERY) == len(known_events())
    assert {name.name for name in RENAMED.values()} <= known_events()


def test_what_stands_below_a_member_is_below_a_map() -> None:
    """A shape is a tree."""
    for shape in EVERY:
        for path in shape.members:
            above = path.rpartition(".")[0]
            assert not above or Kind.MAP in shape.members[above].kinds


OPTIONAL, VALUES = True, {"pause", "poweroff", "run"}


@pytest.mark.parametrize(
    ("event", "path", "member"),
    [
        pytest.param("RESET", "guest", Member(frozenset({Kind.TRUTH})), id="of every version"),
        pytest.param(
            "GUEST_PANICKED",
            "action",
            Member(frozenset({Kind.TEXT}), frozenset(VALUES)),
            id="values",
        ),
        pytest.param(
            "BLOCK_IO_ERROR",
            "qom_path",
            Member(frozenset({Kind.TEXT}), None, OPTIONAL),
            id="not in 7.2",
        ),
        pytest.param(
            "MEMORY_DEVICE_SIZE_CHANGE",
            "qom_path",
            Member(frozenset({Kind.TEXT}), None, OPTIONAL),
            id="in both shipped versions, and not in 5.2",
        ),
        pytest.param(
            "GUEST_PANICKED",
            "info.gpa",
            Member(frozenset({Kind.WHOLE}), None, OPTIONAL),
            id="of one branch, since a version in between",
        ),
        pytest.param(
            "GUEST_PANICKED",
            "info.type",
            Member(frozenset({Kind.TEXT}), frozenset({"hyper-v", "s390", "sev", "tdx"})),
            id="values that the versions added",
        ),
        pytest.param(
            "MEM_UNPLUG_ERROR",
            "msg",
            Member(frozenset({Kind.TEXT}), None, OPTIONAL),
            id="removed in 9.1, and not in that which came for it",
        ),
    ],
)
def test_a_member_is_what_any_known_version_says(event: str, path: str, member: Member) -> None:
    """And optional where one of them may leave it out."""
    shape = shape_of((event,))
    assert shape is not None
    assert shape.members[path] == member


def test_of_nothing_nothing_is_known() -> None:
    """A policy whose triggers could not be read is not told about its data."""
    assert either([]) is None
    assert either([shape_of(("RESET",)), None]) is None
    assert shape_of(("XYZZY",)) is None
