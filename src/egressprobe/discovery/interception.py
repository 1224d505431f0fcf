"""Whether a webhook intercepts a request, as far as that is known without the request's labels. Pure.

As k8s.io/apiserver/pkg/admission/plugin/webhook: predicates/rules/rules.go (rules), predicates/namespace/matcher.go (a
namespaceSelector never exempts cluster-scoped objects) and predicates/object/matcher.go. Labels are known in part: each
namespace has kubernetes.io/metadata.name, and the pods of a Service have the labels of its selector. A selector on
other labels, or a match condition, may exempt the request: then it is not said to be intercepted.
"""

from collections.abc import Mapping
from typing import NamedTuple

from egressprobe.discovery.kubernetes.objects import AdmissionRule, Expression, Selector, Webhook
from egressprobe.discovery.kubernetes.resources import ADMISSION_GROUP

# https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name
NAMESPACE_NAME = "kubernetes.io/metadata.name"


class InterceptedRequest(NamedTuple):
    """A request to the API server. namespace: empty for a cluster-scoped object. kind: for messages."""

    kind: str
    group: str
    version: str
    resource: str
    operation: str
    namespace: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.operation}"


def intercepts(webhook: Webhook, request: InterceptedRequest, labels: Mapping[str, str] | None = None) -> bool:
    """Whether it certainly does. labels: of the object, as far as they are known."""
    if webhook.match_conditions or not matches_rules(webhook, request):
        return False
    namespace = {NAMESPACE_NAME: request.namespace}
    in_namespace = not request.namespace or _selects(webhook.namespace_selector, namespace)
    return bool(in_namespace and _selects(webhook.object_selector, labels or {}))


def matches_rules(webhook: Webhook, request: InterceptedRequest) -> bool:
    """Whether one of its rules matches, whatever its selectors exempt."""
    exact = webhook.match_policy == "Exact"
    return any(_matches(rule, request, exact=exact) for rule in webhook.rules or [])


def _matches(rule: AdmissionRule, request: InterceptedRequest, *, exact: bool) -> bool:
    if request.group == ADMISSION_GROUP:
        return False  # rules.go IsExemptAdmissionConfigurationResource
    scope = {"Namespaced": bool(request.namespace), "Cluster": not request.namespace}.get(rule.scope or "", True)
    # With matchPolicy Equivalent, the default, requests by another version are converted and match as well.
    versions = rule.api_versions or ["*"]
    version = not exact or _has(versions, request.version)
    return (
        scope
        and version
        and _has(rule.operations or [], request.operation)
        and _has(rule.api_groups or [], request.group)
        and any(_is_resource(name, request) for name in rule.resources or [])
    )


def _has(items: list[str], item: str) -> bool:
    return "*" in items or item in items


def _is_resource(name: str, request: InterceptedRequest) -> bool:
    plural, _, sub = name.partition("/")
    return plural in ("*", request.resource) and sub in ("*", request.subresource)


def _selects(selector: Selector | None, labels: Mapping[str, str]) -> bool | None:
    """None: that depends on labels that are not known."""
    if selector is None:
        return True
    answers = [labels[key] == value if key in labels else None for key, value in (selector.match_labels or {}).items()]
    answers += [_satisfies(expression, labels) for expression in selector.match_expressions or []]
    if False in answers:
        return False
    return None if None in answers else True


def _satisfies(expression: Expression, labels: Mapping[str, str]) -> bool | None:
    if expression.key not in labels:
        return None
    inside = labels[expression.key] in (expression.values or [])
    return {"In": inside, "NotIn": not inside, "Exists": True, "DoesNotExist": False}.get(expression.operator)
