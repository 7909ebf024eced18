// What an empty room tells: what to paste into a terminal. The subject may come
// from a stranger's link, so whatever a shell could take for more than a word is
// quoted.

import { copyButton } from "./copy.js";
import { $, element } from "./dom.js";
import { isWild, mayWrite } from "./permissions.js";
import { words } from "./words.js";

export function hint(permissions, subject, path) {
  const one = subject.split(".").map((token) => (isWild(token) ? "a" : token)).join(".");
  $("hint-words").textContent = mayWrite(permissions, subject) ? words.hintWrite : words.hintRead;
  command($("hint-nats"), permissions.nats && `${permissions.nats} pub ${quote(one)} hello`);
  command($("hint-curl"), mayWrite(permissions, one) ? `curl -d hello ${quote(location.origin + path(one))}` : "");
}

// command shows a command, if there is one. A line of it ends before a slash rather than in a word.
function command(code, text) {
  const pieces = text ? text.split(/(?<![/])(?=[/][^/])/) : [];
  code.replaceChildren(...pieces.flatMap((piece) => [element("wbr"), piece]));
  code.nextElementSibling?.remove();
  code.after(copyButton(() => text));
}

const quote = (word) =>
  /^[\p{L}\p{M}\p{N}_.:/%-]+$/u.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
