"""The rules folders: what is sound is used at the start, all or nothing afterwards."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import watchfiles
from structlog.testing import capture_logs

from reactor.app import rules as module
from reactor.app.rules import Rules
from reactor.core.policy import Policy
from reactor.demo.waiting import until
from reactor.policyfile import check

pytestmark = pytest.mark.asyncio

GOOD = """\
policy: {name}
description: d
trigger: {{event: STOP}}
steps:
  - log: hello
"""

BROKEN = "policy: broken\ndescription: d\ntrigger: {event: STOP}\nstep: []\n"


def good(name: str) -> str:
    """A policy with nothing wrong in it."""
    return GOOD.format(name=name)


class Adopted:
    """Collects what the engine would be given."""

    def __init__(self) -> None:
        self.sets: list[list[str]] = []

    def __call__(self, policies: Sequence[Policy]) -> None:
        """Take a set over."""
        self.sets.append(sorted(policy.name for policy in policies))


@pytest.fixture
def adopted() -> Adopted:
    """Nothing so far."""
    return Adopted()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A rules folder with one sound policy."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yaml").write_text(good("a"))
    return folder


Watch = Callable[..., Rules]


@pytest_asyncio.fixture
async def watch(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watch]:
    """Starts to watch paths, quickly, until the test is over."""
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    tasks: list[asyncio.Task[None]] = []

    def start(rules: Rules) -> Rules:
        tasks.append(asyncio.create_task(rules.watch()))
        return rules

    yield start
    for task in tasks:
        assert not task.done()
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def some_looks() -> None:
    """Let several looks at the files pass."""
    for _ in range(30):
        await asyncio.sleep(0.01)


def names(policies: Sequence[Policy]) -> list[str]:
    """Their names."""
    return sorted(policy.name for policy in policies)


# ------------------------------------------------------------------- start


async def test_a_start_with_a_broken_file_uses_the_sound_ones(
    folder: Path, adopted: Adopted
) -> None:
    """Each problem is told with its place, code and fix."""
    (folder / "b.yaml").write_text(BROKEN)
    (folder / "c.yaml").write_text(good("c").replace("trigger:", "triger:"))
    with capture_logs() as lines:
        rules = Rules([folder], adopted)
        assert names(await rules.start()) == ["a"]
    assert adopted.sets == []
    assert [(x["event"], x["log_level"], x["place"], x["code"], x["fix"]) for x in lines] == [
        ("policy problem", "error", str(p.place), p.code.value, p.fix) for p in rules.problems
    ]
    first = lines[0]
    assert first["place"] == f"{folder}/b.yaml:4:1"
    assert first["code"] == "R003"
    assert "step" in first["problem"]
    assert first["fix"] == "did you mean `steps`?"
    assert {x["place"].split(":")[0] for x in lines} == {f"{folder}/b.yaml", f"{folder}/c.yaml"}


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path, adopted: Adopted) -> None:
    """And it is no reason not to start."""
    with capture_logs() as lines:
        assert await Rules([tmp_path / "rules"], adopted).start() == ()
    assert lines == [
        {
            "event": "policy problem",
            "log_level": "error",
            "place": str(tmp_path / "rules"),
            "code": "R011",
            "problem": "there is no such file or folder",
            "fix": "name a policy file, or a folder of them",
        }
    ]


async def test_a_warning_is_told_as_one(tmp_path: Path, adopted: Adopted) -> None:
    """An empty folder may be meant."""
    with capture_logs() as lines:
        assert await Rules([tmp_path], adopted).start() == ()
    assert [(x["log_level"], x["problem"]) for x in lines] == [
        ("warning", "the folder holds no policy file")
    ]


# ------------------------------------------------------------------ reload


async def test_a_reload_with_an_error_keeps_the_old_set_whole(
    folder: Path, adopted: Adopted
) -> None:
    """Also what is sound in the new one is not taken; mended, it is."""
    rules = Rules([folder], adopted)
    await rules.start()
    (folder / "b.yaml").write_text(BROKEN)
    (folder / "c.yaml").write_text(good("c"))
    with capture_logs() as lines:
        assert await rules.reload() is False
    assert adopted.sets == []
    said = lines[-1]
    assert (said["event"], said["log_level"], said["errors"]) == (
        "rules not reloaded: the old ones stay in force",
        "error",
        len(rules.problems),
    )
    assert said["first"] == f"{folder / 'b.yaml'}:4:1"
    (folder / "b.yaml").write_text(good("b"))
    with capture_logs() as lines:
        assert await rules.reload() is True
    assert adopted.sets == [["a", "b", "c"]]
    assert rules.problems == ()
    assert lines == [{"event": "rules reloaded", "log_level": "info", "policies": 3}]


async def test_a_reload_with_nothing_but_a_warning_is_taken(folder: Path, adopted: Adopted) -> None:
    """The last policy was removed: that is what was wanted."""
    rules = Rules([folder], adopted)
    await rules.start()
    (folder / "a.yaml").unlink()
    assert await rules.reload() is True
    assert adopted.sets == [[]]


async def test_reloads_at_once_adopt_in_their_order(
    folder: Path, adopted: Adopted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the files held before is never adopted after what they hold."""
    rules = Rules([folder], adopted)
    await rules.start()
    load = check.load
    calls = 0

    def slow(paths: Sequence[Path]) -> object:
        nonlocal calls
        calls += 1
        found = load(paths)
        if calls == 1:
            (folder / "b.yaml").write_text(good("b"))
        return found

    monkeypatch.setattr(module, "load", slow)
    await asyncio.gather(rules.reload(), rules.reload())
    assert adopted.sets == [["a"], ["a", "b"]]


# ------------------------------------------------------------------- watch


async def test_changes_are_seen(folder: Path, adopted: Adopted, watch: Watch) -> None:
    """A new file, a changed one, one that goes, one in a folder below."""
    rules = Rules([folder], adopted)
    await rules.start()
    watch(rules)
    (folder / "b.yaml").write_text(good("b"))
    await until("b is adopted", lambda: adopted.sets[-1:] == [["a", "b"]])
    (folder / "b.yaml").write_text(good("changed"))
    await until("it changed", lambda: adopted.sets[-1:] == [["a", "changed"]])
    (folder / "b.yaml").unlink()
    await until("it is gone", lambda: adopted.sets[-1:] == [["a"]])
    (folder / "below").mkdir()
    (folder / "below" / "c.yml").write_text(good("c"))
    await until("c is adopted", lambda: adopted.sets[-1:] == [["a", "c"]])


async def test_files_that_are_no_policies_cause_no_reload(
    folder: Path, adopted: Adopted, watch: Watch
) -> None:
    """An editor's own files come and go all the time."""
    (folder / ".git").mkdir()
    rules = Rules([folder], adopted)
    await rules.start()
    watch(rules)
    for name in (".a.yaml.swp", "a.yaml~", "notes.txt", ".hidden.yaml", ".git/x.yaml"):
        (folder / name).write_text("x")
    await some_looks()
    assert adopted.sets == []
    (folder / "b.yaml").write_text(good("b"))
    await until("b is adopted", lambda: bool(adopted.sets))
    assert adopted.sets == [["a", "b"]]


async def test_what_changed_between_the_start_and_the_watch_is_seen(
    folder: Path, adopted: Adopted, watch: Watch
) -> None:
    """No change falls into a gap."""
    rules = Rules([folder], adopted)
    await rules.start()
    (folder / "b.yaml").write_text(good("b"))
    watch(rules)
    await until("b is adopted", lambda: adopted.sets == [["a", "b"]])


@pytest.mark.parametrize("other", [False, True], ids=["alone", "beside another one"])
async def test_a_folder_that_appears_later_is_taken(
    folder: Path, tmp_path: Path, adopted: Adopted, watch: Watch, other: bool
) -> None:
    """With the policies that are in it already, and what is put into it later."""
    late = tmp_path / "late"
    rules = Rules([folder, late] if other else [late], adopted)
    await rules.start()
    watch(rules)
    made = tmp_path / "made"
    made.mkdir()
    (made / "b.yaml").write_text(good("b"))
    made.rename(late)
    first = ["a"] if other else []
    await until("b is adopted", lambda: adopted.sets[-1:] == [[*first, "b"]])
    (late / "c.yaml").write_text(good("c"))
    await until("c is adopted", lambda: adopted.sets[-1:] == [[*first, "b", "c"]])


async def test_a_folder_that_is_made_anew_is_followed(
    folder: Path, adopted: Adopted, watch: Watch
) -> None:
    """While it is away the old policies stay; that is an error like any other."""
    rules = Rules([folder], adopted)
    await rules.start()
    watch(rules)
    with capture_logs() as lines:
        shutil.move(folder, f"{folder}-old")
        await until("it is missed", lambda: any("not reloaded" in x["event"] for x in lines))
    assert adopted.sets == []
    shutil.copytree(f"{folder}-old", folder)
    (folder / "b.yaml").write_text(good("b"))
    await until("b is adopted", lambda: adopted.sets[-1:] == [["a", "b"]])
    (folder / "c.yaml").write_text(good("c"))
    await until("c is adopted", lambda: adopted.sets[-1:] == [["a", "b", "c"]])


async def test_a_file_that_is_replaced_is_followed(
    folder: Path, adopted: Adopted, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Editors write a new file and rename it: each time the new one is watched."""
    begun: list[tuple[Path, ...]] = []
    awatch = watchfiles.awatch

    def noted(*paths: Path, **options: Any) -> AsyncGenerator[object, None]:  # noqa: ANN401
        begun.append(paths)
        return awatch(*paths, **options)

    monkeypatch.setattr(watchfiles, "awatch", noted)
    rules = Rules([folder / "a.yaml"], adopted)
    await rules.start()
    watch(rules)
    for count, name in enumerate(("b", "c", "d"), start=1):
        await until("it is watched", lambda count=count: len(begun) == count)  # type: ignore[misc]
        (folder / "new").write_text(good(name))
        (folder / "new").replace(folder / "a.yaml")
        await until(f"{name} is adopted", lambda name=name: adopted.sets[-1:] == [[name]])  # type: ignore[misc]
    assert set(begun) == {(folder / "a.yaml",)}


async def test_a_system_that_gives_no_notice_is_no_matter(
    folder: Path, adopted: Adopted, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files are looked at all the same: inotify has a limit that others can use up."""

    def refused(*_paths: object, **_options: object) -> object:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(watchfiles, "awatch", refused)
    rules = Rules([folder], adopted)
    await rules.start()
    watch(rules)
    for name in ("b", "c"):
        (folder / "b.yaml").write_text(good(name))
        await until(f"{name} is adopted", lambda name=name: adopted.sets[-1:] == [["a", name]])  # type: ignore[misc]


async def test_no_rules_at_all_are_watched_in_peace(adopted: Adopted, watch: Watch) -> None:
    """A daemon that only publishes events."""
    rules = Rules([], adopted)
    assert await rules.start() == ()
    watch(rules)
    await some_looks()
    assert adopted.sets == []
