package outlet

import "unsafe"

// SizeOfSocket is what a connection that an event loop has takes in bytes, beside its reader and its place.
const SizeOfSocket = unsafe.Sizeof(socket{})
