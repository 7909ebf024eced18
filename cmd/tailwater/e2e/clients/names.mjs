// The events of Tailwater's own: an EventSource hands out named events only to who listens for each name.

export const names = ["message", "tailwater:open", "tailwater:gap", "tailwater:reset", "tailwater:binary", "tailwater:close"];

// listen tells of everything that an EventSource, or what looks like one, dispatches.
export function listen(source, tell) {
  for (const type of names)
    source.addEventListener(type, (e) => tell({ type, data: e.data, id: e.lastEventId }));
  source.addEventListener("error", () => source.readyState === 2 && tell({ error: "closed for good" }));
}
