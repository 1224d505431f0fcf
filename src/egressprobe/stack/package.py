"""`make package`: the files that a StackSet needs, in one folder, and uploaded to a bucket per region on request.

Service-managed StackSets refuse macros, and Lambda takes code from a bucket of its own region only: the template is
the expanded one, and reads its code from PREFIX-REGION, or from one bucket of the user's own.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from egressprobe.model.errors import InputError
from egressprobe.stack.access.bucket_policy import NO_READERS, ArtifactReaders, check_readers, reader_statements
from egressprobe.stack.artifacts import BUILD, artifacts, upload
from egressprobe.stack.template import expanded


def package(
    session: Any,
    *,
    prefix: str,
    regions: list[str],
    readers: ArtifactReaders = NO_READERS,
    bucket: str | None = None,
    build: Path = BUILD,
) -> dict[str, Any]:
    """The folder, and the parameters that are the same for every stack instance.

    readers: who may read the artifacts from other accounts. bucket: one of the user's own, for one region; its policy
    is not changed, and `policyStatements` has what it must contain. Raises InputError.
    """
    readers = check_readers(readers)
    if bucket is not None and len(regions) != 1:
        raise InputError(
            "BUCKET", "is for one region, since Lambda reads code from its own: set REGIONS to that region"
        )
    if readers.named and not regions:
        raise InputError("REGIONS", "is missing: ORGANIZATION and ACCOUNTS may read the buckets of these regions")
    folder = build / "package"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "template.json").write_text(json.dumps(expanded(), separators=(",", ":")))
    built = artifacts(build)
    for key, data in built.values():
        (folder / key).parent.mkdir(exist_ok=True)
        (folder / key).write_bytes(data)
    parameters = {"ArtifactBucketPrefix": prefix} | {name: key for name, (key, _) in built.items()}
    parameters |= {"ArtifactBucket": bucket} if bucket else {}
    listed = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    (folder / "parameters.json").write_text(json.dumps(listed, indent=1))
    uploaded = [upload(session, prefix, region, built, bucket=bucket, readers=readers).name for region in regions]
    result: dict[str, Any] = {"folder": str(folder), "parameters": parameters, "uploaded": uploaded}
    if bucket is not None and readers.named:
        partition = session.get_partition_for_region(regions[0])
        result["policyStatements"] = reader_statements(bucket, partition, readers)
    return result
