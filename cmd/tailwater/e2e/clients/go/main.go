// Command go runs the clients that are written in Go. The argument is a list of jobs as JSON; each line of the output is an
// event that a client got.
package main

import (
	"bytes"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/launchdarkly/eventsource"
	r3labs "github.com/r3labs/sse/v2"
	"github.com/tmaxmax/go-sse"
	"gopkg.in/cenkalti/backoff.v1"
)

type job struct{ ID, Client, URL string }

// told is one line of the output.
type told struct {
	Job   string `json:"job"`
	Type  string `json:"type,omitempty"`
	Data  string `json:"data"`
	ID    string `json:"id,omitempty"`
	Error string `json:"error,omitempty"`
}

type tell func(event, data, id string)

// clients read a URL until they give up.
var clients = map[string]func(url string, tell tell) error{
	"launchdarkly/eventsource": launchDarkly,
	"r3labs/sse":               r3Labs,
	"tmaxmax/go-sse":           tmaxmax,
}

func main() {
	var jobs []job
	if err := json.Unmarshal([]byte(os.Args[1]), &jobs); err != nil {
		log.Fatal(err)
	}
	var mu sync.Mutex
	output := json.NewEncoder(os.Stdout)
	write := func(line told) {
		mu.Lock()
		defer mu.Unlock()
		if err := output.Encode(line); err != nil {
			log.Fatal(err)
		}
	}
	var running sync.WaitGroup
	for _, job := range jobs {
		running.Go(func() {
			err := clients[job.Client](job.URL, func(event, data, id string) {
				write(told{Job: job.ID, Type: event, Data: data, ID: id})
			})
			ended := "the client has ended"
			if err != nil {
				ended += ": " + err.Error()
			}
			write(told{Job: job.ID, Error: ended})
		})
	}
	running.Wait()
}

func launchDarkly(url string, tell tell) error {
	stream, err := eventsource.SubscribeWithURL(url,
		eventsource.StreamOptionErrorHandler(func(error) eventsource.StreamErrorHandlerResult {
			return eventsource.StreamErrorHandlerResult{} // come back
		}))
	if err != nil {
		return err
	}
	for event := range stream.Events {
		tell(event.Event(), event.Data(), event.Id())
	}
	return nil
}

func r3Labs(url string, tell tell) error {
	client := r3labs.NewClient(url)
	client.ReconnectStrategy = backoff.NewConstantBackOff(2 * time.Second)
	var last []byte
	return client.SubscribeRaw(func(event *r3labs.Event) {
		if bytes.Equal(event.ID, last) {
			return // where a connection broke behind a heartbeat, there is an empty event
		}
		last = event.ID
		tell(string(event.Event), string(event.Data), string(event.ID))
	})
}

func tmaxmax(url string, tell tell) error {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	connection := sse.DefaultClient.NewConnection(request)
	connection.SubscribeToAll(func(event sse.Event) {
		tell(event.Type, event.Data, event.LastEventID)
	})
	return connection.Connect()
}
