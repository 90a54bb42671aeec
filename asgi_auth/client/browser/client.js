/**
 * The browser's side of the log-in routes: logs in, keeps tokens fresh, and tells all
 * tabs of a browser the same. It never writes a token to storage, and never sends one
 * to an origin that was not named.
 *
 * The whole of its interface; times are in seconds, `expiresAt` since the Unix epoch:
 *
 *     import { createClient, isExpired, secondsLeft, AuthError } from "/auth/client.js";
 *
 *     const auth = createClient({
 *       base: "/auth",       // where the routes are; by default where this file is
 *       storage: "memory",   // or "cookie": as AuthRoutes(delivery=...) says
 *       skew: 30,            // refresh so long before the access token ends
 *       origins: [],         // other origins that may be sent the token
 *       dpop: false,         // bind the tokens to a key that never leaves the browser
 *     });
 *     await auth.resume();                        // state: asks other tabs, or cookies
 *     await auth.register({ email, password });   // the account
 *     await auth.logIn({ email, password });      // state
 *     await auth.confirm({ code });               // state: the log-in needed a second factor
 *     await auth.sendCode();                      // sends one by e-mail, for that
 *     await auth.confirmWithPasskey();            // state: likewise, with a passkey
 *     await auth.logInWithPasskey({ autofill, signal });       // state
 *     await auth.reauthenticateWithPasskey();     // state: a fresh log-in
 *     await auth.addPasskey({ name });            // the passkey, { id, name, ... }
 *     await auth.passkeys();                      // [{ id, name, last_used_at, ... }]
 *     await auth.renamePasskey(id, name);
 *     await auth.removePasskey(id);
 *     await auth.providers();                     // [{ name, label }], for buttons
 *     await auth.logInAt("google", { next: "/" });    // leaves the page
 *     await auth.finishLogIn("google");           // state; where it sends browsers back
 *     await auth.link("google", { next: "/me" }); // to the account; leaves the page
 *     await auth.identities();                    // [{ id, provider, email, ... }]
 *     await auth.unlink(id);
 *     await auth.logOut();                        // state, in all tabs
 *     await auth.logOutEverywhere();              // state; all devices
 *     await auth.fetch(input, init);              // Response, as of fetch()
 *     await auth.token();                         // a fresh access token, or null
 *     await auth.connect(url, { protocols, reauthenticate });  // an open WebSocket
 *     const events = auth.events(url);            // as an EventSource, with tickets
 *     await auth.socket(url, { protocols, reauthenticate });   // likewise a WebSocket
 *     await auth.sessions();                      // [{ sid, current, device, ... }]
 *     await auth.revokeSession(sid);
 *     auth.state;                                 // { authenticated, expiresAt, reason }
 *     const unsubscribe = auth.subscribe((state) => {});  // called now and on change
 *     auth.close();                               // lets go of everything
 *
 *     secondsLeft(token);                         // 0 if it is over, or no token
 *     isExpired(token, 30);                       // whether it ends within 30 seconds
 *
 * `reason` is "new", "logged_in", "refreshed", "logged_out", or the code of the refusal
 * that ended the session, for instance "token_revoked". An AuthError has a `kind`:
 * "refused", "limited", "unavailable", "logged_out" or "misuse"; a `code`, a `status`
 * (0 without an answer), `retryAfter` (seconds, or null) and, where a log-in needs a
 * second factor ("second_factor_required"), the `methods` that the user has.
 *
 * With `dpop` (RFC 9449) each request has a proof, made with a key that WebCrypto keeps:
 * no script can read it, all tabs share it, and it outlives them. The server must bind
 * the tokens; what it wants in proofs, its nonces and its time, is found out.
 *
 * @module
 */

/** @typedef {"refused" | "limited" | "unavailable" | "logged_out" | "misuse"} Kind */
/** @typedef {{ authenticated: boolean, expiresAt: number | null, reason: string }} State */
/**
 * @typedef {object} Details
 * @property {string} [code]
 * @property {number} [status]
 * @property {number | null} [retryAfter]
 * @property {string[]} [methods]
 * @property {string | null} [pending] The token of a log-in that is not done.
 * @property {unknown} [cause]
 */

/**
 * @typedef {object} Options
 * @property {string | URL} [base] Where the routes are.
 * @property {"memory" | "cookie"} [storage] Who keeps the tokens: this, or the browser.
 * @property {number} [skew] Seconds before the end at which a token is replaced.
 * @property {string[]} [origins] Further origins that may get the token.
 * @property {boolean} [dpop] Whether tokens are bound to a key of this browser.
 */

/**
 * @typedef {object} ProviderOptions
 * @property {string} [next] A path of this site, to go to then.
 * @property {"none" | "login" | "consent" | "select_account"} [prompt]
 * @property {string} [login_hint] Who the user probably is.
 * @property {boolean} [fresh] Whether to log in there again in any case.
 */

/** @typedef {{ key: CryptoKey, jwk: object }} ProofKey */

/**
 * What is known of the tokens. With cookies, both are null.
 * `wall` and `mono` are the end in milliseconds, by either clock.
 *
 * @typedef {object} Session
 * @property {string | null} access
 * @property {string | null} refresh
 * @property {number} wall
 * @property {number} mono
 * @property {number} lifetime
 * @property {string} owner Whose it is, so that nobody gets what another one began.
 */

/** What failed, for programs; the message is for people. */
export class AuthError extends Error {
  /** @param {Kind} kind @param {string} message @param {Details} [details] */
  constructor(kind, message, details = {}) {
    const { code = kind, status = 0, retryAfter = null, methods = [], cause } = details;
    super(message, { cause });
    this.name = "AuthError";
    this.kind = kind;
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
    this.methods = methods;
    Object.defineProperty(this, "pending", { value: details.pending ?? null });
  }
}

const ANSWER_MS = 15_000; // For the log-in routes to answer.
const QUEUE_MS = 45_000; // For other tabs to be done with theirs.
const HANDOVER_MS = 1_000; // For a tab that has newer tokens to hand them over.
const GREETING_MS = 200; // The same, where it is not known whether there is one.
const COOLDOWN_MS = 5_000; // Between attempts to reach routes that are down.
const LONGEST_SLEEP_MS = 30_000;
const NEWS_MS = 300; // For a tab that logs out to say so, before this one asks why.
const FIRST_WAIT_MS = 500; // Before a stream of events that has ended is opened again.
const LEAP_MS = 1e12; // More than clocks differ; no stamp may lie further ahead.
// Sandboxed pages must not use the locks that their browser has.
const locks = origin === "null" ? undefined : navigator.locks;
const PROOF_FAULTS = ["use_dpop_nonce", "invalid_dpop_proof"]; // Another may do.
const PROVEN = ["/login", "/refresh"]; // What asks for tokens, in one step or two.
const REVOKED = 3000; // The server's own code for a session that is over.

/**
 * Return for how many seconds a token is still good; 0 for anything that is no token.
 * Nothing is verified: only the server can do that.
 *
 * @param {unknown} token
 * @param {number} [now] Seconds since the Unix epoch.
 * @returns {number}
 */
export function secondsLeft(token, now = Date.now() / 1000) {
  const { exp } = claims(token);
  return Number.isFinite(exp) ? Math.max(0, exp - now) : 0;
}

/**
 * Return whether a token ends within `skew` seconds.
 *
 * @param {unknown} token
 * @param {number} [skew]
 * @returns {boolean}
 */
export function isExpired(token, skew = 0) {
  return secondsLeft(token) <= skew;
}

/**
 * Make a client. All tabs of an origin that give the same `base` and `storage` share
 * one log-in.
 *
 * @param {Options} [options]
 * @returns {Client}
 */
export function createClient(options) {
  return new Client(options);
}

class Client {
  #base;
  #cookies;
  #skew;
  #origins;
  #dpop;
  /** @type {Promise<ProofKey> | null} */
  #key = null;
  /** @type {Map<string, { nonce?: string | undefined, ahead: number }>} */
  #wishes = new Map(); // Of servers, about proofs.
  #name;
  #channel;
  /** @type {Session | null} */
  #session = null;
  #reason = "new";
  /** @type {string | null} */
  #pending = null; // Of a log-in that needs a second factor; with cookies, one has it.
  #stamp = 0; // Of the last change in any tab: a greater one is newer.
  /** @type {Promise<Session | null> | null} */
  #flight = null;
  /** @type {Promise<void> | null} */
  #greeting = null;
  /** @type {Promise<unknown>} */
  #queue = Promise.resolve();
  /** @type {Set<(state: State) => void>} */
  #listeners = new Set();
  /** @type {Map<WebSocket, { owner: string, understands: boolean }>} */
  #sockets = new Map();
  /** @type {Map<Events, string | null>} */
  #streams = new Map();
  /** @type {Set<(value?: unknown) => void>} */
  #waiting = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #pausedUntil = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #doubting;
  #settledUntil = 0;
  /** @type {Promise<unknown> | undefined} */
  #leaving;
  /** @type {AbortController | undefined} */
  #offered;
  #closed = false;
  #letGo = () => {};
  #wake = (/** @type {PageTransitionEvent} */ event) => {
    // Back out of the history: what was said meanwhile went unheard.
    if (event.persisted && this.#session) this.#refresh(this.#session).catch(() => {});
  };

  /** @param {Options} [options] */
  constructor({ base, storage = "memory", skew = 30, origins = [], dpop = false } = {}) {
    if (storage !== "memory" && storage !== "cookie") {
      throw new AuthError("misuse", 'storage must be "memory" or "cookie".');
    }
    if (dpop && (storage === "cookie" || !globalThis.crypto?.subtle)) {
      throw new AuthError("misuse", 'dpop needs a secure context, and storage: "memory".');
    }
    const home = new URL(base ?? new URL(".", import.meta.url), location.href);
    const named = [location.origin, home.origin, ...origins.map((o) => new URL(o).origin)];
    this.#base = home.href.replace(/\/+$/, "");
    this.#cookies = storage === "cookie";
    this.#skew = skew;
    this.#origins = new Set(named.filter((origin) => origin !== "null"));
    this.#dpop = dpop;
    this.#name = `asgi-auth ${dpop ? "dpop" : storage} ${this.#base}`;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    addEventListener("pageshow", this.#wake);
  }

  /** @returns {State} */
  get state() {
    const expiresAt = this.#session && this.#session.wall / 1000;
    return { authenticated: this.#session !== null, expiresAt, reason: this.#reason };
  }

  /**
   * Call `listener` now and whenever this or another tab logs in, refreshes or ends.
   *
   * @param {(state: State) => void} listener
   * @returns {() => void} Ends the subscription.
   */
  subscribe(listener) {
    this.#listeners.add(listener);
    listener(this.state);
    return () => void this.#listeners.delete(listener);
  }

  /** Let go of other tabs, sockets and timers; the session lives on. */
  close() {
    this.#closed = true;
    removeEventListener("pageshow", this.#wake);
    clearTimeout(this.#timer);
    clearTimeout(this.#doubting);
    this.#offer();
    this.#listeners.clear();
    this.#sockets.clear();
    for (const events of [...this.#streams.keys()]) events.close();
    // Other tabs must get the tokens that a refresh under way brings: theirs are spent.
    Promise.allSettled([this.#flight]).then(() => {
      this.#channel.close();
      this.#letGo();
    });
  }

  // ------------------------------------------------------------------- the account

  /**
   * Find out whether somebody is logged in already: in another tab, or by cookies.
   *
   * @returns {Promise<State>}
   */
  async resume() {
    await this.#greet();
    if (this.#cookies && this.#reason === "new") await this.#refresh(null);
    return this.state;
  }

  /** @param {{ email: string, password: string }} account */
  register(account) {
    return this.#post("/register", account);
  }

  /**
   * @param {{ email: string, password: string, code?: string }} credentials
   * @returns {Promise<State>}
   */
  logIn(credentials) {
    this.#pending = null;
    return this.#enter("/login", this.#delivered(credentials));
  }

  /**
   * @param {string} path
   * @param {object} shown
   * @returns {Promise<State>}
   */
  async #enter(path, shown) {
    await this.#alone(async () => {
      const began = clocks();
      const answer = await this.#post(path, shown).catch((error) => {
        this.#pending = Object(error).pending ?? this.#pending;
        throw error;
      });
      this.#pending = null;
      this.#decide(this.#read(answer, began), "logged_in");
      this.#offer();
      await this.#hold();
    });
    return this.state;
  }

  // ------------------------------------------------------------- identity providers

  /** @returns {Promise<Record<string, any>[]>} Where users may log in, for buttons. */
  async providers() {
    return (await unpack(await fetch(`${this.#base}/providers`))).providers;
  }

  /**
   * Leave the page, to log in at an identity provider.
   *
   * @param {string} provider Its name.
   * @param {ProviderOptions} [options]
   */
  async logInAt(provider, options = {}) {
    const { url } = await this.#post(`${placeOf(provider)}/start`, options);
    location.assign(url);
  }

  /**
   * Leave the page, to link a log-in at an identity provider to the account. It has to
   * be within five minutes of a log-in.
   *
   * @param {string} provider Its name.
   * @param {ProviderOptions} [options]
   */
  async link(provider, options = {}) {
    const headers = { "Content-Type": "application/json" };
    const asked = { method: "POST", headers, body: JSON.stringify(options) };
    const place = `${this.#base}${placeOf(provider)}/link`;
    const { url } = await unpack(await this.fetch(place, asked));
    location.assign(url);
  }

  /**
   * End a log-in on the page that the provider sends browsers back to. Where tokens are
   * in cookies the routes do so by themselves.
   *
   * @param {string} provider Its name.
   * @param {string} [query] What it has sent, once.
   * @returns {Promise<State>}
   */
  async finishLogIn(provider, query = location.search) {
    // Not twice by a reload, and not in the history.
    history.replaceState(history.state, "", location.pathname);
    await this.#alone(async () => {
      const began = clocks();
      const answer = Object.fromEntries(new URLSearchParams(query));
      const delivery = this.#cookies ? "cookie" : "body";
      const path = `${placeOf(provider)}/callback`;
      const tokens = await this.#post(path, { ...answer, delivery });
      if (!tokens) return; // Linked to the account: the session is the one before.
      this.#decide(this.#read(tokens, began), "logged_in");
      await this.#hold();
    });
    return this.state;
  }

  /** @returns {Promise<Record<string, any>[]>} What is linked to the account. */
  async identities() {
    return (await unpack(await this.fetch(`${this.#base}/identities`))).identities;
  }

  /** @param {string} id The `id` of one of `identities()`. */
  async unlink(id) {
    const path = `${this.#base}/identities/${encodeURIComponent(id)}`;
    await unpack(await this.fetch(path, { method: "DELETE" }));
  }

  /**
   * Go on with a log-in that was refused with "second_factor_required".
   *
   * @param {{ code: string, trustDevice?: boolean }} factor
   * @returns {Promise<State>}
   */
  confirm({ code, trustDevice = false }) {
    const shown = { ...this.#waitingLogIn(), code, trust_device: trustDevice };
    return this.#enter("/login/factor", shown);
  }

  /** Have a code sent by e-mail, for `confirm`. @returns {Promise<void>} */
  async sendCode() {
    await this.#post("/login/factor/email", this.#waitingLogIn());
  }

  /**
   * Where the server has both ways, the way of these tabs.
   *
   * @param {object} body
   */
  #delivered(body) {
    return this.#cookies ? { ...body, delivery: "cookie" } : body;
  }

  // ------------------------------------------------------------------- the passkeys

  /**
   * Log in with a passkey; the browser asks for one, and for no name. With `autofill` it
   * offers passkeys in the fields with `autocomplete="username webauthn"`, and this waits
   * until one is chosen. It ends with `signal`, and when somebody logs in otherwise: an
   * AuthError with the code "passkey_cancelled" says that none was shown, and
   * "passkeys_unsupported" that this browser cannot do it.
   *
   * @param {{ autofill?: boolean, signal?: AbortSignal, device_label?: string }} [options]
   * @returns {Promise<State>}
   */
  async logInWithPasskey({ autofill = false, signal, ...more } = {}) {
    const able = await globalThis.PublicKeyCredential?.isConditionalMediationAvailable?.();
    if (autofill && !able) throw unsupported();
    // A browser asks one question at a time.
    const ending = this.#offer(autofill);
    for (;;) {
      const question = await this.#post("/passkeys/login/options", this.#delivered({}));
      const late = untilLate(question);
      const ends = first(late, ending, signal);
      try {
        const credential = await use(question.options, autofill, ends);
        const shown = { ...more, credential, ceremony: question.ceremony };
        return await this.#enter("/passkeys/login", this.#delivered(shown));
      } catch (error) {
        // Nobody has chosen one yet, and the question ends soon: then there is another.
        if (!(autofill && ends.reason === late.reason && late.aborted)) throw error;
      }
    }
  }

  /**
   * Go on with a log-in that was refused with "second_factor_required", with a passkey.
   *
   * @returns {Promise<State>}
   */
  async confirmWithPasskey() {
    this.#offer();
    const waiting = this.#waitingLogIn();
    const question = await this.#post("/login/factor/passkey/options", waiting);
    const late = untilLate(question);
    const credential = await use(question.options, false, late);
    const shown = { ...waiting, credential, ceremony: question.ceremony };
    return this.#enter("/login/factor/passkey", shown);
  }

  /**
   * Prove with a passkey to be there still: the session is replaced by a fresh one.
   *
   * @returns {Promise<State>}
   */
  async reauthenticateWithPasskey() {
    this.#offer();
    const question = await this.#post("/passkeys/login/options", this.#delivered({}));
    const late = untilLate(question);
    const credential = await use(question.options, false, late);
    const began = clocks();
    const shown = this.#delivered({ credential, ceremony: question.ceremony });
    const answer = await this.#ask("/passkeys/reauthenticate", "POST", shown);
    this.#decide(this.#read(answer, began), "logged_in");
    await this.#hold();
    return this.state;
  }

  /**
   * End the offer of passkeys that waits, if there is one, and begin another.
   *
   * @param {boolean} [anew]
   * @returns {AbortSignal | undefined} Ends the new one.
   */
  #offer(anew = false) {
    this.#offered?.abort();
    this.#offered = anew ? new AbortController() : undefined;
    return this.#offered?.signal;
  }

  /**
   * Make a passkey for who is logged in, a few minutes ago at most.
   *
   * @param {{ name?: string }} [options]
   * @returns {Promise<Record<string, any>>}
   */
  async addPasskey({ name } = {}) {
    this.#offer();
    const question = await this.#ask("/passkeys/options", "POST");
    const credential = await make(question.options);
    return this.#ask("/passkeys", "POST", { credential, ceremony: question.ceremony, name });
  }

  /** @returns {Promise<Record<string, any>[]>} Those of the user, the oldest first. */
  async passkeys() {
    return (await this.#ask("/passkeys", "GET")).passkeys;
  }

  /** @param {string} id @param {string} name */
  async renamePasskey(id, name) {
    await this.#ask(`/passkeys/${encodeURIComponent(id)}`, "POST", { name });
  }

  /** @param {string} id */
  async removePasskey(id) {
    await this.#ask(`/passkeys/${encodeURIComponent(id)}`, "DELETE");
  }

  /**
   * Ask the routes as the user.
   *
   * @param {string} path
   * @param {string} method
   * @param {object} [body]
   */
  async #ask(path, method, body) {
    const headers = { "Content-Type": "application/json" };
    const content = body ? { headers, body: JSON.stringify(body) } : {};
    return unpack(await this.fetch(this.#base + path, { method, ...content }));
  }

  // ------------------------------------------------------------------- the log-outs

  /**
   * End the session, in all tabs. Where the server cannot be reached this rejects, and
   * the session lives on: nobody could end it any more without its tokens.
   *
   * @returns {Promise<State>}
   */
  async logOut() {
    await this.#finish("logged_out", async () => {
      if (!this.#cookies && !this.#session) return;
      try {
        await this.#post("/logout", this.#shown());
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
    });
    return this.state;
  }

  /** @returns {Promise<State>} */
  async logOutEverywhere() {
    await this.#leave(async () => {
      await unpack(await this.fetch(`${this.#base}/logout-all`, { method: "POST" }));
      await this.#finish("logged_out");
    });
    return this.state;
  }

  /** @returns {Promise<Record<string, any>[]>} The user's log-ins, the oldest first. */
  async sessions() {
    const found = [];
    for (let query = ""; ; ) {
      const page = await unpack(await this.fetch(`${this.#base}/sessions${query}`));
      found.push(...page.sessions);
      if (!page.next) return found;
      query = `?after=${encodeURIComponent(page.next)}`;
    }
  }

  /** @param {string} sid The `sid` of one of `sessions()`. */
  async revokeSession(sid) {
    const mine = (await this.sessions()).some((each) => each.current && each.sid === sid);
    const path = `${this.#base}/sessions/${encodeURIComponent(sid)}`;
    await this.#leave(async () => {
      await unpack(await this.fetch(path, { method: "DELETE" }));
      if (mine) await this.#finish("logged_out");
    });
  }

  // ------------------------------------------------------------------- the tokens

  /**
   * Return an access token that is good for a while, or null: nobody is logged in, or
   * cookies hold it.
   *
   * @returns {Promise<string | null>}
   */
  async token() {
    return (await this.#fresh())?.access ?? null;
  }

  /**
   * As the browser's `fetch`, with the access token. It goes to trusted origins only.
   * A request is sent a second time after a 401 that blames the token, unless its body
   * is a stream, or somebody else has logged in meanwhile.
   *
   * @param {RequestInfo | URL} input
   * @param {RequestInit} [init]
   * @returns {Promise<Response>}
   */
  async fetch(input, init) {
    const request = new Request(input, init);
    // Made now: what the caller gave may be another one when it is needed.
    const source = input instanceof Request ? input : request.url;
    const spare = isRepeatable(input, init) ? new Request(source, init) : null;
    if (!this.#trusts(request.url) || request.headers.has("Authorization")) {
      return fetch(request);
    }
    await this.#greet();
    const before = this.#session;
    const session = await this.#fresh();
    if (before && session && before.owner !== session.owner) {
      throw new AuthError("logged_out", "Somebody else has logged in meanwhile.");
    }
    const response = await this.#send(request, session, spare);
    if (!spare || !this.#blamesToken(response, session)) return response;

    const next = await this.#refresh(session);
    if (!next || (session && session.owner !== next.owner)) return response;
    await response.body?.cancel();
    return this.#send(spare.clone(), next, spare);
  }

  /**
   * Send a request with the token, and once more where the server wants another proof.
   *
   * @param {Request} request
   * @param {Session | null} session
   * @param {Request | null} spare The same, where it can be repeated.
   * @returns {Promise<Response>}
   */
  async #send(request, session, spare) {
    const response = await fetch(await this.#dress(request, session));
    if (!this.#dpop || !session) return response;
    this.#learn(response);
    if (!spare || response.status !== 401) return response;
    if (!PROOF_FAULTS.includes(faultOf(response) ?? "")) return response;
    await response.body?.cancel();
    const second = await fetch(await this.#dress(spare.clone(), session));
    this.#learn(second);
    return second;
  }

  /**
   * Open a WebSocket. It lives on when the tokens are refreshed, with a message
   * `{"type": "auth", "token": ...}`, and is closed when the session ends, or somebody
   * else logs in. Where the server closes it with 3000, the session is over as well if
   * a refresh is refused: then `state` tells why.
   *
   * @param {string | URL} url
   * @param {{ protocols?: string[], reauthenticate?: boolean }} [options]
   * @returns {Promise<WebSocket>}
   */
  async connect(url, { protocols = [], reauthenticate = true } = {}) {
    const target = new URL(url, location.href);
    target.protocol = target.protocol.replace(/^http/, "ws");
    if (!this.#trusts(target.href.replace(/^ws/, "http"))) {
      throw new AuthError("misuse", "Name the origin of the WebSocket in `origins`.");
    }
    if (this.#dpop) {
      throw new AuthError("misuse", "A WebSocket has no proof: open it with socket().");
    }
    if (this.#cookies) await this.resume();
    const session = await this.#fresh();
    if (!session) throw new AuthError("logged_out", "Nobody is logged in.");

    return this.#keep(new WebSocket(target, offer(session.access, protocols)), session, {
      reauthenticate,
    });
  }

  /**
   * Open a WebSocket with a ticket in its address: for servers that cannot read the token
   * among the subprotocols. In all else it is as one of `connect()`.
   *
   * @param {string | URL} url
   * @param {{ protocols?: string[], reauthenticate?: boolean }} [options]
   * @returns {Promise<WebSocket>}
   */
  async socket(url, { protocols = [], reauthenticate = true } = {}) {
    const target = await this.#ticketed(url);
    const session = this.#session;
    if (!session) throw new AuthError("logged_out", "Nobody is logged in.");
    target.protocol = target.protocol.replace(/^http/, "ws");
    return this.#keep(new WebSocket(target, protocols), session, { reauthenticate });
  }

  /**
   * Listen to server-sent events, as `EventSource` does. Each time it connects it asks for
   * a ticket that is good once, and for this path only; the last id is kept. It ends with
   * the session: then there is an "error" whose `error` says why, and `readyState` is 2.
   *
   * @param {string | URL} url
   * @param {EventSourceInit} [options]
   * @returns {Events}
   */
  events(url, options) {
    const events = new Events(
      async (last) => {
        const target = await this.#ticketed(url);
        if (last) target.searchParams.set("last-event-id", last);
        const owner = this.#session?.owner ?? null;
        const known = this.#streams.get(events) ?? owner;
        if (known !== owner) throw new AuthError("logged_out", "Somebody else is logged in.");
        if (!events.closed) this.#streams.set(events, owner);
        return target;
      },
      () => this.#streams.delete(events),
      options,
    );
    return events;
  }

  /**
   * Return an address with a ticket in it.
   *
   * @param {string | URL} url
   */
  async #ticketed(url) {
    const target = new URL(url, location.href);
    target.protocol = target.protocol.replace(/^ws/, "http");
    if (!this.#trusts(target.href)) {
      throw new AuthError("misuse", "Name the origin of the address in `origins`.");
    }
    if (this.#cookies) await this.resume();
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ path: target.pathname });
    const asked = { method: "POST", headers, body, signal: AbortSignal.timeout(ANSWER_MS) };
    /** @type {Response} */
    let response;
    try {
      response = await this.fetch(`${this.#base}/ticket`, asked);
    } catch (cause) {
      if (cause instanceof AuthError) throw cause;
      throw new AuthError("unavailable", "The log-in routes cannot be reached.", { cause });
    }
    target.searchParams.set("ticket", (await unpack(response)).ticket);
    return target;
  }

  /**
   * @param {WebSocket} socket
   * @param {Session} session
   * @param {{ reauthenticate: boolean }} options
   */
  async #keep(socket, session, { reauthenticate }) {
    socket.addEventListener("close", ({ code }) => {
      if (this.#sockets.delete(socket) && code === REVOKED) this.#doubt();
    });
    if (session.access && reauthenticate) socket.addEventListener("message", hideAnswer);
    await opened(socket);
    // A message has no proof: with one, the socket lives as long as its first token.
    const understands = session.access !== null && reauthenticate && !this.#dpop;
    this.#sockets.set(socket, { owner: session.owner, understands });
    if (this.#session !== session) this.#tellSockets(); // Meanwhile.
    this.#plan();
    return socket;
  }

  /** @returns {Promise<Session | null>} */
  async #fresh() {
    await this.#greet();
    const session = this.#session;
    if (!session || left(session) > Math.min(this.#skew, session.lifetime / 2)) {
      return session;
    }
    if (left(session) > 0 && performance.now() < this.#pausedUntil) return session;
    try {
      return await this.#refresh(session);
    } catch (error) {
      if (left(session) > 0) return session;
      throw error;
    }
  }

  /**
   * Replace `used`, unless somebody has done so already: one flight in all tabs.
   *
   * @param {Session | null} used
   * @returns {Promise<Session | null>} Null: nobody is logged in any more.
   */
  #refresh(used) {
    this.#flight ??= this.#alone(async () => {
      await this.#catchUp();
      if (this.#session !== used) return this.#session;
      if (!used && !this.#cookies) return null;
      const stamp = this.#stamp;
      try {
        const began = clocks();
        const answer = await this.#post("/refresh", this.#shown());
        const session = this.#read(answer, began, used);
        // Without locks, a log-out may have come in between.
        if (this.#stamp === stamp) this.#decide(session, "refreshed");
      } catch (error) {
        if (!isRefusal(error)) {
          this.#pausedUntil = performance.now() + COOLDOWN_MS;
          throw error;
        }
        if (this.#stamp === stamp) this.#decide(null, error.code);
      }
      await this.#hold();
      return this.#session;
    }).finally(() => {
      this.#flight = null;
    });
    return this.#flight;
  }

  /**
   * @param {Record<string, any> | null} answer Of a log-in or a refresh.
   * @param {{ wall: number, mono: number }} began
   * @param {Session | null} [previous] What was refreshed.
   * @returns {Session}
   */
  #read(answer, { wall, mono }, previous = null) {
    const access = answer?.access_token ?? answer?.accessToken ?? null;
    const refresh = answer?.refresh_token ?? answer?.refreshToken ?? null;
    const lifetime = Number(answer?.expires_in ?? answer?.expiresIn);
    if (!(lifetime > 0) || (!this.#cookies && !(access && refresh))) {
      const hint = 'AuthRoutes(delivery="cookie") needs storage: "cookie".';
      throw new AuthError("misuse", `The server gave no tokens. ${hint}`);
    }
    const kind = String(answer?.token_type ?? answer?.tokenType).toLowerCase();
    if (this.#dpop && kind !== "dpop") {
      throw new AuthError("misuse", "The server has not bound the tokens to the key.");
    }
    // With cookies nobody can tell who has logged in: then it is somebody else.
    const owner = subject(access) ?? previous?.owner ?? `${Date.now()} ${Math.random()}`;
    const ends = { wall: wall + lifetime * 1000, mono: mono + lifetime * 1000, lifetime };
    const tokens = this.#cookies ? { access: null, refresh: null } : { access, refresh };
    return { ...tokens, ...ends, owner };
  }

  #waitingLogIn() {
    return this.#pending ? { pending_token: this.#pending } : {};
  }

  #shown() {
    return this.#session?.refresh ? { refresh_token: this.#session.refresh } : undefined;
  }

  /** @param {string} path @param {unknown} [body] @returns {Promise<any>} */
  async #post(path, body) {
    try {
      return await this.#postOnce(path, body);
    } catch (error) {
      const again = this.#dpop && PROOF_FAULTS.includes(Object(error).code);
      if (!again) throw error;
      return this.#postOnce(path, body);
    }
  }

  /** @param {string} path @param {unknown} [body] @returns {Promise<any>} */
  async #postOnce(path, body) {
    /** @type {Record<string, string>} */
    const headers = body === undefined ? {} : { "Content-Type": "application/json" };
    const isElsewhere = path.startsWith("/providers/");
    if (this.#dpop && (isElsewhere || PROVEN.some((start) => path.startsWith(start)))) {
      headers.DPoP = await this.#proof("POST", this.#base + path);
    }
    const request = new Request(this.#base + path, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      cache: "no-store",
      // A log-in elsewhere is bound to this browser by a cookie, whoever keeps the tokens.
      credentials: this.#cookies || isElsewhere ? "same-origin" : "omit",
      redirect: "error", // A password goes where it was sent to, and nowhere else.
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    try {
      const response = await fetch(this.#cookies ? await this.#dress(request, null) : request);
      this.#learn(response);
      return await unpack(response);
    } catch (cause) {
      if (cause instanceof AuthError) throw cause;
      throw new AuthError("unavailable", "The log-in routes cannot be reached.", { cause });
    }
  }

  /** @param {Request} request @param {Session | null} session */
  async #dress(request, session) {
    if (session?.access && this.#dpop) {
      const proof = await this.#proof(request.method, request.url, session.access);
      request.headers.set("Authorization", `DPoP ${session.access}`);
      request.headers.set("DPoP", proof);
    } else if (session?.access) {
      request.headers.set("Authorization", `Bearer ${session.access}`);
    }
    const foreign = new URL(request.url).origin !== location.origin;
    return this.#cookies && foreign && request.credentials === "same-origin"
      ? new Request(request, { credentials: "include" })
      : request;
  }

  /** @param {string} url */
  #trusts(url) {
    return this.#origins.has(new URL(url).origin);
  }

  /**
   * Tell a 401 that a refresh can mend (RFC 6750, section 3.1) from all others.
   *
   * @param {Response} response
   * @param {Session | null} session What the request was sent with.
   */
  #blamesToken(response, session) {
    const unknown = this.#cookies && this.#reason === "new";
    if (response.status !== 401 || !(session || unknown)) return false;
    const named = faultOf(response);
    // Browsers drop a cookie when it ends: then no token came that could be blamed.
    const gone = this.#cookies && (!session || left(session) <= 0);
    return named === "invalid_token" || (named === undefined && gone);
  }

  // ------------------------------------------------------------------- the proofs

  /**
   * Prove to have the key (RFC 9449, section 4.2).
   *
   * @param {string} method
   * @param {string} url
   * @param {string} [token]
   */
  async #proof(method, url, token) {
    this.#key ??= sharedKey(this.#name);
    const { key, jwk } = await this.#key;
    const { origin, pathname } = new URL(url);
    const { nonce, ahead } = this.#wishes.get(origin) ?? { ahead: 0 };
    const claims = {
      jti: crypto.randomUUID(),
      htm: method,
      htu: origin + pathname,
      iat: Math.floor((Date.now() + ahead) / 1000),
      nonce,
      ath: token && encode(await crypto.subtle.digest("SHA-256", bytes(token))),
    };
    const header = { typ: "dpop+jwt", alg: "ES256", jwk };
    const signed = [header, claims].map((part) => encode(bytes(JSON.stringify(part)))).join(".");
    const how = { name: "ECDSA", hash: "SHA-256" };
    return `${signed}.${encode(await crypto.subtle.sign(how, key, bytes(signed)))}`;
  }

  /**
   * Learn what the next proofs must be like. Of other origins, only what they expose.
   *
   * @param {Response} response
   */
  #learn(response) {
    if (!this.#dpop || !response.url) return;
    const { origin } = new URL(response.url);
    const known = this.#wishes.get(origin) ?? { ahead: 0 };
    const nonce = response.headers.get("DPoP-Nonce") ?? known.nonce;
    const ahead = Date.parse(response.headers.get("Date") ?? "") - Date.now();
    // A date has whole seconds, and comes a moment later.
    const wrong = Number.isNaN(ahead) ? known.ahead : Math.abs(ahead) > 2000 ? ahead : 0;
    this.#wishes.set(origin, { nonce, ahead: wrong });
  }

  // ------------------------------------------------------------------- the other tabs

  /**
   * Run `work` in one tab at a time. The browser frees the lock of a tab that is closed.
   * Pages without a secure context have no locks: there it is one at a time per tab.
   *
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async #alone(work) {
    if (!locks) {
      const turn = this.#queue.then(work);
      this.#queue = turn.catch(() => {});
      return turn;
    }
    const signal = AbortSignal.timeout(QUEUE_MS);
    try {
      return await locks.request(this.#name, { signal }, work);
    } catch (cause) {
      if (cause !== signal.reason) throw cause;
      throw new AuthError("unavailable", "Another tab keeps the tokens busy.", { cause });
    }
  }

  /** Ask the other tabs, once. */
  #greet() {
    this.#greeting ??= this.#catchUp(true);
    return this.#greeting;
  }

  /**
   * Wait for what another tab knows better. A message may arrive later than a lock is
   * passed on; but whoever has tokens holds a lock whose name ends with their stamp.
   *
   * @param {boolean} [first]
   */
  async #catchUp(first = false) {
    let newest = first ? 1 : 0;
    if (locks) {
      const { held = [] } = await locks.query();
      const names = held.map((lock) => lock.name ?? "");
      const ours = names.filter((name) => name.startsWith(`${this.#name} #`));
      const stamps = ours.map((name) => Number(name.split("#").pop()));
      newest = Math.max(0, ...stamps.filter((stamp) => this.#believes(stamp)));
    }
    const until = performance.now() + (locks ? HANDOVER_MS : GREETING_MS);
    if (this.#stamp < newest) this.#channel.postMessage({ ask: this.#stamp });
    while (this.#stamp < newest && performance.now() < until) {
      await new Promise((resolve) => {
        this.#waiting.add(resolve);
        setTimeout(resolve, until - performance.now());
      });
    }
  }

  /** @param {any} message Of another tab. */
  #hear(message) {
    if (message?.ask < this.#stamp && this.#session) this.#hand();
    if (!(message?.stamp > this.#stamp) || !this.#believes(message.stamp)) return;
    if (!isCode(message.reason)) return;
    if (message.session) {
      if (!isSession(message.session, this.#cookies)) return;
      if (!Number.isFinite(message.sent) || !Number.isFinite(message.left)) return;
      // Another tab's monotonic clock began at another time.
      const late = Math.max(0, Date.now() - message.sent);
      const mono = performance.now() + message.left * 1000 - late;
      this.#change({ ...message.session, mono }, message.reason, message.stamp);
      this.#hold().catch(() => {});
    } else {
      this.#change(null, message.reason, message.stamp);
    }
  }

  /**
   * Whatever runs in this origin may say anything; but no stamp may be so great that
   * none after it is heard of.
   *
   * @param {unknown} stamp
   */
  #believes(stamp) {
    const most = Math.max(Date.now(), this.#stamp) + LEAP_MS;
    return Number.isSafeInteger(stamp) && Number(stamp) <= most;
  }

  #hand() {
    const session = this.#session;
    const time = { sent: Date.now(), left: session && left(session) };
    const stamp = this.#stamp;
    this.#channel.postMessage({ stamp, reason: this.#reason, session, ...time });
  }

  /** @param {Session | null} session @param {string} reason */
  #decide(session, reason) {
    this.#change(session, reason, Math.max(Date.now(), this.#stamp + 1));
    this.#hand();
  }

  /** @param {Session | null} session @param {string} reason @param {number} stamp */
  #change(session, reason, stamp) {
    this.#session = session;
    this.#reason = reason;
    this.#stamp = stamp;
    if (!session) this.#letGo();
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
    this.#tellSockets();
    this.#plan();
    for (const listener of this.#listeners) {
      try {
        listener(this.state);
      } catch (error) {
        reportError(error); // One listener's fault is not the others'.
      }
    }
  }

  /** Show other tabs, by the name of a lock, how new the tokens are that are here. */
  async #hold() {
    if (!locks || !this.#session) return;
    const previous = this.#letGo;
    /** @type {Promise<void>} */
    const over = new Promise((resolve) => {
      this.#letGo = resolve;
    });
    const name = `${this.#name} #${this.#stamp}`;
    await new Promise((resolve, reject) => {
      const hold = () => {
        resolve(undefined);
        return over;
      };
      locks.request(name, { mode: "shared" }, hold).catch(reject);
    });
    previous();
  }

  /**
   * End the session here and in all tabs, after `work`.
   *
   * @param {string} reason
   * @param {() => Promise<void>} [work]
   */
  #finish(reason, work) {
    return this.#alone(async () => {
      await this.#catchUp();
      await work?.();
      this.#decide(null, reason);
    });
  }

  /**
   * Do what ends the session at the server, which may close sockets before it answers.
   *
   * @param {() => Promise<void>} work
   */
  #leave(work) {
    const left = work();
    this.#leaving = left;
    return left;
  }

  // ------------------------------------------------------------------- the sockets

  #tellSockets() {
    const session = this.#session;
    for (const [events, owner] of [...this.#streams]) {
      if (session?.owner !== owner) {
        events.fail(new AuthError("logged_out", "The session is over.", { code: this.#reason }));
      }
    }
    for (const [socket, { owner, understands }] of [...this.#sockets]) {
      if (session?.owner !== owner) {
        this.#sockets.delete(socket); // Its end is no news.
        socket.close(REVOKED, this.#reason);
      } else if (understands) {
        socket.send(JSON.stringify({ type: "auth", token: session.access }));
      }
    }
  }

  /** Find out, soon and not too often, whether the session is over, as a close said. */
  #doubt() {
    if (this.#closed || this.#doubting || !this.#session) return;
    const wait = Math.max(NEWS_MS, this.#settledUntil - performance.now());
    this.#doubting = setTimeout(async () => {
      await Promise.allSettled([this.#leaving, this.#flight]);
      this.#doubting = undefined;
      this.#settledUntil = performance.now() + COOLDOWN_MS;
      if (this.#closed || !this.#session) return;
      this.#refresh(this.#session).catch(({ kind }) => {
        if (kind === "unavailable" || kind === "limited") this.#doubt();
      });
    }, wait);
  }

  /** Refresh in time for the sockets: a page that is idle sends no request. */
  #plan() {
    clearTimeout(this.#timer);
    const session = this.#session;
    if (!session || ![...this.#sockets.values()].some((each) => each.understands)) return;
    // Browsers wake the timers of hidden pages once a minute.
    const due = left(session) - Math.min(this.#skew + 60, session.lifetime / 2);
    if (due > 0) {
      this.#timer = setTimeout(() => this.#plan(), Math.min(due * 1000, LONGEST_SLEEP_MS));
      return;
    }
    this.#refresh(session).catch(() => {
      this.#timer = setTimeout(() => this.#plan(), COOLDOWN_MS);
    });
  }
}

/** Server-sent events, of which each connection has a ticket of its own. */
class Events extends EventTarget {
  #address;
  #gone;
  #options;
  #last = "";
  #tries = 0;
  #state = 0;
  /** @type {EventSource | undefined} */
  #source;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #types = new Set(["message"]);
  /** @type {((event: Event) => void) | null} */
  onopen = null;
  /** @type {((event: MessageEvent) => void) | null} */
  onmessage = null;
  /** @type {((event: Event) => void) | null} */
  onerror = null;

  /**
   * @param {(last: string) => Promise<URL>} address Gives one that is good once.
   * @param {() => void} gone Called at the end.
   * @param {EventSourceInit} [options]
   */
  constructor(address, gone, options) {
    super();
    this.#address = address;
    this.#gone = gone;
    this.#options = options;
    queueMicrotask(() => this.#connect());
  }

  /** 0: it connects, 1: it is open, 2: it has ended. */
  get readyState() {
    return this.#state;
  }

  get closed() {
    return this.#state === 2;
  }

  /**
   * @param {string} type
   * @param {EventListenerOrEventListenerObject | null} listener
   * @param {boolean | AddEventListenerOptions} [options]
   */
  addEventListener(type, listener, options) {
    super.addEventListener(type, listener, options);
    if (type === "open" || type === "error" || this.#types.has(type)) return;
    this.#types.add(type);
    if (this.#source) this.#forward(this.#source, type);
  }

  close() {
    this.#state = 2;
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#gone();
  }

  /** @param {unknown} error Why it ends for good. */
  fail(error) {
    if (this.closed) return;
    this.close();
    this.#emit(Object.assign(new Event("error"), { error }));
  }

  async #connect() {
    if (this.closed) return;
    try {
      const address = await this.#address(this.#last);
      if (this.closed) return;
      this.#source = new EventSource(address, this.#options);
    } catch (error) {
      const kind = error instanceof AuthError ? error.kind : "misuse";
      if (kind === "unavailable" || kind === "limited") this.#later();
      else this.fail(error);
      return;
    }
    const source = this.#source;
    source.onopen = () => {
      this.#state = 1;
      this.#emit(new Event("open"));
    };
    // Its own way back would bring the ticket that is spent.
    source.onerror = () => {
      source.close();
      if (this.#source === source) this.#later();
    };
    for (const type of this.#types) this.#forward(source, type);
  }

  #later() {
    if (this.closed) return;
    this.#state = 0;
    const wait = Math.min(FIRST_WAIT_MS * 2 ** this.#tries, LONGEST_SLEEP_MS);
    this.#tries += 1;
    this.#timer = setTimeout(() => this.#connect(), wait * (0.5 + Math.random() / 2));
  }

  /** @param {EventSource} source @param {string} type */
  #forward(source, type) {
    source.addEventListener(type, (event) => {
      const { data, origin, lastEventId } = event;
      this.#tries = 0;
      this.#last = lastEventId || this.#last;
      this.#emit(new MessageEvent(type, { data, origin, lastEventId: this.#last }));
    });
  }

  /** @param {any} event */
  #emit(event) {
    const listener = { open: this.onopen, message: this.onmessage, error: this.onerror };
    try {
      /** @type {any} */ (listener)[event.type]?.call(this, event);
    } catch (error) {
      reportError(error);
    }
    this.dispatchEvent(event);
  }
}

/**
 * Return the key that all tabs share, made by the first that needs it. It cannot be
 * exported: IndexedDB keeps the handle, and the browser the key.
 *
 * @param {string} name
 * @returns {Promise<ProofKey>}
 */
async function sharedKey(name) {
  const opening = indexedDB.open(name, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
  /** @type {IDBDatabase} */
  const database = await answered(opening);
  try {
    const known = await answered(database.transaction("keys").objectStore("keys").get("dpop"));
    if (known) return known;

    const curve = { name: "ECDSA", namedCurve: "P-256" };
    const pair = await crypto.subtle.generateKey(curve, false, ["sign"]);
    const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
    const made = { key: pair.privateKey, jwk: { kty, crv, x, y } };
    // Another tab may have been faster: then its key is the one.
    const keys = database.transaction("keys", "readwrite").objectStore("keys");
    const faster = await answered(keys.get("dpop"));
    if (faster) return faster;
    await answered(keys.put(made, "dpop"));
    return made;
  } finally {
    database.close();
  }
}

/** @param {IDBRequest} request @returns {Promise<any>} */
function answered(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @param {string} text */
function bytes(text) {
  return new TextEncoder().encode(text);
}

/** @param {ArrayBuffer | Uint8Array} data @returns {string} Base64url without padding. */
function encode(data) {
  const binary = String.fromCharCode(...new Uint8Array(data));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @param {Response} response @returns {string | undefined} What its challenge names. */
function faultOf(response) {
  const challenge = response.headers.get("WWW-Authenticate") ?? "";
  return /\berror="?([^",\s]*)/i.exec(challenge)?.[1];
}

/** @param {string} text Base64url without padding. */
function decode(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
}

/** @param {any[]} [credentials] */
function decoded(credentials = []) {
  return credentials.map((each) => ({ ...each, id: decode(each.id) }));
}

/**
 * Make a passkey (Web Authentication, section 5.1.3). By hand: not all browsers have the
 * functions for JSON, and extensions break them.
 *
 * @param {any} options As JSON.
 */
async function make(options) {
  const publicKey = {
    ...options,
    challenge: decode(options.challenge),
    user: { ...options.user, id: decode(options.user.id) },
    excludeCredentials: decoded(options.excludeCredentials),
  };
  const { response, ...rest } = await shown(() => navigator.credentials.create({ publicKey }));
  const attestationObject = encode(response.attestationObject);
  const transports = response.getTransports?.() ?? [];
  return { ...rest, response: { ...clientData(response), attestationObject, transports } };
}

/**
 * Use a passkey (section 5.1.4).
 *
 * @param {any} options As JSON.
 * @param {boolean} autofill
 * @param {AbortSignal} signal
 */
async function use(options, autofill, signal) {
  const publicKey = {
    ...options,
    challenge: decode(options.challenge),
    allowCredentials: decoded(options.allowCredentials),
  };
  /** @type {CredentialMediationRequirement} */
  const mediation = autofill ? "conditional" : "optional";
  const asked = { publicKey, mediation, signal };
  const { response, ...rest } = await shown(() => navigator.credentials.get(asked));
  const { authenticatorData, signature, userHandle } = response;
  const signed = {
    ...clientData(response),
    authenticatorData: encode(authenticatorData),
    signature: encode(signature),
    ...(userHandle && { userHandle: encode(userHandle) }),
  };
  return { ...rest, response: signed };
}

/** @param {AuthenticatorResponse} response */
function clientData(response) {
  return { clientDataJSON: encode(response.clientDataJSON) };
}

/**
 * Return what the user has shown, or say why nothing was.
 *
 * @param {() => Promise<any>} ask
 */
async function shown(ask) {
  if (!globalThis.PublicKeyCredential) throw unsupported();
  try {
    const { id, rawId, type, response } = await ask();
    return { id, rawId: encode(rawId), type, response };
  } catch (cause) {
    const { name } = /** @type {Error} */ (cause);
    if (name === "SecurityError") {
      throw new AuthError("misuse", "The passkeys are for other origins.", { cause });
    }
    if (name === "NotSupportedError") throw unsupported(cause);
    // Of whom it is there already, browsers say in time; all else is the user's affair.
    const code = name === "InvalidStateError" ? "passkey_exists" : "passkey_cancelled";
    throw new AuthError("refused", "No passkey was shown.", { code, cause });
  }
}

/** @param {any} question Return a signal that ends shortly before it does. */
function untilLate(question) {
  return AbortSignal.timeout((question.expires_in ?? question.expiresIn) * 900);
}

/**
 * Return a signal that ends with the first of several: not all browsers have `any()`.
 *
 * @param {(AbortSignal | undefined)[]} signals
 */
function first(...signals) {
  const controller = new AbortController();
  for (const each of signals) {
    if (each?.aborted) controller.abort(each.reason);
    each?.addEventListener("abort", () => controller.abort(each.reason), { once: true });
  }
  return controller.signal;
}

/** @param {unknown} [cause] */
function unsupported(cause) {
  const code = "passkeys_unsupported";
  return new AuthError("misuse", "This browser cannot do this with passkeys.", { code, cause });
}

/** Both clocks: one stands still while a machine sleeps, the other may be set. */
function clocks() {
  return { wall: Date.now(), mono: performance.now() };
}

/**
 * @param {unknown} token
 * @returns {Record<string, any>} Nothing, for what is no token.
 */
function claims(token) {
  try {
    const payload = String(token).split(".")[1] ?? "";
    return JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) ?? {};
  } catch {
    return {};
  }
}

/** @param {Session} session */
function left(session) {
  const { wall, mono } = clocks();
  return Math.min(session.wall - wall, session.mono - mono) / 1000;
}

/** @param {RequestInfo | URL} input @param {RequestInit} [init] */
function isRepeatable(input, init) {
  // Of any frame: each has a ReadableStream of its own.
  if (/** @type {any} */ (init?.body)?.getReader) return false;
  return !(input instanceof Request) || ["GET", "HEAD"].includes(input.method);
}

/** @param {unknown} code Ours have few letters, and fit into a close frame. */
function isCode(code) {
  return typeof code === "string" && /^[\w.-]{1,64}$/.test(code);
}

/**
 * @param {any} value Of a message.
 * @param {boolean} cookies
 * @returns {value is Session}
 */
function isSession(value, cookies) {
  const { access, refresh, wall, lifetime, owner } = value;
  const tokens = [access, refresh];
  const fits = tokens.every((token) => (cookies ? token === null : typeof token === "string"));
  return fits && [wall, lifetime].every(Number.isFinite) && typeof owner === "string";
}

/**
 * Return whose a token is, or null. Nothing is verified.
 *
 * @param {unknown} token
 * @returns {string | null}
 */
function subject(token) {
  const { iss = "", sub } = claims(token);
  return typeof sub === "string" ? `${iss} ${sub}` : null;
}

/**
 * Whether the routes themselves said that a token is over. A proxy's 401 says nothing.
 *
 * @param {unknown} error
 * @returns {error is AuthError}
 */
function isRefusal(error) {
  if (!(error instanceof AuthError) || error.status !== 401) return false;
  return ![...PROOF_FAULTS, "http_401"].includes(error.code);
}

/**
 * Return the JSON of a good answer, or throw what a bad one says (RFC 9457).
 *
 * @param {Response} response
 * @returns {Promise<any>}
 */
async function unpack(response) {
  const text = await response.text();
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // An empty answer, or a proxy's page.
  }
  if (response.ok) return body;

  const { status } = response;
  const refused = status < 500 && status !== 408;
  const kind = status === 429 ? "limited" : refused ? "refused" : "unavailable";
  const detail = typeof body?.detail === "string" ? body.detail : `HTTP status ${status}`;
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  const retryAfter = Number.isNaN(seconds) ? null : seconds;
  const code = isCode(body?.code) ? body.code : `http_${status}`;
  const methods = Array.isArray(body?.methods) ? body.methods.map(String) : [];
  const pending = body?.pending_token ?? body?.pendingToken;
  throw new AuthError(kind, detail, { code, status, retryAfter, methods, pending });
}

/** @param {string | null} token @param {string[]} protocols */
function offer(token, protocols) {
  if (!token) return protocols;
  if (protocols.length === 0) return ["bearer", token];
  const encoded = btoa(token).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return [...protocols, `base64url.bearer.authorization.${encoded}`];
}

/** @param {WebSocket} socket */
function opened(socket) {
  return new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("close", () => {
      // Why, browsers do not tell: a refusal looks like a server that is down.
      reject(new AuthError("unavailable", "The WebSocket was not opened."));
    });
  });
}

/** @param {MessageEvent} event The answer to a new token is not for the application. */
function hideAnswer(event) {
  if (typeof event.data !== "string" || event.data.length > 200) return;
  if (!event.data.includes('"auth"')) return;
  try {
    const { type, ok } = JSON.parse(event.data);
    if (type === "auth" && ok === true) event.stopImmediatePropagation();
  } catch {
    // Not JSON, so not ours.
  }
}

/** @param {string} provider */
function placeOf(provider) {
  return `/providers/${encodeURIComponent(provider)}`;
}
