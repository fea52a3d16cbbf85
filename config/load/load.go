package load

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/flume-go/flume/property"
)

// Result is one loaded configuration.
type Result struct {
	// Properties are merged, substituted and trimmed; config filters have not
	// been applied. The caller owns them.
	Properties *Properties
	// Problems is everything found wrong, in the order of Problems.Sort. With an
	// Error among them the properties concerned stand as they were written.
	Problems property.Problems
	// Backup says that the properties come from the backup directory.
	Backup bool
}

// Loader loads the configuration of one agent. Reload may be called from any
// goroutine; everything else is for one at a time.
type Loader struct {
	opts    Options
	sources []Source
	texts   [][]byte          // last text of each source; nil until it was read
	remarks property.Problems // about the options themselves
	wake    chan struct{}     // Reload was called
	told    chan struct{}     // a source knows of a change by itself
	force   atomic.Bool       // Reload was called
}

// New checks the options and returns a Loader. Nothing is read yet, and no
// connection made. Close the Loader after use.
func New(opts Options) (*Loader, error) {
	if err := opts.fill(); err != nil {
		return nil, err
	}
	l := &Loader{opts: opts, wake: make(chan struct{}, 1), told: make(chan struct{}, 1)}
	if err := l.open(); err != nil {
		return nil, err
	}
	l.texts = make([][]byte, len(l.sources))
	return l, nil
}

// open makes the sources.
func (l *Loader) open() error {
	if l.opts.ZooKeeper != "" {
		source, err := newZooKeeperSource(l.opts.ZooKeeper, l.opts.ZooKeeperBase, l.opts.Agent, func() { signal(l.told) }, l.opts.Log)
		if err != nil {
			return err
		}
		l.sources = []Source{source}
		if len(l.opts.Files)+len(l.opts.URIs) > 0 {
			l.remarks = append(l.remarks, property.Problem{
				Severity: property.Warning,
				What:     "the configuration comes from ZooKeeper (-z); -f and -u are ignored",
				Remedy:   "give only one of them",
			})
		}
		return nil
	}
	for _, path := range l.opts.Files {
		l.sources = append(l.sources, newFileSource(path, path))
	}
	var errs []error
	for _, uri := range l.opts.URIs {
		source, err := newURISource(uri, &l.opts)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		l.sources = append(l.sources, source)
	}
	return errors.Join(errs...)
}

// Close releases connections. The Loader cannot be used after it.
func (l *Loader) Close() error {
	var errs []error
	for _, s := range l.sources {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// Sources returns the names of the sources in the order of merging.
func (l *Loader) Sources() []string {
	names := make([]string, len(l.sources))
	for i, s := range l.sources {
		names[i] = s.Name()
	}
	return names
}

// Load reads all sources. If one cannot be read, the backup of the last
// successful load stands in, with a Warning; without a backup that is an error
// naming each source that failed. What is wrong with the text itself is among
// the Problems of the Result.
func (l *Loader) Load(ctx context.Context) (Result, error) {
	l.force.Store(false)
	if _, err := l.fetch(ctx); err != nil {
		if ctx.Err() != nil {
			return Result{}, err
		}
		return l.fromBackup(err)
	}
	return l.assemble(ctx)
}

// Poll looks for changes since the last Load or Poll and, if there are any,
// loads again; the same change is never reported twice. An error says which
// sources could not be read. One that was read before counts as unchanged then,
// so there can be both, a new configuration and an error.
func (l *Loader) Poll(ctx context.Context) (result Result, changed bool, err error) {
	force := l.force.Swap(false)
	modified, err := l.fetch(ctx)
	if !modified && !force {
		return Result{}, false, err
	}
	for _, text := range l.texts {
		if text == nil { // never read: a part of the configuration is missing
			return Result{}, false, err
		}
	}
	result, assembleErr := l.assemble(ctx)
	return result, assembleErr == nil, errors.Join(err, assembleErr)
}

// Reload makes a running Watch load again at once, changed or not; so does the
// next Poll. It is meant for SIGHUP and does not block.
func (l *Loader) Reload() {
	l.force.Store(true)
	signal(l.wake)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // a wake-up is pending already
	}
}

// OnlyReload is an interval for Watch: never look, only obey Reload.
const OnlyReload time.Duration = -1

// Watch polls at the interval (0: never), when Reload is called and when
// ZooKeeper tells of a change, and calls apply with each new configuration, or
// with the error that kept a Reload from having one. It returns when ctx is done.
// That sources cannot be read is logged once when it starts and once when it ends.
func (l *Loader) Watch(ctx context.Context, interval time.Duration, apply func(context.Context, Result, error)) {
	var tick <-chan time.Time
	if interval > 0 {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		tick = ticker.C
	}
	told := l.told
	if interval == OnlyReload {
		told = nil
	}
	failing := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		case <-told:
		case <-l.wake:
		}
		asked := l.force.Load()
		result, changed, err := l.Poll(ctx)
		if ctx.Err() != nil {
			return
		}
		failing = l.logFailure(failing, err)
		if changed {
			apply(ctx, result, nil)
		} else if asked {
			apply(ctx, Result{}, err)
		}
	}
}

// logFailure logs that reading began or ceased to fail, and returns what it
// fails with.
func (l *Loader) logFailure(before string, err error) string {
	now := ""
	if err != nil {
		now = err.Error()
	}
	switch {
	case now != "" && now != before:
		l.opts.Log.Warn("configuration cannot be read; the last one stays in force", "error", now)
	case now == "" && before != "":
		l.opts.Log.Info("configuration can be read again")
	}
	return now
}

// fetch reads the sources into l.texts and reports whether any is another text
// than before. The error joins those of all sources that failed.
func (l *Loader) fetch(ctx context.Context) (modified bool, err error) {
	var errs []error
	for i, s := range l.sources {
		text, changed, err := s.Fetch(ctx)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if text == nil {
			text = []byte{}
		}
		l.texts[i] = text
		modified = modified || changed
	}
	return modified, errors.Join(errs...)
}

// assemble makes a Result of the texts.
func (l *Loader) assemble(ctx context.Context) (Result, error) {
	m := merger{defs: make(map[string]*definition), problems: append(property.Problems(nil), l.remarks...)}
	for i, s := range l.sources {
		switch ext := s.Extension(); ext {
		case "json", "yaml", "xml":
			m.problems = append(m.problems, property.Problem{
				Severity: property.Error,
				At:       property.Position{File: s.Name()},
				What:     fmt.Sprintf("is a %s file, and only properties are read", ext),
				Remedy:   "write the configuration as Java properties, key = value",
			})
		default:
			m.add(s.Name(), l.texts[i])
		}
	}
	if len(m.keys) == 0 && !m.problems.HasErrors() {
		return l.fromBackup(fmt.Errorf("the configuration is empty: no line with key = value is in %s", strings.Join(l.Sources(), ", ")))
	}
	if l.opts.ZooKeeper == "" {
		m.substitute(&l.opts)
	}
	result := Result{Properties: m.tidy()}
	if !m.problems.HasErrors() {
		m.problems = append(m.problems, l.storeBackup(result.Properties)...)
	}
	m.problems.Sort()
	result.Problems = m.problems
	return result, ctx.Err()
}

// merger collects the definitions of all sources.
type merger struct {
	keys     []string
	defs     map[string]*definition
	problems property.Problems
}

// add merges one text; its definitions replace earlier ones.
func (m *merger) add(name string, text []byte) {
	entries, problems := property.Read(name, text)
	m.problems = append(m.problems, problems...)
	m.problems = append(m.problems, property.Duplicates(entries)...)
	for _, e := range entries {
		tidy := e.Trimmed()
		if tidy.Key == "" {
			m.problems = append(m.problems, property.Problem{
				Severity: property.Warning,
				At:       tidy.Value.Key,
				What:     "a value without a key is ignored",
				Remedy:   "write key = value",
			})
			continue
		}
		m.reportInvisible(tidy)
		// Substitution sees blanks at the ends; the places are the trimmed ones.
		v := e.Value
		v.Key, v.At = tidy.Value.Key, tidy.Value.At
		d := &definition{Value: v}
		if earlier, ok := m.defs[tidy.Key]; ok {
			d.replaced = earlier.Value.Key
		} else {
			m.keys = append(m.keys, tidy.Key)
		}
		m.defs[tidy.Key] = d
	}
}

// substitute resolves all references.
func (m *merger) substitute(opts *Options) {
	lookups, problems := opts.lookups()
	m.problems = append(m.problems, problems...)
	s := substituter{keys: m.keys, defs: m.defs, lookups: lookups}
	if opts.System[envResolverKey] == envResolverClass {
		s.lookupEnv = opts.LookupEnv
	}
	s.resolveAll()
	m.problems = append(m.problems, s.problems...)
}

// tidy trims the values and drops those that are empty, as Flume does.
func (m *merger) tidy() *Properties {
	props := &Properties{}
	for _, key := range m.keys {
		d := m.defs[key]
		d.Text, d.Raw = property.Trim(d.Text), property.Trim(d.Raw)
		if d.Text != "" {
			props.Set(key, d.Value)
			continue
		}
		// Written so, it may be meant: Flume's guide removes text by an empty replaceString.
		problem := property.Problem{Severity: property.Advice, At: d.Value.Key, Key: key, What: "has no value and is ignored", Remedy: "give it a value or remove it"}
		if d.Raw != "" {
			problem.Severity = property.Warning
			problem.What = "has no value after substitution and is ignored"
		}
		if !d.replaced.IsZero() {
			problem.Severity = property.Warning
			problem.What += fmt.Sprintf(", together with its definition at %s", d.replaced)
		}
		m.problems = append(m.problems, problem)
	}
	return props
}

// backupPath returns where the backup is; empty means that none is kept.
func (l *Loader) backupPath() string {
	if l.opts.BackupDir == "" {
		return ""
	}
	return filepath.Join(l.opts.BackupDir, "."+filepath.Base(l.opts.Agent)+".properties")
}
