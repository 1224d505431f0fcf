"""fleet-dashboard as it is called: what is printed, written, replaced, deleted and refused."""

import json

import boto3
import pytest
from moto import mock_aws

from egressprobe.stack.fleet_dashboard.__main__ import main
from tests.conftest import ROOT
from tests.support.aws import dashboards

ACCOUNT = "123456789012"  # moto's
NAME = "fleet-egressprobe"


@pytest.fixture
def cloudwatch(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr("egressprobe.stack.fleet_dashboard.command.missing_links", lambda *_: ["eu-west-1: no sink"])
    with mock_aws():  # it has no Observability Access Manager
        yield boto3.client("cloudwatch", region_name="eu-west-1")


@pytest.fixture
def clusters(tmp_path):
    """A file of so many clusters, in two accounts."""

    def write(many):
        lines = [
            f'- {{name: c{i}, account: "{(ACCOUNT, "210987654321")[i % 2]}", region: eu-west-1}}\n' for i in range(many)
        ]
        path = tmp_path / "clusters.yaml"
        path.write_text("clusters:\n" + "".join(lines))
        return str(path)

    return write


def names(cloudwatch):
    return sorted(one["DashboardName"] for one in cloudwatch.list_dashboards()["DashboardEntries"])


def test_pages_are_written_and_those_that_are_not_needed_any_more_deleted(cloudwatch, clusters, capsys):
    assert main([clusters(100), "--yes"]) == 0
    out, err = capsys.readouterr()
    assert out == f"https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#dashboards/dashboard/{NAME}\n"
    assert f"  eu-west-1: no sink\n  add {NAME} to {NAME}-3 (3)\n" in err
    assert names(cloudwatch) == [NAME, f"{NAME}-2", f"{NAME}-3"]
    for name in names(cloudwatch):
        dashboards.check(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"], 16)
    cloudwatch.put_dashboard(DashboardName=f"{NAME}-9", DashboardBody='{"widgets": []}')
    assert main([clusters(2), "--yes"]) == 0
    assert f"replace {NAME}\n  delete {NAME}-2 to {NAME}-3 (2)\n" in capsys.readouterr().err
    assert names(cloudwatch) == [NAME, f"{NAME}-9"], "one that is not ours stays"


def test_a_dashboard_of_somebody_else_is_not_replaced(cloudwatch, clusters, capsys):
    cloudwatch.put_dashboard(DashboardName=f"{NAME}-2", DashboardBody='{"widgets": []}')
    assert main([clusters(100), "--yes"]) == 2
    assert f'NAME: the dashboard "{NAME}-2" exists and was not written' in capsys.readouterr().err
    assert names(cloudwatch) == [f"{NAME}-2"], "nothing was written"


def test_it_asks_and_a_no_changes_nothing(cloudwatch, clusters, capsys, monkeypatch):
    monkeypatch.setattr("egressprobe.stack.fleet_dashboard.command.require_terminal", lambda *, yes: None)
    monkeypatch.setattr("egressprobe.stack.fleet_dashboard.command.confirmed", lambda: False)
    assert main([clusters(1)]) == 1
    assert names(cloudwatch) == []
    assert "Nothing was changed" in capsys.readouterr().err


def test_printing_needs_no_credentials(clusters, capsys, monkeypatch):
    monkeypatch.setattr("boto3.session.Session", None)
    options = ["--print", "--account", ACCOUNT, "--region", "eu-west-1", "--subnets", "3", "--name", "ours"]
    assert main([clusters(3), *options]) == 0
    [(name, document)] = json.loads(capsys.readouterr().out).items()
    assert name == "ours"
    assert len(dashboards.check(json.dumps(document), 3)["widgets"]) == 1 + 7 + 3 * 3


def test_the_example_file_is_one_page(capsys, monkeypatch):
    monkeypatch.setattr("boto3.session.Session", None)
    file = str(ROOT / "docs/examples/clusters.yaml")
    assert main([file, "--print", "--account", ACCOUNT, "--region", "eu-west-1"]) == 0
    [document] = json.loads(capsys.readouterr().out).values()
    text = json.dumps(dashboards.check(json.dumps(document), 16))
    assert all(f"**{name}**" in text for name in ("payments", "payments-test", "search", "batch"))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--name", "a b"], "NAME: is not a dashboard's name"),
        (["--name", "fleet-2"], "NAME: ends like a further page of another name"),
        (["--subnets", "17"], "SUBNETS: is not from 1 to 16"),
        (["--account", "12"], "--account: is not an account"),
        (["--account", "210987654321"], "--account: is 210987654321, and the credentials are of 123456789012"),
        (["--portal", "example"], "PORTAL: is not the URL"),
        (["--role", "ReadOnly"], "ROLE: is of the links by an access portal"),
    ],
)
def test_bad_options_are_one_line(cloudwatch, clusters, capsys, options, line):
    assert main([clusters(1), "--yes", *options]) == 2
    assert capsys.readouterr().err.startswith(f"egressprobe: {line}")
    assert names(cloudwatch) == []


def test_mistakes_of_the_file_are_named_by_their_line(cloudwatch, tmp_path, capsys):
    path = tmp_path / "clusters.yaml"
    path.write_text("clusters:\n- {name: a b, account: '1', region: eu-west-1}\n")
    assert main([str(path), "--yes"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(f"{path}:2: clusters[0]" in line for line in lines)


def test_without_a_terminal_and_a_yes_nothing_is_read(clusters, capsys):
    assert main([clusters(1), "--region", "eu-west-1"]) in (1, 2)
    assert capsys.readouterr().out == ""
