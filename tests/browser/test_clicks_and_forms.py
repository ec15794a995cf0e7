"""What the script sees of clicks and forms, by attributes alone."""

from __future__ import annotations

import pytest

from tests.browser.site import Site

SHOP = """
<button id="plain">plain</button>
<a id="lamp" href="#" data-segue-click="Product Clicked" data-segue-product-id="0042" data-segue-price="39.5"
   data-segue-position="first"><b><i id="inner">A lamp</i></b></a>
<button id="add" data-segue-cart-add data-segue-product-id="lamp" data-segue-price="39.50" data-segue-quantity="2"
   data-segue-currency="EUR" data-theme="dark">Add</button>
<button id="remove" data-segue-cart-remove data-segue-product-id="lamp">Remove</button>
"""
FORM = """
<form id="form" action="/done" data-segue-form="signup" data-segue-fields="plan colour news"
  data-segue-traits="name,city">
<input name="email" value=" ada@shop.example "><input name="name" value="Ada"><input name="city" value="Bern">
<input name="unasked" value="secret-1"><input name="password" type="password" value="secret-2">
<select name="plan"><option>free<option selected>gold</select>
<input type="radio" name="colour" value="red"><input type="radio" name="colour" value="blue" checked>
<input type="checkbox" name="news" value="weekly">
<input type="checkbox" id="agree" name="agree" data-segue-consent="newsletter" data-segue-document="form v3">
<button>Send</button></form>
"""


def test_a_click_on_a_marked_element_or_inside_it_is_told_with_its_properties(site: Site) -> None:
    site.open(body=SHOP, pages="manual")
    site.page.click("#plain")
    site.page.click("#inner")
    (event,) = site.events(1)
    assert (event["type"], event["event"]) == ("track", "Product Clicked")
    # An id stays text though it looks like a number; what should be a number and is none stays text, too.
    assert event["properties"] == {"product_id": "0042", "price": 39.5, "position": "first"}


def test_the_cart_needs_no_code(site: Site) -> None:
    site.open(body=SHOP, pages="manual")
    site.page.click("#add")
    site.page.click("#remove")
    added, removed = site.events(2)
    assert (added["event"], removed["event"]) == ("Product Added", "Product Removed")
    assert added["properties"] == {"product_id": "lamp", "price": 39.5, "quantity": 2, "currency": "EUR"}
    assert removed["properties"] == {"product_id": "lamp"}


def test_a_page_s_script_cannot_hide_a_click_by_stopping_it(site: Site) -> None:
    site.open(body=SHOP, pages="manual")
    site.run("document.querySelector('#add').onclick = event => event.stopPropagation(); 0")
    site.page.click("#add")
    site.events(1)


def test_a_script_s_click_on_the_document_is_nobody_s(site: Site) -> None:
    site.open(body=SHOP, pages="manual")
    site.run("document.dispatchEvent(new MouseEvent('click')); segue.track('Last')")
    assert site.events(1)[0]["event"] == "Last"


def test_an_element_that_is_added_later_counts_like_any_other(site: Site) -> None:
    site.open(pages="manual")
    site.run("document.body.innerHTML = '<button data-segue-click=\"Late\">x</button>'")
    site.page.click("button")
    assert site.events(1)[0]["event"] == "Late"


def test_a_form_tells_the_fields_that_it_names_and_no_others(site: Site) -> None:
    site.open(body=FORM, pages="manual")
    site.run("document.querySelector('#form').onsubmit = () => false; 0")
    site.page.click("form button")
    identified, submitted = site.events(2)
    assert (identified["type"], identified["traits"]) == ("identify", {"name": "Ada", "city": "Bern"})
    assert "userId" not in identified
    assert (submitted["type"], submitted["event"]) == ("track", "form_submit")
    assert submitted["properties"] == {"form": "signup", "plan": "gold", "colour": "blue"}
    (sent,) = {call.body for call in site.calls()}
    assert b"secret" not in sent
    assert b"ada@shop" not in sent


def test_a_form_that_names_no_field_tells_only_that_it_was_sent(site: Site) -> None:
    site.open(body="<form data-segue-form=search><input name=q value=secret><button>x</button></form>", pages="manual")
    site.run("document.querySelector('form').onsubmit = () => false; 0")
    site.page.click("form button")
    assert site.events(1)[0]["properties"] == {"form": "search"}


@pytest.mark.parametrize(
    "field",
    [
        '<input name="x" type="password" value="secret">',
        '<input name="x" autocomplete="current-password" value="secret">',  # shown for once as text
        '<input name="x" autocomplete="cc-number" value="secret">',
        '<input name="x" autocomplete="one-time-code" value="secret">',
    ],
)
def test_a_password_or_a_card_is_never_told_though_it_is_named(site: Site, field: str) -> None:
    form = f'<form data-segue-form="login" data-segue-fields="x" data-segue-traits="x">{field}<button></button></form>'
    site.open(body=form, pages="manual")
    site.run("document.querySelector('form').onsubmit = () => false; 0")
    site.page.click("form button")
    identified, submitted = site.events(2)
    assert (identified["traits"], submitted["properties"]) == ({}, {"form": "login"})
    assert b"secret" not in b"".join(call.body for call in site.collector.calls)


def test_a_file_is_never_told_though_it_is_named(site: Site) -> None:
    form = '<form data-segue-form="upload" data-segue-fields="x"><input name="x" type="file"><button></button></form>'
    site.open(body=form, pages="manual")
    site.page.set_input_files("input", {"name": "cv.txt", "mimeType": "text/plain", "buffer": b"secret"})
    site.run("document.querySelector('form').onsubmit = () => false; 0")
    site.page.click("form button")
    assert site.events(1)[0]["properties"] == {"form": "upload"}


def test_a_form_may_say_who_the_visitor_is(site: Site) -> None:
    site.open(body=FORM.replace("data-segue-form", 'data-segue-user="email" data-segue-form'), pages="manual")
    site.run("document.querySelector('#form').onsubmit = () => false; 0")
    site.page.click("form button")
    identified, submitted = site.events(2)
    assert identified["userId"] == submitted["userId"] == "ada@shop.example"
    assert identified["traits"] == {"name": "Ada", "city": "Bern"}


def test_an_unmarked_form_and_an_unmarked_field_tell_nothing(site: Site) -> None:
    site.open(body="<form><input name=a value=1><button></button></form>", pages="manual")
    site.run("document.querySelector('form').onsubmit = () => false; 0")
    site.page.click("form button")
    site.run("segue.track('Last')")
    assert site.events(1)[0]["event"] == "Last"


def test_a_box_that_is_ticked_is_consent_with_what_was_shown(site: Site) -> None:
    site.open(body=FORM, pages="manual")
    site.run("document.querySelector('#form').onsubmit = () => false; 0")
    site.page.click("form button")  # left empty: no decision
    site.events(2)
    site.page.check("#agree")
    site.page.click("form button")
    (consent,) = [event for event in site.events(5) if event["type"] == "consent"]
    decision = {key: consent[key] for key in ("purpose", "granted", "document", "method")}
    assert decision == {"purpose": "newsletter", "granted": True, "document": "form v3", "method": "web_form"}


def test_a_form_that_leads_to_another_page_is_told_though_the_page_is_gone(site: Site) -> None:
    site.pages.serve("/done", "<title>done</title>")
    site.open(body=FORM, pages="manual", batch_ms="60000")
    site.page.click("form button")
    site.page.wait_for_url("**/done*")
    assert [event["type"] for event in site.events(2)] == ["identify", "track"]
