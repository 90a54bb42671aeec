/** Guarded routes: call them, and show what they answer. */

import { busy, byId, make, pretty, statusPill } from "./dom.js";
import { accessClaims, onTick } from "./tokens.js";

/** @type {boolean | null} */ let wanted = null;

/** @param {any} auth The client. */
export function setUpRoutes(auth) {
  const call = (id, path, send) =>
    byId(id).addEventListener("click", () =>
      busy(byId(id), async () => showAnswer(`GET ${path}`, await send(path))),
    );
  call("call-orders", "/api/orders", (path) => auth.fetch(path));
  call("call-admin", "/api/admin", (path) => auth.fetch(path));
  call("call-anonymous", "/api/orders", (path) => fetch(path));

  const box = byId("admin");
  box.addEventListener("change", async () => {
    wanted = box.checked;
    const method = wanted ? "PUT" : "DELETE";
    const response = await auth.fetch("/api/role", { method });
    if (!response.ok) box.checked = !wanted;
  });
  onTick((left) => {
    byId("admin-hint").textContent = hint(left);
  });
}

/** Forget what somebody else was shown. */
export function clearRoutes() {
  byId("route-answer").hidden = true;
  wanted = null;
}

/** @param {string[]} roles Of the account. */
export function setRoles(roles) {
  byId("admin").checked = roles.includes("admin");
}

function hint(left) {
  const has = (accessClaims().roles ?? []).includes("admin");
  if (wanted === null || wanted === has) {
    if (wanted === null && !has) return "Changes your account. The next refresh brings the role.";
    return has ? "Your access token has the role now." : "Your access token has the role no more.";
  }
  return `Your account is changed. Your token will be at its next refresh, within ${Math.ceil(left)} s.`;
}

async function showAnswer(request, response) {
  const body = pretty(await response.json());
  const challenge = response.headers.get("www-authenticate");
  const target = byId("route-answer");
  target.replaceChildren(
    make("p", { className: "line" }, make("code", {}, request), statusPill(response.status)),
    answerList(challenge, body),
  );
  target.hidden = false;
}

/** Show the challenge and the body of an answer. */
export function answerList(challenge, body) {
  const rows = [];
  if (challenge) rows.push(make("dt", {}, "WWW-Authenticate"), make("dd", {}, make("pre", {}, challenge)));
  rows.push(make("dt", {}, "Body"), make("dd", {}, make("pre", {}, body)));
  return make("dl", {}, ...rows);
}
