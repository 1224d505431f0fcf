"""The bound on requests of a region: spaced evenly, whoever sends them."""

import threading

import pytest

from egressprobe.aws.fleet.read_rate import ReadRate, bounded_session
from tests.support.aws.fake_aws import ENVIRONMENT, aws


class Time:
    def __init__(self):
        self.now, self.sleeps = 100.0, []

    def sleep(self, seconds):
        self.sleeps.append(seconds)
        self.now += seconds


def test_requests_are_spaced_evenly():
    time = Time()
    rate = ReadRate(10.0, now=lambda: time.now, sleep=time.sleep)
    for _ in range(30):
        rate.wait()
    assert round(time.now - 100.0, 6) == 2.9


def test_a_pause_is_not_saved_up():
    """After a minute of silence the next requests are spaced as any others."""
    time = Time()
    rate = ReadRate(10.0, now=lambda: time.now, sleep=time.sleep)
    rate.wait()
    time.now += 60.0
    for _ in range(3):
        rate.wait()
    assert [round(seconds, 6) for seconds in time.sleeps] == [0.0, 0.0, 0.1, 0.1]


def test_threads_share_it():
    """Each gets a time of its own."""
    waits = []
    rate = ReadRate(10.0, now=lambda: 0.0, sleep=waits.append)
    threads = [threading.Thread(target=rate.wait) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(round(wait, 6) for wait in waits) == [round(n / 10, 6) for n in range(20)]


@pytest.mark.thorough
def test_every_attempt_waits_and_throttling_is_repeated(monkeypatch):
    """By botocore; each attempt counts."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    waited, refusals = [], [(503, "RequestLimitExceeded")] * 2
    with aws() as cloud:
        monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
        cloud.before = lambda _: refusals.pop() if refusals else None
        rate = ReadRate(1e6, sleep=waited.append)
        monkeypatch.setattr("time.sleep", lambda _: None)
        ec2 = bounded_session("eu-west-1", rate).client("ec2")
        assert len(ec2.describe_vpcs()["Vpcs"]) == 1
    assert len(waited) == 3
    assert (ec2.meta.config.connect_timeout, ec2.meta.config.retries["total_max_attempts"]) == (5, 8)
