"""Others ask: what they are told, and who hears of it; runs as root only."""

import asyncio
import grp
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.control.support import Desk

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(40)]

NOBODY = pwd.getpwnam("nobody")
STRANGER = f"uid {NOBODY.pw_uid} (nobody)"

CLIENT = """
import os, sys
from pathlib import Path
from reactor.adapters.control import ask
from reactor.errors import ReactorError

uid, gid, groups, path = sys.argv[1:]
os.setgroups([int(one) for one in groups.split(",") if one])
os.setgid(int(gid))
os.setuid(int(uid))
try:
    answer = ask(Path(path), b'{"type":"who"}')
    print(answer.code, answer.text)
except ReactorError as error:
    print(type(error).__name__, error.problem, "|", error.fix)
"""
"""Asks as another user, which only root can become."""


async def as_user(path: Path, uid: int, gid: int, *groups: int) -> str:
    """What somebody else is answered."""
    words = [str(uid), str(gid), ",".join(map(str, groups)), str(path)]
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CLIENT, *words), stdout=subprocess.PIPE
    )
    out, _ = await client.communicate()
    return out.decode().strip()


async def test_another_user_is_refused_by_the_file(desk: Desk) -> None:
    """He cannot even connect."""
    await desk.start()
    told = await as_user(desk.path, NOBODY.pw_uid, NOBODY.pw_gid)
    assert told == (
        "ForbiddenError this user may not use the daemon's control socket | run this as root or "
        "as the user that runs the daemon, or let your group in with `control.group` in the "
        "settings"
    )
    assert desk.asked == []


async def test_another_user_is_refused_by_the_daemon_too(desk: Desk) -> None:
    """Where somebody opened the file's rights: he is told, and so is the log."""
    server = await desk.start()
    desk.path.chmod(0o666)
    told = await as_user(desk.path, NOBODY.pw_uid, NOBODY.pw_gid)
    assert told.startswith(f"ForbiddenError {STRANGER} may not ask this daemon | run this as root")
    assert [who for who, _ in desk.forbidden] == [STRANGER]
    assert server.refused == {"forbidden": 1}
    assert desk.asked == []


@pytest.mark.parametrize(
    ("first", "others", "may"),
    [
        pytest.param("daemon", (), True, id="it is his first group"),
        pytest.param("nogroup", ("games", "daemon"), True, id="it is one of his groups"),
        pytest.param("nogroup", ("games",), False, id="it is none of his groups"),
    ],
)
async def test_a_group_may_be_let_in(
    desk: Desk, first: str, others: tuple[str, ...], *, may: bool
) -> None:
    """Its members and nobody else, as they are known to the kernel."""
    await desk.start(group="daemon")
    assert desk.path.stat().st_gid == grp.getgrnam("daemon").gr_gid
    gids = [grp.getgrnam(name).gr_gid for name in (first, *others)]
    desk.path.chmod(0o666)
    told = await as_user(desk.path, NOBODY.pw_uid, *gids)
    assert told.startswith(f"done {STRANGER} asks" if may else "ForbiddenError")
