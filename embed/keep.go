package embed

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// keptFolder lies beside JetStream's folder while a server starts.
const keptFolder = "tailwater-kept"

// startWhole starts a server that has every stream of its folder. nats-server deletes the files of a stream that it cannot recover,
// for whatever reason. So the files are kept until it has recovered them, and put back if it has not.
func startWhole(options *server.Options, log *slog.Logger) (*instance, error) {
	if isClustered(options) { // the other servers still have a lost stream
		return start(options, log)
	}
	dir := options.StoreDir
	if err := putBack(dir); err != nil { // an earlier start was cut short
		return nil, err
	}
	if err := keep(dir, log); err != nil {
		return nil, err
	}
	before := streamFolders(dir)
	running, err := start(options, log)
	if err != nil {
		return nil, errors.Join(err, putBack(dir))
	}
	if lost := lacking(running.Server, before); len(lost) > 0 {
		shutDown(running.Server)
		err = fmt.Errorf("embedded NATS: streams that cannot be recovered: %s; the log says why. Fix the cause, or move their folders away to start without them", strings.Join(lost, ", "))
		return nil, errors.Join(err, restore(dir, lost))
	}
	if err := os.RemoveAll(filepath.Join(dir, keptFolder)); err != nil { // these are links only
		log.Warn("a temporary folder of the start could not be removed", "error", err)
	}
	return running, nil
}

// keep checks that all files of streams can be opened, and links them into another folder.
func keep(dir string, log *slog.Logger) error {
	var unlinked error
	if runtime.GOOS == "windows" { // an open file cannot be unlinked there
		unlinked = errors.ErrUnsupported
	}
	err := filepath.WalkDir(filepath.Join(dir, server.JetStreamStoreDir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		kept := filepath.Join(dir, keptFolder, strings.TrimPrefix(path, filepath.Join(dir, server.JetStreamStoreDir)))
		switch {
		case entry.IsDir():
			unlinked = errors.Join(unlinked, os.MkdirAll(kept, 0o700))
		case entry.Type().IsRegular():
			file, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			if unlinked == nil {
				unlinked = os.Link(path, kept)
			}
			return file.Close()
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look at the files of streams: %w; raise the limit of open files, or allow this user to read and write them", errors.Join(err, putBack(dir)))
	}
	if unlinked != nil {
		log.Debug("files of streams cannot be kept while the embedded NATS server starts", "error", unlinked)
		return os.RemoveAll(filepath.Join(dir, keptFolder))
	}
	return nil
}

// streamFolders lists the folders of streams, without those that nats-server was deleting or making when it was killed.
func streamFolders(dir string) []string {
	store := os.DirFS(filepath.Join(dir, server.JetStreamStoreDir))
	all, _ := fs.Glob(store, "*/streams/*") // keep has found that all can be read
	return slices.DeleteFunc(all, func(folder string) bool { return isDeleted(path.Base(folder)) || isUnmade(store, folder) })
}

// lacking lists the folders of streams that are missing in the server, although their account has JetStream.
func lacking(running *server.Server, folders []string) (lost []string) {
	accounts, _ := accountsOf(running) // an error is logged when stock is taken
	has := map[string]bool{}
	for _, account := range accounts {
		has[account.Id] = true
		for _, stream := range account.Streams {
			has[path.Join(account.Id, "streams", stream.Name)] = true
		}
	}
	for _, folder := range folders {
		if account, _, _ := strings.Cut(folder, "/"); has[account] && !has[folder] {
			lost = append(lost, folder)
		}
	}
	return lost
}

// putBack restores missing files of streams in JetStream's folder from what is kept, and removes what is kept.
func putBack(dir string) error {
	err := filepath.WalkDir(filepath.Join(dir, keptFolder), func(kept string, entry fs.DirEntry, err error) error {
		there := filepath.Join(dir, server.JetStreamStoreDir, strings.TrimPrefix(kept, filepath.Join(dir, keptFolder)))
		switch {
		case err != nil && kept == filepath.Join(dir, keptFolder) && errors.Is(err, fs.ErrNotExist):
			return fs.SkipAll // nothing is kept
		case err != nil:
			return err
		case entry.IsDir() && isDeleted(entry.Name()):
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(there, 0o700)
		}
		if err := os.Link(kept, there); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("put the files of streams back: %w", err)
	}
	return os.RemoveAll(filepath.Join(dir, keptFolder))
}

// restore puts the folders of streams back as they were kept, and removes what is kept. nats-server may still be removing files of
// its folders: these are moved away first.
func restore(dir string, streams []string) (err error) {
	for i, stream := range streams {
		kept, there := filepath.Join(dir, keptFolder, stream), filepath.Join(dir, server.JetStreamStoreDir, stream)
		if _, absent := os.Lstat(kept); absent != nil {
			continue // it could not be kept; the present files stay
		}
		moved := os.Rename(there, filepath.Join(dir, keptFolder, fmt.Sprint(".removed-", i)))
		if errors.Is(moved, fs.ErrNotExist) {
			moved = nil
		}
		err = errors.Join(err, moved, moveTo(there, kept))
	}
	if err != nil {
		return fmt.Errorf("put the folders of streams back: %w", err)
	}
	return os.RemoveAll(filepath.Join(dir, keptFolder))
}

// moveTo moves what is kept of a stream to where it was. nats-server removes folders that are left empty some time after a stream, and can
// do so just before the stream is put into one.
func moveTo(there, kept string) error {
	for {
		err := errors.Join(os.MkdirAll(filepath.Dir(there), 0o700), os.Rename(kept, there))
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if _, absent := os.Lstat(kept); absent != nil {
			return err
		}
	}
}

// isDeleted reports whether a folder is left of a deleted stream. nats-server renames the folder before it removes the files, and
// continues at its next start if it was killed.
func isDeleted(folder string) bool { return strings.HasPrefix(folder, ".") }

// isUnmade reports whether a server was killed while it made the stream of a folder. The server writes the checksum last and then
// answers. So there is no checksum, and no message.
func isUnmade(store fs.FS, folder string) bool {
	_, absent := fs.Stat(store, path.Join(folder, server.JetStreamMetaFileSum))
	messages, _ := fs.ReadDir(store, path.Join(folder, "msgs"))
	return errors.Is(absent, fs.ErrNotExist) && len(messages) == 0
}

// isClustered reports whether a server is part of a cluster.
func isClustered(o *server.Options) bool {
	return o.Cluster.Name != "" || o.Cluster.Port != 0 || len(o.Routes) > 0
}
