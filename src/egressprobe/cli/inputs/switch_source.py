"""What `switch` works with: EKS, the baseline and the state beside it, a terminal, signals, the clock."""

import argparse
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from egressprobe.aws.session import in_region
from egressprobe.aws.updates.eks_updates import ROUTED, EksUpdates
from egressprobe.cli.common.exit_codes import message
from egressprobe.cli.inputs.readiness_source import AccountSources
from egressprobe.cli.inputs.report_file import check_same_cluster
from egressprobe.cli.settings.output import shows_progress
from egressprobe.model.errors import InputError, os_words
from egressprobe.readiness.baseline import file_name, load
from egressprobe.readiness.comparison.comparable import comparable
from egressprobe.readiness.result import LOCAL, Difference, Preflight
from egressprobe.readiness.switching.job import OutputLostError, SwitchJob
from egressprobe.readiness.switching.probes import SourceProbes, difference
from egressprobe.readiness.switching.state import StateFile, state_path
from egressprobe.readiness.switching.truth import read_truth, sentence

_STACK = "stack "


class WallClock:
    """switching.job.SwitchClock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def baseline_path(options: argparse.Namespace) -> Path:
    """Of --baseline, else where preflight saves it."""
    return Path(options.baseline if options.baseline is not None else file_name(options.cluster))


def switch_job(options: argparse.Namespace, most_age: timedelta, wait: timedelta) -> SwitchJob:
    """Raises InputError for a baseline that cannot be trusted; makes no AWS call."""
    path = baseline_path(options)
    baseline = load(path)
    session = in_region(options.region)
    region = session.region_name
    confirm, unasked = _confirmation(options)
    opened = partial(account_sources, options, baseline)
    return SwitchJob(
        baseline=baseline,
        calls=EksUpdates(session, options.cluster),
        probes=SourceProbes(opened, origin=str(path), say=progress),
        store=StateFile(state_path(path)),
        clock=WallClock(),
        say=say,
        confirm=confirm,
        command=lambda token: _command(options.cluster, region, token),
        again=_again(options),
        most_age=most_age,
        wait=wait,
        unasked=unasked,
    )


def say_state_alone(options: argparse.Namespace, error: InputError) -> None:
    """Where a switch cannot be resumed for lack of the baseline: the error, and the true state all the same."""
    say(f"egressprobe: {error}")
    say("to go on, copy the baseline of before the switch to this computer; without it, use egressprobe preflight")
    calls = EksUpdates(in_region(options.region), options.cluster)
    say(f"true state: {sentence(read_truth(calls, datetime.now(UTC)))}")


def account_sources(options: argparse.Namespace, baseline: Preflight) -> AccountSources:
    """Probing as the baseline did, where the options say nothing else. Raises InputError and AwsError."""
    stack, local = options.stack, False
    if stack is None and baseline.probed_from.startswith(_STACK):
        stack = baseline.probed_from.removeprefix(_STACK)
    elif stack is None:
        local = baseline.probed_from == LOCAL
    return AccountSources(options.cluster, options.region, stack=stack, local=local, peer_profiles=options.peer_profile)


def progress(text: str) -> None:
    """A line with the time."""
    say(f"{datetime.now(UTC):%H:%M:%S} {text}")


def _watched(text: str) -> None:
    """Progress, where a person watches."""
    if shows_progress(sys.stderr):
        progress(text)


def _command(cluster: str, region: str, token: str) -> str:
    return shlex.join(
        [
            *("aws", "eks", "update-cluster-config", "--name", cluster),
            *("--resources-vpc-config", f"controlPlaneEgressMode={ROUTED}"),
            *("--client-request-token", token, "--region", region),
        ]
    )


def _again(options: argparse.Namespace) -> str:
    words = ["egressprobe", "switch", "--cluster", options.cluster]
    for option, value in (
        ("--region", options.region),
        ("--profile", options.profile),
        ("--stack", options.stack),
        ("--baseline", options.baseline),
    ):
        words += [option, value] if value else []
    for profile in options.peer_profile:
        words += ["--peer-profile", profile]
    return shlex.join([*words, "--resume"])


def _confirmation(options: argparse.Namespace) -> tuple[Callable[[], bool] | None, str]:
    """Who confirms, and what is said where no one can."""
    if options.dry_run:
        return None, "dry run: nothing is sent"
    if options.confirmed is not None:
        return (lambda: True), ""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        flag = f"--yes-this-is-irreversible {shlex.quote(options.cluster)}"
        return None, f"nothing is sent: this is not a terminal, and {flag} was not given"
    return (lambda: _typed(options.cluster)), ""


def _typed(cluster: str) -> bool:
    """Whether a person types the cluster's name; the end of the input is a no."""
    try:
        sys.stderr.write("Type the cluster's name to switch it: ")
        sys.stderr.flush()
        return sys.stdin.readline().strip() == cluster
    except KeyboardInterrupt:
        sys.stderr.write("\n")  # what follows begins a line
        raise
    except (OSError, ValueError):  # the terminal was closed, or sent what is not text
        return False


def say(text: str) -> None:
    """A line on stderr. Raises OutputLostError where it cannot be written."""
    try:
        message(text)
    except (OSError, ValueError):
        raise OutputLostError from None


@contextmanager
def one_at_a_time(options: argparse.Namespace) -> Iterator[None]:
    """One switch by one baseline; SIGTERM and a closed terminal (SIGHUP) interrupt as Ctrl-C does.

    Raises InputError. The lock is the baseline's, and ends with the process.
    """
    path = baseline_path(options)
    before = {}
    try:
        stream = path.open("rb")
    except (OSError, ValueError) as error:
        words = os_words(error) if isinstance(error, OSError) else "it is not a path"
        raise InputError("--baseline", f"{path} cannot be read: {words}; egressprobe preflight makes one") from None
    with stream:
        _locked(stream.fileno(), path)
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None:
                before[number] = signal.signal(number, _interrupted)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _locked(descriptor: int, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows; EKS itself refuses a second update
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError("--baseline", f"another switch by {path} is running on this computer") from None
    except OSError:  # a file system without locks
        return


def _interrupted(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def verification_of(options: argparse.Namespace) -> Difference:
    """Of `verify`. Raises InputError for the baseline of another cluster, AwsError where the cluster cannot be read."""
    path = baseline_path(options)
    baseline = load(path)
    sources = account_sources(options, baseline)
    probes = SourceProbes(
        lambda: sources, origin=str(path), say=_watched, rounds=options.rounds, seconds=options.seconds
    )
    arn = sources.cluster().arn
    if baseline.cluster.arn != arn:
        raise InputError("--baseline", f"{path} is of {baseline.cluster.arn}, not of {arn}")
    now = probes.measure()
    check_same_cluster(comparable(baseline, str(path)), comparable(now, "now"), force=False)
    return difference(baseline, now, str(path))
