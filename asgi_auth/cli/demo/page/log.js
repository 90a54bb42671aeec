/** The log: one line for each request and message, and the whole of it on demand. */

import { byId, make, statusPill } from "./dom.js";

const LONGEST = 200;
const list = byId("log");
const announcer = byId("announcer");
let count = 0;

byId("clear").addEventListener("click", () => {
  list.replaceChildren();
  count = 0;
  showCount();
});

function showCount() {
  byId("log-empty").hidden = count > 0;
  byId("log-jump").textContent = String(count);
  byId("log-count").textContent = count ? `${count} ${count === 1 ? "entry" : "entries"}` : "";
}

function add(entry) {
  list.prepend(entry);
  while (list.children.length > LONGEST) list.lastElementChild.remove();
  count += 1;
  showCount();
}

function clock(at) {
  const time = at.toLocaleTimeString("en-GB");
  return make("time", { dateTime: at.toISOString() }, time);
}

/** @param {[string, string][]} blocks Headings, and what stands below them. */
function line(at, what, pill, blocks) {
  const full = blocks
    .filter(([, text]) => text)
    .flatMap(([title, text]) => [make("h3", {}, title), make("pre", {}, text)]);
  const summary = make("summary", {}, clock(at), make("span", { className: "what" }, ...what), pill);
  add(make("li", {}, make("details", {}, summary, make("div", { className: "full" }, ...full))));
}

/** Say what happened, in words. */
export function note(text, tone = "good") {
  announcer.textContent = text;
  const what = make("span", { className: "what" }, text);
  const row = make("div", { className: "plain" }, clock(new Date()), what);
  add(make("li", { className: `event ${tone}` }, row));
}

/** Show what an attacker sent over a socket of its own, and what came back. */
export function noteExchange({ sent, received, status }) {
  const [method, path] = sent.split(" ");
  const what = [make("b", {}, method), ` ${path}`, make("span", { className: "why" }, "the attacker")];
  line(new Date(), what, statusPill(status), [["Sent", sent], ["Received", received]]);
}

/** Show a request or a message of this window. */
export function show(traffic) {
  if (traffic.kind === "http") showRequest(traffic);
  else showMessage(traffic);
}

function showRequest(traffic) {
  const { at, method, path, status, problem, challenge } = traffic;
  const why = problem?.detail ?? challenge;
  announcer.textContent = `${method} ${path}: ${status || "no answer"}. ${why ?? ""}`;
  const what = [make("b", {}, method), ` ${path}`];
  if (why) what.push(make("span", { className: "why" }, why));
  line(at, what, statusPill(status), [
    ["Sent", [`${method} ${path}`, traffic.sentHeaders, "", traffic.sentBody].join("\n").trim()],
    ["Received", [`${status}`, traffic.gotHeaders, "", traffic.gotBody].join("\n").trim()],
  ]);
}

const ARROWS = { open: "⇄", sent: "→", got: "←", close: "×" };

function showMessage({ at, what, path, text, brief, type, code, reason }) {
  const words = { open: path, close: "close" }[what] ?? type ?? "message";
  const label = [make("b", {}, `WS ${ARROWS[what]}`), ` ${words}`];
  if (what === "open") {
    line(at, label, null, [["Subprotocols that were offered", text]]);
    return;
  }
  if (what !== "close") {
    const start = make("span", { className: "why brief", aria: { hidden: "true" } }, brief);
    line(at, [...label, start], null, [["Message", text]]);
    return;
  }
  const why = make("span", { className: "why" }, reason || "no reason given");
  const pill = make("span", { className: `pill ${code === 1000 ? "" : "bad"}` }, String(code));
  announcer.textContent = `The WebSocket was closed: ${code} ${reason}`;
  line(at, [...label, why], pill, [["Close", `${code} ${reason}`]]);
}
