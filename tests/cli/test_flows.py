"""`egressprobe flows`: from the stack's plan and AWS's records to what each target's packets met."""

import gzip
import io
import json
import re
import time

import msgspec
import pytest

from egressprobe.catalog.entry import is_command
from egressprobe.cli import main as cli
from egressprobe.cli.common.progress import ProgressLine
from egressprobe.cli.output.observed.flows_table import PROVES, flows_table
from egressprobe.model.target import Verdict
from egressprobe.observability.flows.records import fields_of
from egressprobe.observability.flows.result import Flows, FlowState
from egressprobe.publish.emf import publish
from egressprobe.stack.observing.dialled import DIALLED_QUERY, from_lines
from tests.cli.test_invoke import joined, seen
from tests.conftest import ROOT
from tests.stack.test_alarms import report as probe_report
from tests.support.aws.insights import rows
from tests.support.aws.observed import ACCOUNT, PROBE_LOGS, REGION, ObservedAccount, SharedSession, run_sql
from tests.support.flows import (
    EKS_A,
    INTERFACES,
    ODD,
    PROBE_A,
    PROBE_B,
    V5,
    as_line,
    example_flows,
    exchange,
    flow_log,
    record,
)

STACK = ["--stack", "egressprobe-prod"]
BY_ADDRESS = {"kind": "endpoint", "name": "by-address", "url": "tls://10.0.3.7:8443"}
BY_NAME = {"kind": "endpoint", "name": "by-name", "url": "tls://policy.example.com:443"}
POD = {
    "kind": "webhook",
    "name": "pod.ns.svc",
    "service": {"namespace": "ns", "name": "pod"},
    "addresses": ["10.0.3.8:9443"],
}


@pytest.fixture
def account(monkeypatch):
    account = ObservedAccount().install(monkeypatch)
    account.hurry(monkeypatch)
    account.plan = [BY_ADDRESS]
    account.logs = [flow_log()]
    account.answers["ec2.DescribeNetworkInterfaces"] = lambda _: {"NetworkInterfaces": INTERFACES}
    account.answers["ec2.DescribeFlowLogs"] = lambda _: {"FlowLogs": account.logs}
    account.log_groups["/vpc/flows"] = []
    return account


def minutes(interface, target, port, *, ago=(50, 10), **more):
    """An exchange each minute, so many minutes ago."""
    now = int(time.time())
    return [v for i in range(*reversed(ago)) for v in exchange(interface, target, port, start=now - 60 * i, **more)]


def recorded(account, *values, log_format=V5):
    fields = fields_of(log_format)
    for value in values:
        account.log_groups["/vpc/flows"].append((int(value["start"]) * 1000, as_line(value, fields)))


def run(capsys, *more, code=None):
    returned = cli.main(["flows", *STACK, "-o", "json", *more])
    out = capsys.readouterr().out
    assert code is None or returned == code, out
    return msgspec.json.decode(out, type=Flows)


def states(report, target="by-address", kind="probe"):
    [row] = [row for row in report.rows if row.target == target and row.kind == kind]
    return {cell.subnet_id: cell.state for cell in row.cells}


def test_a_rejected_subnet_and_one_that_is_answered(account, capsys):
    recorded(account, *minutes(PROBE_A, "10.0.3.7", 8443, action="REJECT"), *minutes(PROBE_B, "10.0.3.7", 8443))
    found = run(capsys, code=3)
    assert states(found) == {"subnet-0a": FlowState.REJECTED, "subnet-0b": FlowState.ANSWERED}
    [source] = found.sources
    assert (source.flow_log, source.method, source.problem) == ("fl-1", "Logs Insights", "")
    scanned = sum(len(line) for _, line in account.log_groups["/vpc/flows"])
    assert source.bytes_scanned == 2 * scanned, "two queries"
    [cell] = [cell for cell in found.rows[0].cells if cell.subnet_id == "subnet-0a"]
    [place] = cell.places
    assert (place.interface_id, place.where) == (PROBE_A, "10.0.3.7:8443")
    assert [(t.action, t.records, t.tcp_flags) for t in place.tallies] == [("REJECT", 40, ("SYN",))]


def test_what_left_and_did_not_return_is_no_rule_of_the_interface(account, capsys):
    recorded(account, *minutes(PROBE_A, "10.0.3.7", 8443, answered=False), *minutes(PROBE_B, "10.0.3.7", 8443))
    assert cli.main(["flows", *STACK]) == 3
    text = capsys.readouterr().out
    assert text.startswith("FAIL: prod: 1 NO RETURN, of 1 targets from 2 subnets")
    assert PROVES[FlowState.NO_RETURN] in text
    assert " B, " not in text
    assert "$0.0000" in text


def test_all_answered_is_0(account, capsys):
    recorded(account, *minutes(PROBE_A, "10.0.3.7", 8443), *minutes(PROBE_B, "10.0.3.7", 8443))
    found = run(capsys, code=0)
    assert found.verdict is Verdict.PASS
    assert not found.others


def test_the_control_plane_has_rows_of_its_own(account, capsys):
    recorded(
        account,
        *minutes(PROBE_A, "10.0.3.7", 8443),
        *minutes(PROBE_B, "10.0.3.7", 8443),
        *minutes(EKS_A, "10.0.3.7", 8443, action="REJECT"),
    )
    found = run(capsys, code=3)
    assert states(found) == dict.fromkeys(("subnet-0a", "subnet-0b"), FlowState.ANSWERED)
    assert states(found, kind="control plane") == {"subnet-0a": FlowState.REJECTED}


def test_a_custom_format_without_flags_or_in_another_order(account, capsys):
    account.logs = [flow_log(LogFormat=ODD)]
    values = [*minutes(PROBE_A, "10.0.3.7", 8443, action="REJECT"), *minutes(PROBE_B, "10.0.3.7", 8443)]
    recorded(account, *(value | {"reject-reason": "BPA"} for value in values), log_format=ODD)
    found = run(capsys, code=3)
    assert states(found) == {"subnet-0a": FlowState.REJECTED, "subnet-0b": FlowState.ANSWERED}
    assert found.rows[0].cells[0].places[0].tallies[0].reasons == ("BPA",)
    account.logs = [flow_log(LogFormat="${srcaddr} ${dstaddr} ${action}")]
    found = run(capsys, code=4)
    assert "its format lacks interface-id, srcport" in found.sources[0].problem


def test_no_flow_log_prints_the_command_and_its_cost(account, capsys):
    account.logs = []
    assert cli.main(["flows", *STACK]) == 4
    text = capsys.readouterr().out
    assert text.startswith("UNKNOWN: prod: no flow log records the probes' or the control plane's interfaces")
    [command] = [line for line in text.splitlines() if line.startswith("aws ec2 create-flow-logs")]
    assert {PROBE_A, PROBE_B, EKS_A} <= set(command.split())
    assert re.search(r"costs \$0\.50 a GB .* about \$\d+\.\d\d a month", text.replace("\n", " "))
    assert not account.called("logs:StartQuery")
    assert not account.called("lambda:Invoke")


def test_the_command_is_one_of_the_api(account, capsys):
    """Its options are parameters of CreateFlowLogs."""
    import boto3

    account.logs = []
    command = run(capsys).create[0]
    shape = boto3.client("ec2").meta.service_model.operation_model("CreateFlowLogs").input_shape
    names = {re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower() for name in shape.members}
    options = set(re.findall(r"--([a-z-]+)", command.partition("--log-format")[0])) - {"region"}
    assert options <= names | {"resource-ids"}


def test_records_that_were_lost_prove_nothing(account, capsys):
    now = int(time.time())
    lost = [record(name, "", "", (0, 0), start=now - 900, status="SKIPDATA") for name in (PROBE_A, PROBE_B)]
    quiet = [record(PROBE_A, "", "", (0, 0), start=now - 960, status="NODATA")]
    recorded(account, *minutes(PROBE_A, "10.0.3.7", 8443, answered=False), *lost, *quiet)
    found = run(capsys, code=4)
    assert states(found)["subnet-0a"] is FlowState.UNSETTLED
    assert {i.id: (i.no_data, i.skipped) for i in found.interfaces}[PROBE_A] == (1, 1)
    assert any("SKIPDATA" in note for note in found.notes)


def test_rejects_alone_are_not_taken_for_everything(account, capsys):
    account.logs = [flow_log(TrafficType="REJECT")]
    recorded(account, *minutes(PROBE_A, "10.0.3.7", 8443, action="REJECT", ago=(50, 6)))
    found = run(capsys, code=3)
    assert states(found) == {"subnet-0a": FlowState.REJECTED, "subnet-0b": FlowState.NOT_SEEN}
    assert any("Only rejected traffic" in note for note in found.notes)


def test_two_flow_logs_of_one_interface_count_once(account, capsys):
    """One of all traffic is enough; of ACCEPT and REJECT both are needed."""
    account.logs = [flow_log("fl-1"), flow_log("fl-2", LogGroupName="/other")]
    recorded(account, *minutes(PROBE_A, "10.0.3.7", 8443), *minutes(PROBE_B, "10.0.3.7", 8443))
    found = run(capsys, code=0)
    assert [source.flow_log for source in found.sources] == ["fl-1"]
    account.logs = [flow_log("fl-1", TrafficType="ACCEPT"), flow_log("fl-2", TrafficType="REJECT")]
    assert {source.flow_log for source in run(capsys).sources} == {"fl-1", "fl-2"}


def test_a_flow_log_that_cannot_be_read_is_said_and_the_next_one_is_read(account, capsys):
    account.logs = [
        flow_log("fl-1", LogGroupName="/gone"),
        flow_log("fl-2"),
        flow_log("fl-3", LogDestinationType="kinesis-data-firehose", LogDestination="arn:aws:firehose:::s"),
    ]
    recorded(account, *minutes(PROBE_A, "10.0.3.7", 8443), *minutes(PROBE_B, "10.0.3.7", 8443))
    found = run(capsys, code=0)
    assert [(s.flow_log, bool(s.problem)) for s in found.sources] == [("fl-1", True), ("fl-2", False)]
    account.logs = account.logs[2:]
    found = run(capsys, code=4)
    assert "Amazon Data Firehose, which cannot be queried" in found.sources[0].problem


# -- S3 --


def s3_log(**options):
    return flow_log(
        LogDestinationType="s3", LogDestination="arn:aws:s3:::logs/net", LogGroupName="", DestinationOptions=options
    )


def test_text_objects_are_read_without_a_table(account, capsys):
    account.logs = [s3_log(FileFormat="plain-text")]
    fields = fields_of(V5)
    values = [*minutes(PROBE_A, "10.0.3.7", 8443, action="REJECT"), *minutes(PROBE_B, "10.0.3.7", 8443)]
    at = time.gmtime(time.time() - 600)
    name = f"{ACCOUNT}_vpcflowlogs_{REGION}_fl-1_{time.strftime('%Y%m%dT%H%M', at)}Z_h.log.gz"
    text = "\n".join([" ".join(fields), *(as_line(value, fields) for value in values)])
    folder = f"net/AWSLogs/{ACCOUNT}/vpcflowlogs/{REGION}/{time.strftime('%Y/%m/%d', at)}"
    account.objects[f"{folder}/{name}"] = gzip.compress(text.encode())
    found = run(capsys, code=3)
    assert found.sources[0].method == "S3 objects"
    assert states(found) == {"subnet-0a": FlowState.REJECTED, "subnet-0b": FlowState.ANSWERED}
    account.refuse("glue", "GetDatabases")
    found = run(capsys, code=3)
    assert "the permission glue:GetDatabases is missing" in found.sources[0].note


def test_parquet_needs_athena(account, capsys):
    account.logs = [s3_log(FileFormat="parquet")]
    found = run(capsys, code=4)
    assert "Parquet, which needs Athena" in found.sources[0].problem


def test_athena_is_asked_where_there_is_a_table(account, capsys):
    """Its SQL runs in SQLite on the same records."""
    account.logs = [s3_log(FileFormat="parquet")]
    values = [*minutes(PROBE_A, "10.0.3.7", 8443, action="REJECT"), *minutes(PROBE_B, "10.0.3.7", 8443)]
    numbers = ("srcport", "dstport", "packets", "bytes", "start", "end", "tcp-flags")
    day = time.strftime("%Y/%m/%d", time.gmtime())
    table = [
        {name.replace("-", "_"): int(text) if name in numbers else text for name, text in value.items()} | {"day": day}
        for value in values
    ]
    columns = [{"Name": name, "Type": "string"} for name in table[0] if name != "day"]
    account.answers["glue.GetTable"] = lambda _: {
        "Table": {
            "Name": "flow logs",
            "DatabaseName": "net",
            "StorageDescriptor": {"Columns": columns},
            "PartitionKeys": [{"Name": "day", "Type": "string"}],
            "Parameters": {"projection.day.format": "yyyy/MM/dd"},
        }
    }
    answer = {}

    def started(parameters):
        answer["rows"] = run_sql(parameters["QueryString"], "net", "flow logs", table)
        return {"QueryExecutionId": "e1"}

    account.answers["athena.GetWorkGroup"] = lambda p: {"WorkGroup": {"Name": p["WorkGroup"], "Configuration": {}}}
    account.answers["athena.StartQueryExecution"] = started
    account.answers["athena.GetQueryExecution"] = lambda _: {
        "QueryExecution": {"Status": {"State": "SUCCEEDED"}, "Statistics": {"DataScannedInBytes": 2_000_000_000}}
    }
    account.answers["athena.GetQueryResults"] = lambda _: {
        "ResultSet": {"Rows": [{"Data": [{"VarCharValue": cell} for cell in row]} for row in answer["rows"]]}
    }
    found = run(capsys, "--athena", "net.flow_logs", "--workgroup", "w", code=3)
    assert found.sources[0].method == "Athena"
    assert found.sources[0].dollars == pytest.approx(0.01)
    assert states(found) == {"subnet-0a": FlowState.REJECTED, "subnet-0b": FlowState.ANSWERED}


# -- which addresses --


def test_addresses_of_pods_are_those_of_the_plan(account, capsys):
    account.plan = [POD]
    recorded(account, *minutes(PROBE_A, "10.0.3.8", 9443), *minutes(PROBE_B, "10.0.3.8", 9443))
    [row] = run(capsys, code=0).rows
    assert (row.addresses, row.addresses_from) == (("10.0.3.8:9443",), "plan")
    assert not account.called("lambda:Invoke")


def test_the_query_reads_what_the_probe_logs(capsys):
    """The real lines of a failing target have its addresses."""
    publish(probe_report(80_000, "subnet-0/eu-west-1a", {"NAME": Verdict.FAIL, "a": Verdict.PASS}))
    lines = capsys.readouterr().out.splitlines()
    found = rows(DIALLED_QUERY, lines)
    attempts = probe_report(80_000, "subnet-0/eu-west-1a", {"NAME": Verdict.FAIL}).results[0].attempts
    assert [(row["Target"], json.loads(f"[{row['dialled']}]")) for row in found] == [
        ("NAME", [attempt.address for attempt in attempts])
    ]
    assert attempts


def test_a_name_has_the_addresses_that_the_probes_logged(account, capsys):
    account.plan = [BY_NAME]
    line = {"Target": "by-name", "SubnetId": "subnet-0a", "addresses": ["203.0.113.5", "not an address"]}
    account.log_groups[PROBE_LOGS] = [(int(time.time() - 600) * 1000, json.dumps(line))]
    recorded(account, *minutes(PROBE_A, "203.0.113.5", 443), *minutes(PROBE_B, "203.0.113.5", 443, answered=False))
    found = run(capsys, code=3)
    assert (found.rows[0].addresses, found.rows[0].addresses_from) == (("203.0.113.5:443",), "log")
    assert states(found, "by-name")["subnet-0b"] is FlowState.NO_RETURN


def test_a_name_that_passes_is_asked_of_the_planner(account, capsys):
    """Lines of passing targets have no addresses. With --no-probe they stay unknown."""
    from egressprobe.planner.join import Heard

    whole = joined(Heard("subnet-0a", "eu-west-1a", (seen("subnet-0a", ("policy.healthy",)),)))
    address = whole.reports[0].results[0].attempts[0].address
    account.plan = [BY_NAME | {"name": "policy.healthy"}]
    account.answers["lambda.Invoke"] = lambda _: {"Payload": io.BytesIO(msgspec.json.encode(whole))}
    recorded(account, *minutes(PROBE_A, address, 443), *minutes(PROBE_B, address, 443))
    found = run(capsys, code=0)
    assert found.rows[0].addresses_from == "probe"
    assert json.loads(account.called("lambda:Invoke")[0]["Payload"]) == {
        "action": "probe",
        "targets": ["policy.healthy"],
    }
    found = run(capsys, "--no-probe", code=4)
    assert found.rows[0].addresses == ()
    assert [other.where for other in found.others] == [f"{address}:443"] * 2
    account.refuse("lambda", "Invoke")
    found = run(capsys, code=4)
    assert any("lambda:InvokeFunction" in note or "Invoke" in note for note in found.notes)


def test_only_the_named_targets(account, capsys):
    account.plan = [BY_ADDRESS, POD]
    recorded(account, *minutes(PROBE_A, "10.0.3.7", 8443))
    assert {row.target for row in run(capsys, "pod*").rows} == {"pod.ns.svc"}
    assert cli.main(["flows", *STACK, "nothing"]) == 2
    assert capsys.readouterr().err == (
        'egressprobe: TARGET: "nothing" is not in the stack\'s plan; there are: by-address, pod.ns.svc\n'
    )


def test_a_target_that_another_version_wrote_is_said(account, capsys):
    account.plan = [BY_ADDRESS, BY_NAME | {"newField": 1}]
    recorded(account, *minutes(PROBE_A, "10.0.3.7", 8443), *minutes(PROBE_B, "10.0.3.7", 8443))
    found = run(capsys, code=0)
    assert "This version cannot read these targets of the plan: by-name." in found.notes


def test_lines_that_are_odd_are_left_out():
    from egressprobe.aws.observability.insights import InsightsAnswer

    answer = InsightsAnswer(({"Target": "a", "dialled": '"10.0.0.1", 5'}, {"Target": "b", "dialled": "["}), 0, False)
    assert from_lines(answer) == {"a": ("10.0.0.1",)}


# -- what goes wrong --


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--since", "soon"], '--since: "soon" is not a time such as 90m, 6h or 7d'),
        (["--since", "0h"], '--since: "0h" is not a time'),
        (["--since", "30d"], "--since: 30d is longer than 7d"),
        (["--athena", "table"], '--athena: "table" is not DATABASE.TABLE'),
        (["--nope"], "unrecognized arguments: --nope; did you mean --no-probe? (see egressprobe flows --help)"),
    ],
)
def test_bad_input_is_one_line(account, capsys, options, said):
    assert cli.main(["flows", *STACK, *options]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_stack_that_is_not_there(account, capsys):
    assert cli.main(["flows", "--stack", "other"]) == 2
    assert '"other" is neither a stack nor a Planner\'s function in eu-west-1' in capsys.readouterr().err
    account.stack_outputs = {}
    assert cli.main(["flows", *STACK]) == 2
    assert "is not a stack of egressprobe" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("service", "operation", "permission"),
    [
        ("cloudformation", "DescribeStacks", "cloudformation:DescribeStacks"),
        ("lambda", "GetFunctionConfiguration", "lambda:GetFunctionConfiguration"),
        ("ec2", "DescribeNetworkInterfaces", "ec2:DescribeNetworkInterfaces"),
        ("ec2", "DescribeFlowLogs", "ec2:DescribeFlowLogs"),
    ],
)
def test_a_permission_that_is_missing_is_named(account, capsys, service, operation, permission):
    account.refuse(service, operation, "UnauthorizedOperation" if service == "ec2" else "AccessDenied")
    assert cli.main(["flows", *STACK]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert f"the permission {permission} is missing" in line


def test_a_log_that_may_not_be_queried_is_said_in_the_report(account, capsys):
    account.refuse("logs", "StartQuery")
    found = run(capsys, code=4)
    assert found.verdict is Verdict.UNKNOWN
    assert "the permission logs:StartQuery is missing" in found.sources[0].problem


def test_without_credentials(monkeypatch, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    assert cli.main(["flows", *STACK]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "Unable to locate credentials; log in" in line


def test_ctrl_c_stops_the_query(account, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    account.answers["logs.GetQueryResults"] = interrupted
    assert cli.main(["flows", *STACK]) == 130
    assert account.stopped == ["q0"]
    assert capsys.readouterr().err == "egressprobe: interrupted\n"


def test_the_page_has_every_permission(account, capsys):
    """Each call of the readers, by its IAM action (docs/flows.md); and each that is there is in boto3."""
    page = (ROOT / "docs" / "flows.md").read_text().partition("## Permissions")[2]
    granted = set(re.findall(r"`([a-z0-9]+:[A-Za-z0-9]+)`", page))
    renamed = {"s3:ListObjectsV2": "s3:ListBucket", "lambda:Invoke": "lambda:InvokeFunction"}
    sources = [path.read_text() for path in (ROOT / "src/egressprobe/aws/observability").glob("[fi]*.py")]
    operations = set(
        re.findall(r'(?:called|listed|paged)\(\s*(\w+)(?:\.client\("(\w+)"\))?,\s*"(\w+)"', "".join(sources))
    )
    assert {service for service, _, _ in operations} == {"ec2", "logs", "s3", "glue", "athena"}
    for service, _, operation in operations:
        client = SharedSession.client(service)
        action = f"{service}:{client.meta.method_to_api_mapping[operation]}"
        assert renamed.get(action, action) in granted, action
    run(capsys)
    for name, _ in account.calls:
        assert renamed.get(name, name) in granted, name
    for action in granted - set(renamed.values()):
        service, _, operation = action.partition(":")
        assert operation in SharedSession.client(service).meta.service_model.operation_names, action


def test_progress_is_for_a_terminal_alone(monkeypatch, capsys):
    """One line, written over, gone at the end; hostile text is escaped."""
    with ProgressLine() as progress:
        progress("reading")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("egressprobe.cli.common.progress.shows_progress", lambda _: True)
    with ProgressLine() as progress:
        progress("reading \x1b[2J" + "x" * 100)
    text = capsys.readouterr().err
    assert text.startswith("\r\x1b[Kreading \\x1b[2J")
    assert text.endswith("\r\x1b[K")
    assert "\n" not in text


# -- the table --


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_table_fits_the_terminal(width):
    for line in flows_table(example_flows(), width=width).splitlines():
        assert len(line) <= width or is_command(line), line


def test_the_table_names_what_decides_first():
    lines = flows_table(example_flows()).splitlines()
    assert lines[0].startswith("FAIL: prod: 1 REJECTED, 1 NO RETURN, 1 not seen, 1 answered, of 4 targets")
    verdicts = [line.split()[0] for line in lines if re.match(r"(FAIL|UNKNOWN|DEGRADED|pass) ", line)]
    assert verdicts == ["FAIL", "FAIL", "UNKNOWN", "pass", "FAIL"]


def test_every_state_is_explained_but_the_good_one():
    assert set(PROVES) == set(FlowState) - {FlowState.ANSWERED}
