"""No secret reaches stdout, stderr, a log, a report, a metric or an exception: planted in each place, sought in each form."""

import base64
import io
import json
import logging
import re
import stat
import sys
from urllib.parse import quote

import msgspec
import pytest
import yaml

from egressprobe.audit.result import Audit
from egressprobe.cli import main as cli
from egressprobe.cli.output.formats import FORMATS, render
from egressprobe.golang.resolver import ResolverConfig
from egressprobe.handlers.discover import handler as discover_handler
from egressprobe.handlers.probe import make_handler
from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.dns import DnsServer, Records, serve_zone
from egressprobe.lab.servers import HttpServer, Page, server_context
from egressprobe.model.report import Report
from egressprobe.net.secrets import without_secrets
from egressprobe.net.urls import parse_url, shown, shown_text
from egressprobe.probe.edges import Edges
from egressprobe.readiness.result import Preflight
from tests.conftest import ROOT
from tests.handlers.test_probe_handler import Context
from tests.support.aws.fake_aws import ENVIRONMENT
from tests.support.peers.kubeapi import CLUSTER_CA, kube_api
from tests.support.peers.proxies import proxy_server

SECRET = "S3CR3T-pass/w0rd+x"
ONE_WORD = re.sub(r"\W", "", SECRET)  # where neither a slash nor a plus may be


def forms(secret):
    """The secret as it is, and as other layers may have written it; base64 at each offset of a longer text."""
    data = secret.encode()
    found = {secret, quote(secret), quote(secret, safe=""), data.hex(), repr(secret)[1:-1], json.dumps(secret)[1:-1]}
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # Without what depends on the neighbours.
            text = encode(b"\0" * offset + data).decode()
            found.add(text[4 * bool(offset) : len(text) - len(text) % 4 - 4])
    return {form for form in found if len(form) >= 8}


def leaked(text):
    return sorted({form for secret in (SECRET, ONE_WORD) for form in forms(secret) if form in text})


@pytest.fixture
def everything(capfd, caplog, monkeypatch):
    """Runs a command and returns all that it wrote, with and without its traceback."""
    caplog.set_level(logging.DEBUG, "egressprobe")
    monkeypatch.setenv("NO_COLOR", "1")

    def written(*argv):
        texts = []
        for traceback in ("", "1"):
            monkeypatch.setenv("EGRESSPROBE_TRACEBACK", traceback)
            try:
                cli.main([str(arg) for arg in argv])
            except SystemExit:  # --help, and what argparse refuses
                pass
            texts += capfd.readouterr()
        records = [json.dumps(vars(record), default=repr) for record in caplog.records]
        return "\n".join((*texts, caplog.text, *records))

    return written


URLS = [
    f"https://u:{ONE_WORD}@h.example/",
    f"https://{ONE_WORD}@h.example/",
    f"https://h.example/?t={ONE_WORD}",
    f"https://h.example/?a=b@c&t={ONE_WORD}",
    f"https://h.example/#{ONE_WORD}",
    f"https://h.example/#a@b/{ONE_WORD}",
    f"https://u:{SECRET}@h.example/",
    f"https://u:{ONE_WORD}@[bad/",
    f"https://u:{ONE_WORD}@h\u2100.example/",
    f"https://u:{ONE_WORD}@h:99999/",
    f"https:/u:{ONE_WORD}@h/",
    f"https://h.example/\\@?{ONE_WORD}",
    f"tcp://u:{ONE_WORD}@h:1",
    f"tls://h:1?{ONE_WORD}",
    f"https://u:{ONE_WORD}@h.example\n/",
    f"https://u:p?{ONE_WORD}@h.example/",
    f"https://u:p#{ONE_WORD}@h.example/",
    f"ftp://u:{ONE_WORD}@h/",
]


@pytest.mark.parametrize("url", URLS)
def test_a_url(everything, url, tmp_path):
    """User information, query and fragment, however wrong the URL is: as an argument, in a file, as a control."""
    assert leaked(everything("run", url, "--timeout", "1")) == []
    for target in (
        {"kind": "webhook", "name": "x", "url": url},
        {"kind": "oidc", "name": "x", "url": url},
        {"kind": "endpoint", "name": "x", "url": "tcp://h:1", "expect": "blocked", "control": url},
    ):
        path = tmp_path / "t.json"
        path.write_text(json.dumps({"targets": [target]}))
        assert leaked(everything("run", "-f", path, "--timeout", "1")) == []


@pytest.mark.parametrize("url", URLS)
def test_a_url_that_is_shown(url):
    """The one place that prints URLs, and the one that says what is wrong with them."""
    assert leaked(shown(url)) == []
    assert "\n" not in shown(url)
    try:
        parse_url(url, ("https",))
    except ValueError as error:
        assert leaked(str(error) + repr(error.__cause__)) == []


@pytest.mark.parametrize("url", ["https://h.example:8443/a/b", "https://h.example/@scope/x", "tcp://[::1]:443"])
def test_a_url_without_secrets_is_shown_whole(url):
    assert shown(url) == url
    assert shown(f"{url}?q#f") == url


def kubeconfig(tmp_path, url, user, cluster=None):
    authority = base64.b64encode(CLUSTER_CA.pem.encode()).decode()
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [
            {"name": "k", "cluster": {"server": url, "certificate-authority-data": authority} | (cluster or {})}
        ],
        "users": [{"name": "u", "user": user}],
    }
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(document))
    return path


def plugin(tmp_path, text):
    path = tmp_path / "plugin"
    path.write_text(f"#!{sys.executable}\nimport os, sys\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    api = "client.authentication.k8s.io/v1"
    env = [{"name": "HIDDEN", "value": SECRET}]
    return {"exec": {"apiVersion": api, "command": str(path), "args": [SECRET], "env": env, "interactiveMode": "Never"}}


TELLS_ALL = "print('no role for', os.environ['HIDDEN'], sys.argv[1], file=sys.stderr); sys.exit(1)"
TOKEN = (
    'print(\'{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "\''
    " + os.environ['HIDDEN'] + '%s\"}}')"
)
KEY = f"-----BEGIN PRIVATE KEY-----\n{base64.b64encode(SECRET.encode()).decode()}\n-----END PRIVATE KEY-----\n"
USERS = {
    "token": {"token": SECRET},
    "token-newline": {"token": f"{SECRET}\n"},
    "token-nul": {"token": f"{SECRET}\0"},
    "token-not-ascii": {"token": f"{SECRET}\u2019"},
    "token-not-a-string": {"token": [SECRET]},
    "token-file": {"tokenFile": "token-file"},
    "token-file-two-lines": {"tokenFile": "two-lines"},
    "password": {"username": "u", "password": SECRET},
    "password-of-a-number": {"username": "u", "password": {SECRET: 1}},
    "client-key": {"client-certificate-data": "eA==", "client-key-data": base64.b64encode(KEY.encode()).decode()},
    "client-key-not-base64": {"client-certificate-data": "eA==", "client-key-data": f"%{SECRET}"},
    "auth-provider": {"auth-provider": {"name": "oidc", "config": {"refresh-token": SECRET}}},
    "impersonation": {"token": "t", "as": "jane", "as-user-extra": {"k": [f"{SECRET}\n"]}},
}


@pytest.mark.parametrize(
    ("user", "answer"),
    [
        *((user, "good") for user in USERS),
        *(("token", answer) for answer in ("redirect", "refused", "broken")),
        *(
            pytest.param(user, answer, marks=pytest.mark.thorough)
            for answer in ("redirect", "refused", "broken")
            for user in [user for user in USERS if user != "token"]
        ),
    ],
)
def test_who_asks_the_api_server(everything, tmp_path, monkeypatch, user, answer):
    """Tokens, passwords, keys and refresh tokens of a kubeconfig, whatever the API server answers."""
    monkeypatch.setattr("egressprobe.discovery.kubernetes.client._RETRIES", ())
    (tmp_path / "token-file").write_text(f"{SECRET}\n")
    (tmp_path / "two-lines").write_text(f"{SECRET}\nx")
    with kube_api() as api:
        api.accepts = lambda _: answer != "refused"
        if answer == "redirect":
            api.elsewhere = dict.fromkeys(api.items, f"https://u:{ONE_WORD}@other.example/?token={ONE_WORD}")
        if answer == "broken":
            api.cut = set(api.items)
        path = kubeconfig(tmp_path, api.url, USERS[user])
        text = everything("discover", "--kubeconfig", path, "--timeout", "10")
        text += everything("discover", "--kubeconfig", path, "--timeout", "10", "-o", "json")
    assert leaked(text) == []
    assert "internal error" not in text


@pytest.mark.parametrize(
    "text", [TELLS_ALL, TOKEN % "", TOKEN % r"\\r\\n", f"print({SECRET!r})", f"raise SystemExit({SECRET!r})"]
)
def test_a_credential_plugin(everything, tmp_path, text):
    """Its environment, its arguments, what it prints and what it complains of."""
    with kube_api() as api:
        path = kubeconfig(tmp_path, api.url, plugin(tmp_path, text))
        assert leaked(everything("discover", "--kubeconfig", path, "--timeout", "10")) == []


@pytest.mark.parametrize(
    "cluster",
    [
        {"proxy-url": f"http://u:{ONE_WORD}@proxy.invalid:3128"},
        {"proxy-url": f"socks5://{SECRET}@[bad"},
        {"proxy-url": f"ftp://u:{SECRET}@proxy.invalid"},
        {"proxy-url": f"u:{ONE_WORD}@proxy.invalid"},
        {"proxy-url": f"http://u:{ONE_WORD}@proxy.invalid:99999"},
        {"server": f"https://u:{ONE_WORD}@10.0.0.1"},
        {"server": f"https://10.0.0.1/?token={ONE_WORD}"},
        {"certificate-authority-data": base64.b64encode(KEY.encode()).decode()},
        {"certificate-authority-data": f"%{SECRET}"},
    ],
)
def test_where_the_api_server_is(everything, tmp_path, cluster):
    path = kubeconfig(tmp_path, "https://127.0.0.1:1", {"token": SECRET}, cluster)
    assert leaked(everything("discover", "--kubeconfig", path, "--timeout", "5")) == []


def echoing(scheme):
    """A proxy that refuses, and repeats all that it was given in its reason."""

    def talk(client, proxy):
        head = client.recv(4096)
        if scheme == "socks5":
            client.sendall(b"\5\2")
            head += client.recv(4096)
        line = re.sub(rb"[^ -~]", b" ", head)
        client.sendall(b"HTTP/1.1 407 " + line + b" " + SECRET.encode() + b"\r\n\r\n")
        proxy.asked.append(head)

    return talk


@pytest.mark.parametrize("by", ["proxy-url", "HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
def test_the_credentials_of_a_proxy(everything, tmp_path, monkeypatch, scheme, by):
    """In the URL, and in what the proxy answers."""
    user = quote(ONE_WORD)
    with proxy_server(echoing(scheme), "https" if scheme == "https" else "http") as proxy:
        url = f"{scheme}://{user}:{quote(SECRET, safe='')}@{proxy.url.partition('://')[2]}"
        if by != "proxy-url":
            for name in ("NO_PROXY", "no_proxy"):
                monkeypatch.delenv(name, raising=False)
            monkeypatch.setenv(by, url)
        # Loopback addresses would not go through the environment's proxy.
        server = "https://10.0.0.1:6443"
        path = kubeconfig(tmp_path, server, {"token": SECRET}, {"proxy-url": url} if by == "proxy-url" else {})
        text = everything("discover", "--kubeconfig", path, "--timeout", "5")
        text += everything("discover", "--kubeconfig", path, "--timeout", "5", "-o", "json")
        assert any(ONE_WORD.encode() in asked or b"Basic " in asked for asked in proxy.asked)
    assert leaked(text) == []
    assert "cannot be reached through the proxy" in text
    assert "internal error" not in text


def test_a_proxy_of_the_environment_that_no_proxy_can_be(everything, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"ftp://u:{ONE_WORD}@proxy.invalid")
    monkeypatch.delenv("NO_PROXY", raising=False)
    text = everything("discover", "--kubeconfig", kubeconfig(tmp_path, "https://10.0.0.1", {"token": SECRET}))
    assert leaked(text) == []
    assert "HTTPS_PROXY" in text


def test_a_private_key_in_a_ca_bundle(everything, tmp_path):
    """A chain file with its key, pasted as it is: in every output format."""
    ca = make_authority("ca").pem
    for i, bundle in enumerate((KEY, ca + KEY, KEY + ca)):
        path = tmp_path / f"{i}.json"
        target = {"kind": "webhook", "name": "x", "url": "https://127.77.1.1:1/", "caBundle": bundle}
        path.write_text(json.dumps({"targets": [target]}))
        for name in FORMATS[Report]:
            assert leaked(everything("run", "-f", path, "-o", name, "--timeout", "2")) == []


@pytest.mark.parametrize("command", ["audit", "whatif"])
def test_a_private_key_in_a_targets_file_of_an_audit(everything, tmp_path, command):
    """In every output format."""
    path = tmp_path / "targets.json"
    bundle = make_authority("ca").pem + KEY
    target = {"kind": "webhook", "name": "pods.hooks.svc", "service": {"namespace": "hooks", "name": "pods"}}
    target |= {"addresses": ["10.0.3.10:9443"], "caBundle": bundle}
    path.write_text(json.dumps({"targets": [target]}))
    plan = ("--plan", ROOT / "docs/examples/change.sh") if command == "whatif" else ()
    for name in FORMATS[Audit]:
        text = everything(command, "--snapshot", ROOT / "docs/examples/broken-vpc.json", "-f", path, *plan, "-o", name)
        assert leaked(text) == []
        assert "pods.hooks.svc" in text


@pytest.mark.thorough
@pytest.mark.parametrize("form", FORMATS[Preflight])
def test_aws_credentials_in_a_preflight(everything, monkeypatch, tmp_path, form):
    """In every output format, and in the baseline, where AWS cannot be reached."""
    _unreachable_aws(monkeypatch)
    baseline = tmp_path / "baseline.json"
    options = ("--rounds", "1", "--seconds", "0", "--local", "--baseline", baseline, "-o", form)
    assert leaked(everything("preflight", "--cluster", "prod", "--region", "eu-west-1", *options)) == []
    assert not baseline.exists() or leaked(baseline.read_text()) == []


@pytest.mark.parametrize(
    "argv",
    [
        ("discover", "--cluster", "prod"),
        ("audit", "--cluster", "prod"),
        ("verify", "--cluster", "prod"),
        ("whatif", "--cluster", "prod", "--plan", str(ROOT / "docs/examples/change.sh")),
        ("invoke", "--stack", "s"),
        ("invoke", "--stack", "s", f"https://u:{ONE_WORD}@h.example/"),
    ],
)
def test_aws_credentials(everything, monkeypatch, argv):
    """The secret key and the session token, where AWS cannot be reached."""
    _unreachable_aws(monkeypatch)
    assert leaked(everything(*argv, "--region", "eu-west-1")) == []


def _unreachable_aws(monkeypatch):
    for name, value in (
        ENVIRONMENT
        | {
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_SESSION_TOKEN": ONE_WORD,
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    ).items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("url", URLS)
def test_what_is_pasted_into_explain(everything, url):
    """A person pastes what a log shows."""
    assert leaked(everything("explain", f'Post "{url}": dial tcp: connection refused')) == []


def test_the_api_servers_own_messages_stay_whole():
    text = 'failed calling webhook "a.b": Post "https://svc.ns.svc:443/validate?timeout=10s": dial tcp 10.0.0.1:443: i/o timeout'
    assert shown_text(text) == text
    assert shown_text(f'Post "https://u:{ONE_WORD}@h/x?t=1": EOF') == 'Post "https://h/x": EOF'


# -- servers and functions ----------------------------------------------------------------------------------------


@pytest.fixture
def identity_provider(lab_loop):
    """Its answers carry secrets in URLs: a redirect, and the place of its keys."""
    ca = make_authority("ca")
    context = server_context(issue(ca, ("idp.lab",)))
    pages = {
        "/.well-known/openid-configuration": lambda url: Page(
            200, json.dumps({"issuer": url, "jwks_uri": f"https://u:{ONE_WORD}@idp.lab/keys?t={ONE_WORD}"}).encode()
        ),
    }
    server = lab_loop.start(HttpServer(tls=context))
    url = f"https://idp.lab:{server.port}"
    server.pages = {path: page(url) for path, page in pages.items()}
    dns = lab_loop.start(DnsServer(serve_zone({"idp.lab": Records(a=("127.0.0.1",))})))
    return {"kind": "oidc", "name": "idp", "url": url, "caBundle": ca.pem}, dns


def test_what_a_server_puts_into_urls(identity_provider, capfd, caplog):
    """A jwks_uri with user information and a query, through the handler: answer, logs, metrics."""
    caplog.set_level(logging.DEBUG)
    target, dns = identity_provider
    handle = make_handler(Edges(guard=lambda _: None, config=ResolverConfig(servers=(dns.text,))))
    events = [{"targets": [target]}, {"source": "schedule", "plan": {"targets": [target]}}]
    answers = [json.dumps(handle(event, Context(10.0))) for event in events]
    assert leaked("".join((*answers, *capfd.readouterr(), caplog.text))) == []
    report = msgspec.json.decode(answers[0], type=Report)
    assert report.results[0].http
    for name in FORMATS[Report]:
        assert leaked(render(report, name, io.StringIO())) == [], name


@pytest.mark.parametrize("url", URLS[:6])
def test_an_event(capfd, caplog, url):
    """What somebody sends to the function, refused or not."""
    handle = make_handler(Edges(guard=lambda _: None, config=ResolverConfig(servers=("127.0.0.1:9",))))
    answer = handle({"targets": [{"kind": "webhook", "name": "x", "url": url}]}, Context(5.0))
    assert leaked("".join((json.dumps(answer), *capfd.readouterr(), caplog.text))) == []


def test_the_discover_function(capfd, caplog, monkeypatch):
    """Its credentials, where the API server breaks off, and where the event is wrong."""
    caplog.set_level(logging.DEBUG)
    more = {"EGRESSPROBE_CLUSTER_NAME": "prod", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": ONE_WORD}
    for name, value in (ENVIRONMENT | more).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("egressprobe.handlers.discover.forbidden", lambda _: None)
    monkeypatch.setattr("egressprobe.discovery.kubernetes.client._RETRIES", ())
    authority = base64.b64encode(CLUSTER_CA.pem.encode()).decode()
    with kube_api() as api:
        api.cut = set(api.items)
        cluster = {"name": "prod", "endpoint": api.url, "certificateAuthority": authority}
        answer = discover_handler({"action": "discover", "cluster": cluster}, Context(15.0))
        with pytest.raises(ValueError, match="must be discover") as caught:
            discover_handler({"action": "discover", "cluster": cluster | {"name": "other"}}, Context(5.0))
    assert leaked(json.dumps(answer) + "".join((*capfd.readouterr(), caplog.text, str(caught.value)))) == []


def test_the_search_finds_what_it_seeks():
    """The forms are those that layers write; a test that cannot fail would hold nothing."""
    for text in (
        SECRET,
        quote(SECRET, safe=""),
        base64.b64encode(f"u:{SECRET}".encode()).decode(),
        base64.urlsafe_b64encode(f"user:{SECRET} and more".encode()).decode(),
        SECRET.encode().hex(),
        msgspec.json.encode({"x": SECRET}).decode(),
        f"https://u:{ONE_WORD}@h/",
    ):
        assert leaked(f"before {text} after"), text
    assert leaked(without_secrets(f"token {SECRET} is wrong", [SECRET])) == []
    assert without_secrets("the role arn:aws:iam::123456789012:role/x\nis wrong") == (
        "the role arn:aws:iam::123456789012:role/x is wrong"
    )
    assert without_secrets(f"Bearer {'eyJhbGciOiJSUzI1NiJ9' * 3}") == "Bearer ..."
