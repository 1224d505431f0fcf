"""One phase a file (resolve, connect, tls, exchange, http) over sockets with kernel times. Judges nothing.

A network failure is data (`Failure`), never raised past its phase.
"""
