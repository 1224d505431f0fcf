"""Which requests a webhook intercepts, in words: `all Pod CREATE`. Pure.

`all`: no selector narrows it. `most`: selectors only exclude some. `some`: a selector or a match condition picks.

What a rule matches is decided as k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules/rules.go does: the
resource `*` has no subresources, `*/*` and `pods/*` have both, and a named group limits `*` to that group. The API
server calls no webhook for the objects that configure admission (IsExemptAdmissionConfigurationResource there).
"""

from collections.abc import Iterable, Iterator

from egressprobe.discovery.kubernetes.objects import AdmissionRule, Definition, Selector, Webhook
from egressprobe.discovery.kubernetes.resources import ADMISSION_GROUP

_MOST_RULES = 3
_MOST_NAMES = 4
_EXCLUDING = {"NotIn", "DoesNotExist"}
_SCOPES = {"Namespaced": "namespaced", "Cluster": "cluster-wide"}
_ANY = "*"
_CORE = ""
_WITH_SUBRESOURCES = " (with subresources)"
# All resources of the group: no webhook is called for them.
_EXEMPT = {
    *("validatingwebhookconfigurations", "mutatingwebhookconfigurations"),
    *("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
    *("mutatingadmissionpolicies", "mutatingadmissionpolicybindings"),
}
# Built-in kinds by group. https://kubernetes.io/docs/reference/kubernetes-api/
_BUILT_IN = {
    _CORE: "Pod Secret ConfigMap Service Namespace Node PersistentVolumeClaim PersistentVolume ServiceAccount Event "
    "ReplicationController LimitRange ResourceQuota PodTemplate Binding",
    "apps": "Deployment DaemonSet StatefulSet ReplicaSet ControllerRevision",
    "batch": "Job CronJob",
    "rbac.authorization.k8s.io": "Role RoleBinding ClusterRole ClusterRoleBinding",
    "coordination.k8s.io": "Lease",
    "policy": "PodDisruptionBudget",
    "autoscaling": "HorizontalPodAutoscaler",
    "apiextensions.k8s.io": "CustomResourceDefinition",
    "apiregistration.k8s.io": "APIService",
    "storage.k8s.io": "StorageClass CSIDriver CSINode VolumeAttachment",
    "certificates.k8s.io": "CertificateSigningRequest",
    "discovery.k8s.io": "EndpointSlice",
    "scheduling.k8s.io": "PriorityClass",
    "node.k8s.io": "RuntimeClass",
    "events.k8s.io": "Event",
}
_KINDS: dict[str, dict[str, str]] = {
    group: {kind.lower() + ("es" if kind.endswith("s") else "s"): kind for kind in kinds.split()}
    for group, kinds in _BUILT_IN.items()
}
_KINDS[_CORE]["endpoints"] = "Endpoints"
_KINDS["networking.k8s.io"] = {
    "ingresses": "Ingress",
    "networkpolicies": "NetworkPolicy",
    "ingressclasses": "IngressClass",
}
_NAMES = {plural: kind for kinds in _KINDS.values() for plural, kind in kinds.items()}


def webhook_scope(webhook: Webhook) -> str:
    """Empty for a webhook that is never called: it has no rules, or they name exempt resources only."""
    quantity = _quantity(webhook)
    texts = list(dict.fromkeys(text for rule in webhook.rules or [] if (text := _rule(quantity, rule))))
    more = len(texts) - _MOST_RULES
    return "; ".join(texts[:_MOST_RULES]) + (f"; {more} more rule{'s' if more > 1 else ''}" if more > 0 else "")


def conversion_scope(crd: Definition, *, served: bool) -> str:
    """Empty where there is nothing to convert: the CRD has one version. served: the API server has a converter."""
    resource = f"{crd.spec.names.plural}.{crd.spec.group}"
    if not served:
        return f"all requests to {resource}, in every version"
    versions = [version.name for version in crd.spec.versions or []]
    if len(versions) < 2:
        return ""
    stored = next((version.name for version in crd.spec.versions or [] if version.storage), versions[0])
    return f"{resource} requests needing conversion from {stored}"


def picks(webhook: Webhook) -> bool:
    """Whether a selector or a match condition picks what it intercepts, rather than exclude some."""
    selectors = (webhook.namespace_selector, webhook.object_selector)
    return bool(webhook.match_conditions) or any(map(_picks, selectors))


def _quantity(webhook: Webhook) -> str:
    selectors = (webhook.namespace_selector, webhook.object_selector)
    if picks(webhook):
        return "some"
    return "most" if any(selector and selector.match_expressions for selector in selectors) else "all"


def _picks(selector: Selector | None) -> bool:
    if selector is None:
        return False
    expressions = selector.match_expressions or []
    return bool(selector.match_labels) or any(e.operator not in _EXCLUDING for e in expressions)


def _rule(quantity: str, rule: AdmissionRule) -> str:
    """Empty where nothing matches."""
    operations = rule.operations or []
    done = "requests" if _ANY in operations else "/".join(sorted(set(operations))) or "requests"
    groups = [group for group in rule.api_groups or [] if group != ADMISSION_GROUP]
    resources = [name for name in rule.resources or [] if name.partition("/")[0] not in _EXEMPT]
    if _ANY in groups and "*/*" in resources:
        what = ""
    else:
        names = list(dict.fromkeys(_names(groups, resources)))
        if not names:
            return ""
        what = _some(names)
    wide = any(name.partition("/")[0] == _ANY for name in resources)
    scope = _SCOPES.get(rule.scope or "", "") if wide else ""
    return " ".join(word for word in (quantity, scope, what, done) if word)


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _names(groups: list[str], resources: list[str]) -> Iterator[str]:
    """What each pair of group and resource matches; those that another pair of the rule includes are left out."""
    everywhere = _ANY in groups
    wide = {resource for resource in resources if resource.partition("/")[0] == _ANY}
    for resource in resources:
        plural, slash, sub = resource.partition("/")
        if "*/*" in wide and resource != "*/*":
            continue
        if plural != _ANY and not slash and (_ANY in wide or f"{plural}/*" in resources):
            continue
        suffix = {"": "", _ANY: _WITH_SUBRESOURCES}.get(sub, f"/{sub}")
        if plural == _ANY:
            yield from (_all_of(group, sub, slash) for group in ([_ANY] if everywhere else groups))
        elif everywhere:
            yield f"{_NAMES.get(plural, plural)}{suffix}"
        else:
            yield from (f"{name}{suffix}" for name in _in_groups(plural, groups))


def _all_of(group: str, sub: str, slash: str) -> str:
    """`*` and `*/*` of a group, or one subresource of all its resources."""
    if sub not in ("", _ANY):
        prefix = {_ANY: "", _CORE: "core "}.get(group, f"{group} ")
        return f"{prefix}{_ANY}/{sub}"
    name = {_ANY: "resources", _CORE: "core resources"}.get(group, f"*.{group}")
    if group == _ANY:
        return f"{name} (without subresources)"
    return f"{name}{_WITH_SUBRESOURCES}" if slash else name


def _in_groups(plural: str, groups: Iterable[str]) -> list[str]:
    """A resource of named groups: a built-in kind where the group has it, else `plural.group`.

    Pairs that do not exist, such as pods in apps, are left out beside one that does.
    """
    names = {group: _KINDS.get(group, {}).get(plural) for group in groups}
    known = any(names.values())
    written = {group: f"{plural}.{group}" if group else plural for group in groups}
    return [name or written[group] for group, name in names.items() if name or not known or group not in _KINDS]
