"""A cluster over time: Deployments behind webhooks whose pods are replaced, as the Kubernetes API lists them.

A pod is listed as ready a moment after it is, and no longer a moment after it is being deleted (the EndpointSlice
controller); it answers from the time that it is ready until it ends, up to its grace period after the deletion.
"""

import random
from dataclasses import dataclass, field

from tests.support.kube_objects import configuration, node, service, slice_of, webhook

NEVER = float("inf")


@dataclass
class Pod:
    """Times in seconds. listed_from, listed_until: in its EndpointSlice as ready."""

    address: str
    answers_from: float = -NEVER
    answers_until: float = NEVER
    listed_from: float = -NEVER
    listed_until: float = NEVER


@dataclass
class Cluster:
    """Services by name, each with its pods. `cut`: (service, subnet or None for all) -> since when packets are dropped."""

    dice: random.Random
    pods: dict[str, list[Pod]] = field(default_factory=dict)
    nodes: list[Pod] = field(default_factory=list)
    cut: dict[tuple[str, str | None], float] = field(default_factory=dict)
    _addresses: int = 0

    def deploy(self, name: str, replicas: int) -> None:
        self.pods[name] = [Pod(self._address()) for _ in range(replicas)]

    def delete(self, pod: Pod, at: float) -> None:
        """Out of the slices at once, to the end within its grace period."""
        pod.listed_until = at + self.dice.uniform(0.2, 2)
        pod.answers_until = at + self.dice.choice([0, 1, self.dice.uniform(0, 30)])

    def create(self, name: str, ready_at: float) -> Pod:
        pod = Pod(self._address(), ready_at, NEVER, ready_at + self.dice.uniform(0.2, 2))
        self.pods[name].append(pod)
        return pod

    def crash(self, name: str, at: float) -> None:
        """Every container of it, for good; the pods stay, not ready."""
        for pod in self.pods[name]:
            pod.answers_until = min(pod.answers_until, at)
            pod.listed_until = min(pod.listed_until, at + self.dice.uniform(1, 10))

    def loop(self, name: str, at: float) -> None:
        """Of each container that ended the restarts: ready for some seconds, then down for twice as long as before."""
        for pod in list(self.pods[name]):
            up, down = at + self.dice.uniform(5, 15), 10.0
            while up < at + 1800:
                ends = up + self.dice.uniform(5, 15)
                self.pods[name].append(Pod(pod.address, up, ends, up + 1, ends + 1))
                up, down = ends + down, min(down * 2, 300)

    def roll(self, name: str, at: float, *, gap: float, readiness: float, surge: bool) -> float:
        """Replaces its pods one after the other, `gap` apart; when the last is ready. surge: new before old."""
        for pod in [pod for pod in self.pods[name] if pod.listed_until == NEVER]:
            ready = at + readiness * self.dice.uniform(0.7, 1)
            self.delete(pod, ready if surge else at)
            self.create(name, ready)
            at = max(at + gap * self.dice.uniform(0.9, 1.1), ready)
        return at

    def upgrade(self, at: float, *, nodes: int, gap: float, readiness: float) -> float:
        """A node group is upgraded node by node: each is drained, its pods one at a time of each Service, as their
        disruption budgets ask, and ends; a pod may land on a node that is drained later. When the last is ready.
        """
        self.nodes = [Pod(self._address()) for _ in range(nodes)]
        homes = {id(pod): self.dice.randrange(nodes) for pods in self.pods.values() for pod in pods}
        for drained in range(nodes):
            done = at
            for name in sorted(self.pods):
                free = at
                for pod in [p for p in self.pods[name] if p.listed_until == NEVER and homes.get(id(p)) == drained]:
                    self.delete(pod, free)
                    ready = free + readiness * self.dice.uniform(0.5, 1)
                    homes[id(self.create(name, ready))] = self.dice.randrange(drained + 1, 2 * nodes)
                    free = ready + self.dice.uniform(1, 5)
                done = max(done, free)
            old = self.nodes[drained]
            old.answers_until, old.listed_until = done, done + self.dice.uniform(1, 50)
            self.nodes.append(Pod(self._address(), at, NEVER, at + self.dice.uniform(1, 10)))
            at = max(at + gap, done)
        return at

    def answers(self, address: str, at: float, subnet: str) -> bool:
        for name, pods in self.pods.items():
            dropped = any(self.cut.get((name, place), NEVER) <= at for place in (None, subnet))
            if any(pod.address == address and pod.answers_from <= at < pod.answers_until for pod in pods):
                return not dropped
        return any(
            kubelet.address == address and kubelet.answers_from <= at < kubelet.answers_until for kubelet in self.nodes
        )

    def items(self, at: float) -> dict[str, list[object]]:
        """The lists by plural."""
        names = sorted(self.pods)
        hooks = [
            webhook(f"{name}.hook", service={"namespace": "ns", "name": name, "path": "/v"}, failurePolicy="Fail")
            for name in names
        ]
        slices = [
            slice_of(*((pod.address, True) for pod in self.pods[name] if pod.listed_from <= at < pod.listed_until), name=name)
            for name in names
        ]  # fmt: skip
        return {
            "validatingwebhookconfigurations": [configuration(hook["name"], hook) for hook in hooks],
            "services": [service(name) for name in names],
            "endpointslices": slices,
            "nodes": [
                node(kubelet.address, kubelet.address)
                for kubelet in self.nodes
                if kubelet.listed_from <= at < kubelet.listed_until
            ],
        }

    def _address(self) -> str:
        self._addresses += 1
        return f"10.1.{self._addresses // 250}.{self._addresses % 250 + 1}"
