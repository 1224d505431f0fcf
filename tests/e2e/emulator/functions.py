"""Lambda, and what starts functions: schedules and rules, when they fire and what they may invoke."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from ministack.core import iam_evaluator, lambda_runtime, responses
from ministack.services import eventbridge, lambda_svc, scheduler

from tests.e2e.emulator.clock import RealTime
from tests.e2e.emulator.monitor import Monitor

# Subnet -> network namespace.
networks: dict[str, str] = {}
_CLOCK = str(Path(__file__).with_name("clock.py"))
_spawning = threading.local()
# "Lambda ... with a one-minute wait before the first attempt, and two minutes between the first and second".
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
_RETRIES_AFTER = (60, 120)


class _Event(NamedTuple):
    """An asynchronous invocation. due, began: seconds since the epoch. attempt: from 0."""

    due: float
    arn: str
    payload: str
    attempt: int
    began: float


_repeated: list[_Event] = []
_to_target = eventbridge._invoke_target


def install(monitor: Monitor, clock_file: str) -> None:
    _own_network_and_clock(clock_file)
    _errors(monitor)
    # Nothing fires by real time.
    scheduler.start_scheduler = eventbridge.start_scheduler = lambda: None
    eventbridge._invoke_target = _invoke_target
    eventbridge._dispatch_to_lambda = lambda arn, payload: _start(_Event(0, arn, payload, 0, time.time()))


def _own_network_and_clock(clock_file: str) -> None:
    """A function runs in its subnet, with its artifact and the standard library; ministack runs all on the host.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    """
    spawn = lambda_runtime.Worker._spawn

    def spawn_in_place(worker: Any) -> None:
        _spawning.config = worker.config
        spawn(worker)

    class Processes:
        """The module subprocess, as ministack's Worker sees it."""

        def __getattr__(self, name: str) -> Any:
            return getattr(subprocess, name)

        def Popen(self, command: list[str], **how: Any) -> Any:  # noqa: N802
            subnets = (_spawning.config.get("VpcConfig") or {}).get("SubnetIds") or []
            place = ["nsenter", f"--net=/run/netns/{networks[subnets[0]]}"] if subnets else []
            python = [getattr(sys, "_base_executable", sys.executable), "-I", "-S", _CLOCK, clock_file]
            return subprocess.Popen([*place, *python, *command[1:]], **how)

    # It waits by the clock for a function's last line, which between two minutes would take seconds.
    lambda_runtime.time = RealTime()
    lambda_runtime.Worker._spawn = spawn_in_place
    lambda_runtime.subprocess = Processes()


def _errors(monitor: Monitor) -> None:
    """Each invocation counts, however it was started; ministack counts those of the Invoke API only.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    """
    dispatch = lambda_svc._execute_function_dispatch

    def counted(function: Any, config: dict[str, Any], *more: Any) -> Any:
        result = dispatch(function, config, *more)
        failed = isinstance(result, dict) and bool(result.get("error"))
        monitor.metric("AWS/Lambda", "Errors", {"FunctionName": config["FunctionName"]}, int(failed))
        return result

    lambda_svc._execute_function_dispatch = counted


def _start(event: _Event) -> None:
    """Attempts that raised are repeated, as the function's configuration says; ministack makes one attempt."""
    threading.Thread(target=_attempt, args=(event,), daemon=True).start()


def _attempt(event: _Event) -> None:
    function, config, name = lambda_svc._get_func_record_for_ref(event.arn)
    if not function:
        raise LookupError(f"no function {name}")
    record = lambda_svc._execution_record_for_config(function, config)
    result = lambda_svc._execute_function_with_config_scope(record, json.loads(event.payload))
    configured = (
        function.get("event_invoke_config") or (function.get("event_invoke_configs") or {}).get("$LATEST") or {}
    )
    retries = int(configured.get("MaximumRetryAttempts", len(_RETRIES_AFTER)))
    if result.get("error") and event.attempt < retries:
        due = time.time() + _RETRIES_AFTER[event.attempt]
        if due - event.began <= int(configured.get("MaximumEventAgeInSeconds", 21_600)):
            _repeated.append(event._replace(due=due, attempt=event.attempt + 1))


def fire(minute: int) -> None:
    """The schedules that are due in a minute, given as seconds since the epoch: the state, not the second, decides."""
    for event in [event for event in _repeated if event.due < minute + 60]:
        _repeated.remove(event)
        _start(event)
    real, scheduler.time = scheduler.time, SimpleNamespace(time=lambda: minute)
    try:
        scheduler._tick_schedules()
    finally:
        scheduler.time = real


def _invoke_target(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], *view: Any) -> None:
    """A schedule invokes with its role, a rule as the function's policy allows; ministack looks at neither.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-lambda-permissions
    """
    if "RoleArn" not in target:
        if ":lambda:" in target["Arn"] and not _allows_rule(target["Arn"], rule["Arn"]):
            raise PermissionError(f"the policy of {target['Arn']} does not let {rule['Arn']} invoke it")
        _to_target(target, event, rule, *view)
        return
    account, role = responses.get_account_id(), target["RoleArn"].rpartition("/")[2]
    context = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{role}/scheduler",
        principal_type="AssumedRole",
        principal_account=account,
        action="lambda:InvokeFunction",
        resource_arn=target["Arn"],
        region=responses.get_region(),
    )
    decision = iam_evaluator.evaluate(context, iam_evaluator._gather_role_policies(role, account)).decision
    if decision != "Allow":
        raise PermissionError(f"{role} may not invoke {target['Arn']}")
    eventbridge._dispatch_to_lambda(target["Arn"], target.get("Input") or "{}")


def _allows_rule(function: str, rule: str) -> bool:
    account = responses.get_account_id()
    found, _, _ = lambda_svc._get_func_record_for_ref(function)
    context = iam_evaluator.EvalContext(
        principal_arn="events.amazonaws.com",
        principal_type="Service",
        principal_account=account,
        action="lambda:InvokeFunction",
        resource_arn=function,
        region=responses.get_region(),
        service_context={"aws:sourceaccount": account, "aws:sourcearn": rule},
    )
    policy = json.dumps(found["policy"]) if found else None
    decided = iam_evaluator.evaluate_resource_policy(policy, context, service="events.amazonaws.com")
    return bool(decided.decision == "Allow")


def settle(seconds: float = 120) -> None:
    """Waits until no function runs, nor one that a log line has started."""
    deadline = time.monotonic() + seconds
    while _running():
        if time.monotonic() > deadline:
            raise TimeoutError(f"functions still run: {lambda_svc.executions_in_flight()}")
        time.sleep(0.005)


def _running() -> bool:
    starts = {lambda_svc._execute_function_with_config_scope, lambda_svc._execute_function, _attempt}
    waiting = any(getattr(thread, "_target", None) in starts for thread in threading.enumerate())
    return waiting or lambda_svc.executions_in_flight()[0] > 0
