//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
)

// hold says how a program holds on to its log.
type hold int

const (
	bySignal hold = iota // opens it again when a signal tells it to
	byName               // looks before each write whether the name is still its file
	forEver              // never opens it again
)

// rotation is one way in which people let logrotate rotate.
type rotation struct {
	name     string
	settings []string // of logrotate
	log      hold
	lossy    bool // logrotate itself may lose what is written between its copying and its truncating

	// pattern is which files are followed beside the log itself, as a regular expression behind the log's name
	// without ".log"; groups is for those that need more than one.
	pattern string
	groups  func(root string) []string
	follow  []string // further settings of the source

	// down is how many rotations there may be while the agent is down; with none it is not killed.
	down int
	// seen says that a content must have been seen before it is rotated, as its second name is the last that
	// matches.
	seen bool
	// gone says that contents are removed in the end, so that the files do not tell what was written.
	gone bool
	// sized says that logs are rotated when they are large, not whenever logrotate runs.
	sized bool
	// seconds says that names have the time in them, so that there is one rotation in a second.
	seconds bool
}

// Patterns behind the names of the logs.
const (
	allNames   = `[.]log([-.].*)?`    // whatever rotation makes of them
	firstNames = `[.]log([.]1)?`      // the log itself, and the first that rotation makes of it
	ownName    = `[.]log`             // the log itself
	midNumber  = `([.][0-9]+)?[.]log` // for logs whose number stands before their extension
)

var readPacked = []string{"compressedFiles = read"}

// rotationWays are the ways that are tested.
var rotationWays = []rotation{
	{name: "create", settings: []string{"create 0644"}, pattern: allNames, down: 4},
	{name: "nocreate", settings: []string{"nocreate"}, log: byName, pattern: allNames, down: 4},
	{name: "first name only", settings: []string{"create 0640"}, pattern: firstNames, down: 1, seen: true},
	{name: "copytruncate", settings: []string{"copytruncate"}, log: forEver, lossy: true, pattern: ownName, down: 1, seen: true},
	{name: "copytruncate all names", settings: []string{"copytruncate"}, log: forEver, lossy: true, pattern: allNames, down: 4},
	{name: "copytruncate and compress", settings: []string{"copytruncate", "compress"}, log: forEver, lossy: true,
		pattern: allNames, follow: readPacked, down: 4},
	{name: "copy", settings: []string{"copy"}, log: forEver, pattern: allNames, down: 4},
	{name: "compress", settings: []string{"create", "compress"}, pattern: allNames, follow: readPacked, down: 4},
	{name: "compress own name", settings: []string{"create", "compress"}, pattern: ownName, down: 1, seen: true},
	{name: "delaycompress", settings: []string{"nocreate", "compress", "delaycompress"}, log: byName,
		pattern: allNames, follow: readPacked, down: 4},
	{name: "zstd", settings: []string{"create", "compress", "compresscmd /usr/bin/zstd", "compressoptions -q", "compressext .zst"},
		pattern: allNames, follow: readPacked, down: 4},
	{name: "xz", settings: []string{"create", "compress", "delaycompress", "compresscmd /usr/bin/xz", "compressext .xz"},
		pattern: firstNames, down: 1, seen: true},
	{name: "dateext", settings: []string{"create", "dateext", "dateformat -%Y%m%d-%s"}, pattern: allNames, down: 2, seconds: true},
	{name: "olddir", settings: []string{"create", "olddir <root>/old", "createolddir 0755"}, down: 4,
		groups: func(root string) []string {
			return []string{root + "/logs/" + "[a-z]+" + ownName, root + "/old/[a-z]+" + allNames}
		}},
	{name: "renamecopy", settings: []string{"renamecopy", "olddir <root>/old", "createolddir 0755"}, down: 4,
		groups: func(root string) []string {
			return []string{root + "/logs/[a-z]+[.]log.*", root + "/old/[a-z]+" + allNames}
		}},
	{name: "removed", settings: []string{"create", "rotate 0"}, pattern: ownName, seen: true, gone: true},
	{name: "few kept", settings: []string{"create", "rotate 2", "compress", "delaycompress"}, pattern: firstNames, down: 1, seen: true, gone: true},
	{name: "size and start", settings: []string{"create", "size 6k", "start 7"}, pattern: allNames, down: 4, sized: true},
	{name: "extension", settings: []string{"create", "extension .log"}, pattern: midNumber, down: 4},
}

// config is logrotate's configuration for all logs of a directory.
func (r rotation) config(root string) string {
	settings := []string{"rotate 1000", "missingok", "sharedscripts"}
	if r.log == bySignal {
		// As a program's own script does, logrotate goes on when the logs have been opened again.
		settings = append(settings, "postrotate", fmt.Sprintf(
			"touch <root>/reopen; kill -USR1 %d; while [ -e <root>/reopen ]; do sleep 0.005; done", os.Getpid()), "endscript")
	}
	settings = append(settings, r.settings...) // of two the later one counts
	text := fmt.Sprintf("<root>/logs/a.log <root>/logs/b.log <root>/logs/c.log <root>/logs/d.log {\n  %s\n}\n", strings.Join(settings, "\n  "))
	return strings.ReplaceAll(text, "<root>", root)
}

// filegroups are the groups of the source.
func (r rotation) filegroups(root string) []string {
	if r.groups != nil {
		return r.groups(root)
	}
	return []string{root + "/logs/[a-z]+" + r.pattern}
}
