"""The operator's hand, whole: by the socket of a real daemon beside a fake QEMU."""

import asyncio
import contextlib
import io
import json
import os
import pwd
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from reactor.adapters.control import Answer, Code, InUseError, ask
from reactor.app.control import control as module
from reactor.app.control.answers import GuestLine, RunLine, Status
from reactor.app.control.asks import (
    Ask,
    AskGuests,
    AskMarks,
    AskMetrics,
    AskReadiness,
    AskRun,
    AskRuns,
    AskSilences,
    AskStatus,
    AskWhy,
    GiveOrder,
)
from reactor.app.daemon import Daemon
from reactor.app.settings import ControlSettings, JournalSettings, NamedGuest
from reactor.app.timeline import Timeline
from reactor.app.why.reasons import Mark, Why
from reactor.cli.program import run_program
from reactor.core.inputs import Message, Received
from reactor.core.orders import (
    AddSilence,
    Approve,
    CancelRun,
    ClearMark,
    ExpireSilence,
    HoldGuests,
    Order,
    ReleaseGuests,
    SetMark,
    StartRun,
)
from reactor.core.restraints import Silence
from reactor.errors import NoDaemonError
from tests.app.house import House
from tests.fakes.exposition import read
from tests.fakes.qmp_server import SILENT

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(40)]

ME = f"uid {os.getuid()} ({pwd.getpwuid(os.getuid()).pw_name})"

HEAD = """\
policy: {name}
description: d
trigger: {{event: {event}}}
mode: queued
"""

STOP = HEAD.format(name="stop-it", event="WATCHDOG") + "steps:\n  - qmp: stop\n"

MARK = HEAD.format(name="mark-it", event="BLOCK_IO_ERROR") + (
    "steps:\n  - mark: {disk: '${data.device}', as: bad, reason: it failed}\n"
)

LIMITED = HEAD.format(name="limited", event="WATCHDOG") + (
    "limits: [1 per 1h per guest]\nsteps:\n  - qmp: stop\n"
)

PICKY = LIMITED.replace("event: WATCHDOG", "event: WATCHDOG, where: data.action == 'none'")

ASKS = HEAD.format(name="asks", event="WATCHDOG") + (
    "approval: {ask: 'may I?', expires: 1h}\nsteps:\n  - qmp: stop\n"
)

SLOW = HEAD.format(name="slow", event="WATCHDOG") + (
    "steps:\n  - delay: 1h\nfinally:\n  - log: over\n"
)

TWO = HEAD.format(name="two", event="WATCHDOG") + (
    "steps:\n  - qmp: stop\n  - publish: between\n  - qmp: cont\n"
)


async def request(house: House, what: Ask) -> Answer:
    """What the daemon answers by its socket."""
    body = msgspec.json.encode(what)
    return await asyncio.to_thread(ask, house.settings.control_socket, body, within_s=15.0)


async def give(house: House, order: Order) -> tuple[bool, str]:
    """Whether an order was carried out, and the sentence."""
    answer = await request(house, GiveOrder(order))
    assert answer.code in {Code.DONE, Code.REFUSED}
    return answer.code is Code.DONE, answer.text


async def look(house: House, what: Ask, kind: Any) -> Any:  # noqa: ANN401 - as it was asked
    """The answer to a question."""
    answer = await request(house, what)
    assert answer.code is Code.DONE, answer
    return msgspec.json.decode(answer.data, type=kind)


async def status(house: House) -> Status:
    """How everything stands."""
    found: Status = await look(house, AskStatus(), Status)
    return found


async def open_run(house: House) -> RunLine:
    """The one run that is open, as soon as there is one."""
    await house.until("a run is open", lambda: bool(house.daemon.engine.world.runs))
    (run,) = (await status(house)).runs
    return run


async def metrics(house: House) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """The figures, by name and labels."""
    found = read(await look(house, AskMetrics(), str))
    return {
        whole: {labels: value for (name, labels), value in family.samples.items() if name == whole}
        for family in found.values()
        for whole, _ in family.samples
    }


# -------------------------------------------------------------------- orders


async def test_a_run_that_waits_for_approval_is_approved(house: House) -> None:
    """The daemon knows by whom, and so does the journal, before anything is sent."""
    house.policy(ASKS)
    guest = await house.guest()
    await house.start("web-1")
    guest.event("WATCHDOG", {"action": "none"})
    run = await open_run(house)
    assert (run.state, run.reason) == ("waiting for an operator's approval", "may I?")
    assert await give(house, Approve(run.run, comment="go")) == (
        True,
        f"approved: run {run.run} of asks on web-1 is running",
    )
    assert await house.outcomes(1) == [("asks", "succeeded")]
    (row,) = house.history("operator")
    assert row.name == ME
    assert json.loads(row.body)["order"] == {
        "type": "approve",
        "run": run.run,
        "yes": True,
        "comment": "go",
    }
    timeline: Timeline = await look(house, AskRun(run.run), Timeline)
    told = [(entry.what, entry.reason) for entry in timeline.entries]
    assert ("approved", f"by {ME}: go") in told
    assert told[0] == ("event", "WATCHDOG")
    assert timeline.entries[0].values == {"action": "none"}


async def test_a_run_that_is_refused_is_cancelled(house: House) -> None:
    """Nothing was sent to the guest."""
    house.policy(ASKS)
    guest = await house.guest()
    await house.start("web-1")
    guest.event("WATCHDOG")
    run = await open_run(house)
    done, text = await give(house, Approve(run.run, yes=False))
    assert (done, text) == (True, f"run {run.run} of asks on web-1 is refused and cancelled")
    assert await house.outcomes(1) == [("asks", "cancelled")]
    assert "stop" not in [command.execute for command in guest.commands]
    assert await give(house, Approve(run.run)) == (False, f"run {run.run} is not open any more")


async def test_a_run_is_started_and_cancelled_by_hand(house: House) -> None:
    """Its `finally` runs."""
    house.policy(SLOW)
    await house.guest()
    await house.start("web-1")
    answer = await request(house, GiveOrder(StartRun("slow", "web-1", {"action": "none"})))
    (run,) = json.loads(bytes(answer.data)).values()
    assert answer.text == f"run {run} of slow on web-1 is running"
    assert (await open_run(house)).run == run
    done, text = await give(house, CancelRun(run, "not now"))
    assert (done, text.partition(" is cancelled")[0]) == (True, f"run {run} of slow on web-1")
    assert await house.outcomes(1) == [("slow", "cancelled")]
    (row,) = house.runs()
    assert row.error == f"cancelled by {ME}: not now"


async def test_a_hold_stops_a_runbook_before_its_next_change(house: House) -> None:
    """The release lets it go on; the status and `why` say who holds it."""
    house.policy(TWO, STOP.replace("stop-it", "other"))
    guest = await house.guest()
    guest.answers["stop"] = SILENT
    await house.start("web-1")
    guest.event("WATCHDOG")
    await house.until("stop is sent", lambda: "stop" in [c.execute for c in guest.commands])
    assert (await give(house, HoldGuests("web-1", comment="disk swap")))[0]
    sentence = f"web-1 is held by {ME} until it is released: disk swap"
    seen = await status(house)
    assert [hold.guest for hold in seen.holds] == ["web-1"]
    assert {run.reason for run in seen.runs} == {sentence}
    (line,) = await look(house, AskGuests(), list[GuestLine])
    assert line.hold == sentence
    why: Why = await look(house, AskWhy("two", "web-1"), Why)
    assert why.verdict == f"a match now would start no run: {sentence}"
    assert (await give(house, ReleaseGuests("web-1")))[0]
    assert (await status(house)).holds == []


async def test_silences_are_made_listed_and_ended(house: House) -> None:
    """A match under one is refused with the sentence of who made it."""
    house.policy(STOP)
    guest = await house.guest()
    await house.start("web-1")
    answer = await request(house, GiveOrder(AddSilence(("stop-*",), ("*",), 3600.0, "quiet")))
    assert json.loads(bytes(answer.data)) == {"silence": "s-1"}
    guest.event("WATCHDOG", {"action": "none"})
    await house.until("it is refused, and journaled", lambda: bool(house.history("event")))
    (silence,) = await look(house, AskSilences(), list[Silence])
    assert (silence.id, silence.who, silence.comment) == ("s-1", ME, "quiet")
    why: Why = await look(house, AskWhy("stop-it", "web-1"), Why)
    assert why.verdict.startswith("a match now would start no run: silenced: silence s-1 by")
    (moment,) = why.moments
    assert (moment.event, moment.verdict, moment.data) == (
        "WATCHDOG",
        "silenced",
        {"action": "none"},
    )
    assert await give(house, ExpireSilence("s-1")) == (True, "silence s-1 is over")
    assert await look(house, AskSilences(), list[Silence]) == []
    assert await give(house, ExpireSilence("s-1")) == (False, "no silence 's-1' stands")


async def test_marks_are_set_and_cleared_by_hand(house: House) -> None:
    """As policies do it."""
    house.policy(MARK)
    await house.guest()
    await house.start("web-1")
    assert await give(house, SetMark("web-1", "disk", "disk0", "bad", "smoke")) == (
        True,
        "disk disk0 of web-1 is marked as bad; whether web-1 has a disk disk0 is not looked at",
    )
    (mark,) = await look(house, AskMarks(), list[dict[str, Any]])
    assert (mark["guest"], mark["word"], mark["reason"]) == ("web-1", "bad", "smoke")
    assert (await give(house, ClearMark("web-1", "disk", "disk0")))[0]
    assert await look(house, AskMarks("web-1"), list[Any]) == []


async def test_an_order_that_is_refused_is_journaled_too(house: House) -> None:
    """Who wanted what is known for ever."""
    house.policy(STOP)
    await house.guest()
    await house.start("web-1")
    done, text = await give(house, StartRun("stop-it", "web-2"))
    assert (done, text) == (False, "no guest is called 'web-2'; did you mean 'web-1'?")
    (row,) = house.history("operator")
    assert (row.name, json.loads(row.body)["order"]["guest"]) == (ME, "web-2")


async def test_many_orders_at_once_get_each_its_own_answer(house: House) -> None:
    """Whatever else comes in meanwhile."""
    house.policy(STOP)
    await house.guest()
    await house.start("web-1")
    orders = [SetMark("web-1", "disk", f"disk{n}", "bad") for n in range(16)]
    answers = await asyncio.gather(*(give(house, order) for order in orders))
    assert [text for _, text in answers] == [
        f"disk disk{n} of web-1 is marked as bad; whether web-1 has a disk disk{n} is not looked at"
        for n in range(16)
    ]


# ------------------------------------------------------------------- questions


async def test_the_status_of_a_daemon_that_is_well(house: House) -> None:
    """Its version, its journal, its guests, its policies."""
    house.policy(STOP, MARK)
    await house.guest()
    await house.start("web-1")
    seen = await status(house)
    daemon = seen.daemon
    assert (daemon.host, daemon.pid, daemon.broker) == ("h", os.getpid(), "none")
    assert (daemon.journal, daemon.journal_problem) == (str(house.settings.journal.path), "")
    assert (daemon.policies, daemon.policy_problems, daemon.audit) == (2, 0, False)
    assert (seen.guests, seen.connected, seen.away) == (1, 1, [])
    assert [(p.policy, p.guests, p.ready, p.runs) for p in seen.policies] == [
        ("mark-it", 1, 1, 0),
        ("stop-it", 1, 1, 0),
    ]
    assert daemon.dropped == {}
    assert daemon.since <= daemon.now


async def test_the_status_says_what_is_wrong(house: House) -> None:
    """A guest that cannot be reached, a policy that is not ready, one that cannot be read."""
    arms = HEAD.format(name="arms", event="WATCHDOG").replace(
        "trigger:", "arm:\n  - qmp: set-action\n    args: {panic: pause}\ntrigger:"
    )
    house.policy(arms + "steps:\n  - qmp: stop\n")
    (house.rules / "broken.yaml").write_text("policy: broken\n")
    house.settings = replace(
        house.settings, guests=(NamedGuest("web-2", f"unix:{house.run}/none"),)
    )
    await house.guest()
    await house.start("web-1")
    await house.until(
        "both are told",
        lambda: (
            "web-2" in house.daemon.guests.troubles
            and house.daemon.engine.world.guests["web-1"].arming["arms"].reason != ""
        ),
    )
    seen = await status(house)
    assert seen.daemon.policy_problems > 0
    assert seen.daemon.check == f"reactor check {house.rules}"
    why: Why = await look(house, AskWhy("broken", "web-1"), Why)
    rules, policy = why.findings
    assert (rules.check, policy.text) == ("rules", "no policy is called 'broken'")
    assert rules.text == (
        f"the rules have {seen.daemon.policy_problems} errors, so they are not in force as they "
        f"are written: `reactor check {house.rules}` shows what is wrong"
    )
    (away,) = seen.away
    assert away.guest == "web-2"
    assert away.trouble == house.daemon.guests.troubles["web-2"]
    rows = {(row.guest, row.state): row.reason for row in seen.not_ready}
    assert "CommandNotFound" in rows["web-1", "not ready"]
    assert rows["web-2", "not ready"] == "its arm was not sent: the monitor is away"
    assert (seen.policies[0].guests, seen.policies[0].ready) == (2, 0)


async def test_runs_are_listed_by_what_they_belong_to(house: House) -> None:
    """Those of the journal as they ended, those that are open as they are now."""
    house.policy(STOP, SLOW)
    guest = await house.guest()
    await house.start("web-1")
    guest.event("WATCHDOG")
    await house.outcomes(1)
    everything: list[RunLine] = await look(house, AskRuns(), list[RunLine])
    assert {(run.policy, run.state) for run in everything} == {
        ("slow", "running"),
        ("stop-it", "ended"),
    }
    assert [r.policy for r in await look(house, AskRuns(only_open=True), list[RunLine])] == ["slow"]
    mine = await look(house, AskRuns(policy="stop-it", guest="web-1"), list[RunLine])
    assert [run.outcome for run in mine] == ["succeeded"]
    for question, problem, fix in (
        (AskMarks("web-2"), "no guest is called 'web-2'", "write 'web-1'"),
        (AskReadiness(guest="web-9*"), "no guest matches 'web-9*'", "write 'web-1'"),
        (AskRuns(guest="web-2"), "no guest is called 'web-2'", "write 'web-1'"),
        (AskRuns(policy="stopit"), "no policy is called 'stopit'", "write 'stop-it'"),
    ):
        wrong = await request(house, question)
        assert (wrong.code, wrong.text, wrong.fix) == (Code.REFUSED, problem, fix)
    house.policy(LIMITED)
    await house.daemon.rules.reload()
    await house.until("it is loaded", lambda: "limited" in house.daemon.engine.world.index.policies)
    assert await look(house, AskRuns(policy="limited"), list[RunLine]) == []
    refused = await request(house, AskRun("abc-1"))
    assert (refused.code, refused.text) == (Code.REFUSED, "no run is called 'abc-1'")


async def test_why_tells_what_became_of_the_latest_events(house: House) -> None:
    """Of those that started a run, those that were refused, and those that did not fit."""
    house.policy(PICKY)
    guest = await house.guest()
    await house.start("web-1")
    guest.event("WATCHDOG", {"action": "poweroff"})
    guest.event("WATCHDOG", {"action": "none"})
    guest.event("WATCHDOG", {"action": "none"})
    await house.outcomes(1)
    await house.until("one is refused", lambda: bool(house.daemon.engine.near_misses("limited")))
    await house.rest()
    why: Why = await look(house, AskWhy("limited", "web-1"), Why)
    told = {finding.check: finding for finding in why.findings}
    assert told["limits"].mark is Mark.NO
    assert told["limits"].text.startswith("limited: 1 of `1 per 1h per guest` used; the next place")
    assert why.verdict == f"a match now would start no run: {told['limits'].text}"
    assert [(m.event, m.verdict, m.evaluated) for m in why.moments] == [
        ("WATCHDOG", "`where` is false", True),
        ("WATCHDOG", "admitted", False),
        ("WATCHDOG", "limited", False),
    ]
    assert why.moments[0].reason == "`data.action == 'none'`: data.action is \"poweroff\""
    assert (why.moments[1].run, why.moments[1].outcome) == (why.runs[0].run, "succeeded")
    unknown = [
        (await look(house, AskWhy(*names), Why)).unknown
        for names in (("limited", "web-1"), ("limitd", "web-1"), ("limited", "web1"))
    ]
    assert unknown == [False, True, True]


async def test_why_tells_messages_that_started_nothing(house: House) -> None:
    """As the daemon saw them, and after a restart again from what was recorded."""
    head = HEAD.replace("{{event: {event}}}", "{{mqtt: ask/+, guest: '${{topic[3]}}'{event}}}")
    text = head.format(name="asked", event=", max_age: 1m, where: message.json.user != ''")
    house.policy(text + "steps:\n  - qmp: stop\n")
    await house.guest()
    with capture_logs() as lines:
        await house.start("web-1")
        now = house.daemon.clock.now()
        for name, sent in (("old", 5.0), ("", now), ("web-9", now)):
            guest = "web-9" if name == "web-9" else "web-1"
            json_ = {"user": name}
            message = Message(f"reactor/h/ask/{guest}", name, f"ask/{guest}", json_, is_json=True)
            message = msgspec.structs.replace(message, sent_at=sent)
            assert house.daemon.dispatcher.offer(Received(message))
        await house.until(
            "all are told", lambda: [x["event"] for x in lines].count("message refused") == 3
        )
        await house.until("they are in the journal", lambda: len(house.history("message")) == 3)
    refused = [line for line in lines if line["event"] == "message refused"]
    assert [(line["log_level"], line["guest"]) for line in refused] == [
        ("info", "web-1"),
        ("debug", "web-1"),
        ("info", "web-9"),
    ]
    live: Why = await look(house, AskWhy("asked", "web-1"), Why)
    other: Why = await look(house, AskWhy("asked", "web-9"), Why)
    await house.stop()
    await house.start("web-1")
    again: Why = await look(house, AskWhy("asked", "web-1"), Why)
    verdicts = ["the message is too old, or does not say how old it is", "`where` is false"]
    assert [(m.verdict, m.evaluated) for m in live.moments] == [(v, False) for v in verdicts]
    assert [(m.verdict, m.evaluated) for m in again.moments] == [(v, True) for v in verdicts]
    assert [m.data for m in again.moments] == [m.data for m in live.moments]
    assert [m.reason for m in other.moments] == ["no guest is called 'web-9'"]


async def test_an_on_limit_is_told_as_one_everywhere(house: House) -> None:
    """Beside the event that the limit refused, and never as a run of a match."""
    house.policy(LIMITED.replace("steps:", "on_limit:\n  - log: too many\nsteps:"))
    guest = await house.guest()
    await house.start("web-1")
    guest.event("WATCHDOG", {"action": "none"})
    await house.outcomes(1)
    guest.event("WATCHDOG", {"action": "reset"})
    await house.outcomes(2)
    await house.rest()
    ran, handler = house.runs()
    now: Why = await look(house, AskWhy("limited", "web-1"), Why)
    assert handler.admitted is not None
    short = AskWhy("limited", "web-1", at=handler.admitted, around=0.0)
    then: Why = await look(house, short, Why)
    assert [(m.event, m.verdict, m.run, m.on_limit, m.outcome) for m in now.moments] == [
        ("WATCHDOG", "admitted", ran.id, "", "succeeded"),
        ("WATCHDOG", "limited", "", handler.id, "succeeded"),
    ]
    assert then.moments == now.moments[1:]
    assert then.verdict == "it did not run on WATCHDOG: limited: 1 per 1h per guest"
    assert [run.stands for run in now.runs] == ["succeeded", "on_limit: succeeded"]
    told: Timeline = await look(house, AskRun(handler.id), Timeline)
    assert [(one.what, one.reason) for one in told.entries[:2]] == [
        ("event", "WATCHDOG"),
        ("limited", "1 per 1h per guest"),
    ]
    assert told.entries[0].values == {"action": "reset"}
    assert told.run.stands == "on_limit: succeeded"


async def test_why_of_a_time_is_told_by_the_journal(house: House) -> None:
    """With the revision that was in force then, though the policy has changed since."""
    house.policy(
        LIMITED.replace("event: WATCHDOG", "event: WATCHDOG, where: data.action == 'none'")
    )
    guest = await house.guest()
    await house.start("web-1")
    guest.event("WATCHDOG", {"action": "poweroff"})
    await house.until("it is in the journal", lambda: bool(house.history("event")))
    at = house.history("event")[0].at
    old = house.daemon.engine.world.index.policies["limited"].revision
    house.policy(LIMITED)
    await house.daemon.rules.reload()
    await house.until(
        "it is adopted",
        lambda: house.daemon.engine.world.index.policies["limited"].revision != old,
    )
    why: Why = await look(house, AskWhy("limited", "web-1", at=at, around=60.0), Why)
    assert why.verdict == (
        "it did not run on WATCHDOG: `where` is false: `data.action == 'none'`: "
        'data.action is "poweroff"'
    )
    assert why.revision == old


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param({"type": "frobnicate"}, Code.WRONG, id="an unknown question"),
        pytest.param({"type": "run"}, Code.WRONG, id="a question without its object"),
        pytest.param({"type": "order", "order": {"type": "explode"}}, Code.WRONG, id="no order"),
        pytest.param({"type": "runs", "limit": -1}, Code.WRONG, id="all runs that there are"),
        pytest.param({"type": "runs", "limit": 10**6}, Code.WRONG, id="too many runs"),
        pytest.param(
            {"type": "why", "policy": "p", "guest": "g", "at": 1e300},
            Code.WRONG,
            id="a time that no calendar has",
        ),
    ],
)
async def test_what_is_not_understood_is_told(
    house: House, body: Mapping[str, object], code: Code
) -> None:
    """Such as a question of a newer version."""
    await house.start()
    path = house.settings.control_socket
    answer = await asyncio.to_thread(ask, path, msgspec.json.encode(body))
    assert answer.code is code
    assert answer.text.startswith("the request is not understood: ")


# ----------------------------------------------------------- the whole program


async def reactor(house: House, *words: str) -> tuple[int, str]:
    """The program's exit code, and what it prints."""
    journal = str(house.settings.journal.path)
    printed = io.StringIO()
    # The daemon's log goes elsewhere meanwhile.
    with (
        capture_logs(),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        code = await asyncio.to_thread(run_program, [*words, "--journal", journal])
    return code, printed.getvalue()


async def test_the_day_of_an_operator(house: House) -> None:
    """Every verb, with the real program beside the real daemon."""
    house.policy(ASKS, SLOW.replace("WATCHDOG", "POWERDOWN"))
    guest = await house.guest()
    await house.start("web-1")
    guest.event("WATCHDOG", {"action": "none"})
    asks = await open_run(house)
    assert "asks    enforce      1       1      1" in (await reactor(house, "status"))[1]
    assert "waiting for an operator's approval" in (await reactor(house, "runs", "--open"))[1]
    code, text = await reactor(house, "hold", "--comment", "what is this?")
    assert (code, text.startswith("all guests are held by")) == (0, True)
    code, text = await reactor(house, "trigger", "slow", "web-1")
    assert (code, "held by an operator" in text) == (3, True)
    code, text = await reactor(house, "why", "slow", "web-1")
    assert text.startswith("slow on web-1: a match now would start no run: all guests are held by")
    assert (await reactor(house, "release"))[0] == 0
    code, text = await reactor(house, "trigger", "slow", "web-1", "-o", "json")
    slow = json.loads(text)["data"]["run"]
    assert (await reactor(house, "approve", asks.run, "--comment", "go"))[0] == 0
    await house.outcomes(1)
    code, text = await reactor(house, "runs", "show", asks.run)
    assert f"by {ME}: go" in text
    assert "command   stop: done after" in text
    assert (await reactor(house, "runs", "cancel", slow))[0] == 0
    assert await house.outcomes(2) == [("asks", "succeeded"), ("slow", "cancelled")]
    await house.stop()
    assert (await reactor(house, "status"))[0] == 5


async def test_the_journal_answers_for_a_daemon_that_is_gone(house: House) -> None:
    """Runs, one of them step by step, and why."""
    house.policy(PICKY)
    guest = await house.guest()
    await house.start("web-1")
    guest.event("WATCHDOG", {"action": "none"})
    guest.event("WATCHDOG", {"action": "poweroff"})
    await house.outcomes(1)
    await house.stop()
    code, text = await reactor(house, "runs", "--policy", "limited", "-o", "jsonl")
    (run,) = [json.loads(line) for line in text.splitlines()]
    assert (code, run["outcome"]) == (0, "succeeded")
    code, text = await reactor(house, "runs", "show", run["run"])
    assert (code, "steps/0  begun     qmp: stop" in text) == (0, True)
    code, text = await reactor(house, "runs", "show", "nobody-1")
    assert (code, text.splitlines()[0]) == (3, "reactor runs show: no run is called 'nobody-1'")
    code, text = await reactor(house, "why", "limited", "web-1")
    assert code == 0
    assert "the daemon does not run: this is what its journal tells" in text
    assert f"started run {run['run']}: succeeded" in text
    assert "`where` is false: `data.action == 'none'`: data.action is \"poweroff\" *" in text


# --------------------------------------------------------------- start and end


async def test_a_second_daemon_does_not_take_the_socket(house: House) -> None:
    """It ends before it has done anything, and the first is asked as before."""
    house.settings = replace(house.settings, control=ControlSettings(house.run / "control.sock"))
    await house.start()
    second = replace(house.settings, journal=JournalSettings(house.tmp / "other.db"))
    with pytest.raises(InUseError) as refused:
        await Daemon(second).run()
    assert f"another reactor (process {os.getpid()}) listens" in str(refused.value)
    assert (await status(house)).daemon.host == "h"


async def test_a_socket_that_cannot_be_made_is_tried_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon does its work meanwhile, and says once what is wrong."""
    monkeypatch.setattr(module, "RETRY_S", 0.02)
    house.settings = replace(house.settings, control=ControlSettings(house.run / "control.x"))
    (house.run / "control.x").touch()
    with capture_logs() as lines:
        await house.start()
        (house.run / "control.x").unlink()
        await house.until("it listens", lambda: house.daemon.control._listening)  # noqa: SLF001
    told = [line for line in lines if line["event"] == "control socket cannot be used"]
    assert [line["problem"] for line in told] == ["there is a file that is no socket"]
    assert (await status(house)).daemon.host == "h"


async def test_the_socket_goes_with_the_daemon(house: House) -> None:
    """And comes back with it."""
    await house.start()
    assert house.settings.control_socket.exists()
    await house.stop()
    assert not house.settings.control_socket.exists()
    with pytest.raises(NoDaemonError):
        await request(house, AskStatus())
    await house.start()
    assert (await status(house)).guests == 0


async def test_the_figures_of_a_daemon_that_works(house: House) -> None:
    """What came, what ran, what was refused, and how its journal and disk are."""
    house.policy(LIMITED)
    guest = await house.guest()
    await house.start("web-1")
    tally = house.daemon.dispatcher.teller.tally
    guest.event("WATCHDOG")
    await house.until("the run ended", lambda: tally.runs.total() == 1)
    guest.event("WATCHDOG")
    await house.until("the second match was refused", lambda: tally.refused.total() == 1)
    found = await metrics(house)
    assert found["reactor_events_total"][(("event", "WATCHDOG"),)] == 2
    assert found["reactor_runs_total"] == {(("policy", "limited"), ("outcome", "succeeded")): 1}
    refused = found["reactor_suppressed_total"]
    assert refused == {(("policy", "limited"), ("reason", "limited")): 1}
    assert found["reactor_guests_connected"] == {(): 1}
    for name in ("commits_total", "disk_free_bytes", "max_bytes"):
        assert found[f"reactor_journal_{name}"][()] > 0
    assert found["reactor_journal_healthy"] == {(): 1}
