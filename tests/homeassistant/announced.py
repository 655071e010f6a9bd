"""What reactor announces and says, as one JSON for Home Assistant's own code to judge."""

import json
import sys

from reactor.app.projection import Projection
from reactor.core.effect import GuestChanged, MarkSet, RunChanged
from reactor.core.event import Event
from reactor.core.marks import Mark, MarkKind
from tests.core.simulation import document, policy

DISK = "disk'0 \\"


def guest(status: str) -> GuestChanged:
    """The guest in this state."""
    return GuestChanged(
        "web-1", status, 1.0, connected=True, uuid="a80e0e55", qemu_version="7.2.22"
    )


def main() -> int:
    """Print it."""
    made = Projection("reactor", "host-1", "0.1.0", "homeassistant")
    text = document("p", "[{guest: reset}]", '{mqtt: x, guest: "${topic[2]}"}')
    made.policies([policy(text)], "r")
    told = made.messages(guest("running"))
    made.messages(MarkSet(Mark("web-1", MarkKind.DISK, DISK, "degraded", "bad", 1.0, "p", "r-1")))
    ended = RunChanged("r-1", "p", "web-1", "ended", outcome="failed", started=1.0, ended=2.0)
    told += made.messages(ended)
    told += made.messages(
        GuestChanged("web-1", "guest-panicked", 1.0, connected=True, uuid="a80e0e55")
    )
    told.append(made.event(Event("GUEST_PANICKED", "web-1", {"action": "pause"}, 1.0, 1.0)))
    announced = [m for m in made.retained() if m.topic.startswith("homeassistant/")]
    json.dump(
        {
            "announced": {m.topic: m.payload.decode() for m in announced},
            "said": [[m.topic, m.payload.decode()] for m in told],
        },
        sys.stdout,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
