"""AWS on loopback: moto for what it has, Lambda's Invoke API in front of functions of ours, and a record of every call
as IAM would see it: (who, action, resource, context). A call that is not in the table fails the test.
"""

import json
import re
import threading
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.support.aws.cloudformation import ACCOUNT, REGION

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Call(NamedTuple):
    """One request that IAM decides on."""

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


_ARN = f"arn:aws:{{}}:{REGION}:{ACCOUNT}:{{}}"
# method, path -> action, resource; {0} is the path's group, {group} the schedule group of the request
_TABLE = (
    ("GET", r"/clusters", "eks:ListClusters", "*"),
    ("GET", r"/clusters/([^/]+)", "eks:DescribeCluster", _ARN.format("eks", "cluster/{0}")),
    (
        "GET",
        r"/clusters/([^/]+)/identity-provider-configs",
        "eks:ListIdentityProviderConfigs",
        _ARN.format("eks", "cluster/{0}"),
    ),
    (
        "POST",
        r"/clusters/([^/]+)/identity-provider-configs/describe",
        "eks:DescribeIdentityProviderConfig",
        _ARN.format("eks", "identityproviderconfig/{0}/oidc/corp/1a2b"),
    ),
    ("GET", r"/clusters/([^/]+)/updates", "eks:ListUpdates", _ARN.format("eks", "cluster/{0}")),
    ("GET", r"/clusters/([^/]+)/updates/[^/]+", "eks:DescribeUpdate", _ARN.format("eks", "cluster/{0}")),
    ("GET", r"/2013-04-01/hostedzonesbyvpc", "route53:ListHostedZonesByVPC", "*"),
    ("GET", r"/schedules", "scheduler:ListSchedules", "*"),
    ("GET", r"/schedules/([^/]+)", "scheduler:GetSchedule", _ARN.format("scheduler", "schedule/{group}/{0}")),
    ("POST", r"/schedules/([^/]+)", "scheduler:CreateSchedule", _ARN.format("scheduler", "schedule/{group}/{0}")),
    ("PUT", r"/schedules/([^/]+)", "scheduler:UpdateSchedule", _ARN.format("scheduler", "schedule/{group}/{0}")),
    ("DELETE", r"/schedules/([^/]+)", "scheduler:DeleteSchedule", _ARN.format("scheduler", "schedule/{group}/{0}")),
    ("POST", r"/2015-03-31/functions/([^/]+)/invocations", "lambda:InvokeFunction", "{0}"),
    ("GET", r"/2015-03-31/functions/([^/]+)/configuration", "lambda:GetFunctionConfiguration", "{0}"),
)
_EC2 = '<{0}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">{1}</{0}Response>'
# What moto lacks, as AWS answers where nothing of the kind is there.
NOTHING = {
    "ec2:DescribeVpcBlockPublicAccessOptions": _EC2.format(
        "DescribeVpcBlockPublicAccessOptions",
        "<vpcBlockPublicAccessOptions><internetGatewayBlockMode>off</internetGatewayBlockMode></vpcBlockPublicAccessOptions>",
    ),
    "ec2:DescribeVpcBlockPublicAccessExclusions": _EC2.format("DescribeVpcBlockPublicAccessExclusions", ""),
    "ec2:DescribeVpcEncryptionControls": _EC2.format("DescribeVpcEncryptionControls", ""),
    "route53resolver:ListFirewallRuleGroupAssociations": '{"FirewallRuleGroupAssociations": []}',
    "route53resolver:ListFirewallRules": '{"FirewallRules": []}',
    "route53resolver:ListFirewallDomains": '{"Domains": []}',
    "cloudtrail:LookupEvents": '{"Events": []}',
    "iam:SimulatePrincipalPolicy": (
        '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        "<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults><member>"
        "<EvalActionName>ec2:DescribeVpcs</EvalActionName><EvalDecision>allowed</EvalDecision></member>"
        "</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
    ),
}
BLOCKED = _EC2.format(
    "DescribeVpcBlockPublicAccessOptions",
    "<vpcBlockPublicAccessOptions><internetGatewayBlockMode>block-bidirectional</internetGatewayBlockMode>"
    "</vpcBlockPublicAccessOptions>",
)
# Its applications keep nothing: moto's state is in its backends, which mock_aws resets.
MOTO = DomainDispatcherApplication(create_backend_app)


class Aws:
    """`calls`: what was asked, in order. `functions`: ARN -> bytes in, bytes out. `before`: sees each call first."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.functions: dict[str, Callable[[bytes], bytes]] = {}
        self.before: Callable[[Call], tuple[int, str] | None] = lambda _: None
        self.url = ""
        # What moto lacks: fields of DescribeCluster's answer, and the identity providers (name -> issuer).
        self.cluster: dict[str, Any] = {}
        self.providers: dict[str, str] = {}
        self.updates: dict[str, str] = {}  # id -> status
        self.answers = dict(NOTHING)
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        call = call_of(environ, body)
        if call is None:
            start_response("501 Not Implemented", [])
            return [b"not in tests/support/aws/fake_aws.py's table"]
        calls = [call, *_passed_role(call, body)]
        with self._lock:
            self.calls += calls
        refused = self.before(call)
        if refused:
            status, code = refused
            headers, answer = refusal(call, code)
            start_response(f"{status} refused", headers)
            return [answer]
        if call.action == "lambda:InvokeFunction":
            return self._invoke(call.resource, body, start_response)
        if "IdentityProviderConfig" in call.action:
            answer = self._providers(call, parse_qs(environ.get("QUERY_STRING", "")), body)
            return _json(start_response, answer)
        if call.action in ("eks:ListUpdates", "eks:DescribeUpdate"):
            name = environ["PATH_INFO"].rpartition("/")[2]
            update = {"id": name, "status": self.updates.get(name, ""), "type": "VersionUpdate"}
            listing = call.action == "eks:ListUpdates"
            return _json(start_response, {"updateIds": list(self.updates)} if listing else {"update": update})
        if call.action in self.answers:
            start_response("200 OK", [("Content-Type", "text/xml")])
            return [self.answers[call.action].encode()]
        import io

        environ["wsgi.input"] = io.BytesIO(body)
        if call.action == "eks:DescribeCluster" and self.cluster:
            return self._described(environ, start_response)
        return MOTO(environ, start_response)

    def _described(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        status: list[str] = []
        body = b"".join(MOTO(environ, lambda line, *_: status.append(line)))
        if not status[0].startswith("200"):
            start_response(status[0], [("x-amzn-ErrorType", "ResourceNotFoundException")])
            return [body]
        found = json.loads(body)
        for key, value in self.cluster.items():
            found["cluster"][key] = found["cluster"].get(key, {}) | value if isinstance(value, dict) else value
        return _json(start_response, found)

    def _providers(self, call: Call, query: dict[str, list[str]], body: bytes) -> dict[str, Any]:
        """One a page. https://docs.aws.amazon.com/eks/latest/APIReference/API_ListIdentityProviderConfigs.html"""
        if call.action == "eks:DescribeIdentityProviderConfig":
            name = json.loads(body)["identityProviderConfig"]["name"]
            config = {"identityProviderConfigName": name, "issuerUrl": self.providers[name], "status": "ACTIVE"}
            return {"identityProviderConfig": {"oidc": config}}
        names = sorted(self.providers)
        at = int(query.get("nextToken", ["0"])[0])
        more = {"nextToken": str(at + 1)} if at + 1 < len(names) else {}
        return {"identityProviderConfigs": [{"type": "oidc", "name": name} for name in names[at : at + 1]]} | more

    def _invoke(self, arn: str, body: bytes, start_response: Any) -> list[bytes]:
        """https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""
        if arn not in self.functions:
            start_response("404 Not Found", [("x-amzn-ErrorType", "ResourceNotFoundException")])
            return [json.dumps({"Message": f"Function not found: {arn}"}).encode()]
        answer = self.functions[arn](body)
        failed = b'"errorType"' in answer[:2000] and b'"errorMessage"' in answer[:2000]
        start_response("200 OK", [("X-Amz-Function-Error", "Unhandled")] if failed else [])
        return [answer]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [(call.action, call.resource) for call in self.calls]


def _json(start_response: Any, answer: dict[str, Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]


def refusal(call: Call, code: str) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body of an error, in the protocol of the call's service."""
    if call.action.startswith(("ec2:", "elasticloadbalancing:", "iam:", "route53:", "cloudformation:")):
        error = f"<Error><Code>{code}</Code><Message>by the test</Message></Error>"
        if call.action.startswith("ec2:"):
            error = f"<Errors>{error}</Errors>"
        outer = "Response" if call.action.startswith("ec2:") else "ErrorResponse"
        return [("Content-Type", "text/xml")], f"<{outer}>{error}</{outer}>".encode()
    body = json.dumps({"__type": code, "Message": f"{code} by the test"})
    return [("x-amzn-ErrorType", code), ("Content-Type", "application/json")], body.encode()


def call_of(environ: dict[str, Any], body: bytes) -> Call | None:
    """What IAM would decide on; None for a request that is not in the table."""
    query = parse_qs(environ.get("QUERY_STRING", ""))
    path = unquote(environ["PATH_INFO"])
    if path == "/" and environ["REQUEST_METHOD"] == "POST":
        return _of_the_body(environ, body)
    for method, pattern, action, resource in _TABLE:
        match = re.fullmatch(pattern, path)
        if match and method == environ["REQUEST_METHOD"]:
            said = json.loads(body) if method in ("POST", "PUT") and "schedules" in path else {}
            group = said.get("GroupName") or query.get("groupName", ["default"])[0]
            return Call(action, resource.format(*match.groups(), group=group))
    return None


_JSON_SERVICES = {
    "cloudtrail": "cloudtrail",
    "networkfirewall": "network-firewall",
    "granite": "cloudwatch",
    "awsevents": "events",
    "taggingapi": "tag",
}


def _of_the_body(environ: dict[str, Any], body: bytes) -> Call:
    """Services whose requests name the action: EC2 and IAM in the body, the JSON ones in a header."""
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        service = next((name for word, name in _JSON_SERVICES.items() if word in target.lower()), "route53resolver")
        return _of_json(f"{service}:{target.rpartition('.')[2]}", body)
    said = parse_qs(body.decode())
    if said["Version"] == ["2010-03-31"]:
        return Call(f"sns:{said['Action'][0]}", said["TopicArn"][0])
    if said["Version"] == ["2010-05-15"]:
        return Call(f"cloudformation:{said['Action'][0]}", "*")
    if said["Version"] == ["2010-05-08"]:
        return Call(f"iam:{said['Action'][0]}", said["PolicySourceArn"][0])
    service = "elasticloadbalancing" if said["Version"] == ["2015-12-01"] else "ec2"
    return Call(f"{service}:{said['Action'][0]}", "*")


def _of_json(action: str, body: bytes) -> Call:
    """Actions that support a resource or a condition.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/policy-keys-eventbridge.html
    """
    if action == "cloudwatch:GetAlarmMuteRule":
        name = json.loads(body)["AlarmMuteRuleName"]
        return Call(action, _ARN.format("cloudwatch", f"alarm-mute-rule:{name}"))
    if action == "events:PutEvents":
        [source] = {entry["Source"] for entry in json.loads(body)["Entries"]}
        return Call(action, _ARN.format("events", "event-bus/default"), (("events:source", source),))
    return Call(action, "*")


def _passed_role(call: Call, body: bytes) -> list[Call]:
    """A schedule's role is passed to the scheduler by whoever writes it."""
    if call.action not in ("scheduler:CreateSchedule", "scheduler:UpdateSchedule"):
        return []
    role = json.loads(body)["Target"]["RoleArn"]
    return [Call("iam:PassRole", role, (("iam:PassedToService", "scheduler.amazonaws.com"),))]


@contextmanager
def aws():
    """AWS for the time of a test; `url` is its endpoint."""
    from moto import mock_aws

    with mock_aws():  # in-process clients of the test and the server share moto's state
        one = Aws()
        server = make_server("127.0.0.1", 0, one, threaded=True)
        one.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield one
        finally:
            server.shutdown()
            thread.join(5)
