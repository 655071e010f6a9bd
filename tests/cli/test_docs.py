"""``reactor docs``: what is known of an event, a command or a verb."""

import json
from io import StringIO

import pytest

from reactor.app.catalogue.commands import SOMETIMES
from reactor.app.catalogue.entry import Entry, Missed
from reactor.app.catalogue.looking import entry_of, meanings
from reactor.cli.docs_shown import show_entry
from reactor.cli.exits import Exit
from reactor.cli.screen import Screen
from reactor.qapi.facts import Change, facts
from reactor.qapi.shipped import versions
from tests.cli.conftest import Call

EVERY = ", ".join(facts().versions)
LATER = f"QEMU {', '.join(versions()[1:])}"
SHIPPED = " and ".join(versions())

PAUSE = f"""\
stop: command
stops the guest's CPUs

since         QEMU 0.14; there in {EVERY}
effect        disrupt
allow list    not needed
reply lost    it is sent again: twice leaves the same as once
QEMU refuses  during a dump
events        STOP
better        `guest: pause`, which looks first and waits
note          guest paused; STOP event comes BEFORE the return (measured)

example
  policy: do-stop
  description: Send stop when somebody asks for it over MQTT.
  trigger: {{mqtt: request/+/stop, guest: '${{topic[3]}}'}}
  steps:
    - qmp: stop
      wait: {{event: STOP, timeout: 10s}}
"""

PRIMARY = f"""\
UNPLUG_PRIMARY: event (migration, info)
failover primary unplugged by the guest

since         QEMU 4.2; there in {EVERY}
rate limit    none
when missed   reactor does not make up for it
QEMU shows    nothing of it

data (hyphens are underscores in expressions: data.node_name)
  device-id  string

example
  policy: tell-unplug-primary
  description: Tell people about UNPLUG_PRIMARY.
  trigger: {{event: UNPLUG_PRIMARY}}
  steps:
    - publish: alert/info
      payload:
        guest: '${{guest.name}}'
        device_id: '${{data.device_id}}'
"""

RESUME = """\
guest: resume: verb of a guest
lets a guest that stands still run, and looks whether it does

effect        adjust
sends         cont
allow list    not needed
reactor       allowed: io-error, paused, prelaunch, suspended, watchdog
              waits: restore-vm, save-vm
              nothing to do: running
              refused: debug, inmigrate, internal-error, postmigrate, finish-migrate, shutdown, \
guest-panicked, colo

example
  policy: do-resume
  description: Verb resume of a guest, when somebody asks for it over MQTT.
  trigger: {mqtt: request/+/resume, guest: '${topic[3]}'}
  steps:
    - guest: resume
"""

QUORUM = """\
NAME               MEANING
QUORUM_FAILURE     quorum could not reach its vote threshold
QUORUM_REPORT_BAD  one quorum child disagreed or failed
"""

MADE_UP = "reactor makes up for it at the next connect: the guest stands in"
NEEDS = "migrate-set-capabilities: events=true (measured: without it only STOP is sent)"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        pytest.param(["stop"], PAUSE, id="a command"),
        pytest.param(["UNPLUG_PRIMARY"], PRIMARY, id="an event"),
        pytest.param(["guest: resume"], RESUME, id="a verb"),
        pytest.param(["guest:", "resume"], RESUME, id="a verb without quotes"),
        pytest.param(["resume"], RESUME, id="a verb without its guest:"),
        pytest.param(["unplug-primary"], PRIMARY, id="in other letters"),
        pytest.param(["quorum"], QUORUM, id="a part of names"),
        pytest.param(["Quorum_*"], QUORUM, id="a glob in other letters"),
    ],
)
def test_all_that_is_known_is_shown(reactor: Call, words: list[str], shown: str) -> None:
    """A line for each fact, the members, and a policy to copy."""
    assert reactor("docs", *words) == (Exit.OK, shown, "")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        pytest.param(
            "MEM_UNPLUG_ERROR",
            [
                "deprecated    since QEMU 6.2",
                "removed       in QEMU 9.1; use `DEVICE_UNPLUG_GUEST_ERROR`",
            ],
            id="removed",
        ),
        pytest.param(
            "job-pause", ["arguments", "  id  string"], id="arguments of the newer command"
        ),
        pytest.param(
            "block-job-pause",
            ["deprecated    since QEMU 10.1; use `job-pause`"],
            id="deprecated",
        ),
        pytest.param(
            "CPU_POLARIZATION_CHANGE",
            ["unstable      QEMU may change it at any time"],
            id="unstable",
        ),
        pytest.param(
            "VSERPORT_CHANGE",
            [f"rate limit    one in 1 s for each id, the last of them late; in QEMU {EVERY}"],
            id="rate limit",
        ),
        pytest.param(
            "WATCHDOG",
            [
                f"rate limit    one in 1 s, the last of them late; in QEMU {EVERY}",
                f"when missed   {MADE_UP} watchdog: only the action pause",
            ],
            id="rate limit without a key; made up for",
        ),
        pytest.param(
            "MIGRATION",
            [
                f"needs         {NEEDS}",
                "  from 10.2 to 11.1: status: new failing",
            ],
            id="what it needs; new values",
        ),
        pytest.param(
            "GUEST_PANICKED",
            [
                f"  info.type                   enum hyper-v|s390|tdx ({LATER})|sev ({LATER})",
                f"  info.<type=tdx>.gpa         int, optional, only in {LATER}",
                "  from 10.0 to 10.2: info.<type=tdx>.gpa: new, int, optional",
            ],
            id="values and members of newer versions",
        ),
        pytest.param(
            "quit",
            [
                "allow list    `qmp.allow` must name it",
                "reply lost    it is not sent again: the guest is asked what became of it",
                "limit         counts for `limits.destroy`",
            ],
            id="a command that needs permission",
        ),
        pytest.param(
            "migrate",
            [
                f"allow list    `qmp.allow` must name it {SOMETIMES['migrate']}",
            ],
            id="permission sometimes",
        ),
        pytest.param(
            "guest: destroy",
            ["allow list    `qmp.allow` must name it always, as `quit`"],
            id="permission of a verb",
        ),
        pytest.param("yank", ["out of band   possible in QEMU"], id="out of band"),
        pytest.param("guest-shutdown", ["reply         none when it succeeds"], id="no reply"),
        pytest.param("guest-get-users", ["reply", "  list of GuestUser"], id="the agent's reply"),
        pytest.param(
            "device_add",
            ["  and others, which are not in QEMU's schema"],
            id="arguments beyond the schema",
        ),
        pytest.param(
            "query-cpus",
            ["members", f"  not known: only the schemas of QEMU {SHIPPED} are shipped"],
            id="older than the schemas",
        ),
        pytest.param(
            "eject", ["  device  string, optional, deprecated"], id="a deprecated argument"
        ),
        pytest.param(
            "blockdev-add",
            ["  <driver=blkdebug>.image.<object>          object, as the whole"],
            id="a type that holds itself",
        ),
        pytest.param("query-kvm", ["reply", "  enabled  boolean"], id="a reply"),
    ],
)
def test_special_facts_have_their_words(reactor: Call, name: str, lines: list[str]) -> None:
    """Each on a line of its own."""
    code, out, err = reactor("docs", name)
    assert (code, err) == (Exit.OK, "")
    assert [line for line in lines if line not in out.splitlines()] == []


def test_every_entry_can_be_shown() -> None:
    """Its name first, its meaning below; an example stands last where there is one."""
    for name, meaning in meanings().items():
        entry, stream = entry_of(name), StringIO()
        assert entry is not None
        show_entry(entry, Screen(stream))
        shown = stream.getvalue().splitlines()
        assert shown[0].startswith(f"{name}: "), name
        assert shown[1] == meaning
        assert not entry.example or shown[-1] == f"  {entry.example.splitlines()[-1]}"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param("", "int", "new, int", id="new"),
        pytest.param("int", "", "gone", id="gone"),
        pytest.param("int", "string", "int -> string", id="another type"),
        pytest.param("enum a|b", "string", "enum a|b -> string", id="an enum no more"),
        pytest.param("enum a|b", "enum b|c|d, optional", "new c, new d, gone a", id="values"),
    ],
)
def test_a_change_is_told_from_one_known_version_to_the_next(
    before: str, after: str, said: str
) -> None:
    """Of an enum only what differs."""
    stream = StringIO()
    change = Change(("7.2", "10.0"), "x", before, after)
    entry = Entry(name="X", kind="event", meaning="m", changes=(change,))
    show_entry(entry, Screen(stream))
    assert stream.getvalue().endswith(f"changes\n  from 7.2 to 10.0: x: {said}\n")


@pytest.mark.parametrize(
    ("missed", "said"),
    [
        pytest.param(Missed(kept="none"), "reactor does not make up for it", id="nothing"),
        pytest.param(
            Missed(shown_by="it is gone", waits_only=True, kept="state"),
            "no policy starts; an open wait is decided: it is gone",
            id="only waits",
        ),
        pytest.param(
            Missed(shown_by="it is gone", kept="state"),
            "reactor makes up for it at the next connect: it is gone",
            id="policies too",
        ),
    ],
)
def test_what_becomes_of_a_missed_event_is_told(missed: Missed, said: str) -> None:
    """In the words of what does it."""
    stream = StringIO()
    show_entry(Entry(name="X", kind="event", meaning="m", missed=missed), Screen(stream))
    assert f"when missed   {said}\n" in stream.getvalue()


def test_programs_get_json(reactor: Call) -> None:
    """One document; what is empty is not in it."""
    _, out, _ = reactor("docs", "stop", "-o", "json")
    told = json.loads(out)
    assert told["name"] == "stop"
    assert told["effect"] == "disrupt"
    assert told["example"].startswith("policy: do-stop\n")
    assert "rate_limit" not in told
    _, out, _ = reactor("docs", "QUORUM_*", "-o", "json")
    assert [one["name"] for one in json.loads(out)] == ["QUORUM_FAILURE", "QUORUM_REPORT_BAD"]


def test_a_glob_lists_what_there_is(reactor: Call) -> None:
    """Without a name everything."""
    assert reactor("docs", "QUORUM_*") == (
        Exit.OK,
        QUORUM,
        "",
    )
    code, out, _ = reactor("docs")
    assert code == Exit.OK
    assert [line.split("  ")[0] for line in out.splitlines()[1:]] == list(meanings())


@pytest.mark.parametrize(
    ("word", "fix"),
    [
        pytest.param("GUEST_PANICED", "did you mean `GUEST_PANICKED`?", id="misspelt"),
        pytest.param("XX_*", "`reactor docs` lists what is known", id="a glob that nothing fits"),
    ],
)
def test_a_name_that_nobody_knows_is_no_empty_answer(reactor: Call, word: str, fix: str) -> None:
    """It says which was meant."""
    said = f"reactor docs: nobody knows `{word}`\n  fix: {fix}\n"
    assert reactor("docs", word) == (Exit.REFUSED, "", said)
