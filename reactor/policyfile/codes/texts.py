"""The codes of texts: what is read is not what is seen."""

from reactor.errors import Code, Severity
from reactor.policyfile.codes.entry import Entry

_HEAD = "policy: p\ndescription: An example.\ntrigger: {event: RESET}\nsteps:\n"

TEXTS = (
    Entry(
        Code.CUT_TEXT,
        "A comment begins inside of a text",
        Severity.WARNING,
        "In YAML a space and a `#` begin a comment, so the rest of the text is lost in silence."
        " Told where no space follows the `#`, and where a bracket or quote is left open; a comment"
        " `# like this` is none. Source: YAML 1.2.2, 6.6.",
        bad=f"{_HEAD}  - log: disk #3 is bad\n",
        good=f"{_HEAD}  - log: 'disk #3 is bad'  # as its label says\n",
    ),
    Entry(
        Code.FOREIGN_TEMPLATE,
        "A text holds a template of another language",
        Severity.WARNING,
        "Only `${...}` is a template here: the braces of Jinja and others go out as they stand."
        " Told where one of our own names stands in them. Source: the reference of policies,"
        " policies.md.",
        bad=f"{_HEAD}  - log: '{{{{ guest.name }}}} was reset'\n",
        good=f"{_HEAD}  - log: '${{guest.name}} was reset'\n",
    ),
)
"""The codes R090 and R091."""
