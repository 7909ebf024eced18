// What anyone may read and write on this server. With it the page offers nothing
// that would be refused. The server decides by itself.

const unknown = { unknown: true, subscribe: [">"], publish: [">"], presence: [], wildcards: true, signIn: false, nats: "nats" };

// ask returns {subscribe, publish, presence, wildcards, signIn, nats}: lists of
// filters, whether the filters themselves may be read, whether a cookie may allow
// more, and the nats command that reaches this server. If the server does not
// answer, everything may be tried.
export async function ask() {
  try {
    const response = await fetch("/web/anyone.json", { signal: AbortSignal.timeout(5_000) });
    return response.ok ? await response.json() : unknown;
  } catch {
    return unknown;
  }
}

export function mayRead({ subscribe, wildcards }, subject) {
  return (wildcards || !isWild(subject)) && subscribe.some((filter) => covers(filter, subject));
}

export function mayWrite({ publish }, subject) {
  return !isWild(subject) && publish.some((filter) => covers(filter, subject));
}

// tellsWho reports whether the readers of a subject are listed.
export function tellsWho({ presence }, subject) {
  return !isWild(subject) && presence.some((filter) => covers(filter, subject));
}

export function isWild(subject) {
  return subject.split(".").some((token) => token === "*" || token === ">");
}

// stem returns the beginning of every subject of a filter: "news." for "news.>".
export function stem(filter) {
  const tokens = filter.split(".");
  return tokens.slice(0, tokens.findIndex((token) => token === "*" || token === ">")).map((token) => `${token}.`).join("");
}

// covers reports whether filter includes everything that other includes.
function covers(filter, other) {
  const f = filter.split("."), o = other.split(".");
  for (let i = 0; i < f.length; i++) {
    if (f[i] === ">") return i < o.length;
    if (i >= o.length || o[i] === ">" || (f[i] !== "*" && f[i] !== o[i])) return false;
  }
  return f.length === o.length;
}
