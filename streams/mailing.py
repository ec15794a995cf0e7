"""The links of e-mails, for the programs that write them: the one module of Segue that others may import.

    from streams.mailing import MailingLinks

    links = MailingLinks("https://t.shop.example", {"k1": "a-long-signing-secret"})
    links.pixel("c1", "welcome")                                 # <img src="…" width="1" height="1" alt="">
    links.pixel("c1", "welcome", identified=False)               # the same, of a contact that does not consent to it
    links.click("c1", "welcome", "https://shop.example/sale")    # <a href="…">
    links.trap("c1", "welcome", "https://shop.example/")         # <a href="…" style="display:none">
    links.unsubscribe("c1", "welcome").headers                   # two lines of the e-mail's head

It needs neither Kafka nor Redis, opens no connection, and keeps nothing. The same arguments give the same links. Its
names and their meaning stay as they are from one version to the next, and links that it made stay readable for as long
as their key is set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.errors import InputError
from streams.confirmations import ConfirmationSigner, confirmation_of
from streams.link_keys import BASE_URL_PATTERN, checked_keys
from streams.links import Link, LinkSigner

__all__ = ["InputError", "MailingLinks", "Unsubscribe"]


class Unsubscribe(NamedTuple):
    """How a contact unsubscribes."""

    url: str
    """For a link in the text: it shows a page with a button."""
    headers: dict[str, str]
    """For the head of the e-mail (RFC 8058); both have to be covered by its DKIM signature."""


class MailingLinks:
    """Makes the links of one or many e-mails.

    Every method raises `InputError` where a contact, a campaign (both at most 256 and 128 characters) or a URL (http
    or https, ASCII) cannot stand in a link.
    """

    def __init__(self, base_url: str, keys: Mapping[str, str]) -> None:
        """`base_url`: where the collector is reached from outside. `keys`: as in SEGUE_LINK_KEYS, the first makes.

        Raises `InputError` where one of them is not what it should be.
        """
        if not re.match(BASE_URL_PATTERN, base_url):
            raise InputError("base URL: expected one that begins with http:// or https://")
        self._base_url = base_url.rstrip("/")
        try:
            secrets = checked_keys(keys)
        except ValueError as error:
            raise InputError(f"keys: {error}") from None
        self._signer = LinkSigner(secrets)
        self._confirmations = ConfirmationSigner(secrets)

    def pixel(
        self, contact: str | None, campaign: str, *, expires_at_ms: int | None = None, identified: bool = True
    ) -> str:
        """URL of an image of one pixel: fetching it is an `email_open`. Past its time it is an image, and no open.

        `identified=False` is for a contact that has not consented to be told apart by its opens: the contact does not
        stand in the link, which is the same for all of the campaign, and an open is counted, and is nobody's event.
        """
        if identified and contact is None:
            raise InputError("contact: expected one, or identified=False")
        whose = contact if identified else None
        token = self._signer.make("open", Link(whose, campaign, expires_at_ms=expires_at_ms))
        return f"{self._base_url}/o/{token}.gif"

    def click(self, contact: str, campaign: str, url: str, *, expires_at_ms: int | None = None) -> str:
        """URL that leads to `url`: following it is an `email_click`. Past its time it leads nowhere."""
        return self._click(Link(contact, campaign, url, expires_at_ms))

    def trap(self, contact: str, campaign: str, url: str, *, expires_at_ms: int | None = None) -> str:
        """A click link for a place that no person sees: whoever follows it is marked as a machine."""
        return self._click(Link(contact, campaign, url, expires_at_ms, trap=True))

    def unsubscribe(self, contact: str, campaign: str, *, purpose: str | None = None) -> Unsubscribe:
        """How the contact unsubscribes. It never expires.

        `purpose` is the consent that it withdraws; without one, what SEGUE_UNSUBSCRIBE_PURPOSE says.
        """
        url = f"{self._base_url}/u/{self._signer.make('unsubscribe', Link(contact, campaign, purpose=purpose))}"
        headers = {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
        return Unsubscribe(url, headers)

    def confirmation(self, form_submit: Mapping[str, Any]) -> str:
        """URL with which the contact confirms what it consented to in a form with double opt-in.

        `form_submit` is the record of that event, as it stands in the topic `tracking`. Raises `InputError` where it is
        none that asks to be confirmed.
        """
        return f"{self._base_url}/f/{self._confirmations.make(confirmation_of(form_submit))}"

    def _click(self, link: Link) -> str:
        return f"{self._base_url}/c/{self._signer.make('click', link)}"
