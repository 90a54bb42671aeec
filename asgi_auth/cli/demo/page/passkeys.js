/** A passkey for the account: browsers keep them for names, and not for addresses. */

import { busy, byId } from "./dom.js";
import { note } from "./log.js";

const NAME = "localhost";

/**
 * @param {any} auth The client.
 * @param {string} device What this window is called.
 * @param {(error: Error) => void} tell Shows why a log-in failed.
 */
export function setUpPasskeys(auth, device, tell) {
  const able = location.hostname === NAME && "PublicKeyCredential" in globalThis;
  byId("passkey-row").hidden = byId("passkey-login").hidden = !able;
  byId("passkey-elsewhere").hidden = able;
  byId("passkey-link").href = Object.assign(new URL(location.href), { hostname: NAME, hash: "" });

  const add = byId("passkey-add");
  add.addEventListener("click", () => busy(add, () => addPasskey(auth)));
  const enter = byId("passkey-login");
  enter.addEventListener("click", () =>
    busy(enter, () => auth.logInWithPasskey({ device_label: device }).catch(tell)),
  );
}

async function addPasskey(auth) {
  const hint = byId("passkey-hint");
  try {
    const { name } = await auth.addPasskey();
    hint.textContent = `Added: ${name}. Log out, and log in with it.`;
    note("A passkey was added.");
  } catch (error) {
    const known = error.code === "passkey_exists";
    hint.textContent = known ? "There is one already." : error.message;
  }
}
