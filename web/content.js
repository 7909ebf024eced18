// The body of a message: text with its links, JSON laid out, walls of text cut
// until the reader asks for all.

import { button, element } from "./dom.js";
import { words } from "./words.js";

const mostLetters = 800, mostLines = 14;
const shortJSON = 60;
// A message that is all brackets must cost a page little.
const longJSON = 16_000, deepest = 20; // steps of indentation

// fill puts a text into an element, and the button that shows all behind it.
export function fill(where, text) {
  const cut = shorten(text);
  where.replaceChildren(...linked(cut));
  if (cut === text) return;
  where.append("…");
  const all = button("small", words.showAll, () => {
    where.replaceChildren(...linked(text));
    all.remove();
  });
  where.after(all);
}

function shorten(text) {
  const lines = text.split("\n", mostLines + 1);
  const cut = (lines.length > mostLines ? lines.slice(0, mostLines).join("\n") : text).slice(0, mostLetters);
  // A pair of surrogates is one letter.
  return cut.length < text.length && /[\uD800-\uDBFF]$/.test(cut) ? cut.slice(0, -1) : cut;
}

// linked returns a text in pieces, of which the addresses of the Web are links.
function linked(text) {
  const pieces = [];
  let done = 0;
  for (const { 0: found, index } of text.matchAll(/\bhttps?:\/\/[^\s<>"'`\u2028\u2029]+/gi)) {
    const address = found.replace(/[.,;:!?)\]}，。；：！？）」』】]+$/u, "");
    if (!isWeb(address)) continue;
    const link = element("a", "link", address);
    link.href = address;
    link.rel = "noopener noreferrer nofollow ugc";
    link.target = "_blank";
    pieces.push(text.slice(done, index), link);
    done = index + address.length;
  }
  pieces.push(text.slice(done));
  return pieces.filter((piece) => piece !== "");
}

function isWeb(address) {
  const url = URL.parse ? URL.parse(address) : new URL(address);
  return url?.protocol === "http:" || url?.protocol === "https:";
}

// layOut breaks JSON of a usual length into lines. Its tokens stay as they were published: a long
// number loses nothing.
export function layOut(json) {
  if (json.length <= shortJSON || json.length > longJSON || !isJSON(json)) return json;
  let depth = 0;
  const line = (by) => `\n${"  ".repeat(Math.min((depth += by), deepest))}`;
  return json.replace(/"(?:[^"\\]|\\.)*"|[{[]\s*[}\]]|[{}[\],:]|\s+/g, (token) => {
    if (token === "{" || token === "[") return token + line(1);
    if (token === "}" || token === "]") return line(-1) + token;
    if (token === ",") return token + line(0);
    if (token === ":") return ": ";
    return /^\s/.test(token) ? "" : token;
  });
}

function isJSON(text) {
  if (!/^\s*[{[]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
