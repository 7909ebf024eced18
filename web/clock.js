const $ = (id) => document.getElementById(id);
const source = new EventSource("/events/time.now");

source.onmessage = (event) => {
  const time = new Date(event.data).toLocaleTimeString();
  $("time").textContent = $("mirror").textContent = time;
  $("raw").textContent = event.data;
  show("open", "live");
};

source.onerror = () => {
  if (source.readyState === EventSource.CLOSED) {
    show("refused", "closed by the server: reload to try again");
  } else {
    show("lost", "lost, reconnecting");
  }
};

function show(state, words) {
  if ($("state").dataset.state === state) return; // announce a state once
  $("state").dataset.state = state;
  $("state").textContent = words;
}
