package wal

// Report is what Inspect found.
type Report struct {
	Checkpoint string // what is wrong with the checkpoint; empty if nothing, or if there is none
	Segments   []SegmentReport
	Unreadable []string // segment files without a good header
}

// SegmentReport is what Inspect found in one segment file.
type SegmentReport struct {
	Path       string
	Generation uint64
	Size, End  int64 // of the file, and of the records in it
	Records    int
	Events     int // put in this life of the file, acknowledged or not
	Numbers    Range
	HeaderBad  bool // one copy of the header is damaged
	Damage     []Damage
}

// Inspect reads every record of a log that nobody has open and reports what is there. It changes nothing. Segments
// come in the order in which they were written; those waiting to be reused are among them.
func Inspect(opts Options) (*Report, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	files, err := findSegments(opts.FS, opts.Dirs)
	if err != nil {
		return nil, err
	}
	report := &Report{}
	disk := checkpointFile{fs: opts.FS, dir: opts.CheckpointDir}
	if _, err := disk.read(); err != nil {
		report.Checkpoint = err.Error()
	}
	for _, s := range files.damaged {
		report.Unreadable = append(report.Unreadable, s.path)
	}
	l := &Log{opts: opts}
	r := &recovery{l: l, files: files, heads: make(map[uint64]*snapshot)}
	for i, s := range files.good {
		var durable int64
		if i+1 < len(files.good) {
			successor, err := r.head(files.good[i+1])
			if err != nil {
				return nil, err
			}
			if successor != nil {
				durable = successor.endOf(s.gen)
			}
		}
		seg, err := l.inspectSegment(s, durable)
		if err != nil {
			return nil, err
		}
		for _, bad := range files.oneBad {
			seg.HeaderBad = seg.HeaderBad || bad == s
		}
		report.Segments = append(report.Segments, seg)
	}
	return report, nil
}

// inspectSegment reads one segment that is known to be durable up to an offset.
func (l *Log) inspectSegment(seg *segment, durable int64) (SegmentReport, error) {
	out := SegmentReport{Path: seg.path, Generation: seg.gen, Size: seg.size}
	err := l.withScanner(seg, func(s *scanner) (err error) {
		out.End, _, err = s.walk(segmentStart, durable, func(rec record) error {
			out.Records++
			if rec.kind == recordPut {
				seg.addPut(rec)
				out.Events += rec.count
			}
			return nil
		}, func(from, to int64) error {
			out.Damage = append(out.Damage, Damage{Segment: seg.path, From: from, To: to})
			return nil
		})
		return err
	})
	out.Numbers = seg.events
	return out, err
}
