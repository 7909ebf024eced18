package embed

// The folder of JetStream's files. A user who can write there can change stored messages, credentials and revocations. So a folder
// that another user has prepared is refused.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
)

// ownFolder makes JetStream's folder, which only this user may read, and locks it: two servers would damage it.
func ownFolder(dir string) (*flock.Flock, error) {
	if err := checkFolder(dir); err != nil {
		return nil, err
	}
	// Others may read the folder that was named, such as a mounted volume; the folder below it belongs to nats-server.
	store := filepath.Join(dir, server.JetStreamStoreDir)
	err := os.MkdirAll(store, 0o700)
	if err == nil {
		err = os.Chmod(store, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("make JetStream's folder: %w; set TAILWATER_EMBED_DIR to a folder that can be written", err)
	}
	return claim(dir)
}

const lockFile = "tailwater.lock"

// claim locks a folder.
func claim(dir string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	claimed, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("claim JetStream's folder: %w", err)
	case !claimed:
		return nil, fmt.Errorf("another process uses the folder %s; stop it, or set TAILWATER_EMBED_DIR to another folder", dir)
	}
	return lock, nil
}

// CheckFolder returns an error if the folder of JetStream's files cannot be trusted, or another process uses it. It changes nothing.
func (c Config) CheckFolder() error {
	o, err := c.options()
	if err != nil {
		return err
	}
	if err := checkFolder(o.StoreDir); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(o.StoreDir, lockFile)); err != nil {
		return nil // nobody has used it yet
	}
	lock, err := claim(o.StoreDir)
	if err != nil {
		return err
	}
	return lock.Close()
}

// isUsed reports whether the server uses a name in its folder. Other names, such as lost+found, are ignored.
func isUsed(name string) bool {
	files := []string{lockFile, inventoryFile, publisherFile, adminFile}
	return slices.Contains([]string{server.JetStreamStoreDir, keptFolder, probeFolder}, name) ||
		slices.ContainsFunc(files, func(file string) bool { return name == file || name == file+nextSuffix })
}

// checkFolder returns an error if another user than this one or root has prepared a folder, or can write there. The folders above
// it are not checked.
func checkFolder(dir string) error {
	link, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var info fs.FileInfo
	if err == nil {
		info, err = os.Stat(dir)
	}
	if err == nil {
		err = errors.Join(checkOwner(dir, link), checkOwner(dir, info), checkVolume(dir, info))
	}
	if err != nil {
		return fmt.Errorf("%w; or set TAILWATER_EMBED_DIR to another folder", err)
	}
	if !info.IsDir() {
		return nil // making JetStream's folder there returns the error
	}
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if err == nil && isUsed(entry.Name()) {
			err = checkBelow(dir, entry.Name())
		}
	}
	if err != nil {
		return fmt.Errorf("%w; or set TAILWATER_EMBED_DIR to another folder", err)
	}
	return nil
}

// checkBelow is checkFolder for what is in the folder. Nothing there may be a link.
func checkBelow(dir, name string) error {
	return filepath.WalkDir(filepath.Join(dir, name), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.Type()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%s is a symbolic link, which the embedded server never makes; remove it", path)
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) { // removed by a running server
			return nil
		}
		if err != nil {
			return err
		}
		return errors.Join(checkOwner(path, info), checkWriters(path, info))
	})
}

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
