package sockets

import "unsafe"

// SizeOfPlace is what each socket takes in bytes for its place.
const SizeOfPlace = unsafe.Sizeof(place{})
