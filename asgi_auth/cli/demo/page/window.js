/** The name of this window, with a colour, so that one can tell it from the others. */

const COLOURS = ["Amber", "Teal", "Violet", "Rose", "Moss", "Slate"];

function count() {
  try {
    const next = Number(localStorage.getItem("windows") ?? 0);
    localStorage.setItem("windows", String(next + 1));
    return next;
  } catch {
    return Math.floor(Math.random() * 1000);
  }
}

/** @returns {{ name: string, slug: string }} */
export function ownName() {
  const number = count();
  const round = Math.floor(number / COLOURS.length);
  const name = COLOURS[number % COLOURS.length];
  const suffix = round ? ` ${round + 1}` : "";
  return { name: `${name} window${suffix}`, slug: name.toLowerCase() + (round ? round + 1 : "") };
}
