"""The phases of a probe, one per file: resolve, connect, tls, exchange, http. Measures; does not judge.

Rules:
- A network failure is data (`Failure`), never raised past its phase.
- Times come from the kernel where it has them (kernel_socket.py); the process's own clock is reported beside them.
- Every wait ends at a deadline of time_limits.py. `Stream.receive` is the only read loop of a connection.
- One peer cannot delay another: what it may send is bounded, and reading yields to the event loop.
"""
