// Whether something between the bridge and this page collects bytes before it
// passes them on: messages are published at known times, and their arrivals are
// compared.

import { address, authorised, events, explain } from "/web/inspect-stream.js";

const count = 5, apart = 300, patience = 20_000; // ms

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// hop says by what the answer has come.
function hop(response) {
  const protocol = performance.getEntriesByType("resource").findLast((entry) => entry.nextHopProtocol)?.nextHopProtocol ?? "an unknown protocol";
  const traces = ["Server", "Via", "X-Cache", "CF-Ray", "X-Amz-Cf-Id", "Age", "Content-Encoding"]
    .map((name) => [name, response.headers.get(name)])
    .filter(([, value]) => value)
    .map(([name, value]) => `${name}: ${value}`);
  return traces.length
    ? `The answer has come over ${protocol}, with ${traces.join(", ")}. Tailwater sends none of these: something stands between.`
    : `The answer has come over ${protocol}. No header names anything between.`;
}

// examine tells what it finds line by line, by say(words, kind): kind is good, bad or empty.
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
    say(`The headers came after ${headers} ms. ${hop(response)}`);
    const mark = `inspect-${Math.random().toString(36).slice(2)}`;
    await arrivals(response, { subject, token, mark, say, since, ending });
  } catch (error) {
    say(ending.signal.aborted ? `Nothing more came in ${patience / 1000} s: something buffers, or the bridge waits for NATS.` : error.message, "bad");
  } finally {
    clearTimeout(limit);
    ending.abort();
  }
}

async function arrivals(response, { subject, token, mark, say, since, ending }) {
  const sent = [], came = [];
  let refusal, isOpen = false;
  for await (const { event, data, beat } of events(response)) {
    if (event?.startsWith("tailwater:") && !isOpen) {
      isOpen = true;
      say(`The first event came after ${since()} ms.`);
      publish(subject, token, mark, sent, since).catch((error) => {
        refusal = error.message;
        say(`${refusal} So it waits for a heartbeat, which is due after 15 s of silence.`);
      });
    } else if (data?.startsWith(mark)) {
      came.push(since());
      if (came.length === count) break;
    } else if (beat && isOpen && refusal) {
      say(`A heartbeat came after ${since()} ms, by itself: nothing buffers.`, "good");
      return;
    }
  }
  ending.abort();
  judge(sent, came, say);
}

async function publish(subject, token, mark, sent, since) {
  for (let i = 0; i < count; i++) {
    sent.push(since());
    const answer = await fetch(address(subject), { method: "POST", headers: authorised(token), body: `${mark} ${i + 1}` });
    if (!answer.ok) throw new Error(await explain(answer));
    await wait(apart);
  }
}

// judge compares when messages were sent with when they came.
function judge(sent, came, say) {
  for (let i = 0; i < count; i++) say(`Message ${i + 1}: sent at ${sent[i]} ms, here at ${came[i]} ms, ${came[i] - sent[i]} ms later.`);
  const isClump = came.at(-1) - came[0] < (sent.at(-1) - sent[0]) / 2;
  say(isClump
    ? "They were sent one after another, and came all at once: something between buffers."
    : "They came as they were sent: nothing between buffers.", isClump ? "bad" : "good");
}
