// The whole script: takes over the calls that were made before it was there, then listens.

import { watch, watchPages } from "./capture";
import { decide } from "./consent";
import { forgetKept, leave, resume } from "./delivery";
import { identify, page, track } from "./events";
import { isOpen, renew } from "./identity";
import { pagesByHand, writeKey } from "./settings";

type Call = [name: string, ...args: never[]];

const methods: Record<string, (...args: never[]) => void> = { page, track, identify, consent: decide, reset: renew };

/** A fault of ours, or of an argument, must not stop the page. */
function call([name, ...args]: Call): void {
  try {
    methods[name]!(...args);
  } catch (error) {
    console.error("segue:", name, error);
  }
}

function start(): void {
  // The array of the stub stays, since the page may hold on to it and to its functions.
  const segue = ((window as { segue?: unknown }).segue ??= []) as Call[] & Record<string, unknown>;
  if (segue.loaded || !writeKey) {
    return console.error("segue:", "expected one script tag, with data-write-key");
  }
  segue.loaded = true;
  const waiting = segue.splice(0);
  for (const name in methods) {
    segue[name] = (...args: never[]) => call([name, ...args]);
  }
  segue.push = call as never;
  if (isOpen) {
    resume();
  } else {
    forgetKept();
  }
  waiting.forEach(call);
  watch();
  if (!pagesByHand) {
    watchPages();
  }
  addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => document.hidden && leave());
}

if ((document as { prerendering?: boolean }).prerendering) {
  document.addEventListener("prerenderingchange", start);
} else {
  start();
}
