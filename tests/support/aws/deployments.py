"""Deployments in moto: a Planner's function with the environment and tags that the template gives it, with or without
a stack that names it.
"""

import json
from functools import cache

import boto3

from tests.support.aws.cloudformation import ACCOUNT, REGION, rendered

PLANNER_NAME = "egressprobe-1a2b3c4d-planner"
STACK_NAME = "egressprobe-prod"


def planner_arn(name=PLANNER_NAME, region=REGION):
    return f"arn:aws:lambda:{region}:{ACCOUNT}:function:{name}"


@cache
def _planner():
    return rendered(3).of("AWS::Lambda::Function")["Planner"]


def environment(cluster="prod", *, stack, **more):
    """The Planner's variables; more: by their names without EGRESSPROBE_."""
    changed = {"CLUSTER_NAME": cluster, "STACK": stack, "ALARM_PREFIX": f"egressprobe {cluster} "} | more
    return _planner()["Environment"]["Variables"] | {f"EGRESSPROBE_{name}": value for name, value in changed.items()}


def put_planner(cluster="prod", *, name=PLANNER_NAME, stack="", variables=None, part="planner"):
    """Creates the function, or changes it. stack: the name of one, empty for Terraform's. Returns its ARN.

    part: None for a function of before there was the tag.
    """
    functions = boto3.client("lambda")
    tags = {entry["Key"]: entry["Value"] for entry in _planner()["Tags"]} | {"egressprobe:cluster": cluster}
    tags = {key: value for key, value in tags.items() if key != "egressprobe:part"}
    tags |= {"egressprobe:part": part} if part else {}
    configuration = {
        "FunctionName": name,
        "Environment": {"Variables": environment(cluster, stack=stack or name) if variables is None else variables},
    }
    known = {entry["FunctionName"] for entry in functions.list_functions()["Functions"]}
    if name in known:
        functions.update_function_configuration(**configuration)
        functions.tag_resource(Resource=planner_arn(name), Tags=tags)
    else:
        functions.create_function(
            **configuration,
            Tags=tags,
            Runtime="python3.13",
            Handler="egressprobe.handlers.planner.handler",
            Role=_role(),
            Code={"ZipFile": b"-"},
        )
    return planner_arn(name)


def put_stack(stack=STACK_NAME, planner=None):
    """A stack of which only the outputs are read; planner: the output PlannerFunction, None for a stack of others."""
    outputs = {"PlannerFunction": {"Value": planner}} if planner else {}
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": outputs}
    boto3.client("cloudformation").create_stack(StackName=stack, TemplateBody=json.dumps(template))


def _role():
    iam = boto3.client("iam")
    names = [role["RoleName"] for role in iam.list_roles()["Roles"]]
    if "planner" not in names:
        iam.create_role(RoleName="planner", AssumeRolePolicyDocument="{}")
    return f"arn:aws:iam::{ACCOUNT}:role/planner"
