"""HTTP/1.1 by httptools, which parses in C, with the bound on a request's head that its users have to bring."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX = 64 * 1024
"""Request line and headers; past it the connection is answered 400 and closed."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection. A head comes in pieces of at most what one read gives, and never more than the bound and one."""

    _in_head = True
    _head_bytes = 0

    def on_message_begin(self) -> None:
        """A request begins; called by the parser."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """What follows is its body, which `bodies.py` bounds."""
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request, or of several."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
                self.send_400_response(f"expected a request line and headers of at most {HEAD_BYTES_MAX} bytes")
