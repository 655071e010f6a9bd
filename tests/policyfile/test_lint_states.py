"""Commands that do something else in the run state that the guest is in, and bounds of them."""

import pytest

from tests.policyfile.linting import HEAD, codes, found, sentences

ARM = "arm: [{guest: preserve-on-panic}]\n"
PANIC = "trigger: {event: GUEST_PANICKED}\n"
PAUSED = "trigger: {event: GUEST_PANICKED, where: data.action == 'pause'}\n"
LIMIT = "limits: [9 per 1h per guest]\n"
DISK = "trigger: {event: BLOCK_IO_ERROR}\n"
CAPS = "qmp: migrate-set-capabilities, args: {capabilities: []}"


def only(code: str, text: str) -> list[str]:
    """The paths of the findings of one code."""
    return [one.removeprefix(f"{code} ") for one in codes(text) if one.startswith(code)]


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        pytest.param(f"{PANIC}steps: [{{guest: reset}}]\n", ["steps/0"], id="nothing is armed"),
        pytest.param(f"{PAUSED}steps: [{{guest: reset}}]\n", ["steps/0"], id="only when it paused"),
        pytest.param(
            "trigger: {event: GUEST_PANICKED, where: data.action == 'run'}\n"
            "steps: [{guest: reset}]\n",
            [],
            id="a guest that runs on",
        ),
        pytest.param(
            "trigger: [{event: GUEST_PANICKED}, {event: WATCHDOG}]\n"
            "steps: [{choose: [{when: event.name == 'WATCHDOG', steps: [{guest: reset}]}]}]\n",
            [],
            id="perhaps for another event",
        ),
        pytest.param(
            "trigger: [{event: GUEST_PANICKED}, {every: 1d}]\nsteps: [{guest: dump}]\n",
            ["steps/0"],
            id="for each event",
        ),
    ],
)
def test_what_needs_a_panic_to_be_armed(text: str, paths: list[str]) -> None:
    """A dump or reset that certainly finds a guest that is gone."""
    assert only("R030", text + LIMIT) == paths


@pytest.mark.parametrize(
    ("other", "paths"),
    [
        pytest.param(f"{ARM}", [], id="for all guests"),
        pytest.param(f"guests: {{name: web-1}}\n{ARM}", [], id="for this guest"),
        pytest.param(f"guests: {{name: web-2}}\n{ARM}", ["steps/0"], id="for another guest"),
        pytest.param("arm: [{qmp: query-status}]\n", ["steps/0"], id="something else"),
    ],
)
def test_what_another_policy_arms_is_armed(other: str, paths: list[str]) -> None:
    """Where it selects all guests that this one does."""
    first = f"{HEAD}guests: {{name: web-1}}\n{PANIC}{LIMIT}steps: [{{guest: reset}}]\n"
    second = f"---\npolicy: q\ndescription: d\ntrigger: {{every: 1d}}\n{other}steps: [{{log: x}}]\n"
    assert [one.path for one in found(first + second) if one.code.value == "R030"] == paths


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        pytest.param("if: guest.status == 'running'\nsteps: [{qmp: system_reset}]\n", [], id="if"),
        pytest.param(
            "steps: [{check: guest.status == 'running'}, {qmp: system_reset}]\n", [], id="a check"
        ),
        pytest.param("steps: [{qmp: system_reset}]\nfinally: [{qmp: cont}]\n", [], id="at the end"),
        pytest.param(
            "steps: [{log: x}]\nfinally: [{qmp: system_reset}, {log: x}]\n",
            ["finally/0"],
            id="in a handler",
        ),
        *(
            pytest.param(f"steps: [{{qmp: system_reset}}, {{{verb}}}]\n", [], id=verb)
            for verb in ("guest: start", "guest: destroy", "guest: reboot", "qmp: quit")
        ),
        pytest.param(
            "steps: [{qmp: system_reset}, {guest: pause}]\n", ["steps/0"], id="it is not to run"
        ),
    ],
)
def test_a_reset_that_leaves_a_guest_stopped(text: str, paths: list[str]) -> None:
    """Where the guest may have stood still and nothing lets it run."""
    assert only("R031", f"trigger: {{event: SUSPEND}}\n{text}") == paths


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        pytest.param(f"{ARM}{PANIC}steps: [{{qmp: cont}}]\n", ["steps/0"], id="armed"),
        pytest.param(
            f"{ARM}{PAUSED}steps: [{{log: x}}, {{delay: 1m}}, {{guest: resume}}]\n",
            ["steps/2"],
            id="behind what changes nothing",
        ),
        pytest.param(
            f"{PANIC}if: guest.status == 'guest-panicked'\nsteps: [{{qmp: cont}}]\n",
            ["steps/0"],
            id="the status says so",
        ),
        pytest.param(f"{PANIC}steps: [{{qmp: cont}}]\n", [], id="it may run on"),
        pytest.param(
            f"{ARM}{PANIC}if: guest.status == 'paused'\nsteps: [{{qmp: cont}}]\n",
            [],
            id="somebody paused it",
        ),
        pytest.param(
            f"{ARM}trigger: {{event: GUEST_PANICKED, where: data.action == 'run'}}\n"
            "steps: [{qmp: cont}]\n",
            [],
            id="the action is another",
        ),
        pytest.param(f"{ARM}{PANIC}steps: [{{qmp: stop}}, {{qmp: cont}}]\n", [], id="not next"),
        pytest.param(f"{ARM}{PANIC}steps: [{{guest: dump}}]\n", [], id="it stays"),
        pytest.param(
            f"{ARM}trigger: [{{event: GUEST_PANICKED}}, {{every: 1d}}]\nsteps: [{{qmp: cont}}]\n",
            [],
            id="another trigger",
        ),
        pytest.param(
            f"{ARM}{PANIC}steps: [{{if: guest.migrating, qmp: cont}}, {{log: x}}]\n",
            [],
            id="not for certain",
        ),
    ],
)
def test_a_panicked_guest_that_is_to_go_on(text: str, paths: list[str]) -> None:
    """Only where it certainly has panicked, and nothing was done about it."""
    assert only("R032", text) == paths


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        pytest.param(f"{DISK}steps: [{{guest: resume}}]\n", ["steps/0"], id="at once"),
        pytest.param(
            f"{DISK}if: guest.status == 'io-error'\nsteps: [{{publish: a}}, {{qmp: cont}}]\n",
            ["steps/1"],
            id="behind what takes no time",
        ),
        pytest.param(f"{DISK}steps: [{{delay: 1s}}, {{qmp: cont}}]\n", [], id="after a pause"),
        pytest.param(f"{DISK}steps: [{{log: x}}]\n", [], id="it is left"),
        pytest.param(
            "trigger: {event: BLOCK_IO_ERROR, where: data.action == 'report'}\n"
            "steps: [{qmp: cont}]\n",
            [],
            id="errors that stop nobody",
        ),
        pytest.param(
            "trigger: {event: BLOCK_IO_ERROR, count: 2, within: 1m}\nsteps: [{qmp: cont}]\n",
            [],
            id="not at each",
        ),
        *(
            pytest.param(f"{DISK}{key}\nsteps: [{{qmp: cont}}]\n", [], id=key)
            for key in (
                "cooldown: 1m",
                "debounce: 1m",
                "approval: {ask: x}",
                "inhibit_if: guest.migrating",
                "if: guest.memory > 5 || guest.migrating",
                "if: guest.name == 'a'",
                "limits: [5 per 1h per guest]",
            )
        ),
        pytest.param(
            f"{DISK}limits: [1 at once per host]\nsteps: [{{qmp: cont}}]\n",
            ["steps/0"],
            id="one at once is no bound",
        ),
    ],
)
def test_a_guest_that_goes_on_at_once(text: str, paths: list[str]) -> None:
    """Where nothing slows it down."""
    assert only("R043", text) == paths


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        pytest.param(f"{PANIC}steps: [{{guest: reset}}]\n", ["steps/0"], id="a reset"),
        pytest.param("trigger: {event: WATCHDOG}\nsteps: [{guest: reboot}]\n", ["steps/0"], id="b"),
        pytest.param(
            f"{PANIC}steps: [{{log: x}}, {{qmp: system_reset}}]\n", ["steps/1"], id="a raw one"
        ),
        pytest.param(
            f"{PANIC}steps: [{{run: restart}}]\n", ["steps/0/run/steps/0"], id="a runbook"
        ),
        pytest.param(
            "trigger: {state: guest.status == 'io-error', for: 59s}\nsteps: [{guest: reset}]\n",
            ["steps/0"],
            id="a state",
        ),
        pytest.param(
            "trigger: {state: guest.status == 'io-error', for: 60s}\nsteps: [{guest: reset}]\n",
            [],
            id="a state that lasts",
        ),
        pytest.param("trigger: {event: SHUTDOWN}\nsteps: [{guest: reset}]\n", [], id="no fault"),
        pytest.param("trigger: {every: 1m}\nsteps: [{guest: reset}]\n", [], id="by the clock"),
        pytest.param(
            "trigger: {event: WATCHDOG, count: 2, within: 1m}\nsteps: [{guest: reset}]\n",
            [],
            id="not at each",
        ),
        pytest.param(
            "trigger: {event: WATCHDOG, not_followed_by: {event: RESET, within: 1m}}\n"
            "steps: [{guest: reset}]\n",
            [],
            id="after a while",
        ),
        pytest.param(
            "trigger: {event: WATCHDOG, followed_by: {event: STOP, within: 1m}}\n"
            "steps: [{guest: reset}]\n",
            ["steps/0"],
            id="as soon as the second comes",
        ),
        *(
            pytest.param(f"{PANIC}{key}\nsteps: [{{guest: reset}}]\n", [], id=key)
            for key in (
                "cooldown: 1m",
                "debounce: 1m",
                "approval: {ask: x}",
                "inhibit_if: marked('guest', 'self', 'x')",
                "if: guest.marks.size() == 0",
                "limits: [5 per 1h per guest]",
            )
        ),
        *(
            pytest.param(f"{PANIC}steps: [{steps}]\n", [], id=steps)
            for steps in (
                "{if: run.nth < 3, guest: reset}",
                "{check: run.nth < 3}, {guest: reset}",
                "{choose: [{when: run.nth < 3, steps: [{guest: reset}]}, {default: [{log: x}]}]}",
                "{guest: reset}, {delay: 1m}",
            )
        ),
        pytest.param(
            f"{PANIC}if: guest.status == 'guest-panicked'\n"
            "steps: [{if: guest.migrating, guest: reset}, {delay: 59s}]\n",
            ["steps/0"],
            id="what bounds nothing",
        ),
        pytest.param(
            "trigger: {event: WATCHDOG, where: data.action == 'pause'}\nmode: restart\n"
            "steps: [{log: x}, {guest: dump}]\n",
            ["steps/1"],
            id="a dump that begins anew",
        ),
        pytest.param(
            "trigger: {event: WATCHDOG}\nmode: restart\nsteps: [{log: x}, {guest: pause}]\n",
            [],
            id="what may begin anew",
        ),
        pytest.param(
            "trigger: {event: WATCHDOG}\nmode: queued\nsteps: [{qmp: dump-guest-memory}]\n",
            [],
            id="a dump that ends",
        ),
    ],
)
def test_what_nothing_bounds(text: str, paths: list[str]) -> None:
    """A reset for each fault, or a dump that each fault begins anew."""
    assert only("R042", ARM + text) == paths


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        pytest.param(
            "trigger: {event: [STOP, MIGRATION]}\nsteps: [{log: x}]\n",
            ["trigger/event/1"],
            id="a trigger",
        ),
        pytest.param(
            "trigger: {every: 1d}\nsteps: [{qmp: migrate, wait: {event: MIGRATION}}]\n",
            ["steps/0/wait/event"],
            id="a wait on a command",
        ),
        pytest.param(
            "trigger: {event: STOP}\nsteps: [{log: x}]\nfinally: [{wait: {event: MIGRATION}}]\n",
            ["finally/0/wait/event"],
            id="a wait",
        ),
        pytest.param(
            f"trigger: {{event: MIGRATION}}\narm: [{{{CAPS}}}]\nsteps: [{{log: x}}]\n",
            [],
            id="armed",
        ),
        pytest.param(
            f"trigger: {{every: 1d}}\nsteps: [{{{CAPS}}}, {{wait: {{event: MIGRATION}}}}]\n",
            [],
            id="set by a step",
        ),
        pytest.param("trigger: {event: '*'}\nsteps: [{log: x}]\n", [], id="any event"),
    ],
)
def test_events_of_migrations_that_do_not_come(text: str, paths: list[str]) -> None:
    """Told where they are named and nobody sets the capability."""
    assert only("R035", text) == paths


def test_a_capability_that_another_policy_arms() -> None:
    """Is there for both."""
    first = f"{HEAD}trigger: {{event: MIGRATION}}\nsteps: [{{log: x}}]\n"
    other = "---\npolicy: q\ndescription: d\ntrigger: {event: STOP}\nsteps: [{log: x}]\n"
    assert [one.code.value for one in found(first + other)] == ["R035"]
    assert found(f"{first}{other}arm: [{{{CAPS}}}]\n") == ()


def test_the_sentences() -> None:
    """Whole, with places and fixes."""
    text = (
        f"{ARM}trigger: [{{event: GUEST_PANICKED}}, {{event: [MIGRATION]}}]\nmode: restart\n"
        "steps: [{guest: dump}]\n"
    )
    assert sentences(text) == (
        "warning: f:4:45: R035 QEMU sends MIGRATION only with the migration capability `events`\n"
        "  fix: add `arm: [{qmp: migrate-set-capabilities, args: {capabilities: [{capability:"
        " events, state: true}]}}]`\n"
        "warning: f:6:9: R042 each match ends the dump and begins it anew: it may never be whole\n"
        "  fix: take `mode: queued`, or add `limits` or a `cooldown`\n"
    )
    assert sentences(f"{ARM}{PANIC}steps: [{{qmp: cont}}, {{guest: reset}}]\n") == (
        "warning: f:5:9: R032 a guest that has panicked is not let go on: its kernel is dead\n"
        "  fix: use `guest: reset`\n"
        "warning: f:5:22: R042 nothing bounds how often the guest is started anew, and the fault"
        " may come again each time\n"
        "  fix: add limits, such as `limits: [3 per 1h per guest]`, or a `cooldown`\n"
    )
    assert sentences(f"{DISK}steps: [{{qmp: cont}}]\n") == (
        "warning: f:4:9: R043 the guest meets the same error at once, and this runs again: many"
        " times a second\n  fix: put a `delay` before it, and `limits` into the policy\n"
    )
