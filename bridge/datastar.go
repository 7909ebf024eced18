package bridge

import (
	"bytes"
	"encoding/json"
)

// The events of Datastar, a library for pages (Datastar 1.0, SSE events). Each line of their data begins with the name of an argument.
const (
	patchElements = "datastar-patch-elements" // its data is HTML; an element replaces the one with the same id
	patchSignals  = "datastar-patch-signals"  // its data is a JSON object of signals
)

// Headers of a message that say where its HTML goes, in the format Datastar. Without them an element replaces the one with the same id.
const (
	HeaderDatastarSelector = "Datastar-Selector" // a CSS selector, such as #log
	HeaderDatastarMode     = "Datastar-Mode"     // append, prepend, inner, remove, …
)

// maxArgumentBytes is the size of the longest value of these headers.
const maxArgumentBytes = 512

// datastar encodes a message whose payload is text. A JSON object changes signals; every other text is HTML.
func (f Framing) datastar(m *Message, id []byte) []byte {
	if bytes.HasPrefix(bytes.TrimSpace(m.Data), []byte("{")) && json.Valid(m.Data) {
		return encodeLines(patchSignals, nil, "signals ", m.Data, id)
	}
	lines := appendArgument(nil, "selector ", m.first(HeaderDatastarSelector))
	lines = appendArgument(lines, "mode ", m.first(HeaderDatastarMode))
	return encodeLines(patchElements, lines, "elements ", m.Data, id)
}

// appendArgument appends a line with an argument of an event. A value that is empty or that could be more than one line is left out.
func appendArgument(dst []byte, name, value string) []byte {
	if value == "" || len(value) > maxArgumentBytes || !isPrintableText(value) {
		return dst
	}
	return append(dst, "data: "+name+value+"\n"...)
}
