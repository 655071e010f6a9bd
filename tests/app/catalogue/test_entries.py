"""What is known of events, commands and verbs, put together."""

import pytest

from reactor.app.catalogue.commands import SOMETIMES
from reactor.app.catalogue.entry import Entry, Line, Missed, States
from reactor.app.catalogue.guards import run_states, states_of
from reactor.app.catalogue.looking import entry_of, fitting, guess, meanings
from reactor.app.catalogue.samples import sample_arguments
from reactor.app.catalogue.verbs import MEANINGS, better_than, sent_by
from reactor.core import catalog
from reactor.core.config import EngineConfig
from reactor.core.guards import Rule
from reactor.core.made_up import made_up_for
from reactor.core.steps import GuestAction
from reactor.policyfile.check import check_allowed, load_text
from reactor.policyfile.event_shapes import known_events
from reactor.qapi.facts import facts
from reactor.qapi.shipped import schema_of, versions
from reactor.qapi.values import fit_call

ALL = meanings()
LATER = versions()[1:]
"""The shipped versions behind QEMU 7.2."""

TOO_OLD = {
    name
    for name, one in facts().commands.items()
    if not any(name in schema_of(version).commands for version in versions()) or not one.present
}
"""Commands that no shipped schema has: nobody can say which arguments they took."""


def entry(name: str) -> Entry:
    """What is known of it."""
    found = entry_of(name)
    assert found is not None
    return found


def test_everything_that_a_policy_can_name_is_known() -> None:
    """QEMU's events and reactor's own, commands of QEMU and the agent, verbs of a guest."""
    verbs = {f"guest: {action}" for action in ("dump", *GuestAction)}
    assert verbs == set(MEANINGS)
    named = known_events() | catalog.known_commands() | catalog.agent_commands() | verbs
    assert set(ALL) == named | {"cpu-add"}
    assert all(ALL.values())


@pytest.mark.parametrize("kind", ["event", "command", "guest", "verb"])
def test_each_example_is_a_sound_policy(kind: str) -> None:
    """Without an error, a warning or a note; it says what must be allowed, and nothing else."""
    kinds = {"command of the guest agent": "guest", "verb of a guest": "verb"}
    seen = 0
    for name in ALL:
        found = entry(name)
        if kinds.get(found.kind, found.kind.split()[0]) != kind:
            continue
        assert (found.name, found.meaning) == (name, ALL[name])
        assert bool(found.example) == (name not in TOO_OLD), name
        loaded = load_text(f"{found.example}\n" if found.example else "", f"{name}.yaml")
        assert [str(problem) for problem in loaded.problems] == []
        assert len(loaded.policies) == bool(found.example)
        refused = check_allowed(loaded.policies, EngineConfig())
        assert bool(refused) == found.example.startswith("# in the settings: qmp: {allow: ["), name
        allowed = {name, *found.sends}
        assert check_allowed(loaded.policies, EngineConfig(allow=frozenset(allowed))) == ()
        seen += 1
    assert seen >= 10


@pytest.mark.parametrize("version", versions())
def test_the_arguments_of_the_examples_fit(version: str) -> None:
    """QEMU itself would take them: the newest that has the command, mostly the older ones, too."""
    schema = schema_of(version)
    for name in schema.commands:
        arguments = sample_arguments(name)
        assert arguments is not None
        newest = next(one for one in reversed(versions()) if name in schema_of(one).commands)
        if newest == version:
            assert fit_call(schema, name, arguments).misfits == (), name  # type: ignore[arg-type]


def test_an_event_of_qemu() -> None:
    """Over all versions, with what reactor does when it was missed."""
    found = entry("BLOCK_JOB_COMPLETED")
    assert found.kind == "event"
    assert (found.since, found.topic, found.severity) == ("1.1", "block-job", "notice")
    made_up = made_up_for("BLOCK_JOB_COMPLETED")
    assert made_up is not None
    assert found.missed == Missed(
        shown_by=made_up.shown_by,
        waits_only=made_up.waits,
        kept="partial",
        ask=facts().events["BLOCK_JOB_COMPLETED"].trace.how,
        note="is sent for failed jobs too: match on data.error",
    )
    assert found.members[0] == Line("type", "enum", found.members[0].values)
    assert found.members[-1] == Line("error", "string", optional=True)
    assert entry("MEMORY_FAILURE").missed == Missed(
        kept="none",
        ask=facts().events["MEMORY_FAILURE"].trace.how,
        note="host side: mcelog/rasdaemon",
    )


@pytest.mark.parametrize(
    ("name", "line"),
    [
        pytest.param(
            "BLOCK_IO_ERROR",
            Line("qom-path", "string", versions=LATER),
            id="a member that came later",
        ),
        pytest.param(
            "GUEST_PANICKED",
            Line(
                "info.type",
                "enum",
                ("hyper-v", "s390", "tdx", "sev"),
                newer={"tdx": LATER, "sev": LATER},
            ),
            id="values that came later",
        ),
        pytest.param(
            "MEM_UNPLUG_ERROR", Line("msg", "string"), id="all that an event had which is gone"
        ),
        pytest.param(
            "blockdev-reopen",
            Line("options[].<driver=gluster>.volume", "string", versions=("7.2",)),
            id="a member that is gone",
        ),
        pytest.param(
            "eject", Line("device", "string", optional=True, deprecated=True), id="deprecated"
        ),
        pytest.param("guest-exec", Line("arg", "list of string", optional=True), id="of the agent"),
        pytest.param("guest-set-user-password", Line("crypted", "boolean"), id="the agent's bool"),
        pytest.param("REACTOR_GUEST_CONNECTED", Line("first", "boolean"), id="reactor's own"),
    ],
)
def test_members_over_all_versions(name: str, line: Line) -> None:
    """As the newest has them, and what of it not all have."""
    assert line in entry(name).members


def test_members_that_are_gone_come_last() -> None:
    """Behind those of the newest version, in its order."""
    lines = entry("blockdev-reopen").members
    gone = [place for place, line in enumerate(lines) if line.versions == ("7.2",)]
    assert gone == list(range(gone[0], len(lines)))
    assert lines[0] == Line("options", "list of object")


def test_a_command_of_qemu() -> None:
    """What reactor decides by, from where it decides."""
    reset = entry("system_reset")
    assert (reset.effect, reset.allow, reset.idempotent) == ("destroy", "never", False)
    assert (reset.counts_as, reset.better) == ("reset", "guest: reset")
    assert reset.states == states_of(Rule.RAW_RESET)
    assert reset.reply == ()
    kvm = entry("query-kvm")
    assert (kvm.deprecated, kvm.replaced_by, kvm.idempotent) == ("11.0", "query-accelerators", True)
    assert [line.way for line in kvm.reply] == ["enabled", "present"]
    assert kvm.states is None
    assert entry("device_add").more
    assert entry("yank").overtakes
    assert entry("qom-list-get").versions[:2] == ("10.2", "11.1")


def test_a_command_of_the_agent() -> None:
    """Some answer only when they fail."""
    assert entry("guest-shutdown").silent
    ping = entry("guest-ping")
    assert (ping.kind, ping.effect, ping.silent) == ("command of the guest agent", "read", False)
    assert entry("guest-get-users").returns == "list of GuestUser"


@pytest.mark.parametrize(
    ("verb", "sent", "effect", "limit"),
    [
        pytest.param("dump", ("dump-guest-memory",), "disrupt", "dump", id="dump"),
        pytest.param("reset", ("system_reset", "cont"), "destroy", "reset", id="reset"),
        pytest.param("pause", ("stop",), "disrupt", "", id="pause"),
        pytest.param("resume", ("cont",), "adjust", "", id="resume"),
        pytest.param("shutdown", ("system_powerdown",), "disrupt", "", id="shutdown"),
        pytest.param("reboot", ("guest-shutdown",), "destroy", "", id="reboot, by the agent"),
        pytest.param("start", ("system_reset", "cont"), "destroy", "reset", id="start"),
        pytest.param("destroy", ("quit",), "destroy", "destroy", id="destroy"),
        pytest.param("preserve-on-panic", ("set-action",), "adjust", "", id="preserve-on-panic"),
    ],
)
def test_a_verb_is_what_it_sends(verb: str, sent: tuple[str, ...], effect: str, limit: str) -> None:
    """Found with its `guest:` and without."""
    found = entry(verb)
    assert entry(f"guest:{verb}") == entry(f"guest:  {verb}") == found
    assert (found.name, found.kind) == (f"guest: {verb}", "verb of a guest")
    assert (found.sends, found.effect, found.counts_as) == (sent, effect, limit)
    assert found.allow == ("always, as `quit`" if verb == "destroy" else "never")


def test_a_verb_with_the_name_of_a_command_needs_its_guest() -> None:
    """There is one."""
    assert entry("inject-nmi").kind == "command"
    assert entry("guest: inject-nmi").kind == "verb of a guest"


def test_a_raw_command_names_the_verb_that_takes_more_care() -> None:
    """That whose first command it is; nothing where there is none."""
    assert {name: better_than(name) for name in catalog.known_commands() if better_than(name)} == {
        "cont": "guest: resume",
        "dump-guest-memory": "guest: dump",
        "inject-nmi": "guest: inject-nmi",
        "quit": "guest: destroy",
        "set-action": "guest: preserve-on-panic",
        "stop": "guest: pause",
        "system_powerdown": "guest: shutdown",
        "system_reset": "guest: reset",
    }
    assert sent_by("guest: resume") == ("cont",)


def test_the_guard_is_asked_for_each_state() -> None:
    """Each state has one answer; a dump and a migration only where they change it."""
    assert {"running", "paused", "save-vm", "colo"} < set(run_states())
    for rule in Rule:
        told = states_of(rule)
        words = [*told.allowed, *told.waits, *told.nothing_to_do, *told.refused]
        assert set(run_states()) <= set(words)
        assert len(set(words)) == len(words)
    assert states_of(Rule.PAUSE) == States(
        allowed=("running",),
        waits=("restore-vm", "save-vm"),
        nothing_to_do=tuple(
            one for one in run_states() if one not in {"running", "restore-vm", "save-vm"}
        ),
    )
    assert "during a migration" in states_of(Rule.RESET).refused
    assert "during a dump" in states_of(Rule.DUMP).waits


def test_what_needs_permission_sometimes_does_not_always() -> None:
    """And what it needs is said."""
    for name, when in SOMETIMES.items():
        assert not catalog.needs_allow(name)
        assert entry(name).allow == when
    assert catalog.needs_allow("migrate", {"uri": "exec:cat"})
    assert entry("quit").allow == "always"


def test_a_glob_lists_names_with_their_meanings() -> None:
    """Of all kinds, and none where none fits."""
    assert list(fitting("*_PANICKED")) == ["GUEST_PANICKED"]
    assert list(fitting("guest: re*")) == ["guest: reset", "guest: resume", "guest: reboot"]
    assert fitting("*") == ALL
    assert fitting("no-such-*") == {}


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        pytest.param("GUEST_PANICED", "GUEST_PANICKED", id="an event"),
        pytest.param("query-stat", "query-stats", id="a command"),
        pytest.param("guest: rest", "guest: reset", id="a verb"),
        pytest.param("rset", "reset", id="a verb without its guest:"),
        pytest.param("guest-pin", "guest-ping", id="the agent's"),
        pytest.param("zzzzzz", None, id="nothing near"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_one_that_was_meant(
    word: str, meant: str | None
) -> None:
    """Of whatever kind."""
    assert entry_of(word) is None
    assert guess(word) == meant
