"""Ctrl-C while a command reads: what was read by then is printed, the rest is unknown, and the exit code is 130."""

import json
import signal
import threading

import boto3
import pytest
import yaml

from egressprobe.cli import main as cli
from egressprobe.cli.inputs.interruption import first_interrupt
from tests.cli.test_discover import kubeconfig
from tests.support.aws.fake_aws import ENVIRONMENT, aws
from tests.support.peers.kubeapi import TOKEN, kube_api


def ctrl_c():
    """To the main thread, which has handled it when this returns; another thread might get a signal of the process."""
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def test_the_second_interrupt_ends_the_command():
    """The first is noted, in any number of commands after each other; outside all is as before."""
    before = signal.getsignal(signal.SIGINT)
    for _ in range(2):
        with first_interrupt() as stop:
            assert not stop.is_set()
            ctrl_c()
            assert stop.is_set()
            with pytest.raises(KeyboardInterrupt):
                ctrl_c()
        assert signal.getsignal(signal.SIGINT) is before


def test_outside_the_main_thread_nothing_is_changed():
    """Python handles signals in the main thread only."""
    events = []

    def work():
        with first_interrupt() as stop:
            events.append(stop.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert events == [False]


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_discover_prints_the_lists_that_were_read(tmp_path, capsys, form):
    """One list does not answer: the others' targets are printed, and the list is a finding."""
    with kube_api() as api:
        answer, done = api.answer, threading.Event()

        def answer_and_interrupt(path, authorization):
            if "/endpointslices" in path:  # read after all but the Services
                ctrl_c()
                done.wait(20)
            return answer(path, authorization)

        api.answer = answer_and_interrupt
        path = kubeconfig(tmp_path, api, {"token": TOKEN})
        assert cli.main(["discover", "--kubeconfig", str(path), "-o", form]) == 130
        done.set()
    out, err = capsys.readouterr()
    document = (yaml.safe_load if form == "yaml" else json.loads)(out)
    assert {target["kind"] for target in document["targets"]} >= {"kubelet", "webhook"}
    assert not [target for target in document["targets"] if "service" in target]
    lines = err.splitlines()
    assert "LIST_UNREADABLE: endpointslices: interrupted before it was read to its end" in lines
    assert lines[-1] == "egressprobe: interrupted; what was read by then is printed"


@pytest.fixture
def cloud(monkeypatch):
    """A cluster in a VPC; the reader of names is not needed."""
    with aws() as account:
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        ec2, eks = boto3.client("ec2"), boto3.client("eks")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        network = {"subnetIds": [subnet], "controlPlaneEgressMode": "CUSTOMER_ROUTED"}
        eks.create_cluster(
            name="prod", version="1.35", roleArn="arn:aws:iam::123456789012:role/eks", resourcesVpcConfig=network
        )
        account.cluster = {
            "resourcesVpcConfig": {"vpcId": vpc},
            "identity": {"oidc": {"issuer": "https://192.0.2.1/1"}},
        }
        monkeypatch.setenv("AWS_ENDPOINT_URL", account.url)
        yield account


def interrupt_at(account, action):
    sent = []

    def before(call):
        if call.action == action and not sent:
            sent.append(call)
            ctrl_c()

    account.before = before


def test_audit_prints_what_the_parts_that_were_read_decide(cloud, tmp_path, capsys):
    """Unknown, with each part that was not read; nothing is saved."""
    interrupt_at(cloud, "ec2:DescribeRouteTables")
    place = tmp_path / "vpc.json"
    assert cli.main(["audit", "--cluster", "prod", "--save", str(place)]) == 130
    out, err = capsys.readouterr()
    assert out.startswith("prod: ")
    assert "not read: interrupted" in out
    assert err == "egressprobe: interrupted; what was not read is unknown, and nothing was saved\n"
    assert not place.exists()


def test_audit_before_there_is_anything_to_audit(cloud, capsys):
    """The VPC itself is not read yet."""
    interrupt_at(cloud, "eks:DescribeCluster")
    assert cli.main(["audit", "--cluster", "prod"]) == 130
    assert capsys.readouterr() == ("", "egressprobe: interrupted\n")


def test_invoke_says_that_the_probes_go_on(monkeypatch, capsys):
    """A function that runs cannot be stopped, and its one response has everything."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("egressprobe.stack.planner_client.invoke", interrupted)
    assert cli.main(["invoke", "--stack", "egressprobe-prod"]) == 130
    assert capsys.readouterr().err == (
        "egressprobe: interrupted; the stack's probes go on, and their results are in its logs\n"
    )
