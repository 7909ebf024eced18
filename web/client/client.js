// Tailwater in a page: what EventSource leaves to its user. See README.md.

/** @type {typeof import("./client").connect} */
export const connect = (url, options) => new Connection(url, options);

class Connection {
  state = "";
  lastEventId = "";
  #why = {};
  #options;
  #url;
  #key; // of lock, channel and storage
  #gone; // aborts when the page goes
  #round; // aborts a round of #run
  #end; // of the stream: why
  #failures;
  #heard; // when
  #patience = 40_000; // with silence, in ms
  #members = {}; // by subject
  #held = new Map(); // of a hidden tab, by subject
  #queue; // of the iterator
  #wake;
  #channel;
  #leads;
  #unlock;
  #early; // the leader's events while a listener reads older ones

  constructor(url, options = {}) {
    const { share = !options.token && !options.ticket, keep } = options;
    this.#options = options;
    this.#url = new URL(url, location).href;
    this.#key = `tailwater1 ${share} ${this.#url}`;
    this.#leads = !share || !navigator.locks;
    if (keep) [this.lastEventId, this.#members] = JSON.parse(sessionStorage[this.#key] ?? '["",{}]');
    addEventListener("pagehide", () => this.#leave());
    addEventListener("pageshow", ({ persisted }) => persisted && this.#enter());
    queueMicrotask(() => this.#enter()); // the caller has it first
  }

  close() {
    this.#leave();
    this.#set("closed");
  }

  reconnect() {
    if (this.state === "closed") return;
    this.#set("connecting");
    this.#restart();
  }

  async *[Symbol.asyncIterator]() {
    const queue = (this.#queue = []);
    for (;;) {
      while (queue.length) yield queue.shift();
      if (this.state === "closed") return;
      if (this.state === "refused") throw Error(this.#why.detail);
      await new Promise((wake) => (this.#wake = wake));
    }
  }

  // In the back-forward cache a page has neither lock nor connection.
  async #enter() {
    if (this.state === "closed") return;
    const { signal } = (this.#gone = new AbortController());
    const timer = setInterval(() => this.#look(), 5_000);
    signal.addEventListener("abort", () => clearInterval(timer));
    addEventListener("visibilitychange", () => this.#look(), { signal });
    for (const type of ["online", "offline"]) addEventListener(type, () => this.#leads && this.#restart(), { signal });
    this.#heard = Date.now();
    this.#set("connecting");
    // A listener is not told the members again.
    for (const { joined, left, ...members } of Object.values(this.#members)) call(this.#options.onpresence, { ...members, type: "state" });
    if (!this.#leads) {
      this.#channel = new BroadcastChannel(this.#key);
      this.#channel.onmessage = ({ data }) => this.#hear(data);
      if (!(await this.#compete({ ifAvailable: true }))) this.#follow();
    }
    this.#run(signal);
  }

  #leave() {
    this.#gone?.abort();
    this.#round?.abort();
    this.#unlock?.();
    this.#channel?.close();
    this.#leads &&= !this.#channel;
  }

  // Silence: a cut cable, sleep, a frozen leader.
  #look() {
    if (!document.hidden) for (const event of this.#held.values()) this.#give(event, "");
    if (Date.now() - this.#heard < this.#patience || this.state === "refused") return;
    this.#set("offline", { reason: "silence" });
    this.#restart();
  }

  #restart() {
    this.#heard = Date.now();
    if (this.#leads) this.#round?.abort();
    else this.#compete({ steal: true });
  }

  #set(state, why = {}) {
    if (this.state === "closed" || (state === this.state && why.reason === this.#why.reason)) return;
    this.state = state;
    this.#why = why;
    this.#say();
    call(this.#options.onstate, state, why);
    this.#wake?.();
  }

  async #run(gone) {
    this.#failures = 0;
    while (!gone.aborted) {
      const { signal } = (this.#round = new AbortController());
      let wait; // for ever
      if (this.#leads || this.#early) {
        this.#end = { reason: "network" };
        const why = await this.#read(signal).catch((error) => ({ detail: error.message, ...this.#end, ...error }));
        if (signal.aborted || !why) continue;
        if (passes(why)) wait = delay(this.#failures++, why.after);
        this.#set(wait ? "offline" : "refused", why);
      }
      if (!signal.aborted) await pause(wait, signal);
    }
  }

  // read returns at the end of the stream; a listener's, of the stored messages.
  async #read(signal) {
    const url = new URL(this.#url), query = url.searchParams, isPoll = !this.#leads;
    if (this.lastEventId) query.set("lastEventId", this.lastEventId);
    if (isPoll) query.set("since", query.get("since") ?? "new"), query.set("poll", 1), query.set("limit", 10_000);
    const answer = await request(url, this.#options, { headers: { Accept: "application/x-ndjson" }, signal }, this.#why.reason === "auth");
    if (answer.status === 204) return this.close();
    if (!answer.ok) throw await problem(answer);
    if (!isPoll) this.#set("connecting", { reason: "nats" });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = "", read; !(read = await reader.read()).done; ) {
      this.#heard = Date.now();
      this.#say(); // a sign of life
      const lines = (rest + read.value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (!line || signal.aborted) continue;
        const event = JSON.parse(line), [name, details] = own(event);
        if (details?.heartbeat) this.#patience = details.heartbeat * 2500;
        if (name === "close") this.#set("offline", (this.#end = details));
        else {
          this.#failures = 0;
          if (!isPoll) this.#set("open");
        }
        this.#say({ event });
        this.#give(event);
        if (isPoll && name === "synced") return this.#listen();
      }
    }
    return this.#end;
  }

  // give passes an event to the page.
  #give(event, id = event.id) {
    const { conflate, keep, onmessage, ...on } = this.#options, [name, details] = own(event);
    if (id) this.lastEventId = id;
    this.#held.delete(event.subject);
    if (name === "presence") this.#members[details.subject] = details;
    if (name) call(on[`on${name}`], details, event);
    else if (conflate && document.hidden) this.#held.set(event.subject, event);
    else {
      this.#queue?.push(event);
      this.#wake?.();
      call(onmessage, event);
    }
    if (keep && !this.#held.size) call(() => (sessionStorage[this.#key] = JSON.stringify([this.lastEventId, this.#members]))).catch(() => {});
  }

  // compete resolves to true if this tab has the lock.
  #compete(options) {
    const { signal } = this.#gone;
    return new Promise((decided) => {
      let leads;
      navigator.locks.request(this.#key, options, (lock) => {
        decided((leads = lock && !signal.aborted));
        if (!leads) return;
        this.#leads = true;
        this.#round?.abort();
        return new Promise((unlock) => (this.#unlock = unlock));
      }).catch(() => leads && !signal.aborted && this.#follow()); // stolen
    });
  }

  #follow() {
    this.#leads = false;
    this.#early = [];
    this.#round?.abort();
    this.#compete({ signal: this.#gone.signal });
  }

  #listen() {
    this.#early.forEach((event) => this.#pass(event));
    this.#early = undefined;
    this.#heard = Date.now() + 4_000 - this.#patience; // a leader answers at once
    this.#channel.postMessage({ hello: true });
  }

  #say(what) {
    const { state } = this;
    if (this.#leads && !this.#gone.signal.aborted) this.#channel?.postMessage({ state, why: this.#why, hidden: document.hidden, patience: this.#patience, ...what });
  }

  #hear({ hello, state, why, hidden, patience, event }) {
    if (hello) return this.#say();
    if (this.#leads) return;
    this.#heard = Date.now();
    this.#patience = patience;
    if (this.#early) return event && this.#early.push(event);
    if (event) this.#pass(event);
    this.#set(state, why);
    if (state === "offline" && hidden > document.hidden) this.#restart(); // a hidden tab is slow
  }

  // pass gives an event of the leader to the page, once.
  #pass(event) {
    const { id } = event, at = own(event)[0] === "reset" ? id : id && advance(this.lastEventId, id);
    if (at || !id) this.#give(event, at);
  }
}

// own returns the name and data of an event of Tailwater's own.
const own = ({ event, data }) => event?.startsWith("tailwater:") ? [event.slice(10), JSON.parse(data)] : [];

// advance returns the position behind both, if next adds to last.
function advance(last, next) {
  const position = /([^.-]+)-(\d+)[^.]*/g, known = {}; // epoch and sequence
  for (const [part, epoch, sequence] of last.matchAll(position)) known[epoch] = { part, sequence };
  let isNew;
  const id = next.replace(position, (part, epoch, sequence) =>
    +known[epoch]?.sequence >= +sequence ? known[epoch].part : (isNew = part));
  return isNew && id;
}

const sending = new Map(); // the last publish, by URL

/** @type {typeof import("./client").publish} */
export function publish(url, body, options = {}) {
  const sent = Promise.resolve(sending.get(url)).then(() => post(url, body, options));
  sending.set(url, sent.catch(() => {}));
  return sent;
}

async function post(url, body, { key = crypto.getRandomValues(new Uint32Array(4)).join("-"), event, signal, ...options }) {
  const headers = { "Idempotency-Key": key, ...(event && { "Tailwater-Event": event }) };
  for (let failures = 0; ; failures++) {
    signal?.throwIfAborted();
    const answer = await request(url, options, { method: "POST", body, headers, signal: AbortSignal.timeout(20_000) }).catch((error) => error);
    if (answer.ok) return answer.json();
    const error = answer.headers ? await problem(answer) : answer;
    if (!passes(error)) throw error;
    await pause(delay(failures, error.after), signal);
  }
}

// request is fetch with a token or ticket, renewed if refused.
async function request(url, options, init, renew = false) {
  const { token, ticket, credentials } = options;
  const target = new URL(url, location), headers = { ...init.headers };
  if (token) headers.Authorization = `Bearer ${await token(renew)}`;
  if (ticket) target.searchParams.set("ticket", await ticket(renew));
  const answer = await fetch(target, { cache: "no-store", credentials, ...init, headers });
  return answer.status === 401 && !renew && (token ?? ticket) ? request(url, options, init, true) : answer;
}

async function problem(answer) {
  const { status, headers } = answer, { detail, title, type } = await answer.json().catch(() => 0) ?? {};
  return Object.assign(Error(detail ?? title ?? `HTTP ${status}`), { reason: "status", status, type, after: headers.get("Retry-After") * 1000 || 0 });
}

// passes reports whether a retry may help. A proxy's answer has no type.
const passes = ({ status, type }) => !status || /408|429|503/.test(status) || (status > 499 && !type);

// delay spreads the clients that reconnect to a server.
const delay = (failures, least = 0) => Math.max(least, 500 + Math.random() * Math.min(30_000, 1_000 * 2 ** failures));

const pause = (ms, signal) => new Promise((resolve) => {
  const over = new AbortController(), timer = ms && setTimeout(wake, ms);
  addEventListener("online", wake, over);
  signal?.addEventListener("abort", wake, over);
  function wake() {
    over.abort();
    clearTimeout(timer);
    resolve();
  }
});

// call isolates a fault in the page's callback.
const call = async (callback, ...values) => callback?.(...values);
