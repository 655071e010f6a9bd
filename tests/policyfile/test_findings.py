"""What the models refuse: every sentence whole, and all of them in one pass."""

import pytest

from reactor.policyfile.findings import fit
from reactor.policyfile.mistakes import spell
from reactor.policyfile.nodes import Dictionary
from reactor.policyfile.reader import read
from reactor.policyfile.schema import Policy

HEAD = {
    "policy": "p",
    "description": "d",
    "trigger": "{event: RESET}",
    "steps": "[{log: x}]",
}


def problems_of(text: str) -> str:
    """The problems of one document as people read them, in the order of the file."""
    document = read(text, "f").documents[0]
    assert isinstance(document.root, Dictionary)
    problems = sorted(fit(document.root, Policy)[1], key=lambda problem: problem.place)
    return "\n".join(f"{problem} [{problem.path}]" for problem in problems)


def policy(**keys: str) -> str:
    """A sound policy with these keys; the key under test stands in line 1, where it is easy."""
    tested = {key.rstrip("_"): value for key, value in keys.items()}
    return "".join(f"{key}: {value}\n" for key, value in {**tested, **HEAD, **tested}.items())


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        # names and words
        pytest.param(
            {"policy": "Panic Reset"},
            "f:1:9: R005 `Panic Reset` is no policy name\n"
            "  fix: use small letters, digits and hyphens only, at most 100 of them [policy]",
            id="policy name",
        ),
        pytest.param({"policy": "a" * 100}, "", id="the longest policy name"),
        pytest.param(
            {"policy": "a" * 101},
            f"f:1:9: R005 `{'a' * 59}…` is no policy name\n"
            "  fix: use small letters, digits and hyphens only, at most 100 of them [policy]",
            id="too long a policy name",
        ),
        pytest.param(
            {"mode": "m" * 60},
            f"f:1:7: R005 `{'m' * 60}` is not known here\n"
            "  fix: write one of: single, restart, queued, parallel [mode]",
            id="60 characters are not cut",
        ),
        pytest.param(
            {"description": "{a: b}"},
            "f:1:14: R005 a string is expected here, not a mapping\n"
            "  fix: write one text [description]",
            id="keys in the place of a text: quotes would make a text of them",
        ),
        pytest.param(
            {"policy": "7"},
            "f:1:9: R005 a string is expected here, not the number 7\n"
            "  fix: put it in single quotes [policy]",
            id="a number as name",
        ),
        pytest.param(
            {"description": "' '"},
            "f:1:14: R005 the text is empty\n"
            "  fix: write something that helps at 3 am [description]",
            id="blank description",
        ),
        pytest.param(
            {"enforcement": "audt"},
            "f:1:14: R005 `audt` is not known here\n  fix: did you mean `audit`? [enforcement]",
            id="enforcement",
        ),
        pytest.param(
            {"mode": "serial"},
            "f:1:7: R005 `serial` is not known here\n  fix: write `queued` [mode]",
            id="mode",
        ),
        pytest.param(
            {"if_": ""},
            "f:1:4: R005 the value is missing\n  fix: write it, or take the key out [if]",
            id="if without a condition",
        ),
        pytest.param(
            {"cooldown": ""},
            "f:1:10: R005 the value is missing\n  fix: write it, or take the key out [cooldown]",
            id="cooldown without a value",
        ),
        # numbers and durations
        pytest.param(
            {"max": "0"},
            "f:1:6: R005 `0` is out of range\n  fix: write a whole number from 1 to 1000 [max]",
            id="max below",
        ),
        pytest.param({"max": "1"}, "", id="least max"),
        pytest.param({"max": "1000"}, "", id="greatest max"),
        pytest.param(
            {"max": "1001"},
            "f:1:6: R005 `1001` is out of range\n  fix: write a whole number from 1 to 1000 [max]",
            id="max above",
        ),
        pytest.param(
            {"max": "'5'"},
            "f:1:6: R005 a whole number is expected here, not the string '5'\n"
            "  fix: write a whole number [max]",
            id="max in quotes",
        ),
        pytest.param(
            {"timeout": "30"},
            "f:1:10: R005 '30' has no unit\n  fix: write 30s, 30m or 30h [timeout]",
            id="no unit",
        ),
        pytest.param(
            {"timeout": "5 min"},
            "f:1:10: R005 '5 min' is not a duration\n  fix: write 5m [timeout]",
            id="no duration",
        ),
        pytest.param(
            {"timeout": "[1h]"},
            "f:1:10: R005 a duration is expected here\n"
            "  fix: write it with a unit, such as 500ms, 30s, 10m, 2h, 1d or 1h30m [timeout]",
            id="a list as duration",
        ),
        pytest.param(
            {"timeout": "true"},
            "f:1:10: R005 a duration is expected here\n"
            "  fix: write it with a unit, such as 500ms, 30s, 10m, 2h, 1d or 1h30m [timeout]",
            id="a boolean as duration",
        ),
        pytest.param(
            {"timeout": "0s"},
            "f:1:10: R005 this duration cannot be zero\n"
            "  fix: write a longer one, or take the key out [timeout]",
            id="no time at all",
        ),
        pytest.param({"timeout": "3650d"}, "", id="ten years"),
        pytest.param(
            {"timeout": "3651d"},
            "f:1:10: R005 '3651d' is longer than ten years\n"
            "  fix: write a shorter duration [timeout]",
            id="more than ten years",
        ),
        pytest.param(
            {"timeout": "99999d"},
            "f:1:10: R005 '99999d' is longer than 100 years\n"
            "  fix: write it with a unit, such as 500ms, 30s, 10m, 2h, 1d or 1h30m [timeout]",
            id="more than a hundred years",
        ),
        # limits
        pytest.param(
            {"limits": "[3 an hour, 3 per 1h per rack, 0 at once per host, 3 per x per host]"},
            "f:1:10: R005 `3 an hour` is no limit\n"
            "  fix: write it as `3 per 1h per guest` or `1 at once per host` [limits/0]\n"
            "f:1:21: R005 `rack` is no scope of a limit\n"
            "  fix: write one of: guest, key, host [limits/1]\n"
            "f:1:40: R005 a limit counts from 1 to 999999\n"
            "  fix: write it as `3 per 1h per guest` or `1 at once per host` [limits/2]\n"
            "f:1:60: R005 `x` is no duration\n"
            "  fix: write it as `3 per 1h per guest` or `1 at once per host` [limits/3]",
            id="limits",
        ),
        pytest.param(
            {"limits": "[3 per 0s per key, 3 per 367d per key, 1000000 at once per key, 3]"},
            "f:1:10: R005 the window of a limit is above zero and at most a year\n"
            "  fix: write it as `3 per 1h per guest` or `1 at once per host` [limits/0]\n"
            "f:1:28: R005 the window of a limit is above zero and at most a year\n"
            "  fix: write it as `3 per 1h per guest` or `1 at once per host` [limits/1]\n"
            "f:1:48: R005 a limit counts from 1 to 999999\n"
            "  fix: write it as `3 per 1h per guest` or `1 at once per host` [limits/2]\n"
            "f:1:73: R005 `3` is no limit\n"
            "  fix: write it as `3 per 1h per guest` or `1 at once per host` [limits/3]",
            id="limits out of range",
        ),
        pytest.param(
            {"limits": "3 per 1h per guest"},
            "f:1:9: R005 a list is expected here, not the string '3 per 1h per guest'\n"
            "  fix: write `limits: [3 per 1h per guest]` [limits]",
            id="one limit without a list",
        ),
        # guests
        pytest.param(
            {"guests": "web-*"},
            "f:1:9: R005 a mapping is expected here, not the string 'web-*'\n"
            "  fix: write `guests: {name: 'web-*'}` [guests]",
            id="guests",
        ),
        pytest.param(
            {"guests": "{name: [], labels: {tier: 1, rack: [a, true]}, except: {}}"},
            "f:1:16: R005 the list is empty\n  fix: write at least one entry [guests/name]\n"
            "f:1:35: R005 a string is expected here, not the number 1\n"
            "  fix: put it in single quotes [guests/labels/tier]\n"
            "f:1:48: R005 a string is expected here, not the boolean true\n"
            "  fix: put it in single quotes [guests/labels/rack/1]\n"
            "f:1:64: R005 an empty `except` leaves every guest out\n"
            "  fix: take it out [guests/except]",
            id="selector",
        ),
        pytest.param(
            {"guests": "{nmae: x, except: {except: {name: a}}}"},
            "f:1:10: R003 `nmae` is no key here\n  fix: did you mean `name`? [guests/nmae]\n"
            "f:1:28: R003 `except` is no key here\n"
            "  fix: write one of: name, labels [guests/except/except]",
            id="unknown keys of a selector",
        ),
        pytest.param(
            {"guests": "{except: {labels: {}}}"},
            "f:1:18: R005 an empty `except` leaves every guest out\n"
            "  fix: take it out [guests/except]",
            id="except without labels",
        ),
        pytest.param({"guests": "{except: {name: a, labels: {}}}"}, "", id="except by name"),
        # triggers
        pytest.param(
            {"trigger": "{event: guest_panicked}"},
            "f:1:18: R005 `guest_panicked` is no event name\n"
            "  fix: did you mean `GUEST_PANICKED`? [trigger/event]",
            id="event name",
        ),
        pytest.param(
            {"trigger": "[{event: [RESET, 5]}, {where: 'true'}]"},
            "f:1:27: R005 a string is expected here, not the number 5\n"
            "  fix: put it in single quotes [trigger/0/event/1]\n"
            "f:1:32: R005 a trigger has exactly one of `event`, `state`, `schedule`, `every` and"
            " `mqtt`, this one has none of them\n  fix: write one of them [trigger/1]",
            id="list of triggers",
        ),
        pytest.param(
            {"trigger": "[]"},
            "f:1:10: R005 the list is empty\n  fix: write at least one entry [trigger]",
            id="no trigger",
        ),
        pytest.param(
            {"trigger": "RESET"},
            "f:1:10: R005 a trigger is a mapping\n  fix: write it as `event: RESET` [trigger]",
            id="trigger without event",
        ),
        # unknown and missing keys
        pytest.param(
            {"colldown": "1h"},
            "f:1:1: R003 `colldown` is no key here\n  fix: did you mean `cooldown`? [colldown]",
            id="unknown key",
        ),
        pytest.param(
            {"Mode": "single"},
            "f:1:1: R003 `Mode` is no key here\n  fix: did you mean `mode`? [Mode]",
            id="capitals",
        ),
        pytest.param(
            {"xyzzy": "1"},
            "f:1:1: R003 `xyzzy` is no key here\n"
            "  fix: write one of: policy, description, enforcement, guests, arm, trigger, if,"
            " debounce, cooldown, mode, max, limits, inhibit_if, approval, timeout, vars, steps,"
            " on_failure, on_limit, finally [xyzzy]",
            id="a key like no other",
        ),
        pytest.param(
            {"trigger": "{event: RESET, where: glob(data.id, x), by:y}"},
            "f:1:46: R003 `x)` is no key here\n"
            "  fix: put the value before it in single quotes if this is part of it;"
            " or write one of: event, where, by, count, within, followed_by, not_followed_by,"
            " cancel_on, own, synthetic [trigger/x)]\n"
            "f:1:50: R003 `by:y` is no key here\n"
            "  fix: write a space behind the colon [trigger/by:y]",
            id="keys that are the rest of a value",
        ),
        pytest.param(
            {"vars": "{Good: 1, a-b: 2, ok: 3}"},
            "f:1:8: R005 `Good` is no name for expressions\n"
            "  fix: use small letters, digits and underscores only [vars/Good]\n"
            "f:1:17: R005 `a-b` is no name for expressions\n"
            "  fix: use small letters, digits and underscores only [vars/a-b]",
            id="names of vars",
        ),
        # not built yet
        # admission
        pytest.param(
            {"debounce": "{quiet: 10s, at_most: 9s}"},
            "f:1:11: R005 `at_most` is shorter than `quiet`: it would always be what decides\n"
            "  fix: write a longer `at_most`, or a shorter `quiet` [debounce]",
            id="debounce that never waits",
        ),
        pytest.param({"debounce": "{quiet: 10s, at_most: 10s}"}, "", id="debounce at its bound"),
        pytest.param({"debounce": "10s"}, "", id="debounce"),
        pytest.param(
            {"debounce": "0s", "approval": "{ask: 5, expires: 1}", "inhibit_if": "[5]"},
            "f:1:11: R005 this duration cannot be zero\n"
            "  fix: write a longer one, or take the key out [debounce]\n"
            "f:2:17: R005 a string is expected here, not the number 5\n"
            "  fix: put it in single quotes [approval/ask]\n"
            "f:2:29: R005 '1' has no unit\n  fix: write 1s, 1m or 1h [approval/expires]\n"
            "f:3:14: R005 a string is expected here, not the number 5\n"
            "  fix: put it in single quotes [inhibit_if/0]",
            id="admission",
        ),
        pytest.param(
            {"debounce": "{at_most: 10s, quite: 5s}", "approval": "please", "inhibit_if": ""},
            "f:1:26: R003 `quite` is no key here\n"
            "  fix: did you mean `quiet`? [debounce/quite]\n"
            "f:2:11: R005 a mapping is expected here, not the string 'please'\n"
            "  fix: write `approval: {ask: TEXT}`, or `approval: {}` [approval]\n"
            "f:3:12: R005 the value is missing\n"
            "  fix: write it, or take the key out [inhibit_if]",
            id="admission, written otherwise",
        ),
        pytest.param(
            {"approval": "{}", "mode": "parallel", "enforcement": "approve"}, "", id="sound"
        ),
        pytest.param(
            {"limits": "[1 per 1h per fleet]"},
            "f:1:10: R007 `per fleet` is part of the language but not built yet\n"
            "  fix: use `per host` [limits/0]",
            id="a limit over all hosts, later",
        ),
    ],
)
def test_keys_of_a_policy(keys: dict[str, str], message: str) -> None:
    """Place, code, problem, fix and path of everything that is wrong; nothing for what is right."""
    assert problems_of(policy(**keys)) == message


@pytest.mark.parametrize(
    ("step", "message"),
    [
        pytest.param("- log: x", "", id="a sound step"),
        pytest.param(
            "- waitt: {event: RESET}",
            "f:2:3: R003 unknown step `waitt`\n  fix: write `wait` [steps/0]",
            id="misspelt verb",
        ),
        pytest.param(
            "- frobnicate: x\n  name: y",
            "f:2:3: R003 unknown step `frobnicate`\n  fix: write one of: guest, qmp, agent,"
            " wait, check, choose, repeat, parallel, delay, publish, mark, clear, inhibit, run,"
            " http, exec, log, fail, stop [steps/0]",
            id="a verb like no other",
        ),
        pytest.param(
            "- name: x",
            "f:2:3: R006 the step has no verb\n  fix: write one of: guest, qmp, agent,"
            " wait, check, choose, repeat, parallel, delay, publish, mark, clear, inhibit, run,"
            " http, exec, log, fail, stop [steps/0]",
            id="no verb",
        ),
        pytest.param(
            "- log: x\n  publish: y",
            "f:2:3: R005 a step has exactly one verb, this one has `publish` and `log`\n"
            "  fix: make them separate steps [steps/0]",
            id="two verbs",
        ),
        pytest.param(
            "- guest: reset\n  wait: {event: RESET}",
            "f:2:3: R005 a step has exactly one verb, this one has `guest` and `wait`\n"
            "  fix: make them separate steps [steps/0]",
            id="wait beside another verb than qmp",
        ),
        pytest.param(
            "- stop",
            "f:2:3: R005 a step is a mapping with a verb\n"
            "  fix: write it as `- stop: VALUE` [steps/0]",
            id="a string",
        ),
        pytest.param(
            "- {log: x, where: y}",
            "f:2:12: R003 `where` is no key here\n  fix: write one of: name, if, timeout, retry,"
            " on_error, save, log [steps/0/where]",
            id="an option of another verb",
        ),
        pytest.param(
            "- {log: x, name: 1, if: 5, timeout: 3, retry: {times: 0, backoff: [1s, 2]},"
            " on_error: ignore, save: A}",
            "f:2:18: R005 a string is expected here, not the number 1\n"
            "  fix: put it in single quotes [steps/0/name]\n"
            "f:2:25: R005 a string is expected here, not the number 5\n"
            "  fix: put it in single quotes [steps/0/if]\n"
            "f:2:37: R005 '3' has no unit\n  fix: write 3s, 3m or 3h [steps/0/timeout]\n"
            "f:2:55: R005 `0` is out of range\n"
            "  fix: write a whole number from 1 to 100 [steps/0/retry/times]\n"
            "f:2:72: R005 '2' has no unit\n  fix: write 2s, 2m or 2h [steps/0/retry/backoff/1]\n"
            "f:2:87: R005 `ignore` is not known here\n"
            "  fix: write `continue` [steps/0/on_error]\n"
            "f:2:101: R005 `A` is no name for expressions\n"
            "  fix: use small letters, digits and underscores only [steps/0/save]",
            id="options of every step",
        ),
        pytest.param(
            "- {log: x, retry: {times: 100, backoff: 0s}}", "", id="greatest retry, no pause"
        ),
        pytest.param(
            "- {log: x, retry: {times: 101}}",
            "f:2:27: R005 `101` is out of range\n"
            "  fix: write a whole number from 1 to 100 [steps/0/retry/times]",
            id="too many retries",
        ),
        pytest.param(
            "- {log: x, if: }",
            "f:2:16: R005 the value is missing\n  fix: write it, or take the key out [steps/0/if]",
            id="an if without a condition",
        ),
        # guest
        pytest.param(
            "- guest: restet\n- guest: dmup\n- guest: 5",
            "f:2:10: R005 `restet` is not known here\n  fix: did you mean `reset`?"
            " [steps/0/guest]\n"
            "f:3:10: R005 `dmup` is not known here\n  fix: did you mean `dump`?"
            " [steps/1/guest]\n"
            "f:4:10: R005 a string is expected here, not the number 5\n"
            "  fix: put it in single quotes [steps/2/guest]",
            id="guest actions",
        ),
        pytest.param(
            "- {guest: reset, to: x}",
            "f:2:18: R003 `to` is no key here\n  fix: write one of: name, if, timeout, retry,"
            " on_error, save, guest [steps/0/to]",
            id="a target of a reset",
        ),
        pytest.param(
            "- {guest: dump, to: 5}",
            "f:2:21: R005 a string is expected here, not the number 5\n"
            "  fix: put it in single quotes [steps/0/to]",
            id="a target that is a number",
        ),
        # qmp
        pytest.param(
            "- {qmp: '${vars.x}', args: [1], wait: 5s}",
            "f:2:9: R005 `${vars.x}` is no QMP command\n"
            "  fix: write the command's own name; it is never a template [steps/0/qmp]\n"
            "f:2:28: R005 a mapping is expected here, not a list\n"
            "  fix: write it as `key: value` [steps/0/args]\n"
            "f:2:39: R005 a mapping is expected here, not the string '5s'\n"
            "  fix: write `wait: {event: NAME, timeout: 5m}` [steps/0/wait]",
            id="qmp",
        ),
        pytest.param(
            "- {qmp: stop, wait: {until: x}}",
            "f:2:21: R006 the key `event` is missing\n  fix: add `event:` [steps/0/wait]\n"
            "f:2:22: R003 `until` is no key here\n"
            "  fix: write one of: event, where, fail_when, timeout [steps/0/wait/until]",
            id="until on a qmp step",
        ),
        # wait
        pytest.param(
            "- wait: 30s",
            "f:2:9: R005 a wait is a mapping\n"
            "  fix: write `delay: 30s` for a fixed time [steps/0/wait]",
            id="wait for a time",
        ),
        pytest.param(
            "- wait: {timeout: 5s}\n- wait: {event: RESET, until: x}",
            "f:2:9: R005 a wait has exactly one of `event`, `until` and `stays`,"
            " this one has none of them\n"
            "  fix: write one of them [steps/0/wait]\n"
            "f:3:9: R005 a wait has exactly one of `event`, `until` and `stays`,"
            " this one has `event` and `until`\n"
            "  fix: make them two steps [steps/1/wait]",
            id="wait for nothing and for both",
        ),
        pytest.param(
            "- wait: {until: x, where: y, fail_when: z}",
            "f:2:20: R003 `where` is no key here\n"
            "  fix: write one of: until, timeout [steps/0/wait/where]\n"
            "f:2:30: R003 `fail_when` is no key here\n"
            "  fix: write one of: until, timeout [steps/0/wait/fail_when]",
            id="options of the other wait",
        ),
        # the others
        pytest.param(
            "- delay: 5\n- check: 5\n- log: [x]\n- fail:\n- stop: {a: b}",
            "f:2:10: R005 '5' has no unit\n  fix: write 5s, 5m or 5h [steps/0/delay]\n"
            "f:3:10: R005 a string is expected here, not the number 5\n"
            "  fix: put it in single quotes [steps/1/check]\n"
            "f:4:8: R005 a string is expected here, not a list\n"
            "  fix: write `log: TEXT`; what is to be read by programs goes out with"
            " `publish` [steps/2/log]\n"
            "f:5:8: R005 the value is missing\n"
            "  fix: write it, or take the key out [steps/3/fail]\n"
            "f:6:9: R005 a string is expected here, not a mapping\n"
            "  fix: write one text [steps/4/stop]",
            id="values of the other verbs",
        ),
        pytest.param("- {check: true, if: false}\n- delay: 0s", "", id="booleans are conditions"),
        pytest.param(
            "- {publish: x, qos: 3, retain: yes, topic: relative, properties: {a: 1}}",
            "f:2:21: R005 `3` is out of range\n"
            "  fix: write a whole number from 0 to 2 [steps/0/qos]\n"
            "f:2:32: R005 true or false is expected here, not the string 'yes'\n"
            "  fix: write true or false [steps/0/retain]\n"
            "f:2:44: R005 `relative` is not known here\n"
            "  fix: write one of: absolute [steps/0/topic]\n"
            "f:2:70: R005 a string is expected here, not the number 1\n"
            "  fix: put it in single quotes [steps/0/properties/a]",
            id="publish",
        ),
        pytest.param("- {publish: x, qos: 0}\n- {publish: x, qos: 2}", "", id="qos at its bounds"),
        pytest.param(
            "- {publish: x, qos: -1, retain: 1.5}",
            "f:2:21: R005 `-1` is out of range\n"
            "  fix: write a whole number from 0 to 2 [steps/0/qos]\n"
            "f:2:33: R005 true or false is expected here, not the number 1.5\n"
            "  fix: write true or false [steps/0/retain]",
            id="qos below",
        ),
        pytest.param(
            "- mark: {disk: x, port: y}\n- mark: {guest: web, as: a}\n- clear: {as: x}",
            "f:2:9: R006 the key `as` is missing\n  fix: add `as:` [steps/0/mark]\n"
            "f:2:9: R005 a mark is on exactly one thing, not on `disk` and `port`\n"
            "  fix: keep one of: guest, host, disk, memory, port, migration [steps/0/mark]\n"
            "f:3:17: R005 a mark on the guest has the id `self`, not `web`\n"
            "  fix: write `guest: self` [steps/1/mark/guest]\n"
            "f:4:10: R005 a mark is on exactly one thing, not on none\n"
            "  fix: keep one of: guest, host, disk, memory, port, migration [steps/2/clear]",
            id="marks",
        ),
        pytest.param(
            "- mark: {host: self, as: a, expires: 1h}\n- clear: {disk: x}", "", id="sound marks"
        ),
        # guest agent, programs, webhooks
        pytest.param(
            "- {agent: '${vars.x}', args: [1]}\n- {agent: guest-ping, args: {a: 1}}",
            "f:2:11: R005 `${vars.x}` is no command of the guest agent\n"
            "  fix: write the command's own name, such as guest-ping; it is never a template"
            " [steps/0/agent]\n"
            "f:2:30: R005 a mapping is expected here, not a list\n"
            "  fix: write it as `key: value` [steps/0/args]",
            id="agent",
        ),
        pytest.param(
            "- exec: []\n- exec: logger x\n- exec: ['${vars.x}', a]\n- exec: [logger, a]\n"
            "- exec: [/usr/bin/logger, 5]\n- exec: [/usr/bin/logger, '${run.id}']",
            "f:2:9: R005 the list is empty\n  fix: write at least one entry [steps/0/exec]\n"
            "f:3:9: R005 a list is expected here, not the string 'logger x'\n"
            "  fix: write it as a list: [logger, x] [steps/1/exec]\n"
            "f:4:10: R005 the program is never a template: the settings permit it by its path\n"
            "  fix: write its path; templates may follow it [steps/2/exec/0]\n"
            "f:5:10: R005 `logger` is no absolute path of a program\n"
            "  fix: write the whole path, such as /usr/bin/logger [steps/3/exec/0]\n"
            "f:6:27: R005 a string is expected here, not the number 5\n"
            "  fix: put it in single quotes [steps/4/exec/1]",
            id="exec",
        ),
        pytest.param(
            "- http: {method: PUSH, headers: {a b: c}, expect: [99, 600], timeout: 5s}\n"
            "- http: {url: 'http://x', body: {}, expect: [], status: 200}\n"
            "- http: https://x\n"
            "- http: {url: 'http://x', expect: 204, json: null, method: HEAD}\n"
            "- http: {url: 'http://x', expect: [100, 599], headers: {X-Token: '${run.id}'}}",
            "f:2:9: R006 the key `url` is missing\n  fix: add `url:` [steps/0/http]\n"
            "f:2:18: R005 `PUSH` is not known here\n"
            "  fix: write one of: GET, HEAD, POST, PUT, PATCH, DELETE [steps/0/http/method]\n"
            "f:2:34: R005 `a b` is no name of an HTTP header\n"
            "  fix: use letters, digits and hyphens only [steps/0/http/headers/a b]\n"
            "f:2:52: R005 `99` is out of range\n"
            "  fix: write a whole number from 100 to 599 [steps/0/http/expect/0]\n"
            "f:2:56: R005 `600` is out of range\n"
            "  fix: write a whole number from 100 to 599 [steps/0/http/expect/1]\n"
            "f:2:62: R003 `timeout` is no key here\n"
            "  fix: write it on the step, beside `http` [steps/0/http/timeout]\n"
            "f:3:27: R003 `body` is no key here\n  fix: write `json` [steps/1/http/body]\n"
            "f:3:45: R005 the list is empty\n"
            "  fix: write at least one entry [steps/1/http/expect]\n"
            "f:3:49: R003 `status` is no key here\n  fix: write `expect` [steps/1/http/status]\n"
            "f:4:9: R005 a mapping is expected here, not the string 'https://x'\n"
            "  fix: write `http: {url: 'https://...'}` [steps/2/http]",
            id="http",
        ),
        pytest.param(
            "- inhibit: {policies: [], for: 0s}\n- inhibit: {policies: 'p-*', for: 1h}\n"
            "- inhibit: x",
            "f:2:23: R005 the list is empty\n"
            "  fix: write at least one entry [steps/0/inhibit/policies]\n"
            "f:2:32: R005 this duration cannot be zero\n"
            "  fix: write a longer one, or take the key out [steps/0/inhibit/for]\n"
            "f:4:12: R005 a mapping is expected here, not the string 'x'\n"
            "  fix: write `inhibit: {policies: ['*'], for: 1h}` [steps/2/inhibit]",
            id="inhibit",
        ),
        pytest.param(
            "- {run: A, with: [x]}\n- {run: b, with: {C: 1}}",
            "f:2:9: R005 `A` is no runbook name\n"
            "  fix: use small letters, digits and hyphens only, at most 100 of them [steps/0/run]\n"
            "f:2:18: R005 a mapping is expected here, not a list\n"
            "  fix: write it as `key: value` [steps/0/with]\n"
            "f:3:19: R005 `C` is no name for expressions\n"
            "  fix: use small letters, digits and underscores only [steps/1/with/C]",
            id="run",
        ),
        pytest.param(
            "- wait: {stays: x, for: 1m, timeout: 59s}\n- wait: {stays: x, for: 1m, timeout: 1m}\n"
            "- wait: {stays: x}\n- wait: {until: x, for: 1m}\n- wait: {event: A, for: 1m}",
            "f:2:9: R005 `timeout` is shorter than `for`: this wait can only fail\n"
            "  fix: write a longer `timeout`, or a shorter `for` [steps/0/wait]\n"
            "f:4:9: R006 the key `for` is missing\n  fix: add `for:` [steps/2/wait]\n"
            "f:5:20: R003 `for` is no key here\n"
            "  fix: write `stays` in the place of `until` if it must hold for a while"
            " [steps/3/wait/for]\n"
            "f:6:20: R003 `for` is no key here\n"
            "  fix: write `timeout` for the longest time to wait; `for` belongs to `stays`"
            " [steps/4/wait/for]",
            id="stays",
        ),
        # steps inside of steps
        pytest.param(
            "- choose: []\n- choose: x\n"
            "- choose:\n  - x\n  - {when: 'true'}\n  - {default: [], steps: [{log: x}]}\n"
            "  - {wen: x}\n  - {}\n  - {when: x, default: y}\n",
            "f:2:11: R005 the list is empty\n  fix: write at least one entry [steps/0/choose]\n"
            "f:3:11: R005 a list is expected here, not the string 'x'\n"
            "  fix: begin each entry with `- ` [steps/1/choose]\n"
            "f:5:5: R005 a way of `choose` is a mapping\n"
            "  fix: write it as `- when: CONDITION` with `steps:` [steps/2/choose/0]\n"
            "f:6:5: R006 the key `steps` is missing\n  fix: add `steps:` [steps/2/choose/1]\n"
            "f:7:15: R005 the list is empty\n"
            "  fix: write at least one entry [steps/2/choose/2/default]\n"
            "f:7:15: R005 no way behind `default` is ever taken\n"
            "  fix: write `default` last [steps/2/choose/2/default]\n"
            "f:7:19: R003 `steps` is no key here\n"
            "  fix: write one of: default [steps/2/choose/2/steps]\n"
            "f:8:6: R003 `wen` is no key here\n  fix: did you mean `when`? [steps/2/choose/3]\n"
            "f:9:5: R005 a way of `choose` has exactly one of `when` and `default`, this one has"
            " none of them\n  fix: write one of them [steps/2/choose/4]\n"
            "f:10:5: R005 a way of `choose` has exactly one of `when` and `default`, this one has"
            " `when` and `default`\n  fix: make them two ways [steps/2/choose/5]",
            id="choose",
        ),
        pytest.param(
            "- choose:\n  - {when: 'true', steps: [{lgo: x}, {log: x, save: A}]}\n"
            "  - {default: [{choose: [{when: 'true', steps: [{delay: 5}]}]}]}",
            "f:3:29: R003 unknown step `lgo`\n  fix: write `log`"
            " [steps/0/choose/0/steps/0]\n"
            "f:3:53: R005 `A` is no name for expressions\n"
            "  fix: use small letters, digits and underscores only"
            " [steps/0/choose/0/steps/1/save]\n"
            "f:4:57: R005 '5' has no unit\n  fix: write 5s, 5m or 5h"
            " [steps/0/choose/1/default/0/choose/0/steps/0/delay]",
            id="steps inside of choose",
        ),
        pytest.param(
            "- repeat: {times: 0, backoff: [1s, 2]}\n- {repeat: {times: 1000}, steps: []}\n"
            "- {repeat: {}, steps: [{log: 5}]}\n- {repeat: {times: 1001}, steps: {log: x}}\n"
            "- {log: x, steps: [{log: y}]}",
            "f:2:3: R006 the key `steps` is missing\n  fix: add `steps:` [steps/0]\n"
            "f:2:19: R005 `0` is out of range\n"
            "  fix: write a whole number from 1 to 1000 [steps/0/repeat/times]\n"
            "f:2:36: R005 '2' has no unit\n"
            "  fix: write 2s, 2m or 2h [steps/0/repeat/backoff/1]\n"
            "f:3:34: R005 the list is empty\n  fix: write at least one entry [steps/1/steps]\n"
            "f:4:12: R006 the key `times` is missing\n  fix: add `times:` [steps/2/repeat]\n"
            "f:4:30: R005 a string is expected here, not the number 5\n"
            "  fix: put it in single quotes [steps/2/steps/0/log]\n"
            "f:5:20: R005 `1001` is out of range\n"
            "  fix: write a whole number from 1 to 1000 [steps/3/repeat/times]\n"
            "f:5:34: R005 a list is expected here, not a mapping\n"
            "  fix: begin each entry with `- ` [steps/3/steps]\n"
            "f:6:12: R003 `steps` is no key here\n"
            "  fix: write one of: name, if, timeout, retry, on_error, save, log [steps/4/steps]",
            id="repeat",
        ),
        pytest.param(
            "- parallel: []\n- parallel: [{log: x}]\n- parallel: [[], [{lg: x}]]\n"
            "- parallel: [[{log: x}], [{log: y}]]",
            "f:2:13: R005 the list is empty\n  fix: write at least one entry [steps/0/parallel]\n"
            "f:3:14: R005 a list is expected here, not a mapping\n"
            "  fix: write it as `- - VERB: VALUE`: each branch is a list of steps"
            " [steps/1/parallel/0]\n"
            "f:4:14: R005 the list is empty\n"
            "  fix: write at least one entry [steps/2/parallel/0]\n"
            "f:4:20: R003 unknown step `lg`\n  fix: write `log` [steps/2/parallel/1/0]",
            id="parallel",
        ),
    ],
)
def test_steps(step: str, message: str) -> None:
    """Each verb and option, with all that is wrong about it."""
    lines = "".join(f"{line}\n" for line in step.split("\n"))
    assert problems_of(
        f"steps:\n{lines}policy: p\ndescription: d\ntrigger: {{event: RESET}}\n"
    ) == (message)


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        pytest.param("[{guest: preserve-on-panic}, {qmp: set-action}]", "", id="sound"),
        pytest.param(
            "[{log: x}, {guest: dump}, {guest: reset}, x, {log: x, fail: y}]",
            "f:1:7: R005 `log` cannot stand in `arm`\n"
            "  fix: use `qmp` or `guest: preserve-on-panic` [arm/0]\n"
            "f:1:25: R005 `dump` is not known here\n"
            "  fix: write one of: preserve-on-panic [arm/1/guest]\n"
            "f:1:40: R005 `reset` is not known here\n"
            "  fix: write one of: preserve-on-panic [arm/2/guest]\n"
            "f:1:48: R005 a step is a mapping with a verb\n"
            "  fix: write it as `- VERB: VALUE` [arm/3]\n"
            "f:1:51: R005 a step has exactly one verb, this one has `log` and `fail`\n"
            "  fix: make them separate steps [arm/4]",
            id="other steps",
        ),
    ],
)
def test_arm(arm: str, message: str) -> None:
    """What is sent at each connect is a command, or the one guest action for it."""
    assert problems_of(policy(arm=arm)) == message


def test_every_missing_key_is_named_at_the_document() -> None:
    """One finding for each key that a policy must have."""
    assert problems_of("policy: p\n") == (
        "f:1:1: R006 the key `description` is missing\n  fix: add `description:` []\n"
        "f:1:1: R006 the key `trigger` is missing\n  fix: add `trigger:` []\n"
        "f:1:1: R006 the key `steps` is missing\n  fix: add `steps:` []"
    )


def test_a_misspelt_key_is_not_missing_as_well() -> None:
    """One mistake, one finding."""
    assert problems_of(policy().replace("description", "descripton")) == (
        "f:2:1: R003 `descripton` is no key here\n  fix: did you mean `description`? [descripton]"
    )


def test_there_is_no_model_where_anything_is_wrong() -> None:
    """Also when only a rule between keys is broken."""
    for text in (policy(guests="{except: {}}"), policy(max="0")):
        root = read(text, "f").documents[0].root
        assert isinstance(root, Dictionary)
        model, problems = fit(root, Policy)
        assert (model, len(problems)) == (None, 1)


def test_what_the_reader_refused_is_not_refused_again() -> None:
    """A tag, an alias and their parents are passed over."""
    text = policy(max="!x 5", guests="{name: *a}", vars="{x: &b 1}", if_="[*c, true]")
    assert problems_of(text) == ""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param(True, "the boolean true", id="boolean"),
        pytest.param(1.5, "the number 1.5", id="number"),
        pytest.param("x" * 40, f"the string '{'x' * 40}'", id="string"),
        pytest.param("x" * 41, "a long string", id="long string"),
        pytest.param({}, "a mapping", id="mapping"),
        pytest.param([], "a list", id="list"),
    ],
)
def test_spell(value: object, words: str) -> None:
    """A value as a sentence names it."""
    assert spell(value) == words
