"""One target as the rules of diagnosis see it. Pure."""

from typing import NamedTuple

from egressprobe.apiserver.authentication import Refusing
from egressprobe.apiserver.client_rules import Client
from egressprobe.apiserver.forecast import Prediction
from egressprobe.model.measurement import Measurement
from egressprobe.model.report import Availability, Forecast
from egressprobe.model.target import Target


class Neighbours(NamedTuple):
    """What one target's diagnosis needs to know of the run.

    control: another target connected from here; control_by_name: one whose name was resolved by DNS.
    issuers: unknown ones, each signing for unrelated targets.
    misplaced: the probe is not where the control plane is, so that nothing measured says anything of the cluster.
    """

    control: bool = False
    control_by_name: bool = False
    issuers: frozenset[str] = frozenset()
    misplaced: bool = False


class Case(NamedTuple):
    """prediction: None where it depends on something that was not measured. available: of an APIService only.

    measured: attempts that were refused only for lack of the API server's credentials have no failure in it; refusing
    has them.
    """

    target: Target
    measured: Measurement
    prediction: Prediction | None
    client: Client
    others: Neighbours
    available: Availability | None = None
    refusing: tuple[Refusing, ...] = ()

    @property
    def forecast(self) -> Forecast | None:
        return self.prediction.forecast if self.prediction else None
