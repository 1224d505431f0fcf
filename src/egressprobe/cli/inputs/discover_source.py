"""Discovery from where a person sits: by cluster name, by kubeconfig, or from recorded lists."""

import asyncio
import os
from pathlib import Path
from typing import Any, NamedTuple

from egressprobe.aws.cluster import Surroundings
from egressprobe.aws.eks import Cluster, described, facts
from egressprobe.aws.session import NamedCluster, by_name
from egressprobe.cli.inputs.interruption import InterruptibleLists
from egressprobe.discovery.issuers import with_issuers
from egressprobe.discovery.kubelets import NodeNetwork, networks_of
from egressprobe.discovery.kubernetes.api_server import ApiServer, proxy_of_environment
from egressprobe.discovery.kubernetes.client import KubernetesSource
from egressprobe.discovery.kubernetes.eks_token import Credentials, tokens
from egressprobe.discovery.kubernetes.in_cluster import is_possible as in_pod
from egressprobe.discovery.kubernetes.kubeconfig import api_server, default_paths
from egressprobe.discovery.kubernetes.recorded import RecordedSource
from egressprobe.discovery.run import collect
from egressprobe.golang.x509.ca_bundle import cluster_anchors
from egressprobe.model.discovered import Discovered
from egressprobe.model.errors import AwsError, InputError, short
from egressprobe.net.guard import Guard, forbidden
from egressprobe.net.urls import shown
from egressprobe.targets.file import read_file


class Discovery(NamedTuple):
    """facts: of the cluster, for the head of a targets file. origin: what was read, in words.

    interrupted: by Ctrl-C; the lists that were not read by then are in `discovered.unread`.
    """

    discovered: Discovered
    facts: dict[str, Any]
    origin: str
    interrupted: bool = False


def discover(
    *,
    cluster: str | None,
    region: str | None,
    kubeconfig: str | None,
    context: str | None,
    folder: str | None,
    seconds: float,
) -> Discovery:
    """By one of the three, or else as kubectl: by its own kubeconfig, or in a pod by the pod's service account.

    Trouble with a part is a finding. Raises InputError and AwsError.
    """
    sources = [source for source in (cluster, kubeconfig, folder) if source is not None]
    paths = [Path(kubeconfig)] if kubeconfig is not None else default_paths()
    if len(sources) > 1 or not (sources or paths or in_pod()):
        without = f"{_missing_kubeconfig()}, and this is no pod; " if not sources else ""
        raise InputError("", f"{without}give one of --cluster NAME, --kubeconfig FILE and --from DIR")
    if context is not None and (cluster is not None or folder is not None):
        raise InputError("--context", "goes with a kubeconfig only, not with --cluster or --from")
    if folder is not None:
        return _recorded(Path(folder))
    if cluster is not None:
        return _by_cluster(cluster, region, seconds)
    return _by_kubeconfig(paths, context, seconds)


def _missing_kubeconfig() -> str:
    """Why kubectl's own kubeconfig is not there."""
    named = os.environ.get("KUBECONFIG")
    return f'KUBECONFIG is "{short(named)}": no such file' if named else "no kubeconfig is there (~/.kube/config)"


def _recorded(folder: Path) -> Discovery:
    """With cluster.json, an answer of DescribeCluster, the cluster's issuer is among the targets."""
    source = RecordedSource(folder)
    cluster = _recorded_cluster(folder / "cluster.json")
    discovered = asyncio.run(collect(source, networks_of({}, cluster.remote if cluster else ())))
    discovered = with_issuers(discovered, Surroundings(cluster, None, {}, []))
    return Discovery(discovered, facts(cluster) if cluster else {}, str(folder))


def _recorded_cluster(path: Path) -> Cluster | None:
    if not path.exists():
        return None
    response = read_file(str(path))
    if not isinstance(response, dict) or not isinstance(response.get("cluster"), dict):
        raise InputError(str(path), "is not the output of aws eks describe-cluster")
    return described(response["cluster"])


def _by_kubeconfig(paths: list[Path], context: str | None, seconds: float) -> Discovery:
    with api_server(paths, context) as server:
        # A person's own file may name a tunnel on this computer.
        discovered, interrupted = asyncio.run(_read(server, [], None, seconds, guard=lambda _: None))
    return Discovery(discovered, {}, shown(server.url), interrupted)


async def _read(
    server: ApiServer,
    networks: list[NodeNetwork],
    pod_networks: list[NodeNetwork] | None,
    seconds: float,
    *,
    guard: Guard,
) -> tuple[Discovered, bool]:
    """What the API server lists, and whether Ctrl-C ended the reading."""
    lists = InterruptibleLists(KubernetesSource(server, seconds=seconds, guard=guard))
    with lists.until_interrupt():
        return await collect(lists, networks, pod_networks), lists.interrupted


def _by_cluster(name: str, region: str | None, seconds: float) -> Discovery:
    named = by_name(name, region)
    session, _, cluster = named
    origin = f"{name} ({session.region_name}, egress {cluster.mode})"
    discovered, interrupted = _of_named_cluster(named, seconds)
    return Discovery(discovered, facts(cluster), origin, interrupted)


def of_named_cluster(named: NamedCluster, seconds: float) -> Discovered:
    """What the API server and EKS list, with the AWS profile's identity. Raises AwsError, KeyboardInterrupt."""
    discovered, interrupted = _of_named_cluster(named, seconds)
    if interrupted:
        raise KeyboardInterrupt
    return discovered


def _of_named_cluster(named: NamedCluster, seconds: float) -> tuple[Discovered, bool]:
    session, around, cluster = named

    def credentials() -> Credentials:
        profile = session.get_credentials()
        if profile is None:
            raise AwsError("there are no AWS credentials; set a profile or log in")
        frozen = profile.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    if not cluster.endpoint:
        raise AwsError(f"the cluster {cluster.name} is {cluster.status} and has no endpoint yet")
    try:
        anchors = cluster_anchors(cluster.authority)
    except ValueError as error:
        raise AwsError(str(error)) from None
    token = tokens(credentials, region=session.region_name, cluster=cluster.name)
    server = ApiServer(cluster.endpoint, anchors, token, proxy=proxy_of_environment(cluster.endpoint))
    networks, pods = networks_of(around.networks, cluster.remote), networks_of({}, cluster.remote_pods)
    discovered, interrupted = asyncio.run(_read(server, networks, pods, seconds, guard=forbidden))
    return with_issuers(discovered, around), interrupted
