// Package history reads what a stream holds, for readers that are behind a feed's memory: by direct gets, or by consumers where there
// are none. With each page it tells below which sequence the stream's limits have removed something; from this the bridge
// decides whether a client continues exactly or is told a gap.
package history
