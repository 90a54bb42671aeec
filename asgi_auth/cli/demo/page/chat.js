/** The chat: one socket, three rooms, and who is there. */

import { busy, byId, deviceName, make } from "./dom.js";

const LONGEST = 100;
const UNAUTHORIZED = 3000; // The token or the session of the socket is over.

export class Chat {
  /** @type {WebSocket | null} */ #socket = null;
  #room = "";
  #sid = "";
  #people = new Map();
  #auth;
  #onPeople;

  /** How the last socket ended, if the server ended it. */
  closedWith = "";

  /**
   * @param {any} auth The client.
   * @param {() => void} onPeople Called when windows come or leave.
   */
  constructor(auth, onPeople) {
    this.#auth = auth;
    this.#onPeople = onPeople;
    const toggle = byId("socket-toggle");
    toggle.addEventListener("click", () =>
      busy(toggle, async () => (this.#socket ? this.disconnect() : this.connect())),
    );
    byId("say").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#say();
    });
  }

  async connect() {
    if (this.#socket) return;
    this.closedWith = "";
    this.#state("connecting", "warn");
    try {
      const socket = await this.#auth.connect("/chat");
      this.#socket = socket;
      this.#state("open", "good");
      socket.addEventListener("message", ({ data }) => this.#hear(JSON.parse(data)));
      socket.addEventListener("close", (event) => this.#ended(socket, event));
    } catch (error) {
      this.#state("refused", "bad");
      this.#note(`The server refused the socket: ${error.message}`, "bad");
    }
  }

  disconnect() {
    this.#socket?.close(1000, "left");
  }

  /** Forget what was said: somebody else may come. */
  clear() {
    this.disconnect();
    byId("messages").replaceChildren();
    byId("people").replaceChildren();
  }

  #ended(socket, { code, reason }) {
    if (this.#socket !== socket) return;
    this.#socket = null;
    this.#people.clear();
    byId("people").replaceChildren();
    const why = reason ? `${code} ${reason}` : String(code);
    const tone = code === 1000 ? "" : "bad";
    this.#state(`closed: ${why}`, tone);
    this.#note(`The socket was closed: ${why}.`, tone);
    if (code === UNAUTHORIZED) this.closedWith = why;
  }

  #state(text, tone) {
    const pill = byId("socket-state");
    pill.textContent = text;
    pill.className = `pill ${tone}`;
    byId("socket-toggle").textContent = this.#socket ? "Disconnect" : "Connect";
    byId("text").disabled = !this.#socket;
  }

  #say() {
    const field = byId("text");
    const text = field.value.trim();
    if (!text || !this.#socket) return;
    this.#socket.send(JSON.stringify({ type: "say", text }));
    field.value = "";
  }

  #hear(message) {
    if (message.type === "welcome") {
      this.#sid = message.you.sid;
      this.#showRooms(message.rooms);
    } else if (message.type === "joined") {
      this.#joined(message.room);
    } else if (message.type === "people" && message.room === this.#room) {
      this.#showPeople(message.people);
    } else if (message.type === "said" && message.room === this.#room) {
      this.#showSaid(message);
    } else if (message.type === "error") {
      const hint = message.room === "admins" ? " It needs the role admin." : "";
      this.#note(`${message.room}: refused, ${message.code}.${hint}`, "bad");
    }
  }

  #showRooms(names) {
    const buttons = names.map((name) => {
      const button = make("button", { type: "button", data: { room: name } }, name);
      button.addEventListener("click", () => {
        this.#socket?.send(JSON.stringify({ type: "join", room: name }));
      });
      return button;
    });
    byId("rooms").replaceChildren(...buttons);
  }

  #joined(room) {
    this.#room = room;
    this.#people.clear();
    for (const button of byId("rooms").children) {
      button.setAttribute("aria-pressed", String(button.dataset.room === room));
    }
    this.#note(`You are in ${room}.`);
  }

  #showPeople(people) {
    const before = this.#people;
    this.#people = new Map(people.map((one) => [one.sid, one]));
    const came = before.size ? people.filter(({ sid }) => !before.has(sid)) : [];
    const left = [...before.values()].filter(({ sid }) => !this.#people.has(sid));
    for (const one of came) this.#note(`${one.name} came, on ${one.device}.`);
    for (const one of left) this.#note(`${one.name} left, on ${one.device}.`);
    const rows = people.map((one) => make("li", {}, one.name, deviceName(one.device)));
    byId("people").replaceChildren(...rows);
    if (came.length || left.length) this.#onPeople();
  }

  #showSaid({ name, device, sid, text }) {
    const mine = sid === this.#sid ? " mine" : "";
    const from = make("span", { className: "from" }, name, deviceName(device));
    this.#add(make("li", { className: `said${mine}` }, from, text));
  }

  #note(text, tone = "") {
    this.#add(make("li", { className: `note ${tone}` }, text));
  }

  #add(item) {
    const list = byId("messages");
    list.append(item);
    while (list.children.length > LONGEST) list.firstElementChild.remove();
    list.scrollTop = list.scrollHeight;
  }
}
