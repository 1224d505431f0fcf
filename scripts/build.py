"""Build the Probe's artifact: its locked requirements and its code, compiled ahead.

`unchecked-hash` bytecode is loaded without a look at the source: imports of a cold start take a third less.
The lab and the command line stay out.
"""

import compileall
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "build" / "probe"
LEFT_OUT = shutil.ignore_patterns("__pycache__", "lab", "cli.py", "__main__.py", "targetsfile.py", "py.typed")


def main() -> int:
    shutil.rmtree(TARGET, ignore_errors=True)
    install = ["-m", "pip", "install", "-qq", "--no-compile", "--require-hashes", "--no-deps", "--target", str(TARGET)]
    subprocess.run([sys.executable, *install, "-r", str(ROOT / "src" / "requirements.txt")], check=True)
    shutil.copytree(ROOT / "src" / "egressprobe", TARGET / "egressprobe", ignore=LEFT_OUT)
    for junk in (TARGET / "bin", *TARGET.rglob("__pycache__")):
        shutil.rmtree(junk, ignore_errors=True)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    if not compileall.compile_dir(TARGET, quiet=1, invalidation_mode=mode):
        return 1
    size = sum(path.stat().st_size for path in TARGET.rglob("*") if path.is_file())
    print(f"build/probe: {size / 1e6:.1f} MB unpacked")
    (TARGET / ".ready").touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
