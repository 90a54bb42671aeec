/** The sessions of the account: one for each window that is logged in. */

import { ago, busy, byId, deviceName, make } from "./dom.js";
import { note } from "./log.js";

/** @param {any} auth The client. */
export function setUpDevices(auth) {
  const again = byId("devices-again");
  again.addEventListener("click", () => busy(again, () => showDevices(auth)));
}

/** Ask for the list, and show it. */
export async function showDevices(auth) {
  if (!auth.state.authenticated) return;
  const sessions = await auth.sessions();
  byId("devices").replaceChildren(...sessions.map((session) => row(auth, session)));
}

function row(auth, session) {
  const name = session.device.label ?? "A device without a name";
  const times = `logged in ${ago(session.created_at)}, refreshed ${ago(session.last_used_at)}`;
  const hint = make("span", { className: "hint" }, `${session.device.ip ?? "unknown address"}, ${times}`);
  return make("li", {}, deviceName(name, "name"), hint, session.current ? here() : revoke(auth, session, name));
}

function here() {
  return make("span", { className: "here" }, "this window");
}

function revoke(auth, session, name) {
  const label = { label: `Revoke ${name}` };
  const button = make("button", { type: "button", className: "danger small", aria: label }, "Revoke");
  button.addEventListener("click", () =>
    busy(button, async () => {
      await auth.revokeSession(session.sid);
      note(`The session of ${name} was revoked.`);
      await showDevices(auth);
      byId("devices-again").focus();
    }),
  );
  return button;
}
