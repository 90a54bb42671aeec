/** Small helpers to build the page without a string of markup. */

/** @param {string} id */
export function byId(id) {
  return /** @type {any} */ (document.getElementById(id));
}

/**
 * Make an element. Properties whose value is undefined are left out; `data` and `aria`
 * are objects of attributes.
 */
export function make(tag, { data = {}, aria = {}, ...properties } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value !== undefined) element[name] = value;
  }
  for (const [name, value] of Object.entries(data)) element.dataset[name] = value;
  for (const [name, value] of Object.entries(aria)) element.setAttribute(`aria-${name}`, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A device's name, with its colour. */
export function deviceName(name, className = "device") {
  return make(
    "span",
    { className, data: { window: name } },
    make("i", { className: "dot", aria: { hidden: "true" } }),
    name,
  );
}

/** A status, green if it is good. */
export function statusPill(status) {
  const tone = status === 0 ? "bad" : status < 400 ? "good" : "bad";
  return make("span", { className: `pill ${tone}` }, status === 0 ? "no answer" : String(status));
}

/** Milliseconds or seconds ago, in words. */
export function ago(seconds, now = Date.now() / 1000) {
  const past = Math.max(0, Math.round(now - seconds));
  if (past < 5) return "just now";
  if (past < 90) return `${past} s ago`;
  if (past < 5400) return `${Math.round(past / 60)} min ago`;
  return `${Math.round(past / 3600)} h ago`;
}

/** JSON for people: short lists stay on one line. */
export function pretty(value) {
  const text = JSON.stringify(value, null, 2);
  return text.replace(/\[\s+([^[\]{}]{0,60}?)\s+\]/g, (_, inner) => `[${inner.replace(/\s+/g, " ")}]`);
}

/** Do something that may fail, with its button out of reach meanwhile. */
export async function busy(button, work) {
  if (button.disabled) return;
  const focused = document.activeElement === button;
  button.disabled = true;
  try {
    await work();
  } finally {
    button.disabled = false;
    if (focused && document.activeElement === document.body) button.focus();
  }
}
