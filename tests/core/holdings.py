"""What a simulated QEMU holds besides its guest: ports and the like, and how it is asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reactor.core.inputs import Refusal
from reactor.core.subject import Compared, Query
from reactor.core.subjects import PERIPHERAL, first_queries, more_queries, read

NO_SUCH = Refusal("CommandNotFound", "The command has not been found")


@dataclass
class Holdings:
    """Ports by the ids of their devices; ``unknown`` commands are not in this QEMU."""

    ports: dict[str, bool] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    def asked(self, names: tuple[str, ...]) -> Compared:
        """What a connect learns that asks for these subjects, without an event meanwhile."""
        answers = self._answers(first_queries(names))
        answers |= self._answers(more_queries(names, answers))
        return read(names, answers)

    def _answers(self, queries: Iterable[Query]) -> dict[str, object]:
        found = {query.name: self.returns(query.command, query.arguments) for query in queries}
        return {k: None if isinstance(v, Refusal) else v for k, v in found.items()}

    def returns(self, command: str, arguments: Mapping[str, object]) -> object:
        """What QEMU returns, or its refusal; None where it is not asked about these."""
        if command in self.unknown:
            return NO_SUCH
        match command:
            case "qom-list":
                assert arguments == {"path": PERIPHERAL}
                ports = [{"name": port, "type": "child<virtserialport>"} for port in self.ports]
                return [{"name": "type", "type": "string"}, *ports]
            case "qom-get":
                assert arguments["property"] == "chardev"
                return "char-" + str(arguments["path"]).removeprefix(f"{PERIPHERAL}/")
            case "query-chardev":
                return [
                    {"label": f"char-{port}", "frontend-open": is_open, "filename": "null"}
                    for port, is_open in self.ports.items()
                ]
            case _:
                return None
