"""What people and clusters write: kubeconfigs, targets files, lists of Kubernetes objects.

Invariants: a result or one printable line, in bounded time; no secret in it; discovery never fails by itself.
"""

import asyncio

import msgspec
import yaml

from egressprobe.discovery.kubernetes.kubeconfig import api_server
from egressprobe.discovery.kubernetes.resources import read_page
from egressprobe.discovery.run import collect
from egressprobe.lab.certs import make_authority
from egressprobe.model.errors import InputError
from egressprobe.net.guard import forbidden
from egressprobe.targets.file import read_file
from egressprobe.targets.plan import read_plan
from tests.support.mutations import dumped, mutated_text, mutated_value
from tests.support.peers.kubeapi import recorded

SECRET = "S3CR3T"
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    "clusters": [{"name": "k", "cluster": {"server": "https://10.0.0.1", "proxy-url": None, "tls-server-name": "x"}}],
    "users": [
        {"name": "u", "user": {"token": SECRET, "as": "jane", "as-groups": ["a"], "as-user-extra": {"k": ["v"]}}},
        {"name": "v", "user": {"username": "u", "password": SECRET, "client-key-data": "eA=="}},
    ],
}
TARGETS = {
    "schemaVersion": "egressprobe/targets/v1",
    "bundles": {"corp": make_authority("corp").pem},
    "resolvers": ["10.0.0.2", "10.0.0.3:53"],
    "sources": {"ipv4": "10.0.0.9"},
    "ipFamily": "ipv4",
    "kubeVersion": "1.33",
    "targets": [
        {"kind": "oidc", "name": "d", "url": "https://idp.example/r", "caBundleRef": "corp", "advisory": True},
        {
            "kind": "aggregated-api",
            "name": "e",
            "service": {"namespace": "n", "name": "s", "port": 443},
            "addresses": ["10.0.0.1:10250", "[fd00::1]:10250"],
            "condition": {"status": "False", "reason": "r", "message": "m", "since": "2026-01-01T00:00:00Z"},
        },
        {"kind": "kubelet", "name": "f", "addresses": ["10.0.0.1:10250"], "objects": ["Node/a"], "affects": "logs"},
        {"kind": "webhook", "name": "a", "url": "https://h.example/v", "timeoutSeconds": 5, "failurePolicy": "Fail"},
        {"kind": "webhook", "name": "b", "service": {"namespace": "n", "name": "s"}, "addresses": ["10.0.0.1:9443"]},
        {"kind": "endpoint", "name": "c", "url": "tcp://h:1", "expect": "blocked", "control": "tcp://c:1"},
    ],
}


def one_line(error):
    text = str(error)
    assert text.isprintable(), text
    text.encode()
    return text


def test_kubeconfigs(fuzz, tmp_path):
    """By value and by text: a server, or a line without the token."""
    path = tmp_path / "config"

    def check(random):
        document = mutated_value(random, KUBECONFIG)
        text = yaml.safe_dump(document) if random.random() < 0.5 else mutated_text(random, yaml.safe_dump(KUBECONFIG))
        path.write_text(text, errors="surrogatepass")
        try:
            with api_server([path]) as server:
                assert SECRET not in repr(server)
        except InputError as error:
            assert SECRET not in one_line(error)

    fuzz(check, inputs=120, most_seconds=1.0)


def test_targets_files(fuzz, tmp_path):
    """YAML and JSON: a plan, or a line."""
    path = tmp_path / "targets"

    def check(random):
        document = mutated_value(random, TARGETS)
        if random.random() < 0.5:
            document = mutated_value(random, document)
        text = dumped(random, document) if random.random() < 0.5 else yaml.safe_dump(document)
        if random.random() < 0.5:
            text = mutated_text(random, text)
        path.write_text(text, errors="surrogatepass")
        try:
            read_plan(read_file(str(path)), forbidden=forbidden)
        except InputError as error:
            one_line(error)

    fuzz(check, inputs=100, most_seconds=1.0)


class Lists:
    """A Source of bodies."""

    def __init__(self, bodies):
        self.bodies = bodies

    async def pages(self, resource):
        yield read_page(self.bodies[resource.plural], resource)


def test_kubernetes_lists(fuzz):
    """Objects that are not as the API says, and bodies that are no lists: never our own failure, always a plan."""
    items = {plural: {"kind": "List", "metadata": {}, "items": listed} for plural, listed in recorded().items()}
    whole = {plural: msgspec.json.encode(listed) for plural, listed in items.items()}

    def check(random):
        bodies = dict(whole)
        for plural in random.sample(list(items), random.randint(1, 3)):
            text = dumped(random, mutated_value(random, items[plural]))
            if random.random() < 0.1:
                text = mutated_text(random, text)
            bodies[plural] = text.encode("utf-8", "surrogatepass")
        found = asyncio.run(collect(Lists(bodies)))
        assert not any("egressprobe itself failed" in finding.summary for finding in found.findings)
        encoded = msgspec.json.encode(found)
        assert len(encoded) < 4 << 20
        document = {"targets": list(found.targets), "bundles": found.bundles}
        if found.targets:
            assert len(read_plan(document, forbidden=forbidden).targets) == len(found.targets)

    fuzz(check, inputs=40, most_seconds=2.0)
