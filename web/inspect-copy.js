// The page's request as a command line or a program. It does not contain a token:
// that is expected in the variable TOKEN.

import { address } from "/web/inspect-stream.js";

const quote = (word) => (/^[\w./:=%-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

export const kinds = {
  curl: ({ url, token }) => `curl -N ${token ? `-H "Authorization: Bearer $TOKEN" ` : ""}${quote(url)}`,
  nats: ({ subject, since, nats }) => `${nats} sub ${quote(subject)}${history(since)}`,
  EventSource: ({ url, token }) => `${token ? "/* EventSource sends no header: get a ticket by POST /session, and add it to the URL. */\n" : ""}const source = new EventSource(${JSON.stringify(url)});
source.onmessage = (event) => console.log(event.data);
source.addEventListener("tailwater:gap", (event) => console.log("messages are missing", event.data));
source.addEventListener("tailwater:reset", (event) => console.log("begin anew", event.data));`,
  Go: ({ subject, since, token }) => `package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
)

// One object a line. A program that reconnects sends lastEventId=, the id of the last object.
func main() {
	request, err := http.NewRequest("GET", ${JSON.stringify(location.origin + address(subject, { since }))}, nil)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Accept", "application/x-ndjson")
${token ? '\trequest.Header.Set("Authorization", "Bearer "+os.Getenv("TOKEN"))\n' : ""}	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	fmt.Fprintln(os.Stderr, response.Status)
	_, err = io.Copy(os.Stdout, response.Body)
	log.Fatal(err)
}`,
};

function history(since) {
  if (since === "all") return " --all";
  if (since === "last") return " --last-per-subject";
  return /^\d+[smh]$/.test(since) ? ` --since=${since}` : "";
}
