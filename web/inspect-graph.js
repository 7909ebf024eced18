// The last minute, in bars: one for each second.

const seconds = 60, width = 600, height = 64;

// Flow counts the messages that arrive.
export class Flow {
  #slots = new Map(); // by second: {count, delays}
  #marks = new Map(); // by second: events to show
  events = 0;
  bytes = 0;

  add(delay) {
    const slot = this.#now();
    slot.count++;
    if (delay !== undefined) slot.delays.push(delay);
    this.events++;
  }

  mark(kind) {
    this.#marks.set(Math.floor(Date.now() / 1000), kind);
  }

  #now() {
    const second = Math.floor(Date.now() / 1000);
    if (!this.#slots.has(second)) this.#slots.set(second, { count: 0, delays: [] });
    return this.#slots.get(second);
  }

  // minute returns the seconds of the last minute, the oldest first, and forgets earlier ones.
  minute() {
    const last = Math.floor(Date.now() / 1000) - 1; // the present second is not over
    for (const old of [this.#slots, this.#marks]) {
      for (const second of old.keys()) if (second < last - seconds) old.delete(second);
    }
    return Array.from({ length: seconds }, (_, i) => {
      const second = last - seconds + 1 + i, slot = this.#slots.get(second);
      return { count: slot?.count ?? 0, delay: median(slot?.delays ?? []), mark: this.#marks.get(second) };
    });
  }
}

export function median(values) {
  return values.length ? values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] : undefined;
}

// draw draws a value for each second, and the marks; it returns the height of the graph.
export function draw(svg, minute, value) {
  const top = Math.max(1, ...minute.map((second) => value(second) ?? 0));
  const step = width / seconds;
  const bars = minute.flatMap((second, i) => {
    const high = ((value(second) ?? 0) / top) * (height - 2);
    const bar = high > 0 ? [box("bar", i * step + 1, height - Math.max(2, high), step - 2, Math.max(2, high))] : [];
    return second.mark ? [box(`mark ${second.mark}`, i * step + step / 2 - 1, 0, 2, height), ...bar] : bar;
  });
  svg.replaceChildren(box("ground", 0, height - 1, width, 1), ...bars);
  return top;
}

function box(name, x, y, w, h) {
  const rect = document.createElementNS(document.querySelector("svg").namespaceURI, "rect");
  for (const [key, is] of Object.entries({ class: name, x, y, width: w, height: h })) rect.setAttribute(key, is);
  return rect;
}
