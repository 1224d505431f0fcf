"""Go's crypto/x509: parse, match, verify, with Go's error texts. Pure; depends on net.addresses only.

Public: certificate.parse, verify.verify, hostname.matches, ca_bundle.{anchors, as_pem, bundle_id},
signatures.signature_error.
"""
