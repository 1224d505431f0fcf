"""StackSets in memory, behind real clients: botocore checks each request, and AWS's rules are kept.

- An instance's operation conflicts with another one on the same account and region of its set, and is queued.
- Without managed execution a set takes one operation at a time: OperationInProgressException.
- UpdateStackSet makes every instance OUTDATED, then updates those that can be.
- Parameters without a default need a value in the set; an override needs a parameter of the set's template.
- The template, and the code of an instance, must be in their buckets before they are used.
- A service-managed set takes accounts by INTERSECTION with its units, and deploys to no other account.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStackInstances.html
"""

import json
from functools import cache, cached_property
from types import SimpleNamespace
from urllib.parse import urlparse

import boto3
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.loaders import create_loader
from botocore.session import Session as Core

# What botocore has read of the services: shared by all tests, since reading it takes longer than a test.
LOADER = create_loader()
# Looks that an operation takes.
_LOOKS = 2


def _session():
    """Its clients are made once."""
    core = Core()
    core.register_component("data_loader", LOADER)
    session = boto3.Session(botocore_session=core, region_name="eu-west-1")
    session.client = cache(session.client)
    return session


@cache
def shared_session():
    """For what tests ask moto."""
    return _session()


class _RefusedError(Exception):
    pass


class StackSetsOfAws:
    """failing: cluster -> reason, of whatever is done to its stack. refusals: code -> how many calls have it.
    lost_answers: calls whose next answer does not arrive.
    """

    def __init__(self, units=None):
        self.sets, self.operations, self.requests = {}, {}, []
        self.failing, self.refusals, self.units = {}, {}, units or {}
        self.lost_answers = set()
        self.clock = 0.0
        self.on_pause = lambda: None

    @cached_property
    def session(self):
        session = _session()
        session.events.register("before-parameter-build.cloudformation", self._remember)
        session.events.register("before-call.cloudformation", self._answer)
        return session

    def pause(self, seconds):
        self.clock += seconds
        self.on_pause()
        self._tick()

    def now(self):
        return self.clock

    def calls(self, *names):
        return [(name, request) for name, request in self.requests if name in names]

    def instances(self):
        """(set, account, region) -> cluster, of what has a stack."""
        return {
            (name, *place): one["ParameterOverrides"]["ClusterName"]
            for name, content in self.sets.items()
            for place, one in content["instances"].items()
            if one["StackId"]
        }

    def instance(self, cluster):
        [one] = [
            one
            for content in self.sets.values()
            for one in content["instances"].values()
            if one["ParameterOverrides"].get("ClusterName") == cluster
        ]
        return one

    # -- the wire --------------------------------------------------------------------------------------------

    @staticmethod
    def _remember(params, context, **_):
        context["asked"] = dict(params)

    def _answer(self, model, context, **_):
        asked = context["asked"]
        self.requests.append((model.name, asked))
        try:
            for code, left in self.refusals.items():
                if left and not model.name.startswith(("List", "Describe")):
                    self.refusals[code] = left - 1
                    raise _RefusedError(code, "try again later")
            answer = getattr(self, model.name)(**{k: v for k, v in asked.items() if k != "CallAs"})
        except _RefusedError as error:
            code, message = error.args
            refusal = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            return SimpleNamespace(status_code=400), refusal
        if model.name in self.lost_answers:
            self.lost_answers.remove(model.name)
            raise ConnectionClosedError(endpoint_url="https://cloudformation.eu-west-1.amazonaws.com/")
        return SimpleNamespace(status_code=200), answer | {"ResponseMetadata": {"HTTPStatusCode": 200}}

    # -- the calls -------------------------------------------------------------------------------------------

    def CreateStackSet(self, StackSetName, **content):  # noqa: N802, N803
        if StackSetName in self.sets:
            raise _RefusedError("NameAlreadyExistsException", StackSetName)
        if content["PermissionModel"] == "SERVICE_MANAGED" and content["AutoDeployment"] != {"Enabled": False}:
            raise _RefusedError("ValidationError", "an instance without overrides would be made")
        self.sets[StackSetName] = {"instances": {}} | self._checked(content)
        return {"StackSetId": StackSetName}

    def UpdateStackSet(self, StackSetName, OperationId, OperationPreferences, **content):  # noqa: N802, N803
        existing = self._set(StackSetName)
        self._free(existing, StackSetName)
        existing.update(self._checked(content))
        for one in existing["instances"].values():
            one["Status"] = "OUTDATED"
        return self._begin(OperationId, StackSetName, "UPDATE_SET", list(existing["instances"]), None)

    def CreateStackInstances(self, **asked):  # noqa: N802
        return self._on_instances("CREATE", **asked)

    def UpdateStackInstances(self, **asked):  # noqa: N802
        existing = self._set(asked["StackSetName"])
        for place in self._places(existing, **asked):
            if place not in existing["instances"]:
                raise _RefusedError("StackInstanceNotFoundException", str(place))
        return self._on_instances("UPDATE", **asked)

    def DeleteStackInstances(self, RetainStacks, **asked):  # noqa: N802, N803
        assert RetainStacks is False
        return self._on_instances("DELETE", ParameterOverrides=None, **asked)

    def ListStackSets(self, Status, **_):  # noqa: N802, N803
        return {"Summaries": [{"StackSetName": name, "Status": Status} for name in self.sets]}

    def DescribeStackSet(self, StackSetName):  # noqa: N802, N803
        content = self._set(StackSetName)
        return {"StackSet": {key: value for key, value in content.items() if key != "instances"}}

    def ListStackInstances(self, StackSetName):  # noqa: N802, N803
        places = self._set(StackSetName)["instances"]
        return {"Summaries": [{"Account": account, "Region": region} for account, region in places]}

    def DescribeStackInstance(self, StackSetName, StackInstanceAccount, StackInstanceRegion):  # noqa: N802, N803
        one = self._set(StackSetName)["instances"].get((StackInstanceAccount, StackInstanceRegion))
        if one is None:
            raise _RefusedError("StackInstanceNotFoundException", StackInstanceAccount)
        overrides = [{"ParameterKey": k, "ParameterValue": v} for k, v in one["ParameterOverrides"].items()]
        return {"StackInstance": one | {"ParameterOverrides": overrides}}

    def ListStackSetOperations(self, StackSetName):  # noqa: N802, N803
        own = {key: one for key, one in self.operations.items() if one["set"] == StackSetName}
        return {"Summaries": [{"OperationId": key, "Status": one["status"]} for key, one in own.items()]}

    def DescribeStackSetOperation(self, StackSetName, OperationId):  # noqa: N802, N803
        return {"StackSetOperation": {"OperationId": OperationId, "Status": self.operations[OperationId]["status"]}}

    def ListStackSetOperationResults(self, StackSetName, OperationId):  # noqa: N802, N803
        results = self.operations[OperationId]["results"]
        return {
            "Summaries": [
                {"Account": account, "Region": region, "Status": status, "StatusReason": reason}
                for (account, region), (status, reason) in results.items()
            ]
        }

    # -- the rules -------------------------------------------------------------------------------------------

    def _set(self, name):
        if name not in self.sets:
            raise _RefusedError("StackSetNotFoundException", name)
        return self.sets[name]

    def _free(self, existing, name):
        running = any(one["set"] == name and one["status"] in ("RUNNING", "QUEUED") for one in self.operations.values())
        if running and not existing["ManagedExecution"]["Active"]:
            raise _RefusedError("OperationInProgressException", name)

    def _checked(self, content):
        body = _object(content.pop("TemplateURL"))
        template = json.loads(body)
        given = {one["ParameterKey"] for one in content["Parameters"]}
        missing = {name for name, rule in template["Parameters"].items() if "Default" not in rule} - given
        if missing or given - template["Parameters"].keys():
            raise _RefusedError("ValidationError", f"Parameters: {sorted(missing)} must have values")
        return content | {"TemplateBody": body}

    def _places(self, existing, Regions, Accounts=(), DeploymentTargets=None, **_):  # noqa: N803
        if existing["PermissionModel"] == "SELF_MANAGED":
            if DeploymentTargets:
                raise _RefusedError("ValidationError", "self-managed sets take Accounts")
        else:
            if Accounts or DeploymentTargets["AccountFilterType"] != "INTERSECTION":
                raise _RefusedError("ValidationError", "service-managed sets take DeploymentTargets")
            members = {one for unit in DeploymentTargets["OrganizationalUnitIds"] for one in self.units.get(unit, ())}
            Accounts = [one for one in DeploymentTargets["Accounts"] if one in members]  # noqa: N806
        return [(account, region) for account in Accounts for region in Regions]

    def _on_instances(self, action, StackSetName, OperationId, ParameterOverrides, **asked):  # noqa: N803
        existing = self._set(StackSetName)
        self._free(existing, StackSetName)
        overrides = {one["ParameterKey"]: one["ParameterValue"] for one in ParameterOverrides or ()}
        if overrides.keys() - {one["ParameterKey"] for one in existing["Parameters"]}:
            raise _RefusedError("ValidationError", "an override is not a parameter of the set")
        return self._begin(OperationId, StackSetName, action, self._places(existing, **asked), overrides)

    def _begin(self, operation, name, action, places, overrides):
        if operation in self.operations:
            raise _RefusedError("OperationIdAlreadyExistsException", operation)
        self.operations[operation] = {
            "set": name, "action": action, "places": places, "overrides": overrides,
            "status": "QUEUED", "left": _LOOKS, "results": {},
        }  # fmt: skip
        return {"OperationId": operation}

    def _tick(self):
        busy = set()
        for one in self.operations.values():
            places = {(one["set"], *place) for place in one["places"]}
            if one["status"] not in ("QUEUED", "RUNNING") or places & busy:
                continue
            busy |= places
            one["status"], one["left"] = "RUNNING", one["left"] - 1
            if one["left"] <= 0:
                self._end(one)

    def _end(self, operation):
        existing = self.sets[operation["set"]]
        for place in operation["places"]:
            reason = self._apply(existing, operation, place)
            operation["results"][place] = ("FAILED", reason) if reason else ("SUCCEEDED", "")
        failed = operation["action"] != "UPDATE_SET" and any(s == "FAILED" for s, _ in operation["results"].values())
        operation["status"] = "FAILED" if failed else "SUCCEEDED"

    def _apply(self, existing, operation, place):
        """The reason where it failed."""
        instances, action = existing["instances"], operation["action"]
        known = instances.get(place)
        one = known or {"Account": place[0], "Region": place[1], "StackId": "", "ParameterOverrides": {}}
        if action == "CREATE" and known and known["Status"] == "CURRENT":
            return ""
        if operation["overrides"]:
            one["ParameterOverrides"] = operation["overrides"]
        reason = self.failing.get(one["ParameterOverrides"].get("ClusterName"), "")
        reason = reason or ("" if action == "DELETE" else _missing_code(existing, one, place[1]))
        if action == "DELETE" and not reason:
            instances.pop(place, None)
            return ""
        one["Status"] = ("INOPERABLE" if action == "DELETE" else "OUTDATED") if reason else "CURRENT"
        one["StatusReason"] = reason
        one["StackId"] = one["StackId"] or ("" if reason else f"arn:aws:cloudformation:{place[1]}:{place[0]}:stack/x/1")
        instances[place] = one
        return reason


def _missing_code(existing, one, region):
    """Lambda reads the code from a bucket of its own region."""
    values = {entry["ParameterKey"]: entry["ParameterValue"] for entry in existing["Parameters"]}
    values |= one["ParameterOverrides"]
    s3 = shared_session().client("s3", region_name=region)
    for name in ("ProbeArtifact", "PlannerArtifact"):
        try:
            s3.head_object(Bucket=f"{values['ArtifactBucketPrefix']}-{region}", Key=values[name])
        except ClientError as error:
            return f"{name}: {error}"
    return ""


def _object(url):
    parsed = urlparse(url)
    host, path = parsed.netloc.split("."), parsed.path.lstrip("/")
    bucket, key = (host[0], path) if host[0] != "s3" else path.split("/", 1)
    return shared_session().client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
