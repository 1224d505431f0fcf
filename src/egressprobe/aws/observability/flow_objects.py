"""Flow logs in S3 without a table: the text objects of the interval, read one by one within a bound of bytes.

Names: PREFIX/AWSLogs/ACCOUNT/vpcflowlogs/REGION/YYYY/MM/DD[/HH]/ACCOUNT_vpcflowlogs_REGION_FLOWLOG_TIME_HASH.log.gz,
with Hive partitions `aws-account-id=ACCOUNT` and so on. TIME is that of the delivery interval of five minutes; an
object's first line names its fields. https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html
"""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from egressprobe.aws.observability.calls import called, listed
from egressprobe.aws.observability.flow_logs import FlowLog
from egressprobe.model.errors import AwsError
from egressprobe.observability.flows.records import FlowCount, FlowGap, FlowScope, count_records, joined_counts, lacking

# Compressed bytes that are downloaded; an object has at most 75 MB.
MAX_BYTES = 200_000_000
# Records of an interval are delivered up to so long after it began.
_LATE = timedelta(minutes=25)
_TIME = re.compile(r"_(\d{8}T\d{4})Z_")


class ReadObjects(NamedTuple):
    """compressed: bytes that were downloaded. problem: what was not read, empty if nothing."""

    counts: list[FlowCount]
    gaps: list[FlowGap]
    compressed: int
    problem: str = ""


def read_objects(s3: Any, log: FlowLog, scope: FlowScope, account: str, region: str) -> ReadObjects:
    """Counts the records of the interval. Raises AwsError where the bucket may not be read."""
    bucket, _, prefix = log.place.partition(":::")[2].partition("/")
    merged: dict[tuple[Any, ...], FlowCount] = {}
    gaps: list[FlowGap] = []
    compressed, left_out = 0, 0
    for key, size in _objects(s3, bucket, _folders(log, prefix.rstrip("/"), scope, account, region), log.id, scope):
        if compressed + size > MAX_BYTES:
            left_out += 1
            continue
        compressed += size
        body = called(s3, "get_object", Bucket=bucket, Key=key)["Body"].read()
        counts, more_gaps = _counted(body, f"s3://{bucket}/{key}", scope)
        gaps += more_gaps
        for count in counts:
            kind = count[:7]
            merged[kind] = joined_counts(merged[kind], count) if kind in merged else count
    problem = ""
    if left_out:
        problem = f"{left_out} of its objects were not read: more than {MAX_BYTES // 10**6} MB; ask for a shorter time"
    return ReadObjects(list(merged.values()), gaps, compressed, problem)


def _folders(log: FlowLog, prefix: str, scope: FlowScope, account: str, region: str) -> Iterator[str]:
    """Of each hour or day of the interval, as far as it is delivered late."""
    step = timedelta(hours=1) if log.hourly else timedelta(days=1)
    start = datetime.fromtimestamp(scope.since, UTC)
    at = start.replace(hour=start.hour if log.hourly else 0, minute=0, second=0, microsecond=0)
    root = f"{prefix}/AWSLogs" if prefix else "AWSLogs"
    while at <= datetime.fromtimestamp(scope.until, UTC) + _LATE:
        if log.hive:
            place = f"aws-account-id={account}/aws-service=vpcflowlogs/aws-region={region}/{at:year=%Y/month=%m/day=%d}"
            hour = f"/{at:hour=%H}" if log.hourly else ""
        else:
            place, hour = f"{account}/vpcflowlogs/{region}/{at:%Y/%m/%d}", f"/{at:%H}" if log.hourly else ""
        yield f"{root}/{place}{hour}/"
        at += step


def _objects(
    s3: Any, bucket: str, folders: Iterator[str], flow_log: str, scope: FlowScope
) -> Iterator[tuple[str, int]]:
    since, until = (datetime.fromtimestamp(seconds, UTC) for seconds in (scope.since, scope.until))
    for folder in folders:
        for item in listed(s3, "list_objects_v2", "Contents", Bucket=bucket, Prefix=folder):
            match = _TIME.search(item["Key"])
            if match and f"_{flow_log}_" in item["Key"] and item["Key"].endswith(".log.gz"):
                at = datetime.strptime(match[1], "%Y%m%dT%H%M").replace(tzinfo=UTC)
                if since - timedelta(minutes=5) <= at <= until + _LATE:
                    yield item["Key"], int(item.get("Size") or 0)


def _counted(body: bytes, place: str, scope: FlowScope) -> tuple[list[FlowCount], list[FlowGap]]:
    """Raises AwsError for what is no flow log as text in gzip, or lacks fields."""
    try:
        with gzip.open(io.BytesIO(body), "rt", encoding="utf-8", errors="replace") as lines:
            fields = tuple(next(lines, "").split())
            if lacking(fields):
                raise AwsError(f"{place} lacks the fields {', '.join(lacking(fields))}")
            return count_records(lines, fields, scope)
    except (OSError, EOFError, zlib.error) as error:
        raise AwsError(f"{place} is not text in gzip: {error}") from None
