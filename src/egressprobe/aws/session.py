"""A cluster by its name, read with the credentials of the AWS profile."""

import os
from typing import Any, NamedTuple

from egressprobe.aws.cluster import Surroundings, look_around
from egressprobe.aws.eks import Cluster
from egressprobe.model.errors import AwsError, InputError, short


class NamedCluster(NamedTuple):
    """session: boto3's, with a region."""

    session: Any
    around: Surroundings
    cluster: Cluster


def use_region_of_environment() -> None:
    """AWS_REGION decides, as for the AWS CLI and the other SDKs; boto3 reads AWS_DEFAULT_REGION only.

    https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html: AWS_REGION "overrides the values in the
    environment variable AWS_DEFAULT_REGION".
    """
    region = os.environ.get("AWS_REGION")
    if region:
        os.environ["AWS_DEFAULT_REGION"] = region


def by_name(name: str, region: str | None, session: Any = None) -> NamedCluster:
    """session: boto3's, with a region; None for one of the profile. Raises InputError and AwsError."""
    session = session or in_region(region)
    around = look_around(session.client("eks"), session.client("ec2"), name)
    cluster = around.cluster
    if around.leaving:
        known = f'"{short(name)}" is not in this account and {session.region_name}'
        raise InputError("--cluster", around.leaving if cluster else known)
    if cluster is None:
        why = "; ".join(str(finding.evidence["error"]) for finding in around.findings)
        raise AwsError(f"the cluster {short(name)} cannot be read: {why}")
    return NamedCluster(session, around, cluster)


def in_region(region: str | None) -> Any:
    """boto3's session; region: None for that of the environment or profile. Raises InputError and AwsError."""
    from boto3.session import Session
    from botocore.exceptions import BotoCoreError, ProfileNotFound

    try:
        session = Session(region_name=region)
    except ProfileNotFound as error:
        names = "`aws configure list-profiles` has their names"
        raise InputError("AWS_PROFILE", f"{error}; {names}") from None
    except BotoCoreError as error:
        raise AwsError(str(error)) from None
    if session.region_name is None:
        raise InputError("--region", "is missing, and neither AWS_REGION nor the profile names one")
    return session


def by_profile(profile: str, region: str) -> Any:
    """boto3's session with the credentials of a profile. Raises InputError."""
    from boto3.session import Session
    from botocore.exceptions import BotoCoreError

    try:
        return Session(profile_name=profile, region_name=region)
    except BotoCoreError as error:
        raise InputError("--peer-profile", str(error)) from None
