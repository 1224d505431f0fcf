"""The scripted EKS behind HTTP on loopback, for botocore in other processes."""

import json
import threading
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from egressprobe.aws.updates.eks_updates import CallRefusedError, NoAnswerError

_STATUS = {"ResourceNotFoundException": 404, "AccessDeniedException": 403, "ResourceInUseException": 409}


@contextmanager
def serve_eks(eks):
    """The URL of `eks` (fake_eks.Eks)."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self._answer(lambda: _read(eks, self.path.partition("?")[0].strip("/").split("/")))

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert body["resourcesVpcConfig"] == {"controlPlaneEgressMode": "CUSTOMER_ROUTED"}
            self._answer(lambda: {"update": _update(eks.start(body["clientRequestToken"]))})

        def _answer(self, call):
            try:
                status, document = 200, call()
            except CallRefusedError as error:
                status, document = _STATUS.get(error.code, 400), {"message": str(error)}
                self._send(status, document, error.code)
                return
            except NoAnswerError:
                self.close_connection = True
                return
            self._send(status, document)

        def _send(self, status, document, code=""):
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if code:
                self.send_header("x-amzn-ErrorType", code)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _read(eks, path):
    if path == ["clusters", "prod"]:
        known = eks.cluster()
        vpc = {"controlPlaneEgressMode": known.mode}
        return {"cluster": {"name": "prod", "arn": known.arn, "status": known.status, "resourcesVpcConfig": vpc}}
    if path == ["clusters", "prod", "updates"]:
        return {"updateIds": list(eks.update_ids())}
    if path[:3] == ["clusters", "prod", "updates"]:
        return {"update": _update(eks.update(path[3]))}
    raise CallRefusedError(f"No cluster found for name: {path[1]}.", "ResourceNotFoundException")


def _update(update):
    created = datetime.fromisoformat(update.created_at).timestamp() if update.created_at else 0
    errors = [{"errorCode": e.partition(":")[0], "errorMessage": e.partition(": ")[2]} for e in update.errors]
    return {"id": update.id, "type": update.type, "status": update.status, "createdAt": created, "errors": errors}
