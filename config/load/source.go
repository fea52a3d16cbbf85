package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/flume-go/flume/property"
)

// Source is one place that configuration text comes from. It is used by one
// goroutine at a time.
type Source interface {
	// Name is what positions and messages call the source. It holds no
	// credentials.
	Name() string
	// Extension is what follows the first dot of the path, or "properties":
	// Flume's way to tell formats apart.
	Extension() string
	// Fetch returns the text and whether it is another one than the last
	// successful Fetch returned; the first one always is. A text over
	// property.MaxSize may be cut off after one byte more. The text belongs to
	// the source: the caller only reads it.
	Fetch(ctx context.Context) (data []byte, modified bool, err error)
	// Close releases what the source holds open.
	Close() error
}

// extension applies Flume's rule: all that follows the first dot of the path,
// which is thus rarely right for directories with a dot in their name.
func extension(path string) string {
	if dot := strings.Index(path, "."); dot > 1 {
		return path[dot+1:]
	}
	return "properties"
}

// newURISource makes a source of what -u names.
func newURISource(raw string, opts *Options) (Source, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// The error of url.Parse repeats the URI, which may hold a password.
		return nil, errors.New("a configuration URI is malformed; check the -u options")
	}
	switch strings.ToLower(u.Scheme) {
	case "file":
		return newFileURISource(publicURL(u), u)
	case "classpath":
		return newClasspathSource(publicURL(u), u, opts.classpath())
	case "http", "https":
		if u.Host == "" {
			return nil, fmt.Errorf("configuration URI %s has no host; write %s://host/path", publicURL(u), u.Scheme)
		}
		return newHTTPSource(u, opts.User, opts.Password), nil
	case "":
		return nil, fmt.Errorf("configuration URI %s has no scheme; use -f for paths, or file:, classpath:, http: or https:", publicURL(u))
	}
	return nil, fmt.Errorf("configuration URI %s: scheme %q is unknown; use file, classpath, http or https", publicURL(u), u.Scheme)
}

func newFileURISource(raw string, u *url.URL) (Source, error) {
	if u.Path == "" || (u.Host != "" && u.Host != "localhost") {
		return nil, fmt.Errorf("configuration URI %s names no file of this machine; write file:///absolute/path", raw)
	}
	path := filepath.FromSlash(u.Path)
	return newFileSource(path, path), nil
}

// classpath returns the directories searched for resources, in order.
func (o *Options) classpath() []string {
	var dirs []string
	if o.ConfDir != "" {
		dirs = append(dirs, o.ConfDir)
	}
	for _, entry := range filepath.SplitList(o.ClassPath) {
		if info, err := os.Stat(entry); err == nil && info.IsDir() {
			dirs = append(dirs, entry)
		}
	}
	return dirs
}

// findResource returns the path of a resource.
func findResource(name string, dirs []string) (string, error) {
	for _, dir := range dirs {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("resource %q is in none of %q; put it in the directory given with -c: %w", name, dirs, fs.ErrNotExist)
}

// freshTime is how young a file may be for its modification time to be no
// proof yet that it will not change again unseen: file systems keep as little
// as two seconds.
const freshTime = 2 * time.Second

// fileSource reads a path. A change is another modification time, size or
// inode; a touched file counts, as in Flume.
type fileSource struct {
	name, path string
	last       fs.FileInfo
	fresh      bool // last was modified just before it was read
	data       []byte
}

func newFileSource(name, path string) *fileSource { return &fileSource{name: name, path: path} }

func (s *fileSource) Name() string { return s.name }

func (s *fileSource) Extension() string {
	if abs, err := filepath.Abs(s.path); err == nil {
		return extension(filepath.ToSlash(abs))
	}
	return extension(filepath.ToSlash(s.path))
}

func (s *fileSource) Close() error { return nil }

func (s *fileSource) Fetch(context.Context) ([]byte, bool, error) {
	file, err := os.Open(s.path)
	if err != nil {
		return nil, false, fmt.Errorf("opening configuration file: %w; check %s", err, describe(s.path, err))
	}
	defer file.Close()
	// The state before reading: a change while reading shows at the next Fetch.
	info, err := file.Stat()
	if err != nil {
		return nil, false, fmt.Errorf("examining configuration file %s: %w", s.path, err)
	}
	if info.IsDir() {
		return nil, false, fmt.Errorf("configuration file %s is a directory; name a file in it", s.path)
	}
	same := s.last != nil && os.SameFile(s.last, info) && s.last.ModTime().Equal(info.ModTime()) && s.last.Size() == info.Size()
	if same && !s.fresh {
		return s.data, false, nil
	}
	fresh := time.Since(info.ModTime()) < freshTime
	data, err := io.ReadAll(io.LimitReader(file, property.MaxSize+1))
	if err != nil {
		return nil, false, fmt.Errorf("reading configuration file: %w", err)
	}
	modified := !same || !bytes.Equal(data, s.data)
	s.last, s.fresh, s.data = info, fresh, data
	return data, modified, nil
}

// describe says what to check of a path that cannot be opened.
func describe(path string, err error) string {
	if !errors.Is(err, fs.ErrNotExist) {
		return "that the agent's user may read it"
	}
	if dir, err := os.Getwd(); err == nil && !filepath.IsAbs(path) {
		return "the path, which is relative to " + dir
	}
	return "the path"
}

// classpathSource reads the first file of a name in a list of directories.
type classpathSource struct {
	uri, resource string
	dirs          []string
	file          *fileSource // the one found last
}

// newClasspathSource takes classpath:name, classpath:/name, classpath://name and
// classpath:///name for the same.
func newClasspathSource(raw string, u *url.URL, dirs []string) (Source, error) {
	name := strings.TrimPrefix(u.Path, "/")
	if name == "" {
		name = u.Host
	}
	if name == "" {
		opaque, err := url.PathUnescape(u.Opaque)
		if err != nil || opaque == "" {
			return nil, fmt.Errorf("configuration URI %s names no resource; write classpath:name", raw)
		}
		name = opaque
	}
	return &classpathSource{uri: raw, resource: name, dirs: dirs}, nil
}

func (s *classpathSource) Name() string      { return s.uri }
func (s *classpathSource) Extension() string { return extension("/" + s.resource) }
func (s *classpathSource) Close() error      { return nil }

func (s *classpathSource) Fetch(ctx context.Context) ([]byte, bool, error) {
	path, err := findResource(s.resource, s.dirs)
	if err != nil {
		return nil, false, err
	}
	if s.file == nil || s.file.path != path {
		s.file = newFileSource(path, path)
	}
	return s.file.Fetch(ctx)
}
