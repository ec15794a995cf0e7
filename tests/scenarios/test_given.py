"""Every kind of record can be given: late, twice, of several contacts, and at times of every form."""

from __future__ import annotations

import pytest

from tests.scenarios.trying import Bench

KINDS = {
    "event": ("{at: start, event: email_click}", "clickers", "event"),
    "context": ("{at: start, event: email_open, context: {client: web}}", "humans", "event"),
    "traits": ("{at: start, traits: {country: FR}}", "french", "traits"),
    "consent": ("{at: start, consent: newsletter, granted: true}", "subscribers", "consent"),
    "list": ("{at: start, list: vip}", "vips", "list"),
    "backfill": ("{at: start, event: email_click, backfill: true}", "clickers", "backfill"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_record_moves_the_contact_by_its_own_cause(kind: str, bench: Bench) -> None:
    given, segment, cause = KINDS[kind]
    assert bench.try_one(f"- {given}", f"- {{segment: {segment}, entered_at: start, cause: {cause}}}") == []


def test_what_a_machine_does_is_given_and_does_not_count(bench: Bench) -> None:
    for machine in ("true", "{suspected: true, reasons: [prefetch_proxy]}"):
        given = f"- {{at: start, event: email_click, machine: {machine}}}"
        assert bench.try_one(given, "- {at: start, only_in: []}") == []
    assert bench.try_one("- {at: start, event: email_click, machine: false}", "- {at: start, in: clickers}") == []


def test_erasure_takes_the_contact_out_of_everything(bench: Bench) -> None:
    given = "- {at: start, traits: {country: FR}}\n- {at: +1d, erase: true}\n- {at: +2d, event: email_click}"
    expect = """
        - {segment: french, exited_at: +1d, cause: erasure}
        - {at: +2d, only_in: clickers}
    """
    assert bench.try_one(given, expect) == []


def test_a_list_is_left_and_a_consent_taken_back_and_a_trait_removed(bench: Bench) -> None:
    given = """
        - {at: start, list: vip}
        - {at: start, consent: newsletter, granted: true}
        - {at: start, traits: {country: FR}}
        - {at: +1d, list: vip, member: false}
        - {at: +2d, consent: newsletter, granted: false}
        - {at: +3d, traits: {country: null}}
    """
    expect = """
        - {segment: vips, exited_at: +1d}
        - {segment: subscribers, exited_at: +2d}
        - {segment: french, exited_at: +3d}
    """
    assert bench.try_one(given, expect) == []


def test_contacts_on_a_list_of_the_definition_file_are_on_it_from_their_first_record(bench: Bench) -> None:
    given = "- {at: +1h, contact: lea, event: page_view}"
    expect = """
        - {contact: lea, at: +1h-1ms, not_in: vips}
        - {contact: lea, segment: vips, entered_at: +1h, cause: event}
    """
    assert bench.try_one(given, expect) == []


def test_a_late_record_counts_at_its_own_time_from_when_it_comes_in(bench: Bench) -> None:
    given = "- {at: start, event: page_view}\n- {at: +1h, received_at: +5h, event: cart_add}"
    expect = """
        - {segment: cart_abandoners, transitions: [{entered_at: +5h, cause: event}, {exited_at: +7d1h, cause: timer}]}
    """
    assert bench.try_one(given, expect, "until: +30d") == []


def test_what_has_the_same_event_id_counts_once_within_the_horizon(bench: Bench) -> None:
    given = """
        - {at: start, event: cart_add, event_id: one}
        - {at: +1d, event: cart_add, event_id: one}
    """
    assert bench.try_one(given, "- {segment: cart_abandoners, exited_at: +7d}") == []
    given = given.replace("+1d", "+48h1ms")
    assert bench.try_one(given, "- {segment: cart_abandoners, exited_at: +9d1ms}") == []


def test_a_record_may_come_many_times_at_a_distance_or_all_at_once(bench: Bench) -> None:
    given = "- {at: start, event: email_click, times: 4}\n- {at: +7d, event: cart_add, times: 3, every: 7d}"
    expect = """
        - {at: start, score: {name: engagement, eq: 40}}
        - {at: +7d, score: {name: engagement, eq: 35}}
        - {at: +14d, score: {name: engagement, eq: 32.5}}
        - {at: +21d, score: {name: engagement, eq: 31.25}}
    """
    assert bench.try_one(given, expect) == []


def test_records_may_stand_in_any_order_and_come_by_their_times(bench: Bench) -> None:
    given = "- {at: +3h, event: purchase}\n- {at: start, event: cart_add}"
    expect = "- {segment: cart_abandoners, transitions: [{entered_at: +1h}, {exited_at: +3h}]}"
    assert bench.try_one(given, expect, "until: +30d") == []


def test_contacts_do_not_touch_one_another(bench: Bench) -> None:
    given = "- {at: start, event: cart_add}\n- {at: +30m, contact: ben, event: purchase}"
    expect = """
        - {at: +1h, in: cart_abandoners}
        - {contact: ben, segment: cart_abandoners, never_entered: true}
    """
    assert bench.try_one(given, expect) == []


def test_times_may_be_written_out_with_a_zone_and_with_a_little_more_or_less(bench: Bench) -> None:
    given = "- {at: 2026-03-02T10:00:00+01:00, event: cart_add}"
    expect = """
        - {at: 2026-03-02T10:00:00Z-1ms, not_in: cart_abandoners}
        - {at: 2026-03-02T11:00:00+01:00, in: cart_abandoners}
        - {at: start+1h0ms, in: cart_abandoners}
        - {at: 2026-03-02T08:00:00Z+1d1h-23h, in: cart_abandoners}
    """
    assert bench.try_one(given, expect) == []


def test_a_scenario_may_start_elsewhere_and_be_about_somebody_else(bench: Bench) -> None:
    text = """
start: 2026-03-02T09:00:00Z
contact: ana
scenarios:
  first: {given: [{at: 0, event: email_click}], expect: [{segment: clickers, entered_at: 2026-03-02T09:00:00Z}]}
  second:
    start: 2027-01-01T00:00:00Z
    contact: ben
    given: [{at: +1s, event: email_click}]
    expect: [{contact: ben, segment: clickers, entered_at: 2027-01-01T00:00:01Z}]
"""
    assert bench.outcome(text)["holds"]


def test_scenarios_know_nothing_of_one_another(bench: Bench) -> None:
    text = """
start: 2026-03-02T09:00:00Z
scenarios:
  clicks: {given: [{at: start, event: email_click}], expect: [{at: start, in: clickers}]}
  looks: {given: [{at: start, event: page_view}], expect: [{at: start, only_in: []}]}
"""
    assert bench.outcome(text)["holds"]
