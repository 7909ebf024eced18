package embed

import (
	"errors"
	"os"
)

// nextSuffix ends the name of a file that will replace another.
const nextSuffix = ".new"

// replace replaces a file, which only this user may read, atomically: a crash leaves the old or the new file.
func replace(name string, text []byte) error {
	file, err := os.OpenFile(name+nextSuffix, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Chmod(0o600), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(name+nextSuffix, name)
}
