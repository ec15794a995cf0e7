// Who the visitor is: an anonymous id in a cookie, the site's own id in localStorage, and whether either may be kept.

import { consentRequired, cookieDomain, refused } from "./settings";

const COOKIE = "segue_id";
const COOKIE_S = 365 * 24 * 3600;
const USER = "segue.user";
/** The cookie of one who refused where tracking is otherwise allowed: it must be known next time, and tells nothing else. */
const OPTED_OUT = "-";

let anonymous = document.cookie.match(/(?:^|; )segue_id=([^;]*)/)?.[1];
/** Whether events may leave, and something of them be kept in this browser. */
export let isOpen = !refused && (anonymous ? anonymous !== OPTED_OUT : !consentRequired);
/** Whether consent is required, and no decision is known. */
export let isPending = consentRequired && !refused && !anonymous;
export let userId = (isOpen && stored(USER)) || undefined;

if (refused && anonymous !== OPTED_OUT) {
  forget();
}

/** 128 random bits; `randomUUID` is not there on pages without TLS. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Reads, writes or ("") removes a value; a browser may refuse all of it, and then nothing is kept. */
export function stored(key: string, value?: string): string | null | undefined {
  try {
    if (value) {
      localStorage.setItem(key, value);
    } else if (value === "") {
      localStorage.removeItem(key);
    }
    return localStorage.getItem(key);
  } catch {
    return undefined;
  }
}

function keepCookie(value: string, seconds = COOKIE_S): void {
  document.cookie =
    `${COOKIE}=${value}; path=/; max-age=${seconds}; SameSite=Lax` +
    (location.protocol === "https:" ? "; Secure" : "") +
    (cookieDomain ? "; domain=" + cookieDomain : "");
}

/** The anonymous id, made and kept when it is asked for the first time. Only while open. */
export function anonymousId(): string {
  if (!anonymous) {
    keepCookie((anonymous = randomId()));
  }
  return anonymous;
}

/** Another person at the same browser becomes another visitor. */
export function setUser(id: string): void {
  if (userId && userId !== id) {
    renew();
  }
  userId = id;
  keepUser();
}

function keepUser(): void {
  if (isOpen && userId) {
    stored(USER, userId);
  }
}

function forgetUser(): void {
  userId = anonymous = undefined;
  stored(USER, "");
}

/** A new visitor. */
export function renew(): void {
  forgetUser();
  if (isOpen) {
    anonymousId();
  }
}

/** From now on events may leave. */
export function allow(): void {
  if (!isOpen) {
    isOpen = true;
    isPending = false;
    anonymous = undefined;
    keepUser();
  }
}

/** From now on none may, and nothing of the visitor is left in the browser. */
export function forget(): void {
  isOpen = isPending = false;
  forgetUser();
  if (consentRequired || refused) {
    keepCookie("", 0);
  } else {
    keepCookie((anonymous = OPTED_OUT));
  }
}
