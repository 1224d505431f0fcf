"""A client certificate is presented to the server it was configured for, and to no other."""

import pytest

from egressprobe.probe.transport.tls_context import CLIENT_CERTIFICATE, Offer, context


@pytest.mark.parametrize("verify", [True, False])
def test_a_client_certificate_stays_with_its_own_context(verify):
    """Contexts are kept for the process: one with a client certificate is shared with no other bundle."""
    own = context(f"bundle{CLIENT_CERTIFICATE}/tmp/me", (), Offer(("http/1.1",)), verify=verify)
    for bundle in ("", "bundle", f"bundle{CLIENT_CERTIFICATE}/tmp/other"):
        assert context(bundle, (), Offer(("http/1.1",)), verify=verify) is not own
