"""The effects of policies as their authors think of them."""

import pytest

from reactor.app.scenario import recorder as module
from reactor.core.effect import Log, Reply
from reactor.policyfile.check import load_text
from tests.app.scenario.plays import ON_STOP, done, played, verbs

_GO = "timeline: [{at: 1s, event: STOP}]\n"


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        pytest.param(
            "[{guest: dump, to: '${guest.name}.dump', format: elf}]",
            ["guest: dump  to: /var/crash/g.dump  format: elf"],
            id="dump",
        ),
        pytest.param("[{guest: reset}]", ["guest: reset"], id="two commands, one effect"),
        pytest.param("[{guest: pause}]", [], id="nothing was to be done"),
        pytest.param("[{guest: shutdown, on_error: continue}]", [], id="refused by a guard"),
        pytest.param(
            "[{qmp: balloon, args: {value: 1}}]", ['qmp: balloon  args: {"value":1}'], id="qmp"
        ),
        pytest.param("[{qmp: query-name}]", ["qmp: query-name"], id="a query of the policy"),
        pytest.param("[{agent: guest-ping, on_error: continue, timeout: 6s}]", [], id="no agent"),
        pytest.param(
            "[{publish: a/b}, {publish: c, payload: {x: 1}, qos: 2, retain: true,"
            " properties: {k: v}}]",
            [
                "publish: a/b",
                'publish: c  payload: {"x":1}  qos: 2  retain: true  properties: {"k":"v"}',
            ],
            id="publish",
        ),
        pytest.param(
            "[{mark: {disk: d, as: bad}}, {mark: {disk: d, as: bad}}, {clear: {disk: d}},"
            " {clear: {disk: d}}]",
            [
                'mark: {"disk":"d","as":"bad","reason":""}',
                'mark: {"disk":"d","as":"bad","reason":""}',
                'clear: {"disk":"d","as":"bad","reason":""}',
            ],
            id="marks: renewed is set again, what is not there is not cleared",
        ),
        pytest.param(
            "[{mark: {guest: self, as: odd, expires: 1m}}, {delay: 2m}]",
            [
                'mark: {"guest":"self","as":"odd","reason":""}',
                'clear: {"guest":"self","as":"odd","reason":""}',
            ],
            id="a mark that expires",
        ),
        pytest.param("[{log: x}]", ["log: x"], id="log"),
        pytest.param(
            "[{http: {url: 'http://p/', json: {a: 1}, headers: {K: v}}}]",
            [
                'http: {"method":"POST","url":"http://p/","json":{"a":1},"headers":{"K":"v"}}',
            ],
            id="http",
        ),
        pytest.param("[{exec: [/bin/x, a]}]", ['exec: ["/bin/x","a"]'], id="exec"),
        pytest.param(
            "[{inhibit: {policies: [a, 'b-*'], for: 1h}}]",
            ['inhibit: {"policies":["a","b-*"],"for":3600.0}'],
            id="inhibit",
        ),
        pytest.param("[{check: 'false'}, {log: x}]", [], id="check has no effect"),
    ],
)
def test_effects(steps: str, told: list[str]) -> None:
    """One line for each, in order; the end of the run is one, too."""
    found = verbs(ON_STOP + f"steps: {steps}\n", "guests: {g: {agent: false}}\n" + _GO)
    assert [line for line in found if not line.startswith("run:")] == told


def test_a_guest_step_is_one_effect_for_each_attempt() -> None:
    """At the time its first command is sent; waiting for a dump to end is no attempt."""
    steps = "steps: [{guest: dump, retry: {times: 2, backoff: 1m}}]\n"
    test = "simulate: {dump-guest-memory: [{fails: no, times: 2}, {takes: 10s}]}\n" + _GO
    found = [line for line in done(ON_STOP + steps, test) if "guest: dump" in line]
    assert [line.split()[0] for line in found] == ["1.00", "61.01", "121.01"]


def test_a_dump_that_must_wait_its_turn_is_one_effect() -> None:
    """`dump in process` means: once more, in the same attempt."""
    steps = "steps: [{guest: dump}]\n"
    busy = "There is a dump in process, please wait."
    test = f"simulate: {{dump-guest-memory: [{{fails: '{busy}', times: 3}}]}}\n" + _GO
    assert len([line for line in verbs(ON_STOP + steps, test) if "guest: dump" in line]) == 1


def test_rounds_and_branches_are_effects_of_their_own() -> None:
    """A step that is done again is done again; branches tell theirs apart."""
    steps = (
        "steps:\n"
        "  - repeat: {times: 3, until: 'false'}\n"
        "    on_error: continue\n"
        "    steps: [{guest: reset}]\n"
        "  - parallel: [[{guest: reset}, {log: a}], [{qmp: inject-nmi}, {log: b}]]\n"
    )
    found = [line for line in verbs(ON_STOP + steps, _GO) if not line.startswith("run:")]
    assert found.count("guest: reset") == 4
    assert sorted(line for line in found if line != "guest: reset") == [
        "log: a",
        "log: b",
        "qmp: inject-nmi",
    ]


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        pytest.param("[{log: x}]", "run: p  outcome: succeeded", id="succeeded"),
        pytest.param("[{stop: enough}]", "run: p  outcome: stopped  error: enough", id="stopped"),
        pytest.param(
            "[{name: try, fail: no}]",
            "run: p  outcome: failed  error: no  failed_step: try",
            id="failed, by the step's name",
        ),
        pytest.param(
            "[{guest: shutdown, timeout: 1m}]",
            "run: p  outcome: failed  error: refused: a guest in paused cannot shut itself down"
            "  failed_step: steps/0",
            id="failed, by its path",
        ),
    ],
)
def test_runs(steps: str, told: str) -> None:
    """Its outcome, the reason, and the step that failed."""
    assert verbs(ON_STOP + f"steps: {steps}\n", _GO)[-1] == told


def test_audit_has_no_effect() -> None:
    """What would have been done shows in the run's outcome."""
    policy = ON_STOP + "enforcement: audit\nsteps: [{guest: reset}]\n"
    assert verbs(policy, _GO) == ["run: p  outcome: would run"]


def test_effects_of_handlers_and_arms() -> None:
    """They are effects like all others; an arm's are told at the start, and have no run to end."""
    policy = (
        ON_STOP
        + "arm: [{guest: preserve-on-panic}]\nlimits: [1 per 1h per guest]\n"
        + "on_limit: [{log: limited}]\non_failure: [{log: failed}]\nfinally: [{log: last}]\n"
        + "steps: [{fail: x}]\n"
    )
    test = "timeline: [{at: 1s, event: STOP}, {at: 2s, event: STOP}]\n"
    assert done(policy, test) == [
        "0.00 g  guest: preserve-on-panic",
        "1.00 g  log: failed",
        "1.00 g  log: last",
        "1.00 g  run: p  outcome: failed  error: x  failed_step: steps/0",
        "2.00 g  log: limited",
    ]


def test_effects_inside_of_runbooks() -> None:
    """They are found by their path, in the policy that runs the runbook."""
    policy = (
        "runbook: book\ndescription: d\nparams: {t: {type: string}}\n"
        "steps: [{publish: 'x/${params.t}'}, {guest: dump, to: '${params.t}'}]\n---\n"
        + ON_STOP
        + "steps: [{run: book, with: {t: a}}]\n"
    )
    assert verbs(policy, _GO)[:2] == [
        "publish: x/a",
        "guest: dump  to: /var/crash/a  format: kdump-zlib",
    ]
    published, dumped = [
        d for d in played(policy, _GO).recorder.deeds if d.verb in {"publish", "guest"}
    ]
    assert published.written == {"publish": "x/${params.t}", "payload": None}
    assert dumped.written["to"] == ("${params.t}", "a")


def test_what_is_written_is_kept_beside_what_was_rendered() -> None:
    """An expectation may be written either way."""
    policy = (
        ON_STOP + "steps: [{publish: t, payload: {a: ['${guest.name}', 1]}}, {log: '${now()}'}]\n"
    )
    published, line, _ = played(policy, _GO).recorder.deeds
    assert published.written["payload"] == {"a": ["${guest.name}", 1]}
    assert line.written == {"log": "${now()}"}


def test_traces_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond it are counted."""
    monkeypatch.setattr(module, "TRACES_MAX", 2)
    recorder = played(ON_STOP + "steps: [{log: x}]\n", _GO).recorder
    assert (len(recorder.traces), recorder.traces_dropped) == (2, 1)


def test_replies_are_kept() -> None:
    """For the entry that they answer."""
    recorder = played(
        ON_STOP + "steps: [{log: x}]\n", "timeline: [{at: 1s, trigger: p}]\n"
    ).recorder
    (reply,) = recorder.replies
    assert isinstance(reply, Reply)
    assert reply.ok


def test_an_effect_of_an_unknown_policy_is_told_without_what_it_writes() -> None:
    """The recorder knows no more than it is given."""
    found = load_text(ON_STOP + "steps: [{log: x}]\n", "t.yaml")
    recorder = module.Recorder(found.policies, 0.0, "/var/crash")
    recorder.see(1.0, Log("info", "x", "other", "g", "r-1", "steps/0"))
    (deed,) = recorder.deeds
    assert (deed.written, deed.target, deed.policy) == ({}, "g", "")
