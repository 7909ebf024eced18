import { connect } from "/client.js";
import { words } from "/web/words.js";

const $ = (id) => document.getElementById(id);

connect("/events/time.now", {
  onmessage({ data }) {
    const time = new Date(data).toLocaleTimeString();
    $("time").textContent = $("mirror").textContent = time;
    $("raw").textContent = data;
  },
  onstate(state, { reason, detail }) {
    $("state").dataset.state = state;
    $("state").textContent = {
      connecting: words.connecting,
      open: words.live,
      offline: words.comingBack(words.reasons[reason] ?? words.reasons.network),
      refused: words.refused(detail),
    }[state];
  },
});
