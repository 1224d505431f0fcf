"""The input of `audit` and `whatif`: a cluster by name, or a snapshot in a file; and the audit of it."""

import threading
from pathlib import Path
from typing import Any, NamedTuple

from egressprobe.audit.paths.destinations import hosts_of
from egressprobe.audit.resolve_names import with_names
from egressprobe.audit.result import Audit
from egressprobe.audit.run import audit
from egressprobe.audit.vpc.snapshot import VpcSnapshot, from_json, to_json
from egressprobe.aws.eks import Cluster
from egressprobe.aws.session import NamedCluster, by_name, by_profile
from egressprobe.aws.vpc_snapshot import read_snapshot, readers
from egressprobe.catalog.findings_cluster import NETWORKS_UNREADABLE
from egressprobe.catalog.registry import FINDINGS
from egressprobe.cli.common.parser import did_you_mean
from egressprobe.cli.inputs.names import targets_named, with_impact
from egressprobe.discovery.issuers import issuer_targets
from egressprobe.model.errors import InputError, os_words, short
from egressprobe.model.report import Finding
from egressprobe.model.target import TARGETS_SCHEMA, Target
from egressprobe.targets.lines import read_targets
from egressprobe.targets.plan import read_plan

_MAX_SNAPSHOT = 64 * 1024 * 1024


class AuditSource(NamedTuple):
    """beside: findings of reading the cluster itself."""

    snapshot: VpcSnapshot
    targets: tuple[Target, ...]
    beside: tuple[Finding, ...] = ()


def read_audit(
    *,
    cluster: str | None,
    region: str | None,
    peer_profiles: list[str],
    snapshot: str | None,
    save: str | None,
    targets: str | None,
    skip: list[str],
    names: list[str] | None = None,
    stop: threading.Event | None = None,
) -> Audit:
    """Raises InputError and AwsError; a part that cannot be read is a finding.

    stop: once it is set nothing more is read from AWS, and nothing is saved.
    """
    skipped = codes(skip)
    source = read_source(
        cluster=cluster,
        region=region,
        peer_profiles=peer_profiles,
        snapshot=snapshot,
        targets=targets,
        names=names,
        stop=stop,
    )
    if save is not None and not (stop and stop.is_set()):
        _save(save, source.snapshot)
    try:
        return audit(source.snapshot, source.targets, skipped, source.beside)
    except ValueError as error:
        raise InputError(snapshot or "the VPC", str(error)) from None


def read_source(
    *,
    cluster: str | None,
    region: str | None,
    peer_profiles: list[str],
    snapshot: str | None,
    targets: str | None,
    names: list[str] | None = None,
    stop: threading.Event | None = None,
) -> AuditSource:
    """With the addresses of the targets' names. names: globs of those to audit. Raises InputError and AwsError."""
    if (cluster is None) == (snapshot is None):
        raise InputError("", "give one of --cluster NAME and --snapshot FILE")
    if peer_profiles and cluster is None:
        raise InputError("--peer-profile", "needs --cluster: a snapshot already has what was read")
    given = read_targets(targets).read(read_plan).targets if targets else ()
    if snapshot is not None:
        source = AuditSource(_read(snapshot), given)
    else:
        assert cluster is not None  # noqa: S101
        source = _of_cluster(cluster, region, peer_profiles, given, stop)
    wanted = tuple(map(with_impact, targets_named(source.targets, names or [])))
    return source._replace(targets=wanted, snapshot=with_names(source.snapshot, hosts_of(wanted)))


def codes(skip: list[str]) -> list[str]:
    """Of --skip. Raises InputError for one that is not a finding."""
    listed = [word.strip().upper() for text in skip for word in text.split(",") if word.strip()]
    for code in listed:
        if code not in FINDINGS:
            hint = did_you_mean(code, list(FINDINGS)) or "; egressprobe explain lists them all"
            raise InputError("--skip", f'"{short(code)}" is not a finding{hint}')
    return listed


def _read(name: str) -> VpcSnapshot:
    path = Path(name)
    try:
        if path.stat().st_size > _MAX_SNAPSHOT:
            raise InputError(
                name, f"is larger than {_MAX_SNAPSHOT // 1024 // 1024} MB, which is not a snapshot of one VPC"
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputError(name, f"cannot be read: {os_words(error)}") from None
    try:
        return from_json(data)
    except ValueError as error:
        raise InputError(name, f"is not a snapshot: {error}") from None


def _save(name: str, snapshot: VpcSnapshot) -> None:
    """Readable by its owner only: it shows how to get into a network."""
    path = Path(name)
    try:
        path.touch(mode=0o600)
        path.write_bytes(to_json(snapshot))
    except OSError as error:
        raise InputError("--save", f"{name} cannot be written: {os_words(error)}") from None


def _of_cluster(
    name: str,
    region: str | None,
    peer_profiles: list[str],
    given: tuple[Target, ...],
    stop: threading.Event | None,
) -> AuditSource:
    """Without targets: the issuers that EKS names."""
    named = by_name(name, region)
    targets = given or _issuers(named.cluster, named.around.providers or [])
    return of_named_cluster(named, peer_profiles, targets, stop)


def of_named_cluster(
    named: NamedCluster,
    peer_profiles: list[str],
    targets: tuple[Target, ...],
    stop: threading.Event | None = None,
) -> AuditSource:
    """Reads the VPC now; the targets' names have no addresses yet. Raises InputError and AwsError."""
    session, surroundings, cluster = named
    peers = [by_profile(profile, session.region_name) for profile in peer_profiles]
    snapshot = read_snapshot(readers(session, peers), cluster, region=session.region_name, stop=stop)
    beside = tuple(finding for finding in surroundings.findings if finding.code != NETWORKS_UNREADABLE.code)
    return AuditSource(snapshot, targets, beside)


def _issuers(cluster: Cluster, providers: list[Any]) -> tuple[Target, ...]:
    raw = issuer_targets(cluster, providers)
    return read_plan({"schemaVersion": TARGETS_SCHEMA, "targets": raw}).targets if raw else ()
