"""Take the Lambda Runtime Interface Emulator of this architecture out of the aws-sam-cli wheel."""

import platform
import zipfile
from pathlib import Path

TOOLS = Path(__file__).parents[1] / ".tools"
ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")

[wheel] = TOOLS.glob("aws_sam_cli-*.whl")
emulator = TOOLS / "aws-lambda-rie"
with zipfile.ZipFile(wheel) as archive:
    emulator.write_bytes(archive.read(f"samcli/local/rapid/aws-lambda-rie-{ARCHITECTURE}"))
emulator.chmod(0o755)
wheel.unlink()
