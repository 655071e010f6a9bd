"""Where a dump goes: which files QEMU may be told to write, and whether this one may be."""

import posixpath

from reactor.core import scopes
from reactor.core.effect import AskPath
from reactor.core.flow import BLOCK, NEXT, Failed, Flow
from reactor.core.ops import CheckTarget
from reactor.core.run import Run
from reactor.core.scopes import RenderFailed
from reactor.core.world import World

FILE = "file:"
"""How the ``protocol`` of a dump to a file begins."""


def check_target(world: World, run: Run, op: CheckTarget) -> Flow:
    """Resolve where a dump goes; refuse what leaves the dumps folder or exists."""
    cursor = run.cursor
    if cursor.answer is not None:
        answer, cursor.answer = cursor.answer, None
        if answer.error is not None:
            return Failed(answer.error.description)
        return NEXT
    if "path" in cursor.pending.values():
        return BLOCK
    try:
        path = _target_path(world, run, op)
    except RenderFailed as failure:
        return Failed(str(failure))
    if path is None:  # not a file: the allow list was asked before it went out
        return NEXT
    if isinstance(path, Failed):
        return path
    cursor.target = path
    question = AskPath(
        run.new_id(),
        path,
        guest=run.guest,
        run=run.story,
        policy=run.policy,
        memory_bytes=world.guest_of(run).facts.memory_bytes,
        is_told=not op.raw,
    )
    world.ask(run, question, "path")
    world.touch(run)
    return BLOCK


def _target_path(world: World, run: Run, op: CheckTarget) -> str | Failed | None:
    config = world.config
    if op.raw:
        protocol = str(scopes.render(world, run, op.to))
        if not protocol.startswith(FILE):
            allowed = "dump-guest-memory" in config.allow
            return None if allowed else Failed(f"a dump to {protocol!r} needs qmp.allow")
        text = protocol.removeprefix(FILE)
        if not text.startswith("/"):
            return Failed(f"the dump path {text!r} must be absolute in a raw command")
    else:
        text = scopes.render_slugged(world, run, op.to)
    path, problem = confined(world, text)
    return Failed(f"the dump {problem}") if problem else path


def confined(world: World, text: str) -> tuple[str, str]:
    """The absolute path that is meant, and why QEMU may not write there, if it may not."""
    config = world.config
    path = posixpath.normpath(posixpath.join(config.dumps_folder, text))
    folder = posixpath.normpath(config.dumps_folder)
    inside = path.startswith(folder.rstrip("/") + "/")
    if not inside and path not in config.dumps_allow:
        return path, f"path {path} is outside dumps.folder ({folder}) and dumps.allow"
    return path, ""
