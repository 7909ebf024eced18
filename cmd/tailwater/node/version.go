package node

import (
	"cmp"
	"runtime/debug"
)

// A release has these from its linker (see .ci/release); other binaries know what the go command has written into them.
var version, commit string

// Version returns the version, such as v1.0.0.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return cmp.Or(version, info.Main.Version, "(unknown)")
	}
	return cmp.Or(version, "(unknown)")
}

// Commit returns the commit that was built, if the binary is built from a clone; otherwise "". A plus sign behind it says that files had
// been changed.
func Commit() string {
	info, ok := debug.ReadBuildInfo()
	if commit != "" || !ok {
		return commit
	}
	found := map[string]string{}
	for _, setting := range info.Settings {
		found[setting.Key] = setting.Value
	}
	if found["vcs.modified"] == "true" {
		return found["vcs.revision"] + "+"
	}
	return found["vcs.revision"]
}
