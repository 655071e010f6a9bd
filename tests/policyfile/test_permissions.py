"""What the settings must permit before a policy may do it."""

import pytest

from reactor.core.config import EngineConfig
from reactor.policyfile.check import check_allowed, load_text, permissions_of

CONFIG = EngineConfig(
    dumps_folder="/var/crash",
    allow=frozenset({"quit"}),
    dumps_allow=frozenset({"/srv/big/web-1.dump", "/srv/odd/a[1].dump"}),
)


def problems_of(steps: str, config: EngineConfig = CONFIG, section: str = "steps") -> str:
    """What is forbidden to a policy with these steps."""
    log = "" if section == "steps" else "steps: [{log: x}]\n"
    head = f"policy: p\ndescription: d\ntrigger: {{event: RESET}}\n{log}"
    policies = load_text(f"{head}{section}:\n{steps}\n", "f").policies
    assert len(policies) == 1
    return "\n".join(f"{problem} [{problem.path}]" for problem in check_allowed(policies, config))


def not_named(command: str, at: str, path: str, fix: str = "") -> str:
    """The sentence about a command that the settings do not name."""
    fix = fix or f"add `{command}` to `qmp.allow` of the settings, or take the step out"
    return (
        f"f:{at}: R010 the policy `p` may not send `{command}`: `qmp.allow` does not name it\n"
        f"  fix: {fix} [{path}]"
    )


def outside(path: str, folder: str = "/var/crash", at: str = "5:3") -> str:
    """The sentence about a dump that leaves its folder."""
    return (
        f"f:{at}: R010 the policy `p` may not dump to {path}:"
        f" it is outside `dumps.folder` ({folder})\n"
        "  fix: use a relative path, or add it to `dumps.allow` of the settings [steps/0]"
    )


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        pytest.param("- qmp: quit", "", id="named in the settings"),
        pytest.param("- qmp: query-status\n- qmp: system_reset", "", id="needs no permission"),
        pytest.param(
            "- qmp: screendump", not_named("screendump", "5:3", "steps/0"), id="not named"
        ),
        pytest.param(
            "- qmp: dump-guest-memry",
            not_named("dump-guest-memry", "5:3", "steps/0", "did you mean `dump-guest-memory`?"),
            id="no command, but like one",
        ),
        pytest.param(
            "- qmp: xyzzy-frobnicate",
            not_named("xyzzy-frobnicate", "5:3", "steps/0"),
            id="no command at all",
        ),
        pytest.param(
            "- {qmp: migrate, args: {uri: 'exec:cat'}}",
            not_named("migrate", "5:3", "steps/0"),
            id="a migration into a program",
        ),
        pytest.param(
            "- {qmp: migrate, args: {uri: 'exec:${guest.name}'}}",
            not_named("migrate", "5:3", "steps/0"),
            id="a migration into a program, rendered",
        ),
        pytest.param("- {qmp: migrate, args: {uri: 'tcp:x'}}", "", id="a migration"),
        pytest.param("- {qmp: migrate, args: {uri: '${guest.name}'}}", "", id="not known yet"),
    ],
)
def test_commands(steps: str, message: str) -> None:
    """The policy and the setting are named, with a guess where the command is unknown."""
    assert problems_of(steps) == message


@pytest.mark.parametrize("section", ["arm", "steps", "on_failure", "on_limit", "finally"])
def test_every_section_is_looked_at(section: str) -> None:
    """A command is forbidden wherever it stands."""
    line = "5" if section == "steps" else "6"
    message = not_named("screendump", f"{line}:3", f"{section}/0")
    assert problems_of("- qmp: screendump", section=section) == message


@pytest.mark.parametrize(
    ("to", "message"),
    [
        pytest.param("x.dump", "", id="relative"),
        pytest.param("a/../x.dump", "", id="relative, with dots that stay inside"),
        pytest.param("/var/crash/x.dump", "", id="absolute, inside"),
        pytest.param("${guest.name}/x.dump", "", id="a template as a folder"),
        pytest.param("../x.dump", outside("/var/x.dump"), id="dots that leave"),
        pytest.param("a/../../x", outside("/var/x"), id="dots that leave later"),
        pytest.param("/var/crash", outside("/var/crash"), id="the folder itself"),
        pytest.param("/var/crashes/x", outside("/var/crashes/x"), id="a folder like it"),
        pytest.param(
            "/srv/${guest.name}.dump",
            outside("/srv/x.dump"),
            id="a template outside",
        ),
        pytest.param("/srv/big/web-1.dump", "", id="permitted"),
        pytest.param("/srv/odd/a[1].dump", "", id="permitted, with a name like a glob"),
        pytest.param("/srv/big/${guest.name}.dump", "", id="may be the permitted one"),
        pytest.param("/srv/big/web-2.dump", outside("/srv/big/web-2.dump"), id="not that one"),
    ],
)
def test_targets_of_dumps(to: str, message: str) -> None:
    """Only what certainly leaves the folder is refused before it runs."""
    assert problems_of(f"- guest: dump\n  to: {to}") == message


def test_the_default_target_is_inside() -> None:
    """A dump without `to` needs no permission, also when everything is the folder."""
    assert problems_of("- guest: dump") == ""
    assert problems_of("- guest: dump\n  to: /x", EngineConfig(dumps_folder="/")) == ""


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        pytest.param("file:/var/crash/x", "", id="inside"),
        pytest.param("file:/srv/x", outside("/srv/x"), id="outside"),
        pytest.param("file:/srv/${guest.name}", "", id="a template: decided when it is rendered"),
        pytest.param(
            "file:x",
            "f:5:3: R010 QEMU would take 'x' from a folder of its own\n"
            "  fix: write an absolute path, or use `guest: dump` [steps/0]",
            id="relative",
        ),
        pytest.param(
            "fd:3",
            "f:5:3: R010 the policy `p` may not dump to 'fd:3': it is no file\n"
            "  fix: dump to a file, or add `dump-guest-memory` to `qmp.allow` of the settings"
            " [steps/0]",
            id="no file",
        ),
    ],
)
def test_targets_of_raw_dumps(protocol: str, message: str) -> None:
    """A raw command obeys the settings too."""
    step = f"- {{qmp: dump-guest-memory, args: {{paging: false, protocol: '{protocol}'}}}}"
    assert problems_of(step) == message


def test_a_raw_dump_to_no_file_may_be_permitted() -> None:
    """`qmp.allow` permits what is not a file; a dump without a protocol is QEMU's to refuse."""
    config = EngineConfig(allow=frozenset({"dump-guest-memory"}))
    assert problems_of("- {qmp: dump-guest-memory, args: {protocol: 'fd:3'}}", config) == ""
    assert problems_of("- {qmp: dump-guest-memory}") == ""


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        pytest.param(
            "- {guest: destroy}\n- {guest: reset}",
            not_named("quit", "5:3", "steps/0"),
            id="a verb that sends it",
        ),
        pytest.param(
            "- choose:\n  - {when: 'true', steps: [{qmp: quit}]}\n"
            "  - {default: [{parallel: [[{log: x}], [{qmp: quit}]]}]}\n"
            "- repeat: {times: 1}\n  steps: [{guest: dump, to: /srv/x}]",
            not_named("quit", "6:28", "steps/0/choose/0/steps/0")
            + "\n"
            + not_named("quit", "7:41", "steps/0/choose/1/default/0/parallel/1/0")
            + "\n"
            + outside("/srv/x", at="9:11").replace("[steps/0]", "[steps/1/steps/0]"),
            id="steps inside of steps",
        ),
        pytest.param(
            "- log: x\n- run: coredump-destroy",
            not_named("quit", "6:3", "steps/1/run/steps/1"),
            id="a runbook: where the policy runs it",
        ),
        pytest.param(
            "- exec: [/usr/bin/looger, x]\n- exec: [/opt/page]\n- exec: [/usr/bin/logger]",
            "f:5:3: R010 the policy `p` may not start `/usr/bin/looger`:"
            " `exec.allow` does not name it\n  fix: did you mean `/usr/bin/logger`? [steps/0]\n"
            "f:6:3: R010 the policy `p` may not start `/opt/page`: `exec.allow` does not name it\n"
            "  fix: add `/opt/page` to `exec.allow` of the settings, or take the step out"
            " [steps/1]",
            id="programs",
        ),
    ],
)
def test_nothing_hides_inside(steps: str, message: str) -> None:
    """Verbs, ways, rounds, sides and runbooks are looked into; programs are named."""
    config = EngineConfig(
        dumps_folder="/var/crash", exec_allow=frozenset({"/usr/bin/logger", "/bin/true"})
    )
    assert problems_of(steps, config) == message


@pytest.mark.parametrize(
    ("steps", "needed"),
    [
        pytest.param("- qmp: quit", ["steps/0/qmp: qmp.allow: quit"], id="a command"),
        pytest.param("- guest: destroy", ["steps/0/guest: qmp.allow: quit"], id="a verb"),
        pytest.param("- exec: [/bin/x, y]", ["steps/0/exec: exec.allow: /bin/x"], id="a program"),
        pytest.param(
            "- {qmp: migrate, args: {uri: 'exec:cat'}}",
            ["steps/0/qmp: qmp.allow: migrate"],
            id="by its arguments",
        ),
        pytest.param("- {qmp: migrate, args: {uri: 'tcp:a:1'}}", [], id="not by these"),
        pytest.param("- qmp: com.acme.x", [], id="of what nobody knows nothing is known"),
        pytest.param("- guest: reset\n- qmp: stop\n- log: x", [], id="what needs none"),
        pytest.param(
            "- qmp: quit\n- guest: destroy\n- exec: [/bin/x]",
            ["steps/0/qmp: qmp.allow: quit", "steps/2/exec: exec.allow: /bin/x"],
            id="each once",
        ),
    ],
)
def test_permissions_that_are_needed(steps: str, needed: list[str]) -> None:
    """A note for each that the settings must give."""
    text = f"policy: p\ndescription: d\ntrigger: {{event: RESET}}\nsteps:\n{steps}\n"
    notes = permissions_of(load_text(text, "f").policies)
    told = [f"{one.path}: {': '.join(one.problem.split('`')[3:0:-2])}" for one in notes]
    assert told == needed
    assert {str(one.severity) for one in notes} <= {"note"}
