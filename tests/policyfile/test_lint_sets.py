"""Policies that want opposite things, and policies that start each other."""

import pytest

from reactor.core.policy import Selector
from reactor.errors import Code
from reactor.policyfile.check import load_text
from reactor.policyfile.lints.selectors import covers
from tests.policyfile.linting import found

BASE = (
    "description: d\ntimeout: 1h\nlimits: [9 per 1h per guest]\narm: [{guest: preserve-on-panic}]\n"
)
PANIC = "trigger: {event: GUEST_PANICKED}\n"
PAUSED = "trigger: {event: GUEST_PANICKED, where: data.action == 'pause'}\n"
RESET, DUMP, PAUSE = (f"steps: [{{guest: {verb}}}]\n" for verb in ("reset", "dump", "pause"))


def pair(one: str, other: str) -> str:
    """Two policies, `a` and `b`."""
    return f"policy: a\n{BASE}{one}---\npolicy: b\n{BASE}{other}"


def told(text: str, code: str) -> list[str]:
    """The paths of the findings of one code."""
    return [problem.path for problem in found(text) if problem.code.value == code]


@pytest.mark.parametrize(
    ("one", "other", "is_told"),
    [
        pytest.param(PANIC + RESET, PANIC + DUMP, True, id="a reset and a dump"),
        pytest.param(PANIC + DUMP, PANIC + RESET, True, id="a dump and a reset"),
        pytest.param(
            PANIC + PAUSE, PANIC + "steps: [{qmp: system_reset}, {qmp: cont}]\n", True, id="raw"
        ),
        pytest.param(PANIC + "steps: [{qmp: stop}]\n", PANIC + RESET, True, id="a raw stop"),
        pytest.param(PANIC + "steps: [{run: preserve}]\n", PANIC + RESET, True, id="preserved"),
        pytest.param(
            PANIC + "steps: [{guest: dump}, {guest: reset}]\n",
            PANIC + DUMP,
            True,
            id="its dump is late",
        ),
        pytest.param(
            PANIC + "steps: [{guest: dump}, {guest: reset}]\n",
            PANIC + RESET,
            True,
            id="no dump at all",
        ),
        pytest.param(
            PANIC + "steps: [{guest: dump}, {guest: reset}]\n",
            PANIC + "steps: [{guest: dump}, {guest: reset}]\n",
            False,
            id="both dump first",
        ),
        pytest.param(PANIC + RESET, PANIC + RESET, False, id="the same"),
        pytest.param(PANIC + DUMP, PANIC + PAUSE, False, id="both keep it"),
        pytest.param(PANIC + RESET, PANIC + "steps: [{log: x}]\n", False, id="it only tells"),
        pytest.param(
            PANIC + RESET, "trigger: {event: WATCHDOG}\n" + DUMP, False, id="other events"
        ),
        pytest.param(
            PANIC + RESET,
            "trigger: {event: [WATCHDOG, GUEST_PANICKED]}\n" + DUMP,
            True,
            id="a list",
        ),
        pytest.param(PANIC + RESET, "trigger: {every: 1d}\n" + DUMP, False, id="by the clock"),
        pytest.param(
            PANIC + RESET,
            "trigger: {event: GUEST_PANICKED, count: 2, within: 1h}\n" + DUMP,
            False,
            id="only at the second",
        ),
        pytest.param(
            PANIC + RESET,
            "trigger: {event: GUEST_PANICKED, followed_by: {event: STOP, within: 1m}}\n" + DUMP,
            False,
            id="only if another follows",
        ),
        # guests
        pytest.param(
            "guests: {name: web-1}\n" + PANIC + RESET, PANIC + DUMP, True, id="one of all"
        ),
        pytest.param(
            PANIC + RESET, "guests: {name: web-1}\n" + PANIC + DUMP, True, id="all and one"
        ),
        pytest.param(
            "guests: {name: web-1}\n" + PANIC + RESET,
            "guests: {name: web-2}\n" + PANIC + DUMP,
            False,
            id="other guests",
        ),
        pytest.param(
            "guests: {labels: {a: x}}\n" + PANIC + RESET,
            "guests: {labels: {b: y}}\n" + PANIC + DUMP,
            False,
            id="perhaps other guests",
        ),
        pytest.param(
            "guests: {except: {labels: {a: x}}}\n" + PANIC + RESET,
            "guests: {labels: {a: x}}\n" + PANIC + DUMP,
            False,
            id="those are left out",
        ),
        # conditions
        pytest.param(PAUSED + RESET, PANIC + DUMP, True, id="a more special one"),
        pytest.param(
            PAUSED + RESET, PAUSED.replace("pause", "run") + DUMP, False, id="other actions"
        ),
        pytest.param(
            PANIC + RESET + "if: guest.status == 'paused'\n",
            PANIC + DUMP + "if: guest.memory > 5\n",
            False,
            id="other conditions",
        ),
        pytest.param(
            PANIC + "steps: [{check: guest.migrating}, {guest: reset}]\n",
            PANIC + "steps: [{check: '!guest.migrating'}, {guest: dump}]\n",
            False,
            id="other checks",
        ),
        pytest.param(
            PANIC + "steps: [{if: guest.migrating, guest: reset}]\n",
            PANIC + DUMP,
            False,
            id="not sure",
        ),
        pytest.param(
            PAUSED.replace("pause'", "pause' && data.action == 'run'") + RESET,
            PANIC + DUMP,
            False,
            id="it never runs",
        ),
        pytest.param(
            PANIC + RESET,
            PAUSED.replace("pause'", "pause' && data.action == 'run'") + DUMP,
            False,
            id="the other never does",
        ),
        # what keeps them apart
        *(
            pytest.param(PANIC + RESET + key, PANIC + DUMP, False, id=key.split(":")[0])
            for key in (
                "approval: {ask: x}\n",
                "inhibit_if: guest.migrating\n",
                "enforcement: audit\n",
            )
        ),
        pytest.param(
            PANIC + RESET,
            PANIC + "steps: [{inhibit: {policies: [a], for: 1h}}, {guest: dump}]\n",
            False,
            id="inhibited",
        ),
        pytest.param(
            PANIC + "steps: [{inhibit: {policies: ['*'], for: 1h}}, {guest: reset}]\n",
            PANIC + DUMP,
            False,
            id="inhibited by a glob",
        ),
        pytest.param(
            PANIC + "steps: [{inhibit: {policies: [c], for: 1h}}, {guest: reset}]\n",
            PANIC + DUMP,
            True,
            id="another is inhibited",
        ),
    ],
)
def test_policies_that_want_opposite_things(one: str, other: str, *, is_told: bool) -> None:
    """Told where one does what the other is there to prevent, and both certainly run."""
    assert bool(told(pair(one, other), "R070")) is is_told


def test_who_is_told_of_the_other() -> None:
    """The later one, with the name of the first, once for all their events."""
    both = "trigger: {event: [GUEST_PANICKED, WATCHDOG]}\n"
    (problem,) = [one for one in found(pair(both + RESET, both + DUMP)) if one.code.value == "R070"]
    assert str(problem) == (
        "f:15:9: R070 at the same GUEST_PANICKED this dumps the guest's memory, and the policy"
        " `a` resets the guest: which comes first is open\n"
        "  fix: make them one policy, or select other guests, by a label for example"
    )
    assert problem.path == "steps/0"


HEAD = "description: d\ntimeout: 1h\n"


def ring(*policies: str) -> str:
    """Policies `a`, `b`, and so on."""
    return "---\n".join(f"policy: {chr(97 + i)}\n{HEAD}{one}" for i, one in enumerate(policies))


SET = "trigger:\n  event: REACTOR_MARK_SET\n  where: data['as'] == 'x'\n"
CLEARED = "trigger: {event: REACTOR_MARK_CLEARED, where: data.kind == 'guest'}\n"
MARKS = "steps: [{mark: {guest: self, as: x, reason: r}}]\n"
CLEARS = "steps: [{clear: {guest: self, as: x}}]\n"
PING, PONG = (f"trigger: {{mqtt: {topic}, guest: web-1}}\n" for topic in ("ping", "pong"))
SAYS_PING, SAYS_PONG = (f"steps: [{{publish: {topic}}}]\n" for topic in ("ping", "pong"))
FAILED = "trigger: {event: REACTOR_RUN_FAILED}\n"
CALLS = "steps: [{http: {method: POST, url: 'http://x/'}}]\n"
RUNS = "trigger: {state: guest.status == 'running', for: 1m}\n"
STANDS = 'trigger: {state: \'guest.status in ["paused", "prelaunch"]\'}\n'
OWN_RESET = "trigger: {event: RESET, own: true}\n"
OWN_STOP = "trigger: {event: STOP, own: true}\n"
OWN_RESUME = "trigger: {event: RESUME, own: true}\n"
RESUME = "steps: [{guest: resume}]\n"


@pytest.mark.parametrize(
    ("policies", "is_told"),
    [
        # marks
        pytest.param([SET + CLEARS, CLEARED + MARKS], True, id="set and cleared"),
        pytest.param(
            [SET + CLEARS.replace(", as: x", ""), CLEARED + MARKS], True, id="all of it cleared"
        ),
        pytest.param([SET + MARKS], False, id="the same mark again is no event"),
        pytest.param(
            [SET + MARKS.replace("x", "y"), SET.replace("'x'", "'y'") + MARKS],
            False,
            id="two marks, each set once",
        ),
        pytest.param(
            [SET.replace("'x'", "'y'") + CLEARS, CLEARED + MARKS], False, id="another mark"
        ),
        pytest.param(
            [SET + CLEARS, CLEARED.replace("'guest'", "'disk'") + MARKS], False, id="another kind"
        ),
        pytest.param(
            [SET.replace("'x'", "'x' && data.id == 'self'") + CLEARS, CLEARED + MARKS],
            False,
            id="an id that is not known",
        ),
        pytest.param(
            [SET + CLEARS, CLEARED + MARKS.replace("as: x", "as: '${guest.name}'")],
            False,
            id="a word that is not known",
        ),
        pytest.param(
            [SET.replace("'x'", "'x' && guest.memory > 5") + CLEARS, CLEARED + MARKS],
            False,
            id="a condition that may end it",
        ),
        # messages
        pytest.param([PING + SAYS_PONG, PONG + SAYS_PING], True, id="messages"),
        pytest.param([PING + SAYS_PING], True, id="to itself"),
        pytest.param([PING.replace("ping", "+") + SAYS_PING], True, id="a wildcard"),
        pytest.param([PING + SAYS_PING.replace("ping", "'${guest.name}'")], False, id="a template"),
        pytest.param(
            [PING.replace("ping", "'#'") + SAYS_PING.replace("ping", "'x/${guest.name}'")],
            True,
            id="a template below a wildcard",
        ),
        pytest.param([PING + SAYS_PING.replace("ping}", "ping, retain: true}")], False, id="kept"),
        pytest.param(
            [PING + SAYS_PING.replace("ping}", "ping, topic: absolute}")], False, id="elsewhere"
        ),
        pytest.param([PING.replace("}", ", max_age: 1m}") + SAYS_PING], False, id="no time in it"),
        pytest.param(
            [
                PING.replace("}", ", max_age: 1m}")
                + SAYS_PING.replace("ping}", "ping, payload: {sent_at: '${run.started}'}}")
            ],
            True,
            id="a time in it",
        ),
        pytest.param(
            [PING.replace("}", ", where: message.json.a == 5}") + SAYS_PING],
            False,
            id="no such member",
        ),
        *(
            pytest.param(
                [
                    PING.replace("}", ", where: message.json.a == 5}")
                    + SAYS_PING.replace("ping}", f"ping, payload: {{a: {value}}}}}")
                ],
                is_told,
                id=f"a member that is {value}",
            )
            for value, is_told in (("5", True), ("6", False), ("'${guest.memory}'", False))
        ),
        pytest.param(
            [PING.replace("web-1", "'${message.json.guest}'") + SAYS_PING],
            False,
            id="no guest in it",
        ),
        pytest.param(
            [
                PING.replace("web-1", "'${message.json.guest}'")
                + SAYS_PING.replace("ping}", "ping, payload: {guest: '${guest.name}'}}")
            ],
            True,
            id="a guest in it",
        ),
        # failed runs
        pytest.param([FAILED + CALLS, FAILED + CALLS], True, id="each fails for the other"),
        pytest.param([FAILED + CALLS], False, id="not its own failures"),
        pytest.param(
            [FAILED + CALLS, FAILED + "steps: [{log: x}, {publish: a}]\n"], False, id="one cannot"
        ),
        pytest.param(
            [FAILED + CALLS, FAILED + CALLS.replace("[{", "[{on_error: continue, ")],
            False,
            id="one goes on",
        ),
        pytest.param(
            [FAILED + CALLS, FAILED.replace("}", ", where: data.policy != 'a'}") + CALLS],
            False,
            id="one is left out",
        ),
        # states and own commands
        pytest.param([RUNS + PAUSE, STANDS + RESUME], True, id="states"),
        pytest.param(
            [RUNS.replace("'running'", "'running' || guest.migrating") + PAUSE, STANDS + RESUME],
            False,
            id="a state with more in it",
        ),
        pytest.param(
            [RUNS + PAUSE, STANDS.replace('"prelaunch"', '"running"') + RESUME],
            False,
            id="a state that does not change",
        ),
        pytest.param(
            [OWN_RESET + RESET.replace("guest: reset", "qmp: system_reset")], False, id="busy"
        ),
        pytest.param([OWN_RESET + RESET + "mode: queued\n"], True, id="its own reset"),
        pytest.param([OWN_RESET + RESET, OWN_RESET + RESET], True, id="each other's reset"),
        pytest.param(
            [OWN_RESET.replace(", own: true", "") + RESET + "mode: queued\n"],
            False,
            id="no own ones",
        ),
        pytest.param(
            [OWN_RESET.replace("}", ", where: data.guest}") + RESET + "mode: queued\n"],
            False,
            id="the guest's own",
        ),
        pytest.param([OWN_STOP + RESUME, OWN_RESUME + PAUSE], True, id="stop and go"),
        pytest.param(
            [OWN_STOP + RESUME.replace("guest: resume", "qmp: cont"), OWN_RESUME + PAUSE],
            True,
            id="raw",
        ),
        pytest.param([OWN_STOP + PAUSE + "mode: queued\n"], False, id="stopped is stopped"),
        pytest.param(
            [OWN_STOP.replace("STOP", "'ST*'") + RESUME, OWN_RESUME + PAUSE], True, id="glob"
        ),
        # what ends it
        *(
            pytest.param([PING + SAYS_PING + f"{key}\n"], False, id=key)
            for key in (
                "cooldown: 1m",
                "debounce: 1m",
                "approval: {ask: x}",
                "limits: [9 per 1h per guest]",
                "if: guest.migrating",
                "inhibit_if: guest.migrating",
                "enforcement: audit",
            )
        ),
        pytest.param(
            [PING + SAYS_PING + "limits: [1 at once per guest]\n"], True, id="one at once"
        ),
        pytest.param(
            [PING + SAYS_PING.replace("[", "[{check: guest.migrating}, ")], False, id="a check"
        ),
        pytest.param([PING + SAYS_PING.replace("[", "[{delay: 1m}, ")], False, id="a pause"),
        pytest.param(
            [PING + SAYS_PING.replace("]", ", {guest: pause}]")], False, id="busy with more"
        ),
        pytest.param(
            [PING + SAYS_PING + "finally: [{guest: pause}]\n"], False, id="busy at its end"
        ),
        pytest.param(
            [PING + SAYS_PING.replace("]", ", {mark: {guest: self, as: x, reason: r}}]")],
            True,
            id="what takes no time",
        ),
        pytest.param(
            [PING + "steps: [{repeat: {times: 2}, steps: [{publish: ping}]}]\n"], True, id="inside"
        ),
        pytest.param(
            ["guests: {name: b}\n" + RUNS + PAUSE, "guests: {name: c}\n" + STANDS + RESUME],
            False,
            id="other guests",
        ),
        pytest.param(
            [
                "trigger: {event: STOP, count: 2, within: 1m, own: true}\n" + RESUME,
                OWN_RESUME + PAUSE,
            ],
            False,
            id="only at the second",
        ),
        pytest.param(["trigger: {every: 1m}\n" + SAYS_PING], False, id="by the clock"),
        pytest.param(
            [
                f"trigger: {{mqtt: t{i}, guest: web-1}}\nsteps: [{{publish: t{(i + 1) % 6}}}]\n"
                for i in range(6)
            ],
            False,
            id="longer than is looked for",
        ),
        pytest.param(
            [
                f"trigger: {{mqtt: t{i}, guest: web-1}}\nsteps: [{{publish: t{(i + 1) % 5}}}]\n"
                for i in range(5)
            ],
            True,
            id="as long as is looked for",
        ),
    ],
)
def test_policies_that_start_each_other(policies: list[str], *, is_told: bool) -> None:
    """Told where each certainly starts the next, each time, and nothing ends that."""
    assert bool(told(ring(*policies), "R071")) is is_told


def test_a_loop_is_told_once() -> None:
    """With the names of all that are in it."""
    three = [
        f"trigger: {{mqtt: t{i}, guest: web-1}}\nsteps: [{{log: x}}, {{publish: t{(i + 1) % 3}}}]\n"
        for i in range(3)
    ]
    others = (FAILED + CALLS, FAILED + CALLS, PING + SAYS_PING)
    told = [str(one) for one in found(ring(*three, *others)) if one.code.value == "R071"]
    assert "\n".join(told) == (
        "f:5:19: R071 this starts `b`, which starts `c`, which starts `a` again: nothing ends that"
        "\n  fix: add a `cooldown` or `limits` to one of them, or a `where` that leaves this out\n"
        "f:23:9: R071 when this fails it starts `e`, which starts `d` again: nothing ends that\n"
        "  fix: add a `cooldown` or `limits` to one of them, or a `where` that leaves this out\n"
        "f:35:9: R071 this starts the policy again: nothing ends that\n"
        "  fix: add a `cooldown` or `limits` to it, or a `where` that leaves this out"
    )


WEB = Selector(names=("web-*",))
KEEP = Selector(labels=(("on-panic", ("keep",)),))


@pytest.mark.parametrize(
    ("one", "other", "is_covered"),
    [
        pytest.param(Selector(), WEB, True, id="all"),
        pytest.param(WEB, Selector(), False, id="not all"),
        pytest.param(WEB, Selector(names=("web-1", "web-2")), True, id="names of a glob"),
        pytest.param(WEB, Selector(names=("web-1", "db-1")), False, id="one of them is not"),
        pytest.param(WEB, WEB, True, id="the same glob"),
        pytest.param(Selector(names=("*",)), WEB, True, id="any"),
        pytest.param(WEB, Selector(names=("web-1*",)), False, id="globs are not compared"),
        pytest.param(KEEP, KEEP, True, id="the same label"),
        pytest.param(KEEP, Selector(), False, id="a label is asked for"),
        pytest.param(Selector(), KEEP, True, id="a label more"),
        pytest.param(Selector(excludes=KEEP), Selector(), False, id="some are left out"),
        pytest.param(Selector(excludes=KEEP), Selector(excludes=KEEP), True, id="the same are"),
        pytest.param(Selector(excludes=KEEP), KEEP, False, id="just those are left out"),
        pytest.param(
            Selector(excludes=KEEP),
            Selector(labels=(("on-panic", ("dump",)),)),
            True,
            id="others are",
        ),
        pytest.param(
            Selector(excludes=KEEP), Selector(labels=(("on-panic", ("*",)),)), False, id="perhaps"
        ),
        pytest.param(Selector(excludes=WEB), Selector(names=("db-1",)), True, id="other names are"),
        pytest.param(Selector(excludes=WEB), Selector(names=("web-1",)), False, id="this name is"),
    ],
)
def test_which_guests_are_all_selected(one: Selector, other: Selector, *, is_covered: bool) -> None:
    """As far as names and labels tell; false where that is not known."""
    assert covers(one, other) is is_covered


@pytest.mark.parametrize(
    ("globs", "expected"),
    [
        pytest.param("[other]", "", id="a name"),
        pytest.param("['oth*']", "", id="a glob"),
        pytest.param("['*']", "", id="all of them"),
        pytest.param("[broken]", "", id="one that is not sound"),
        pytest.param(
            "[othr]",
            "warning: no policy here is called `othr`: nothing is held off; did you mean `other`?",
            id="misspelt",
        ),
        pytest.param(
            "[other, 'zzz-*']",
            "note: no policy here is called `zzz-*`: nothing is held off;"
            " write the name of another policy",
            id="perhaps in another folder",
        ),
        pytest.param(
            "[p]",
            "note: a policy never holds itself off: use `cooldown`, or `limits`;"
            " write the name of another policy",
            id="itself",
        ),
    ],
)
def test_whom_an_inhibit_names(globs: str, expected: str) -> None:
    """Somebody must have the name."""
    stop = "description: d\ntimeout: 1h\ntrigger: {event: STOP}\n"
    text = (
        f"policy: p\n{stop}finally: [{{inhibit: {{policies: {globs}, for: 1m}}}}]\n"
        "steps: [{log: x}]\n"
        f"---\npolicy: other\n{stop}steps: [{{log: x}}]\n"
        f"---\npolicy: broken\n{stop}steps: []\n"
    )
    found = [one for one in load_text(text, "f").problems if one.code is Code.NOBODY_INHIBITED]
    assert "\n".join(f"{one.severity}: {one.problem}; {one.fix}" for one in found) == expected
