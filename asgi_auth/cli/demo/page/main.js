/** Brings the page to life: who is logged in, and what follows from it. */

import "./tap.js";
import { createClient } from "/auth/client.js";
import { clearAttacks, setUpAttacks } from "./attacks.js";
import { Chat } from "./chat.js";
import { setUpDevices, showDevices } from "./devices.js";
import { busy, byId } from "./dom.js";
import { note, show } from "./log.js";
import { clearRoutes, setRoles, setUpRoutes } from "./routes.js";
import { setUpPasskeys } from "./passkeys.js";
import { onTraffic } from "./tap.js";
import { setEnd, showTokens } from "./tokens.js";
import { ownName } from "./window.js";

const SKEW = 10;
const REASONS = {
  token_revoked: "Another device has ended the session of this window, or it logged out everywhere.",
  token_reused: "An old refresh token came back: the session of this window is over.",
  token_expired: "The session of this window was not used for too long.",
  invalid_token: "The server does not know its tokens: it has new keys whenever it starts.",
};

const device = ownName();
// Tabs with one base share one log-in. Here each window is to be a device of its own.
const auth = createClient({ base: `/window/${device.slug}/auth`, skew: SKEW });
const chat = new Chat(auth, () => void showDevices(auth));
let inside = false;
let leaving = false;
let email = "";

onTraffic((traffic) => {
  show(traffic);
  if (traffic.tokens) showTokens(traffic.tokens, traffic.path.endsWith("/refresh"));
});

auth.subscribe((state) => {
  setEnd(state.expiresAt);
  if (state.authenticated !== inside) void (state.authenticated ? enter() : leave(state.reason));
  inside = state.authenticated;
});

async function enter() {
  byId("banner").hidden = true;
  byId("logged-out").hidden = true;
  byId("logged-in").hidden = false;
  document.body.classList.add("in");
  const response = await auth.fetch(`/window/${device.slug}/auth/me`);
  const me = await response.json();
  if (!response.ok) throw new Error(me.detail);
  email = me.email;
  byId("who").textContent = email;
  setRoles(me.roles);
  await chat.connect();
  await showDevices(auth);
}

function leave(reason) {
  document.body.classList.remove("in");
  byId("logged-out").hidden = false;
  byId("logged-in").hidden = true;
  chat.clear();
  clearRoutes();
  clearAttacks();
  scrollTo({ top: 0 });
  if (leaving) {
    note("Logged out.");
    byId("email").focus();
    return;
  }
  const socket = chat.closedWith && ` Its WebSocket was closed at once, with ${chat.closedWith}.`;
  const text = `This window was logged out. ${REASONS[reason] ?? reason}${socket}`;
  tellAll(text, "bad");
  note(text, "bad");
}

// What no part of the page expects: the server is gone, or its store is down.
addEventListener("unhandledrejection", (event) => {
  const { name, message } = event.reason ?? {};
  tellAll(name === "TypeError" ? "The server does not answer. Does it still run?" : message, "bad");
  event.preventDefault();
});

function tellAll(text, tone = "") {
  const banner = byId("banner");
  banner.textContent = text;
  banner.className = `banner ${tone}`;
  banner.hidden = false;
}

// --------------------------------------------------------------------------- log in

const form = byId("login");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const registers = event.submitter?.value === "register";
  const credentials = { email: form.email.value.trim(), password: form.password.value };
  void busy(event.submitter ?? form.querySelector("button"), () => logIn(credentials, registers));
});

async function logIn(credentials, registers = false) {
  const problem = byId("login-problem");
  problem.hidden = true;
  try {
    if (registers) await auth.register(credentials);
    await auth.logIn({ ...credentials, device_label: device.name });
    byId("h-login").focus({ preventScroll: true }); // The button that had it is gone.
  } catch (error) {
    tellProblem(error);
  }
}

function tellProblem(error) {
  const problem = byId("login-problem");
  problem.textContent = error.message;
  problem.hidden = false;
}

/** Log out, and take the end of the socket for what it is: asked for. */
async function logOut(work) {
  leaving = true;
  try {
    await work();
  } finally {
    leaving = false;
  }
}

for (const [id, work] of [
  ["logout", () => auth.logOut()],
  ["logout-all", () => auth.logOutEverywhere()],
]) {
  byId(id).addEventListener("click", () => busy(byId(id), () => logOut(work)));
}

// ----------------------------------------------------------------- the second window

byId("second-window").addEventListener("click", () =>
  busy(byId("second-window"), async () => {
    const response = await auth.fetch("/api/handover", { method: "POST" });
    const { ticket } = await response.json();
    const fragment = new URLSearchParams({ email, ticket });
    const left = Math.max(0, screen.availWidth - 600);
    const features = `popup,width=600,height=900,left=${left},top=0`;
    if (window.open(`/#${fragment}`, "_blank", features) === null) {
      tellAll("The browser did not open the window. Open this page in another window, and log in there.");
    }
  }),
);

async function comeIn() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const ticket = asked.get("ticket");
  if (ticket === null) return;
  history.replaceState(null, "", "/"); // Good once only, and not to be kept either way.
  await logIn({ email: asked.get("email") ?? "", password: ticket });
}

// --------------------------------------------------------------------------- begin

function setUpTheme() {
  const button = byId("theme");
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const say = () => button.setAttribute("aria-pressed", String(isDark()));
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch {
      // It lasts as long as the page.
    }
    say();
  });
  system.addEventListener("change", say);
  say();
}

function showFacts(about) {
  const { name, place } = about.store;
  byId("fact-store").textContent = `${name}, ${place}`;
  byId("fact-kept").textContent = about.accounts ? "Sessions" : "Sessions and accounts";
  byId("fact-apart").hidden = !about.accounts;
  byId("fact-accounts").textContent = about.accounts;
  byId("fact-ttl").textContent = `${about.access_ttl} s`;
}

async function begin() {
  setUpTheme();
  document.title = `${device.name}: asgi-auth demo`;
  byId("window-name").textContent = byId("who-device").textContent = device.name;
  byId("window-badge").dataset.window = device.name;
  byId("who-device").parentElement.dataset.window = device.name;
  byId("window-badge").hidden = false;
  setUpRoutes(auth);
  setUpDevices(auth);
  setUpPasskeys(auth, device.name, tellProblem);
  const about = await (await fetch("/api/about")).json();
  showFacts(about);
  setUpAttacks(auth, about.attacks, () => void showDevices(auth));
  form.email.value = about.demo.email;
  form.password.value = about.demo.password;
  await comeIn();
}

await begin();
document.body.dataset.ready = "";
