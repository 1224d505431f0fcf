"""What the probe talks to in tests: API servers, HTTP/2, certificates, network namespaces, recorded verdicts."""
