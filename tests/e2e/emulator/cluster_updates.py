"""EKS's update of the egress mode: ministack does not know UpdateClusterConfig, ListUpdates and DescribeUpdate.

https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateClusterConfig.html
https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeUpdate.html
"""

import json
import re
import time
import uuid
from typing import Any

from ministack.services import eks

type Answer = tuple[int, dict[str, str], bytes]
_ROUTE = re.compile(r"/clusters/([^/]+)/(update-config|updates)(?:/([^/]+))?")
_MODE = "controlPlaneEgressMode"


class ClusterUpdates:
    """The updates of the cluster that `cluster` describes. How the next one ends is `outcome`, after `polls` reads."""

    def __init__(self, cluster: dict[str, Any]) -> None:
        self._cluster = cluster
        self.outcome, self.polls = "Successful", 2
        self._updates: dict[str, dict[str, Any]] = {}
        self._by_token: dict[str, str] = {}
        self._reads_left: dict[str, int] = {}

    @property
    def made(self) -> list[dict[str, Any]]:
        return [*self._updates.values()]

    def install(self) -> None:
        original = eks._handle_request_sync

        def handle(method: str, path: str, headers: Any, body: Any, query: Any) -> Answer:
            route = _ROUTE.fullmatch(path)
            if not route:
                answer: Answer = original(method, path, headers, body, query)
                return answer
            if route[1] not in eks._clusters:
                return _refused(404, "ResourceNotFoundException", f"No cluster found for name: {route[1]}.")
            if route[2] == "update-config":
                return self._start(json.loads(body or b"{}"))
            return self._describe(route[3]) if route[3] else _json({"updateIds": [*self._updates]})

        eks._handle_request_sync = handle

    def _start(self, body: dict[str, Any]) -> Answer:
        network = self._cluster["resourcesVpcConfig"]
        wanted = body.get("resourcesVpcConfig", {}).get(_MODE)
        token = body.get("clientRequestToken", "")
        if token and token in self._by_token:
            return _json({"update": self._updates[self._by_token[token]]})
        if any(update["status"] == "InProgress" for update in self._updates.values()):
            return _refused(409, "ResourceInUseException", "Cannot UpdateClusterConfig: an update is in progress")
        if wanted != "CUSTOMER_ROUTED":
            return _refused(400, "InvalidParameterException", f"{_MODE} cannot be changed to {wanted}")
        if network[_MODE] == wanted:
            return _refused(
                400, "InvalidParameterException", "No changes needed for the cluster configuration provided"
            )
        update = {
            "id": str(uuid.uuid4()),
            "status": "InProgress",
            "type": "ControlPlaneEgressUpdate",
            "params": [{"type": "ControlPlaneEgressMode", "value": wanted}],
            "createdAt": time.time(),
            "errors": [],
        }
        self._updates[update["id"]] = update
        self._by_token[token or update["id"]] = update["id"]
        self._reads_left[update["id"]] = self.polls
        self._cluster["status"] = "UPDATING"
        return _json({"update": update})

    def _describe(self, identifier: str) -> Answer:
        update = self._updates.get(identifier)
        if update is None:
            return _refused(404, "ResourceNotFoundException", f"No update found for ID: {identifier}")
        self._reads_left[identifier] -= 1
        if update["status"] == "InProgress" and self._reads_left[identifier] < 0:
            update["status"] = self.outcome
            self._cluster["status"] = "ACTIVE"
            if self.outcome == "Successful":
                self._cluster["resourcesVpcConfig"][_MODE] = "CUSTOMER_ROUTED"
            elif self.outcome == "Failed":
                network = self._cluster["resourcesVpcConfig"]
                message = "the subnet has not enough free addresses"
                error = {"errorCode": "InsufficientFreeAddresses", "errorMessage": message}
                update["errors"] = [error | {"resourceIds": network["subnetIds"][:1]}]
        return _json({"update": update})


def _json(body: dict[str, Any]) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


def _refused(status: int, code: str, message: str) -> Answer:
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code}
    return status, headers, json.dumps({"__type": code, "message": message}).encode()
