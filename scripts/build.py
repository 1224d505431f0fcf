"""Build the artifacts of the Probe and the Planner: locked requirements and our code, compiled ahead.

`unchecked-hash` bytecode is loaded without a look at the source: imports of a cold start take a third less.
Without --arch: for this machine, into build/probe and build/planner, to be tried out. With --arch: wheels of that
architecture, and build/probe.zip and build/planner.zip, which template.yaml names. The zips are the same bytes for
the same content, so that a deployment without a change changes nothing.
"""

import argparse
import compileall
import json
import py_compile
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"
# Whole packages that no entry point of the artifact reaches (tests/test_architecture.py checks it).
# The Discover function is another handler of the Probe's artifact.
LEFT_OUT = {
    "probe": ("aws", "audit", "incidents", "observability", "planner", "cli", "readiness", "stack", "lab"),
    "planner": ("observability", "probe", "cli", "readiness", "stack", "lab"),
}
REQUIREMENTS = {"probe": "requirements.txt", "planner": "requirements-planner.txt"}
# botocore knows 400 services; the Planner calls these.
_SERVICES = {
    "cloudtrail",
    "cloudwatch",
    "ec2",
    "eks",
    "elbv2",
    "events",
    "iam",
    "lambda",
    "logs",
    "network-firewall",
    "route53",
    "route53resolver",
    "scheduler",
    "sns",
    "sts",
}
_WHEELS = {"arm64": "aarch64", "x86_64": "x86_64"}
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", choices=sorted(_WHEELS))
    parser.add_argument("--targets", help="targets file that the Planner carries")
    options = parser.parse_args()
    if options.targets and not is_targets_file(options.targets):
        return 2
    folders = {name: BUILD / options.arch / name if options.arch else BUILD / name for name in LEFT_OUT}
    # Both at once: pip mostly waits for the index and the disk. What follows is done in order, since the bytes of
    # compiled code depend on what the process has compiled before.
    installs = [start_install(name, target, options.arch) for name, target in folders.items()]
    codes = [install.wait() for install in installs]
    if any(codes):
        return 1
    for name, target in folders.items():
        if not finish(name, target, options.targets):
            return 1
        size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
        print(f"{target.relative_to(ROOT)}: {size / 1e6:.1f} MB unpacked", end="")
        if options.arch:
            packed = pack(target, BUILD / f"{name}.zip")
            print(f", {packed.stat().st_size / 1e6:.1f} MB packed", end="")
        print()
    return 0


def start_install(name: str, target: Path, arch: str | None) -> subprocess.Popen[bytes]:
    """pip, at work on the locked requirements of an artifact."""
    shutil.rmtree(target, ignore_errors=True)
    install = ["-m", "pip", "install", "-qq", "--no-compile", "--require-hashes", "--no-deps", "--target", str(target)]
    if arch:
        # Amazon Linux 2023 has glibc 2.34.
        tags = [f"manylinux{glibc}_{_WHEELS[arch]}" for glibc in ("_2_34", "_2_28", "_2_17", "2014")]
        install += ["--only-binary=:all:", "--implementation", "cp", "--python-version", "3.13"]
        install += [word for tag in tags for word in ("--platform", tag)]
    return subprocess.Popen([sys.executable, *install, "-r", str(ROOT / "src" / REQUIREMENTS[name])])


def finish(name: str, target: Path, targets: str | None) -> bool:
    """Our code, compiled with the rest; False when something did not compile."""
    package = target / "egressprobe"
    shutil.copytree(ROOT / "src" / "egressprobe", package, ignore=shutil.ignore_patterns("__pycache__"))
    for left_out in LEFT_OUT[name]:
        shutil.rmtree(package / left_out)
    for junk in (target / "bin", *target.rglob("__pycache__"), *_services(target)):
        shutil.rmtree(junk, ignore_errors=True)
    if name == "planner" and targets:
        compile_targets(targets, target / "egressprobe" / "planner" / "targets.json")
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    done = compileall.compile_dir(target, quiet=1, invalidation_mode=mode, stripdir=str(target), prependdir="/var/task")
    (target / ".ready").touch()
    return bool(done)


def _services(target: Path) -> list[Path]:
    known = [path for path in (target / "botocore" / "data").glob("*") if path.is_dir()]
    return [path for path in known if path.name not in _SERVICES]


def is_targets_file(name: str) -> bool:
    """False, with a line for each mistake; standard input is read only once, when it is compiled."""
    from egressprobe.model.errors import InputError
    from egressprobe.planner.inventory import read_inventory
    from egressprobe.targets.file import ARTIFACT_BYTES
    from egressprobe.targets.lines import read_targets

    try:
        if name != "-":
            read_targets(name, most=ARTIFACT_BYTES).read(read_inventory)
    except InputError as error:
        print(*(f"egressprobe: {mistake}" for mistake in error.mistakes), sep="\n", file=sys.stderr)
        return False
    return True


def compile_targets(source: str, place: Path) -> None:
    """The targets file, checked, as the Planner reads it."""
    from egressprobe.planner.inventory import as_document, read_inventory
    from egressprobe.targets.file import ARTIFACT_BYTES, read_file

    place.write_text(json.dumps(as_document(read_inventory(read_file(source, most=ARTIFACT_BYTES))), indent=1))


def pack(source: Path, archive: Path) -> Path:
    """A zip whose bytes follow from the content alone."""
    archive.unlink(missing_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(source.rglob("*")):
            if path.is_file() and path.name != ".ready":
                entry = zipfile.ZipInfo(str(path.relative_to(source)), _LONG_AGO)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = (0o755 if path.suffix == ".so" else 0o644) << 16
                packed.writestr(entry, path.read_bytes())
    return archive


if __name__ == "__main__":
    sys.exit(main())
