"""`segue link` and `streams.mailing`: what programs that write e-mails put into them."""

from __future__ import annotations

import csv
import io
import json
import re

import click.testing
import pytest
from pydantic import SecretStr

from schemas.errors import InputError
from streams.cli.link import command
from streams.confirmations import Confirmation, ConfirmationSigner, Consented
from streams.links import Link, LinkSigner
from streams.mailing import MailingLinks
from tests.collector.doubles import NOW, NOW_MS
from tests.support.run_directory import CHECKOUT

SHOP = "https://shop.example/"
SECRET = "a-long-signing-secret"
KEYS = json.dumps({"k1": SECRET})
SIGNER = LinkSigner({"k1": SecretStr(SECRET)})
LINKS = MailingLinks("https://t.example/", {"k1": SECRET})
BASE = ("--base-url", "https://t.example/")
ONE = ("--contact", "c1", "--campaign", "welcome", *BASE)


def _link(*arguments: str, keys: str = KEYS, rows: str | bytes = "") -> click.testing.Result:
    return click.testing.CliRunner().invoke(command, arguments, env={"SEGUE_LINK_KEYS": keys}, input=rows)


def _read(url: str) -> Link:
    kinds = {"o": "open", "c": "click", "u": "unsubscribe"}
    path, _, token = url.removeprefix("https://t.example/").partition("/")
    return SIGNER.read(kinds[path], token.removesuffix(".gif"), NOW_MS - 1)  # type: ignore[arg-type] # one of the three


def test_the_command_prints_links_that_the_collector_takes() -> None:
    pixel = _link("open", *ONE).output.strip()
    redirect = json.loads(_link("click", *ONE, "--url", SHOP, "--json").output)
    assert pixel.startswith("https://t.example/o/")
    assert pixel.endswith(".gif")
    assert _read(pixel) == Link("c1", "welcome")
    assert redirect["url"] == f"https://t.example/c/{redirect['token']}"
    assert _read(redirect["url"]) == Link("c1", "welcome", SHOP)


def test_a_link_of_the_command_may_expire_and_may_be_a_trap() -> None:
    limited = _link("click", *ONE, "--url", SHOP, "--expires-at", NOW).output.strip()
    assert _read(limited) == Link("c1", "welcome", SHOP, NOW_MS)
    trap = _link("trap", *ONE, "--url", SHOP).output.strip()
    assert _read(trap) == Link("c1", "welcome", SHOP, trap=True)
    assert trap.startswith("https://t.example/c/")


def test_an_unsubscribe_is_a_url_and_the_two_lines_of_rfc_8058() -> None:
    url, listed, post = _link("unsubscribe", *ONE, "--purpose", "marketing").output.splitlines()
    assert _read(url) == Link("c1", "welcome", purpose="marketing")
    assert (listed, post) == (f"List-Unsubscribe: <{url}>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    shown = json.loads(_link("unsubscribe", *ONE, "--purpose", "marketing", "--json").output)
    assert (shown["url"], shown["headers"]["List-Unsubscribe"]) == (url, f"<{url}>")


def test_the_function_for_senders_makes_what_the_command_makes() -> None:
    assert LINKS.pixel("c1", "welcome") == _link("open", *ONE).output.strip()
    assert LINKS.click("c1", "welcome", SHOP) == _link("click", *ONE, "--url", SHOP).output.strip()
    assert LINKS.trap("c1", "welcome", SHOP) == _link("trap", *ONE, "--url", SHOP).output.strip()
    assert LINKS.unsubscribe("c1", "welcome").url == _link("unsubscribe", *ONE).output.splitlines()[0]


def test_a_pixel_for_who_has_not_consented_to_it_stands_for_nobody() -> None:
    printed = _link("open", "--without-identity", "--campaign", "welcome", *BASE).output.strip()
    assert _read(printed) == Link(None, "welcome")
    assert LINKS.pixel("c1", "welcome", identified=False) == LINKS.pixel(None, "welcome", identified=False) == printed
    with pytest.raises(InputError, match="contact: expected one, or identified=False"):
        LINKS.pixel(None, "welcome")


@pytest.mark.parametrize("arguments", [(), ("--contact", "c1", "--without-identity")])
def test_a_pixel_is_a_contacts_or_nobodys(arguments: tuple[str, ...]) -> None:
    outcome = _link("open", "--campaign", "welcome", *arguments)
    assert (outcome.exit_code, "either --contact or --without-identity" in outcome.output) == (2, True)


@pytest.mark.parametrize(
    ("row_format", "rows"),
    [
        ("--csv", "contact,opens\na,yes\nb, TRUE\nc,1\nx,no\ny,0\nz,\n"),
        (
            "--jsonl",
            "".join(
                json.dumps({"contact": contact, "opens": said}) + "\n"
                for contact, said in zip("abcxyz", (True, 1, "true", False, None, "No"), strict=True)
            ),
        ),
    ],
)
def test_rows_of_a_mailing_that_have_not_consented_get_a_pixel_without_identity(row_format: str, rows: str) -> None:
    printed = _link("batch", row_format, "--campaign", "welcome", "--open-consent", "opens", *BASE, rows=rows).output
    made: list[dict[str, str]] = (
        [*csv.DictReader(io.StringIO(printed))]
        if row_format == "--csv"
        else [json.loads(line) for line in printed.splitlines()]
    )
    assert [_read(row["open_url"]).contact_id for row in made] == ["a", "b", "c", None, None, None]
    assert [_read(row["unsubscribe_url"]).contact_id for row in made] == [*"abcxyz"], "links stay the contact's"


@pytest.mark.parametrize(
    "row", ['{"contact": "c1"}', '{"contact": "c1", "opens": "perhaps"}', '{"contact": "c1", "opens": 2}']
)
def test_a_row_that_does_not_say_whether_it_consented_ends_the_batch(row: str) -> None:
    outcome = _link("batch", "--jsonl", "--campaign", "welcome", "--open-consent", "opens", rows=row)
    assert "line 1: opens: expected true, yes or 1, or false, no, 0 or nothing" in str(outcome.exception)


def test_what_the_manual_shows_of_making_links_can_be_done() -> None:
    manual = (CHECKOUT / "ops/email-links.md").read_text()
    exec(manual.partition("```python\n")[2].partition("```")[0], {})
    line = manual.partition("\nsegue link batch contacts.csv ")[2].partition(" > ")[0]
    printed = _link("batch", *line.split(), rows="contact\nc1\n").output
    assert set(re.findall(r"`(\w+_url\w*|list_\w+)`", manual)) - {"click_url_NAME"} <= set(
        printed.split("\n")[0].split(",")
    )


@pytest.mark.parametrize(
    ("base_url", "keys", "expected"),
    [
        ("t.example", {"k1": SECRET}, "base URL: expected"),
        ("https://t.example", {"k1": "hush"}, "keys: expected at least 16 characters"),
    ],
)
def test_a_sender_that_is_set_up_wrongly_is_told_so_at_once(base_url: str, keys: dict[str, str], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        MailingLinks(base_url, keys)


def test_every_row_of_a_csv_mailing_keeps_its_fields_and_gets_its_links() -> None:
    rows = 'contact,name,url_cart\nc1,"Ann, A.",https://shop.example/cart\nc2,Bob,\n'
    printed = _link(
        "batch", "--csv", "--campaign", "welcome", "--url", f"sale={SHOP}", "--trap", SHOP, *BASE, rows=rows
    )
    first, second = csv.DictReader(io.StringIO(printed.output))
    assert (first["contact"], first["name"], second["name"]) == ("c1", "Ann, A.", "Bob")
    assert _read(first["open_url"]) == Link("c1", "welcome")
    assert _read(first["click_url_sale"]) == Link("c1", "welcome", SHOP)
    assert _read(first["click_url_cart"]) == Link("c1", "welcome", "https://shop.example/cart")
    assert _read(second["trap_url"]) == Link("c2", "welcome", SHOP, trap=True)
    assert second["click_url_cart"] == ""
    assert second["list_unsubscribe"] == f"<{second['unsubscribe_url']}>"
    assert second["list_unsubscribe_post"] == "List-Unsubscribe=One-Click"


def test_every_row_of_a_jsonl_mailing_keeps_its_fields_and_gets_its_links() -> None:
    rows = '{"contact": "c1", "age": 41, "url_sale": "https://shop.example/own"}\n\n{"contact": "c2", "age": null}\n'
    printed = _link("batch", "--jsonl", "--campaign", "welcome", "--url", f"sale={SHOP}", *BASE, rows=rows).output
    first, second = map(json.loads, printed.splitlines())
    assert (first["age"], second["age"]) == (41, None)
    assert _read(first["click_url_sale"]).destination == "https://shop.example/own"
    assert _read(second["click_url_sale"]) == Link("c2", "welcome", SHOP)


@pytest.mark.parametrize(
    ("row_format", "rows", "expected"),
    [
        ("--csv", "", "line 1: expected a heading with a column `contact`"),
        ("--csv", "id,e\nc1,x\n", "line 1: expected a heading with a column `contact`, found 'id, e'"),
        ("--csv", "contact,name\nc1\n", "line 2: expected as many fields as the heading has"),
        ("--csv", "contact,name\nc1,Ann,x\n", "line 2: expected as many fields as the heading has"),
        ("--csv", 'contact\nc1\n"c2\n', "line 3: expected CSV in UTF-8"),
        ("--csv", b"contact\nc\xff\n", "expected CSV in UTF-8"),
        ("--csv", "contact,url_a\nc1,ftp://shop.example\n", "line 2: url_a: url: expected an http or https URL"),
        ("--jsonl", '{"contact": "c1"}\n{"contact": 5}\n', "line 2: contact: expected a string, found int"),
        ("--jsonl", '{"contact": ""}\n', "line 1: contact: String should have at least 1 character"),
        ("--jsonl", '{"contact": "c1", "url_a": 5}\n', "line 1: url_a: expected a string, found int"),
        ("--jsonl", "[]\n", "line 1: expected a JSON object"),
        ("--jsonl", "{\n", "line 1: expected JSON in UTF-8"),
        ("--jsonl", '{"contact": "' + "x" * 1_000_000 + '"}', "line 1: expected at most 1000000 bytes"),
    ],
)
def test_a_row_that_cannot_be_linked_ends_the_batch_with_its_line(
    row_format: str, rows: str | bytes, expected: str
) -> None:
    outcome = _link("batch", row_format, "--campaign", "welcome", *BASE, rows=rows)
    assert isinstance(outcome.exception, InputError)
    assert expected in str(outcome.exception)


def test_the_command_prints_the_link_that_a_form_submit_record_asks_for() -> None:
    properties = {"form": "news", "consents": [{"purpose": "m", "document": "v1"}], "confirm_until": NOW}
    record = {"event_id": "e1", "contact_id": "c1", "properties": properties}
    printed = _link("confirm", *BASE, rows=json.dumps(record) + "\n").output.strip()
    confirmed = ConfirmationSigner({"k1": SecretStr(SECRET)}).read(printed.rpartition("/f/")[2], NOW_MS - 1)
    assert confirmed == Confirmation("c1", "news", "e1", NOW_MS, [Consented("m", "v1")])
    outcome = _link("confirm", *BASE, rows=json.dumps(record) + '\n{"event_id": "e2"}\n')
    assert "line 2: form_submit record: expected" in str(outcome.exception)


def test_a_batch_wants_to_know_its_format_and_names_for_its_urls() -> None:
    for arguments in (("--campaign", "w"), ("--csv", "--campaign", "w", "--url", SHOP)):
        outcome = _link("batch", *arguments, rows="contact\n")
        assert (outcome.exit_code, "xpected" in outcome.output) == (2, True)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", "expected a JSON object"),
        ("hush-this-is-no-json", "expected a JSON object"),
        ("[" * 100_000, "expected a JSON object"),
        ('{"k1": 5}', "expected a JSON object"),
        ('{"k1": "hush"}', "expected at least 16 characters"),
        ('{"k.1": "hush-this-is-long-enough"}', "expected key ids"),
        ("{}", "set SEGUE_LINK_KEYS"),
    ],
)
def test_bad_keys_are_refused_and_never_printed(keys: str, expected: str) -> None:
    outcome = _link("open", "--contact", "c1", "--campaign", "welcome", keys=keys)
    assert isinstance(outcome.exception, InputError)
    assert expected in str(outcome.exception)
    assert "hush" not in str(outcome.exception)
