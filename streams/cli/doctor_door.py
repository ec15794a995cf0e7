"""What `segue doctor` sees of the collector: its settings, as they stand where the doctor runs."""

from __future__ import annotations

from collections import defaultdict

from pydantic import Field

from schemas.errors import InputError
from schemas.instants import parse_instant
from schemas.settings import load_settings
from streams.cli.link_signs import OUR_SIGNS, SignsSettings
from streams.collector.emails.machine_signs import load_signs
from streams.collector.providers.settings import Hooks
from streams.doctor.facts import DoorFacts
from streams.link_keys import LinkSettings


class DoorSettings(LinkSettings, SignsSettings):
    """Those of the collector's settings that the doctor judges."""

    hooks: Hooks = Field(default_factory=dict, description="As for the collector: hooks of e-mail providers by name.")


def door_facts() -> DoorFacts:
    """What is set; a setting that cannot be read is one of its problems."""
    try:
        settings = load_settings(DoorSettings)
    except InputError as error:
        return DoorFacts(problems=(str(error),))
    ids: dict[str, list[str]] = defaultdict(list)
    for key_id, secret in settings.link_keys.items():
        ids[secret.get_secret_value()].append(key_id)
    found = DoorFacts(
        link_keys=len(settings.link_keys),
        twin_keys=tuple(key_id for twins in ids.values() if len(twins) > 1 for key_id in twins),
        link_base_url=settings.link_base_url,
        link_base_url_set="link_base_url" in settings.model_fields_set,
        hooks=len(settings.hooks),
    )
    try:
        as_of = load_signs(settings.machine_signs).as_of
    except InputError as error:
        return found._replace(problems=(str(error),))
    name = OUR_SIGNS if settings.machine_signs is None else str(settings.machine_signs)
    return found._replace(signs_file=name, signs_as_of_ms=parse_instant(f"{as_of.isoformat()}T00:00:00Z"))
