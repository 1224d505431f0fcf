"""A TLS client as Go's: its ClientHello, record layer, key schedule, handshake. Pure: bytes in, bytes out.

It is the second opinion where OpenSSL, which makes every handshake first, refuses what Go may accept, or does not say
why it refuses. What a server sends is checked by tls_client.ServerFlight; here are the keys and the signatures.
Nothing secret is ever sent over it. Imported only then: the cryptography library costs 36 ms.

Public: client.*.
"""
