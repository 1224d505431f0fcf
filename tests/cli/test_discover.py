"""`egressprobe discover`: from a folder, a kubeconfig, a cluster's name; and what is refused, in one line each."""

import base64
import json
import stat
import sys
import tempfile
import textwrap
from pathlib import Path

import boto3
import pytest
import yaml
from cryptography.x509.oid import ExtendedKeyUsageOID

from egressprobe.cli import main as cli
from egressprobe.lab.certs import issue, make_authority
from egressprobe.targets.plan import read_plan
from tests.support.aws.fake_aws import ENVIRONMENT, aws
from tests.support.kube_objects import GOLDEN
from tests.support.peers.kubeapi import CLUSTER_CA, RECORDED, TOKEN, kube_api

BY_ZONE = {name.replace("subnet-a", "us-east-1a").replace("subnet-b", "us-east-1b") for name in GOLDEN}
BY_ZONE = BY_ZONE - {"kubelet/10.0.13.0/24"} | {"kubelet/us-east-1c"}


def discover(capsys, *args):
    """Exit code, what was printed as data, what was said."""
    code = cli.main(["discover", *map(str, args)])
    out, err = capsys.readouterr()
    return code, out, err


def names(text):
    return {target.name for target in read_plan(yaml.safe_load(text)).targets}


# -- a folder ------------------------------------------------------------------------------------------------


def test_from_recorded_lists(capsys):
    code, out, err = discover(capsys, "--from", RECORDED)
    assert (code, names(out)) == (0, BY_ZONE)
    assert "SERVICE_NOT_FOUND: gone.nowhere.svc:8443" in err
    code, out, _ = discover(capsys, "--from", RECORDED, "-o", "json")
    assert names(json.dumps(json.loads(out))) == BY_ZONE


def test_what_is_not_in_the_folder_is_not_discovered(capsys, tmp_path):
    """Pages in order, an answer with its status, a cluster's description; what is missing is named, and exit 4."""
    for page in ("1", "2"):
        text = (RECORDED / f"services-page-{page}-of-limit-2.json").read_text()
        (tmp_path / f"services-page-{page}.json").write_text(text)
    (tmp_path / "nodes.json").write_text((RECORDED / "unauthorized.json").read_text())
    (tmp_path / "apiservices.json").write_text('{"httpStatus": 503, "body": {"message": "busy"}}')
    (tmp_path / "cluster.json").write_text(
        json.dumps(
            {"cluster": {"name": "prod", "version": "1.34", "identity": {"oidc": {"issuer": "https://i.example/id"}}}}
        )
    )
    code, out, err = discover(capsys, "--from", tmp_path)
    assert code == 4
    assert names(out) == {"oidc/i.example/id"}
    assert yaml.safe_load(out)["kubeVersion"] == "1.34"
    assert "TOKEN_REFUSED: the API server refuses the token: Unauthorized" in err
    assert "LIST_UNREADABLE: apiservices: the API server answers 503: busy" in err
    assert f"LIST_UNREADABLE: endpointslices: endpointslices.json is not in {tmp_path}" in err
    assert "LIST_UNREADABLE: services:" not in err


def test_a_file_too_large_is_a_finding(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("egressprobe.discovery.kubernetes.recorded.MAX_FILE", 100)
    (tmp_path / "nodes.json").write_text("x" * 101)
    (tmp_path / "services.json").mkdir()
    code, out, err = discover(capsys, "--from", tmp_path)
    assert (code, yaml.safe_load(out)["targets"]) == (4, [])
    assert "nodes.json is larger than 0 MiB; record it in pages" in err
    assert "services.json cannot be read: is a directory" in err


# -- a kubeconfig --------------------------------------------------------------------------------------------


@pytest.fixture
def api():
    with kube_api() as found:
        yield found


def b64(text):
    return base64.b64encode(text.encode()).decode()


def kubeconfig(tmp_path, api, user, **cluster):
    known = {"server": api.url if api else "https://127.0.0.1:1", "certificate-authority-data": b64(CLUSTER_CA.pem)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {k: v for k, v in (known | cluster).items() if v is not None}}],
        "users": [{"name": "u", "user": user}],
    }
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(document))
    return path


_EXEC_API = "client.authentication.k8s.io/v1"


def plugin(tmp_path, text):
    path = tmp_path / "plugin"
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(text)}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": _EXEC_API, "command": str(path), "args": ["x"], "interactiveMode": "Never"}}


def test_a_token_a_file_and_a_plugin(capsys, tmp_path, api):
    """A tunnel on this computer is fine for a person; what EKS adds is not known this way."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "ca.crt").write_text(CLUSTER_CA.pem)
    shows = plugin(
        tmp_path,
        f"""
        import json, os, sys
        assert json.loads(os.environ["KUBERNETES_EXEC_INFO"])["kind"] == "ExecCredential" and sys.argv[1:] == ["x"]
        print(json.dumps({{"apiVersion": "{_EXEC_API}", "kind": "ExecCredential", "status": {{"token": "{TOKEN}"}}}}))
        """,
    )
    for user, cluster in (
        ({"token": TOKEN}, {}),
        ({"tokenFile": "token"}, {"certificate-authority-data": None, "certificate-authority": "ca.crt"}),
        (shows, {"certificate-authority-data": None, "insecure-skip-tls-verify": True}),
    ):
        code, out, err = discover(capsys, "--kubeconfig", kubeconfig(tmp_path, api, user, **cluster))
        assert (code, names(out)) == (0, BY_ZONE), err
        assert TOKEN not in out + err


def private_folders():
    return set(Path(tempfile.gettempdir()).glob("egressprobe-*"))


def test_a_client_certificate(capsys, tmp_path, monkeypatch):
    """As kind and minikube write it; its key lies in a private folder only while it is needed."""
    monkeypatch.setattr("egressprobe.discovery.kubernetes.client._RETRIES", ())
    people = make_authority("people")
    mine = issue(people, ("me",), usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    certificate, _, key = mine.chain_and_key_pem.partition("-----BEGIN PRIVATE KEY")
    user = {"client-certificate-data": b64(certificate), "client-key-data": b64("-----BEGIN PRIVATE KEY" + key)}
    before = private_folders()
    with kube_api(client_ca=people.pem) as api:
        code, out, err = discover(capsys, "--kubeconfig", kubeconfig(tmp_path, api, user))
        assert (code, names(out)) == (0, BY_ZONE), err
        code, _, err = discover(capsys, "--kubeconfig", kubeconfig(tmp_path, api, {"token": TOKEN}))
        assert code == 4, "without it the handshake ends"
    assert private_folders() == before


def test_another_name_by_tls_server_name(capsys, tmp_path, api):
    path = kubeconfig(tmp_path, api, {"token": TOKEN}, **{"tls-server-name": "kubernetes.default"})
    code, _, err = discover(capsys, "--kubeconfig", path)
    assert code == 4
    assert "API_SERVER_UNREACHABLE" in err
    assert "wanted to match kubernetes.default" in err


def test_a_context_that_is_not_there(capsys, tmp_path):
    path = kubeconfig(tmp_path, None, {"token": "t"})
    code, _, err = discover(capsys, "--kubeconfig", path, "--context", "there")
    assert (code, err) == (2, 'egressprobe: --kubeconfig: there is no context "there"; there are: here\n')
    path.write_text("clusters: []\n")
    assert "has no current-context; name one with --context" in discover(capsys, "--kubeconfig", path)[2]
    path.write_text("[]\n")
    assert "is not a kubeconfig" in discover(capsys, "--kubeconfig", path)[2]


# -- a cluster by its name -----------------------------------------------------------------------------------


@pytest.fixture
def account(monkeypatch, api):
    """An EKS cluster whose API server is the one on loopback, which only tests may dial."""
    with aws() as cloud:
        for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": cloud.url}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("egressprobe.cli.inputs.discover_source.forbidden", lambda _: None)
        monkeypatch.delenv("AWS_ENDPOINT_URL")
        boto3.client("eks").create_cluster(
            name="prod",
            version="1.34",
            roleArn="arn:aws:iam::123456789012:role/e",
            resourcesVpcConfig={"subnetIds": ["s"]},
        )
        monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
        api.accepts = lambda token: token.startswith("k8s-aws-v1.")
        cloud.cluster = {
            "endpoint": api.url,
            "certificateAuthority": {"data": b64(CLUSTER_CA.pem)},
            "identity": {"oidc": {"issuer": "https://oidc.eks.example/id/1"}},
            "resourcesVpcConfig": {"controlPlaneEgressMode": "CUSTOMER_ROUTED"},
        }
        cloud.providers = {"corp": "https://idp.example"}
        yield cloud


def test_by_the_name_of_a_cluster(capsys, account, api):
    """With the profile's identity: EKS for the issuers, the API server by a token made here."""
    code, out, err = discover(capsys, "--cluster", "prod")
    assert code == 0, err
    assert names(out) == BY_ZONE | {"oidc/oidc.eks.example/id/1", "oidc/idp.example"}
    assert out.startswith("# Found by egressprobe discover in prod (eu-west-1, egress CUSTOMER_ROUTED): 19 targets (")
    document = yaml.safe_load(out)
    assert (document["kubeVersion"], document["ipFamily"]) == ("1.34", "ipv4")
    assert "k8s-aws-v1." not in out + err


def test_a_cluster_that_is_not_there_or_not_ours(capsys, account):
    code, _, err = discover(capsys, "--cluster", "prd")
    assert (code, err) == (2, 'egressprobe: --cluster: "prd" is not in this account and eu-west-1\n')
    account.before = lambda call: (403, "AccessDeniedException") if call.action.startswith("eks:") else None
    code, _, err = discover(capsys, "--cluster", "prod")
    assert code == 1
    assert "AccessDeniedException" in err
    account.before = lambda _: None
    account.cluster["certificateAuthority"] = {"data": ""}
    code, _, err = discover(capsys, "--cluster", "prod")
    assert code == 1
    assert "certificateAuthority cannot be used" in err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "give one of --cluster NAME, --kubeconfig FILE and --from DIR"),
        (["--cluster", "a", "--from", "b"], "give one of"),
        (["--from", "/nowhere"], "--from: /nowhere is not a directory"),
        (["--from", ".", "--timeout", "0"], "--timeout: 0 is not in 0.1..900 seconds"),
    ],
)
def test_bad_options_are_one_line(capsys, args, said):
    code, out, err = discover(capsys, *args)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_without_a_region(capsys, monkeypatch, tmp_path):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    code, _, err = discover(capsys, "--cluster", "prod")
    assert (code, err) == (2, "egressprobe: --region: is missing, and neither AWS_REGION nor the profile names one\n")


def test_a_kubeconfig_that_is_missing_is_named(capsys, monkeypatch, tmp_path):
    """By the variable that names it, else by kubectl's own place."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    code, _, err = discover(capsys)
    assert code == 2
    assert err.startswith(f'egressprobe: KUBECONFIG is "{tmp_path}'[:60])
    assert ": no such file, and this is no pod; give one of --cluster NAME" in err
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "no kubeconfig is there (~/.kube/config)" in discover(capsys)[2]
