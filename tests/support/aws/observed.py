"""An account with what `flows` and `history` read: answers by operation, checked against botocore's models both ways.

Logs Insights runs the real query strings (insights.py), Athena's SQL runs in SQLite.
"""

import io
import json
import sqlite3
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters

from tests.support.aws.insights import rows

ACCOUNT, REGION = "123456789012", "eu-west-1"
PLANNER = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:egressprobe-1a2b3c4d-planner"
PROBES = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:egressprobe-1a2b3c4d-probe-"
PROBE_LOGS, PLANNER_LOGS = "/egressprobe/prod/1a2b3c4d/probe", "/egressprobe/prod/1a2b3c4d/planner"
GROUPS = ("sg-0a", "sg-0b")
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


class SharedSession:
    """A session whose clients are made once for all tests: reading EC2's model takes a third of a second."""

    region_name = REGION

    @staticmethod
    @cache
    def client(service: str, **more: Any) -> Any:
        session = boto3.Session(region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing")
        return session.client(service, **{name: value for name, value in more.items() if name != "config"})


def refused(service: str, operation: str, code: str = "AccessDeniedException") -> ClientError:
    error = {"Code": code, "Message": f"User is not authorized to perform {service}:{operation}"}
    return ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}, operation)


class ObservedAccount:
    """`answers`: `service.Operation` -> what it returns or raises. `log_groups`: name -> [(ms, line)]."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.log_groups: dict[str, list[tuple[int, str]]] = {PROBE_LOGS: [], PLANNER_LOGS: []}
        self.objects: dict[str, bytes] = {}
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.plan: list[dict[str, Any]] = []
        # Of the Planner, without EGRESSPROBE_.
        self.variables = {
            "CLUSTER_NAME": "prod",
            "PROBES": PROBES,
            "SUBNETS": "subnet-0a/eu-west-1a,-,subnet-0b/eu-west-1b",
            "SCHEDULE_GROUP": "egressprobe-prod",
            "SCHEDULE_ROLE": "arn:aws:iam::123456789012:role/schedules",
            "PROBE_LOGS": PROBE_LOGS,
            "METRIC_DETAIL": "target",
            "STACK": "egressprobe-prod",
        }
        self.stack_outputs = {"PlannerFunction": PLANNER.rpartition(":")[2]}
        self.queries: dict[str, tuple[list[dict[str, Any]], int]] = {}
        self.stopped: list[str] = []
        self._lock = threading.Lock()
        self.answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "cloudformation.DescribeStacks": self._stacks,
            "lambda.GetFunctionConfiguration": self._function,
            "scheduler.ListSchedules": lambda _: {"Schedules": [{"Name": "s00-00"}]},
            "scheduler.GetSchedule": lambda _: {
                "Name": "s00-00",
                "Target": {"Arn": PLANNER, "RoleArn": PLANNER, "Input": json.dumps({"plan": {"targets": self.plan}})},
            },
            "logs.StartQuery": self._start_query,
            "logs.GetQueryResults": self._results,
            "logs.StopQuery": lambda parameters: self.stopped.append(parameters["queryId"]) or {"success": True},
            "s3.ListObjectsV2": self._list,
            "s3.GetObject": lambda parameters: {"Body": io.BytesIO(self.objects[parameters["Key"]])},
            "sts.GetCallerIdentity": lambda _: {"Account": ACCOUNT},
            "glue.GetDatabases": lambda _: {"DatabaseList": []},
        }

    def install(self, monkeypatch: Any) -> "ObservedAccount":
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        account = self

        def call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            return account._call(client, operation, parameters)

        monkeypatch.setattr(BaseClient, "_make_api_call", call)
        monkeypatch.setattr("egressprobe.stack.deployment.in_region", lambda _: SharedSession())
        return self

    def hurry(self, monkeypatch: Any) -> None:
        """Queries are ready at the first look."""
        monkeypatch.setattr("egressprobe.aws.observability.waiting.LOOKS", (0.0,))

    def _call(self, client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        service = client.meta.service_model.service_name
        model = client.meta.service_model.operation_model(operation)
        if model.input_shape is not None:
            validate_parameters(parameters, model.input_shape)
        self.calls.append((f"{service}:{operation}", parameters))
        answer = self.answers[f"{service}.{operation}"](parameters)
        if "Body" not in answer and "Payload" not in answer:
            validate_parameters(answer, model.output_shape)
        return answer

    def refuse(self, service: str, operation: str, code: str = "AccessDeniedException") -> None:
        def answer(_: dict[str, Any]) -> dict[str, Any]:
            raise refused(service, operation, code)

        self.answers[f"{service}.{operation}"] = answer

    def called(self, action: str) -> list[dict[str, Any]]:
        return [parameters for name, parameters in self.calls if name == action]

    def _stacks(self, parameters: dict[str, Any]) -> dict[str, Any]:
        from datetime import UTC, datetime

        if parameters["StackName"] != "egressprobe-prod":
            message = f"Stack with id {parameters['StackName']} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStacks")
        stack = {
            "StackName": "egressprobe-prod",
            "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
            "StackStatus": "UPDATE_IN_PROGRESS",
            "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in self.stack_outputs.items()],
        }
        return {"Stacks": [stack]}

    def _function(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The Planner, and the first Probe: all have the same groups."""
        name = parameters["FunctionName"]
        if name == f"{PROBES}0":
            return {"FunctionArn": name, "VpcConfig": {"SecurityGroupIds": list(GROUPS)}}
        if name not in (PLANNER, PLANNER.rpartition(":")[2]):
            raise refused("lambda", "GetFunctionConfiguration", "ResourceNotFoundException")
        variables = {f"EGRESSPROBE_{key}": value for key, value in self.variables.items()}
        logging = {"LogFormat": "Text", "LogGroup": PLANNER_LOGS}
        return {"FunctionArn": PLANNER, "Environment": {"Variables": variables}, "LoggingConfig": logging}

    def _start_query(self, parameters: dict[str, Any]) -> dict[str, Any]:
        [group] = parameters["logGroupIdentifiers"]
        if group not in self.log_groups:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": group}}, "StartQuery")
        assert len(parameters["queryString"]) <= 10_000
        since, until = parameters["startTime"] * 1000, parameters["endTime"] * 1000 + 999
        events = [event for event in self.log_groups[group] if since <= event[0] <= until]
        result = rows(parameters["queryString"], events)[: parameters["limit"]]
        with self._lock:  # several queries run at once
            query = f"q{len(self.queries)}"
            self.queries[query] = (result, sum(len(line) for _, line in events))
        return {"queryId": query}

    def _results(self, parameters: dict[str, Any]) -> dict[str, Any]:
        result, scanned = self.queries[parameters["queryId"]]
        cells = [[{"field": k, "value": _text(v, k)} for k, v in row.items()] for row in result]
        return {"results": cells, "statistics": {"bytesScanned": float(scanned)}, "status": "Complete"}

    def _list(self, parameters: dict[str, Any]) -> dict[str, Any]:
        keys = sorted(key for key in self.objects if key.startswith(parameters["Prefix"]))
        return {"Contents": [{"Key": key, "Size": len(self.objects[key])} for key in keys]}


def _text(value: Any, field: str) -> str:
    """As Logs Insights writes it: the time of a bin as a date."""
    if field.startswith("bin("):
        from datetime import UTC, datetime

        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.000")
    return value if isinstance(value, str) else json.dumps(value)


def run_sql(sql: str, database: str, table: str, records: list[dict[str, Any]]) -> list[list[str]]:
    """Athena's query in SQLite, over records of one table; numbers are numbers. A row of names comes first."""
    connection = sqlite3.connect(":memory:")
    connection.execute(f"ATTACH ':memory:' AS \"{database}\"")
    names = list(records[0])
    columns = ", ".join(f'"{name}"' for name in names)
    connection.execute(f'CREATE TABLE "{database}"."{table}" ({columns})')
    marks = ", ".join("?" * len(names))
    connection.executemany(
        f'INSERT INTO "{database}"."{table}" VALUES ({marks})',  # noqa: S608
        [[record[name] for name in names] for record in records],
    )
    answer = connection.execute(sql).fetchall()
    return [["" for _ in answer[0]] if answer else [], *(["" if c is None else str(c) for c in row] for row in answer)]
