"""Compares what the probes predict with what the real API server did in the same 15 minutes. Pure.

A target is predicted to fail if it failed in at least 13 of the 15 minutes, and to pass if every minute was measured
and none failed. Everything between is neither, and is not compared. Then, by what can show it:

- an APIService: its condition Available. The check behind it does not verify TLS, so only failures without an answer
  predict it; and it is made every 30 s, so that it keeps its own connection open for ever;
- a webhook: its name in the API server's log, where that may be read;
- fail-closed webhooks that no selector narrows: the number of refused calls of the whole cluster. Few calls prove
  nothing, and refusals may be policy: no refused call at all contradicts, more than before agree.

A webhook that refuses a request is not a failure to call it. What cannot be compared is unknown, never agreement.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from egressprobe.catalog.findings_cluster import API_SERVER_AGREES, API_SERVER_DISAGREES
from egressprobe.incidents.corroboration.facts import (
    ENOUGH_MINUTES,
    WINDOW_MINUTES,
    ApiServerFacts,
    Corroboration,
    FailingMinutes,
    LoggedFailure,
    WebhookCalls,
)
from egressprobe.model.failure import CODES, Code, Ending
from egressprobe.model.report import Finding, TargetView
from egressprobe.model.target import Expect, FailurePolicy, Target

# One call a minute: below that, that none was refused is no evidence.
_FEWEST_CALLS = 15
# The dimension Target of a plan with more series than the cap (publish/emf.py).
ALL_TARGETS = "all targets"
_CONFIGURATIONS = {"validating": "ValidatingWebhookConfiguration", "mutating": "MutatingWebhookConfiguration"}
_NO_ANSWER = frozenset({Ending.SILENT, Ending.RESET, Ending.CLOSED, Ending.UNREACHABLE})
_MOST_NAMES = 20
_SHOWN_NAMES = 3

_OTHER_INTERFACE = (
    "an interface of the API server has another address than the probes', and a firewall allows addresses one by one"
)

_NONE_REFUSED = "no call refused although fail-closed webhooks fail"

# What each disagreement usually means: the likeliest first.
USUAL_REASONS: dict[str, tuple[str, ...]] = {
    "available although probes fail": (
        "its availability check, every 30 s, keeps a connection open that was opened before the break",
        "the API server has no interface in the subnets that fail",
    ),
    "unavailable although probes pass": (
        "the extension server does not accept the API server's front-proxy certificate, which the probes do not have",
        "it answers on its path with an error that / or HEAD does not show",
        _OTHER_INTERFACE,
    ),
    _NONE_REFUSED: (
        "the calls use connections that were opened before the break",
        "nothing was created that the failing webhooks intercept",
        "the API server has no interface in the subnets that fail",
    ),
    "calls fail although probes pass": (
        (
            "the webhook's own path answers with an error, with HTML or with another uid, which HEAD / does not show "
            "(`exchange: review` in the targets file sends it a review)"
        ),
        "it answers later than timeoutSeconds when it has to decide",
        _OTHER_INTERFACE,
    ),
}

# Of a view the condition is not known, so that only its calls are compared.
type ComparedTarget = Target | TargetView


class _Pair(NamedTuple):
    """A sentence about a target. reason: a key of USUAL_REASONS; empty: they agree."""

    target: str
    reason: str
    sentence: str


class _Predicted(NamedTuple):
    """Targets by prediction for the whole window; what is in neither is not compared.

    codes: of all that fail, also of those that have just begun: the API server can agree with them.
    """

    failing: dict[str, FailingMinutes]
    passing: frozenset[str]
    codes: dict[str, tuple[str, ...]]


def compare(
    targets: Sequence[ComparedTarget], facts: ApiServerFacts, *, fresh: bool, failing_now: Mapping[str, str] = {}
) -> Corroboration:
    """targets: of the plan. fresh: whether discovery has just read the conditions; else they are out of date.

    failing_now: targets that fail now, with the code, whatever they did before: for these only agreement is found.
    """
    compared = [target for target in targets if target.expect is Expect.REACHABLE]
    unknown = list(facts.unread)
    predicted = _predicted(compared, facts, failing_now)
    pairs: list[_Pair] = []
    if predicted is not None:
        apis = [target for target in compared if isinstance(target, Target) and target.condition]
        conditions = list(_conditions(apis, predicted, facts))
        pairs += conditions if fresh else [pair for pair in conditions if not pair.reason]
        if apis and not fresh:
            unknown.append("the conditions of APIServices were not read just now: they disprove nothing")
        pairs += _logged(compared, predicted, facts)
        already = {pair.target for pair in pairs}
        for calls in facts.webhooks:
            counted, why = _counted(calls, compared, predicted, already)
            pairs += counted
            unknown += why
    evidence: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        evidence[pair.target] = (*evidence.get(pair.target, ()), pair.sentence)
    findings = tuple(_findings(pairs, facts))
    return Corroboration(facts.since, facts.until, findings, evidence, tuple(dict.fromkeys(unknown)))


def _predicted(
    targets: Sequence[ComparedTarget], facts: ApiServerFacts, failing_now: Mapping[str, str]
) -> _Predicted | None:
    if facts.failing is None and not failing_now:
        return None
    seen = {failing.target: failing for failing in facts.failing or ()}
    failing = {name: minutes for name, minutes in seen.items() if minutes.minutes >= ENOUGH_MINUTES}
    codes: dict[str, tuple[str, ...]] = {name: (code,) for name, code in failing_now.items()}
    codes |= {name: minutes.codes for name, minutes in failing.items()}
    measured = facts.failing is not None and facts.measured_minutes >= ENOUGH_MINUTES
    if not measured or ALL_TARGETS in seen:
        return _Predicted(failing, frozenset(), codes)
    # A metric's dimension has printable ASCII only (publish/emf.py): another name could not be found among them.
    passing = {target.name for target in targets if target.name not in seen and target.name.isascii()}
    return _Predicted(failing, frozenset(passing) - failing_now.keys(), codes)


def _conditions(apis: Iterable[Target], predicted: _Predicted, facts: ApiServerFacts) -> Iterator[_Pair]:
    for api in apis:
        condition, failing = api.condition, predicted.failing.get(api.name)
        if condition is None:
            continue
        lasting = _before(condition.since, facts.since)
        since = f" since {condition.since}" if condition.since else ""
        why = f" ({condition.reason}: {condition.message})" if condition.message else ""
        text = f"the API server itself reports Available={condition.status}{since}{why} of {api.name}"
        codes = predicted.codes.get(api.name)
        if codes is not None and condition.status == "False" and str(Code.APISERVICE_UNAVAILABLE) not in codes:
            yield _Pair(api.name, "", text)
        elif failing and condition.status == "True" and lasting and _predicts_unavailable(failing):
            where = f" from {', '.join(failing.subnets)}" if failing.subnets else ""
            sentence = f"{text}, and probes failed{where} in {failing.minutes} of {WINDOW_MINUTES} minutes"
            yield _Pair(api.name, "available although probes fail", sentence)
        elif api.name in predicted.passing and condition.status == "False" and lasting:
            yield _Pair(api.name, "unavailable although probes pass", f"{text}, and probes passed in every minute")


def _predicts_unavailable(failing: FailingMinutes) -> bool:
    """Whether every code is one that a check without verification meets too: no answer, or a refused connection."""
    codes = [Code(code) if code in set(Code) else None for code in failing.codes]
    return bool(codes) and all(
        code is not None
        and (code in (Code.CONNECT_REFUSED, Code.SERVICE_UNRESOLVED) or CODES[code].ending in _NO_ANSWER)
        for code in codes
    )


def _before(since: str, start: str) -> bool:
    """Whether a state that began at `since` lasted for the whole window. False where that is unknown."""
    try:
        return datetime.fromisoformat(since) <= datetime.fromisoformat(start)
    except (ValueError, TypeError):  # not a time, or one without a zone
        return False


def _logged(targets: Iterable[ComparedTarget], predicted: _Predicted, facts: ApiServerFacts) -> Iterator[_Pair]:
    """Failed calls in the log, for the targets of webhooks of that name."""
    by_webhook: dict[str, list[ComparedTarget]] = {}
    for target in targets:
        for name in _webhooks(target):
            by_webhook.setdefault(name, []).append(target)
    for logged in facts.logged or ():
        named = by_webhook.get(logged.webhook, [])
        passing = bool(named) and all(target.name in predicted.passing for target in named)
        for target in named:
            if target.name in predicted.codes:
                yield _Pair(target.name, "", _sentence(logged))
            elif passing and _lasts(logged):
                yield _Pair(target.name, "calls fail although probes pass", _sentence(logged))


def _webhooks(target: ComparedTarget) -> set[str]:
    """Names of the admission webhooks that a target was made of."""
    parts = [text.split("/", 2) for text in target.objects]
    return {part[2] for part in parts if len(part) == 3 and part[0] in _CONFIGURATIONS.values()}


def _lasts(logged: LoggedFailure) -> bool:
    """Whether the calls failed for as long as the window, and not once or twice."""
    span = datetime.fromisoformat(logged.last) - datetime.fromisoformat(logged.first)
    return logged.calls >= 3 and span >= timedelta(minutes=10)


def _sentence(logged: LoggedFailure) -> str:
    calls = "1 call" if logged.calls == 1 else f"{logged.calls} calls"
    times = logged.last if logged.calls == 1 else f"{logged.first} to {logged.last}"
    error = f", the last with: {logged.error}" if logged.error else ""
    done = "and requests were refused" if logged.closed else "and requests went on without it"
    return f"the API server's log has {calls} of webhook {logged.webhook} that failed ({times}), {done}{error}"


def _counted(
    calls: WebhookCalls, targets: Iterable[ComparedTarget], predicted: _Predicted, already: set[str]
) -> tuple[list[_Pair], list[str]]:
    """By the cluster's counters of one kind of webhook; why nothing follows from them. already: known better."""
    kind = _CONFIGURATIONS[calls.kind]
    failing = [
        target
        for target in targets
        if target.name in predicted.codes
        and target.failure_policy is not FailurePolicy.IGNORE
        and any(text.startswith(f"{kind}/") for text in target.objects)
    ]
    slow_minutes = f"{calls.slow_minutes} of {WINDOW_MINUTES} minutes"
    slow = f"one in a hundred {calls.kind} webhook calls took more than 10 s in {slow_minutes}"
    if not failing:
        return [], [
            f"{slow}, though their probes pass: slow decisions, or timeouts"
        ] if calls.slow_minutes >= ENOUGH_MINUTES else []
    names = _names([target.name for target in failing])
    if calls.calls is None or calls.refused is None or calls.minutes < ENOUGH_MINUTES:
        return [], [f"CloudWatch has no complete counts of {calls.kind} webhook calls (AWS/EKS): {names} not compared"]
    if calls.calls < _FEWEST_CALLS:
        return [], [
            f"only {calls.calls:.0f} {calls.kind} webhook calls in {WINDOW_MINUTES} minutes: they prove nothing"
        ]
    in_window = f"{calls.calls:.0f} {calls.kind} webhook calls in {WINDOW_MINUTES} minutes"
    others = [target for target in failing if target.name not in already]
    if calls.refused == 0:
        others = [target for target in others if target.name in predicted.failing]
        every = [target for target in others if target.affects.startswith("all ")]
        sentence = f"the API server refused none of its {in_window}"
        narrowed = f"{sentence}; selectors narrow what {names} intercept, so they may not be called"
        return [_Pair(target.name, _NONE_REFUSED, sentence) for target in every], [] if every or not others else [
            narrowed
        ]
    counts = f"the API server refused {calls.refused:.0f} of its {in_window}, all webhooks together"
    more = calls.refused_before is not None and calls.refused > calls.refused_before
    if more or calls.slow_minutes >= ENOUGH_MINUTES:
        sentence = (
            f"{counts}; {calls.refused_before:.0f} in the {WINDOW_MINUTES} before" if more else f"{counts}; {slow}"
        )
        return [_Pair(target.name, "", sentence) for target in others], []
    return [], [f"{counts}, no more than before: refusals by policy count too, so nothing follows for {names}"]


def _findings(pairs: Sequence[_Pair], facts: ApiServerFacts) -> Iterator[Finding]:
    """One for each reason, and one for all that agree."""
    groups: dict[str, list[_Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.reason, []).append(pair)
    for reason, group in sorted(groups.items(), reverse=True):  # the agreeing ones last
        names = list(dict.fromkeys(pair.target for pair in group))
        evidence: Mapping[str, object] = {
            "targets": names[:_MOST_NAMES],
            "observed": list(dict.fromkeys(pair.sentence for pair in group))[:_MOST_NAMES],
            "since": facts.since,
            "until": facts.until,
        }
        if not reason:
            yield API_SERVER_AGREES.found(f"the real API server fails as predicted for {_names(names)}", evidence)
            continue
        more = {"reason": reason, "usual": list(USUAL_REASONS[reason])}
        summary = f"for {WINDOW_MINUTES} minutes: {reason}: {_names(names)}"
        yield API_SERVER_DISAGREES.found(summary, {**evidence, **more})


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN_NAMES])
    return shown if len(names) <= _SHOWN_NAMES else f"{shown} and {len(names) - _SHOWN_NAMES} more"
