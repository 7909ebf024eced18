// Whether something between the bridge and this page collects bytes before it
// passes them on: messages are published at known times, and their arrivals are
// compared.

import { address, authorised, events, explain } from "/web/inspect-stream.js";
import { words } from "/web/inspect-words.js";

const count = 5, apart = 300, patience = 20_000; // ms

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// hop says by what the answer has come.
function hop(response) {
  const protocol = performance.getEntriesByType("resource").findLast((entry) => entry.nextHopProtocol)?.nextHopProtocol ?? words.protocolUnknown;
  const traces = ["Server", "Via", "X-Cache", "CF-Ray", "X-Amz-Cf-Id", "Age", "Content-Encoding"]
    .map((name) => [name, response.headers.get(name)])
    .filter(([, value]) => value)
    .map(([name, value]) => `${name}: ${value}`);
  return traces.length ? words.hops(protocol, traces.join(", ")) : words.hop(protocol);
}

// examine tells what it finds line by line, by say(text, kind): kind is good, bad or empty.
export async function examine(subject, token, say) {
  const ending = new AbortController();
  const limit = setTimeout(() => ending.abort(), patience);
  const asked = performance.now(), since = () => Math.round(performance.now() - asked);
  try {
    const response = await fetch(address(subject, { format: "raw" }), {
      headers: authorised(token, { Accept: "text/event-stream" }), signal: ending.signal, cache: "no-store",
    });
    if (!response.ok) return say(await explain(response), "bad");
    const headers = since();
    await fetch(address(subject), { method: "HEAD", headers: authorised(token), signal: ending.signal }); // its entry tells the protocol: a stream's comes at its end
    say(words.headersAfter(headers));
    say(hop(response));
    const tag = `inspect-${Math.random().toString(36).slice(2)}`;
    await arrivals(response, { subject, token, tag, say, since, ending });
  } catch (error) {
    say(ending.signal.aborted ? words.nothingCame(patience / 1000) : error.message, "bad");
  } finally {
    clearTimeout(limit);
    ending.abort();
  }
}

async function arrivals(response, { subject, token, tag, say, since, ending }) {
  const sent = [], came = [];
  let refusal, isOpen = false;
  for await (const { event, data, beat } of events(response)) {
    if (event?.startsWith("tailwater:") && !isOpen) {
      isOpen = true;
      say(words.firstAfter(since()));
      publish(subject, token, tag, sent, since).catch((error) => {
        refusal = error.message;
        say(words.waitsForHeartbeat(refusal));
      });
    } else if (data?.startsWith(tag)) {
      came.push(since());
      if (came.length === count) break;
    } else if (beat && isOpen && refusal) {
      say(words.heartbeatAfter(since()), "good");
      return;
    }
  }
  ending.abort();
  judge(sent, came, say);
}

async function publish(subject, token, tag, sent, since) {
  for (let i = 0; i < count; i++) {
    sent.push(since());
    const answer = await fetch(address(subject), { method: "POST", headers: authorised(token), body: `${tag} ${i + 1}` });
    if (!answer.ok) throw new Error(await explain(answer));
    await wait(apart);
  }
}

// judge compares when messages were sent with when they came.
function judge(sent, came, say) {
  for (let i = 0; i < count; i++) say(words.arrival(i + 1, sent[i], came[i]));
  const isClump = came.at(-1) - came[0] < (sent.at(-1) - sent[0]) / 2;
  say(isClump ? words.buffers : words.nothingBuffers, isClump ? "bad" : "good");
}
