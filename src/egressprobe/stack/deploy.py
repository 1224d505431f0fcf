"""`make deploy CLUSTER=name`: look, say what will be done and what it costs, ask, do it, wait.

A change set of the expanded template, so that what was shown is what is done; nothing is changed before the
answer but the bucket of artifacts. Afterwards the Planner is called once: the first minute is measured at once.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from egressprobe.model.errors import InputError
from egressprobe.planner.inventory import EMPTY, Inventory, read_inventory
from egressprobe.planner.shards import cut
from egressprobe.stack.cloudformation import Existing, change_set, changes, outputs, read_stack, undo, wait
from egressprobe.stack.planner_client import call
from egressprobe.stack.price import Size, shown
from egressprobe.stack.survey import Survey, check, read_survey, slots
from egressprobe.stack.template import ARTIFACTS, expanded

BUILD = Path(__file__).parents[3] / "build"
# Of template.yaml, as far as they decide the price.
_DEFAULTS = {"MetricDetail": "target", "Architecture": "arm64", "ProbeMemory": "256", "Discovery": "true"}


def deploy(
    session: Any,
    *,
    cluster: str,
    targets: object | None,
    stack: str,
    given: dict[str, str],
    tags: dict[str, str],
    prefix: str,
    yes: bool,
) -> int:
    """targets: a targets file's content; None: discovery alone. Returns the exit code.

    Raises InputError, AwsError and botocore's exceptions.
    """
    somebody_to_ask(yes=yes)
    survey = read_survey(session.client("eks"), session.client("ec2"), cluster)
    formation = session.client("cloudformation")
    existing = read_stack(formation, stack)
    before = existing.parameters.get("Subnets", "")
    own_groups = survey.groups
    if "SecurityGroupIds" in given:
        survey = survey._replace(groups=tuple(given["SecurityGroupIds"].split(",")))
    check(survey, [text.partition("/")[0] for text in before.split(",")])
    wanted = {
        "ClusterName": cluster,
        "IpFamily": survey.ip_family,
        "SecurityGroupIds": ",".join(survey.groups),
        "ClusterSecurityGroupIds": ",".join(own_groups),
        "Subnets": slots(before, survey.subnets),
        "AccessEntry": "false" if survey.authentication == "CONFIG_MAP" else "true",
    } | given
    inventory = EMPTY if targets is None else read_inventory(targets)
    if targets is None and wanted.get("Discovery") == "false":
        raise InputError("TARGETS", "is missing, and Discovery=false: there would be nothing to probe")
    template = expanded()
    _known(template, wanted)
    _say(introduction(survey, wanted, existing, inventory, session.region_name))
    built = artifacts()
    upload(session, prefix, session.region_name, built)
    url = _upload_template(session, prefix, template)
    names = {"ArtifactBucketPrefix": prefix} | {name: key for name, (key, _) in built.items()}
    change = change_set(
        formation, stack, existing, url, wanted | names, template["Parameters"].keys() & existing.parameters, tags
    )
    if change is None:
        _say("Nothing to change.")
    else:
        _say(changes(formation, change))
        if not (yes or agreed()):
            undo(formation, stack, change, existing)
            _say("Nothing was changed.")
            return 0
        formation.execute_change_set(ChangeSetName=change)
        _say("Working; a function's first interface in a subnet takes a few minutes ...")
        wait(formation, stack, existing)
    return first_plan(session, stack)


def introduction(survey: Survey, wanted: dict[str, str], existing: Existing, inventory: Inventory, region: str) -> str:
    """What was found, what it will cost, what will be done."""
    numbers = {text.partition("/")[0]: i for i, text in enumerate(wanted["Subnets"].split(","))}
    kept = {text.partition("/")[0] for text in existing.parameters.get("Subnets", "").split(",")}
    fates = {one.id: "keeps its probe" if one.id in kept else "gets a probe" for one in survey.subnets}
    rows = [
        f"  slot {numbers.get(one.id, '-'):<3}{one.id:<26}{one.zone:<16}{one.free:>6} free   {fates[one.id]}"
        for one in survey.subnets
    ]
    gone = [f"  {text:<34}loses its probe" for text in sorted(kept - set(numbers) - {"", "-"})]
    pieces = cut(inventory)
    chosen = _DEFAULTS | existing.parameters | wanted
    discovers = chosen["Discovery"] == "true"
    size = Size(
        subnets=len(survey.subnets),
        targets=len(inventory.entries),
        shards=max(len(pieces.shards), 1),
        detail="subnet" if chosen["MetricDetail"] == "subnet" else "target",
        architecture=chosen["Architecture"],
        memory=int(chosen["ProbeMemory"]),
        discovers=discovers,
    )
    said = [
        f"{survey.cluster}: Kubernetes {survey.version}, {survey.ip_family}, egress {survey.mode}, {survey.vpc}",
        *rows,
        *gone,
        f"  security groups {', '.join(wanted['SecurityGroupIds'].split(','))}",
        *_about_discovery(survey, chosen["AccessEntry"], discovers=discovers),
        "",
        shown(size, region),
    ]
    if discovers:
        said.append("  What discovery finds comes on top: each target as above.")
    if pieces.too_large:
        said.append(f"  Too large for a schedule, not probed every minute: {', '.join(pieces.too_large)}")
    return "\n".join(said)


def _about_discovery(survey: Survey, entry: str, *, discovers: bool) -> list[str]:
    """What a person has to do in the cluster."""
    if not discovers:
        return ["  discovery is off: the targets file is all that is probed"]
    said = ["  discovery: kubectl apply -f deploy/rbac.yaml lets it read webhooks, APIServices, Services and nodes"]
    if entry != "true":
        said.append(
            f"  no access entry is made (authentication mode {survey.authentication or 'unknown'}): map the output "
            "DiscoverRoleArn to the group egressprobe in the ConfigMap aws-auth, or change the mode to "
            f"API_AND_CONFIG_MAP: aws eks update-cluster-config --name {survey.cluster} --access-config "
            "authenticationMode=API_AND_CONFIG_MAP"
        )
    return said


def artifacts(build: Path | None = None) -> dict[str, tuple[str, bytes]]:
    """Parameter of the template -> key, which follows from the content, and the zip. Raises InputError."""
    found = {}
    for uri, parameter in ARTIFACTS.items():
        path = (build or BUILD) / Path(uri).name
        if not path.exists():
            raise InputError(str(path), "is missing; make build ARCH=arm64")
        found[parameter] = (_key(path.stem, "zip", path.read_bytes()), path.read_bytes())
    return found


def upload(session: Any, prefix: str, region: str, built: dict[str, tuple[str, bytes]]) -> None:
    """What is there already is not sent again."""
    s3, bucket = session.client("s3", region_name=region), f"{prefix}-{region}"
    _bucket(s3, bucket, region)
    for key, data in built.values():
        _put(s3, bucket, key, data)


def _upload_template(session: Any, prefix: str, template: dict[str, Any]) -> str:
    """Its URL: 90 kB are more than a call takes."""
    s3, bucket = session.client("s3"), f"{prefix}-{session.region_name}"
    data = json.dumps(template, separators=(",", ":")).encode()
    key = _key("template", "json", data)
    _put(s3, bucket, key, data)
    signed: str = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    return signed.partition("?")[0]


def _key(name: str, suffix: str, data: bytes) -> str:
    return f"egressprobe/{name}-{hashlib.sha256(data).hexdigest()[:16]}.{suffix}"


def _put(s3: Any, bucket: str, key: str, data: bytes) -> None:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except s3.exceptions.ClientError:
        s3.put_object(Bucket=bucket, Key=key, Body=data)


def _bucket(s3: Any, bucket: str, region: str) -> None:
    """Made where it is missing: private and encrypted, as every new bucket is."""
    try:
        s3.head_bucket(Bucket=bucket)
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise InputError("PREFIX", f"the bucket {bucket} is not ours to use ({error}); choose another") from None
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **place)


def _known(template: dict[str, Any], wanted: dict[str, str]) -> None:
    import difflib

    for name in wanted:
        if name not in template["Parameters"]:
            near = difflib.get_close_matches(name, template["Parameters"], 1)
            hint = f"did you mean {near[0]}?" if near else "template.yaml lists them"
            raise InputError("PARAMETERS", f"«{name}» is no parameter of the stack; {hint}")


def somebody_to_ask(*, yes: bool) -> None:
    """Before anything is made. Raises InputError."""
    if not yes and not sys.stdin.isatty():
        raise InputError("YES", "is not set and nobody can be asked; set YES=1")


def agreed() -> bool:
    print("Do it? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def first_plan(session: Any, stack: str) -> int:
    """Schedules now rather than within a quarter of an hour."""
    said = outputs(session.client("cloudformation"), stack)
    answer = call(session, said["PlannerFunction"], {"action": "plan"})
    print(json.dumps({"stack": stack, "plan": answer, "outputs": said}, indent=2))
    return 0


def parse_pairs(pairs: Sequence[str], what: str) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError(what, f"«{pair}» is not NAME=VALUE")
        found[name] = value
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr)
