"""The verbs that an answer proposes, for who has no command line: the topics that say the same."""

import re
import shlex

from reactor.core.text import slug

_VERB = re.compile(r"`reactor ([^`]+)`")

_ASKED = {
    "guests": "ask/guests",
    "status": "ask/status",
    "silence": "ask/silences",
    "runs": "ask/runs",
    "runs --open": 'ask/runs with {"only_open": true}',
}
"""The topics of verbs that stand alone."""

_ABOUT = ((("runs", "show"), "ask/run"), (("marks",), "ask/marks"), (("why",), "ask/why"))
"""The topics of verbs that are followed by names, which are further levels."""


def with_topics(sentence: str) -> str:
    """The sentence, with the topic of the question behind each verb that is one."""
    return _VERB.sub(lambda found: f"{found[0]}{_beside(found[1])}", sentence)


def _beside(line: str) -> str:
    try:
        topic = _ASKED.get(line) or _with_names(shlex.split(line))
    except ValueError:  # a name with a backtick ended it too early
        return ""
    return f" (over MQTT: {topic})" if topic else ""


def _with_names(words: list[str]) -> str:
    """The topic with the names; empty where no message asks what the verb does."""
    for verb, topic in _ABOUT:
        if tuple(words[: len(verb)]) == verb:
            names = [word.removeprefix("--guest=") for word in words[len(verb) :]]
            return "/".join([topic, *map(slug, names)])
    return ""
