"""The frame itself: it finds, keeps and repeats a failing input."""

import json
import random
import time

import pytest

from tests.fuzz.conftest import Fuzzer
from tests.support.mutations import VALUES
from tests.support.peers.oidc_documents import odd_discovery


def test_a_failing_seed_is_kept_and_tried_first(tmp_path):
    """A check that fails for one input in eight fails, and fails again at once with the kept seed."""

    def check(random):
        assert random.randrange(8)

    with pytest.raises(AssertionError):
        Fuzzer("demo", folder=tmp_path)(check, inputs=1000)
    [seed] = (tmp_path / "demo").read_text().split()
    again = Fuzzer("demo", folder=tmp_path)
    with pytest.raises(AssertionError) as caught:
        again(check, inputs=1000)
    assert again.inputs == 1
    assert seed in caught.value.__notes__[0]


def test_an_input_that_costs_too_much_fails(tmp_path):
    """The limit is CPU time, so a busy machine does not fail it."""

    def slow(_):
        end = time.thread_time() + 0.01
        while time.thread_time() < end:
            pass

    with pytest.raises(AssertionError, match="of CPU"):
        Fuzzer("slow", folder=tmp_path)(slow, inputs=1, most_seconds=0.001)


def test_each_run_tries_the_same_inputs(tmp_path):
    """As many as the class names, whatever the machine's speed; `make check` goes on where `make test` ends."""
    runs = []
    for times in (1, 1, 6):
        tried = []
        Fuzzer("same", times=times, folder=tmp_path)(
            lambda random, tried=tried: tried.append(random.random()), inputs=10
        )
        runs.append(tried)
    assert runs[0] == runs[1] == runs[2][:10]
    assert len(set(runs[2])) == 60


def test_for_a_time_new_inputs_are_tried(tmp_path):
    """At least one, also with no time at all; others in each run."""
    tried = []
    for seconds in (0.0, 0.05):
        fuzzer = Fuzzer("short", seconds=seconds, folder=tmp_path)
        fuzzer(lambda random: tried.append(random.random()), inputs=1)
        assert fuzzer.inputs >= 1
    assert len(set(tried)) == len(tried) >= 2


def test_no_input_changes_what_later_ones_are_made_of():
    """A document that is one of the shared values is a copy of it."""
    before, generator = json.dumps(VALUES), random.Random(1)
    for _ in range(20_000):
        odd_discovery(generator)
    assert json.dumps(VALUES) == before
