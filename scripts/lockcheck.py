"""The Lambda's requirements are a part of the development lock: same packages, same versions, same hashes."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    return dict(_PIN.findall((ROOT / name).read_text()))


def main() -> int:
    whole, part = pins("requirements/dev.txt"), pins("src/requirements.txt")
    wrong = [f"{name} {version}" for name, version in part.items() if whole.get(name) != version]
    text = (ROOT / "src/requirements.txt").read_text()
    if "boto" in text:
        wrong.append("boto3 has no place in the probe")
    if not part or wrong:
        print(f"src/requirements.txt is not a part of requirements/dev.txt: {', '.join(wrong)}; run make lock")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
