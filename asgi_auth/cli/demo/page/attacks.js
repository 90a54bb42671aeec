/** What attackers try: buttons, and what came of it. */

import { busy, byId, make, pretty } from "./dom.js";
import { note, noteExchange } from "./log.js";
import { answerList } from "./routes.js";

/**
 * @param {any} auth The client.
 * @param {{ name: string, title: string, story: string }[]} attacks
 * @param {() => void} onDone Called after each.
 */
export function setUpAttacks(auth, attacks, onDone) {
  byId("attacks").replaceChildren(...attacks.map((attack) => row(auth, attack, onDone)));
}

/** Forget what came of them. */
export function clearAttacks() {
  for (const answer of byId("attacks").querySelectorAll(".answer")) answer.hidden = true;
  for (const pill of byId("attacks").querySelectorAll("h3 .pill")) pill.remove();
}

function row(auth, { name, title, story }, onDone) {
  const heading = make("h3", {}, title);
  const button = make("button", { type: "button", className: "small", aria: { label: `Try: ${title}` } }, "Try it");
  const answer = make("div", { className: "answer", hidden: true });
  button.addEventListener("click", () =>
    busy(button, async () => {
      const body = JSON.stringify({ name });
      const headers = { "Content-Type": "application/json" };
      const response = await auth.fetch("/api/attack", { method: "POST", headers, body });
      if (!response.ok) return;
      const result = await response.json();
      heading.replaceChildren(title, outcome(result));
      answer.replaceChildren(...shown(result));
      answer.hidden = false;
      for (const exchange of result.exchanges) noteExchange(exchange);
      note(verdict(result), result.refused ? "good" : "bad");
      onDone();
    }),
  );
  const item = make("li", { data: { attack: name } }, heading, make("p", { className: "story-line" }, story), button, answer);
  return item;
}

function outcome({ status, refused }) {
  const text = refused ? `refused, ${status}` : `not refused, ${status}`;
  return make("span", { className: `pill ${refused ? "good" : "bad"}` }, text);
}

function verdict({ title, status, refused }) {
  return `“${title}” ${refused ? "was refused" : "was not refused, which is a bug"}: ${status}.`;
}

function shown(result) {
  const problem = pretty(result.problem);
  const token = pretty(result.token);
  return [
    make("p", { className: "line" }, verdict(result)),
    answerList(result.challenge, problem),
    fold("The token, decoded", make("pre", {}, token)),
    fold("What went over the wire", ...result.exchanges.flatMap(wire)),
  ];
}

function fold(title, ...content) {
  const inner = make("div", { className: "exchange" }, ...content);
  return make("details", { className: "more" }, make("summary", {}, title), inner);
}

function wire({ sent, received, status }) {
  const tone = status < 400 ? "" : " bad";
  return [make("pre", {}, sent), make("pre", { className: `received${tone}` }, received)];
}
