"""The results of preflight, verify and diff; their JSON is `egressprobe/preflight/v1` and `egressprobe/diff/v1`.

The matrix is target x subnet x family. A `MatrixCell` has one entry of `rounds` for each round, in their order.
"""

from enum import StrEnum
from typing import Literal

from egressprobe.audit.result import Audit, SubnetColumn
from egressprobe.model.failure import Code
from egressprobe.model.joined_report import Cause, Joined
from egressprobe.model.remedy import RemedySteps
from egressprobe.model.report import Finding, TargetView
from egressprobe.model.struct import CompactStruct
from egressprobe.model.target import Impact, Verdict

PREFLIGHT_SCHEMA = "egressprobe/preflight/v1"
DIFF_SCHEMA = "egressprobe/diff/v1"
# Where the probes ran, and their only subnet, when it was not in the cluster's.
LOCAL = "this computer"


class Decision(StrEnum):
    """Of preflight. UNKNOWN: nothing is broken as far as was seen, but not all was seen."""

    GO = "GO"
    NO_GO = "NO-GO"
    UNKNOWN = "UNKNOWN"


class CheckState(StrEnum):
    """Of one prerequisite, or of one step of the verification."""

    MET = "met"
    NOT_MET = "not met"
    UNKNOWN = "unknown"


class Relation(StrEnum):
    """What a failing row has to do with the switch.

    BY_SWITCH: it would break by the switch (in CUSTOMER_ROUTED mode: it is broken on the switched path). TODAY: it is
    broken today, and the switch does not touch its path.
    """

    BY_SWITCH = "would break by the switch"
    TODAY = "broken today, not by the switch"
    NONE = ""


class ClusterState(CompactStruct, frozen=True):
    """What EKS reports of the cluster. mode: controlPlaneEgressMode, `unknown` where it is not reported.

    update: id of an update that is in progress, `unknown` where the updates could not be read. private_access:
    endpointPrivateAccess, None where it is not reported. unread: what could not be read, in sentences.
    Compared with a baseline: all but status, update and unread.
    """

    name: str
    region: str
    account: str
    arn: str
    status: str
    mode: str
    version: str
    vpc: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    ip_family: str
    update: str = ""
    private_access: bool | None = None
    unread: tuple[str, ...] = ()


class SwitchCheck(CompactStruct, frozen=True):
    """One prerequisite of the switch, or one step of the verification after it.

    id: stable, kebab-case. source: the AWS page that asks for it. code: of the finding that decides it.
    part: a prerequisite decides about the switch; a step of the verification repeats what others have decided.
    """

    id: str
    title: str
    state: CheckState
    summary: str
    code: str = ""
    source: str = ""
    remedy_steps: RemedySteps | None = None
    part: Literal["prerequisite", "verification"] = "prerequisite"


class DecisionReason(CompactStruct, frozen=True):
    """Why the decision is not GO, the most important first. subject: target, subnet, round or check."""

    decision: Decision
    subject: str
    summary: str
    code: str = ""


class MatrixCell(CompactStruct, frozen=True):
    """One target from one subnet by one family (`ipv4`, `ipv6`, empty where no address was known).

    verdict: the worst of the rounds; unknown in a round without a result. code: where some or all calls fail.
    median_ms: of the predicted call, over the rounds that have one (times_ms). configured: the audit's state of the
    path (open, partial, closed, unknown), empty where it was not audited.
    """

    subnet_id: str
    family: str
    verdict: Verdict
    code: Code | None = None
    median_ms: float | None = None
    rounds: tuple[Verdict, ...] = ()
    times_ms: tuple[float, ...] = ()
    configured: str = ""


class MatrixRow(CompactStruct, frozen=True):
    """One target; verdict: the worst of its cells.

    advisory: nothing in the cluster depends on it (the cluster's own issuer), so it warns and never decides.
    """

    target: TargetView
    verdict: Verdict
    impact: Impact
    switch_relevant: bool
    relation: Relation
    cells: tuple[MatrixCell, ...]
    advisory: bool = False


class Preflight(CompactStruct, frozen=True):
    """Everything that decides about the switch.

    probed_from: `stack NAME`, or `this computer`. rounds, seconds: how many in which time. rows: the worst first.
    causes: each with its subnets, over all rounds. safety: findings of discovery, webhook safety among them.
    not_covered: what was not seen, in sentences. joined: the last round whose verdict is the worst, for the details.
    interrupted: by a person, before everything was seen; the decision is then UNKNOWN.
    """

    schema_version: str
    run_id: str
    started_at: str
    duration_ms: float
    version: str
    decision: Decision
    reasons: tuple[DecisionReason, ...]
    cluster: ClusterState
    probed_from: str
    rounds: int
    seconds: float
    checks: tuple[SwitchCheck, ...]
    subnets: tuple[SubnetColumn, ...]
    rows: tuple[MatrixRow, ...]
    causes: tuple[Cause, ...]
    safety: tuple[Finding, ...]
    not_covered: tuple[str, ...]
    audit: Audit | None
    joined: Joined | None
    limits: str = ""
    interrupted: bool = False


class Trend(StrEnum):
    """Of one cell between two reports. SLOWER: median of at least 5 rounds worse by 2x and 50 ms."""

    WORSE = "worse"
    BETTER = "better"
    SLOWER = "slower"
    FASTER = "faster"
    NEW = "new"
    GONE = "gone"
    UNKNOWN = "unknown"
    SAME = "same"


class CellDifference(CompactStruct, frozen=True):
    """One target from one subnet by one family, before and after. None: not there. kind: of the target."""

    target: str
    subnet_id: str
    family: str
    trend: Trend
    impact: Impact
    before: MatrixCell | None
    after: MatrixCell | None
    summary: str = ""
    kind: str = ""


class ReportSide(CompactStruct, frozen=True):
    """One of the two reports that were compared. origin: its file, or `now`."""

    origin: str
    started_at: str
    mode: str
    rounds: int
    verdict: Verdict


class Difference(CompactStruct, frozen=True):
    """`diff`, and `verify` with its checks and the preflight that was made after the switch.

    verdict: fail where a cell is worse, or fails and is new or was unknown, with an effect; unknown where one cannot be
    compared; degraded where one is slower, or worse without an effect; else pass. It is also fail where a check is not
    met, and unknown where one is unknown. checks: prerequisites that were met and are not any more; of `verify` first
    the steps of the verification. differences: all but SAME, the worst first; same: how many
    cells are the same. not_compared: what could not be compared, in sentences.
    """

    schema_version: str
    cluster_name: str
    verdict: Verdict
    before: ReportSide
    after: ReportSide
    differences: tuple[CellDifference, ...]
    same: int
    cluster_changes: tuple[str, ...] = ()
    checks: tuple[SwitchCheck, ...] = ()
    causes: tuple[Cause, ...] = ()
    now: Preflight | None = None
    not_compared: tuple[str, ...] = ()
