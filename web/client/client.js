// Tailwater in a page: what EventSource leaves to its user. README.md tells how.

/** @type {typeof import("./client").connect} */
export const connect = (url, options) => new Connection(url, options);

class Connection {
  state = "";
  lastEventId = "";
  #why = {}; // the state
  #options;
  #url;
  #key; // of lock, channel and storage
  #gone; // aborts when the page goes
  #turn; // aborts what #run waits for
  #failures;
  #renew; // the token
  #heard; // when
  #patience = 40_000; // with silence, in ms
  #members = {}; // by subject
  #held = new Map(); // the newest messages, by subject, of a hidden tab
  #queue; // of the iterator
  #wake;
  #channel;
  #leads;
  #unlock;
  #level; // a listener has all that is older than #early
  #early;

  constructor(url, options = {}) {
    const { share = !options.token && !options.ticket, keep } = options;
    this.#options = options;
    this.#url = String(new URL(url, location));
    this.#key = `tailwater1 ${share} ${this.#url}`;
    this.#leads = !share || !navigator.locks;
    if (keep) this.#recall();
    addEventListener("pagehide", () => this.#leave());
    addEventListener("pageshow", ({ persisted }) => persisted && this.#enter());
    queueMicrotask(() => this.#enter()); // when the caller has the connection
  }

  close() {
    this.#leave();
    this.#set("closed");
  }

  reconnect() {
    this.#set("connecting");
    this.#restart();
  }

  async *[Symbol.asyncIterator]() {
    const queue = (this.#queue = []);
    while (this.state !== "closed") {
      while (queue.length) yield queue.shift();
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
    document.addEventListener("visibilitychange", () => this.#look(), { signal });
    for (const type of ["online", "offline"]) addEventListener(type, () => this.#leads && this.#restart(), { signal });
    this.#heard = Date.now();
    this.#set("connecting");
    if (!this.#leads) {
      this.#channel = new BroadcastChannel(this.#key);
      this.#channel.onmessage = ({ data }) => this.#hear(data);
      if (!(await this.#compete({ ifAvailable: true }))) this.#follow();
    }
    this.#run(signal);
  }

  #leave() {
    this.#gone?.abort();
    this.#turn?.abort();
    this.#unlock?.();
    this.#channel?.close();
    if (this.#channel) this.#leads = false;
  }

  // After a silence the cable is cut, the machine has slept, or the leader is frozen.
  #look() {
    if (!document.hidden) for (const event of this.#held.values()) this.#give(event, "");
    if (Date.now() - this.#heard < this.#patience || this.state === "refused") return;
    this.#set("offline", { reason: "silence" });
    this.#restart();
  }

  #restart() {
    this.#heard = Date.now();
    if (this.#leads) this.#turn?.abort();
    else this.#compete({ steal: true });
  }

  #set(state, why = {}) {
    if (this.state === "closed" || (state === this.state && why.reason === this.#why.reason)) return;
    this.state = state;
    this.#why = why;
    this.#report();
    call(this.#options.onstate, state, why);
    this.#wake?.();
  }

  async #run(gone) {
    this.#failures = 0;
    while (!gone.aborted) {
      const { signal } = (this.#turn = new AbortController());
      let wait; // for ever: listening, or refused
      if (this.#leads || !this.#level) {
        const why = await this.#read(signal).catch((error) => ({ reason: "network", detail: error.message, ...error }));
        if (signal.aborted || !why) continue;
        const isFinal = !passes(why);
        this.#set(isFinal ? "refused" : "offline", why);
        if (!isFinal) wait = delay(this.#failures++, why.after);
      }
      await pause(wait, signal);
    }
  }

  // read returns why the stream has ended. A listener reads what is stored.
  async #read(signal) {
    const url = new URL(this.#url), query = url.searchParams, isPoll = !this.#leads;
    if (this.lastEventId) query.set("lastEventId", this.lastEventId);
    if (isPoll) query.set("since", query.get("since") ?? "new"), query.set("poll", 1);
    const answer = await request(url, this.#options, { headers: { Accept: "application/x-ndjson" }, signal }, this.#renew);
    this.#renew = false;
    if (answer.status === 204) return this.close();
    if (!answer.ok) throw await problem(answer);
    if (!isPoll) this.#set("connecting", { reason: "nats" });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let why = { reason: "network" };
    for (let rest = "", read; !(read = await reader.read()).done; ) {
      this.#heard = Date.now();
      this.#say({}); // a sign of life
      const lines = (rest + read.value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (!line || signal.aborted) continue;
        const event = JSON.parse(line), [name, details] = own(event);
        if (details?.heartbeat) this.#patience = details.heartbeat * 2500;
        if (name === "close") {
          this.#set("offline", (why = details));
          this.#renew = why.reason === "auth";
        } else {
          this.#failures = 0;
          if (!isPoll) this.#set("open");
        }
        this.#say({ event });
        this.#give(event);
        if (isPoll && name === "synced") return this.#listen();
      }
    }
    return why;
  }

  // give hands an event to the page.
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
    if (keep && !this.#held.size) call(() => (sessionStorage[this.#key] = JSON.stringify([this.lastEventId, this.#members])));
  }

  // recall continues after a reload. The server does not repeat who is there.
  #recall() {
    [this.lastEventId, this.#members] = JSON.parse(sessionStorage[this.#key] ?? '["",{}]');
    for (const { joined, left, ...members } of Object.values(this.#members)) call(this.#options.onpresence, { ...members, type: "state" });
  }

  // compete resolves to whether this tab has the lock.
  #compete(options) {
    const { signal } = this.#gone;
    return new Promise((decided) => {
      let leads;
      navigator.locks.request(this.#key, options, (lock) => {
        decided((leads = lock && !signal.aborted));
        if (!leads) return;
        this.#leads = true;
        this.#turn?.abort();
        return new Promise((unlock) => (this.#unlock = unlock));
      }).catch(() => leads && !signal.aborted && this.#follow()); // stolen
    });
  }

  #follow() {
    this.#leads = this.#level = false;
    this.#early = [];
    this.#turn?.abort();
    this.#compete({ signal: this.#gone.signal });
  }

  #listen() {
    this.#level = true;
    this.#early.forEach((event) => this.#pass(event));
    this.#heard = Date.now() + 4_000 - this.#patience; // a leader answers at once
    this.#channel.postMessage({ hello: true });
  }

  #say(what) {
    if (this.#leads && !this.#gone.signal.aborted) this.#channel?.postMessage(what);
  }

  #report() {
    this.#say({ state: this.state, why: this.#why, hidden: document.hidden });
  }

  #hear({ hello, state, why, hidden, event }) {
    if (hello) return this.#report();
    if (this.#leads) return;
    this.#heard = Date.now();
    if (!this.#level) return event && this.#early.push(event);
    if (event) this.#pass(event);
    if (state) this.#set(state, why);
    if (state === "offline" && hidden && !document.hidden) this.#restart(); // a hidden tab is slow
  }

  // pass gives an event of the leader, once.
  #pass(event) {
    const { id } = event, at = own(event)[0] === "reset" ? id : id && advance(this.lastEventId, id);
    if (at || !id) this.#give(event, at);
  }
}

// own returns the name and the data of an event of Tailwater's own.
const own = ({ event, data }) => event?.startsWith("tailwater:") ? [event.slice(10), JSON.parse(data)] : [];

// advance returns the position behind both, or nothing if next adds nothing to last.
function advance(last, next) {
  const place = /([^.-]+)-(\d+)[^.]*/g, known = {}; // epoch and sequence
  for (const [part, epoch, sequence] of last.matchAll(place)) known[epoch] = { part, sequence };
  let isNew;
  const id = next.replace(place, (part, epoch, sequence) =>
    +known[epoch]?.sequence >= +sequence ? known[epoch].part : (isNew = part));
  return isNew && id;
}

const turns = new Map(); // the last publish, by URL

/** @type {typeof import("./client").publish} */
export function publish(url, body, options = {}) {
  const sent = Promise.resolve(turns.get(url)).then(() => post(url, body, options));
  turns.set(url, sent.catch(() => {}));
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

// request is fetch with a token or a ticket. One that is refused is renewed once.
async function request(url, options, init, renew = false) {
  const { token, ticket, withCredentials } = options;
  const target = new URL(url, location), headers = { ...init.headers };
  if (token) headers.Authorization = `Bearer ${await token(renew)}`;
  if (ticket) target.searchParams.set("ticket", await ticket(renew));
  const answer = await fetch(target, { cache: "no-store", credentials: withCredentials ? "include" : "same-origin", ...init, headers });
  return answer.status === 401 && !renew && (token ?? ticket) ? request(url, options, init, true) : answer;
}

async function problem(answer) {
  const { status, headers } = answer, { detail, title, type } = await answer.json().catch(() => 0) ?? {};
  return Object.assign(Error(detail ?? title ?? `the server answered ${status}`), { reason: "status", status, type, after: headers.get("Retry-After") * 1000 });
}

// passes reports whether trying again may help. A proxy's problems have no type.
const passes = ({ status, type }) => !status || [408, 429, 503].includes(status) || (status > 499 && !type);

// delay spreads those who come back to a server.
const delay = (failures, least) => Math.max(500 + Math.random() * Math.min(30_000, 1_000 * 2 ** failures), least || 0);

const pause = (ms, signal) => new Promise((resolve) => {
  const over = new AbortController(), timer = ms && setTimeout(wake, ms);
  addEventListener("online", wake, over);
  signal?.addEventListener("abort", wake, over);
  if (signal?.aborted) wake();
  function wake() {
    over.abort();
    clearTimeout(timer);
    resolve();
  }
});

// A fault of the page must not end the connection.
function call(callback, ...values) {
  try {
    callback?.(...values);
  } catch (error) {
    reportError(error);
  }
}
