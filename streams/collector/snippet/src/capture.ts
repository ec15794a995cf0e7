// What visitors do, seen without a line of code on the page but attributes.

import { decide } from "./consent";
import { identify, page, pageIfNew, type Properties, track } from "./events";

const EVENTS: Record<string, string> = { segueCartAdd: "Product Added", segueCartRemove: "Product Removed" };
/** Properties that are numbers wherever there is a number; an id is text, whatever it looks like. */
const NUMBERS = /^(price|quantity|value|total|subtotal|revenue|shipping|tax|discount|position)$/;

/** `data-segue-product-id="lamp"` is the property `product_id`. */
function properties(element: HTMLElement): Properties {
  const found: Properties = {};
  for (const [key, value] of Object.entries(element.dataset)) {
    if (key.startsWith("segue") && key !== "segueClick" && !EVENTS[key]) {
      const name = key.slice(5).replace(/(?!^)[A-Z]/g, "_$&").toLowerCase();
      found[name] = NUMBERS.test(name) && value && isFinite(+value) ? +value : value;
    }
  }
  return found;
}

function clicked(event: Event): void {
  // A script may click the document itself, which is in nothing.
  const element = (event.target as Partial<Element>).closest?.<HTMLElement>(
    "[data-segue-click],[data-segue-cart-add],[data-segue-cart-remove]",
  );
  if (element) {
    const standard = Object.keys(EVENTS).find((key) => key in element.dataset);
    track(standard ? EVENTS[standard]! : element.dataset.segueClick!, properties(element));
  }
}

/** The named fields of a form, and no others; never a password, a card or a file, whatever is named. */
function fields(form: HTMLFormElement, names = ""): Properties {
  const found: Properties = {};
  for (const field of form.elements as Iterable<Element> as Iterable<HTMLInputElement>) {
    const { name, type, value } = field;
    const secret = /password|file/.test(type) || /password|cc-|one-time/.test(field.autocomplete);
    const chosen = field.checked || !/radio|checkbox/.test(type);
    if (name && chosen && !secret && names.split(/[\s,]+/).includes(name)) {
      found[name] = value.trim();
    }
  }
  return found;
}

function submitted(event: Event): void {
  const form = event.target as HTMLFormElement;
  const { segueForm, segueFields, segueTraits, segueUser } = form.dataset;
  if (!segueForm) {
    return;
  }
  const traits = fields(form, segueTraits);
  const [user] = Object.values(fields(form, segueUser));
  if (user) {
    identify(user as string, traits);
  } else if (segueTraits) {
    identify(traits);
  }
  track("form_submit", { form: segueForm, ...fields(form, segueFields) });
  // A box that is left empty is no decision: it takes nothing back that was granted elsewhere.
  form.querySelectorAll<HTMLInputElement>("[data-segue-consent]:checked").forEach((box) => {
    const { segueConsent, segueDocument, segueMethod } = box.dataset;
    decide({
      purpose: segueConsent!,
      granted: true,
      document: segueDocument ?? segueForm,
      method: segueMethod ?? "web_form",
    });
  });
}

/** Clicks and forms are seen before the page's own scripts, which may stop them on their way. */
export function watch(): void {
  document.addEventListener("click", clicked, true);
  document.addEventListener("submit", submitted, true);
}

/** A page view now, and one at each new address that the page's scripts, or the way back, lead to. */
export function watchPages(): void {
  // Most set the title right after.
  const lookSoon = (): void => void setTimeout(pageIfNew);
  for (const name of ["pushState", "replaceState"] as const) {
    const original = history[name];
    history[name] = function (...args) {
      original.apply(this, args);
      lookSoon();
    };
  }
  addEventListener("popstate", lookSoon);
  addEventListener("pageshow", (event) => event.persisted && page());
  page();
}
