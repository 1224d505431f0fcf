"""Readers of records: a query is bounded and stopped, a refusal names the permission, Athena scans the interval only."""

import gzip
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from egressprobe.aws.observability.flow_athena import (
    FlowTable,
    ask_athena,
    find_table,
    find_workgroup,
    partition_filter,
)
from egressprobe.aws.observability.flow_logs import FlowLog, covers, find_flow_logs, find_interfaces
from egressprobe.aws.observability.flow_objects import MAX_BYTES, read_objects
from egressprobe.aws.observability.insights import MAX_ROWS, run_query
from egressprobe.model.errors import AwsError, InputError
from egressprobe.observability.flows.records import FlowScope, fields_of
from egressprobe.observability.flows.result import CONTROL_PLANE, PROBE
from tests.support.aws.observed import ACCOUNT, GROUPS, PROBE_LOGS, REGION, ObservedAccount, refused
from tests.support.flows import ADDRESSES, EKS_A, INTERFACES, NOW, PROBE_A, PROBE_B, V5, as_line, exchange, flow_log

V5_FIELDS = fields_of(V5)
SCOPE = FlowScope(
    {name: frozenset({address}) for name, address in ADDRESSES.items()}, frozenset({443}), NOW - 3600, NOW
)
QUERY = "stats count(*) as lines by Target"


@pytest.fixture
def account(monkeypatch):
    return ObservedAccount().install(monkeypatch)


class Clock:
    """Time passes in pauses only."""

    def __init__(self):
        self.now = 0.0

    def pause(self, seconds):
        self.now += seconds

    def __call__(self):
        return self.now


def asked(clock=None, deadline=60.0, query=QUERY):
    clock = clock or Clock()
    return run_query(
        boto3.client("logs"), PROBE_LOGS, query, NOW - 60, NOW, deadline=deadline, pause=clock.pause, clock=clock
    )


def test_a_query_returns_rows_and_what_it_scanned(account):
    account.log_groups[PROBE_LOGS] = [((NOW - 30) * 1000, '{"Target": "a"}'), (NOW * 1000, '{"Target": "late"}')]
    answer = asked()
    assert answer.rows == ({"Target": "a", "lines": "1"},)
    assert answer.bytes_scanned == len('{"Target": "a"}')
    assert answer.dollars == pytest.approx(answer.bytes_scanned * 0.005 / 1e9)
    assert not answer.cut


def test_what_is_not_waited_for_is_stopped(account):
    """At the deadline, and on Ctrl-C: a query that goes on costs."""
    account.answers["logs.GetQueryResults"] = lambda _: {"status": "Running", "results": []}
    with pytest.raises(AwsError, match="took too long"):
        asked(deadline=5.0)

    def interrupted(_):
        raise KeyboardInterrupt

    account.answers["logs.GetQueryResults"] = interrupted
    with pytest.raises(KeyboardInterrupt):
        asked()
    assert account.stopped == ["q0", "q1"]


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "Timeout"])
def test_a_query_that_fails_says_how(account, status):
    account.answers["logs.GetQueryResults"] = lambda _: {"status": status}
    with pytest.raises(AwsError, match=f"ended as {status}"):
        asked()


def test_a_query_waits_for_a_free_slot(account):
    """100 run at once in an account."""
    start, refusals = account.answers["logs.StartQuery"], [1, 2]

    def sometimes(parameters):
        if refusals:
            refusals.pop()
            raise refused("logs", "StartQuery", "LimitExceededException")
        return start(parameters)

    account.answers["logs.StartQuery"] = sometimes
    clock = Clock()
    assert asked(clock).rows == ()
    assert clock.now > 3
    refusals[:] = range(9)
    with pytest.raises(AwsError, match="LimitExceeded"):
        asked()


def test_pages_are_followed_and_a_full_answer_is_cut(account):
    page = [[{"field": "a", "value": "1"}, {"field": "@ptr", "value": "x"}]] * (MAX_ROWS // 2)

    def answer(parameters):
        more = {} if "nextToken" in parameters else {"nextToken": "t"}
        return {"status": "Complete", "results": page} | more

    account.answers["logs.GetQueryResults"] = answer
    found = asked()
    assert len(found.rows) == MAX_ROWS
    assert found.rows[0] == {"a": "1"}
    assert found.cut


def test_a_refusal_names_the_permission(account):
    account.refuse("logs", "StartQuery")
    with pytest.raises(AwsError, match="the permission logs:StartQuery is missing"):
        asked()


# -- interfaces and flow logs --


def test_the_interfaces_are_those_of_the_probes_and_of_the_control_plane(account):
    """Lambda's by subnet and exactly the security groups; EKS's by description."""
    account.answers["ec2.DescribeNetworkInterfaces"] = lambda _: {"NetworkInterfaces": INTERFACES}
    there = find_interfaces(boto3.client("ec2"), "prod", ["subnet-0a", "subnet-0b"], GROUPS)
    assert there.vpc == "vpc-1"
    assert [(i.id, i.kind) for i in there.interfaces] == [
        (PROBE_A, PROBE),
        (PROBE_B, PROBE),
        (EKS_A, CONTROL_PLANE),
    ]
    [call] = account.called("ec2:DescribeNetworkInterfaces")
    assert {f["Name"] for f in call["Filters"]} == {"subnet-id", "description"}


def test_flow_logs_are_sorted_by_how_easily_they_are_read(account):
    listed = [
        flow_log("fl-s3", LogDestinationType="s3", LogDestination="arn:aws:s3:::b", LogGroupName=""),
        flow_log("fl-rejects", TrafficType="REJECT"),
        flow_log("fl-all"),
        flow_log("fl-hose", LogDestinationType="kinesis-data-firehose", LogDestination="arn:aws:firehose:x"),
        flow_log("fl-deleted", FlowLogStatus="DELETED"),
        flow_log("fl-denied", DeliverLogsStatus="FAILED", DeliverLogsErrorMessage="Access error"),
    ]
    account.answers["ec2.DescribeNetworkInterfaces"] = lambda _: {"NetworkInterfaces": INTERFACES}
    account.answers["ec2.DescribeFlowLogs"] = lambda _: {"FlowLogs": listed}
    ec2 = boto3.client("ec2")
    there = find_interfaces(ec2, "prod", ["subnet-0a"], GROUPS)
    logs = find_flow_logs(ec2, "vpc-1", there.interfaces)
    assert [log.id for log in logs] == ["fl-all", "fl-denied", "fl-rejects", "fl-s3", "fl-hose"]
    assert "Access error" in logs[1].problem
    assert all(covers(log, there.interfaces[0], "vpc-1") for log in logs)
    assert not covers(logs[0]._replace(resource="subnet-0b"), there.interfaces[0], "vpc-1")


# -- objects in S3 --


def stored(account, place, at, values, *, flow_log="fl-1", text=None):
    name = f"{ACCOUNT}_vpcflowlogs_{REGION}_{flow_log}_{at:%Y%m%dT%H%M}Z_hash.log.gz"
    lines = [" ".join(V5_FIELDS), *(as_line(value, V5_FIELDS) for value in values)]
    account.objects[f"{place}/{name}"] = text if text is not None else gzip.compress("\n".join(lines).encode())


def s3_log(**more):
    return FlowLog("fl-1", "vpc-1", "s3", "arn:aws:s3:::logs/net", "ALL", V5_FIELDS, 60, **more)


AT = datetime.fromtimestamp(NOW - 600, UTC)
DAY = f"net/AWSLogs/{ACCOUNT}/vpcflowlogs/{REGION}/{AT:%Y/%m/%d}"
HIVE = f"net/AWSLogs/aws-account-id={ACCOUNT}/aws-service=vpcflowlogs/aws-region={REGION}/{AT:year=%Y/month=%m/day=%d}"


def objects(log, scope=SCOPE):
    return read_objects(boto3.client("s3"), log, scope, ACCOUNT, REGION)


@pytest.mark.parametrize(
    ("place", "log"),
    [
        (DAY, s3_log()),
        (f"{DAY}/{AT:%H}", s3_log(hourly=True)),
        (HIVE, s3_log(hive=True)),
        (f"{HIVE}/{AT:hour=%H}", s3_log(hive=True, hourly=True)),
    ],
    ids=["plain", "hourly", "hive", "hive hourly"],
)
def test_text_objects_of_the_interval_are_counted(account, place, log):
    """Others' objects and those of other times are not read."""
    values = list(exchange(PROBE_A, "203.0.113.5", 443, start=NOW - 600))
    stored(account, place, AT, values)
    stored(account, place, AT, values, flow_log="fl-2")
    stored(account, place, AT - timedelta(hours=3), values)
    read = objects(log)
    assert sorted((c.direction, c.records) for c in read.counts) == [("request", 1), ("return", 1)]
    assert len(account.called("s3:GetObject")) == 1
    assert read.compressed == len(next(iter(account.objects.values())))
    assert not read.problem


def test_objects_are_bounded_in_bytes(account, monkeypatch):
    stored(account, DAY, AT, exchange(PROBE_A, "203.0.113.5", 443, start=NOW - 600))
    listing = account.answers["s3.ListObjectsV2"]
    account.answers["s3.ListObjectsV2"] = lambda parameters: {
        "Contents": [item | {"Size": MAX_BYTES + 1} for item in listing(parameters)["Contents"]]
    }
    read = objects(s3_log())
    assert not read.counts
    assert "1 of its objects were not read: more than 200 MB" in read.problem
    assert not account.called("s3:GetObject")


@pytest.mark.parametrize("text", [b"PAR1....", b"\x1f\x8b\x08garbage", gzip.compress(b"srcaddr dstaddr\n")])
def test_an_object_that_is_no_flow_log_is_said(account, text):
    stored(account, DAY, AT, [], text=text)
    with pytest.raises(AwsError, match=r"not text in gzip|lacks the fields"):
        objects(s3_log())


def test_a_bucket_that_may_not_be_read_names_the_permission(account):
    account.refuse("s3", "ListObjectsV2", "AccessDenied")
    with pytest.raises(AwsError, match="the permission s3:ListBucket is missing"):
        objects(s3_log())


# -- Athena --


def glue_table(name="flows", location="s3://logs/net/AWSLogs/", keys=(), **parameters):
    columns = [{"Name": field.replace("-", "_"), "Type": "string"} for field in V5_FIELDS]
    storage = {"Columns": columns, "Location": location}
    return {
        "DatabaseName": "db",
        "Name": name,
        "StorageDescriptor": storage,
        "PartitionKeys": [{"Name": key, "Type": kind} for key, kind in keys],
        "Parameters": parameters,
    }


def test_the_table_is_found_by_its_place(account):
    tables = [glue_table("other", "s3://logs/netting/"), glue_table()]
    account.answers["glue.GetDatabases"] = lambda _: {"DatabaseList": [{"Name": "db"}]}
    account.answers["glue.GetTables"] = lambda _: {"TableList": tables}
    glue = boto3.client("glue")
    assert find_table(glue, "", "arn:aws:s3:::logs/net").name == "flows"
    assert find_table(glue, "", "arn:aws:s3:::elsewhere") is None
    account.answers["glue.GetTable"] = lambda p: {"Table": glue_table(p["Name"])}
    assert find_table(glue, "db.mine", "arn:aws:s3:::x").name == "mine"
    with pytest.raises(InputError, match=r"is not DATABASE.TABLE"):
        find_table(glue, "db.my table", "")
    account.refuse("glue", "GetTable", "EntityNotFoundException")
    with pytest.raises(InputError, match=r'there is no table "db.none"'):
        find_table(glue, "db.none", "")


def workgroups(account, **by_name):
    account.answers["athena.ListWorkGroups"] = lambda _: {"WorkGroups": [{"Name": name} for name in by_name]}
    account.answers["athena.GetWorkGroup"] = lambda p: {
        "WorkGroup": {"Name": p["WorkGroup"], "Configuration": by_name[p["WorkGroup"]]}
    }


def test_the_workgroup_is_one_that_stores_results(account):
    stores = {"ResultConfiguration": {"OutputLocation": "s3://results/"}, "BytesScannedCutoffPerQuery": 10_000_000}
    workgroups(account, primary={}, network=stores)
    athena = boto3.client("athena")
    assert find_workgroup(athena, "") == ("network", 10_000_000)
    assert find_workgroup(athena, "primary") == ("primary", 0)
    workgroups(account, primary={})
    with pytest.raises(InputError, match="no workgroup of Athena stores its results"):
        find_workgroup(athena, "")


DAYS = (datetime.fromtimestamp(NOW - 3600, UTC), datetime.fromtimestamp(NOW + 1500, UTC))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ((("year", "string"), ("month", "string"), ("day", "string")), "\"day\" = '{:%d}'"),
        ((("year", "int"), ("month", "int"), ("day", "int")), '"month" = {:%-m}'),
        ((("date", "date"),), "DATE '{:%Y-%m-%d}'"),
        ((("dt", "string"),), "'{:%Y-%m-%d}'"),
        ((("region", "string"), ("day", "string")), "'{:%Y/%m/%d}'"),
        ((("region", "string"),), ""),
    ],
)
def test_what_is_scanned_is_the_interval(keys, expected):
    """Each day of it, and that of the late records."""
    from egressprobe.aws.observability.flow_athena import _table

    table = _table(glue_table(keys=keys, **{"projection.day.format": "yyyy/MM/dd"}))
    text = partition_filter(table, SCOPE)
    assert all(expected.format(day) in text for day in DAYS)
    assert bool(text) == bool(expected)


def test_athena_is_not_asked_to_scan_everything(account):
    table = FlowTable("db", "flows", {f.replace("-", ""): f for f in V5_FIELDS}, {})
    with pytest.raises(AwsError, match="would scan all of it"):
        ask_athena(boto3.client("athena"), table, ("primary", 0), SCOPE, deadline=60.0)
    assert not account.calls


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_a_query_of_athena_that_fails_says_why(account, state):
    status = {"State": state, "StateChangeReason": "HIVE_BAD_DATA"}
    account.answers["athena.StartQueryExecution"] = lambda _: {"QueryExecutionId": "q"}
    account.answers["athena.GetQueryExecution"] = lambda _: {"QueryExecution": {"Status": status}}
    table = FlowTable("db", "flows", {f.replace("-", ""): f for f in V5_FIELDS}, {})
    with pytest.raises(AwsError, match=f"{state}: HIVE_BAD_DATA"):
        ask_athena(
            boto3.client("athena"), table, ("primary", 10), SCOPE, deadline=60.0, pause=lambda _: None, clock=Clock()
        )


def test_a_query_of_athena_is_stopped_at_the_deadline(account):
    account.answers["athena.StartQueryExecution"] = lambda _: {"QueryExecutionId": "q"}
    account.answers["athena.GetQueryExecution"] = lambda _: {"QueryExecution": {"Status": {"State": "RUNNING"}}}
    account.answers["athena.StopQueryExecution"] = lambda p: account.stopped.append(p["QueryExecutionId"]) or {}
    table = FlowTable("db", "flows", {f.replace("-", ""): f for f in V5_FIELDS}, {})
    clock = Clock()
    with pytest.raises(AwsError, match="took too long"):
        ask_athena(boto3.client("athena"), table, ("primary", 10), SCOPE, deadline=5.0, pause=clock.pause, clock=clock)
    assert account.stopped == ["q"]
