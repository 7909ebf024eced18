// Sending: one POST that stores a message once, however often it is tried.

import { explain } from "./connection.js";

let attempt = {};

// publish returns what went wrong, in words, or nothing.
export async function publish(url, body) {
  // If the answer to the last attempt was lost, the message may be stored anyway.
  // With the same key a second attempt does not store it twice.
  if (attempt.url !== url || attempt.body !== body) attempt = { url, body, key: randomKey() };
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": attempt.key },
      body,
      signal: AbortSignal.timeout(20_000),
    });
    if (!response.ok) return `Not sent: ${await explain(response)}${retryAfter(response)}`;
    attempt = {};
    return "";
  } catch {
    return "Not sent: the server does not answer. Your text is kept; send it again.";
  }
}

// crypto.randomUUID is missing on pages loaded over plain HTTP.
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");
}

// Retry-After is a number of seconds, or a date.
function retryAfter(response) {
  const value = response.headers.get("Retry-After");
  if (!value) return "";
  const seconds = /^\d+$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - Date.now()) / 1000);
  return seconds > 0 ? ` (try again in ${seconds} s)` : "";
}
