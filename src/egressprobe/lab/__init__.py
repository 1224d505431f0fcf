"""A small broken network on loopback: real DNS, TLS and OIDC servers, each with one fault.

`egressprobe demo` and `make run` drive the real Lambda handler against it; the tests use its servers one by
one. No root, no network, no AWS account.

Public: scenario.{lab, EXPECTED}.
"""
