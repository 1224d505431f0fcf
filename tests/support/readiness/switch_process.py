"""`egressprobe` in a process of its own: EKS is at AWS_ENDPOINT_URL_EKS, the sources are scripted, waiting is short."""

import sys

from egressprobe.cli.inputs import switch_source
from egressprobe.cli.main import main
from egressprobe.readiness.switching import follow, probes, request
from tests.support.readiness.scripted import scripted_sources

if __name__ == "__main__":
    follow._EVERY = request._EVERY = 0.05
    request._LISTED_WITHIN = 0.3
    switch_source.AccountSources = scripted_sources
    probes.SourceProbes.__init__.__kwdefaults__["seconds"] = 0.0
    sys.exit(main())
