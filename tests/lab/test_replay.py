"""What a real daemon did with a real QEMU, replayed with the same policies."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from reactor.app.shipped import shipped_rules
from reactor.demo import bootcode
from reactor.demo.guests import GuestPlan
from reactor.demo.lab import Lab
from tests.lab.rig import rig

pytestmark = pytest.mark.asyncio


async def test_the_same_policies_would_do_the_same(lab: Lab, tmp_path: Path) -> None:
    """Four panics in a row: three are cured, the fourth is limited; then and in the replay."""
    plan = GuestPlan(boot=bootcode.guest_code(panics=bootcode.EVERY_BOOT), preserved=True)
    async with rig(lab, tmp_path) as host:
        guest = await lab.guest("web-1", plan)
        await host.watches("web-1")
        await guest.run()
        assert await host.outcomes(3, "panic-dump-reset") == ["succeeded"] * 3

        def limited() -> bool:
            return bool(host.running.engine.near_misses("panic-dump-reset"))

        await host.until("the fourth is limited", limited)
    command = [sys.executable, "-m", "reactor", "replay", str(tmp_path / "journal.db")]
    options = ["--rules", str(shipped_rules()), "--diff", "-o", "json"]
    done = await asyncio.create_subprocess_exec(*command, *options, stdout=asyncio.subprocess.PIPE)
    out, _ = await done.communicate()
    assert done.returncode == 0, out.decode()
    found = json.loads(out)["policies"]["panic-dump-reset"]
    assert found["runs"] == {"succeeded": 3}
    assert found["refused"] == {"limited": 1}
