import { words } from "/web/words.js";

const $ = (id) => document.getElementById(id);
const source = new EventSource("/events/time.now");

source.onmessage = (event) => {
  const time = new Date(event.data).toLocaleTimeString();
  $("time").textContent = $("mirror").textContent = time;
  $("raw").textContent = event.data;
  show("open", words.live);
};

source.onerror = () => {
  if (source.readyState === EventSource.CLOSED) {
    show("refused", words.clockClosed);
  } else {
    show("lost", words.comingBack(words.reasons.network));
  }
};

function show(state, words) {
  if ($("state").dataset.state === state) return; // announce a state once
  $("state").dataset.state = state;
  $("state").textContent = words;
}
