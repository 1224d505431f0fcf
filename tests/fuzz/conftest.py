"""The fixture `fuzz`: seeds that failed before, then new ones until the time is up."""

import os
import random
import sys
import time
from pathlib import Path

import pytest

from tests.support.cpu_time import within_seconds

SEEDS = Path(__file__).parent / "seeds"
_DEFAULT_SECONDS = 0.5  # of each class in `make test`


def seconds_each(session):
    """EGRESSPROBE_FUZZ_SECONDS is for each class; EGRESSPROBE_FUZZ_TOTAL is shared among all classes of the run."""
    total = os.environ.get("EGRESSPROBE_FUZZ_TOTAL")
    if total:
        classes = sum("fuzz" in getattr(item, "fixturenames", ()) for item in session.items)
        return float(total) / max(classes, 1)
    return float(os.environ.get("EGRESSPROBE_FUZZ_SECONDS", _DEFAULT_SECONDS))


class Fuzzer:
    """Repeats one check. `inputs` counts what was tried; folder: where seeds are kept."""

    def __init__(self, name, seconds, folder=SEEDS, record=lambda *_: None):
        self.inputs = 0
        self._name, self._seconds, self._path, self._record = name, seconds, folder / name, record

    def __call__(self, check, *, most_seconds=None):
        """Run `check(random)` for each kept seed, then for new seeds. most_seconds: limit of CPU time of one input."""
        began = time.monotonic()
        known = [int(line.split()[0]) for line in self._path.read_text().splitlines()] if self._path.exists() else []
        for seed in known:
            self._try(check, seed, most_seconds)
        # `make fuzz` looks for what is new; `make test` and `make check` try the same inputs each time.
        source = random.SystemRandom() if "EGRESSPROBE_FUZZ_SECONDS" in os.environ else random.Random(self._name)
        while time.monotonic() < began + self._seconds or self.inputs <= len(known):
            seed = source.getrandbits(32)
            try:
                self._try(check, seed, most_seconds)
            except BaseException:
                self._keep(seed)
                raise
        self._record("said", f"fuzz {self._name}: {self.inputs} inputs in {time.monotonic() - began:.1f} s")

    def _try(self, check, seed, most_seconds):
        self.inputs += 1
        try:
            if most_seconds is None:
                check(random.Random(seed))
            else:
                within_seconds(most_seconds, lambda: check(random.Random(seed)))
        except BaseException as error:
            error.add_note(f"fuzz {self._name}: seed {seed}, input {self.inputs}")
            raise

    def _keep(self, seed):
        self._path.parent.mkdir(exist_ok=True)
        with self._path.open("a") as file:
            file.write(f"{seed}\n")
        print(f"seed {seed} is kept in {self._path}", file=sys.stderr)


@pytest.fixture
def fuzz(request, record_property):
    name = request.node.name.removeprefix("test_")
    return Fuzzer(name, seconds_each(request.session), record=record_property)
