/**
 * Asks for passkeys on the pages that show a box for them; without a script, which is
 * what passkeys need, the box stays hidden. What it says is in the page.
 */

import { createClient } from "./client.js";

const auth = createClient({ storage: "cookie" });
const WORK = {
  log_in: () => auth.logInWithPasskey(),
  factor: () => auth.confirmWithPasskey(),
  confirm: () => auth.reauthenticateWithPasskey(),
  passkeys: () => auth.addPasskey(),
};

for (const box of document.querySelectorAll("[data-passkey]")) {
  if ("PublicKeyCredential" in globalThis) setUp(box);
}

function setUp(box) {
  const { passkey, next, confirm } = box.dataset;
  const button = box.querySelector("button");
  const fault = box.querySelector("[role=alert]");

  async function run(work) {
    fault.textContent = "";
    try {
      await work();
      location.assign(next);
    } catch (error) {
      if (confirm && error.code === "insufficient_user_authentication") location.assign(confirm);
      else fault.textContent = box.dataset[error.code] ?? box.dataset.other;
    }
  }

  box.hidden = false;
  button.addEventListener("click", () => run(WORK[passkey]));
  if (passkey !== "log_in") return;

  // Out of the field for the name; nobody needs to hear why it ended.
  auth.logInWithPasskey({ autofill: true }).then(
    () => location.assign(next),
    () => {},
  );
}
