"""``reactor init``: what it writes is right, and never written over anything."""

import json
import re
from pathlib import Path

import pytest

from reactor.app.settings_layers import Flags
from reactor.app.settings_load import load_settings
from reactor.cli.exits import Exit
from reactor.cli.init import POLICY, SETTINGS
from reactor.core.policy import Enforcement
from tests.cli.conftest import Call

FILES = ["reactor.yaml", "rules/first-policy.yaml", "rules/policy.schema.json"]


def test_three_files_are_written_and_named(reactor: Call, here: Path) -> None:
    """Into the current folder, with what to do next."""
    assert reactor("init") == (
        Exit.OK,
        (
            "wrote reactor.yaml\n"
            "wrote rules/first-policy.yaml\n"
            "wrote rules/policy.schema.json\n"
            "next: look at reactor.yaml, then `reactor run -c reactor.yaml`\n"
        ),
        "",
    )
    assert sorted(str(path.relative_to(here)) for path in here.rglob("*.*")) == FILES


def test_they_can_be_written_elsewhere(reactor: Call, here: Path) -> None:
    """Into a folder that is made for it."""
    code, out, _ = reactor("init", "new/set-up")
    assert code == Exit.OK
    assert "reactor run -c new/set-up/reactor.yaml" in out
    assert "reactor check new/set-up/rules" in (
        here / "new/set-up/rules/first-policy.yaml"
    ).read_text(encoding="utf-8")


def test_what_is_written_passes_the_check(reactor: Call) -> None:
    """Settings and policy, warnings counted as errors."""
    reactor("init")
    assert reactor("check", "--strict", "-c", "reactor.yaml") == (
        Exit.OK,
        "no problems; 1 sound policy in 1 file\n",
        "",
    )


def test_the_settings_do_nothing_to_any_guest(reactor: Call, here: Path) -> None:
    """Until somebody takes that line out."""
    reactor("init")
    settings = load_settings(Flags(config=here / "reactor.yaml"), {})
    assert settings.enforcement is Enforcement.AUDIT
    assert [found.discover for found in settings.discoveries] == ["/run/qemu/*.sock"]
    assert settings.rules == (here / "rules",)
    assert settings.journal.path == here / "journal.db"


def test_what_is_commented_out_is_right_too(here: Path) -> None:
    """With every sign taken away, each setting counts."""
    text = re.sub(r"^( *)#(?=\S)", r"\1", SETTINGS, flags=re.MULTILINE)
    (here / "all.yaml").write_text(text, encoding="utf-8")
    settings = load_settings(Flags(config=here / "all.yaml"), {})
    assert [guest.name for guest in settings.guests] == ["db-1", "lab-1"]
    assert settings.discoveries[0].labels == {"tier": "web"}
    assert settings.discoveries[0].agent == "/run/qemu/{name}.agent"
    assert settings.exec.allow == {"/usr/local/bin/page"}
    assert settings.mqtt is not None
    assert settings.mqtt.password_file == here / "mqtt-password"
    assert settings.dumps.folder == Path("/var/crash")
    assert [limit.count for limit in settings.limits.reset] == [3, 10]
    assert [limit.count for limit in settings.limits.dump] == [1]
    assert settings.qmp.allow == {"quit"}
    assert (settings.host.name, settings.host.labels) == ("host-1", {"rack": "12"})


def test_the_policy_names_the_schema_beside_it(reactor: Call, here: Path) -> None:
    """In the first line, where editors look for it."""
    reactor("init")
    assert POLICY.startswith("# yaml-language-server: $schema=policy.schema.json\n")
    _, schema, _ = reactor("schema")
    assert (here / "rules/policy.schema.json").read_text(encoding="utf-8") == schema
    assert json.loads(schema)["title"] == "reactor policy file"


@pytest.mark.parametrize(
    ("there", "told"),
    [
        pytest.param(["reactor.yaml"], "reactor.yaml", id="settings"),
        pytest.param(["rules/first-policy.yaml"], "first-policy.yaml", id="a policy"),
        pytest.param(FILES, "reactor.yaml, first-policy.yaml, policy.schema.json", id="all"),
    ],
)
def test_nothing_is_overwritten(reactor: Call, here: Path, there: list[str], told: str) -> None:
    """Nor anything written beside what is there; exit code 3."""
    (here / "rules").mkdir()
    for name in there:
        (here / name).write_text("mine", encoding="utf-8")
    code, out, err = reactor("init")
    assert (code, out) == (Exit.REFUSED, "")
    assert err == (
        f"reactor init: these files exist already: {told}\n"
        "  fix: name another folder, or move what is there away\n"
    )
    assert sorted(str(path.relative_to(here)) for path in here.rglob("*.*")) == sorted(there)
    assert {(here / name).read_text(encoding="utf-8") for name in there} == {"mine"}


def test_a_link_that_leads_nowhere_is_there_already(reactor: Call, here: Path) -> None:
    """It is not written through, and nothing is written before it is found."""
    (here / "rules").mkdir()
    (here / "rules" / "policy.schema.json").symlink_to(here / "elsewhere")
    assert reactor("init")[0] == Exit.REFUSED
    assert not (here / "elsewhere").exists()
    assert not (here / "reactor.yaml").exists()


def test_a_folder_that_cannot_be_made_is_told(reactor: Call, here: Path) -> None:
    """In the system's own words."""
    (here / "file").write_text("", encoding="utf-8")
    assert reactor("init", "file/below") == (
        Exit.REFUSED,
        "",
        (
            "file/below/reactor.yaml: it cannot be written: Not a directory\n"
            "  fix: name a folder that you may write to\n"
        ),
    )
