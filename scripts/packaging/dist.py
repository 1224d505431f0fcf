"""What a release has, in build/dist: the wheel, the single file for a platform, its SBOM, and SHA256SUMS.

Every package of the single file is a wheel that requirements/cli.txt pins by hash. The same input gives the same bytes,
in any folder and with any umask: entries are sorted, with one time and one mode.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from sbom import canonical, sbom

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements" / "cli.txt"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_SHEBANG = b"#!/usr/bin/env python3.13\n"
_MACOS = ("11_0", *(f"10_{minor}" for minor in range(16, 8, -1)))
# The tags of wheels that run there, newest first: glibc 2.34 is Amazon Linux 2023's, macOS 11 the first on arm64.
PLATFORMS = {
    "linux-x86_64": [f"manylinux{glibc}_x86_64" for glibc in ("_2_34", "_2_28", "_2_17", "2014")],
    "linux-arm64": [f"manylinux{glibc}_aarch64" for glibc in ("_2_34", "_2_28", "_2_17", "2014")],
    "macosx-arm64": ["macosx_11_0_arm64", *(f"macosx_{v}_universal2" for v in _MACOS)],
}


def here() -> str:
    """The platform of this computer."""
    system = {"Linux": "linux", "Darwin": "macosx"}.get(platform.system(), platform.system().lower())
    return f"{system}-{platform.machine().replace('aarch64', 'arm64')}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--platform", choices=sorted(PLATFORMS), default=here(), help="default: this computer's")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "dist")
    parser.add_argument("--wheels", type=Path, help="take the packages from this folder instead of the index")
    options = parser.parse_args()
    out: Path = options.out
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    wheel = build_wheel(out)
    packages = options.wheels or fetch(options.platform, out / "wheels")
    site = install(wheel, packages, options.platform, out / "site")
    hashes = {canonical(path.name.partition("-")[0]): digest(path) for path in (wheel, *packages.glob("*.whl"))}
    stem = wheel.name.removesuffix("-py3-none-any.whl")
    (out / f"{stem}-{options.platform}.cdx.json").write_text(sbom(site, hashes, "cli"), encoding="utf-8")
    pack(site, options.platform, out / f"{stem}-{options.platform}.pyz")
    shutil.rmtree(site)
    made = sorted(path for path in out.iterdir() if path.is_file())
    (out / "SHA256SUMS").write_text("".join(f"{digest(path)}  {path.name}\n" for path in made))
    for path in made:
        print(f"{path.stat().st_size / 1e6:6.1f} MB  {os.path.relpath(path)}")
    (out / ".ready").touch()
    return 0


def build_wheel(out: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    [wheel] = out.glob("*.whl")
    return wheel


def fetch(name: str, folder: Path) -> Path:
    """The locked wheels of a platform."""
    _pip("download", "--require-hashes", *_for(name), "-d", str(folder), "-r", str(LOCK))
    return folder


def install(wheel: Path, packages: Path, name: str, site: Path) -> Path:
    """Everything in one folder, from files alone."""
    locked = ["--no-index", "--find-links", str(packages), "--no-compile", "--target", str(site), *_for(name)]
    _pip("install", "--require-hashes", *locked, "-r", str(LOCK))
    _pip("install", *locked, str(wheel))
    # What pip writes of its own work: the folder of the wheel, for example.
    for path in (*site.glob("*.dist-info/direct_url.json"), *site.glob("*.dist-info/RECORD"), site / ".lock"):
        path.unlink(missing_ok=True)
    shutil.rmtree(site / "bin", ignore_errors=True)
    return site


def _for(name: str) -> list[str]:
    tags = [word for tag in PLATFORMS[name] for word in ("--platform", tag)]
    return ["--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", "3.13", *tags]


def _pip(command: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", command, "-qq", "--disable-pip-version-check", *arguments], check=True)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pack(site: Path, name: str, archive: Path) -> None:
    """The executable zip file: a shebang, __main__.py, and the packages, whose hash names their place in a cache."""
    files = sorted((path.relative_to(site).as_posix(), path) for path in site.rglob("*") if path.is_file())
    content = hashlib.sha256()
    for place, path in files:
        content.update(f"{place}\0{digest(path)}\n".encode())
    main_module = Path(__file__).with_name("zipapp_main.py").read_text()
    main_module = main_module.replace("@BUILT_FOR@", name).replace("@CONTENT@", content.hexdigest()[:32])
    with archive.open("wb") as stream:
        stream.write(_SHEBANG)
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
            _add(packed, "__main__.py", main_module.encode())
            for place, path in files:
                _add(packed, f"site/{place}", path.read_bytes())
    archive.chmod(0o755)


def _add(packed: zipfile.ZipFile, place: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(place, _LONG_AGO)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    packed.writestr(entry, data)


if __name__ == "__main__":
    sys.exit(main())
