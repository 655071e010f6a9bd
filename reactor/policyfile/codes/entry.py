"""One code explained, as the reference page and `reactor check --explain` show it."""

from dataclasses import dataclass
from textwrap import fill

from reactor.errors import Code, Severity


@dataclass(frozen=True, slots=True)
class Entry:
    """A code: what it says, why that matters, and a policy that has it beside one that has not.

    ``title`` is one sentence without a full stop, ``why`` one paragraph of Markdown with
    the source of the fact. ``severity`` is the worst that the code is told with. ``bad``
    is None where no text of a policy shows it. With ``needs_settings`` it is found only when the
    settings are checked too.
    """

    code: Code
    title: str
    severity: Severity
    why: str
    good: str
    bad: str | None = None
    needs_settings: bool = False


def explained(entry: Entry) -> str:
    """The entry as Markdown: the section of the reference page, and what is printed."""
    head = f"**{entry.title}.** Severity: {entry.severity.value}."
    wrong = "" if entry.bad is None else f"Not so:\n\n```text\n{entry.bad}```\n\n"
    right = f"{'So' if wrong else 'Right'}:\n\n```yaml\n{entry.good}```\n"
    return f"## {entry.code.value}\n\n{head}\n\n{fill(entry.why, 100)}\n\n{wrong}{right}"
