// Sending: one POST that stores a message once, however often it is tried with the
// same key.

import { explain } from "./connection.js";

const passing = [408, 421, 425, 429]; // and 500 and above

// publish returns {id} of the stored message (no id if no stream stores it), or
// {problem, isFinal, after}: words, whether another attempt is useless, and when to
// make it.
export async function publish(url, body, key) {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": key },
      body,
      signal: AbortSignal.timeout(20_000),
    });
    if (response.ok) return await response.json().catch(() => ({}));
    const isFinal = response.status < 500 && !passing.includes(response.status);
    return { problem: await explain(response), isFinal, after: 1000 * Number(response.headers.get("Retry-After")) || 0 };
  } catch {
    return { problem: "", isFinal: false, after: 0 };
  }
}

// crypto.randomUUID is missing on pages loaded over plain HTTP.
export function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");
}
