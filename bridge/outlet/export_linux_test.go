package outlet

import "unsafe"

// SizeOfSocket and SizeOfPlace are what a connection that an event loop has takes in bytes, beside its reader.
const SizeOfSocket, SizeOfPlace = unsafe.Sizeof(socket{}), unsafe.Sizeof(place{})
