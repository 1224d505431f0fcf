"""Whether certificate policies leave a chain valid: RFC 5280 section 6.1 as updated by RFC 9618.

crypto/x509/verify.go policiesValid, since Go 1.24, with no policy asked for: a chain fails only where one of its
certificates requires explicit policies and none is valid for all of it, or maps anyPolicy. Linear in the bytes of the
certificates. Pure.
"""

from collections.abc import Iterable, Sequence

from egressprobe.golang.x509.certificate import Certificate

_ANY = bytes.fromhex("551d2000")  # anyPolicy, 2.5.29.32.0


class _PolicyNode:
    def __init__(self, policy: bytes, parents: Iterable["_PolicyNode"] = ()) -> None:
        self.policy = policy
        self.expected = [policy]
        self.parents = set(parents)
        self.children: set[_PolicyNode] = set()
        for parent in self.parents:
            parent.children.add(self)

    def leave(self) -> None:
        """Its parents no longer lead to it."""
        for parent in self.parents:
            parent.children.discard(self)


class _Graph:
    """The valid_policy_graph of RFC 9618 section 5.1: a layer for each certificate, from the anchor down."""

    def __init__(self) -> None:
        self.layers: list[dict[bytes, _PolicyNode]] = [{_ANY: _PolicyNode(_ANY)}]

    @property
    def leaves(self) -> dict[bytes, _PolicyNode]:
        return self.layers[-1]

    def add(self, policies: Sequence[bytes], *, any_counts: bool) -> None:
        """One certificate's policies (section 5.3, d)."""
        above = self.leaves
        expecting: dict[bytes, list[_PolicyNode]] = {}
        for node in above.values():
            for expected in node.expected:
                expecting.setdefault(expected, []).append(node)
        self.layers.append({})
        for policy in policies:
            if policy != _ANY:
                parents = expecting.get(policy) or ([above[_ANY]] if _ANY in above else [])
                if parents:
                    self.leaves[policy] = _PolicyNode(policy, parents)
        if any_counts and _ANY in policies:
            missing = {policy: parents for policy, parents in expecting.items() if policy not in self.leaves}
            self.leaves.update({policy: _PolicyNode(policy, parents) for policy, parents in missing.items()})
        self.prune()

    def map(self, mappings: Sequence[tuple[bytes, bytes]], *, allowed: bool) -> None:
        """PolicyMappings (section 5.4, b)."""
        if not allowed:
            for issuer, _ in mappings:
                if issuer in self.leaves:
                    self.leaves.pop(issuer).leave()
            self.prune()
            return
        subjects: dict[bytes, list[bytes]] = {}
        for issuer, subject in mappings:
            subjects.setdefault(issuer, []).append(subject)
        for issuer, expected in subjects.items():
            if issuer in self.leaves:
                self.leaves[issuer].expected = expected
            elif _ANY in self.leaves:
                node = _PolicyNode(issuer, [self.leaves[_ANY]])
                node.expected = expected
                self.leaves[issuer] = node

    def prune(self) -> None:
        """Take away what leads nowhere; the root and the leaves stay."""
        for layer in self.layers[-2:0:-1]:
            for policy, node in list(layer.items()):
                if not node.children:
                    node.leave()
                    del layer[policy]

    def has_valid(self) -> bool:
        """Whether any policy is valid: one that anyPolicy alone is above, or anyPolicy down to the leaf."""
        below_any = any(
            node.policy != _ANY and [parent.policy for parent in node.parents] == [_ANY]
            for layer in self.layers
            for node in layer.values()
        )
        return below_any or _ANY in self.leaves


def policies_valid(chain: Sequence[Certificate]) -> bool:
    """`chain`: leaf first, anchor last; the anchor's own policies do not count."""
    many = len(chain) - 1
    if not many:
        return True
    known = [certificate.extensions for certificate in chain[:many]]
    graph: _Graph | None = _Graph()
    any_left = explicit_left = mapping_left = many + 1
    for i in range(many - 1, -1, -1):
        extensions, self_issued = known[i], chain[i].issuer == chain[i].subject
        if not extensions.policies:
            graph = None
        if graph is None and not explicit_left:
            return False
        if graph is not None:
            graph.add(extensions.policies, any_counts=any_left > 0 or (i > 0 and self_issued))
            if i and extensions.policy_mappings:
                if mapping_left and any(_ANY in pair for pair in extensions.policy_mappings):
                    return False
                graph.map(extensions.policy_mappings, allowed=mapping_left > 0)
        if i:
            step = 0 if self_issued else 1
            explicit_left = _less(explicit_left - step, extensions.require_explicit)
            mapping_left = _less(mapping_left - step, extensions.inhibit_mapping)
            any_left = _less(any_left - step, extensions.inhibit_any)
    explicit_left = max(explicit_left - 1, 0)
    if known[0].require_explicit == 0:
        explicit_left = 0
    return explicit_left > 0 or (graph is not None and graph.has_valid())


def _less(left: int, limit: int | None) -> int:
    left = max(left, 0)
    return left if limit is None else min(left, limit)
