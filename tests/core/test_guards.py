"""The run-state guard, state by state."""

import pytest

from reactor.core.guards import DUMP_PAUSE, Answer, GuestState, Rule, Ruling, facts_needed, rule_on

NOW = 100.0


def _state(
    status: str = "running",
    *,
    dump: bool = False,
    migrating: bool = False,
    dump_ended: float | None = None,
) -> GuestState:
    return GuestState(status, dump, migrating, dump_ended)


ALLOW = Ruling(Answer.ALLOW)
AWAY = Ruling(Answer.WAIT, "the monitor is away")
SAVING = Ruling(Answer.WAIT, "the guest is in save-vm")
DUMPING = Ruling(Answer.WAIT, "a dump is active")


@pytest.mark.parametrize("rule", [rule for rule in Rule if rule is not Rule.START])
def test_nothing_goes_to_a_guest_whose_monitor_is_away(rule: Rule) -> None:
    """Whatever the command."""
    assert rule_on(rule, _state("disconnected"), NOW) == AWAY


def test_a_guest_without_a_qemu_cannot_be_started_from_here() -> None:
    """QMP starts no process: who waits for one would wait for ever."""
    refusal = Ruling(Answer.REFUSE, "no QEMU answers: who runs it must start it")
    assert rule_on(Rule.START, _state("disconnected"), NOW) == refusal


IN_ANY_STATE = {Rule.DESTROY, Rule.INJECT_NMI}


@pytest.mark.parametrize("rule", [r for r in Rule if r not in {Rule.DUMP, *IN_ANY_STATE}])
def test_nothing_but_a_dump_goes_to_a_guest_in_save_vm(rule: Rule) -> None:
    """QEMU 7.2 aborted in 15 of 15 tries at a reset there; a dump waits too, by its own rule."""
    assert rule_on(rule, _state("save-vm"), NOW) == SAVING


@pytest.mark.parametrize(
    ("state", "ruling"),
    [
        pytest.param(_state("guest-panicked"), ALLOW, id="panicked"),
        pytest.param(_state("running"), ALLOW, id="running"),
        pytest.param(_state("postmigrate"), ALLOW, id="postmigrate"),
        pytest.param(
            _state("inmigrate"),
            Ruling(Answer.REFUSE, "a guest in inmigrate cannot be dumped"),
            id="inmigrate",
        ),
        pytest.param(_state("save-vm"), SAVING, id="save-vm"),
        pytest.param(
            _state("restore-vm"),
            Ruling(Answer.WAIT, "the guest is in restore-vm"),
            id="restore-vm",
        ),
        pytest.param(_state("paused", dump=True), DUMPING, id="another dump"),
        pytest.param(
            _state("paused", migrating=True),
            Ruling(Answer.WAIT, "a migration is running"),
            id="migration",
        ),
        pytest.param(
            _state("paused", dump_ended=NOW - DUMP_PAUSE + 0.01),
            Ruling(Answer.WAIT, "the last dump ended less than 500 ms ago"),
            id="just before the pause is over",
        ),
        pytest.param(_state("paused", dump_ended=NOW - DUMP_PAUSE), ALLOW, id="pause over now"),
        pytest.param(_state("paused", dump_ended=NOW - 9), ALLOW, id="long after"),
    ],
)
def test_dump(state: GuestState, ruling: Ruling) -> None:
    """When a dump may begin."""
    assert rule_on(Rule.DUMP, state, NOW) == ruling


@pytest.mark.parametrize(
    ("state", "ruling"),
    [
        *(
            pytest.param(_state(status), ALLOW, id=status)
            for status in (
                "running",
                "paused",
                "prelaunch",
                "guest-panicked",
                "io-error",
                "watchdog",
                "internal-error",
                "suspended",
            )
        ),
        *(
            pytest.param(
                _state(status),
                Ruling(Answer.REFUSE, f"a guest in {status} must not be reset"),
                id=status,
            )
            for status in ("inmigrate", "postmigrate", "finish-migrate", "colo", "shutdown")
        ),
        pytest.param(
            _state("running", migrating=True),
            Ruling(Answer.REFUSE, "a guest must not be reset while it migrates"),
            id="migrating",
        ),
        pytest.param(_state("paused", dump=True), DUMPING, id="dump of a stopped guest"),
    ],
)
def test_reset(state: GuestState, ruling: Ruling) -> None:
    """When a reset may be sent."""
    assert rule_on(Rule.RESET, state, NOW) == ruling


@pytest.mark.parametrize(
    ("state", "ruling"),
    [
        pytest.param(
            _state("running"), Ruling(Answer.DONE, "the guest is running already"), id="running"
        ),
        *(
            pytest.param(_state(status), ALLOW, id=status)
            for status in ("paused", "prelaunch", "io-error", "watchdog", "suspended")
        ),
        *(
            pytest.param(
                _state(status),
                Ruling(Answer.REFUSE, f"a guest in {status} must not be resumed"),
                id=status,
            )
            for status in ("guest-panicked", "postmigrate", "inmigrate", "shutdown", "debug")
        ),
        pytest.param(_state("paused", dump=True), DUMPING, id="dump of a stopped guest"),
    ],
)
def test_resume(state: GuestState, ruling: Ruling) -> None:
    """When a guest may go on."""
    assert rule_on(Rule.RESUME, state, NOW) == ruling


@pytest.mark.parametrize(
    ("state", "ruling"),
    [
        pytest.param(_state("running"), ALLOW, id="running"),
        pytest.param(
            _state("paused"),
            Ruling(Answer.DONE, "the guest stands still already (paused)"),
            id="paused",
        ),
    ],
)
def test_pause(state: GuestState, ruling: Ruling) -> None:
    """When a guest is to be stopped."""
    assert rule_on(Rule.PAUSE, state, NOW) == ruling


@pytest.mark.parametrize(
    ("rule", "state", "ruling"),
    [
        pytest.param(Rule.RAW_RESET, _state("postmigrate"), ALLOW, id="reset: the author knows"),
        pytest.param(Rule.RAW_RESET, _state("paused", dump=True), DUMPING, id="reset under a dump"),
        pytest.param(Rule.RAW_CONT, _state("paused"), ALLOW, id="cont"),
        pytest.param(Rule.RAW_CONT, _state("paused", dump=True), DUMPING, id="cont under a dump"),
        pytest.param(
            Rule.RAW_CONT,
            _state("guest-panicked"),
            Ruling(Answer.REFUSE, "cont must not be sent to a guest in guest-panicked"),
            id="cont of a dead kernel",
        ),
        pytest.param(
            Rule.RAW_CONT,
            _state("postmigrate"),
            Ruling(Answer.REFUSE, "cont must not be sent to a guest in postmigrate"),
            id="cont: two guests on one disk",
        ),
    ],
)
def test_raw_commands_are_guarded_too(rule: Rule, state: GuestState, ruling: Ruling) -> None:
    """Who writes QMP by hand is kept from the worst."""
    assert rule_on(rule, state, NOW) == ruling


@pytest.mark.parametrize("rule", Rule)
def test_every_rule_asks_for_the_status(rule: Rule) -> None:
    """No rule decides by what was known before."""
    assert "status" in facts_needed(rule)
