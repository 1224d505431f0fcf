"""A kubeconfig as kubectl reads it: what it accepts reaches the API server in the same form, what it refuses is one line.

The rules are those of k8s.io/client-go (tools/clientcmd, transport, plugin/pkg/client/auth/exec).
"""

import base64
import json
import os
import stat
import sys
import textwrap

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from egressprobe.discovery.kubernetes import kubeconfig
from egressprobe.discovery.kubernetes.kubeconfig import api_server, default_paths
from egressprobe.lab.certs import issue, make_authority
from egressprobe.model.errors import InputError
from tests.conftest import examples
from tests.support.peers.kubeapi import CLUSTER_CA

SERVER = "https://10.0.0.1:6443"
EXEC_API = "client.authentication.k8s.io/v1"
SECRET = "S3CR3T-eyJhbGciOiJSUzI1NiJ9"


def b64(text):
    return base64.b64encode(text.encode()).decode()


def config(user=None, cluster=None, **more):
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": SERVER} | (cluster or {})}],
        "users": [{"name": "u", "user": user or {}}],
    } | more


def written(folder, document, name="config"):
    path = folder / name
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return path


def read(folder, document, context=None):
    """The server, with its token and files as they were while it lasted."""
    with api_server([written(folder, document)], context) as server:
        token = server.token() if server.token else None
        files = tuple(path.read_bytes() for path in server.certificate) if server.certificate else None
        return server._replace(token=token, certificate=files)


def refused(folder, document, context=None):
    with pytest.raises(InputError) as caught:
        read(folder, document, context)
    text = str(caught.value)
    assert "\n" not in text
    assert SECRET not in text
    return text


# -- where the server is, and how it is recognized ---------------------------------------------------------------


@pytest.mark.parametrize("width", [64, 76])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_base64_in_lines_is_taken(tmp_path, width, end):
    """As `base64 FILE` writes it: Go's decoder skips line ends, and no other white space."""
    lines = end.join(textwrap.wrap(b64(CLUSTER_CA.pem), width)) + end
    assert read(tmp_path, config(cluster={"certificate-authority-data": lines})).anchors
    spaced = lines.replace(end, " ")
    assert "clusters[0].cluster.certificate-authority-data is not base64" in refused(
        tmp_path, config(cluster={"certificate-authority-data": spaced})
    )


@pytest.mark.parametrize("value", ["false", "true", "", 0, 1, "no"])
def test_a_boolean_in_quotes_is_refused(tmp_path, value):
    """A quoted "false" would be true to Python: the token would go to whoever answers."""
    said = refused(tmp_path, config({"token": SECRET}, {"insecure-skip-tls-verify": value}))
    assert "clusters[0].cluster.insecure-skip-tls-verify: expected a boolean" in said


@pytest.mark.parametrize(
    ("text", "verify"), [("true", False), ("yes", False), ("false", True), ("~", True), ("", True)]
)
def test_booleans_and_nulls_of_yaml(tmp_path, text, verify):
    """YAML 1.1's booleans are booleans; `~` and nothing are as if the key were not there."""
    document = f"""
    apiVersion: v1
    current-context: here
    preferences: ~
    contexts: [{{name: here, context: {{cluster: c, user: u, namespace: ~}}}}]
    clusters:
    - name: c
      cluster: {{server: "{SERVER}", proxy-url: ~, certificate-authority: ~, insecure-skip-tls-verify: {text}}}
    users: [{{name: u, user: {{token: ~, tokenFile: ~, exec: ~, as: ~, as-groups: ~}}}}]
    """
    server = read(tmp_path, textwrap.dedent(document))
    assert (server.verify, server.token, server.headers) == (verify, None, ())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("token", 12345),
        ("token", True),
        ("tokenFile", []),
        ("as", 5),
        ("as-groups", "x"),
        ("as-user-extra", []),
    ],
)
def test_types_are_strict_everywhere(tmp_path, key, value):
    """Also in an entry that no context uses, as kubectl decodes the whole file."""
    other = {"name": "other", "user": {key: value}}
    document = config({"token": "t"})
    document["users"].append(other)
    assert f"users[1].user.{key}: expected " in refused(tmp_path, document)


def test_the_server(tmp_path):
    """A path prefix stays, its query goes; without a scheme it is http; user information is refused."""
    assert read(tmp_path, config(cluster={"server": f"{SERVER}/k8s/c-1?x=1"})).url == f"{SERVER}/k8s/c-1"
    for server, reason in (
        ("ftp://10.0.0.1", "must begin with https:// or http://"),
        (f"https://u:{SECRET}@10.0.0.1", "must not carry user information"),
        (f"https://u:{SECRET}@h\u2100.example", "is not a URL"),
        (f"https://u:{SECRET}@[bad", "is not a URL"),
        ("", "clusters.server is missing"),
    ):
        assert reason in refused(tmp_path, config(cluster={"server": server}))


@pytest.mark.parametrize("server", ["http://10.0.0.1:6443", "10.0.0.1:6443"])
@pytest.mark.parametrize("user", [{"token": SECRET}, {"username": "u", "password": SECRET}, {"exec": None}])
def test_without_tls_no_credentials_are_sent(tmp_path, server, user):
    """client_config.go ClientConfig reads them only for https, and HOST:PORT is not https there, CA or not."""
    if "exec" in user:
        user = plugin(tmp_path, "raise SystemExit('is run')")
    cluster = {"server": server, "certificate-authority-data": b64(CLUSTER_CA.pem)}
    found = read(tmp_path, config(user | {"as": "jane"}, cluster))
    assert (found.url, found.token, found.certificate) == ("http://10.0.0.1:6443", None, None)
    assert found.headers == (("Impersonate-User", "jane"),)


def test_a_proxy_url(tmp_path, monkeypatch):
    """It wins over the environment's; client-go knows three schemes."""
    monkeypatch.setenv("HTTPS_PROXY", "http://other:1")
    monkeypatch.setenv("NO_PROXY", "*")
    found = read(tmp_path, config(cluster={"proxy-url": f"http://u:{SECRET}@proxy"}))
    assert (found.proxy.shown, found.proxy.credentials) == ("http://proxy:80", (b"u", SECRET.encode()))
    assert read(tmp_path, config(cluster={"proxy-url": "socks5://[::1]"})).proxy.shown == "socks5://[::1]:1080"
    for url, reason in (
        (f"socks5h://u:{SECRET}@proxy", "must begin with http://, https://, socks5://"),
        (f"u:{SECRET}@proxy:3128", "must begin with http://, https://, socks5://"),
        (f"http://u:{SECRET}@[bad", "is not a URL"),
        (f"http://u:{SECRET}@", "names no host"),
    ):
        assert reason in refused(tmp_path, config(cluster={"proxy-url": url}))


def test_the_environments_proxy_where_there_is_no_proxy_url(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://other:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert read(tmp_path, config()).proxy.shown == "http://other:1"
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8")
    assert read(tmp_path, config()).proxy is None
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTPS_PROXY", f"ftp://u:{SECRET}@other:1")
    assert refused(tmp_path, config()).startswith("HTTPS_PROXY: must begin with http://, https://, socks5://, socks5h")


# -- in a pod -----------------------------------------------------------------------------------------------------


@pytest.fixture
def pod(tmp_path, monkeypatch):
    """A pod's service account, in a folder of the test."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text(f"{SECRET}\n")
    (folder / "ca.crt").write_text(CLUSTER_CA.pem)
    monkeypatch.setattr("egressprobe.discovery.kubernetes.in_cluster._FOLDER", folder)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    return folder


def in_pod(paths, context=None):
    with api_server(paths, context) as server:
        return server._replace(token=server.token())


@pytest.mark.parametrize("files", [(), ("",), ("preferences: {colors: false}", "apiVersion: v1\nkind: Config")])
def test_a_pod_reads_its_own_cluster(tmp_path, monkeypatch, pod, files):
    """Where no kubeconfig says anything: rest/config.go InClusterConfig."""
    paths = [written(tmp_path, text, f"f{i}") for i, text in enumerate(files)]
    server = in_pod(paths)
    assert (server.url, server.token, len(server.anchors)) == ("https://[fd00::1]:443", SECRET, 1)
    assert server.proxy is None
    monkeypatch.setenv("HTTPS_PROXY", "http://p:1")
    assert in_pod(paths).proxy.shown == "http://p:1"
    (pod / "ca.crt").write_text("none")
    assert in_pod(paths).anchors == (), "the system roots, as kubectl"


def test_a_rotated_token_is_read_again(pod):
    with api_server([]) as server:
        (pod / "token").write_text("new")
        assert server.token() == "new"


def test_a_kubeconfig_wins_over_the_pod(tmp_path, pod):
    assert read(tmp_path, config({"token": "t"})).url == SERVER
    empty = written(tmp_path, "", "empty")
    for paths, context, reason in (
        ([empty], "here", 'there is no context "here"'),
        ([written(tmp_path, "preferences: {colors: true}", "colors")], None, "has no current-context"),
    ):
        with pytest.raises(InputError, match=reason):
            in_pod(paths, context)


@pytest.mark.parametrize("missing", ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "token", "folder"])
def test_outside_a_pod_there_is_no_such_cluster(tmp_path, monkeypatch, pod, missing):
    if missing.isupper():
        monkeypatch.setenv(missing, "")
    else:
        (pod / "token").unlink()
        if missing == "folder":
            (pod / "token").mkdir()
    with pytest.raises(InputError, match="has no current-context"):
        in_pod([written(tmp_path, "", "empty")])


def test_the_rest_of_a_cluster(tmp_path):
    (tmp_path / "ca.crt").write_text(CLUSTER_CA.pem)
    server = read(
        tmp_path,
        config(cluster={"certificate-authority": "ca.crt", "tls-server-name": "k", "disable-compression": True}),
    )
    assert (server.name, server.compress, len(server.anchors)) == ("k", False, 1)
    for cluster, reason in (
        ({"certificate-authority": "~/ca.crt"}, "~/ca.crt cannot be read: no such file"),
        ({"certificate-authority": "none.crt"}, "none.crt cannot be read: no such file"),
        ({"certificate-authority": "ca.crt", "certificate-authority-data": b64("x")}, "keep one"),
        ({"insecure-skip-tls-verify": True, "certificate-authority": "ca.crt"}, "keep one"),
        ({"certificate-authority-data": "%%"}, "certificate-authority-data is not base64"),
        ({"certificate-authority-data": b64("x")}, "certificate-authority: unable to load root"),
    ):
        assert reason in refused(tmp_path, config({"token": SECRET}, cluster))


# -- as whom ------------------------------------------------------------------------------------------------------


def test_impersonation_is_sent(tmp_path):
    """Kubectl reads as the user that `as` names; reading as ourselves would show more than that user may see."""
    user = {
        "token": "t",
        "as": "jane",
        "as-uid": "7",
        "as-groups": ["a", "b"],
        "as-user-extra": {"Dev/x%y": ["1", "2"]},
    }
    assert read(tmp_path, config(user)).headers == (
        ("Impersonate-User", "jane"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Extra-Dev%2Fx%25y", "1"),
        ("Impersonate-Extra-Dev%2Fx%25y", "2"),
    )
    for key, value in (("as-uid", "7"), ("as-groups", ["a"]), ("as-user-extra", {"k": ["v"]})):
        assert "without as" in refused(tmp_path, config({key: value}))
    assert "Impersonate-User has a line end" in refused(tmp_path, config({"as": "a\nb"}))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\0", "\x7f", "\x1b"])
def test_a_token_that_cannot_be_sent_is_refused_unseen(tmp_path, end):
    """net/http sends no such header, so kubectl fails; the token is in no message."""
    assert "users.token has a line end" in refused(tmp_path, config({"token": SECRET + end}))
    assert "users.token has a line end" in refused(tmp_path, config({"token": SECRET + end + "x"}))


@pytest.mark.parametrize("text", [f"\t{SECRET}", f"{SECRET}\u2019", f" {SECRET} "])
def test_a_token_that_net_http_sends_is_sent(tmp_path, text):
    assert read(tmp_path, config({"token": text})).token == text


def test_a_token_file_is_stripped_and_comes_first(tmp_path):
    """transport/token_source.go: what cannot be read, or is empty, leaves `token`."""
    (tmp_path / "token").write_text(f" \t{SECRET}\r\n\n")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "two").write_text(f"{SECRET}\nmore")
    assert read(tmp_path, config({"tokenFile": "token"})).token == SECRET
    assert read(tmp_path, config({"tokenFile": "token", "token": "other"})).token == SECRET
    for name in ("none", "empty"):
        assert read(tmp_path, config({"tokenFile": name, "token": "other"})).token == "other"
    assert "none cannot be read" in refused(tmp_path, config({"tokenFile": "none"}))
    assert "empty is empty" in refused(tmp_path, config({"tokenFile": "empty"}))
    assert "the token in tokenFile has a line end" in refused(tmp_path, config({"tokenFile": "two"}))


def test_a_password_is_basic_authentication(tmp_path):
    server = read(tmp_path, config({"username": "u", "password": SECRET}))
    assert server.headers == (("Authorization", f"Basic {b64(f'u:{SECRET}')}"),)
    assert SECRET not in repr(server)
    assert "keep one" in refused(tmp_path, config({"username": "u", "password": SECRET, "token": SECRET}))


def test_a_client_certificate_and_its_key(tmp_path):
    chain = issue(make_authority("people"), ("me",)).chain_and_key_pem
    certificate, _, key = chain.partition("-----BEGIN PRIVATE KEY")
    key = "-----BEGIN PRIVATE KEY" + key
    (tmp_path / "cert").write_text(certificate)
    pair = {"client-certificate": "cert", "client-key-data": b64(key)}
    assert read(tmp_path, config(pair)).certificate == (certificate.encode(), key.encode())
    other = issue(make_authority("people"), ("me",)).chain_and_key_pem.partition("-----BEGIN PRIVATE KEY")[2]
    for user, reason in (
        ({"client-certificate": "cert"}, "without client-key"),
        (pair | {"client-certificate-data": b64(certificate)}, "keep one"),
        (pair | {"client-key-data": b64(SECRET)}, "are not a pair in PEM"),
        (pair | {"client-key-data": b64("-----BEGIN PRIVATE KEY" + other)}, "are not a pair in PEM"),
        (pair | {"client-key-data": f"%{SECRET}"}, "users[0].user.client-key-data is not base64"),
    ):
        assert reason in refused(tmp_path, config(user))


def test_an_auth_provider_is_refused(tmp_path):
    user = {"auth-provider": {"name": "oidc", "config": {"refresh-token": SECRET}}}
    assert "users.auth-provider is not supported" in refused(tmp_path, config(user))


# -- plugins ------------------------------------------------------------------------------------------------------


def plugin(folder, text, **more):
    path = folder / "bin" / "plugin"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!{sys.executable}\nimport json, os, sys\n{textwrap.dedent(text)}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": EXEC_API, "command": str(path), "interactiveMode": "Never"} | more}


def prints(status, version=EXEC_API, kind="ExecCredential"):
    return f"print(json.dumps({{'apiVersion': {version!r}, 'kind': {kind!r}, 'status': {status!r}}}))"


def test_a_relative_command_is_relative_to_the_file(tmp_path):
    """With a separator in it; without one it is looked up on PATH."""
    user = plugin(tmp_path, prints({"token": SECRET}), command="./bin/plugin")
    assert read(tmp_path, config(user)).token == SECRET
    assert read(tmp_path, config(plugin(tmp_path, prints({"token": SECRET}), command="bin/plugin"))).token == SECRET
    assert "is not on PATH; get it" in refused(
        tmp_path, config(plugin(tmp_path, "", command="plugin", installHint="get it"))
    )
    assert "is not an executable file" in refused(tmp_path, config(plugin(tmp_path, "", command="./plugin")))


def test_a_plugin_is_told_of_the_cluster_where_it_wants_to_be(tmp_path, monkeypatch):
    """ProvideClusterInfo; a variable of the kubeconfig comes before the environment's."""
    text = "open('seen', 'w').write(json.dumps([os.environ['A'], sys.argv[1:], os.environ['KUBERNETES_EXEC_INFO']]))\n"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("A", "outer")
    cluster = {
        "certificate-authority-data": b64(CLUSTER_CA.pem),
        "tls-server-name": "k",
        "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}],
    }
    more = {"args": ["-x"], "env": [{"name": "A", "value": "inner"}]}
    for wanted in (True, False):
        user = plugin(tmp_path, text + prints({"token": "t"}), provideClusterInfo=wanted, **more)
        read(tmp_path, config(user, cluster))
        variable, args, info = json.loads((tmp_path / "seen").read_text())
        assert (variable, args) == ("inner", ["-x"])
        known = {
            "server": SERVER,
            "tls-server-name": "k",
            "certificate-authority-data": b64(CLUSTER_CA.pem),
            "config": {"audience": "x"},
        }
        spec = {"interactive": False} | ({"cluster": known} if wanted else {})
        assert json.loads(info) == {"kind": "ExecCredential", "apiVersion": EXEC_API, "spec": spec}


def test_a_plugin_is_run_only_without_other_credentials_and_again_for_a_new_token(tmp_path):
    count = "n = len(open('n', 'a').write('x') * 'x') if 0 else open('n', 'a').write('x'); n = os.path.getsize('n')\n"
    user = plugin(tmp_path, f"os.chdir({str(tmp_path)!r})\n{count}" + prints({"token": "t"}))
    with api_server([written(tmp_path, config(user))]) as server:
        assert [server.token() for _ in range(3)] == ["t", "t", "t"]
    assert (tmp_path / "n").read_text() == "xxx"
    assert read(tmp_path, config(user | {"token": "fixed"})).token == "fixed"
    assert read(tmp_path, config(user | {"username": "u"})).token is None
    assert (tmp_path / "n").read_text() == "xxx"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sys.exit(3)", "failed: exit 3"),
        (f"print('no role', {SECRET!r}, file=sys.stderr); sys.exit(1)", "failed: no role ..."),
        (
            "print(os.environ['HIDE'], sys.argv[1], 'is wrong', file=sys.stderr); sys.exit(1)",
            "failed: ... ... is wrong",
        ),
        ("", "printed no ExecCredential"),
        ("print('[' * 100000)", "printed no ExecCredential"),
        ("print('[]')", "printed no ExecCredential"),
        (prints({"token": SECRET}, kind="Pod"), "printed no ExecCredential"),
        (prints({"token": SECRET}, version="client.authentication.k8s.io/v1beta1"), "printed another version"),
        (prints({}), "printed neither a token nor a certificate"),
        (prints({"token": 5}), "that is not of strings"),
        (prints({"clientCertificateData": SECRET}), "a certificate or a key, not both"),
        (prints({"token": f"{SECRET}\r\n"}), "a token with a line end"),
        (prints({"token": "\ud800"}), "a token with a line end"),
        (prints({"clientCertificateData": SECRET, "clientKeyData": SECRET}), "are not a pair in PEM"),
    ],
)
def test_what_a_plugin_gets_wrong_is_one_line(tmp_path, text, reason):
    user = plugin(tmp_path, text, args=["argument"], env=[{"name": "HIDE", "value": "hidden"}])
    assert reason in refused(tmp_path, config(user))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"command": ""}, "exec.command is missing"),
        ({"apiVersion": ""}, "exec.apiVersion is missing"),
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "is not known"),
        ({"interactiveMode": ""}, "exec.interactiveMode is missing"),
        ({"interactiveMode": "never"}, "is not known"),
        ({"interactiveMode": "Always"}, "needs a terminal"),
        ({"env": [{"value": SECRET}]}, "a variable without a name"),
        ({"args": [f"{SECRET}\0"]}, "did not finish: ValueError"),
        ({"provideClusterInfo": "true"}, "provideClusterInfo: expected a boolean"),
    ],
)
def test_what_kubectl_refuses_of_a_plugin(tmp_path, changes, reason):
    assert reason in refused(tmp_path, config(plugin(tmp_path, prints({"token": SECRET}), **changes)))


def test_interactive_mode_may_be_left_out_in_v1beta1(tmp_path):
    version = "client.authentication.k8s.io/v1beta1"
    user = plugin(tmp_path, prints({"token": SECRET}, version), apiVersion=version, interactiveMode=None)
    assert read(tmp_path, config(user)).token == SECRET


# -- files, contexts, merging -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"current-context": ""}, "has no current-context; name one with --context"),
        ({"current-context": "there"}, 'there is no context "there"; there are: here'),
        ({"contexts": [{"name": "here", "context": {"cluster": "c"}}]}, "names no user"),
        ({"contexts": [{"name": "here", "context": {"user": "u"}}]}, "names no cluster"),
        ({"contexts": [{"name": "here", "context": {"cluster": "c", "user": "v"}}]}, 'no user "v"; there are: u'),
        ({"contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "A"}}]}, "DNS label"),
        ({"users": [{"name": "u"}, {"name": "u"}]}, 'users has the name "u" twice'),
        ({"kind": "Pod"}, "is not a kubeconfig"),
        ({"apiVersion": "v2"}, "is not a kubeconfig"),
        ({"clusters": {}}, "clusters: expected a list, got an object"),
    ],
)
def test_what_kubectl_refuses_of_a_file(tmp_path, changes, reason):
    assert reason in refused(tmp_path, config(**changes))


def test_names_are_not_keys_of_other_cases_and_unknown_keys_are_ignored(tmp_path):
    document = config({"token": "t", "Token": 5, "tokenfile": 5, "new": {}}, {"Server": 5})
    assert read(tmp_path, document | {"x": 1}).token == "t"
    assert read(tmp_path, json.dumps(document)).token == "t", "JSON is YAML"


def test_a_key_that_is_there_twice_has_its_last_value(tmp_path):
    text = yaml.safe_dump(config({"token": "first"})).replace("token: first", "token: first\n    token: last")
    assert read(tmp_path, text).token == "last"


def test_several_files_are_merged(tmp_path, monkeypatch):
    """KUBECONFIG: the first file that has a name, or a current context, wins; missing files are skipped."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "token").write_text("of a")
    (tmp_path / "token").write_text("of b")
    first = {"users": [{"name": "u", "user": {"tokenFile": "token"}}]}
    a = written(tmp_path / "a", first)
    b = written(tmp_path, config({"token": "of b"}), "b")
    empty = written(tmp_path, "", "empty")
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, (a, "", tmp_path / "none", b, empty, a))))
    assert default_paths() == [a, b, empty]
    with api_server(default_paths()) as server:
        assert (server.url, server.token()) == (SERVER, "of a"), "relative to the file that has it"
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_paths() == []
    (tmp_path / ".kube").mkdir()
    assert default_paths() == []
    assert default_paths.__module__ == kubeconfig.__name__
    path = written(tmp_path / ".kube", config())
    assert default_paths() == [path]


_junk = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", SECRET, f"{SECRET}\n", "u", "c", "here", SERVER]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["name", "user", "cluster", "context", "token", "tokenFile", "server", "exec", "command", "apiVersion", "as",
             "as-groups", "password", "username", "proxy-url", "client-key-data", "client-certificate-data", "env"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


def _is_shown(value, key="current-context"):
    """Whether the secret is a name, a command or a server, which messages show."""
    if isinstance(value, dict):
        return any(_is_shown(item, name) for name, item in value.items())
    if isinstance(value, list):
        return any(_is_shown(item, key) for item in value)
    shown = {"name", "user", "cluster", "context", "current-context", "server", "command", "apiVersion", "tokenFile"}
    return isinstance(value, str) and SECRET in value and key in shown


@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries({}, optional={"users": _junk, "clusters": _junk, "contexts": _junk, "current-context": _junk})
)
def test_whatever_the_file_it_is_a_server_or_one_line_without_secrets(tmp_path, changes):
    """Total over what YAML can say; the secret is in no message and no repr."""
    try:
        with api_server([written(tmp_path, config(**changes))]) as server:
            assert SECRET not in repr(server)
    except InputError as error:
        assert "\n" not in str(error)
        assert SECRET not in str(error) or _is_shown(changes)


def test_a_key_that_kubectl_ignores_is_no_mistake_beside_one(tmp_path):
    """Kubeconfigs have keys of other tools; only what is wrong is named."""
    document = config({"token": SECRET}, {"insecure-skip-tls-verify": "yes", "colour": "red"})
    assert "colour" not in refused(tmp_path, document)
