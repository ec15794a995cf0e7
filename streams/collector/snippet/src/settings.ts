// What a site says of itself, in attributes of the script's own tag: `<script async src=… data-write-key=…>`.

const script = document.currentScript as HTMLScriptElement;
const given = script.dataset;

export const writeKey = given.writeKey;
/** Where the collector is; by default where the script came from. */
export const endpoint = given.endpoint ?? new URL(script.src).origin;
/** Nothing is stored and nothing leaves before `purpose` is consented to. */
export const consentRequired = given.consent === "required";
/** The purpose of consent that this script itself needs. */
export const purpose = given.consentPurpose ?? "analytics";
/** Page views are told of only by `segue.page()`. */
export const pagesByHand = given.pages === "manual";
export const cookieDomain = given.cookieDomain;
/** How long an event may wait for others, in milliseconds. */
export const batchMs = +(given.batchMs ?? 250);
/** Events that are not kept waiting for more. */
export const batchEvents = +(given.batchEvents ?? 20);

/** The browser asks not to be tracked, and the site has not said that it asks in vain. */
export const refused =
  given.respectSignals !== "false" &&
  ((navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl === true || navigator.doNotTrack === "1");
