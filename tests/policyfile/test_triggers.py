"""Triggers: each kind as the value that the engine gets, and every sentence about a wrong one."""

import pytest

from reactor.core import policy as core
from reactor.policyfile.check import load_text
from reactor.policyfile.findings import fit
from reactor.policyfile.nodes import Dictionary
from reactor.policyfile.reader import read
from reactor.policyfile.schema import Policy
from tests.policyfile.test_builder import SAYS_NO_MORE, built, shown

REST = "policy: p\ndescription: d\nsteps: [{log: x}]\n"


def problems_of(trigger: str) -> str:
    """What the models say about a policy with this trigger, in the order of the file."""
    root = read(f"trigger: {trigger}\n{REST}", "f").documents[0].root
    assert isinstance(root, Dictionary)
    problems = sorted(fit(root, Policy)[1], key=lambda problem: problem.place)
    return "\n".join(f"{problem} [{problem.path}]" for problem in problems)


def said(trigger: str) -> str:
    """Everything that is said about a policy with this trigger."""
    loaded = load_text(f"trigger: {trigger}\n{REST}", "f")
    return "\n".join(f"{problem} [{problem.path}]" for problem in loaded.problems)


def match(*events: str, where: str | None = None, by: str | None = None) -> dict[str, object]:
    """An ``EventMatch`` as it is shown."""
    return {"": "EventMatch", "events": events, "where": where, "by": by}


def event(**says: object) -> dict[str, object]:
    """An ``EventTrigger`` for RESET as it is shown."""
    least = {"events": ("RESET",), "where": None, "by": None, "path": "trigger"}
    return {"": "EventTrigger", **least, **SAYS_NO_MORE, **says}


def schedule(**says: object) -> dict[str, object]:
    """A ``ScheduleTrigger`` as it is shown."""
    least = {"cron": None, "every": None, "timezone": "UTC", "jitter": 0.0, "catch_up": 0.0}
    return {"": "ScheduleTrigger", **least, "path": "trigger", **says}


@pytest.mark.parametrize(
    ("trigger", "value"),
    [
        pytest.param("{event: RESET}", event(), id="event"),
        pytest.param(
            "{event: RESET, where: data.guest, by: data.reason, count: 5, within: 10m, own: true,"
            " synthetic: false}",
            event(
                where="cel: data.guest",
                by="cel: data.reason",
                count=5,
                within=600.0,
                own=True,
                synthetic=False,
            ),
            id="event with everything but a sequel",
        ),
        pytest.param(
            "{event: RESET, followed_by: {event: STOP, within: 10m}}",
            event(sequel={"": "Sequel", "match": match("STOP"), "within": 600.0, "absent": False}),
            id="sequence",
        ),
        pytest.param(
            "{event: RESET, not_followed_by: {event: [STOP, 'B*'], within: 1m, by: data.device,"
            " where: data.device == trigger.data.reason}, cancel_on: RESET}",
            event(
                sequel={
                    "": "Sequel",
                    "match": match(
                        "STOP",
                        "B*",
                        where="cel: data.device == trigger.data.reason",
                        by="cel: data.device",
                    ),
                    "within": 60.0,
                    "absent": True,
                },
                cancel_on=(match("RESET"),),
            ),
            id="absence",
        ),
        pytest.param(
            "{event: RESET, followed_by: {event: STOP, within: 1s}, cancel_on: [RESUME,"
            " {event: [RESET, WAKEUP], where: data.guest == trigger.data.guest}, SHUTDOWN]}",
            event(
                sequel={"": "Sequel", "match": match("STOP"), "within": 1.0, "absent": False},
                cancel_on=(
                    match("RESUME"),
                    match("RESET", "WAKEUP", where="cel: data.guest == trigger.data.guest"),
                    match("SHUTDOWN"),
                ),
            ),
            id="names and mappings cancel",
        ),
        pytest.param(
            "{state: guest.migrating, for: 1m}",
            {
                "": "StateTrigger",
                "holds": "cel: guest.migrating",
                "seconds": 60.0,
                "path": "trigger",
            },
            id="state",
        ),
        pytest.param(
            "[{state: true}]",
            {"": "StateTrigger", "holds": "cel: true", "seconds": 0.0, "path": "trigger/0"},
            id="state at once",
        ),
        pytest.param("{schedule: 0 3 * * *}", schedule(cron="0 3 * * *"), id="schedule"),
        pytest.param(
            "{schedule: '@daily', timezone: Europe/Berlin, jitter: 30s, catch_up: 1h}",
            schedule(cron="@daily", timezone="Europe/Berlin", jitter=30.0, catch_up=3600.0),
            id="schedule with everything",
        ),
        pytest.param(
            "{every: 15m, jitter: 30s, catch_up: 15m}",
            schedule(every=900.0, jitter=30.0, catch_up=900.0),
            id="every",
        ),
        pytest.param("{every: 1s, jitter: 1s}", schedule(every=1.0, jitter=1.0), id="least every"),
        pytest.param(
            "{mqtt: request/+/dump, guest: '${topic[3]}'}",
            {
                "": "MessageTrigger",
                "topic": "request/+/dump",
                "guest": "template: ${topic[3]}",
                "where": None,
                "absolute": False,
                "max_age": None,
                "path": "trigger",
            },
            id="message",
        ),
        pytest.param(
            "{mqtt: /ups/#, guest: web-1, where: message.json.user != '', topic: absolute,"
            " max_age: 60s}",
            {
                "": "MessageTrigger",
                "topic": "/ups/#",
                "guest": "web-1",
                "where": "cel: message.json.user != ''",
                "absolute": True,
                "max_age": 60.0,
                "path": "trigger",
            },
            id="message with everything",
        ),
    ],
)
def test_a_trigger(trigger: str, value: dict[str, object]) -> None:
    """Each kind with all it may say."""
    assert shown(built(f"{REST}trigger: {trigger}\n").triggers) == (value,)


def test_triggers_of_every_kind_stand_in_one_list() -> None:
    """In the order written: `trigger.index` counts by it."""
    policy = built(
        f"{REST}trigger: [{{every: 1h}}, {{state: true}}, {{event: RESET}},"
        " {mqtt: a, guest: b}]\n"
    )
    kinds = [type(trigger) for trigger in policy.triggers]
    assert kinds == [
        core.ScheduleTrigger,
        core.StateTrigger,
        core.EventTrigger,
        core.MessageTrigger,
    ]


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        # which kind
        pytest.param(
            "{event: RESET, state: true}",
            "f:1:10: R005 a trigger has exactly one of `event`, `state`, `schedule`, `every` and"
            " `mqtt`, this one has `event` and `state`\n  fix: make them two triggers [trigger]",
            id="two kinds",
        ),
        pytest.param(
            "{evnet: RESET}",
            "f:1:11: R003 `evnet` is no key here\n  fix: did you mean `event`? [trigger]",
            id="a misspelt kind",
        ),
        # events
        pytest.param(
            "[{event: A, count: 5}, {event: A, within: 1m}]",
            "f:1:29: R005 `count` needs `within`\n"
            "  fix: add `within: 10m` [trigger/0/count]\n"
            "f:1:52: R005 `within` needs `count`\n  fix: add `count: 5` [trigger/1/within]",
            id="count and within need each other",
        ),
        pytest.param("{event: A, count: 1, within: 1s}", "", id="least count"),
        pytest.param("{event: A, count: 1000, within: 1s}", "", id="greatest count"),
        pytest.param(
            "[{event: A, count: 0, within: 0s}, {event: A, count: 1001, within: 5}]",
            "f:1:29: R005 `0` is out of range\n"
            "  fix: write a whole number from 1 to 1000 [trigger/0/count]\n"
            "f:1:40: R005 this duration cannot be zero\n"
            "  fix: write a longer one, or take the key out [trigger/0/within]\n"
            "f:1:63: R005 `1001` is out of range\n"
            "  fix: write a whole number from 1 to 1000 [trigger/1/count]\n"
            "f:1:77: R005 '5' has no unit\n  fix: write 5s, 5m or 5h [trigger/1/within]",
            id="count and within out of range",
        ),
        pytest.param(
            "{event: A, followed_by: {event: B, within: 1m}, not_followed_by: {event: C, within:"
            " 1m}}",
            "f:1:75: R005 a trigger waits for a second event or for its absence, not for both\n"
            "  fix: make them two triggers [trigger/not_followed_by]",
            id="both sequels",
        ),
        pytest.param(
            "{event: A, followed_by: {event: B}, cancel_on: []}",
            "f:1:34: R006 the key `within` is missing\n  fix: add `within:` [trigger/followed_by]\n"
            "f:1:57: R005 the list is empty\n  fix: write at least one entry [trigger/cancel_on]",
            id="a sequel without its end",
        ),
        pytest.param(
            "{event: A, cancel_on: B}",
            "f:1:32: R005 there is no wait for a second event that this could end\n"
            "  fix: add `followed_by` or `not_followed_by`, or take it out [trigger/cancel_on]",
            id="cancel_on without a sequel",
        ),
        pytest.param(
            "{event: A, followed_by: {event: B, within: 1m}, cancel_on: [c, 5, {evnt: D}]}",
            "f:1:70: R005 `c` is no event name\n"
            "  fix: write QMP's own name in capitals, or a glob of it [trigger/cancel_on/0]\n"
            "f:1:73: R005 a string is expected here, not the number 5\n"
            "  fix: put it in single quotes [trigger/cancel_on/1]\n"
            "f:1:77: R003 `evnt` is no key here\n"
            "  fix: did you mean `event`? [trigger/cancel_on/2/evnt]",
            id="what cancels",
        ),
        pytest.param(
            "{event: A, own: yes, synthetic: 1, for: 1m, guest: x}",
            "f:1:26: R005 true or false is expected here, not the string 'yes'\n"
            "  fix: write true or false [trigger/own]\n"
            "f:1:42: R005 true or false is expected here, not the number 1\n"
            "  fix: write true or false [trigger/synthetic]\n"
            "f:1:45: R003 `for` is no key here\n"
            "  fix: `for` belongs to a `state` trigger; for events use `count` and `within`"
            " [trigger/for]\n"
            "f:1:54: R003 `guest` is no key here\n"
            "  fix: select with `guests`, or ask `event.guest` in `where` [trigger/guest]",
            id="what else an event may say",
        ),
        # state
        pytest.param(
            "{state: 5, for: -1s, where: 'true', within: 5m}",
            "f:1:18: R005 a string is expected here, not the number 5\n"
            "  fix: put it in single quotes [trigger/state]\n"
            "f:1:26: R005 '-1s' is not a duration\n"
            "  fix: write 500ms, 30s, 10m, 2h, 1d or 1h30m [trigger/for]\n"
            "f:1:31: R003 `where` is no key here\n"
            "  fix: write it into `state`, with `&&` [trigger/where]\n"
            "f:1:46: R003 `within` is no key here\n"
            "  fix: `for` is how long it must hold [trigger/within]",
            id="state",
        ),
        # schedules
        pytest.param(
            "[{schedule: 0 3 * *}, {schedule: 61 3 * * *}, {schedule: 5}]",
            "f:1:22: R005 a schedule has five fields, and this has 4 fields\n"
            "  fix: write minute, hour, day of month, month, day of week: `0 3 * * *` is daily at"
            " 03:00 [trigger/0/schedule]\n"
            "f:1:43: R005 `61` is no minute\n"
            "  fix: write 0 to 59, `*`, a range as `1-5`, a step as `*/2`, or a list"
            " [trigger/1/schedule]\n"
            "f:1:67: R005 a string is expected here, not the number 5\n"
            "  fix: put it in single quotes [trigger/2/schedule]",
            id="cron",
        ),
        pytest.param(
            "[{schedule: '@daily', timezone: Europe/Berln}, {schedule: '@daily', timezone: xy},"
            " {schedule: '@daily', timezone: ../../etc/passwd}]",
            "f:1:42: R005 `Europe/Berln` is no time zone\n"
            "  fix: did you mean `Europe/Berlin`? [trigger/0/timezone]\n"
            "f:1:88: R005 `xy` is no time zone\n"
            "  fix: write an IANA name, such as Europe/Berlin [trigger/1/timezone]\n"
            "f:1:124: R005 `../../etc/passwd` is no time zone\n"
            "  fix: write an IANA name, such as Europe/Berlin [trigger/2/timezone]",
            id="time zones",
        ),
        pytest.param(
            "{every: 15m, timezone: UTC}",
            "f:1:23: R003 `timezone` is no key here\n"
            "  fix: take it out: `every` is aligned to UTC, whatever the zone [trigger/timezone]",
            id="a time zone of every",
        ),
        pytest.param(
            "[{every: 999ms}, {every: 1m, jitter: 61s}, {every: 1m, jitter: 0s}]",
            "f:1:11: R005 `every` is shorter than a second\n  fix: write 1s or more [trigger/0]\n"
            "f:1:27: R005 `jitter` is longer than `every`: firings would overtake each other\n"
            "  fix: write 1m or less [trigger/1]\n"
            "f:1:73: R005 this duration cannot be zero\n"
            "  fix: write a longer one, or take the key out [trigger/2/jitter]",
            id="every",
        ),
        # messages
        pytest.param(
            "{mqtt: request/+/dump}",
            "f:1:10: R006 the key `guest` is missing\n  fix: add `guest:` [trigger]",
            id="a message about nobody",
        ),
        pytest.param(
            "[{mqtt: a/b+, guest: x}, {mqtt: /a, guest: x}, {mqtt: $SYS/a, guest: x},"
            " {mqtt: '${x}', guest: x}, {mqtt: $SYS/a, guest: x, topic: absolute}]",
            "f:1:18: R005 in the topic filter 'a/b+' `+` is not a whole level\n"
            "  fix: write a topic filter such as request/+/dump [trigger/0/mqtt]\n"
            "f:1:42: R005 a topic below `<prefix>/<host>/` cannot begin with /\n"
            "  fix: write it without /, or add `topic: absolute` [trigger/1/mqtt]\n"
            "f:1:64: R005 a topic below `<prefix>/<host>/` cannot begin with $\n"
            "  fix: write it without $, or add `topic: absolute` [trigger/2/mqtt]\n"
            "f:1:90: R005 a topic filter is never a template\n"
            "  fix: write a topic filter such as request/+/dump [trigger/3/mqtt]\n"
            "f:1:90: R005 a topic below `<prefix>/<host>/` cannot begin with $\n"
            "  fix: write it without $, or add `topic: absolute` [trigger/3/mqtt]",
            id="topic filters",
        ),
        pytest.param(
            "{mqtt: a, guest: 5, topic: relative, max_age: 60, payload: x, by: data.x}",
            "f:1:27: R005 a string is expected here, not the number 5\n"
            "  fix: put it in single quotes [trigger/guest]\n"
            "f:1:37: R005 `relative` is not known here\n"
            "  fix: write one of: absolute [trigger/topic]\n"
            "f:1:56: R005 '60' has no unit\n  fix: write 60s, 60m or 60h [trigger/max_age]\n"
            "f:1:60: R003 `payload` is no key here\n"
            "  fix: ask for `message.json` or `message.payload` in `where` [trigger/payload]\n"
            "f:1:72: R003 `by` is no key here\n"
            "  fix: take it out: the key of a message is its guest [trigger/by]",
            id="what else a message may say",
        ),
    ],
)
def test_what_the_models_say(trigger: str, message: str) -> None:
    """Place, code, problem, fix and path of everything that is wrong; nothing for what is right."""
    assert problems_of(trigger) == message


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        pytest.param(
            "{event: RESET, where: trigger.data.x == 1, by: message.payload}",
            "f:1:32: R008 `trigger` is not known in a trigger's `where`\n"
            "  fix: known are: event, data, guest, host [trigger/where]\n"
            "f:1:57: R008 `message` is not known in a trigger's `by`\n"
            "  fix: give the policy an `mqtt` trigger, or do without it [trigger/by]",
            id="the first event",
        ),
        pytest.param(
            "{event: RESET, followed_by: {event: STOP, within: 1m, where: trigger.count == 1,"
            " by: run.id}, cancel_on: [{event: STOP, where: trigger.data.guest == vars.x}]}",
            "f:1:79: R008 trigger.count is not known in the `where` of `followed_by`\n"
            "  fix: known are: data, event [trigger/followed_by/where]\n"
            "f:1:95: R008 `run` is not known in the `by` of `followed_by`\n"
            "  fix: known are: event, data, trigger, guest, host [trigger/followed_by/by]\n"
            "f:1:159: R008 `vars` is not known in the `where` of `cancel_on`\n"
            "  fix: known are: event, data, trigger, guest, host [trigger/cancel_on/0/where]",
            id="the second event",
        ),
        pytest.param(
            "{state: event.name == 'X' || data.x == 1}",
            "f:1:18: R008 `event` is not known in a trigger's `state`\n"
            "  fix: known are: guest, host [trigger/state]\n"
            "f:1:39: R008 `data` is not known in a trigger's `state`\n"
            "  fix: known are: guest, host [trigger/state]",
            id="a state has no event",
        ),
        pytest.param(
            "{mqtt: a, guest: '${guest.name}', where: data.x == 1}",
            "f:1:30: R008 `guest` is not known in a trigger's `guest`\n"
            "  fix: known are: message, topic, host [trigger/guest]\n"
            "f:1:51: R008 `data` is not known in a trigger's `where`\n"
            "  fix: known are: message, topic, guest, host [trigger/where]",
            id="a message is about a guest",
        ),
        pytest.param(
            "{mqtt: a, guest: '${topic[1]}-${host.name}', where: message.qos + topic.size() == 1}",
            "",
            id="what a message brings along",
        ),
        pytest.param(
            "{mqtt: a, guest: x, where: message.paylod == '' }",
            "f:1:45: R008 message has no member 'paylod'\n"
            "  fix: write message.payload [trigger/where]",
            id="a member of a message",
        ),
        pytest.param(
            "{state: guest.status == 'running' && host.free('/') > 1}",
            "f:1:52: R008 host.free() cannot stand in a trigger's `state`\n"
            "  fix: ask it in `if`, `check`, `when`, `until` or `stays` [trigger/state]",
            id="free space in a state",
        ),
    ],
)
def test_the_names_of_triggers(trigger: str, message: str) -> None:
    """Each place knows what is there when it is asked, and no more."""
    assert said(trigger) == message


@pytest.mark.parametrize(
    ("trigger", "text", "message"),
    [
        pytest.param(
            "{event: STOP, followed_by: {event: RESET, within: 1m}}",
            "${trigger.next.event.name} ${trigger.next.data.reason}",
            "",
            id="a second event",
        ),
        pytest.param(
            "{event: RESET, followed_by: {event: STOP, within: 1m}}",
            "${trigger.next.evnt}",
            "trigger.next has no member 'evnt'",
            id="a member of the second event",
        ),
        pytest.param(
            "{event: RESET, not_followed_by: {event: STOP, within: 1m}}",
            "${trigger.next.event.name}",
            "trigger.next is not known in a step",
            id="an absent event is none",
        ),
        pytest.param(
            "[{event: RESET}, {mqtt: a, guest: b}]",
            "${message.payload} ${topic[2]} ${message.json.a}",
            "",
            id="a message",
        ),
        pytest.param(
            "{event: RESET}", "${topic[0]}", "`topic` is not known in a step", id="no message"
        ),
    ],
)
def test_what_a_trigger_brings_to_the_steps(trigger: str, text: str, message: str) -> None:
    """A second event and a message are known where a trigger can bring them."""
    policy = f"policy: p\ndescription: d\ntrigger: {trigger}\nsteps: [{{log: '{text}'}}]\n"
    assert "".join(found.problem for found in load_text(policy, "f").problems) == message
