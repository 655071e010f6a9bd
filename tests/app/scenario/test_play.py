"""What happens in a test, and what follows from it: virtual time, guests, operators."""

import pytest

from reactor.app.scenario import host as host_module
from tests.app.scenario.plays import ON_STOP, done, logged, played, verbs

_LOG = ON_STOP + "steps: [{log: '${event.name}'}]\n"


def _log(trigger: str, text: str = "${event.name}", more: str = "") -> str:
    steps = f"steps: [{{log: '{text}'}}]\n"
    return f"policy: p\ndescription: d\n{more}trigger: {trigger}\n{steps}"


# -------------------------------------------------------------------- time


def test_time_begins_at_the_start_and_ends_when_nothing_is_open() -> None:
    """A day passes in no time; the clock of expressions is the test's."""
    policy = ON_STOP + "steps: [{delay: 20h}, {log: '${now()}'}]\ntimeout: 1d\n"
    test = "start: 2026-03-01T00:00:00+01:00\ntimeline: [{at: 1h, event: STOP}]\n"
    assert logged(policy, test) == ["75600.00 g 2026-03-01T20:00:00.001Z"]


def test_entries_happen_in_the_order_of_their_times() -> None:
    """However they are written; two of the same time in the order written."""
    test = (
        "timeline:\n"
        "  - {at: 2m, event: STOP}\n"
        "  - {at: 1m, event: STOP}\n"
        "  - {at: 1m, event: RESUME}\n"
    )
    assert logged(_log("{event: [STOP, RESUME]}"), test) == [
        "60.00 g STOP",
        "60.00 g RESUME",
        "120.00 g STOP",
    ]


def test_a_test_ends_after_a_day_at_the_latest() -> None:
    """What is still open then is told."""
    steps = "timeout: 3d\nsteps: [{delay: 2d}, {log: x}]\n"
    over = played(ON_STOP + steps, "timeline: [{at: 1h, event: STOP}]\n")
    assert over.still_open
    assert over.ended <= 25 * 3600
    in_time = played(_LOG, "timeline: [{at: 1h, event: STOP}]\n")
    assert not in_time.still_open


def test_what_waits_for_nothing_in_particular_does_not_keep_a_test_going() -> None:
    """A run that somebody would have to release ends the test, not a day of looking."""
    policy = ON_STOP + "steps: [{guest: pause}]\n"
    test = "timeline: [{at: 1s, hold: g}, {at: 2s, event: STOP}]\n"
    assert played(policy, test).ended < 3700


@pytest.mark.parametrize(
    ("trigger", "entries", "expected"),
    [
        pytest.param(
            "{event: STOP, not_followed_by: {event: RESUME, within: 5m}}",
            "[{at: 1m, event: STOP}]",
            ["360.00 g STOP"],
            id="absence",
        ),
        pytest.param(
            "{event: STOP, not_followed_by: {event: RESUME, within: 5m}}",
            "[{at: 1m, event: STOP}, {at: 2m, event: RESUME}]",
            [],
            id="no absence",
        ),
        pytest.param(
            "{state: 'guest.status == \"io-error\"', for: 2h}",
            "[{at: 1m, event: BLOCK_IO_ERROR, data: {action: stop}}]",
            ["7260.00 g REACTOR_STATE"],
            id="a state that lasts",
        ),
        pytest.param(
            "{schedule: '0 3 * * *', timezone: Europe/Berlin}",
            "[]\nlasts: 25h",
            ["7200.00 g REACTOR_SCHEDULE"],
            id="a schedule",
        ),
        pytest.param(
            "{every: 15m, jitter: 30s}\ndebounce: 1s",
            "[]\nlasts: 16m",
            ["925.74 g REACTOR_SCHEDULE"],
            id="jitter is always the same",
        ),
    ],
)
def test_triggers_that_wait(trigger: str, entries: str, expected: list[str]) -> None:
    """Time goes on until what they wait for is decided."""
    found = logged(_log(trigger), f"timeline: {entries}\n")
    assert [line.split()[-1] for line in found] == [line.split()[-1] for line in expected]
    assert [float(line.split()[0]) for line in found] == pytest.approx(
        [float(line.split()[0]) for line in expected], abs=31
    )


# ------------------------------------------------------------------ guests


def test_the_snapshot_of_guests_gives_no_event() -> None:
    """A guest that is panicked when the test begins was so before."""
    policy = _log("{event: [GUEST_PANICKED, STOP]}")
    assert logged(policy, "guests: {g: {status: guest-panicked}}\n") == []


def test_a_guest_that_is_not_connected_connects_later() -> None:
    """What happened meanwhile is made up for."""
    policy = _log("{event: GUEST_PANICKED}", "${event.synthetic}")
    test = (
        "guests: {g: {connected: false}}\n"
        "timeline:\n"
        "  - {at: 1m, event: GUEST_PANICKED, data: {action: pause}}\n"
        "  - {at: 2m, connect: g}\n"
    )
    assert logged(policy, test) == ["120.00 g true"]


def test_what_guests_are_made_of() -> None:
    """Labels, memory, version, UUID, kind."""
    policy = _log(
        "{event: QUORUM_FAILURE}",
        '${guest.kind} ${guest.labels["a"]} ${guest.memory} ${guest.qemu_version} ${guest.uuid}',
    )
    test = (
        "guests: {g: {labels: {a: b}, memory: 1GiB, version: '11.1.3', uuid: u}}\n"
        "timeline: [{at: 1s, event: QUORUM_FAILURE, data: {reference: q}}]\n"
    )
    assert logged(policy, test) == ["1.00 g vm b 1073741824 11.1.3 u"]
    daemon = "guests: {g: {labels: {a: b}, kind: storage-daemon, version: '7.2'}}\n"
    test = daemon + "timeline: [{at: 1s, event: QUORUM_FAILURE, data: {reference: q}}]\n"
    assert logged(policy, test) == ["1.00 g storage-daemon b 0 7.2 "]


@pytest.mark.parametrize(
    ("guest", "state"),
    [
        pytest.param("{}", "disconnected", id="QEMU ends"),
        pytest.param("{no_shutdown: true}", "shutdown", id="-no-shutdown"),
    ],
)
def test_a_guest_that_shuts_down(guest: str, state: str) -> None:
    """QEMU ends, or stays in `shutdown`."""
    trigger = ON_STOP.replace("STOP", "SHUTDOWN")
    policy = trigger + "steps: [{delay: 1s}, {log: '${guest.status}'}]\n"
    entry = "{at: 1s, event: SHUTDOWN, data: {guest: true}}"
    test = f"guests: {{g: {guest}}}\ntimeline: [{entry}]\n"
    assert logged(policy, test) == [f"2.00 g {state}"]


def test_no_reboot_ends_qemu_at_a_reset() -> None:
    """The step fails, as on a real QEMU."""
    policy = ON_STOP + "steps: [{guest: reset}]\n"
    test = "guests: {g: {no_reboot: true}}\ntimeline: [{at: 1s, event: STOP}]\n"
    assert verbs(policy, test)[-1].startswith("run: p  outcome: failed")


def test_a_reset_closes_the_ports_that_a_guest_had_open() -> None:
    """The event is reactor's own doing; the guest's agent is gone with it."""
    policy = _log("{event: VSERPORT_CHANGE, own: true}", "${data.id} ${data.open}")
    policy += (
        "---\n"
        + policy.replace("policy: p", "policy: q")
        .replace("{event: VSERPORT_CHANGE, own: true}", "{event: WATCHDOG}")
        .split("steps:")[0]
        + "steps: [{guest: reset}]\n"
    )
    test = (
        "policies: [p, q]\n"
        "guests: {g: {ports: {agent: true, other: false}}}\n"
        "timeline: [{at: 1s, event: WATCHDOG, data: {action: none}}]\n"
    )
    assert logged(policy, test) == ["1.00 g agent false"]


def test_an_event_of_a_qemu_that_has_ended_is_told() -> None:
    """The author has lost track of his guest."""
    test = "timeline: [{at: 1s, crash: g}, {at: 2s, crash: g}, {at: 3s, event: STOP}]\n"
    over = played(_LOG, test)
    assert [trouble.problem for trouble in over.troubles] == ["the QEMU of g has ended by then"]


def test_a_qemu_that_crashes_and_is_started_again() -> None:
    """It is lost after five seconds; the next one is another life."""
    policy = _log("{event: [REACTOR_GUEST_LOST, REACTOR_GUEST_CONNECTED]}")
    test = "timeline: [{at: 10s, crash: g}, {at: 1m, connect: g}]\n"
    assert logged(policy, test) == [
        "0.00 g REACTOR_GUEST_CONNECTED",
        "15.00 g REACTOR_GUEST_LOST",
        "60.00 g REACTOR_GUEST_CONNECTED",
    ]


def test_a_monitor_that_goes_away_misses_what_happens() -> None:
    """QEMU keeps no events; the guest goes on."""
    test = (
        "timeline:\n"
        "  - {at: 1s, disconnect: g}\n"
        "  - {at: 2s, disconnect: g}\n"
        "  - {at: 3s, event: GUEST_CRASHLOADED, data: {action: run}}\n"
        "  - {at: 4s, connect: g}\n"
        "  - {at: 5s, event: GUEST_CRASHLOADED, data: {action: run}}\n"
    )
    assert logged(_log("{event: GUEST_CRASHLOADED}"), test) == ["5.00 g GUEST_CRASHLOADED"]


def test_a_guest_is_different_from_now_on() -> None:
    """State, labels, answers and room change without an event."""
    policy = _log("{event: QUORUM_FAILURE}", '${guest.labels["a"]}').replace(
        "steps: [",
        "steps: [{qmp: query-block, save: q}, {log: '${steps.q.result}'},"
        " {log: roomy, if: host.free('/var/crash/x') == 2147483648}, ",
    )
    test = (
        "host: {free: {/var: 3GiB, /var/crash: 1GiB, /var/crashes: 9GiB}}\n"
        "guests: {g: {labels: {a: x}}}\n"
        "timeline:\n"
        "  - {at: 1s, event: QUORUM_FAILURE, data: {reference: q}}\n"
        "  - {at: 1m, set: {labels: {a: y}, simulate: {query-block: {returns: []}}}}\n"
        "  - {at: 1m, set: {free: {/var/crash: 2GiB}}}\n"
        "  - {at: 1m, set: {status: paused}}\n"
        "  - {at: 2m, event: QUORUM_FAILURE, data: {reference: q}}\n"
    )
    assert [line.partition(" g ")[2] for line in logged(policy, test)] == [
        "[]",
        "x",
        "[]",
        "roomy",
        "y",
    ]


def test_without_a_word_there_is_room() -> None:
    """A hundred GiB."""
    policy = _log("{event: STOP}", more="if: host.free('/var/crash') == 107374182400\n")
    assert logged(policy, "timeline: [{at: 1s, event: STOP}]\n") == ["1.00 g STOP"]


def test_changes_of_a_qemu_that_is_gone_change_nothing() -> None:
    """Its next life begins anew."""
    test = "timeline: [{at: 1s, crash: g}, {at: 2s, set: {status: paused}}, {at: 3s, connect: g}]\n"
    assert played(_LOG, test).troubles == []


# -------------------------------------------------------------- operators


@pytest.mark.parametrize(
    ("entry", "outcome"),
    [
        pytest.param("{at: 1m, approve: p, comment: fine}", "succeeded", id="yes"),
        pytest.param("{at: 1m, deny: p}", "cancelled", id="no"),
        pytest.param("{at: 1m, cancel: p}", "cancelled", id="cancelled"),
        pytest.param("{at: 2h, event: RESUME}", "cancelled", id="nobody answers"),
    ],
)
def test_runs_that_ask(entry: str, outcome: str) -> None:
    """An operator answers, or the approval expires."""
    policy = ON_STOP + "approval: {ask: really, expires: 10m}\nsteps: [{log: x}]\n"
    found = verbs(policy, f"timeline: [{{at: 1s, event: STOP}}, {entry}]\n")
    assert found[-1].startswith(f"run: p  outcome: {outcome}")


def test_an_answer_is_for_the_run_that_asks() -> None:
    """Of two open runs the older one may be under way already."""
    policy = ON_STOP.replace("{event: STOP}", "{event: STOP, by: event.received}")
    asks = policy + "approval: {ask: really}\nsteps: [{delay: 10m}]\n"
    stops = "{at: 1s, event: STOP}, {at: 1m, approve: p}, {at: 2m, event: STOP}"
    found = played(asks, f"timeline: [{stops}, {{at: 3m, approve: p}}]\n")
    assert found.troubles == []


@pytest.mark.parametrize("verb", ["approve", "deny", "cancel"])
def test_there_is_no_run_to_answer(verb: str) -> None:
    """The entry is named with its place."""
    over = played(_LOG, f"timeline: [{{at: 1s, {verb}: p}}]\n")
    (trouble,) = over.troubles
    assert trouble.problem == f"no run of p is open on g: there is nothing to {verb}"
    assert (trouble.place.line, trouble.place.column) == (11, 12)


def test_an_order_that_is_refused_is_told() -> None:
    """In the words that an operator would read."""
    over = played(_LOG, "timeline: [{at: 1s, hold: '*'}, {at: 2s, release: g}]\n")
    (trouble,) = over.troubles
    assert "g" in trouble.problem


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param("[{at: 1s, trigger: p, data: {n: 1}}]", ["1.00 g STOP"], id="trigger"),
        pytest.param(
            "[{at: 1s, silence: p, for: 1m}, {at: 2s, event: STOP}, {at: 2m, event: STOP}]",
            ["120.00 g STOP"],
            id="silence",
        ),
        pytest.param(
            "[{at: 1s, silence: '*', guests: other, for: 1m}, {at: 2s, event: STOP}]",
            ["2.00 g STOP"],
            id="silence of another guest",
        ),
        pytest.param(
            "[{at: 1s, hold: '*'}, {at: 2s, event: STOP}, {at: 3s, release: '*'},"
            " {at: 4s, event: STOP}]",
            ["4.00 g STOP"],
            id="hold and release",
        ),
        pytest.param(
            "[{at: 1s, hold: g, for: 1m}, {at: 2s, event: STOP}, {at: 2m, event: STOP}]",
            ["120.00 g STOP"],
            id="a hold that ends",
        ),
    ],
)
def test_an_operators_hand(entries: str, expected: list[str]) -> None:
    """It does what it does to a daemon."""
    policy = _log("{event: STOP}", "STOP")
    over = logged(policy, f"timeline: {entries}\n")
    assert over == expected


def test_marks_by_hand() -> None:
    """They are no effects of policies; taking one away is told, whoever does it."""
    policy = _log("{event: REACTOR_MARK_SET}", "${data.kind} ${data.id} ${data.reason}")
    test = (
        "timeline:\n"
        "  - {at: 1s, mark: {disk: d, as: bad, reason: r, expires: 1h}}\n"
        "  - {at: 2s, mark: {guest: self, as: odd}}\n"
        "  - {at: 3s, clear: {guest: self}}\n"
        "  - {at: 4s, clear: {disk: d, as: bad}}\n"
    )
    told = [line for line in verbs(policy, test) if not line.startswith("run:")]
    assert told == [
        "log: disk d r",
        "log: guest self ",
        'clear: {"guest":"self","as":"odd","reason":""}',
        'clear: {"disk":"d","as":"bad","reason":"r"}',
    ]


# --------------------------------------------------------------- messages


@pytest.mark.parametrize(
    ("trigger", "entry", "expected"),
    [
        pytest.param(
            "{mqtt: 'request/+', guest: '${topic[3]}'}",
            "{mqtt: request/g, payload: {user: anna}}",
            ["1.00 g anna"],
            id="JSON",
        ),
        pytest.param(
            "{mqtt: 'request/+', guest: '${topic[3]}'}",
            '{mqtt: request/g, payload: \'{"user": "bert"}\', properties: {a: b}}',
            ["1.00 g bert"],
            id="a text that is JSON",
        ),
        pytest.param(
            "{mqtt: ops/reset, topic: absolute, guest: '${message.json.guest}'}",
            "{mqtt: ops/reset, topic: absolute, payload: {guest: g, user: c}}",
            ["1.00 g c"],
            id="absolute",
        ),
        pytest.param(
            "{mqtt: 'request/+', guest: '${topic[3]}'}",
            "{mqtt: request/g, payload: {user: anna}, retain: true}",
            [],
            id="retained",
        ),
        pytest.param(
            "{mqtt: 'request/+', guest: '${topic[3]}', max_age: 60s}",
            "{mqtt: request/g, payload: {user: anna}, age: 61s}",
            [],
            id="too old",
        ),
        pytest.param(
            "{mqtt: 'request/+', guest: '${topic[3]}', max_age: 60s}",
            "{mqtt: request/g, payload: {user: anna, sent_at: 1767225600}}",
            ["1.00 g anna"],
            id="its own time",
        ),
    ],
)
def test_messages(trigger: str, entry: str, expected: list[str]) -> None:
    """A message comes in as the broker would send it."""
    policy = _log(trigger, "${message.json.user}")
    assert logged(policy, f"timeline: [{{at: 1s, {entry[1:]}]\n") == expected


# --------------------------------------------------------------- restarts


def test_a_restart_goes_on_from_what_was_kept() -> None:
    """A delay that was under way ends when it would have ended."""
    policy = ON_STOP + "steps: [{delay: 10m}, {log: x}]\n"
    test = "timeline: [{at: 1s, event: STOP}, {at: 1m, restart: 30s}, {at: 70s, event: RESUME}]\n"
    assert logged(policy, test) == ["601.00 g x"]


def test_what_happens_while_reactor_is_down_is_made_up_for() -> None:
    """A guest that stood still meanwhile is found so; its QEMU may have ended, too."""
    policy = _log("{event: GUEST_PANICKED}", "${event.synthetic}")
    test = (
        "guests: {g: {}, h: {connected: false}}\n"
        "timeline:\n"
        "  - {at: 1m, restart: 30s}\n"
        "  - {at: 70s, event: GUEST_PANICKED, guest: g, data: {action: pause}}\n"
        "  - {at: 75s, connect: h}\n"
    )
    assert logged(policy, test) == ["90.00 g true"]


def test_answers_that_come_while_reactor_is_down_are_never_heard() -> None:
    """The dump's own event was missed; its status proves it."""
    policy = ON_STOP + "steps: [{guest: dump}, {log: x}]\n"
    test = (
        "simulate: {dump-guest-memory: {takes: 10s}}\n"
        "timeline: [{at: 1s, event: STOP}, {at: 5s, restart: 1m}]\n"
    )
    assert logged(policy, test) == ["65.00 g x"]


# ------------------------------------------------------------------ bounds


def test_policies_that_start_each_other_for_ever_end_the_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The number of inputs is bounded; the test is told why it ends."""
    monkeypatch.setattr(host_module, "INPUTS_MAX", 50)
    policy = ON_STOP + "timeout: 2d\nsteps: [{wait: {until: 'false', timeout: 1d}}]\n"
    over = played(policy, "timeline: [{at: 1s, event: STOP}]\n")
    assert [trouble.problem for trouble in over.troubles] == [
        "more than 50 inputs: policies seem to start each other for ever"
    ]


def test_two_plays_of_one_test_are_equal() -> None:
    """Nothing depends on the clock of the machine or on chance."""
    policy = (
        _log("{every: 15m, jitter: 30s}\ndebounce: 1s")
        + "---\n"
        + ON_STOP.replace("policy: p", "policy: q")
        + "steps: [{guest: dump}, {publish: t, payload: '${now()} ${run.id}'}]\n"
    )
    test = "policies: [p, q]\nlasts: 2h\ntimeline: [{at: 1s, event: STOP}]\n"
    assert done(policy, test) == done(policy, test)
