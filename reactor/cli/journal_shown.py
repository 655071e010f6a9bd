"""The figures of a journal as people read them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reactor.cli.times import shown_time
from reactor.core.text import render_size

if TYPE_CHECKING:
    from reactor.adapters.journal import Figures, Saved
    from reactor.app.control.answers import JournalLine


def shown_figures(figures: "Figures") -> str:
    """Its size, its rows, how far back it reaches, and what was removed, as one line."""
    rows = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in figures.rows.items())
    text = f"{render_size(figures.size_bytes)}, {rows or 'no rows'}"
    if figures.oldest is not None:
        text += f", since {shown_time(figures.oldest)}"
    if figures.removed_at is not None:
        gone = ", ".join(f"{count} {kind}" for kind, count in figures.removed.items())
        text += f"; removed: {gone}, last at {shown_time(figures.removed_at)}"
    return text


def shown_commits(line: "JournalLine") -> str:
    """How long its commits take."""
    times = (line.commit_last_s, line.commit_p50_s, line.commit_max_s)
    last, half, most = (f"{1000 * seconds:.1f}ms" for seconds in times)
    return f"{line.commits} commits, the last took {last}; of the last 512 p50 {half}, max {most}"


def salvaged_lines(saved: "Saved") -> Iterator[str]:
    """What was saved of a damaged journal, and what was not, a sentence each."""
    yield "saved: " + ", ".join(f"{count} {name}" for name, count in saved.rows.items())
    if saved.pages:
        yield f"lost:  {saved.pages} pages of the file, with the rows on them"
    if saved.torn:
        yield f"lost:  {saved.torn} rows that were damaged themselves"
    for name, count in saved.missing.items():
        yield f"lost:  {count} rows of {name}, by the gaps in their numbers"
    for what in saved.dropped:
        yield f"lost:  state that makes no sense: {what}"
