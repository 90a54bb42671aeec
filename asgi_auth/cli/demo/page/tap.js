/**
 * Listens in on `fetch` and `WebSocket`, so that the log shows all there is.
 *
 * What it tells has no password and no usable token: each token is cut before anybody
 * gets to see it.
 */

const listeners = new Set();
const SECRET = new Set(["password", "ticket", "current_password", "new_password"]);
const TOKEN = /(eyJ[\w-]{7})[\w-]*\.[\w-]*\.[\w-]*/g;

/** @param {(traffic: Record<string, any>) => void} listener */
export function onTraffic(listener) {
  listeners.add(listener);
}

function tell(traffic) {
  for (const listener of listeners) listener({ at: new Date(), ...traffic });
}

/** Show how a token begins, and no more. */
function cut(text) {
  return text.replace(TOKEN, "$1…");
}

function hide(value) {
  if (typeof value === "string") return cut(value);
  if (Array.isArray(value)) return value.map(hide);
  if (value === null || typeof value !== "object") return value;
  const pairs = Object.entries(value);
  return Object.fromEntries(
    pairs.map(([key, inner]) => [key, SECRET.has(key) ? "••••••••" : hide(inner)]),
  );
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function shown(text, indent = 2) {
  const value = parse(text);
  return value === undefined ? cut(text) : JSON.stringify(hide(value), null, indent);
}

function headersOf(headers) {
  return [...headers].map(([name, value]) => `${name}: ${cut(value)}`).join("\n");
}

function segment(text) {
  const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0))));
}

/** What a token says. Its signature is counted, and dropped. */
function decode(token) {
  const [head, payload, signature] = token.split(".");
  const bytes = Math.floor((signature.length * 3) / 4);
  return { header: segment(head), payload: segment(payload), signature: bytes };
}

function tokensIn(text) {
  const answer = parse(text);
  if (!answer?.access_token || !answer.refresh_token) return undefined;
  return { access: decode(answer.access_token), refresh: decode(answer.refresh_token) };
}

// --------------------------------------------------------------------------- fetch

const browserFetch = globalThis.fetch.bind(globalThis);

globalThis.fetch = async (input, init) => {
  const request = new Request(input, init);
  const content = await request.clone().text();
  const { pathname, search } = new URL(request.url);
  const sent = {
    kind: "http",
    method: request.method,
    path: pathname + search,
    sentHeaders: headersOf(request.headers),
    sentBody: content && shown(content),
  };
  try {
    const response = await browserFetch(request);
    // First, so that the log tells things in the order in which they happen.
    await tellAnswer(sent, response.clone());
    return response;
  } catch (error) {
    tell({ ...sent, status: 0, gotHeaders: "", gotBody: String(error) });
    throw error;
  }
};

async function tellAnswer(sent, response) {
  const content = await response.text();
  tell({
    ...sent,
    status: response.status,
    gotHeaders: headersOf(response.headers),
    gotBody: content && shown(content),
    challenge: response.headers.get("www-authenticate"),
    problem: response.ok ? undefined : parse(content),
    tokens: response.ok ? tokensIn(content) : undefined,
  });
}

// ----------------------------------------------------------------------- WebSocket

function frame(data) {
  const text = String(data);
  return { text: shown(text), brief: shown(text, 0), type: parse(text)?.type };
}

globalThis.WebSocket = class extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols);
    const path = new URL(url, location.href).pathname;
    const offered = cut([protocols ?? []].flat().join(", "));
    tell({ kind: "ws", what: "open", path, text: offered });
    this.addEventListener("message", ({ data }) => {
      tell({ kind: "ws", what: "got", path, ...frame(data) });
    });
    this.addEventListener("close", ({ code, reason }) => {
      tell({ kind: "ws", what: "close", path, code, reason });
    });
  }

  send(data) {
    const path = new URL(this.url).pathname;
    tell({ kind: "ws", what: "sent", path, ...frame(data) });
    super.send(data);
  }
};
