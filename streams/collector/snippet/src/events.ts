// Events in Segment's shape.

import { add } from "./delivery";
import { anonymousId, isOpen, isPending, randomId, setUser, userId } from "./identity";

export type Properties = Record<string, unknown>;

const HELD_EVENTS_MAX = 50;
/** Made before there was consent: they wait in memory for it, and go with the page. */
let held: Properties[] = [];
/** Of the last page view. */
let address = addressNow();
let referrer = document.referrer;

/** Without the part after `#`, which is nobody's but the page's. */
function addressNow(): string {
  return location.href.split("#")[0]!;
}

/** The page as it is now. */
function pageNow(): Properties {
  return {
    url: addressNow(),
    path: location.pathname,
    search: location.search,
    title: document.title,
    referrer,
  };
}

/** The campaign of which the page's address tells. */
function campaign(): Properties | undefined {
  let found: Properties | undefined;
  new URLSearchParams(location.search).forEach((value, key) => {
    if (key.startsWith("utm_")) {
      (found ??= {})[key === "utm_campaign" ? "name" : key.slice(4)] = value;
    }
  });
  return found;
}

/** Makes an event of now, and sends it or has it wait for consent. */
export function emit(type: string, content: Properties): void {
  if (!isOpen && !isPending) {
    return;
  }
  const event: Properties = {
    type,
    messageId: randomId(),
    timestamp: new Date().toISOString(),
    userId,
    ...content,
    context: { page: pageNow(), campaign: campaign() },
  };
  if (isOpen) {
    release(event);
  } else {
    held = [...held, event].slice(-HELD_EVENTS_MAX);
  }
}

function release(event: Properties): void {
  add({ ...event, anonymousId: anonymousId() });
}

/** A decision was made: what waited for it leaves, or is forgotten. */
export function settleHeld(): void {
  if (!isPending) {
    held.forEach((event) => isOpen && release(event));
    held = [];
  }
}

export function track(event: string, properties: Properties = {}): void {
  emit("track", { event, properties });
}

export function page(name?: string, properties: Properties = {}): void {
  if (address !== addressNow()) {
    referrer = address;
    address = addressNow();
  }
  emit("page", { name, properties: { ...pageNow(), ...properties } });
}

/** A page view, if a script of the page, or the way back, has led to another address. */
export function pageIfNew(): void {
  if (address !== addressNow()) {
    page();
  }
}

/** `identify(traits)` is of the visitor so far. */
export function identify(id: string | Properties, traits: Properties = {}): void {
  if (typeof id === "object") {
    traits = id;
  } else {
    setUser(id);
  }
  emit("identify", { traits });
}
