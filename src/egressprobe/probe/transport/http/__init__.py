"""One GET over a connection that we made and timed ourselves.

HTTP/1 is read by Go's rules (golang/http/response.py), so that what Go's client refuses is refused and what it takes
is taken. HTTP/2 is httpx's and httpcore's, which never open a socket here.

Rules: one request a connection; network trouble and responses that are not HTTP are data (`Failure`) with the API
server's words, never an exception; a body is bounded as received and after decompression; no URL's query or user
information is in a message.

Public: fetch.*, request.{Response, host_port}, wire.*.
"""
