"""Kubernetes objects about as a cluster holds them, a source that serves them, and the targets of the recorded cluster."""

import asyncio
import base64
import json

from egressprobe.discovery.kubelets import network
from egressprobe.discovery.kubernetes.resources import read_page
from egressprobe.discovery.run import collect
from egressprobe.lab.certs import make_authority

CA = base64.b64encode(make_authority("ca").pem.encode()).decode()
OTHER_CA = base64.b64encode(make_authority("other").pem.encode()).decode()


class Items:
    """A Source out of plain objects; `broken` lists raise what they hold."""

    def __init__(self, items, broken=None):
        self.items, self.broken = items, broken or {}

    async def pages(self, resource):
        if resource.plural in self.broken:
            raise self.broken[resource.plural]
        body = json.dumps({"kind": f"{resource.kind}List", "items": self.items.get(resource.plural)}).encode()
        yield read_page(body, resource)


def discover(items, networks=(), broken=None, pod_networks=None):
    return asyncio.run(collect(Items(items, broken), networks, pod_networks))


def by_name(found):
    return {raw["name"]: raw for raw in found.targets}


def codes(found):
    """Of the findings on lists, objects and calls; the review of webhooks (safety.py) has tests of its own."""
    return [finding.code for finding in found.findings if not finding.code.startswith("WEBHOOK_")]


def webhook(name, *, url=None, service=None, ca=CA, **more):
    config = {"url": url} if url else {"service": service}
    rules = [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]
    return {"name": name, "clientConfig": config | {"caBundle": ca}, "rules": rules} | more


# A namespaceSelector with which no webhook is a risk for kube-system, or for itself in the namespace ns.
EXEMPT = {
    "matchExpressions": [
        {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system", "kube-node-lease", "ns"]}
    ]
}


def configuration(name, *webhooks):
    return {"metadata": {"name": name}, "webhooks": list(webhooks)}


def service(name="svc", namespace="ns", ports=(("https", 443),), families=("IPv4",), **spec):
    listed = [{"name": one, "port": port} for one, port in ports]
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"type": "ClusterIP", "ports": listed, "ipFamilies": list(families)} | spec,
    }


def slice_of(*endpoints, name="svc", namespace="ns", family="IPv4", ports=(("https", 9443),), number=0):
    """endpoints: (address, ready)."""
    return {
        "metadata": {
            "name": f"{name}-{number}",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": family,
        "endpoints": [{"addresses": [address], "conditions": {"ready": ready}} for address, ready in endpoints],
        "ports": [{"name": one, "port": port} for one, port in ports],
    }


HOOK = webhook("a.b", service={"namespace": "ns", "name": "svc", "path": "/v"}, failurePolicy="Fail", timeoutSeconds=5)


def called(*, services=(), slices=(), hook=HOOK):
    """What one webhook with a Service becomes."""
    lists = {
        "validatingwebhookconfigurations": [configuration("cfg", hook)],
        "services": list(services),
        "endpointslices": list(slices),
    }
    found = discover(lists)
    return found.targets[0] if found.targets else None, found


def node(name, address, *, ready="True", zone="z1", **more):
    return {
        "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": zone}} | more,
        "status": {
            "addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": address}],
            "conditions": [{"type": "Ready", "status": ready}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        },
    }


NETWORKS = [
    network("subnet-a", ["10.0.11.0/24"]),
    network("subnet-b", ["10.0.12.0/24", "2600:1f18:aa:1200::/64"]),
    network("10.0.13.0/24", ["10.0.13.0/24"]),
]
# Target -> what must be in it, and why.
GOLDEN = {
    # A URL with an address: the address is the name, the CA its own.
    "10.20.0.15": {"url": "https://10.20.0.15/validate", "failurePolicy": "Fail"},
    # A URL with a port and no caBundle: system roots.
    "audit.corp.example.com:8443": {"url": "https://audit.corp.example.com:8443/v1/", "failurePolicy": "Ignore"},
    # Three webhooks of two configurations, one Service, one CA: one target. Fail outranks mpod's Ignore. The Service's
    # port 443 is webhook-server, which two slices have as 9443.
    "aws-load-balancer-webhook-service.kube-system.svc": {
        "addresses": ["10.0.11.36:9443", "10.0.13.10:9443"],
        "failurePolicy": "Fail",
        "timeoutSeconds": 10,
        "objects": [
            "ValidatingWebhookConfiguration/aws-load-balancer-webhook/vingress.elbv2.k8s.aws",
            "ValidatingWebhookConfiguration/aws-load-balancer-webhook/vtargetgroupbinding.elbv2.k8s.aws",
            "MutatingWebhookConfiguration/aws-load-balancer-webhook/mpod.elbv2.k8s.aws",
        ],
    },
    # `not a certificate` in the caBundle: every call fails before it dials.
    "broken.example.com": {
        "refusal": {
            "finding": "CA_BUNDLE_UNUSABLE",
            "error": "could not get REST client: unable to load root certificates: unable to parse bytes as PEM block",
        }
    },
    # Two webhooks and a CRD's conversion share it; 443 is `https`, targetPort a name, 10250 in the slice. `metrics`
    # 9402 in the same slice is another port.
    "cert-manager-webhook.cert-manager.svc": {
        "addresses": ["10.0.11.34:10250", "10.0.12.71:10250"],
        "timeoutSeconds": 30,
        "objects": [
            "MutatingWebhookConfiguration/cert-manager-webhook/webhook.cert-manager.io",
            "ValidatingWebhookConfiguration/cert-manager-webhook/webhook.cert-manager.io",
            "CustomResourceDefinition/issuers.cert-manager.io/v1, Kind=Issuer",
        ],
        "affects": "some Secret CREATE; issuers.cert-manager.io requests needing conversion from v1",
    },
    # A conversion webhook by URL: 30 s, and it blocks.
    "convert.corp.example.com": {"timeoutSeconds": 30, "failurePolicy": "Fail"},
    # The slice is there, `endpoints` is null.
    "gatekeeper-webhook-service.gatekeeper-system.svc": {
        "refusal": {
            "finding": "SERVICE_WITHOUT_ENDPOINTS",
            "error": 'no endpoints available for service "gatekeeper-webhook-service"',
        },
        "timeoutSeconds": 3,
    },
    # The Service is gone; its port is not 443, so it is in the name.
    "gone.nowhere.svc:8443": {
        "refusal": {"finding": "SERVICE_NOT_FOUND", "error": 'service "gone" not found'},
    },
    # Nodes by the subnet that holds their InternalIP; a remote network is named by its block, and its one node is taken
    # although it is not Ready, for there is no other.
    "kubelet/10.0.13.0/24": {"addresses": ["10.0.13.44:10250"], "objects": ["Node/ip-10-0-13-44.ec2.internal"]},
    "kubelet/subnet-a": {"addresses": ["10.0.11.20:10250"]},
    "kubelet/subnet-b": {"addresses": ["10.0.12.9:10250"]},
    # Four webhooks share it. One of three endpoints is ready; another is terminating.
    "kyverno-svc.kyverno.svc": {"addresses": ["10.0.11.35:9443"], "failurePolicy": "Fail"},
    # ExternalName has no endpoints to choose from.
    "legacy-ext.default.svc": {
        "refusal": {"finding": "SERVICE_TYPE_UNSUPPORTED", "error": 'unsupported service type "ExternalName"'},
    },
    "policy.corp.example.com": {"timeoutSeconds": 5, "failurePolicy": "Fail"},
    # An APIService keeps its own name: the path of its availability check follows from it.
    "v1beta1.external.metrics.k8s.io": {"kind": "aggregated-api", "addresses": ["10.0.12.80:6443"]},
    # insecureSkipTLSVerify. The IPv6 slice is not dialled while the Service's own family has a ready endpoint.
    "v1beta1.metrics.k8s.io": {"insecureSkipTLSVerify": True, "addresses": ["10.0.11.37:10251"]},
    # Headless: endpoints are endpoints.
    "v1beta2.custom.metrics.k8s.io": {"addresses": ["10.0.12.81:6443"]},
}
