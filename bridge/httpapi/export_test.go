package httpapi

// ParseSince lets tests look at the parser by itself.
var ParseSince = parseSince
