"""A web server that speaks HTTP/2, by the h2 library."""

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
                if isinstance(event, h2.events.RequestReceived):
                    path = dict(event.headers)[b":path"].decode()
                    self.requests.append(path)
                    page = self.pages.get(path, Page(b"", "404 Not Found"))
                    status = page.status.split()[0]
                    connection.send_headers(event.stream_id, [(":status", status)])
                    for at in range(0, len(page.body), 1000):
                        connection.send_data(event.stream_id, page.body[at : at + 1000])
                    connection.end_stream(event.stream_id)
            writer.write(connection.data_to_send())
