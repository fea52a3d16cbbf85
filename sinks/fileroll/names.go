package fileroll

import (
	"strconv"
	"strings"
	"time"
)

// namer gives out file names, each once, as Flume's path managers do.
type namer struct {
	prefix, suffix string
	series         string // DEFAULT: when the sink was configured, in epoch milliseconds
	byTime         bool   // ROLLTIME
	second         string // ROLLTIME: the last file's time
	n              int
}

func newNamer(manager, prefix, extension string, now time.Time) *namer {
	m := &namer{prefix: prefix, series: strconv.FormatInt(now.UnixMilli(), 10)}
	if extension != "" {
		m.suffix = "." + extension
	}
	m.byTime = manager == "ROLLTIME" || strings.HasSuffix(manager, ".RollTimePathManager$Builder")
	return m
}

// next returns the name of the file that is made now.
func (m *namer) next(now time.Time) string {
	middle := m.series
	if m.byTime {
		middle = now.Format("20060102150405")
		if middle != m.second {
			m.second, m.n = middle, 0
		}
	}
	m.n++
	return m.prefix + middle + "-" + strconv.Itoa(m.n) + m.suffix
}
