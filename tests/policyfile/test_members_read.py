"""Members that an expression reads and that not every target has."""

import pytest

from reactor.policyfile.check import load_text
from reactor.policyfile.targets import Target, held_against, shipped_target

OLD, NEW = shipped_target("7.2"), shipped_target("11.1")
BOTH = (OLD, NEW)
NEWER = "trigger: {event: BLOCK_IO_ERROR, where: data.qom_path == 'x'}\nsteps: [{log: x}]\n"
HEAD = "policy: p\ndescription: d\n"
IO = "trigger: {event: BLOCK_IO_ERROR}\nsteps:\n"
TOLD = (
    "warning: f:3:41: R013 QEMU 7.2: BLOCK_IO_ERROR has no member `qom_path`\n"
    "  fix: write data.?qom_path.orValue(...), or ask with has() first [trigger/where]"
)


def said(text: str, targets: tuple[Target, ...]) -> str:
    """What is said of a policy with these keys, for these targets."""
    loaded = load_text(f"{HEAD}{text}", "f")
    assert loaded.is_sound, loaded.problems
    found = held_against(loaded.asks, targets)
    return "\n".join(f"{one.severity}: {one} [{one.path}]" for one in found)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        pytest.param(BOTH, TOLD, id="some have it: a warning that names the others"),
        pytest.param((NEW,), "", id="all have it"),
        pytest.param(
            (OLD,),
            TOLD.replace("warning", "error").replace("QEMU 7.2: ", ""),
            id="none has it: an error",
        ),
    ],
)
def test_a_member_that_a_target_has_not(targets: tuple[Target, ...], message: str) -> None:
    """All of them is an error, some of them a warning, as for arguments."""
    assert said(NEWER, targets) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(f"{IO}  - if: has(data.qom_path) && data.qom_path == 'x'\n    log: x\n", ""),
        pytest.param(f"{IO}  - if: data.?qom_path.orValue('') == 'x'\n    log: x\n", ""),
        pytest.param(f"{IO}  - log: '${{data.qom_path}}'\n", "", id="a text that may lack it"),
        pytest.param(
            f"vars: {{q: '${{data.qom_path}}'}}\n{IO}  - log: x\n",
            "QEMU 7.2: BLOCK_IO_ERROR has no member `qom_path`",
            id="a template that must not fail",
        ),
        pytest.param(NEWER.replace("BLOCK_IO_ERROR", "[BLOCK_IO_ERROR, STOP]"), "QEMU 7.2: none"),
        pytest.param(
            NEWER.replace("BLOCK_IO_ERROR", "MEM_UNPLUG_ERROR").replace("qom_path", "msg"),
            "QEMU 11.1: none of these events has the member `msg`",
            id="the event that took the place of another has not all of its members",
        ),
        pytest.param(
            f"{IO}  - qmp: query-status\n    save: s\n  - check: steps.s.result.singlestep\n",
            "QEMU 11.1: the reply of query-status has no member `singlestep`",
            id="a reply",
        ),
        pytest.param(
            f"{IO}  - qmp: query-cpu-model-expansion\n    save: s\n"
            "    args: {type: static, model: {name: base}}\n"
            "  - check: steps.s.result.model.props.avx\n",
            "",
            id="below a value of which nothing is known",
        ),
        pytest.param(
            "trigger: {event: GUEST_PANICKED, where: data.info.gpa == 1}\nsteps: [{log: x}]\n",
            "QEMU 7.2: GUEST_PANICKED has no member `info.gpa`",
            id="a member of a branch",
        ),
    ],
)
def test_what_counts_as_read(text: str, message: str) -> None:
    """What is asked for before is not, nor what may fail without harm."""
    found = said(text, BOTH)
    assert message in found
    assert "R013" not in found or message


def test_an_event_that_a_target_has_not_is_told_once() -> None:
    """As the event; its members are not told besides."""
    event = min(set(NEW.schema.events) - set(OLD.schema.events))
    member = min(NEW.schema.record(NEW.schema.events[event].data).members)
    read = f"data.{member.replace('-', '_')}"
    found = said(f"trigger: {{event: {event}, by: {read}}}\nsteps: [{{log: x}}]\n", BOTH)
    assert found.count("R013") == 1
    assert f"QEMU 7.2 never sends `{event}`" in found


def test_a_schema_is_looked_at_by_itself() -> None:
    """Two of one version may differ by their builds."""
    other = Target("web-1", NEW.schema)
    assert said(NEWER, (OLD, other)) == TOLD
    assert said(NEWER, (Target("web-1", OLD.schema), NEW)) == TOLD.replace("QEMU 7.2", "web-1")
