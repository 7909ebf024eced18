// The messages of a room. Anybody may have published them, so everything goes
// through textContent and is never interpreted as markup.

const most = 500; // lines kept, so that a page can stay open for weeks

const time = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

// read parses one event: Tailwater's JSON around the payload, then the payload
// itself, which is {"name", "text"} if it was sent by this page.
export function read(data) {
  const envelope = object(data) ?? { data };
  const { id, subject, time, data_base64: base64 } = envelope;
  if (typeof base64 === "string") {
    return { id, subject, time, bytes: Math.floor((base64.replace(/=+$/, "").length * 3) / 4) };
  }
  const payload = typeof envelope.data === "string" ? envelope.data : JSON.stringify(envelope.data) ?? "";
  const said = object(payload);
  if (typeof said?.text !== "string") return { id, subject, time, raw: payload };
  const name = typeof said.name === "string" ? said.name.trim() : "";
  return { id, subject, time, name: name || "someone", text: said.text };
}

// messageLine draws the result of read, in a room whose subject is home.
export function messageLine(message, home) {
  const line = element("div", "message");
  const { name, text, raw, bytes } = message;
  if (name !== undefined) {
    const who = element("span", "who", name);
    who.title = name; // the line cuts a long name
    line.style.setProperty("--hue", hue(name));
    line.append(who, stamp(message.time), element("div", "what", text));
  } else {
    // Published on the subject by something else than this page.
    line.classList.add(bytes === undefined ? "raw" : "binary");
    const who = element("span", "who", "NATS");
    who.title = "published on the subject by another program";
    const what = bytes === undefined ? raw || "(an empty message)" : `${bytes} bytes of binary data`;
    line.append(who, stamp(message.time), element("div", "what", what));
  }
  // In a room with wildcards, each message shows its subject.
  if (typeof message.subject === "string" && message.subject !== home) {
    line.querySelector("time").after(element("span", "subject", message.subject));
  }
  return line;
}

export function noticeLine(words) {
  const line = element("p", "notice");
  const text = element("span", "", `${words} `);
  text.append(stamp());
  line.append(text);
  return line;
}

// Log appends lines to a list in a scroller. The scroller is laid out from its end
// (see chat.css), so the browser stays at the newest line while the reader is at
// the end, and otherwise leaves the view alone.
export class Log {
  #list;
  #scroller;
  #button;
  #away = false;
  #unseen = 0;

  constructor(list, scroller, button) {
    this.#list = list;
    this.#scroller = scroller;
    this.#button = button;
    // Asked here and not for each message, because it makes the browser lay out
    // the page. The end is at 0, and positions above it are negative.
    scroller.addEventListener("scroll", () => {
      this.#away = scroller.scrollTop < -40;
      if (!this.#away) this.#seen();
    }, { passive: true });
    button.addEventListener("click", () => this.toEnd());
  }

  add(line) {
    this.#list.append(line);
    while (this.#list.childElementCount > most) this.#list.firstElementChild.remove();
    if (!this.#away) return;
    this.#unseen++;
    this.#button.textContent = this.#unseen === 1 ? "1 new message" : `${this.#unseen} new messages`;
    this.#button.hidden = false;
  }

  clear() {
    this.#list.replaceChildren();
    this.toEnd();
  }

  toEnd() {
    this.#scroller.scrollTop = 0;
    this.#away = false;
    this.#seen();
  }

  #seen() {
    this.#unseen = 0;
    this.#button.hidden = true;
  }
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  if (text) made.dir = "auto"; // names and texts may be written right to left
  return made;
}

function stamp(rfc3339) {
  const sent = typeof rfc3339 === "string" ? new Date(rfc3339) : new Date();
  const made = element("time");
  if (Number.isNaN(sent.valueOf())) return made;
  made.dateTime = sent.toISOString();
  made.textContent = time.format(sent);
  made.title = full.format(sent);
  return made;
}

function object(json) {
  try {
    const value = JSON.parse(json);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

// hue returns the colour of a name, the same in every browser (FNV-1a).
function hue(name) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash % 360;
}
