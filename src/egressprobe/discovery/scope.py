"""What a webhook stands before, in words: `all Pod CREATE`. Pure.

`all`: no selector narrows it. `most`: selectors only leave some out. `some`: a selector or a match condition picks.
https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-rules
"""

from collections.abc import Iterable

from egressprobe.discovery.kubernetes.objects import Definition, Rule, Selector, Webhook

_MOST_RULES = 3
_MOST_NAMES = 4
_LEAVES_OUT = {"NotIn", "DoesNotExist"}
_SCOPES = {"Namespaced": "namespaced", "Cluster": "cluster-wide"}
_ANY = "*"
# Built-in resources by the name people call them by.
_KINDS = {
    kind.lower() + ("es" if kind.endswith("s") else "s"): kind
    for kind in [
        "Pod",
        "Secret",
        "ConfigMap",
        "Service",
        "Namespace",
        "Node",
        "Deployment",
        "DaemonSet",
        "StatefulSet",
        "ReplicaSet",
        "Job",
        "CronJob",
        "PersistentVolumeClaim",
        "PersistentVolume",
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "ClusterRole",
        "ClusterRoleBinding",
        "Event",
        "ReplicationController",
        "Lease",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
        "CustomResourceDefinition",
        "StorageClass",
        "CertificateSigningRequest",
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
    ]
} | {"ingresses": "Ingress", "networkpolicies": "NetworkPolicy", "endpoints": "Endpoints"}


def of_webhook(webhook: Webhook) -> str:
    """Empty for a webhook without rules: it is never called."""
    quantity = _quantity(webhook)
    said = dict.fromkeys(_rule(quantity, rule) for rule in webhook.rules or [])
    shown = list(said)[:_MOST_RULES]
    more = len(said) - len(shown)
    return "; ".join(shown) + (f"; {more} more rule{'s' if more > 1 else ''}" if more else "")


def of_conversion(crd: Definition) -> str:
    """Empty where there is nothing to convert: only one version is left."""
    versions = [version.name for version in crd.spec.versions or []]
    if len(versions) < 2:
        return ""
    stored = next((version.name for version in crd.spec.versions or [] if version.storage), versions[0])
    return f"all {crd.spec.names.plural}.{crd.spec.group} in another version than {stored}"


def _quantity(webhook: Webhook) -> str:
    selectors = (webhook.namespace_selector, webhook.object_selector)
    if webhook.match_conditions or any(map(_picks, selectors)):
        return "some"
    return "most" if any(one and one.match_expressions for one in selectors) else "all"


def _picks(selector: Selector | None) -> bool:
    if selector is None:
        return False
    expressions = selector.match_expressions or []
    return bool(selector.match_labels) or any(one.operator not in _LEAVES_OUT for one in expressions)


def _rule(quantity: str, rule: Rule) -> str:
    operations = rule.operations or []
    done = "requests" if "*" in operations else "/".join(sorted(operations)) or "requests"
    names = [_resource(one, rule.api_groups or []) for one in rule.resources or []]
    what = "" if _ANY in names else _some(names)
    scope = _SCOPES.get(rule.scope or "", "") if not what else ""
    return " ".join(word for word in (quantity, scope, what, done) if word)


def _some(names: Iterable[str]) -> str:
    found = list(dict.fromkeys(names))
    more = len(found) - _MOST_NAMES
    return ", ".join(found[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _resource(plural: str, groups: list[str]) -> str:
    name, slash, sub = plural.partition("/")
    if name == "*":
        named = [group for group in groups if group not in ("", "*")]
        return f"*.{named[0]}" if len(named) == 1 and len(groups) == 1 else _ANY
    kind = _KINDS.get(name)
    if kind is None:
        kind = f"{name}.{groups[0]}" if len(groups) == 1 and groups[0] not in ("", "*") else name
    return f"{kind}{slash}{sub}"
