"""Templates in commands that a shell or an interpreter runs: what others wrote runs with them."""

import re
from collections.abc import Iterator, Sequence

from reactor.core.expr import Expression
from reactor.core.policy import Policy
from reactor.core.steps import ExecStep
from reactor.core.template import Template, Tree
from reactor.errors import Code, Problem
from reactor.policyfile.lints.finding import at_step
from reactor.policyfile.lints.risks import Risks, exposed
from reactor.policyfile.walking import Located

_SHELL = re.compile(r"(?:.*/)?(?:ash|bash|busybox|dash|fish|ksh|sh|zsh)")
_INTERPRETER = re.compile(r"(?:.*/)?(?:node|perl|php|python|ruby)[\d.]*")
_REMOTE = re.compile(r"(?:.*/)?(?:rsh|ssh)")
"""What hands all its words, joined, to a shell on another machine. Source: ssh(1)."""

_SHELL_CODE = re.compile(r"-[a-z]*c")
_CODE = re.compile(r"-[a-z]*[ceEr]")
"""The option behind which the code stands: `sh -ec`, `python3 -c`, `perl -e`, `php -r`."""

_SHELL_FIX = 'write slug({0}), or "$1" in the command, and `sh` and `${{{0}}}` as words behind it'
_CODE_FIX = "write slug({0}), or let the code read it from a word of its own behind it"
_REMOTE_FIX = "write slug({0}), or run a program here that sends it"


def open_shells(policy: Policy) -> Iterator[Problem]:
    """What others may choose in what a shell runs."""
    for located, risks in exposed(policy):
        if isinstance(located.step, ExecStep):
            yield from _of_program(located, located.step, risks)


def _of_program(located: Located, step: ExecStep, risks: Risks) -> Iterator[Problem]:
    for word, item, fix in _run(step):
        for part in item.parts:
            read = risks.in_expression(part) if isinstance(part, Expression) else ""
            if read:
                problem = f"{read} may hold anything, and what stands in it is run as a command"
                mended, key = fix.format(read), f"exec/{word}"
                yield at_step(located, Code.OPEN_SHELL, problem, mended, key=key)


def _run(step: ExecStep) -> Iterator[tuple[int, Template, str]]:
    """The words with templates that are run as commands: their places, and how to mend them."""
    arguments = step.arguments if isinstance(step.arguments, Sequence) else ()
    words: list[Tree] = [step.program, *arguments]
    # Another program may run it: `env sh -c`, `sudo ssh`.
    for start, word in enumerate(words):
        if not isinstance(word, str):
            continue
        if _REMOTE.fullmatch(word):
            for at, item in enumerate(words[start + 1 :], start + 1):
                if isinstance(item, Template):
                    yield at, item, _REMOTE_FIX
            return
        is_shell = _SHELL.fullmatch(word) is not None
        if is_shell or _INTERPRETER.fullmatch(word):
            option, fix = (_SHELL_CODE, _SHELL_FIX) if is_shell else (_CODE, _CODE_FIX)
            yield from _code(words, start + 1, option, fix)
            return


def _code(
    words: Sequence[Tree], start: int, option: re.Pattern[str], fix: str
) -> Iterator[tuple[int, Template, str]]:
    """The word behind the option for code."""
    for at in range(start, len(words) - 1):
        word, code = words[at], words[at + 1]
        if isinstance(word, str) and option.fullmatch(word):
            if isinstance(code, Template):
                yield at + 1, code, fix
            return
