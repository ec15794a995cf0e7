"""A receiver of Segue's webhooks, in the standard library alone: copy it and put your workflow into `act`.

SEGUE_WEBHOOK_SECRETS='whsec_…' python ops/examples/receiver.py --port 9000
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

TOLERANCE_S = 300
REMEMBERED_MAX = 100_000
BODY_BYTES_MAX = 65_536


def secret_keys() -> list[bytes]:
    """The keys in SEGUE_WEBHOOK_SECRETS, as for the sender."""
    words = os.environ.get("SEGUE_WEBHOOK_SECRETS", "").replace(",", " ").split()
    return [base64.b64decode(word.removeprefix("whsec_")) for word in words]


def is_signed(keys: list[bytes], headers: dict[str, str], body: bytes, now_s: float) -> bool:
    """Whether one of the signatures was made with one of `keys`, not long ago (a replay is refused)."""
    identifier, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(now_s - int(timestamp)) > TOLERANCE_S:
        return False
    signed = f"{identifier}.{timestamp}.".encode() + body
    wanted = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys]
    given = [part.removeprefix("v1,") for part in headers.get("webhook-signature", "").split()]
    return any(hmac.compare_digest(one, other) for one in wanted for other in given)


def act(transition: dict[str, object]) -> None:
    """Your workflow. Deliveries come at least once, so it is called once for each id that is remembered."""
    words = (str(transition[field]) for field in ("effective_at", "type", "contact_id", "segment"))
    print(*words, flush=True)  # noqa: T201 - what this program is for


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to what is signed, 401 to what is not."""

    keys: ClassVar[list[bytes]] = []
    seen: ClassVar[dict[str, None]] = {}

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            self._answer(413)
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not is_signed(self.keys, headers, body, time.time()):
            self._answer(401)
            return
        if headers["webhook-id"] not in self.seen:
            act(json.loads(body)["data"])
            self.seen[headers["webhook-id"]] = None
            if len(self.seen) > REMEMBERED_MAX:
                del self.seen[next(iter(self.seen))]
        self._answer(204)

    def do_GET(self) -> None:
        """For health checks."""
        self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Requests are not logged: `act` says what matters."""


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    options = parser.parse_args()
    Receiver.keys = secret_keys()
    if not Receiver.keys:
        sys.exit("receiver: set SEGUE_WEBHOOK_SECRETS")
    server = ThreadingHTTPServer((options.host, options.port), Receiver)
    print(f"receiver listens on http://{options.host}:{server.server_port}", flush=True)  # noqa: T201 - the same
    server.serve_forever()


if __name__ == "__main__":
    main()
