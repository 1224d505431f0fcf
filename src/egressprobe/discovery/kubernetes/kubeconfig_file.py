"""Kubeconfig files as kubectl reads them: typed, merged, and of one context checked. No message shows a secret.

As k8s.io/client-go/tools/clientcmd v0.36: api/v1/types.go and conversion.go (types, names that are there twice),
loader.go Load (KUBECONFIG lists several files; the first that has a name wins) and ResolveLocalPaths (a path is
relative to the file that has it, and `~` is not special), validation.go ConfirmUsable. Types are strict: a boolean in
quotes is refused, as encoding/json refuses it; null is as if the key were not there. Keys that are not known are
ignored.
"""

import base64
import binascii
import re
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from egressprobe.model.errors import InputError, short
from egressprobe.targets.decode import convert
from egressprobe.targets.file import read_file

PLACE = "--kubeconfig"
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def _auth_key(name: str) -> str:
    return {"token_file": "tokenFile", "user_as": "as"}.get(name, name.replace("_", "-"))


class ClusterEntry(msgspec.Struct, rename="kebab"):
    """Where the API server is, and how it is recognized."""

    server: str = ""
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    proxy_url: str = ""
    disable_compression: bool = False
    extensions: list["_Extension"] = []


class _Extension(msgspec.Struct):
    name: str = ""
    extension: Any = None


class _Variable(msgspec.Struct):
    name: str = ""
    value: str = ""


class ExecEntry(msgspec.Struct, rename="camel"):
    """A credential plugin."""

    command: str = ""
    args: list[str] = []
    env: list[_Variable] = []
    api_version: str = ""
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = ""

    def __repr__(self) -> str:
        return f"ExecEntry({self.command!r})"


class _AuthProvider(msgspec.Struct):
    name: str = ""
    config: dict[str, str] = {}


class UserEntry(msgspec.Struct, rename=_auth_key):
    """Who asks."""

    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    token: str = ""
    token_file: str = ""
    user_as: str = ""
    as_uid: str = ""
    as_groups: list[str] = []
    as_user_extra: dict[str, list[str]] = {}
    username: str = ""
    password: str = ""
    auth_provider: _AuthProvider | None = None
    exec: ExecEntry | None = None

    def __repr__(self) -> str:
        return "UserEntry()"


class _ContextEntry(msgspec.Struct):
    cluster: str = ""
    user: str = ""
    namespace: str = ""


class _NamedClusterEntry(msgspec.Struct):
    name: str = ""
    cluster: ClusterEntry = msgspec.field(default_factory=ClusterEntry)


class _NamedUser(msgspec.Struct):
    name: str = ""
    user: UserEntry = msgspec.field(default_factory=UserEntry)


class _NamedContext(msgspec.Struct):
    name: str = ""
    context: _ContextEntry = msgspec.field(default_factory=_ContextEntry)


class _Config(msgspec.Struct, rename="kebab"):
    api_version: str = msgspec.field(name="apiVersion", default="")
    kind: str = ""
    current_context: str = ""
    clusters: list[_NamedClusterEntry] = []
    users: list[_NamedUser] = []
    contexts: list[_NamedContext] = []
    preferences: dict[str, Any] = {}
    extensions: list["_Extension"] = []


class ChosenContext(NamedTuple):
    """One context: its cluster and user, each with the folder that its relative paths are in."""

    cluster: ClusterEntry
    cluster_home: Path
    user: UserEntry
    user_home: Path


class MergedConfig(NamedTuple):
    """Several files as one; clusters and users with the folder of their file."""

    contexts: dict[str, _ContextEntry]
    clusters: dict[str, tuple[ClusterEntry, Path]]
    users: dict[str, tuple[UserEntry, Path]]
    current: str
    is_empty: bool


def read_files(paths: list[Path]) -> MergedConfig:
    """The merged files. is_empty: api/helpers.go IsConfigEmpty. Raises InputError."""
    contexts: dict[str, _ContextEntry] = {}
    clusters: dict[str, tuple[ClusterEntry, Path]] = {}
    users: dict[str, tuple[UserEntry, Path]] = {}
    current, more = "", False
    for path in paths:
        config = _read(path)
        home = path.absolute().parent
        current = current or config.current_context
        more = more or bool(config.extensions) or any(config.preferences.values())
        for name, entry in _by_name(path, "contexts", config.contexts, "context").items():
            contexts.setdefault(name, entry)
        for name, entry in _by_name(path, "clusters", config.clusters, "cluster").items():
            clusters.setdefault(name, (entry, home))
        for name, entry in _by_name(path, "users", config.users, "user").items():
            users.setdefault(name, (entry, home))
    return MergedConfig(contexts, clusters, users, current, not (contexts or clusters or users or current or more))


def choose(config: MergedConfig, paths: list[Path], context: str | None) -> ChosenContext:
    """The `context`, by default the current one. paths: for messages. Raises InputError."""
    contexts, clusters, users, current, _ = config
    name = context or current
    if not name:
        files = ", ".join(str(path) for path in paths)
        raise InputError(PLACE, f"{files} has no current-context; name one with --context")
    chosen = _named("context", contexts, name)
    if chosen.namespace and not _DNS_LABEL.fullmatch(chosen.namespace):
        raise InputError(PLACE, f'the namespace of the context "{short(name)}" is not a DNS label (RFC 1123)')
    for part in ("user", "cluster"):
        if not getattr(chosen, part):
            raise InputError(PLACE, f'the context "{short(name)}" names no {part}')
    return ChosenContext(*_named("cluster", clusters, chosen.cluster), *_named("user", users, chosen.user))


def _read(path: Path) -> _Config:
    """Raises InputError where kubectl would not decode it, whether or not the wrong entry is used."""
    document = _without_nulls(read_file(str(path), repeated_keys=True))
    if document is None:  # an empty file
        return _Config()
    if not isinstance(document, dict):
        raise InputError(PLACE, f"{path} is not a kubeconfig")
    try:
        config = convert(document, _Config, "")
    except InputError as error:
        raise InputError(PLACE, f"{path}: {error}") from None
    if config.kind not in ("", "Config") or config.api_version not in ("", "v1"):
        raise InputError(PLACE, f"{path} is not a kubeconfig: it must be apiVersion v1, kind Config")
    for i, cluster in enumerate(config.clusters):
        decoded(cluster.cluster.certificate_authority_data, f"{path}: clusters[{i}].cluster.certificate-authority-data")
    for i, user in enumerate(config.users):
        decoded(user.user.client_certificate_data, f"{path}: users[{i}].user.client-certificate-data")
        decoded(user.user.client_key_data, f"{path}: users[{i}].user.client-key-data")
    return config


def _without_nulls(value: Any) -> Any:
    """As encoding/json decodes null: the key keeps its zero value, an element of a list is an empty object."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [{} if item is None else _without_nulls(item) for item in value]
    return value


def _by_name(path: Path, plural: str, entries: list[Any], field: str) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for entry in entries:
        if entry.name in named:
            raise InputError(PLACE, f'{path}: {plural} has the name "{short(entry.name)}" twice')
        named[entry.name] = getattr(entry, field)
    return named


def _named[T](what: str, entries: dict[str, T], name: str) -> T:
    if name not in entries:
        known = ", ".join(short(other) for other in entries) or "none"
        raise InputError(PLACE, f'there is no {what} "{short(name)}"; there are: {known}')
    return entries[name]


def decoded(data: str, place: str) -> bytes:
    """A []byte of encoding/json: standard base64 with padding, of which Go's decoder skips line ends."""
    try:
        return base64.b64decode(data.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        raise InputError(PLACE, f"{place} is not base64") from None
