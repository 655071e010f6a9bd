"""What a simulated QEMU holds besides its guest: ports and the like, and how it is asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reactor.core.inputs import Refusal
from reactor.core.subject import Compared, Query
from reactor.core.subjects import first_queries, more_queries, read
from reactor.core.subjects_devices import PERIPHERAL

NO_SUCH = Refusal("CommandNotFound", "The command has not been found")


@dataclass
class Holdings:
    """Ports by the ids of their devices, the status of jobs, other devices, thresholds of nodes.

    ``failed`` are the ``io-status`` of nodes, all of drives without a name.
    ``unknown`` commands are not in this QEMU.
    """

    ports: dict[str, bool] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    devices: set[str] = field(default_factory=set)
    thresholds: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    migration: str = ""
    balloon: int = 0
    unknown: set[str] = field(default_factory=set)

    def asked(
        self, names: tuple[str, ...], held: Iterable[tuple[str, Mapping[str, object]]] = ()
    ) -> Compared:
        """What a connect learns that asks for these subjects; ``held`` came meanwhile."""
        answers = self._answers(first_queries(names))
        answers |= self._answers(more_queries(names, answers))
        return read(names, answers, held)

    def _answers(self, queries: Iterable[Query]) -> dict[str, object]:
        found = {query.name: self.returns(query.command, query.arguments) for query in queries}
        return {k: None if isinstance(v, Refusal) else v for k, v in found.items()}

    def returns(  # noqa: C901 - one for each query
        self, command: str, arguments: Mapping[str, object]
    ) -> object:
        """What QEMU returns, or its refusal; None where it is not asked about these."""
        if command in self.unknown:
            return NO_SUCH
        match command:
            case "qom-list":
                assert arguments == {"path": PERIPHERAL}
                ports = [{"name": port, "type": "child<virtserialport>"} for port in self.ports]
                devices = [{"name": name, "type": "child<pc-dimm>"} for name in self.devices]
                return [{"name": "type", "type": "string"}, *ports, *devices]
            case "qom-get":
                assert arguments["property"] == "chardev"
                return "char-" + str(arguments["path"]).removeprefix(f"{PERIPHERAL}/")
            case "query-chardev":
                return [
                    {"label": f"char-{port}", "frontend-open": is_open, "filename": "null"}
                    for port, is_open in self.ports.items()
                ]
            case "query-jobs":
                return [{"id": job, "status": status} for job, status in self.jobs.items()]
            case "query-named-block-nodes":
                nodes = self.thresholds.items()
                return [{"node-name": node, "write_threshold": size} for node, size in nodes]
            case "query-block":
                drives = {"device": "", "qdev": "q"}
                failed = self.failed.items()
                return [{**drives, "io-status": s, "inserted": {"node-name": n}} for n, s in failed]
            case "query-balloon":
                return {"actual": self.balloon}
            case "query-migrate":
                return {"status": self.migration} if self.migration else {}
            case _:
                return None
