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
    show("lost", "lost, coming back");
  }
};

function show(state, words) {
  if ($("state").dataset.state === state) return; // say it once
  $("state").dataset.state = state;
  $("state").textContent = words;
}
