package node

import (
	"runtime/debug"
)

// Version returns the module's version, which the go command writes into the binary.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}

// Commit returns the commit that was built, which the go command writes into a binary that is built from a clone; otherwise "". A plus sign
// behind it says that files had been changed.
func Commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	found := map[string]string{}
	for _, setting := range info.Settings {
		found[setting.Key] = setting.Value
	}
	commit := found["vcs.revision"]
	if found["vcs.modified"] == "true" {
		commit += "+"
	}
	return commit
}
