// The reader's name: asked once, kept by the browser.

import { keep, recall } from "./kept.js";

const guest = `guest-${100 + Math.floor(Math.random() * 900)}`;
const mostBytes = 64; // of a member's name

// isGuest reports whether the page has made up a name.
export const isGuest = (name) => /^guest-\d{3}$/.test(name);

// tidyName removes what the bridge refuses in a name.
export function tidyName(name) {
  let tidied = name.toWellFormed().replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "").replace(/\p{Zs}/gu, " ").trim();
  while (new TextEncoder().encode(tidied).length > mostBytes) tidied = [...tidied].slice(0, -1).join("").trim();
  return tidied;
}

// ownName shows the name in an input. It calls onchange when the name changes.
export function ownName(input, onchange) {
  const old = recall("name");
  let name = (typeof old === "string" && tidyName(old)) || guest;
  input.value = name;
  keep("name", name); // all tabs have the same guest's name
  function read() {
    const next = tidyName(input.value) || guest;
    input.value = next;
    if (next === name) return;
    name = next;
    keep("name", name);
    onchange(name);
  }
  input.addEventListener("change", read);
  return {
    get value() {
      read();
      return name;
    },
    isGuest: () => isGuest(name),
  };
}
