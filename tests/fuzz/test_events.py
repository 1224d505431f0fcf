"""Events of the three functions, the environment that they run in, and what the Planner's services answer.

A result, an error in the result, or InputError in one line (schedules: Lambda counts it); never another exception, never
`internal_error`. A plan that is written can be read by a probe, and has every configured target.
"""

import base64
import gzip
import io
import json
from contextlib import redirect_stdout

import pytest
from botocore.exceptions import ClientError

from egressprobe.golang.resolver import ResolverConfig
from egressprobe.handlers import discover, planner
from egressprobe.handlers.probe import make_handler
from egressprobe.model.errors import InputError
from egressprobe.model.failure import Code
from egressprobe.net.guard import forbidden
from egressprobe.planner import reconcile, vpc_audit
from egressprobe.planner.inventory import read_inventory
from egressprobe.planner.lookup.note import NOTE
from egressprobe.planner.reconcile import PlanError
from egressprobe.planner.settings import Clients
from egressprobe.probe.edges import Edges
from egressprobe.publish.response import MAX_RESPONSE
from egressprobe.targets.plan import read_plan
from tests.conftest import ROOT
from tests.support.aws import answers, emf
from tests.support.aws.scheduler_memory import Scheduler
from tests.support.mutations import SURROGATE, Similar, dumped, mutated_bytes, mutated_text, mutated_value

EVENTS = [json.loads(path.read_text()) for path in sorted((ROOT / "events").glob("*.json")) if path.stem != "demo"]
SIMILAR = Similar(EVENTS)
# Nothing is reached: no name server listens there, and every address is refused before it is dialled.
EDGES = Edges(guard=lambda _: "not in a test", config=ResolverConfig(servers=("127.0.0.1:9",)))
ODD_WORDS = ("", " ", "-1", "256", "9" * 400, "é", "\udcff", "\x1b[2J", "a,b", "x" * 3000, "subnet", "true", "\u0661")
ENVIRONMENT = ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "EGRESSPROBE_SUBNET_ID", "EGRESSPROBE_CLUSTER_NAME", "EGRESSPROBE_AVAILABILITY_ZONE", "EGRESSPROBE_METRIC_DETAIL", "EGRESSPROBE_MAX_SERIES", "AWS_REGION")  # fmt: skip


class Context:
    aws_request_id = "11111111-2222-4333-8444-555555555555"

    def __init__(self, milliseconds=3000):
        self.get_remaining_time_in_millis = lambda: milliseconds


def changed(random, event):
    """An event of the right types and wrong values, of other types, or of anything."""
    for _ in range(random.choice((0, 1, 1, 2, 4))):
        event = SIMILAR.mutated(random, event) if random.random() < 0.6 else mutated_value(random, event)
    if random.random() < 0.2:
        text = dumped(random, event)
        try:
            return json.loads(mutated_text(random, text) if random.random() < 0.5 else text)
        except ValueError:
            return text
    return event


def whole(response):
    """A response of Lambda's: JSON in UTF-8 below its limit (Lambda quotas: 6 MB)."""
    encoded = json.dumps(response, ensure_ascii=False, allow_nan=False).encode()
    assert len(encoded) < 6 << 20
    return encoded


@pytest.fixture
def environment(monkeypatch):
    """Sets variables to odd values, for one input."""

    def put(random):
        for name in ENVIRONMENT:
            if random.random() < 0.15:
                monkeypatch.setenv(name, random.choice(ODD_WORDS))
            else:
                monkeypatch.delenv(name, raising=False)

    return put


def test_probe_events(fuzz, environment):
    handle = make_handler(EDGES)

    def check(random):
        environment(random)
        event, out = changed(random, random.choice(EVENTS)), io.StringIO()
        scheduled = isinstance(event, dict) and "source" in event
        try:
            with redirect_stdout(out):
                response = handle(event, Context(random.choice((1000, 700, 0, -5))))
        except InputError as error:
            assert scheduled
            assert str(error).isprintable()
            return
        encoded = whole(response)
        assert len(encoded) < MAX_RESPONSE + 1000
        error = response.get("error")
        assert error is None or (error["code"] == Code.TARGET_INVALID and not scheduled), error
        assert all(
            (result["failure"] or {}).get("code") != Code.INTERNAL_ERROR for result in response.get("results", ())
        )
        assert len(emf.documents(out.getvalue())) <= len(response.get("results", ())) + 1

    fuzz(check, inputs=10, most_seconds=2.0)


def test_discover_events(fuzz, environment, monkeypatch):
    """The Planner's event; the API server is refused before it is dialled."""
    whole_event = {
        "action": "discover",
        "cluster": {"name": "prod", "endpoint": "https://127.0.0.1:9", "certificateAuthority": "eA=="},
        "networks": {"subnet-1": ["10.0.0.0/24"]},
        "remoteNetworks": ["10.200.0.0/16"],
        "remotePodNetworks": [],
    }
    similar = Similar(whole_event)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setattr(discover, "forbidden", lambda _: "not in a test")

    def check(random):
        environment(random)
        monkeypatch.setenv("EGRESSPROBE_CLUSTER_NAME", "prod")
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        event = similar.mutated(random, whole_event) if random.random() < 0.5 else mutated_value(random, whole_event)
        try:
            response = discover.handler(event, Context(random.choice((8000, 5001, 0))))
        except ValueError as error:  # of msgspec and of ours: not the Planner's event
            assert len(str(error)) < 1000
            return
        whole(response)
        assert not any("egressprobe itself failed" in finding["summary"] for finding in response["findings"])

    fuzz(check, inputs=1500, most_seconds=2.0)


CONFIGURED = {
    "targets": [{"kind": "webhook", "name": name, "url": f"https://{name}.example/"} for name in ("a", "b", "c")]
}
DISCOVERED = {
    "schemaVersion": "egressprobe/discovered/v1",
    "targets": [
        {"kind": "webhook", "name": "d", "url": "https://d.example/", "objects": ["ValidatingWebhookConfiguration/d"]},
        {
            "kind": "webhook",
            "name": "e",
            "service": {"namespace": "n", "name": "s", "port": 443},
            "addresses": ["10.0.1.7:9443"],
            "objects": ["MutatingWebhookConfiguration/e"],
        },
    ],
    "bundles": {},
    "findings": [],
    "left": [],
    "unread": [],
}
REPORT = json.loads((ROOT / "tests/data/report.json").read_text())
PLANNER_EVENTS = [{"action": "plan"}, {"action": "probe", "targets": ["a"]}, {"targets": []}, {"action": "doctor"}]
SCHEDULED = {"source": "schedule", "plan": {"targets": [*CONFIGURED["targets"], *DISCOVERED["targets"]], "retired": {"x": "2026-01-01T00:00:00+00:00"}}}  # fmt: skip
STORED = {"readAt": "2026-01-01T00:00:00+00:00", "unchanged": 2, "lookedUp": ["d"], "claim": "r", "claimedAt": "2026-01-01T00:00:00+00:00"}  # fmt: skip
DOCUMENTS = Similar([DISCOVERED, REPORT, SCHEDULED, STORED, answers.EKS])


def _document(random, value):
    """As bytes, often as it is."""
    for _ in range(random.choice((0, 0, 1, 2))):
        value = DOCUMENTS.mutated(random, value) if random.random() < 0.5 else mutated_value(random, value)
    body = dumped(random, value).encode("utf-8", "surrogatepass")
    return mutated_bytes(random, body) if random.random() < 0.05 else body


def _log_event(random):
    """A subscription's event: gzip of JSON lines in JSON, in base64."""
    lines = [json.dumps({"Target": random.choice(("d", "x", 5, SURROGATE))}) for _ in range(random.randrange(3))]
    data = {"messageType": "DATA_MESSAGE", "logEvents": [{"id": "1", "message": line} for line in lines]}
    packed = gzip.compress(_document(random, data))
    if random.random() < 0.2:
        packed = mutated_bytes(random, packed)
    text = base64.b64encode(packed).decode()
    return {"awslogs": {"data": mutated_text(random, text) if random.random() < 0.1 else text}}


class Schedules(Scheduler):
    """The scheduler in memory; what is in it may be damaged."""

    def damage(self, random):
        inputs = {
            "s00-all": SCHEDULED,
            "s01-all": SCHEDULED,
            NOTE: STORED,
            "lock-000001": {"run": "r", "until": 1.0, "names": []},
        }
        for name, content in inputs.items():
            target = {"Arn": "arn", "RoleArn": "role", "Input": _document(random, content).decode("utf-8", "replace")}
            schedule = {"State": "ENABLED", "ScheduleExpression": "rate(1 minute)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}  # fmt: skip
            if random.random() < 0.7:
                self.there[name] = mutated_value(random, schedule) if random.random() < 0.15 else schedule
            if not isinstance(self.there.get(name, {}), dict):
                self.there[name] = {}


@pytest.fixture
def planned(monkeypatch):
    """Calls the Planner's handler with damaged answers around it; (answer or exception, scheduler)."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(reconcile.refresh, "__defaults__", ((), lambda _: None))
    monkeypatch.setattr(planner, "bundled", lambda: read_inventory(CONFIGURED))
    monkeypatch.setattr(vpc_audit, "with_names", lambda snapshot, _: snapshot)
    slots = ["subnet-a/eu-west-1a", "subnet-b/eu-west-1b", *["-"] * 14]
    for name, value in {
        "EGRESSPROBE_PROBES": "arn:probe-",
        "EGRESSPROBE_SUBNETS": ",".join(slots),
        "EGRESSPROBE_CLUSTER_NAME": "prod",
        "EGRESSPROBE_SCHEDULE_GROUP": "group",
        "EGRESSPROBE_SCHEDULE_ROLE": "role",
        "EGRESSPROBE_DISCOVER": "arn:discover",
        "AWS_REGION": answers.REGION,
    }.items():
        monkeypatch.setenv(name, value)

    whole_audit = vpc_audit._snapshot

    def call(random, event):
        scheduler = Schedules()
        scheduler.damage(random)
        eks = {name: _damaged(random, answer) for name, answer in answers.EKS.items()}
        services = {name: dict(operations) for name, operations in answers.SERVICES.items()}
        operation = random.choice(list(answers.EC2))
        services["ec2"][operation] = _damaged(random, answers.EC2[operation])
        made = {name: answers.AnsweringClient(name, operations) for name, operations in services.items()}
        monkeypatch.setattr(vpc_audit, "_readers", lambda: vpc_audit.Readers(*made.values()))
        without = random.random() < 0.8  # an audit takes most of the time, and has classes of its own
        monkeypatch.setattr(vpc_audit, "_snapshot", lambda *_: None if without else whole_audit(*_))
        monkeypatch.setattr(
            planner,
            "clients",
            lambda: Clients(answers.AnsweringClient("eks", eks), made["ec2"], scheduler, _Functions(random)),
        )
        with redirect_stdout(io.StringIO()):
            try:
                return planner.handler(event, Context()), scheduler
            except (InputError, PlanError, ClientError) as error:
                return error, scheduler

    return call


def _damaged(random, answer):
    if random.random() < 0.8:
        return answer
    return DOCUMENTS.mutated(random, answer) if random.random() < 0.5 else mutated_value(random, answer)


class _Functions(answers.AnsweringClient):
    """Lambda: Discover's and the probes' responses."""

    def __init__(self, random):
        super().__init__("lambda", {})
        self._random = random

    def invoke(self, FunctionName, **_):  # noqa: N803 (boto3's name)
        random = self._random
        body = _document(random, DISCOVERED if FunctionName == "arn:discover" else REPORT)
        answer = {"StatusCode": 200, "Payload": io.BytesIO(body)}
        if random.random() < 0.1:
            answer["FunctionError"] = "Unhandled"
        if random.random() < 0.02:
            del answer["Payload"]
        return answer


def test_planner_events(fuzz, planned):
    def check(random):
        event = _log_event(random) if random.random() < 0.3 else random.choice(PLANNER_EVENTS)
        if random.random() < 0.4:
            event = changed(random, event)
        answer, scheduler = planned(random, event)
        if isinstance(answer, Exception):
            assert event.get("action") == "plan" or set(event) == {"awslogs"}, answer
            return
        whole(answer)
        if "shards" in answer:
            _check_schedules(scheduler)

    fuzz(check, inputs=25, most_seconds=3.0)


def _check_schedules(scheduler):
    """Every subnet's plans can be read, and together have every configured target."""
    for prefix in ("s00-", "s01-"):
        names = set()
        for name, schedule in scheduler.there.items():
            if name.startswith(prefix):
                text = schedule["Target"]["Input"]
                assert len(text.encode()) <= 256 * 1024
                plan = read_plan(json.loads(text)["plan"], forbidden=forbidden)
                names |= {target.name for target in plan.targets}
        assert {target["name"] for target in CONFIGURED["targets"]} <= names
