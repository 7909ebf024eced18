// Values that the browser keeps for this page. Storage may be forbidden or full; then
// they last as long as the page.

const prefix = "tailwater.";
const memory = new Map();

export function recall(name) {
  try {
    return JSON.parse(localStorage.getItem(prefix + name)) ?? memory.get(name);
  } catch {
    return memory.get(name);
  }
}

export function keep(name, value) {
  memory.set(name, value);
  try {
    localStorage.setItem(prefix + name, JSON.stringify(value));
  } catch { /* see above */ }
}

export function forget(name) {
  memory.delete(name);
  try {
    localStorage.removeItem(prefix + name);
  } catch { /* see above */ }
}

// names returns the names with a prefix.
export function names(beginning) {
  const all = new Set(memory.keys());
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(prefix)) all.add(key.slice(prefix.length));
  } catch { /* see above */ }
  return [...all].filter((name) => name.startsWith(beginning)).sort();
}
