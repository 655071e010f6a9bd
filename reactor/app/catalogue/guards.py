"""What a guard says, state by state: asked of the guard itself."""

from reactor.app.catalogue.entry import States
from reactor.core.guards import Answer, GuestState, Rule, rule_on
from reactor.qapi.members import parts_of
from reactor.qapi.shipped import schema_of, versions

_BUSY = {
    "during a dump": GuestState("running", dump_active=True, migrating=False),
    "during a migration": GuestState("running", dump_active=False, migrating=True),
}


def run_states() -> tuple[str, ...]:
    """The run states of the newest QEMU."""
    newest = schema_of(versions()[-1])
    return parts_of(newest, newest.commands["query-status"].reply)["status"].values


def states_of(rule: Rule) -> States:
    """What it answers in each run state; during a dump or a migration where that differs."""
    calm = {
        state: rule_on(rule, GuestState(state, dump_active=False, migrating=False), 0.0).answer
        for state in run_states()
    }
    busy = {word: rule_on(rule, state, 0.0).answer for word, state in _BUSY.items()}
    answers = calm | {word: one for word, one in busy.items() if one is not calm["running"]}

    def those(answer: Answer) -> tuple[str, ...]:
        return tuple(word for word, one in answers.items() if one is answer)

    return States(
        allowed=those(Answer.ALLOW),
        waits=those(Answer.WAIT),
        nothing_to_do=those(Answer.DONE),
        refused=those(Answer.REFUSE),
    )
