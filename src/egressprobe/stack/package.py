"""`make package`: the files that a StackSet needs, in one folder, and uploaded to a bucket per region on request.

Service-managed StackSets refuse macros, and Lambda takes code from a bucket of its own region only: the template is
the expanded one, and reads its code from PREFIX-REGION.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from egressprobe.stack.artifacts import BUILD, artifacts, upload
from egressprobe.stack.template import expanded


def package(session: Any, *, prefix: str, regions: list[str], build: Path = BUILD) -> dict[str, Any]:
    """The folder, and the parameters that are the same for every stack instance."""
    folder = build / "package"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "template.json").write_text(json.dumps(expanded(), separators=(",", ":")))
    built = artifacts(build)
    for key, data in built.values():
        (folder / key).parent.mkdir(exist_ok=True)
        (folder / key).write_bytes(data)
    parameters = {"ArtifactBucketPrefix": prefix} | {name: key for name, (key, _) in built.items()}
    listed = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    (folder / "parameters.json").write_text(json.dumps(listed, indent=1))
    for region in regions:
        upload(session, prefix, region, built)
    return {"folder": str(folder), "parameters": parameters, "uploaded": [f"{prefix}-{region}" for region in regions]}
