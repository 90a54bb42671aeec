/** The two tokens, decoded, and the time that is left. */

import { byId, make } from "./dom.js";
import { note } from "./log.js";

const LATE = 10; // Seconds.
const TIMES = new Set(["exp", "iat", "auth_time", "nbf"]);
const MEANINGS = {
  typ: { "at+jwt": "an access token", "rt+jwt": "a refresh token" },
};

let lifetime = 60;
let expiresAt = null;
let claims = {};
const waiting = new Set();

/** What the access token says. */
export function accessClaims() {
  return claims;
}

/** Call `listener` with the seconds left, four times a second. */
export function onTick(listener) {
  waiting.add(listener);
}

/** Take the tokens of a log-in or a refresh. */
export function showTokens({ access, refresh }, refreshed) {
  claims = access.payload;
  lifetime = access.payload.exp - access.payload.iat;
  render(byId("access"), access, refreshed);
  render(byId("refresh"), refresh, refreshed);
  if (refreshed) note("Both tokens were replaced, before the old one ended.");
}

/** @param {number | null} at The end of the access token, in Unix seconds. */
export function setEnd(at) {
  expiresAt = at;
  tick();
}

function tick() {
  const left = expiresAt === null ? 0 : Math.max(0, expiresAt - Date.now() / 1000);
  byId("countdown").textContent = expiresAt === null ? "—" : left > 0 ? `${Math.ceil(left)} s` : "over";
  const bar = byId("bar");
  bar.style.transform = `scaleX(${Math.min(1, left / lifetime)})`;
  bar.classList.toggle("late", left < Math.min(LATE, lifetime / 2));
  for (const listener of waiting) listener(left);
}

setInterval(tick, 250);

function render(target, { header, payload, signature }, fresh) {
  const parts = [
    part("head", "Header", list(header)),
    part("payload", "Payload", list(payload)),
    part("signature", "Signature", make("p", {}, `${signature} bytes, ${header.alg}. It is not shown: with it, the token could be used.`)),
  ];
  for (const each of parts) each.classList.toggle("fresh", fresh);
  target.replaceChildren(...parts);
}

function part(className, title, content) {
  return make("section", { className: `part ${className}` }, make("h3", {}, title), content);
}

function list(values) {
  const rows = Object.entries(values).map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, ...describe(name, value))),
  );
  return make("dl", {}, ...rows);
}

function describe(name, value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  let meaning = MEANINGS[name]?.[value];
  if (TIMES.has(name)) meaning = new Date(value * 1000).toLocaleTimeString("en-GB");
  return meaning ? [text, " ", make("span", { className: "hint" }, meaning)] : [text];
}
