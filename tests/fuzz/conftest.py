"""The fixture `fuzz`: seeds that failed before, then others."""

import os
import random
import sys
import time
from pathlib import Path

import pytest

from tests.support.cpu_time import within_seconds

SEEDS = Path(__file__).parent / "seeds"


class Fuzzer:
    """Repeats one check. `inputs` counts what was tried.

    seconds: how long new inputs are tried, another one each time; None: the same inputs in each run, as many as the
    class names, `times` that number. folder: where seeds are kept.
    """

    def __init__(self, name, *, seconds=None, times=1, folder=SEEDS, record=lambda *_: None):
        self.inputs = 0
        self._name, self._seconds, self._times = name, seconds, times
        self._path, self._record = folder / name, record

    def __call__(self, check, *, inputs, most_seconds=None):
        """Run `check(random)` for each kept seed, then for others.

        inputs: how many others in `make test`, about 0.3 s of them. most_seconds: limit of CPU time of one input.
        """
        began = time.monotonic()
        known = [int(line.split()[0]) for line in self._path.read_text().splitlines()] if self._path.exists() else []
        for seed in known:
            self._try(check, seed, most_seconds)
        for seed in self._seeds(began, inputs):
            try:
                self._try(check, seed, most_seconds)
            except BaseException:
                self._keep(seed)
                raise
        self._record("said", f"fuzz {self._name}: {self.inputs} inputs in {time.monotonic() - began:.1f} s")

    def _seeds(self, began, inputs):
        if self._seconds is None:
            source = random.Random(self._name)
            yield from (source.getrandbits(32) for _ in range(inputs * self._times))
            return
        source = random.SystemRandom()
        yield source.getrandbits(32)
        while time.monotonic() < began + self._seconds:
            yield source.getrandbits(32)

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
    """EGRESSPROBE_FUZZ_SECONDS: of new inputs for each class. EGRESSPROBE_FUZZ_TIMES: of the number of a class."""
    seconds, times = os.environ.get("EGRESSPROBE_FUZZ_SECONDS"), os.environ.get("EGRESSPROBE_FUZZ_TIMES", "1")
    name = request.node.name.removeprefix("test_")
    return Fuzzer(name, seconds=float(seconds) if seconds else None, times=int(times), record=record_property)
