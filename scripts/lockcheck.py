"""The requirements of the functions and of the command line are parts of the development lock, with the same hashes."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    return dict(_PIN.findall((ROOT / name).read_text()))


def main() -> int:
    whole = pins("requirements/dev.txt")
    for name in ("src/requirements.txt", "src/requirements-planner.txt", "requirements/cli.txt"):
        part = pins(name)
        wrong = [f"{package} {version}" for package, version in part.items() if whole.get(package) != version]
        if ("boto3" in part) is not (name != "src/requirements.txt"):
            wrong.append("boto3 belongs to the Planner and the command line and has no place in the probe")
        if not part or wrong:
            print(f"{name} is not a part of requirements/dev.txt: {', '.join(wrong)}; run make lock")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
