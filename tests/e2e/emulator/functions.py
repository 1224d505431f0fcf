"""Lambda and EventBridge Scheduler: where a function runs, when a schedule fires, what it may invoke."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.core import iam_evaluator, lambda_runtime, responses
from ministack.services import eventbridge, lambda_svc, scheduler

from tests.e2e.emulator.clock import RealTime
from tests.e2e.emulator.monitor import Monitor

# Subnet -> network namespace.
networks: dict[str, str] = {}
_CLOCK = str(Path(__file__).with_name("clock.py"))
_spawning = threading.local()


def install(monitor: Monitor, clock_file: str) -> None:
    _own_network_and_clock(clock_file)
    _errors(monitor)
    # Nothing fires by real time.
    scheduler.start_scheduler = eventbridge.start_scheduler = lambda: None
    eventbridge._invoke_target = _invoke_target


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


def fire(minute: int) -> None:
    """The schedules that are due in a minute, given as seconds since the epoch: the state, not the second, decides."""
    real, scheduler.time = scheduler.time, SimpleNamespace(time=lambda: minute)
    try:
        scheduler._tick_schedules()
    finally:
        scheduler.time = real


def _invoke_target(target: dict[str, Any], *_: Any) -> None:
    """A schedule invokes with its role; ministack does not look at it.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role
    """
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


def settle(seconds: float = 120) -> None:
    """Waits until no function runs, nor one that a log line has started."""
    deadline = time.monotonic() + seconds
    while _running():
        if time.monotonic() > deadline:
            raise TimeoutError(f"functions still run: {lambda_svc.executions_in_flight()}")
        time.sleep(0.005)


def _running() -> bool:
    starts = {lambda_svc._execute_function_with_config_scope, lambda_svc._execute_function}
    waiting = any(getattr(thread, "_target", None) in starts for thread in threading.enumerate())
    return waiting or lambda_svc.executions_in_flight()[0] > 0
