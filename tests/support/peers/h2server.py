"""A web server that speaks HTTP/2, by the h2 library, and one that does not take every request."""

import struct

import h2.config
import h2.connection
import h2.events

from egressprobe.lab.servers import Page, TcpServer


class H2Server(TcpServer):
    """`pages` by path, in DATA frames of at most 1000 bytes; `requests`: the paths requested."""

    def __init__(self, tls, pages):
        super().__init__(tls=tls)
        self.pages = pages
        self.requests = []

    async def talk(self, reader, writer):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived) and not self.refuses(event, writer):
                    path = dict(event.headers)[b":path"].decode()
                    self.requests.append(path)
                    page = self.pages.get(path, Page(b"", "404 Not Found"))
                    status = page.status.split()[0]
                    connection.send_headers(event.stream_id, [(":status", status)])
                    for at in range(0, len(page.body), 1000):
                        connection.send_data(event.stream_id, page.body[at : at + 1000])
                    connection.end_stream(event.stream_id)
            writer.write(connection.data_to_send())

    def refuses(self, request, writer):
        """Whether the request was answered by a frame that refuses it."""
        del request, writer
        return False


# Frames instead of a response, by name: RST_STREAM of the request's stream, or GOAWAY before it.
_RESETS = {"REFUSED_STREAM": 7, "PROTOCOL_ERROR": 1}
_GOAWAYS = {"GOAWAY": 0, "GOAWAY ENHANCE_YOUR_CALM": 11}


class RefusingH2Server(H2Server):
    """`faults`: what happens to the next requests, in turn, over all connections; afterwards `pages` are served.

    asked: (connection, stream) of every request.
    """

    def __init__(self, tls, pages, faults):
        super().__init__(tls, pages)
        self.faults, self.asked = list(faults), []

    def refuses(self, request, writer):
        self.asked.append((writer.get_extra_info("peername"), request.stream_id))
        fault = self.faults.pop(0) if self.faults else ""
        if fault in _RESETS:
            writer.write(struct.pack("!BHBBII", 0, 4, 3, 0, request.stream_id, _RESETS[fault]))
        elif fault in _GOAWAYS:
            writer.write(struct.pack("!BHBBIII", 0, 8, 7, 0, 0, 0, _GOAWAYS[fault]))
        return bool(fault)
