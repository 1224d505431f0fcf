"""`__main__.py` of the single file: unpack its packages once into the user's cache, then run the command from there.

Compiled packages (cryptography, msgspec) cannot be imported from a zip file. This file must parse on any Python 3, so
that an old one gets a line and not a SyntaxError. BUILT_FOR and CONTENT are filled in by dist.py.
"""

import os
import sys
import sysconfig

NEEDS = (3, 13)
BUILT_FOR = "@BUILT_FOR@"
CONTENT = "@CONTENT@"


def main():
    if sys.version_info[:2] != NEEDS:
        wanted, have = ("%d.%d" % version for version in (NEEDS, sys.version_info[:2]))
        return refuse("needs Python %s, this is %s: python%s %s ..." % (wanted, have, wanted, sys.argv[0]))
    here = sysconfig.get_platform()
    system, machine = BUILT_FOR.split("-")
    if not here.startswith(system) or machine not in here.replace("aarch64", "arm64"):
        return refuse("this file is for %s, and this is %s" % (BUILT_FOR, here))
    with unpacked() as folder:
        sys.path.insert(0, folder)
        from egressprobe.__main__ import start

        return start()


def refuse(why):
    sys.stderr.write("egressprobe: %s\n" % why)
    return 2


def unpacked():
    """A context manager: the folder with the packages, in the cache, or a temporary one where that is not possible."""
    import contextlib
    import tempfile

    base = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "egressprobe")
    folder = os.path.join(base, CONTENT)
    try:
        os.makedirs(base, 0o700, exist_ok=True)
        if not os.path.isdir(folder):
            trial = tempfile.mkdtemp(dir=base)
            extract(trial)
            try:
                os.rename(trial, folder)
            except OSError:  # another process was first
                import shutil

                shutil.rmtree(trial, ignore_errors=True)
        found = os.stat(folder)
        if found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise OSError("others may write to it")
    except OSError:
        return extracted_for_now()
    return contextlib.nullcontext(folder)


def extracted_for_now():
    import contextlib
    import tempfile

    @contextlib.contextmanager
    def folder():
        with tempfile.TemporaryDirectory(prefix="egressprobe-") as name:
            extract(name)
            yield name

    return folder()


def extract(folder):
    import zipfile

    with zipfile.ZipFile(os.path.dirname(os.path.abspath(__file__))) as packed:
        for entry in packed.infolist():
            if entry.filename.startswith("site/"):
                entry.filename = entry.filename[len("site/") :]
                packed.extract(entry, folder)


if __name__ == "__main__":
    sys.exit(main())
