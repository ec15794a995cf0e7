// Decisions on consent: recorded, and obeyed.

import { flush, forgetKept } from "./delivery";
import { emit, settleHeld } from "./events";
import { allow, forget } from "./identity";
import { purpose, refused } from "./settings";

export interface Decision {
  purpose: string;
  granted: boolean;
  /** What the visitor was shown: a version of its words. */
  document: string;
  /** How it was decided, such as `banner`. */
  method: string;
}

/** To be called when a decision is made, not on every page. */
export function decide({ purpose: decided, granted, document, method }: Decision): void {
  const mine = decided === purpose && !refused;
  if (mine && granted) {
    allow();
  }
  emit("consent", { purpose: decided, granted, document, method });
  if (mine && !granted) {
    flush();
    forgetKept();
    forget();
  }
  // Who refuses and was never known stays unknown: there is nobody to record it of.
  settleHeld();
}
