"""`test:` documents: read, checked in one pass, and built."""

from typing import get_args

import pytest

from reactor.core.marks import MarkKind
from reactor.errors import Severity
from reactor.policyfile import policy_tests as made
from reactor.policyfile.check import load_text
from reactor.policyfile.policy_tests import Answering, Follow, PolicyTest
from reactor.policyfile.schema_expect import EXPECTATIONS, AnyEffect
from reactor.policyfile.schema_timeline import ENTRIES, AnyEntry

POLICY = "policy: p\ndescription: d\ntrigger: {event: STOP}\nsteps: [{log: x}]\n---\n"
HEAD = "test: t\npolicies: p\nguests: {g: {}}\n"


def test_of(text: str) -> PolicyTest:
    """The one test of a text in which nothing is wrong."""
    found = load_text(POLICY + text, "t.yaml")
    assert [str(problem) for problem in (*found.problems, *found.test_problems)] == []
    (one,) = found.tests
    return one


test_of.__test__ = False  # type: ignore[attr-defined]


def told(text: str) -> list[str]:
    """What is said of a test, without the place of the file."""
    found = load_text(POLICY + text, "t")
    assert found.problems == ()
    return [str(problem).replace("\n  fix:", " |") for problem in found.test_problems]


# ---------------------------------------------------------------- what is built


def test_defaults() -> None:
    """What is left out is as an author expects."""
    one = test_of(HEAD + "only: true\n")
    assert one == PolicyTest(
        name="t",
        policies=("p",),
        guests=(made.GuestSetup("g"),),
        timeline=(),
        expect=(),
        place=one.place,
        start=1767225600.0,
        only=True,
    )
    assert (one.place.file, one.place.line) == ("t.yaml", 6)


def test_everything_of_guests_and_host() -> None:
    """Each key has its place."""
    one = test_of(
        "test: t\npolicies: [p]\nstart: 2026-06-01T12:00:00+02:00\nlasts: 2h\n"
        "host: {name: h, labels: {r: a}, free: {/var: 1GiB}}\n"
        "guests:\n"
        "  g: {labels: {a: b}, status: paused, kind: vm, version: '11.1', memory: 1GiB, uuid: u,\n"
        "      agent: false, connected: false, no_shutdown: true, no_reboot: true,\n"
        "      ports: {p1: true}, simulate: {stop: {silent: true}}}\n"
        "simulate: {http: {returns: {status: 500}}}\n"
        "only: true\n"
    )
    assert one.guests == (
        made.GuestSetup(
            name="g",
            labels={"a": "b"},
            status="paused",
            version="11.1",
            memory=1 << 30,
            uuid="u",
            agent=False,
            connected=False,
            stays=True,
            reboots=False,
            ports={"p1": True},
            simulate={"stop": (Answering(silent=True),)},
        ),
    )
    assert one.host == made.HostSetup("h", {"r": "a"}, {"/var": 1 << 30})
    assert one.simulate == {"http": (Answering(returns={"status": 500}),)}
    assert (one.start, one.lasts) == (1780308000.0, 7200.0)


def test_answers() -> None:
    """One answer, or a list that is used up in order."""
    one = test_of(
        HEAD
        + "only: true\nsimulate:\n"
        + "  dump-guest-memory: [{breaks: full, takes: 2s, times: 1}, {fails: no}]\n"
        + "  device_del: {refuses: true}\n"
        + "  guest-shutdown: {obeys: false}\n"
        + "  inject-nmi: {then: {after: 1s, event: GUEST_PANICKED, data: {action: pause}}}\n"
        + "  /bin/x: {returns: {code: 1}}\n"
        + "  https://p/*: {then: [{event: STOP}]}\n"
        + "  exec: {}\n"
    )
    assert one.simulate == {
        "dump-guest-memory": (
            Answering(breaks="full", takes=2.0, times=1),
            Answering(fails="no"),
        ),
        "device_del": (Answering(refuses=True),),
        "guest-shutdown": (Answering(obeys=False),),
        "inject-nmi": (Answering(then=(Follow(1.0, "GUEST_PANICKED", {"action": "pause"}),)),),
        "/bin/x": (Answering(returns={"code": 1}),),
        "https://p/*": (Answering(then=(Follow(0.0, "STOP"),)),),
        "exec": (Answering(),),
    }


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        pytest.param(
            "event: BLOCK_IO_ERROR, data: {node-name: x}",
            made.EventHappens("g", "BLOCK_IO_ERROR", {"node-name": "x"}),
            id="event",
        ),
        pytest.param(
            "mqtt: a/b, payload: {x: 1}, topic: absolute, retain: true, age: 1m,"
            " properties: {k: v}",
            made.MessageComes(
                "a/b", {"x": 1}, absolute=True, retain=True, age=60.0, properties={"k": "v"}
            ),
            id="message",
        ),
        pytest.param("mqtt: a/b", made.MessageComes("a/b"), id="empty message"),
        pytest.param("disconnect: g", made.MonitorGoes("g"), id="disconnect"),
        pytest.param("crash: g", made.MonitorGoes("g", crashes=True), id="crash"),
        pytest.param("connect: g", made.MonitorComes("g"), id="connect"),
        pytest.param(
            "approve: p, guest: g, comment: c", made.AnswerRun("approve", "p", "g", "c"), id="yes"
        ),
        pytest.param("deny: p", made.AnswerRun("deny", "p", "g"), id="no"),
        pytest.param("cancel: p", made.AnswerRun("cancel", "p", "g"), id="cancel"),
        pytest.param("trigger: p, data: {a: 1}", made.TriggerRun("p", "g", {"a": 1}), id="trigger"),
        pytest.param(
            "silence: [a, b-*], for: 1h",
            made.SilencePolicies(("a", "b-*"), ("*",), 3600.0),
            id="silence",
        ),
        pytest.param(
            "silence: a, guests: g, for: 1m",
            made.SilencePolicies(("a",), ("g",), 60.0),
            id="of one",
        ),
        pytest.param("hold: '*'", made.HoldGuest(""), id="hold all"),
        pytest.param("hold: g, for: 1m", made.HoldGuest("g", 60.0), id="hold one"),
        pytest.param("release: '*'", made.ReleaseGuest(""), id="release all"),
        pytest.param("release: g", made.ReleaseGuest("g"), id="release one"),
        pytest.param(
            "mark: {disk: d, as: bad, reason: r, expires: 1h}",
            made.PutMark("g", MarkKind.DISK, "d", "bad", "r", 3600.0),
            id="mark",
        ),
        pytest.param(
            "mark: {guest: self, as: odd}",
            made.PutMark("g", MarkKind.GUEST, "self", "odd"),
            id="odd",
        ),
        pytest.param("clear: {port: x}", made.TakeMark("g", MarkKind.PORT, "x"), id="clear all"),
        pytest.param(
            "clear: {port: x, as: w}", made.TakeMark("g", MarkKind.PORT, "x", "w"), id="clear one"
        ),
        pytest.param(
            "set: {status: io-error, labels: {a: b}, simulate: {stop: {fails: no}}}",
            made.ChangeGuest("g", "io-error", {"a": "b"}, {"stop": (Answering(fails="no"),)}),
            id="set",
        ),
        pytest.param("set: {free: {/x: 5B}}", made.ChangeHost({"/x": 5}), id="set on the host"),
        pytest.param("restart: 30s", made.Restart(30.0), id="restart"),
    ],
)
def test_entries(entry: str, what: made.Happening) -> None:
    """Each kind of entry, with its time and place; the only guest need not be named."""
    one = test_of(HEAD + f"only: true\ntimeline:\n  - {{at: 90s, {entry}}}\n")
    (found,) = one.timeline
    assert (found.at, found.what) == (90.0, what)
    assert (found.place.line, found.place.column) == (11, 5)


@pytest.mark.parametrize(
    ("written", "verb", "members"),
    [
        pytest.param(
            "{guest: dump, to: x, format: elf}",
            "guest",
            {"guest": "dump", "to": "x", "format": "elf"},
            id="guest",
        ),
        pytest.param("{qmp: stop, args: {}}", "qmp", {"qmp": "stop", "args": {}}, id="qmp"),
        pytest.param("{agent: guest-ping}", "agent", {"agent": "guest-ping"}, id="agent"),
        pytest.param(
            "{publish: a, payload: {b: [1]}, qos: 0, retain: true, properties: {k: v}}",
            "publish",
            {
                "publish": "a",
                "payload": {"b": [1]},
                "qos": 0,
                "retain": True,
                "properties": {"k": "v"},
            },
            id="publish",
        ),
        pytest.param(
            "{mark: {disk: d, as: w}}", "mark", {"mark": {"disk": "d", "as": "w"}}, id="mark"
        ),
        pytest.param("{clear: {host: self}}", "clear", {"clear": {"host": "self"}}, id="clear"),
        pytest.param("{log: l}", "log", {"log": "l"}, id="log"),
        pytest.param(
            "{http: {url: u, json: {a: 1}}}",
            "http",
            {"http": {"url": "u", "json": {"a": 1}}},
            id="http",
        ),
        pytest.param("{exec: [/x, y]}", "exec", {"exec": ["/x", "y"]}, id="exec"),
        pytest.param(
            "{inhibit: {policies: a, for: 90m}}",
            "inhibit",
            {"inhibit": {"policies": ("a",), "for": 5400.0}},
            id="inhibit, in seconds",
        ),
        pytest.param("{inhibit: {}}", "inhibit", {"inhibit": {}}, id="any inhibition"),
        pytest.param(
            "{run: p, outcome: failed, error: e, failed_step: s}",
            "run",
            {"run": "p", "outcome": "failed", "error": "e", "failed_step": "s"},
            id="run",
        ),
    ],
)
def test_expectations(written: str, verb: str, members: dict[str, object]) -> None:
    """What is given of each verb, as it is written; turned round by `not`."""
    when = "target: g, times: 2, at: 1m, after: 30s, before: 2m"
    one = test_of(HEAD + f"expect:\n  - {written[:-1]}, {when}}}\n  - not: {written}\n")
    first, second = one.expect
    assert first == made.Expectation(
        verb, members, first.place, "g", times=2, at=60.0, after=30.0, before=120.0
    )
    assert second == made.Expectation(verb, members, second.place, negated=True)
    assert (second.place.line, second.place.column) == (11, 10)


def test_every_entry_and_expectation_has_a_model() -> None:
    """The tables by which they are told apart are whole."""
    for table, union in ((ENTRIES, AnyEntry), (EXPECTATIONS, AnyEffect)):
        parts = get_args(get_args(union)[0])
        assert {get_args(part)[0] for part in parts} == set(table.values())


# ---------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            HEAD,
            [
                (
                    "t:6:1: R005 the test expects nothing: it would pass whatever happens | "
                    "add `expect:`, or `only: true` if nothing may be done"
                ),
            ],
            id="nothing is expected",
        ),
        pytest.param(
            HEAD + "expect: []\nonly: false\n",
            [
                (
                    "t:6:1: R005 the test expects nothing: it would pass whatever happens | "
                    "add `expect:`, or `only: true` if nothing may be done"
                ),
            ],
            id="an empty list of expectations",
        ),
        pytest.param(
            "test: t\npolicies: p\nguests: {}\nonly: true\n",
            [
                "t:8:9: R005 there is no guest | add one, such as `web-1: {}`",
            ],
            id="no guest",
        ),
        pytest.param(
            "test: t\npolicies: q\nguests: {g: {}}\nonly: true\n",
            [
                "t:7:11: R005 there is no policy `q` here | name its file or folder, too",
            ],
            id="a policy that is not there",
        ),
        pytest.param(
            "test: t\npolicies: [p, pp]\nguests: {g: {}}\nonly: true\n",
            [
                "t:7:15: R005 there is no policy `pp` here | did you mean `p`?",
            ],
            id="a policy that is misspelt",
        ),
        pytest.param(
            "test: t\npolicy: p\nguests: {g: {}}\nonly: true\n",
            [
                "t:7:1: R003 `policy` is no key here | write `policies`, a list of names",
            ],
            id="a policy's key",
        ),
        pytest.param(
            "test: t\npolicies: p\nguests: {'a b': {}, '*': {}}\nonly: true\n",
            [
                (
                    "t:8:10: R005 `a b` is no guest name | write its name without spaces, "
                    "slashes and wildcards"
                ),
                (
                    "t:8:21: R005 `*` is no guest name | write its name without spaces, "
                    "slashes and wildcards"
                ),
            ],
            id="names of guests",
        ),
        pytest.param(
            (
                "test: t\npolicies: p\nguests: {g: {status: runing, memory: 1, version: 7, x: "
                "1}}\nonly: true\n"
            ),
            [
                "t:8:22: R005 `runing` is not known here | did you mean `running`?",
                "t:8:38: R005 '1' has no unit | write 1B, 1MiB or 1GiB",
                (
                    "t:8:50: R005 a string is expected here, not the number 7 | put it in "
                    "single quotes"
                ),
                (
                    "t:8:53: R003 `x` is no key here | write one of: labels, status, kind, "
                    "version, memory, uuid, agent, connected, no_shutdown, no_reboot, ports, "
                    "simulate"
                ),
            ],
            id="what guests are made of",
        ),
        pytest.param(
            HEAD + "start: tomorrow\nonly: true\n",
            [
                (
                    "t:9:8: R005 `tomorrow` is no time with its zone | write it as "
                    "2026-01-01T00:00:00Z"
                ),
            ],
            id="no time",
        ),
        pytest.param(
            HEAD + "start: 2026-01-01T00:00:00\nonly: true\n",
            [
                (
                    "t:9:8: R005 `2026-01-01T00:00:00` is no time with its zone | write it "
                    "as 2026-01-01T00:00:00Z"
                ),
            ],
            id="a time without its zone",
        ),
        pytest.param(
            HEAD + "only: true\nsimulate: {dump-guest-memori: {}, stop: {breaks: x}, zzz: {}}\n",
            [
                (
                    "t:10:31: R005 `dump-guest-memori` is nothing that could be answered | "
                    "did you mean `dump-guest-memory`?"
                ),
                (
                    "t:10:41: R005 `breaks` says nothing of stop | it is about "
                    "dump-guest-memory, migrate, block-commit, block-stream, "
                    "blockdev-backup, blockdev-mirror, drive-backup, drive-mirror, job-complete"
                ),
                (
                    "t:10:59: R005 `zzz` is nothing that could be answered | name a command "
                    "of QMP or of the guest agent, a program's path, a URL, http or exec"
                ),
            ],
            id="answers to what nobody asks",
        ),
        pytest.param(
            HEAD
            + (
                "only: true\nsimulate: {stop: [1, {fails: a, silent: true}, {breaks: a, "
                "returns: b}]}\n"
            ),
            [
                (
                    "t:10:18: R005 `breaks` says nothing of stop | it is about "
                    "dump-guest-memory, migrate, block-commit, block-stream, "
                    "blockdev-backup, blockdev-mirror, drive-backup, drive-mirror, job-complete"
                ),
                (
                    "t:10:19: R005 a mapping is expected here, not the number 1 | write it "
                    "as `key: value`"
                ),
                "t:10:22: R005 `fails` and `silent` cannot be one answer | keep one of them",
            ],
            id="answers that contradict themselves",
        ),
        pytest.param(
            HEAD + "only: true\nsimulate: stop\n",
            [
                (
                    "t:10:11: R005 a mapping is expected here, not the string 'stop' | write "
                    "it as `key: value`"
                ),
            ],
            id="answers that are none",
        ),
    ],
)
def test_problems_of_the_whole(text: str, said: list[str]) -> None:
    """Place, problem and fix; several in one pass."""
    assert told(text) == said


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        pytest.param(
            "{at: 1, event: STOP}",
            "t:11:10: R005 '1' has no unit | write 1s, 1m or 1h",
            id="at",
        ),
        pytest.param(
            "{event: STOP}",
            "t:11:5: R006 the key `at` is missing | add `at:`",
            id="no time",
        ),
        pytest.param(
            "STOP",
            (
                "t:11:5: R005 an entry of the timeline is a mapping | write it as `{at: 5m, "
                "event: NAME, guest: NAME}`"
            ),
            id="no mapping",
        ),
        pytest.param(
            "{at: 1s, evnt: STOP}",
            "t:11:14: R003 `evnt` is no key here | did you mean `event`?",
            id="misspelt",
        ),
        pytest.param(
            "{at: 1s, event: STOP, crash: g}",
            (
                "t:11:5: R005 an entry has exactly one of `event`, `mqtt`, `disconnect`, "
                "`connect`, `crash`, `approve`, `deny`, `cancel`, `trigger`, `silence`, "
                "`hold`, `release`, `mark`, `clear`, `set` and `restart`, this one has "
                "`event` and `crash` | make them two entries"
            ),
            id="two in one",
        ),
        pytest.param(
            "{at: 1s, event: 'BLOCK_*'}",
            "t:11:21: R005 an event that happens has one name | write it out",
            id="a glob",
        ),
        pytest.param(
            "{at: 1s, event: REACTOR_GUEST_LOST}",
            (
                "t:11:21: R005 `REACTOR_GUEST_LOST` is reactor's own: it follows from what "
                "happens | let that happen, such as `disconnect`"
            ),
            id="an event of reactor's own",
        ),
        pytest.param(
            "{at: 1s, event: STPO}",
            "t:11:21: R012 no QEMU from 5.2 to 11.1 sends `STPO` | did you mean `STOP`?",
            id="an event that nobody sends",
        ),
        pytest.param(
            "{at: 1s, event: GUEST_PANICKED, data: {action: pauze}}",
            "t:11:52: R013 QEMU never sends this: `data.action` cannot be `pauze` | did you mean "
            "`pause`?",
            id="a word that nobody sends",
        ),
        pytest.param(
            "{at: 1s, event: BLOCK_IO_ERROR, data: {node_name: d}}",
            "t:11:44: R013 QEMU never sends this: `data` has no member `node_name` | did you mean "
            "`node-name`?",
            id="a member that nobody sends",
        ),
        pytest.param(
            "{at: 1s, event: DUMP_COMPLETED, data: {result: {total: [1]}}}",
            "t:11:60: R013 QEMU never sends this: `data.result.total` is a whole number, and this "
            "is a list | write a whole number",
            id="another kind of value, deep inside",
        ),
        pytest.param(
            "{at: 1s, event: STOP, guest: gg}",
            ("t:11:34: R005 the guest `gg` is none of this test's `guests` | did you mean `g`?"),
            id="a guest that is not there",
        ),
        pytest.param(
            "{at: 1s, hold: other}",
            (
                "t:11:20: R005 the guest `other` is none of this test's `guests` | add it to "
                "`guests`"
            ),
            id="a guest to hold",
        ),
        pytest.param(
            "{at: 1s, disconnect: '*'}",
            (
                "t:11:26: R005 `*` is no guest name | write its name without spaces, slashes and "
                "wildcards"
            ),
            id="all guests, where one is meant",
        ),
        pytest.param(
            "{at: 1s, approve: q}",
            (
                "t:11:23: R005 the policy `q` is none of this test's `policies` | add it to "
                "`policies`"
            ),
            id="a policy that is not loaded",
        ),
        pytest.param(
            "{at: 1s, set: {}}",
            ("t:11:19: R005 nothing is changed | write one of: status, labels, free, simulate"),
            id="nothing is set",
        ),
        pytest.param(
            "{at: 1s, set: {simulate: {stpo: {}}}}",
            "t:11:37: R005 `stpo` is nothing that could be answered | did you mean `stop`?",
            id="an answer that is set",
        ),
    ],
)
def test_problems_of_entries(entry: str, said: str) -> None:
    """One for each; the test is not built, unless it is a warning."""
    text = HEAD + f"only: true\ntimeline:\n  - {entry}\n"
    assert told(text) == [said]
    found = load_text(POLICY + text, "t")
    is_warning = found.test_problems[0].severity is Severity.WARNING
    assert bool(found.tests) is is_warning


@pytest.mark.parametrize(
    ("event", "data"),
    [
        pytest.param("GUEST_PANICKED", "{}", id="members are left out"),
        pytest.param("GUEST_PANICKED", "{action: pause}", id="as it is sent"),
        pytest.param("GUEST_PANICKED", "{info: {type: tdx}}", id="as only a newer QEMU sends it"),
        pytest.param("MIGRATION", "{status: failing}", id="a word that only a newer QEMU has"),
        pytest.param("__com.vendor_X", "{a: b}", id="an event of a vendor"),
    ],
)
def test_data_that_may_come(event: str, data: str) -> None:
    """Nothing is said where one of the versions may send it so, or nobody knows."""
    assert told(HEAD + f"only: true\ntimeline: [{{at: 1s, event: {event}, data: {data}}}]\n") == []


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        pytest.param(
            "{at: 1s, event: BLOCK_IO_ERROR, data: {device: &b 1}}", "R004", id="a broken value"
        ),
        pytest.param("{at: 1s, event: STOP, data: [{a: b}]}", "R005", id="no map"),
        pytest.param("{at: 1s, event: {a: b}, data: {a: b}}", "R005", id="no name"),
        pytest.param("{at: 1s, event: STPO, data: {a: b}}", "R012", id="nobody's event"),
    ],
)
def test_data_that_is_told_already(entry: str, code: str) -> None:
    """What is wrong otherwise is told once."""
    found = load_text(POLICY + HEAD + f"only: true\ntimeline:\n  - {entry}\n", "t")
    assert [one.code for one in (*found.problems, *found.test_problems)] == [code]


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        pytest.param(
            "x",
            "t:10:5: R005 an expectation is a mapping | write it as `- VERB: value`",
            id="no mapping",
        ),
        pytest.param(
            "{gest: reset}",
            "t:10:6: R003 `gest` is no key here | did you mean `guest`?",
            id="misspelt",
        ),
        pytest.param(
            "{guest: resat}",
            "t:10:13: R005 `resat` is not known here | did you mean `reset`?",
            id="an action that is not there",
        ),
        pytest.param(
            "{wait: x}",
            (
                "t:10:6: R005 `wait` has no effect outside of its run | expect what follows "
                "from it, or `run: POLICY` with its `outcome`"
            ),
            id="a verb without effect",
        ),
        pytest.param(
            "{not: {log: x}, at: 1m}",
            (
                "t:10:5: R005 `not` stands alone, around an expectation | write what stands "
                "beside it inside: `not: {VERB: ..., at: ...}`"
            ),
            id="beside not",
        ),
        pytest.param(
            "{not: {target: g}}",
            (
                "t:10:11: R005 an expectation has exactly one of `guest`, `qmp`, `agent`, "
                "`publish`, `mark`, `clear`, `log`, `http`, `exec`, `inhibit` and `run`, "
                "this one has none of them | write one of them"
            ),
            id="no verb",
        ),
        pytest.param(
            "{log: x, count: 2}",
            "t:10:14: R003 `count` is no key here | write `times`",
            id="count",
        ),
        pytest.param(
            "{log: x, target: h}",
            ("t:10:22: R005 the guest `h` is none of this test's `guests` | add it to `guests`"),
            id="a target that is not there",
        ),
        pytest.param(
            "{not: {run: other}}",
            (
                "t:10:17: R005 the policy `other` is none of this test's `policies` | add it "
                "to `policies`"
            ),
            id="a policy that is not loaded",
        ),
        pytest.param(
            "{log: x, at: soon}",
            ("t:10:18: R005 'soon' is not a duration | write 500ms, 30s, 10m, 2h, 1d or 1h30m"),
            id="no duration",
        ),
    ],
)
def test_problems_of_expectations(expected: str, said: str) -> None:
    """What cannot be expected is told."""
    assert told(HEAD + f"expect:\n  - {expected}\n") == [said]


@pytest.mark.parametrize(
    ("entry", "is_told"),
    [
        pytest.param("{at: 1s, event: STOP}", True, id="event"),
        pytest.param("{at: 1s, approve: p}", True, id="approve"),
        pytest.param("{at: 1s, mark: {guest: self, as: x}}", True, id="mark"),
        pytest.param("{at: 1s, set: {status: paused}}", True, id="set"),
        pytest.param("{at: 1s, set: {free: {/x: 1B}}}", False, id="set on the host"),
        pytest.param("{at: 1s, event: STOP, guest: b}", False, id="it is named"),
        pytest.param("{at: 1s, mqtt: x}", False, id="a message"),
        pytest.param("{at: 1s, restart: 1s}", False, id="a restart"),
    ],
)
def test_a_guest_must_be_named_where_there_are_several(entry: str, is_told: bool) -> None:
    """Where the entry is about one."""
    text = f"test: t\npolicies: p\nguests: {{a: {{}}, b: {{}}}}\nonly: true\ntimeline: [{entry}]\n"
    problem = (
        "R005 the test has several guests, and none is named here | add `guest:` with one of: a, b"
    )
    assert told(text) == ([f"t:10:12: {problem}"] if is_told else [])


def test_problems_of_tests_hold_no_policy_back() -> None:
    """Policies are sound without them: a daemon must not stop for a misspelt test."""
    found = load_text(POLICY + HEAD + "expect: [{lgo: x}]\n", "t")
    assert found.is_sound
    assert [policy.name for policy in found.policies] == ["p"]
    assert found.tests == ()
    assert len(found.test_problems) == 1


def test_a_test_of_a_policy_with_problems_is_built() -> None:
    """Its name is known; what is wrong with it is said where it stands."""
    found = load_text("policy: p\n---\n" + HEAD + "only: true\n", "t")
    assert found.test_problems == ()
    assert [one.name for one in found.tests] == ["t"]


def test_two_tests_of_one_name() -> None:
    """The second is told of."""
    one = HEAD + "only: true\n"
    assert told(f"{one}---\n{one}") == [
        "t:11:7: R009 the test `t` stands twice, first in t:6:7 | rename one of them"
    ]


def test_a_test_that_the_reader_refused_is_not_built() -> None:
    """An anchor is a problem of the file, and the test is left out."""
    found = load_text(POLICY + HEAD + "only: &x true\n", "t")
    assert (found.tests, len(found.problems)) == ((), 1)
