"""Every error that can be recognised, in the order of how much it says of its phase."""

from egressprobe.error_texts import calls, http, network, oidc, services, tls
from egressprobe.error_texts.template import ErrorText

# What names its phase comes before what does not.
CAUSES: tuple[ErrorText, ...] = (
    *(services.ROWS),
    *(oidc.ROWS),
    *(tls.ROWS),
    *(network.ROWS),
    *(http.ROWS),
    *(calls.ROWS),
)
