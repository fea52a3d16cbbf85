package load

import (
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"
)

// Options says where the configuration is and what it may refer to. Files to
// BackupDir are options of the command line by their meaning.
type Options struct {
	// Agent is the name of the agent (-n). It names the backup and the
	// ZooKeeper node.
	Agent string
	// Files are paths (-f), URIs are file:, classpath:, http: and https: URIs
	// (-u). All are used, files first.
	Files, URIs []string
	// ZooKeeper is the connect string (-z): host:port, comma separated, with an
	// optional /chroot. If set, Files and URIs are ignored.
	ZooKeeper string
	// ZooKeeperBase is the path above the agent's node (-p); empty means /flume.
	ZooKeeperBase string
	// User and Password authenticate at http(s) URIs, if both are set.
	User, Password string
	// BackupDir is where the resolved properties of the last successful load
	// are kept (-b). Empty means nowhere.
	BackupDir string

	// ConfDir is the configuration directory (-c), the first place of
	// classpath: resources.
	ConfDir string
	// ClassPath has further places, separated like PATH (FLUME_CLASSPATH). Only
	// directories count.
	ClassPath string
	// System are the properties given as -Dkey=value.
	System map[string]string
	// LookupEnv reads the environment; nil means os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// FormatDate formats a time by a SimpleDateFormat pattern, for
	// ${date:pattern}; nil makes each such reference an Error.
	FormatDate func(pattern string, t time.Time) (string, error)
	// Version is the version of this program, for ${java:runtime}.
	Version string
	// Log hears of sources that become unreachable and reachable again; nil
	// means slog.Default.
	Log *slog.Logger
}

// fill sets what was left out.
func (o *Options) fill() error {
	if o.Agent == "" {
		return errors.New("the agent has no name; give it with -n")
	}
	if len(o.Files) == 0 && len(o.URIs) == 0 && o.ZooKeeper == "" {
		return errors.New("no configuration was given; name a file with -f, a URI with -u or ZooKeeper with -z")
	}
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.ZooKeeperBase == "" {
		o.ZooKeeperBase = "/flume"
	}
	return nil
}

// PollInterval returns the time between two polls: what -i says in seconds, or,
// where that is 0 or less, Flume's 30 seconds, 300 if a URI is of the web.
func (o *Options) PollInterval(seconds int) time.Duration {
	if seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	for _, uri := range o.URIs {
		if strings.HasPrefix(strings.ToLower(uri), "http") {
			return 300 * time.Second
		}
	}
	return 30 * time.Second
}
