"""What the daemon says before it serves."""

import resource
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from reactor.app.preflight import not_permitted, raise_file_limit, warn_of, warn_of_nothing
from reactor.app.settings import (
    Discovery,
    HostSettings,
    JournalSettings,
    MqttSettings,
    NamedGuest,
    QmpSettings,
    Settings,
)
from reactor.core.policy import Policy
from reactor.errors import Place
from reactor.policyfile.check import build_policy, load
from tests.house.checkout import ROOT

BROKER = MqttSettings("mqtt://broker")


def settings(**more: object) -> Settings:
    """Settings with nothing but what every file has, and this."""
    base = Settings(host=HostSettings("h"), journal=JournalSettings(Path("journal.db")))
    return replace(base, **more)  # type: ignore[arg-type]


def _policy(steps: str, trigger: str = "{event: GO}", guests: str = "{}") -> Policy:
    head = f"policy: p\ndescription: d\nguests: {guests}\ntrigger: {trigger}\nsteps:\n"
    return build_policy(head + steps, Place("p.yaml", 1, 1))


QUIT = _policy("  - qmp: quit\n")
ALERT = _policy("  - publish: alert/critical\n    payload: x\n")
NESTED = _policy("  - choose:\n    - default:\n      - publish: a\n")
LOG = _policy("  - log: x\n")
ASKED = _policy("  - log: x\n", "[{event: GO}, {mqtt: a, guest: b}]")


@pytest.mark.parametrize(
    ("policy", "here", "said"),
    [
        pytest.param(LOG, settings(), [], id="nothing to say"),
        pytest.param(
            QUIT,
            settings(mqtt=BROKER),
            [
                (
                    "policy not permitted",
                    "the policy `p` may not send `quit`: `qmp.allow` does not name it",
                    "add `quit` to `qmp.allow` of the settings, or take the step out",
                )
            ],
            id="a command that needs a permission",
        ),
        pytest.param(
            QUIT, settings(mqtt=BROKER, qmp=QmpSettings(frozenset({"quit"}))), [], id="and has it"
        ),
        pytest.param(
            ALERT,
            settings(),
            [
                (
                    "no broker configured: nobody hears what policies publish",
                    None,
                    "name a broker in the settings (mqtt: {url: ...}) or with --mqtt",
                )
            ],
            id="publishes to nobody",
        ),
        pytest.param(ALERT, settings(mqtt=BROKER), [], id="publishes"),
        pytest.param(
            NESTED,
            settings(),
            [
                (
                    "no broker configured: nobody hears what policies publish",
                    None,
                    "name a broker in the settings (mqtt: {url: ...}) or with --mqtt",
                )
            ],
            id="publishes inside of another step",
        ),
        pytest.param(
            ASKED,
            settings(),
            [
                (
                    "no broker configured: no message can start these policies",
                    None,
                    "name a broker in the settings (mqtt: {url: ...}) or with --mqtt",
                )
            ],
            id="hears nobody",
        ),
        pytest.param(ASKED, settings(mqtt=BROKER), [], id="hears"),
    ],
)
def test_policies_that_cannot_do_all_they_say(
    policy: Policy, here: Settings, said: list[tuple[str, str | None, str]]
) -> None:
    """They are told at the start, with what to do about it."""
    with capture_logs() as lines:
        warn_of([policy], here)
    assert [(x["event"], x.get("problem"), x["fix"]) for x in lines] == said


A = {"disk": "a"}
B = {"disk": "b"}


@pytest.mark.parametrize(
    ("labels", "needed"),
    [
        pytest.param({}, set(), id="no labels: all of rules/ as it is"),
        pytest.param({"on-unplug": "keep"}, set(), id="the label says something else"),
        pytest.param({"on-unplug": "retry"}, {"device_del", "object-del"}, id="memory"),
        pytest.param({"quorum-spares": "/s"}, {"blockdev-add", "blockdev-del"}, id="spares"),
    ],
)
def test_the_shipped_policies_ask_for_permissions_by_label_only(
    labels: dict[str, str], needed: set[str]
) -> None:
    """Whoever takes all of rules/ and gives no label has nothing to permit."""
    here = settings(discoveries=(Discovery("/run/*", labels),))
    told = not_permitted(load([ROOT / "rules"]).policies, here)
    assert {str(problem.fix).split("`")[1] for problem in told} == needed


@pytest.mark.parametrize(
    ("selector", "guests", "discoveries", "told"),
    [
        pytest.param("{labels: {disk: a}}", [], [], True, id="no guest is known yet"),
        pytest.param("{labels: {disk: a}}", [("g", A)], [], True, id="a guest has the label"),
        pytest.param("{labels: {disk: a}}", [("g", B)], [], False, id="it says something else"),
        pytest.param("{labels: {disk: a}}", [], [{}], False, id="guests that are found have none"),
        pytest.param("{labels: {disk: a}}", [], [{}, A], True, id="some that are found have it"),
        pytest.param("{}", [], [{}], True, id="every guest is meant"),
        pytest.param("{name: h}", [("g", A)], [], False, id="no guest of that name"),
        pytest.param("{name: h}", [("g", A)], [{}], True, id="one may be found"),
        pytest.param("{except: {labels: {disk: a}}}", [], [A], False, id="left out by the label"),
        pytest.param("{except: {labels: {disk: a}}}", [], [B], True, id="not left out"),
        pytest.param(
            "{except: {name: h, labels: {disk: a}}}", [], [A], True, id="left out by its name only"
        ),
    ],
)
def test_a_permission_is_missed_only_where_a_guest_can_be_meant(
    selector: str,
    guests: list[tuple[str, dict[str, str]]],
    discoveries: list[dict[str, str]],
    *,
    told: bool,
) -> None:
    """A policy that waits for a label bothers nobody who gives none."""
    here = settings(
        guests=tuple(NamedGuest(name, "unix:/q", labels) for name, labels in guests),
        discoveries=tuple(Discovery("/run/*", labels) for labels in discoveries),
    )
    policy = _policy("  - qmp: quit\n", guests=selector)
    assert bool(not_permitted([policy], here)) is told


NO_GUEST = (
    "no guest is named: nothing is watched",
    "write guests into the settings, or give --qmp",
)
NO_RULES = (
    "no rules are named: events are journaled, and nothing reacts to them",
    "write rules into the settings, or give --rules",
)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(settings(), [NO_GUEST, NO_RULES], id="empty"),
        pytest.param(settings(guests=(NamedGuest("a", "/a.sock"),)), [NO_RULES], id="a guest"),
        pytest.param(settings(discoveries=(Discovery("/*.sock"),)), [NO_RULES], id="a pattern"),
        pytest.param(settings(rules=(Path("rules"),)), [NO_GUEST], id="rules"),
    ],
)
def test_settings_that_leave_nothing_to_do(given: Settings, said: list[tuple[str, str]]) -> None:
    """They are no error, and are not passed over in silence."""
    with capture_logs() as lines:
        warn_of_nothing(given)
    assert [(x["event"], x["fix"]) for x in lines] == said
    assert {x["log_level"] for x in lines} == {"warning"}


def test_the_soft_limit_of_open_files_becomes_the_hard_one() -> None:
    """A thousand monitors are more than 1,024 files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
        raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
