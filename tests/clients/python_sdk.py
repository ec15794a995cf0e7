"""Makes every call of an SDK of Python once: `python python_sdk.py PACKAGE ADDRESS KEY CONTACT`.

Runs in the environment of `requirements.lock`, as a program of somebody who has nothing of Segue. What could not be
sent is its exit code.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

PACKAGES = ("segment", "rudderstack")


def main(package: str, address: str, key: str, contact: str) -> int:
    """Make the calls; returns how many batches were not taken."""
    failures: list[object] = []

    def note(error: object, _batch: object) -> None:
        failures.append(error)
        sys.stderr.write(f"{error}\n")

    library = importlib.import_module(f"{package}.analytics.client")
    client: Any = library.Client(key, host=address, on_error=note, max_retries=2)
    client.identify(contact, {"plan": "pro", "city": None}, message_id="m-identify")
    client.track(contact, "Product Added", {"price": 19.99, "quantity": 3}, message_id="m-track")
    client.page(contact, "Shop", "Home", {"path": "/"}, message_id="m-page")
    client.screen(contact, "Shop", "Basket", message_id="m-screen")
    client.group(contact, "g1", {"plan": "team"}, message_id="m-group")
    client.alias("somebody", contact, message_id="m-alias")
    client.track(anonymous_id="visitor", event="Größe Gewählt", message_id="m-anonymous")
    client.track(contact, "Order Completed", {"revenue": 50, "order_id": "o1"}, message_id="m-purchase")
    client.shutdown()
    return len(failures)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
