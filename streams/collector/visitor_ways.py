"""The ways that people take, by a link or an image of an e-mail or a form of a page; programs call `api.py`."""

from __future__ import annotations

from streams.collector.calls.pixels import Pixels
from streams.collector.emails.email_links import EmailLinks
from streams.collector.emails.machine_signs import load_signs
from streams.collector.emails.machines import Visitors
from streams.collector.emails.unsubscribing import Unsubscribing
from streams.collector.forms.confirming import Confirming
from streams.collector.forms.form_schema import load_forms
from streams.collector.forms.forms import Forms
from streams.collector.front_door import FrontDoor, Way
from streams.collector.settings import CollectorSettings
from streams.confirmations import ConfirmationSigner
from streams.links import LinkSigner


def visitor_ways(settings: CollectorSettings, door: FrontDoor) -> list[Way]:
    """Links and forms as they are set up. Raises `InputError` for a file of the settings that cannot serve."""
    links, confirmations = LinkSigner(settings.link_keys), ConfirmationSigner(settings.link_keys)
    visitors = Visitors(load_signs(settings.machine_signs), settings.collector_proxies, settings.collector_addresses)
    forms = load_forms(settings.forms, keys=bool(settings.link_keys))
    return [
        *Pixels(door, visitors).ways(),
        *EmailLinks(links, door, visitors).ways(),
        *Unsubscribing(links, door, visitors, settings.unsubscribe_purpose or None).ways(),
        *Forms(forms, confirmations, door, visitors).ways(),
        *Confirming(confirmations, door, visitors).ways(),
    ]
