"""Many policies, taken by several processes at once.

Each takes a part of the set, and they tell each other what the policies of their part arm.
What comes of it is what one process would find, in the same order. A process that fails, is
slow beyond reason or cannot be started costs time and nothing else: then one takes all.
"""

import multiprocessing
import os
import signal
from bisect import bisect_left
from collections.abc import Container, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import accumulate, pairwise
from multiprocessing.connection import Connection
from typing import Any, Self

from reactor.policyfile.lints.others import others_of, together
from reactor.policyfile.papers import Paper
from reactor.policyfile.runbooks import Library
from reactor.policyfile.taking import Taken, joined, lint, take, take_and_lint

LEAST = 150
"""Policies of a part; for fewer a process costs more than it saves."""

MOST = 4
"""Processes: what only one of them does is then most of the time."""

DEADLINE_S = 120.0
"""How long another process may keep this one waiting."""

_FORKS = multiprocessing.get_context("fork")


def take_in_parts(
    papers: Sequence[Paper], library: Library, doubled: Container[str], cores: int = 0
) -> Taken:
    """The same as `take_and_lint`, by as many processes as pay.

    Args:
        cores: how many may work at once; 0 for those that this process may use.
    """
    wanted = min(cores or len(os.sched_getaffinity(0)), MOST, len(papers) // LEAST)
    if wanted < 2:
        return take_and_lint(papers, library, doubled)
    try:
        return _together(_cut(papers, wanted), library, doubled)
    except (OSError, EOFError):
        return take_and_lint(papers, library, doubled)


def _cut(papers: Sequence[Paper], number: int) -> list[Sequence[Paper]]:
    """So many parts, in order, of about the same length of text."""
    ends = list(accumulate(len(paper.document.source) for paper in papers))
    cuts = [bisect_left(ends, ends[-1] * part / number) for part in range(number + 1)]
    cuts[-1] = len(papers)
    return [papers[start:end] for start, end in pairwise(cuts)]


def _together(parts: Sequence[Sequence[Paper]], library: Library, doubled: Container[str]) -> Taken:
    with ExitStack() as stack:
        helpers = [stack.enter_context(_Helper(part, library, doubled)) for part in parts[1:]]
        mine = take(parts[0], library, doubled)
        others = together([others_of(mine.policies), *(one.hear() for one in helpers)])
        for helper in helpers:
            helper.line.send(others)
        lint(mine, others)
        return joined([mine, *(one.hear() for one in helpers)])


class _Helper:
    """Another process with a part of the policies: it begins at once, and is gone at the end."""

    def __init__(self, part: Sequence[Paper], library: Library, doubled: Container[str]) -> None:
        self.line, theirs = _FORKS.Pipe()
        work = (part, library, doubled, theirs, self.line)
        self._process = _FORKS.Process(target=_help, args=work, daemon=True)
        with theirs:
            self._process.start()

    def hear(self) -> Any:  # noqa: ANN401 - first `Others`, then `Taken`
        """What the process says next.

        Raises:
            OSError: it says nothing for so long, or is gone.
            EOFError: it is gone.
        """
        if not self.line.poll(DEADLINE_S):
            raise TimeoutError
        return self.line.recv()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()
        self._process.kill()
        self._process.join()


def _help(
    part: Sequence[Paper],
    library: Library,
    doubled: Container[str],
    line: Connection,
    other_end: Connection,
) -> None:
    """The life of another process: it has all that its parent had, and writes only to its line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    other_end.close()
    with suppress(OSError, EOFError):  # the parent was killed
        taken = take(part, library, doubled)
        line.send(others_of(taken.policies))
        lint(taken, line.recv())
        line.send(replace(taken, roots=[]))
