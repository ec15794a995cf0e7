// The way of events to the collector: gathered for a moment, sent one batch at a time, and again where that may help.

import { isOpen, stored } from "./identity";
import { batchEvents, batchMs, consentRequired, endpoint, purpose, writeKey } from "./settings";

const QUEUE = "segue.queue";
const QUEUE_EVENTS_MAX = 200;
const EVENT_BYTES_MAX = 32_000;
/** What the browser has under way for a page that is gone may be 64 KiB together. */
const BATCH_BYTES_MAX = 60_000;
const RETRY_MS = 1_000;
const RETRY_MAX_MS = 60_000;

const encoder = new TextEncoder();
const url = endpoint + "/v1/b";
/** Events as JSON, oldest first; they leave it when the collector has them, or will never take them. */
let queue: string[] = [];
let failures = 0;
let timer: number | undefined;
let sending = false;

/** Queues an event. Past the bound the oldest goes. */
export function add(event: object): void {
  const text = JSON.stringify(event);
  if (encoder.encode(text).length > EVENT_BYTES_MAX) {
    throw RangeError(`expected an event of at most ${EVENT_BYTES_MAX} bytes`);
  }
  queue = [...queue, text].slice(-QUEUE_EVENTS_MAX);
  if (queue.length >= batchEvents) {
    flush();
  }
  if (!sending) {
    timer ??= setTimeout(send, batchMs);
  }
}

/** What an earlier page could not get rid of. */
export function resume(): void {
  queue = kept();
  forgetKept();
  flush();
}

/** The page may be gone in a moment. */
export function leave(): void {
  // Where the collector did not answer, a beacon would be lost, and nobody would know.
  if (!failures || !keep()) {
    let batch;
    while ((batch = next()).length && navigator.sendBeacon(url, body(batch))) {
      drop(batch);
    }
    // The browser takes only so much at once.
    if (batch.length) {
      keep();
    }
  }
}

/** Sends what waits. */
export function flush(): void {
  if (!failures) {
    void send();
  }
}

/** Nothing that waits is left in this browser. */
export function forgetKept(): void {
  stored(QUEUE, "");
}

function keep(): boolean {
  if (!isOpen) {
    return false;
  }
  // Another tab may have kept its own; twice the same event is one.
  const both = [...new Set([...kept(), ...queue])];
  return !!stored(QUEUE, JSON.stringify(both.slice(-QUEUE_EVENTS_MAX)));
}

function kept(): string[] {
  try {
    return [...(JSON.parse(stored(QUEUE) ?? "") as string[])];
  } catch {
    return [];
  }
}

function next(): string[] {
  let bytes = 0;
  const end = queue.findIndex((text) => (bytes += encoder.encode(text).length) > BATCH_BYTES_MAX);
  return end < 0 ? queue : queue.slice(0, end);
}

function drop(batch: string[]): void {
  queue = queue.filter((text) => !batch.includes(text));
}

function body(batch: string[]): string {
  const { language, userAgent } = navigator;
  const consent = consentRequired && isOpen ? { categoryPreferences: { [purpose]: true } } : undefined;
  const envelope = JSON.stringify({
    context: { locale: language, userAgent, library: { name: "segue.js" }, consent },
    sentAt: new Date().toISOString(),
    writeKey,
  });
  return `{"batch":[${batch}],${envelope.slice(1)}`;
}

async function send(): Promise<void> {
  clearTimeout(timer);
  timer = undefined;
  const batch = next();
  if (sending || !batch.length) {
    return;
  }
  sending = true;
  let again = true;
  let retryAfterS = 0;
  try {
    // A string goes as text/plain, which no preflight comes before.
    const answer = await fetch(url, { method: "POST", body: body(batch), keepalive: true, credentials: "omit" });
    again = [408, 429].includes(answer.status) || answer.status >= 500;
    retryAfterS = +(answer.headers.get("Retry-After") ?? 0);
  } catch {
    // No network, or no leave to read the answer.
  }
  sending = false;
  let waitMs = batchMs;
  if (again) {
    waitMs = Math.min(RETRY_MS * 2 ** failures++, RETRY_MAX_MS) * (0.5 + Math.random() / 2);
    waitMs = Math.max(waitMs, Math.min(retryAfterS * 1000 || 0, RETRY_MAX_MS));
  } else {
    failures = 0;
    drop(batch);
  }
  if (queue.length) {
    timer = setTimeout(send, waitMs);
  }
}
