"""EKS's calls by botocore's own model: what is read, and which errors say that a request may have been carried out."""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
import pytest
from botocore import exceptions as botocore
from botocore.stub import Stubber

from egressprobe.aws.updates.eks_updates import (
    CallRefusedError,
    EksCluster,
    EksUpdate,
    EksUpdates,
    NoAnswerError,
)
from egressprobe.model.errors import AwsError, InputError

TOKEN = "2b1f0e7c-0000-4000-8000-000000000000"
REQUEST = {
    "name": "prod",
    "resourcesVpcConfig": {"controlPlaneEgressMode": "CUSTOMER_ROUTED"},
    "clientRequestToken": TOKEN,
}
CREATED = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
UPDATE = {"id": "u-1", "type": "ControlPlaneEgressUpdate", "status": "InProgress", "createdAt": CREATED}


class Session:
    """boto3's, with credentials that mean nothing; every client calls `url`."""

    shared = boto3.Session("id", "secret", region_name="eu-west-1")  # reads EKS's model once

    def __init__(self, url=None):
        self.url = url

    def client(self, name, config):
        return self.shared.client(name, config=config, endpoint_url=self.url)


@pytest.fixture(scope="module")
def made():
    return EksUpdates(Session(), "prod")


@pytest.fixture
def stubbed(made):
    """(calls, the stub of what is retried, the stub of `start`)."""
    calls = made
    with Stubber(calls._eks) as reads, Stubber(calls._once) as writes:
        yield calls, reads, writes


def test_reading(stubbed):
    """The cluster, a list of two pages, an update with its errors."""
    calls, reads, _ = stubbed
    vpc = {"controlPlaneEgressMode": "AWS_MANAGED"}
    reads.add_response(
        "describe_cluster",
        {"cluster": {"name": "prod", "arn": "arn:x", "status": "ACTIVE", "resourcesVpcConfig": vpc}},
        {"name": "prod"},
    )
    reads.add_response("list_updates", {"updateIds": ["a"], "nextToken": "t"}, {"name": "prod"})
    reads.add_response("list_updates", {"updateIds": ["b"]}, {"name": "prod", "nextToken": "t"})
    errors = [{"errorCode": "IpNotAvailable", "errorMessage": "it is\nfull", "resourceIds": ["subnet-a"]}]
    reads.add_response(
        "describe_update",
        {"update": UPDATE | {"status": "Failed", "errors": errors}},
        {"name": "prod", "updateId": "u-1"},
    )
    assert calls.cluster() == EksCluster("prod", "arn:x", "ACTIVE", "AWS_MANAGED")
    assert calls.update_ids() == ("a", "b")
    assert calls.update("u-1") == EksUpdate(
        "u-1",
        "ControlPlaneEgressUpdate",
        "Failed",
        "2026-11-26T10:00:00+00:00",
        ("IpNotAvailable: it is full (subnet-a)",),
    )


def test_a_mode_that_is_not_reported(stubbed):
    """Is unknown, not AWS_MANAGED."""
    calls, reads, _ = stubbed
    reads.add_response("describe_cluster", {"cluster": {"name": "prod"}})
    assert calls.cluster().mode == "unknown"


def test_the_request(stubbed):
    """Exactly this, with the token."""
    calls, _, writes = stubbed
    writes.add_response("update_cluster_config", {"update": UPDATE}, REQUEST)
    assert calls.start(TOKEN).id == "u-1"


@pytest.mark.parametrize(
    ("code", "status", "refused"),
    [
        ("ResourceInUseException", 409, True),
        ("InvalidParameterException", 400, True),
        ("InvalidRequestException", 400, True),
        ("AccessDeniedException", 403, True),
        ("ExpiredTokenException", 403, True),
        ("ThrottlingException", 429, True),
        ("ResourceNotFoundException", 404, True),
        ("RequestTimeout", 408, False),
        ("ServerException", 500, False),
        ("ServiceUnavailableException", 503, False),
    ],
)
def test_what_a_refused_request_means(stubbed, code, status, refused):
    """A server error may come after the work was done."""
    calls, _, writes = stubbed
    writes.add_client_error("update_cluster_config", code, "no", status)
    with pytest.raises(CallRefusedError if refused else NoAnswerError) as raised:
        calls.start(TOKEN)
    if refused:
        assert raised.value.code == code
        assert raised.value.throttled is (code == "ThrottlingException")
        assert ("eks:UpdateClusterConfig is missing" in str(raised.value)) is (code == "AccessDeniedException")


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (botocore.NoCredentialsError(), True),
        (botocore.EndpointConnectionError(endpoint_url="https://eks", error="refused"), True),
        (botocore.ConnectTimeoutError(endpoint_url="https://eks"), True),
        (botocore.TokenRetrievalError(provider="sso", error_msg="expired"), True),
        (botocore.UnauthorizedSSOTokenError(), True),
        (botocore.ReadTimeoutError(endpoint_url="https://eks"), False),
        (botocore.ConnectionClosedError(endpoint_url="https://eks"), False),
        (botocore.SSLError(endpoint_url="https://eks", error="eof"), False),
        (KeyError("a secret"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_no_answer_means(stubbed, monkeypatch, error, refused):
    """Only what fails before the request leaves is a refusal."""
    calls, _, _ = stubbed

    def call(**_):
        raise error

    monkeypatch.setattr(calls._once, "update_cluster_config", call)
    with pytest.raises(CallRefusedError if refused else NoAnswerError) as raised:
        calls.start(TOKEN)
    assert "secret" not in str(raised.value)


def test_an_answer_without_an_update(stubbed):
    """It may have been carried out."""
    calls, _, writes = stubbed
    writes.add_response("update_cluster_config", {}, REQUEST)
    with pytest.raises(NoAnswerError, match=r"lacks update\.id"):
        calls.start(TOKEN)


@pytest.mark.parametrize("call", ["cluster", "update_ids", "check_permissions"])
def test_a_permission_that_is_missing(stubbed, call):
    """Is named."""
    calls, reads, _ = stubbed
    operation, action = {
        "cluster": ("describe_cluster", "eks:DescribeCluster"),
        "update_ids": ("list_updates", "eks:ListUpdates"),
        "check_permissions": ("describe_update", "eks:DescribeUpdate"),
    }[call]
    reads.add_client_error(operation, "AccessDeniedException", "User is not authorized", 403)
    with pytest.raises(AwsError, match=f"the permission {action} is missing"):
        getattr(calls, call)()


def test_a_permission_that_is_there(stubbed):
    """EKS looks for the update, and there is none."""
    calls, reads, _ = stubbed
    reads.add_client_error("describe_update", "ResourceNotFoundException", "No update found for ID", 404)
    calls.check_permissions()


def test_an_old_botocore(monkeypatch):
    """It would drop the mode silently."""
    monkeypatch.setattr("egressprobe.aws.updates.eks_updates.supports_egress_mode", lambda _: False)
    with pytest.raises(InputError, match=r"boto3>=1\.43\.33"):
        EksUpdates(Session(), "prod")


class _Server(BaseHTTPRequestHandler):
    """Counts the requests; what it answers is the test's."""

    arrived: list = []
    answer = b""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.arrived.append((self.path, json.loads(body)))
        self.wfile.write(self.answer)
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n<html>no</html",
        b"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 x\r\nContent-Length: 6\r\n\r\n<html>",
    ],
    ids=["closed", "cut off", "a proxy's page", "500", "503"],
)
def test_an_answer_that_is_lost_on_the_wire(answer):
    """Botocore does not send it again by itself; the token is in the request."""

    class Handler(_Server):
        arrived = []

    Handler.answer = answer
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        calls = EksUpdates(Session(f"http://127.0.0.1:{server.server_port}"), "prod")
        with pytest.raises(NoAnswerError):
            calls.start(TOKEN)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    [(path, body)] = Handler.arrived
    assert path == "/clusters/prod/update-config"
    assert body["clientRequestToken"] == TOKEN
    assert body["resourcesVpcConfig"] == {"controlPlaneEgressMode": "CUSTOMER_ROUTED"}


def test_a_connection_that_is_refused():
    """Nothing left this computer."""
    with pytest.raises(CallRefusedError):
        EksUpdates(Session("http://127.0.0.1:1"), "prod").start(TOKEN)
