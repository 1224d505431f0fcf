"""AWS's quotas, from quotas.json: defaults as AWS's pages have them, each with its page and the day it was read.

A quota that is not documented is listed by its action, and no figure is made up for it.
"""

from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import msgspec

_FILE = Path(__file__).with_name("quotas.json")


class Quota(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """kind: `count`, of resources at once, or `rate`, requests in a second.

    burst: of a rate: requests that are accepted at once after a pause. actions: those that share the rate, as IAM names
    them; `*` matches. each: each of them has a rate of its own. adjustable: None where AWS's page does not say.
    service_code, quota_code: for Service Quotas, where documented. note: its name there, and whom it concerns.
    """

    id: str
    name: str
    kind: str
    value: int
    scope: str
    source: str
    adjustable: bool | None = None
    burst: int = 0
    actions: tuple[str, ...] = ()
    each: bool = False
    service_code: str | None = None
    quota_code: str | None = None
    note: str = ""

    def bucket_of(self, action: str) -> str | None:
        """The name of the bucket that a call takes a token from; None for one of another quota."""
        if not any(fnmatchcase(action, pattern) for pattern in self.actions):
            return None
        return action if self.each else self.id


class Undocumented(msgspec.Struct, frozen=True):
    """An action whose rate no page of AWS's has."""

    action: str
    why: str


class Quotas(msgspec.Struct, frozen=True, rename="camel"):
    """as_of: the day on which the pages were read, YYYY-MM-DD."""

    as_of: str
    quotas: tuple[Quota, ...]
    not_documented: tuple[Undocumented, ...]

    def counts(self) -> list[Quota]:
        return [quota for quota in self.quotas if quota.kind == "count"]

    def rates(self) -> list[Quota]:
        return [quota for quota in self.quotas if quota.kind == "rate"]


@cache
def read_quotas() -> Quotas:
    """Raises msgspec.ValidationError where the file is not as described here."""
    return msgspec.json.decode(_FILE.read_bytes(), type=Quotas)


def increase(quota: Quota, wanted: int) -> str:
    """The command that asks AWS for more; empty where the quota has no code or cannot be adjusted."""
    if not quota.adjustable or not quota.quota_code:
        return ""
    return (
        f"aws service-quotas request-service-quota-increase --service-code {quota.service_code} "
        f"--quota-code {quota.quota_code} --desired-value {wanted}"
    )
