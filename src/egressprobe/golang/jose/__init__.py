"""OIDC documents as kube-apiserver reads them: encoding/json, go-oidc v2.3.0, go-jose v2.6.3, with their error texts.

Rules: pure; nothing here raises anything but JsonError and JoseError, whose text is Go's, and TooCostlyError. Work is
linear in the bytes read, but for the check of RSA private keys, which is bounded (rsa_private.py). The sources are
those of Kubernetes 1.35 (Go 1.25): vendor/github.com/coreos/go-oidc, vendor/gopkg.in/go-jose/go-jose.v2.
docs/oidc-rules.md lists each rule with its source and its test.

Public: provider.{read_provider, DiscoveryDocument}, key_set.{read_key_set, KeySet}, rsa_private.TooCostlyError.
"""
