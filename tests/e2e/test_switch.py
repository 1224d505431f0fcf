"""Before, during and after the one-way switch, by the commands of a user on the deployed stack."""

import json
import signal

import pytest

from tests.e2e.account import CLUSTER, client
from tests.e2e.commands import carry_out
from tests.e2e.emulation import control
from tests.e2e.stack import NAME, say

pytestmark = pytest.mark.netns
# Rounds as fast as they go: 5 in 2 minutes are the default.
_ROUNDS = ("--rounds", "2", "--seconds", "1")


def _preflight(stack, baseline, expect):
    words = ("preflight", "--cluster", CLUSTER, "--stack", NAME, "--baseline", str(baseline), *_ROUNDS)
    report = json.loads(stack.run("-m", "egressprobe", *words, "-o", "json", expect=expect).stdout)
    say(f"preflight: {report['decision']}: {[reason['summary'] for reason in report['reasons']]}")
    return report


def _switch(stack, baseline, *words, expect):
    done = stack.run(*_command(baseline, *words), expect=expect)
    say(done.stderr.rstrip())
    return done


def _command(baseline, *words):
    return ("-m", "egressprobe", "switch", "--cluster", CLUSTER, "--baseline", str(baseline), *words, "-o", "json")


def _interrupted(stack, baseline, *words):
    """Ctrl-C once the update was started; returns what the command wrote after it."""
    process = stack.start(*_command(baseline, *words))
    started = next(line for line in process.stderr if "was started" in line)
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    say(f"{started}(Ctrl-C)\n{messages.rstrip()}")
    assert process.returncode == 130
    return messages


def _mode():
    return client("eks").describe_cluster(name=CLUSTER)["cluster"]["resourcesVpcConfig"]["controlPlaneEgressMode"]


def test_the_whole_way(stack, account, tmp_path):
    """NO-GO, fixed by what it printed, GO, updates that fail, are cancelled, go on after Ctrl-C, verify, a break, diff."""
    first, fixed, after = (tmp_path / f"{name}.json" for name in ("first", "fixed", "after"))
    account.describe_cluster(subnets=2, mode="AWS_MANAGED")
    stack.plan()

    account.delete_nat(2)
    account.deny(1)
    before = _preflight(stack, first, 3)
    assert before["decision"] == "NO-GO"
    causes = {(cause["code"], *cause["subnets"]): cause["remedySteps"]["fix"] for cause in before["causes"]}
    assert {subnet for _, *subnets in causes for subnet in subnets} == set(account.subnets[:2])
    assert {code for code, *_ in causes} == {"NACL_EGRESS_DENIED", "ROUTE_BLACKHOLE"}
    refused = _switch(stack, first, "--yes-this-is-irreversible", CLUSTER, expect=3)
    assert "NO-GO" in refused.stderr
    carry_out([command for commands in dict.fromkeys(map(tuple, causes.values())) for command in commands])
    account.follow()

    assert _preflight(stack, fixed, 0)["decision"] == "GO"
    assert control("/updates") == []
    _switch(stack, fixed, expect=4)  # no terminal: a dry run
    assert (control("/updates"), _mode()) == ([], "AWS_MANAGED")
    control("/update", {"outcome": "Failed", "polls": 1})
    failed = _switch(stack, fixed, "--yes-this-is-irreversible", CLUSTER, expect=1)
    assert "InsufficientFreeAddresses" in failed.stderr
    assert _mode() == "AWS_MANAGED"
    control("/update", {"outcome": "Cancelled", "polls": 1})
    assert "Cancelled" in _switch(stack, fixed, "--yes-this-is-irreversible", CLUSTER, expect=1).stderr
    control("/update", {"outcome": "Successful", "polls": 2})
    last = _interrupted(stack, fixed, "--yes-this-is-irreversible", CLUSTER).rstrip().rpartition("\n")[2]
    assert "true state: prod is UPDATING, controlPlaneEgressMode AWS_MANAGED" in last
    switched = _switch(stack, fixed, "--resume", expect=0)
    assert (_mode(), len(control("/updates"))) == ("CUSTOMER_ROUTED", 3)
    assert json.loads(switched.stdout)["verdict"] == "pass"

    words = ("verify", "--cluster", CLUSTER, "--stack", NAME, "--baseline", str(fixed), *_ROUNDS, "-o", "json")
    verified = json.loads(stack.run("-m", "egressprobe", *words).stdout)
    say(str({check["id"]: check["state"] for check in verified["checks"]}))
    unmet = {check["id"] for check in verified["checks"] if check["state"] != "met"}
    assert (verified["verdict"], unmet) == ("pass", {"verify-nodes"})  # the cluster has none

    account.replace_nat(2)  # the fix may have given it the first subnet's
    account.delete_nat(1)
    _preflight(stack, after, 3)
    compared = stack.run("-m", "egressprobe", "diff", str(fixed), str(after), "-o", "json", expect=3)
    worse = [entry for entry in json.loads(compared.stdout)["differences"] if entry["trend"] == "worse"]
    assert {entry["subnetId"] for entry in worse} == {account.subnets[0]}
    account.replace_nat(1)
    account.describe_cluster(subnets=2)
    stack.plan()
    stack.settle()
