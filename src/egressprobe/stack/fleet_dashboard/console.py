"""Addresses of dashboards in AWS's console."""

from functools import cache
from typing import Any, NamedTuple
from urllib.parse import quote

# As Mappings.Console of template.yaml.
_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
    "aws-iso": "console.c2shome.ic.gov",
    "aws-iso-b": "console.sc2shome.sgov.gov",
    "aws-iso-e": "console.csphome.adc-e.uk",
    "aws-iso-f": "console.csphome.hci.ic.gov",
}


class AccessPortal(NamedTuple):
    """The access portal of IAM Identity Center, by which a link opens in the account that it is about.

    url: of the portal, https://NAME.awsapps.com/start; role: the permission set, empty: the person chooses.
    https://docs.aws.amazon.com/singlesignon/latest/userguide/createshortcutlink.html
    """

    url: str = ""
    role: str = ""

    def link(self, account: str, destination: str) -> str:
        if not self.url:
            return destination
        role = f"&role_name={quote(self.role, safe='')}" if self.role else ""
        where = quote(destination, safe="")
        return f"{self.url.rstrip('/')}/#/console?account_id={account}{role}&destination={where}"


def dashboard_url(name: str, region: str) -> str:
    """Opens in the account that the browser is signed in to."""
    return f"https://{_host(region)}/cloudwatch/home?region={region}#dashboards/dashboard/{name}"


@cache
def _host(region: str) -> str:
    from botocore.exceptions import UnknownRegionError

    try:
        partition = _botocore().get_partition_for_region(region)
    except UnknownRegionError:  # a region that is newer than botocore
        partition = "aws"
    return _HOSTS.get(partition, _HOSTS["aws"])


@cache
def _botocore() -> Any:
    from botocore.session import Session

    return Session()
