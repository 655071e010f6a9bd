"""What the daemon says before it serves."""

import resource
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from reactor.app.preflight import raise_file_limit, warn_of, warn_of_nothing
from reactor.app.settings import Discovery, HostSettings, JournalSettings, NamedGuest, Settings
from reactor.core.config import EngineConfig
from reactor.core.policy import Policy
from reactor.errors import Place
from reactor.policyfile.check import build_policy


def _policy(steps: str, trigger: str = "{event: GO}") -> Policy:
    head = f"policy: p\ndescription: d\ntrigger: {trigger}\nsteps:\n"
    return build_policy(head + steps, Place("p.yaml", 1, 1))


QUIT = _policy("  - qmp: quit\n")
ALERT = _policy("  - publish: alert/critical\n    payload: x\n")
NESTED = _policy("  - choose:\n    - default:\n      - publish: a\n")
LOG = _policy("  - log: x\n")
ASKED = _policy("  - log: x\n", "[{event: GO}, {mqtt: a, guest: b}]")


@pytest.mark.parametrize(
    ("policy", "config", "said"),
    [
        pytest.param(LOG, EngineConfig(has_broker=False), [], id="nothing to say"),
        pytest.param(
            QUIT,
            EngineConfig(),
            [
                (
                    "policy not permitted",
                    "the policy `p` may not send `quit`: `qmp.allow` does not name it",
                    "add `quit` to `qmp.allow` of the settings, or take the step out",
                )
            ],
            id="a command that needs a permission",
        ),
        pytest.param(QUIT, EngineConfig(allow=frozenset({"quit"})), [], id="and has it"),
        pytest.param(
            ALERT,
            EngineConfig(has_broker=False),
            [
                (
                    "no broker configured: nobody hears what policies publish",
                    None,
                    "name a broker in the settings (mqtt: {url: ...}) or with --mqtt",
                )
            ],
            id="publishes to nobody",
        ),
        pytest.param(ALERT, EngineConfig(), [], id="publishes"),
        pytest.param(
            NESTED,
            EngineConfig(has_broker=False),
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
            EngineConfig(has_broker=False),
            [
                (
                    "no broker configured: no message can start these policies",
                    None,
                    "name a broker in the settings (mqtt: {url: ...}) or with --mqtt",
                )
            ],
            id="hears nobody",
        ),
        pytest.param(ASKED, EngineConfig(), [], id="hears"),
    ],
)
def test_policies_that_cannot_do_all_they_say(
    policy: Policy, config: EngineConfig, said: list[tuple[str, str | None, str]]
) -> None:
    """They are told at the start, with what to do about it."""
    with capture_logs() as lines:
        warn_of([policy], config)
    assert [(x["event"], x.get("problem"), x["fix"]) for x in lines] == said


def settings(**more: object) -> Settings:
    """Settings with nothing but what every file has, and this."""
    base = Settings(host=HostSettings("h"), journal=JournalSettings(Path("journal.db")))
    return replace(base, **more)  # type: ignore[arg-type]


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
