"""What the settings must permit: dangerous commands, programs, dumps outside their folder."""

import posixpath
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from reactor.core import catalog
from reactor.core.config import EngineConfig
from reactor.core.policy import Policy
from reactor.core.steps import ExecStep, GuestAction, GuestDump, GuestStep, QmpStep, Step
from reactor.core.template import Tree
from reactor.core.text import closest
from reactor.errors import Code, Problem, Severity
from reactor.policyfile.expressions import filled
from reactor.policyfile.walking import Located, every, sections

_FILE = "file:"


def forbidden(policy: Policy, config: EngineConfig) -> Iterator[Problem]:
    """What these settings do not permit this policy; only what is certain before it runs."""
    for section in sections(policy):
        for located in every(section):
            yield from _of_step(policy, located, config)


def needed(policy: Policy) -> Iterator[Problem]:
    """A note for each permission that the policy needs, where no settings are known."""
    told: set[str] = set()
    for located in (one for section in sections(policy) for one in every(section)):
        for what, setting, key in _needs(located.step):
            if what not in told:
                told.add(what)
                problem = f"`{what}` needs a permission: `{setting}` must name it"
                fix = f"add it to `{setting}` of the settings; `reactor check -c FILE` looks there"
                path = f"{located.step.options.path}/{key}"
                code, severity = Code.NEEDS_PERMISSION, Severity.NOTE
                yield Problem(located.place, code, problem, fix, severity, path=path)


def _needs(step: Step) -> Iterator[tuple[str, str, str]]:
    """The commands and programs of a step, the setting that permits each, and the key."""
    match step:
        case QmpStep(_, command, arguments):
            if catalog.needs_allow(command, _known(arguments)) and catalog.is_known(command):
                yield command, "qmp.allow", "qmp"
        case GuestStep(_, action):
            yield from ((command, "qmp.allow", "guest") for command in _SENT_BY.get(action, ()))
        case ExecStep(_, program):
            yield program, "exec.allow", "exec"
        case _:
            pass


def _known(arguments: Tree) -> dict[str, Tree]:
    """The arguments as far as they are known before the command goes out."""
    given = arguments if isinstance(arguments, Mapping) else {}
    return {name: filled(value, "x") for name, value in given.items()}


def _of_step(policy: Policy, located: Located, config: EngineConfig) -> Iterator[Problem]:
    match located.step:
        case QmpStep(_, command, arguments):
            yield from _command(policy, located, command, arguments, config)
        case GuestStep(_, action):
            for command in _SENT_BY.get(action, ()):
                yield from _command(policy, located, command, {}, config)
        case GuestDump(_, to):
            yield from _target(policy, located, to, config)
        case ExecStep(_, program):
            yield from _program(policy, located, program, config)
        case _:
            pass


_SENT_BY = {GuestAction.DESTROY: ("quit",)}
"""What verbs of a guest send that needs a permission."""


def _program(
    policy: Policy, located: Located, program: str, config: EngineConfig
) -> Iterator[Problem]:
    if program not in config.exec_allow:
        problem = f"the policy `{policy.name}` may not start `{program}`"
        guess = closest(program, config.exec_allow)
        fix = f"add `{program}` to `exec.allow` of the settings, or take the step out"
        fix = f"did you mean `{guess}`?" if guess else fix
        yield _problem(located, f"{problem}: `exec.allow` does not name it", fix)


def _problem(located: Located, problem: str, fix: str) -> Problem:
    path = located.step.options.path
    return Problem(located.place, Code.NOT_ALLOWED, problem, fix, path=path)


def _command(
    policy: Policy, located: Located, command: str, arguments: Tree, config: EngineConfig
) -> Iterator[Problem]:
    given = arguments if isinstance(arguments, Mapping) else {}
    if command not in config.allow and catalog.needs_allow(command, _known(arguments)):
        guess = None if catalog.is_known(command) else closest(command, catalog.known_commands())
        fix = f"add `{command}` to `qmp.allow` of the settings, or take the step out"
        yield _problem(
            located,
            f"the policy `{policy.name}` may not send `{command}`: `qmp.allow` does not name it",
            f"did you mean `{guess}`?" if guess else fix,
        )
    if command == "dump-guest-memory" and isinstance(given.get("protocol"), str):
        yield from _raw_target(policy, located, str(given["protocol"]), config)


def _raw_target(
    policy: Policy, located: Located, protocol: str, config: EngineConfig
) -> Iterator[Problem]:
    """A raw dump without templates: QEMU takes its ``protocol`` as it stands."""
    path = protocol.removeprefix(_FILE)
    if path == protocol:
        if "dump-guest-memory" not in config.allow:
            problem = f"the policy `{policy.name}` may not dump to {protocol!r}: it is no file"
            fix = "dump to a file, or add `dump-guest-memory` to `qmp.allow` of the settings"
            yield _problem(located, problem, fix)
    elif not path.startswith("/"):
        problem = f"QEMU would take {path!r} from a folder of its own"
        yield _problem(located, problem, "write an absolute path, or use `guest: dump`")
    else:
        yield from _target(policy, located, path, config)


def _target(policy: Policy, located: Located, to: Tree, config: EngineConfig) -> Iterator[Problem]:
    """A dump that certainly leaves the dumps folder.

    What a template gives becomes one harmless part of a name: any such part
    stands for all of them.
    """
    folder = posixpath.normpath(config.dumps_folder)
    path = posixpath.normpath(posixpath.join(folder, str(filled(to, "x"))))
    if path.startswith(folder.rstrip("/") + "/"):
        return
    pattern = posixpath.normpath(posixpath.join(folder, str(filled(to, "*"))))
    if path in config.dumps_allow or any(_fits(one, pattern) for one in config.dumps_allow):
        return
    yield _problem(
        located,
        f"the policy `{policy.name}` may not dump to {path}: it is outside `dumps.folder`"
        f" ({folder})",
        "use a relative path, or add it to `dumps.allow` of the settings",
    )


def _fits(path: str, pattern: str) -> bool:
    """Whether the path is of that form; ``*`` is part of one name, as a slug is."""
    names, globs = path.split("/"), pattern.split("/")
    return len(names) == len(globs) and all(map(fnmatchcase, names, globs))
