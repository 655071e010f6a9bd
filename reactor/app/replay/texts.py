"""The policies of then, built again from their texts."""

from collections.abc import Sequence

from reactor.app.records import Rulebook
from reactor.app.replay.past import Past
from reactor.core.policy import Policy
from reactor.errors import Place, RecordingError
from reactor.policyfile.check import build_policy


class Texts:
    """Builds each text once.

    Args:
        label: what the record is called, for errors.
    """

    def __init__(self, past: Past, label: str) -> None:
        self._past, self._label = past, label
        self._built: dict[str, Policy] = {}

    def of_book(self, book: Rulebook) -> Sequence[Policy]:
        """The policies that were in force.

        Raises:
            RecordingError: the record lacks a text.
            PolicyError: a text is none of today's language any more.
        """
        return [self._policy(name, revision) for name, revision in book.revisions.items()]

    def first(self) -> Sequence[Policy]:
        """Those that were in force first; the newest of each where the record does not say.

        Raises:
            RecordingError: the record holds no policies at all.
            PolicyError: a text is none of today's language any more.
        """
        if self._past.books:
            return self.of_book(self._past.books[0][1])
        if not self._past.texts:
            fix = "name today's with --rules, or settings with -c"
            raise RecordingError(self._label, "it does not hold the policies of then", fix)
        newest = {text.policy: text.revision for text in self._past.texts.values()}
        return [self._policy(name, revision) for name, revision in newest.items()]

    def _policy(self, name: str, revision: str) -> Policy:
        policy = self._built.get(revision)
        if policy is None:
            text = self._past.texts.get(revision)
            if text is None:
                raise RecordingError(
                    self._label,
                    f"the text of {name}, revision {revision}, is not in it",
                    "replay the journal itself, or name today's policies with --rules",
                )
            policy = build_policy(text.source, Place(f"{self._label}: {name}", 1, 1))
            self._built[revision] = policy
        return policy
