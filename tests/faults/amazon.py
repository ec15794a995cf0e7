"""Amazon's place on the network: a proxy whose other side is SNS, and serves the certificate that it signs with.

A collector goes there as it would go out through a company's proxy, by TLS to the name that it asked for.
"""

from __future__ import annotations

import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization

from tests.collector.providers.hooks import CERTIFICATE_URL, SNS_KEY, certificate

_REQUEST_BYTES_MAX = 65_536
_HOST = urlsplit(CERTIFICATE_URL).hostname
_UNENCRYPTED = serialization.NoEncryption()


class Amazon:
    """Answers until it is closed. Who is to find it needs `environment`."""

    def __init__(self, directory: Path) -> None:
        """Files of its certificate go into `directory`."""
        self._pem = certificate(at_s=int(time.time()), host=_HOST)
        shown, kept = directory / "amazon.pem", directory / "amazon_key.pem"
        shown.write_bytes(self._pem)
        kept.write_bytes(
            SNS_KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, _UNENCRYPTED)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown, kept)
        self.asked = 0
        """How often somebody has asked for the certificate."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._tunnels(context))
        self._thread = threading.Thread(target=self._server.serve_forever, name="amazon", daemon=True)
        self._thread.start()
        # Those in small letters count before those in capitals, which may stand in the environment already.
        self.environment = {
            "https_proxy": f"http://127.0.0.1:{self._server.server_port}",
            "no_proxy": "",
            "SSL_CERT_FILE": str(shown),
        }

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _tunnels(self, context: ssl.SSLContext) -> type[BaseHTTPRequestHandler]:
        amazon = self

        class Tunnel(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                if self.path != f"{_HOST}:443":
                    self.send_error(403)
                    return
                self.send_response(200)
                self.end_headers()
                self.close_connection = True
                with context.wrap_socket(self.connection, server_side=True) as line:
                    line.sendall(amazon._answer(line.recv(_REQUEST_BYTES_MAX)))

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Tunnel

    def _answer(self, request: bytes) -> bytes:
        if not request.startswith(f"GET {urlsplit(CERTIFICATE_URL).path} ".encode()):
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self.asked += 1
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(self._pem), self._pem)
