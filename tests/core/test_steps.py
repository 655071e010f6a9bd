"""Every verb and every option of a step, in virtual time."""

import itertools

import pytest

from reactor.core.config import EngineConfig
from reactor.core.effect import Execute, Log, Publish, RunChanged, Trace
from tests.core.simulation import Host


def _host(steps: str, more: str = "", **config: object) -> Host:
    text = f"policy: p\ndescription: d\ntrigger: {{event: GO}}\n{more}steps:\n{steps}"
    return Host([text], config=EngineConfig(host="h1", **config)).connect()  # type: ignore[arg-type]


def _go(host: Host, seconds: float = 60, **data: object) -> Host:
    host.event("web-1", "GO", data)
    return host.run(seconds)


def _error(host: Host) -> str:
    runs = [e for e in host.seen(RunChanged) if isinstance(e, RunChanged) and e.ended]
    return runs[-1].error


def test_publish_renders_its_topic_and_payload() -> None:
    """Types are kept where a template is the whole string."""
    host = _host(
        "  - publish: 'alert/${data.level}'\n    payload: {n: '${data.n}', t: 'n=${data.n}'}"
    )
    _go(host, level="info", n=3)
    assert host.published() == [("alert/info", {"n": 3, "t": "n=3"})]


@pytest.mark.parametrize(
    ("level", "problem"),
    [
        pytest.param("a/+", "publish: the topic 'alert/a/+' holds a wildcard", id="plus"),
        pytest.param("#", "publish: the topic 'alert/#' holds a wildcard", id="hash"),
        pytest.param("\0", "publish: the topic holds a NUL character", id="NUL"),
    ],
)
def test_a_guest_cannot_smuggle_wildcards_into_a_topic(level: str, problem: str) -> None:
    """What an event carries may not turn a topic into a filter."""
    host = _go(_host("  - publish: 'alert/${data.level}'"), level=level)
    assert host.published() == []
    assert _error(host) == problem


def test_publish_without_a_broker_succeeds_and_says_so() -> None:
    """A policy that also publishes works on a host without MQTT."""
    host = _go(_host("  - publish: a\n  - publish: b", has_broker=False))
    assert host.outcomes() == ["succeeded"]
    assert host.seen(Publish) == []
    assert host.verdicts().count("no broker configured") == 2


def test_a_mark_is_set_renewed_and_cleared() -> None:
    """A renewed mark is no new REACTOR_MARK_SET; a cleared one is gone."""
    host = _host("  - mark: {disk: '${data.node}', as: degraded, reason: '${data.why}'}")
    _go(host, node="sda", why="first")
    _go(host, node="sda", why="second")
    marks = list(host.engine.world.marks)
    assert [(m.id, m.word, m.reason) for m in marks] == [("sda", "degraded", "second")]
    assert host.marks() == ["web-1/disk/sda/degraded"] * 2


def test_clear_without_as_takes_every_mark_of_that_id() -> None:
    """And leaves those of other ids."""
    host = _host(
        "  - mark: {disk: sda, as: slow, reason: r}\n"
        "  - mark: {disk: sda, as: degraded, reason: r}\n"
        "  - mark: {disk: sdb, as: slow, reason: r}\n"
        "  - clear: {disk: sda}"
    )
    _go(host)
    assert [mark.id for mark in host.engine.world.marks] == ["sdb"]


def test_check_that_is_false_skips_the_run_with_the_values() -> None:
    """`finally` runs, `on_failure` does not."""
    host = _host(
        "  - check: data.n > 3\n  - publish: never",
        "finally: [{publish: last}]\non_failure: [{publish: failed}]\n",
    )
    _go(host, n=3)
    assert host.outcomes() == ["skipped"]
    assert [topic for topic, _ in host.published()] == ["last"]
    assert "data.n is 3" in _error(host)


def test_check_that_cannot_be_evaluated_fails_the_run() -> None:
    """An absent member is no answer."""
    host = _go(_host("  - check: data.absent == 1"))
    assert host.outcomes() == ["failed"]
    assert _error(host).startswith("check failed: ")


@pytest.mark.parametrize(
    ("verb", "outcome", "published"),
    [
        pytest.param("fail: no", "failed", ["failed", "last"], id="fail"),
        pytest.param("stop: enough", "stopped", ["last"], id="stop"),
    ],
)
def test_fail_and_stop_end_the_run(verb: str, outcome: str, published: list[str]) -> None:
    """Each with its handlers."""
    host = _host(
        f"  - {verb}\n  - publish: never",
        "finally: [{publish: last}]\non_failure: [{publish: failed}]\n",
    )
    _go(host)
    assert host.outcomes() == [outcome]
    assert [topic for topic, _ in host.published()] == published


def test_log_says_its_text_even_when_a_template_fails() -> None:
    """People are told what could not be told."""
    host = _go(_host("  - log: 'n is ${data.absent}'"))
    lines = [e.text for e in host.seen(Log) if isinstance(e, Log)]
    assert len(lines) == 1
    assert lines[0].startswith("n is <error: ")


def test_a_false_if_skips_only_its_step() -> None:
    """The run goes on with the next one."""
    host = _host("  - publish: a\n    if: data.n > 3\n  - publish: b")
    _go(host, n=1)
    assert [topic for topic, _ in host.published()] == ["b"]


def test_retry_tries_again_with_the_last_backoff_repeated() -> None:
    """`times` counts the attempts after the first."""
    host = _host("  - qmp: stop\n    retry: {times: 3, backoff: [1s, 5s]}")
    host.guests["web-1"].failing["stop"] = "no"
    host.event("web-1", "GO", {})
    host.run(60)
    at = [
        t - host.effects[0][0]
        for t, e in host.effects
        if isinstance(e, Execute) and e.command == "stop"
    ]
    assert [round(late - early) for early, late in itertools.pairwise(at)] == [1, 5, 5]
    assert host.outcomes() == ["failed"]


@pytest.mark.parametrize(
    ("options", "bounds"),
    [
        pytest.param("", [{"attempt": 1}], id="neither retries nor a timeout"),
        pytest.param(
            "    retry: {times: 1}",
            [{"attempt": 1, "of": 2}, {"attempt": 2, "of": 2}],
            id="retries",
        ),
        pytest.param("    timeout: 9s", [{"attempt": 1, "within": 9.0}], id="a timeout"),
    ],
)
def test_a_step_says_at_its_begin_how_often_and_how_long_it_may(
    options: str, bounds: list[dict[str, object]]
) -> None:
    """So the time line tells whether this attempt was the last one."""
    host = _host(f"  - qmp: stop\n{options}")
    host.guests["web-1"].failing["stop"] = "no"
    _go(host)
    begun = [e.values for e in host.seen(Trace) if isinstance(e, Trace) and e.verdict == "begun"]
    assert begun == bounds


def test_on_error_continue_goes_on_and_keeps_the_error() -> None:
    """The next step can look at it."""
    host = _host(
        "  - qmp: stop\n    on_error: continue\n    save: s\n"
        "  - publish: result\n    payload: {ok: '${steps.s.ok}', error: '${steps.s.error}'}"
    )
    host.guests["web-1"].failing["stop"] = "no"
    _go(host)
    assert host.outcomes() == ["succeeded"]
    assert host.published() == [("result", {"ok": False, "error": "stop: GenericError: no"})]


def test_save_keeps_the_reply() -> None:
    """With QMP's own hyphens when it is taken whole."""
    host = _host(
        "  - qmp: query-dump\n    save: q\n  - publish: r\n    payload: '${steps.q.result}'"
    )
    _go(host)
    assert host.published() == [("r", {"status": "none", "completed": 0, "total": 0})]


def test_a_step_that_takes_too_long_fails() -> None:
    """Its timeout covers its waits."""
    host = _host("  - wait: {event: NEVER}\n    timeout: 10s\n    name: patience")
    _go(host)
    assert host.outcomes() == ["failed"]
    assert _error(host) == "the step did not end within 10s"


def test_a_run_that_takes_too_long_times_out() -> None:
    """on_failure knows the outcome."""
    host = _host(
        "  - wait: {event: NEVER}",
        "timeout: 10s\non_failure: [{publish: f, payload: '${run.outcome}'}]\n",
    )
    _go(host)
    assert host.outcomes() == ["timed-out"]
    assert host.published() == [("f", "timed-out")]


def test_a_wait_goes_on_at_the_event_that_fits() -> None:
    """A where that is false goes on waiting."""
    host = _host("  - wait: {event: [A, 'B*'], where: data.n == 2}\n  - publish: 'got/${data.x}'")
    _go(host, 1, x="go")
    host.event("web-1", "A", {"n": 1})
    host.event("web-1", "C", {"n": 2})
    host.run(1)
    assert host.published() == []
    host.event("web-1", "BC", {"n": 2})
    host.run(1)
    assert [topic for topic, _ in host.published()] == ["got/go"]


def test_fail_when_fails_the_wait_at_once() -> None:
    """With the condition in the reason."""
    host = _host("  - wait: {event: A, where: data.n == 2, fail_when: data.n < 0}")
    _go(host, 1)
    host.event("web-1", "A", {"n": -1})
    host.run(1)
    assert _error(host) == "A came and `fail_when` holds: data.n < 0"


def test_the_wait_of_a_qmp_step_catches_an_event_before_the_reply() -> None:
    """QEMU sends STOP before the return of `stop`."""
    host = _host("  - qmp: stop\n    wait: {event: STOP, timeout: 5s}")
    _go(host)
    assert host.outcomes() == ["succeeded"]


def test_a_wait_of_its_own_does_not_see_what_came_before() -> None:
    """That is why the wait belongs on the step."""
    host = _host("  - qmp: stop\n  - wait: {event: STOP, timeout: 5s}")
    _go(host)
    assert _error(host) == "STOP did not come within 5s"


def test_wait_until_asks_again_and_again() -> None:
    """Every 250 ms, and at every event of the guest."""
    host = _host('  - wait: {until: guest.status == "paused", timeout: 30s}')
    host.at(7, lambda: setattr(host.guests["web-1"], "status", "paused"))
    _go(host, 8)
    assert host.outcomes() == ["succeeded"]
    asked = [
        e for e in host.seen(Execute) if isinstance(e, Execute) and e.command == "query-status"
    ]
    assert 25 <= len(asked) <= 35


def test_wait_until_fails_at_its_timeout() -> None:
    """With the condition in the reason."""
    host = _host('  - wait: {until: guest.status == "paused", timeout: 3s}')
    _go(host)
    assert _error(host) == '`guest.status == "paused"` did not hold within 3s'


def test_a_command_outside_the_allow_list_is_not_sent() -> None:
    """The reason names the setting."""
    host = _go(_host("  - qmp: quit"))
    assert host.commands() == []
    assert _error(host) == "refused: quit is not in the settings' qmp.allow"


def test_a_command_on_the_allow_list_is_sent() -> None:
    """The operator of the host said so."""
    host = _go(_host("  - qmp: quit", allow=frozenset({"quit"})))
    assert host.commands() == ["quit"]


@pytest.mark.parametrize(
    ("to", "problem"),
    [
        pytest.param(
            "/etc/passwd",
            "the dump path /etc/passwd is outside dumps.folder (/var/crash) and dumps.allow",
            id="absolute elsewhere",
        ),
        pytest.param(
            "../etc/x",
            "the dump path /var/etc/x is outside dumps.folder (/var/crash) and dumps.allow",
            id="dots",
        ),
        pytest.param(
            "/var/crash",
            "the dump path /var/crash is outside dumps.folder (/var/crash) and dumps.allow",
            id="the folder itself",
        ),
    ],
)
def test_a_dump_stays_in_its_folder(to: str, problem: str) -> None:
    """Nothing is sent otherwise."""
    host = _go(_host(f"  - guest: dump\n    to: {to}\n    format: elf"))
    assert host.commands() == []
    assert _error(host) == problem


def test_what_a_guest_chose_cannot_lead_out_of_the_folder() -> None:
    """Template parts of a path are slugged."""
    host = _go(
        _host("  - guest: dump\n    to: '${data.name}.elf'\n    format: elf"), name="../../etc/x"
    )
    assert host.files == ["file:/var/crash/etc-x.elf"]


def test_a_lost_reply_is_an_unknown_outcome_and_never_repeated() -> None:
    """Neither retry nor continue swallows it."""
    host = _host(
        "  - qmp: system_powerdown\n    on_error: continue\n    retry: {times: 3}",
        "on_failure: [{publish: f, payload: '${run.outcome}'}]\n",
    )
    host.guests["web-1"].silent.add("system_powerdown")
    _go(host, 120)
    assert host.outcomes() == ["unknown"]
    assert host.commands() == ["system_powerdown"]
    assert host.published() == [("f", "unknown")]


def test_an_idempotent_command_is_sent_again_when_its_reply_was_lost() -> None:
    """`stop` twice is `stop` once."""
    host = _host("  - qmp: stop")
    guest = host.guests["web-1"]
    guest.silent.add("stop")
    _go(host, 30)
    guest.silent.clear()
    host.run(60)
    assert host.commands() == ["stop", "stop"]
    assert host.outcomes() == ["succeeded"]


def test_a_command_waits_for_a_monitor_that_is_away() -> None:
    """It certainly was not sent, so it is sent when the monitor is back."""
    host = _host("  - delay: 5s\n  - qmp: stop")
    _go(host, 1)
    host.disconnect("web-1")
    host.run(20)
    assert host.commands() == []
    host.connect()
    host.run(5)
    assert host.commands() == ["stop"]


def test_two_runs_take_turns_at_one_guest() -> None:
    """A changing step holds the guest to its end, its wait included."""
    head = "description: d\ntrigger: {event: GO}\nsteps:\n"
    first = f"policy: a\n{head}  - qmp: stop\n    wait: {{event: SIGN}}\n"
    second = f"policy: b\n{head}  - qmp: system_powerdown\n"
    host = Host([first, second]).connect()
    _go(host, 5)
    assert host.commands() == ["stop"]
    host.event("web-1", "SIGN", {})
    host.run(1)
    assert host.commands() == ["stop", "system_powerdown"]


def test_a_storage_daemon_has_no_guest_to_reset() -> None:
    """The verb is refused, a raw command is not."""
    host = Host(["policy: p\ndescription: d\ntrigger: {event: GO}\nsteps:\n  - guest: reset\n"])
    host.guests["web-1"].kind = "storage-daemon"
    host.connect()
    _go(host)
    assert _error(host) == "guest: reset: web-1 is a storage daemon, it has no guest"


@pytest.mark.parametrize(
    ("status", "commands", "outcome"),
    [
        pytest.param("running", [], "succeeded", id="running already"),
        pytest.param("paused", ["cont"], "succeeded", id="paused"),
        pytest.param("prelaunch", ["cont"], "succeeded", id="prelaunch"),
        pytest.param("suspended", ["system_wakeup"], "succeeded", id="suspended"),
        pytest.param("guest-panicked", [], "failed", id="panicked"),
        pytest.param("postmigrate", [], "failed", id="postmigrate"),
        pytest.param("shutdown", [], "failed", id="shutdown"),
    ],
)
def test_resume(status: str, commands: list[str], outcome: str) -> None:
    """What is sent in which state."""
    host = _host("  - guest: resume")
    host.guests["web-1"].status = status
    _go(host)
    assert host.commands() == commands
    assert host.outcomes() == [outcome]


def test_a_guest_that_does_not_wake_up() -> None:
    """Some systems only do at a key; the step says what the guest is still in."""
    host = _host("  - guest: resume")
    host.guests["web-1"].status = "suspended"
    host.guests["web-1"].stays_suspended = True
    _go(host)
    assert host.commands() == ["system_wakeup"]
    assert host.outcomes() == ["failed"]
    assert "suspended" in _error(host)


@pytest.mark.parametrize(
    ("status", "commands"),
    [
        pytest.param("running", ["stop"], id="running"),
        pytest.param("paused", [], id="stopped already"),
        pytest.param("guest-panicked", [], id="panicked already"),
    ],
)
def test_pause(status: str, commands: list[str]) -> None:
    """A guest that stands still needs no command."""
    host = _host("  - guest: pause")
    host.guests["web-1"].status = status
    _go(host)
    assert host.commands() == commands
    assert host.outcomes() == ["succeeded"]


def test_raw_cont_is_refused_on_a_panicked_guest() -> None:
    """QEMU would accept it, and a dead kernel would run on."""
    host = _host("  - qmp: cont")
    host.guests["web-1"].status = "guest-panicked"
    _go(host)
    assert host.commands() == []
    assert _error(host) == "refused: cont must not be sent to a guest in guest-panicked"


def test_the_settings_limit_what_all_policies_do_together() -> None:
    """The second reset within the hour fails its step with the reason."""
    from reactor.core.policy import Limit, LimitScope  # noqa: PLC0415

    limit = Limit(1, 3600.0, LimitScope.GUEST, "1 per 1h per guest")
    host = _host("  - guest: reset", limits={"reset": (limit,)})
    _go(host)
    _go(host)
    assert host.commands() == ["system_reset"]
    assert _error(host) == "refused: the settings' limit for reset is reached (1 per 1h per guest)"


def test_every_step_leaves_a_trace_with_its_path() -> None:
    """Begun and done, keyed by the place in the policy."""
    host = _go(_host("  - publish: a\n  - log: b"))
    steps = [
        (e.path, e.verdict)
        for e in host.seen(Trace)
        if isinstance(e, Trace) and e.path.startswith("steps")
    ]
    assert steps == [
        ("steps/0", "begun"),
        ("steps/0", "done"),
        ("steps/1", "begun"),
        ("steps/1", "done"),
    ]


def test_a_wait_saves_the_data_of_its_event() -> None:
    """A wait of its own has nothing else to save; on a command the return goes first."""
    host = _host(
        "  - wait: {event: [DONE], timeout: 10s}\n    save: seen\n"
        "  - qmp: query-status\n    wait: {event: DONE, timeout: 10s}\n    save: asked\n"
        '  - log: "${steps.seen.result.n} ${steps.asked.result.status}"\n'
    )
    host.event("web-1", "GO", {})
    host.run(1)
    host.event("web-1", "DONE", {"n": 5})
    host.run(1)
    host.event("web-1", "DONE", {"n": 6})
    host.run(1)
    assert [line.text for line in host.seen(Log) if isinstance(line, Log)] == ["5 running"]
