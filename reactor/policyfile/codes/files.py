"""The codes of what cannot be read or taken as a policy: files, YAML, keys, values."""

from reactor.errors import Code, Severity
from reactor.policyfile.codes.entry import Entry

_SOUND = """\
policy: tell
description: Tell people that a guest panicked.
trigger: {event: GUEST_PANICKED}
steps:
  - publish: alert/critical
"""

FILES = (
    Entry(
        Code.YAML,
        "The text is no YAML",
        Severity.ERROR,
        "Reader and author would see different things. A mistake costs its own document only: the"
        " others of the file are read. Source: YAML 1.2.2.",
        bad=_SOUND.replace("{event: GUEST_PANICKED}", "{event: GUEST_PANICKED"),
        good=_SOUND,
    ),
    Entry(
        Code.DUPLICATE_KEY,
        "A key stands twice in one mapping",
        Severity.ERROR,
        "Most readers of YAML take the last one in silence, so half of what stands there would"
        " never be done. Source: YAML 1.2.2, 3.2.1.1: the keys of a mapping are unique.",
        bad=_SOUND + "    qos: 0\n    qos: 1\n",
        good=_SOUND + "    qos: 1\n",
    ),
    Entry(
        Code.UNKNOWN_KEY,
        "A key is not known at its place",
        Severity.ERROR,
        "A misspelt limit that is passed over is no limit. So is one that stands one level too"
        " deep. Source: the reference of policies, policies.md.",
        bad=_SOUND + "limit: [3 per 1h per guest]\n",
        good=_SOUND + "limits: [3 per 1h per guest]\n",
    ),
    Entry(
        Code.FORBIDDEN_YAML,
        "The text uses a part of YAML that policies do without",
        Severity.ERROR,
        "Tags, anchors, aliases and `<<` make a text mean something that does not stand where one"
        " reads it. An expression that begins like one of them is put in single quotes. Source:"
        " the decision 0008.",
        bad=_SOUND + "if: !guest.migrating\n",
        good=_SOUND + "if: '!guest.migrating'\n",
    ),
    Entry(
        Code.WRONG_VALUE,
        "A value is not of the form that its key takes",
        Severity.ERROR,
        "A duration without a unit is ten seconds to one reader and ten minutes to the next; so"
        " nothing is guessed. Source: the reference of policies, policies.md.",
        bad=_SOUND + "cooldown: 10\n",
        good=_SOUND + "cooldown: 10m\n",
    ),
    Entry(
        Code.MISSING_KEY,
        "A key is missing that must be there",
        Severity.ERROR,
        "The description is the first thing that is read at 3 am. Source: the reference of"
        " policies, policies.md.",
        bad=_SOUND.replace("description: Tell people that a guest panicked.\n", ""),
        good=_SOUND,
    ),
    Entry(
        Code.NOT_BUILT,
        "The key or value belongs to a later version",
        Severity.ERROR,
        "The word is kept free, so that nobody gives it another meaning; this version cannot do"
        " it. Source: the reference of policies, policies.md, and of settings, settings.md.",
        bad=_SOUND + "limits: [3 per 1h per fleet]\n",
        good=_SOUND + "limits: [3 per 1h per host]\n",
    ),
    Entry(
        Code.EXPRESSION,
        "An expression or template is wrong",
        Severity.ERROR,
        "What the types tell is told before it runs: a member that the event does not have, a value"
        " that its enum does not have, a comparison that can never be true. A member that may be"
        " absent is a note: without it the condition counts as false. Source: CEL, and QEMU's QAPI"
        " schema.",
        bad=_SOUND.replace("{event: GUEST_PANICKED}", "{event: STOP, where: guest.state == 'x'}"),
        good=_SOUND + "if: guest.status == 'guest-panicked'\n",
    ),
    Entry(
        Code.DUPLICATE_NAME,
        "Two documents of one kind, or two saved steps, have one name",
        Severity.ERROR,
        "The order of files never decides what a name means: both policies are left out. Source:"
        " the reference of policies, policies.md.",
        bad=f"{_SOUND}---\n{_SOUND}",
        good=f"{_SOUND}---\n{_SOUND.replace('policy: tell', 'policy: tell-again')}",
    ),
    Entry(
        Code.NOT_ALLOWED,
        "The settings do not permit what a step does",
        Severity.ERROR,
        "A command that destroys or that reaches the host, a program, a dump outside of its folder:"
        " each needs the consent of whoever writes the settings. Found with `-c` only. Source: the"
        " reference of settings, settings.md: `qmp.allow`, `exec.allow`, `dumps.allow`.",
        bad=_SOUND.replace("publish: alert/critical", "qmp: quit"),
        good=_SOUND,
        needs_settings=True,
    ),
    Entry(
        Code.UNREADABLE,
        "A file or folder cannot be read, or holds no policy",
        Severity.ERROR,
        "Nothing to check is no success: a path that is misspelt in a pipeline must not pass."
        " Source: the reference of the command line, cli.md.",
        good=_SOUND,
    ),
    Entry(
        Code.BROKER_FILE,
        "A file that the settings name for the broker cannot be used, or should not stay so",
        Severity.WARNING,
        "A password, a key or a certificate that is missing, is damaged or has expired keeps every"
        " message from the broker; a secret that everybody on the host can read is none. Only a"
        " warning: the file may be there on the host and not where the check runs. Found with `-c`"
        " only. Source: the reference of settings, settings.md: `mqtt`.",
        good=_SOUND,
        needs_settings=True,
    ),
)
"""The codes R001 to R011, and R014."""
