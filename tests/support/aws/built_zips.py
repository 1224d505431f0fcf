"""Artifacts as `make build` leaves them, with a line of code each."""

import zipfile


def write_built_zips(folder):
    for name in ("probe", "planner"):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.writestr("x.py", name)
