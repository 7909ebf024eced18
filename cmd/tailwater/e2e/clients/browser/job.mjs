// What every client in a page needs: which job it has, and a way to tell the test what it got.

export const job = JSON.parse(decodeURIComponent(location.hash.slice(1)));
export const url = job.url;

let lines = [], telling = false;

// tell sends an event to the test: its data, and where the client has them, its type and id.
export function tell(event) {
  lines.push({ job: job.id, ...event });
  if (!telling) send();
}

async function send() {
  telling = true;
  while (lines.length > 0) {
    const body = lines.map((line) => JSON.stringify(line)).join("\n");
    lines = [];
    await fetch("/tell", { method: "POST", body });
  }
  telling = false;
}

// whenLoaded waits until libraries have looked at the page as it came, so that they do not meet a new tag twice.
export function whenLoaded(then) {
  if (document.readyState === "complete") setTimeout(then);
  else addEventListener("load", () => setTimeout(then));
}

export const broke = (error) => tell({ error: String(error) });
addEventListener("error", (e) => broke(e.message));
addEventListener("unhandledrejection", (e) => broke(e.reason));
