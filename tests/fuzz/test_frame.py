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
        Fuzzer("demo", 5.0, tmp_path)(check)
    [seed] = (tmp_path / "demo").read_text().split()
    again = Fuzzer("demo", 5.0, tmp_path)
    with pytest.raises(AssertionError) as caught:
        again(check)
    assert again.inputs == 1
    assert seed in caught.value.__notes__[0]


def test_an_input_that_costs_too_much_fails(tmp_path):
    """The limit is CPU time, so a busy machine does not fail it."""

    def slow(_):
        end = time.thread_time() + 0.01
        while time.thread_time() < end:
            pass

    with pytest.raises(AssertionError, match="of CPU"):
        Fuzzer("slow", 1.0, tmp_path)(slow, most_seconds=0.001)


def test_at_least_one_input_is_tried(tmp_path):
    """Also with no time at all."""
    fuzzer = Fuzzer("short", 0.0, tmp_path)
    fuzzer(lambda random: random.random())
    assert fuzzer.inputs == 1


def test_no_input_changes_what_later_ones_are_made_of():
    """A document that is one of the shared values is a copy of it."""
    before, generator = json.dumps(VALUES), random.Random(1)
    for _ in range(20_000):
        odd_discovery(generator)
    assert json.dumps(VALUES) == before
