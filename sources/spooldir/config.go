package spooldir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/charset"
	"github.com/flume-go/flume/internal/javaregex"
)

// Config is the properties of the source.
type Config struct {
	SpoolDir        string        `flume:"spoolDir,required" doc:"Directory that finished files are put into. It must exist."`
	FileSuffix      string        `flume:"fileSuffix" default:".COMPLETED" doc:"What is added to the name of a file that has been handed on. Files whose name ends so are not read."`
	FailedSuffix    string        `flume:"failedSuffix" default:".FAILED" doc:"What is added to the name of a file that is set aside, as it was changed, cannot be decoded or has the name of another. Files whose name ends so are not read."`
	DeletePolicy    string        `flume:"deletePolicy" default:"never" enum:"never,immediate" doc:"Whether a file that has been handed on is kept, or deleted at once."`
	TrackingPolicy  string        `flume:"trackingPolicy" default:"rename" enum:"rename,tracker_dir" doc:"With deletePolicy never: whether files that have been handed on are renamed, or left alone and noted by an empty file in trackerDir."`
	TrackerDir      string        `flume:"trackerDir" default:".flumespool" doc:"Directory of the position file and of the notes of tracker_dir; if relative, below spoolDir. It is created."`
	Include         string        `flume:"includePattern" default:"^.*$" doc:"Java regular expression that the whole name of a file must match."`
	Ignore          string        `flume:"ignorePattern" default:"^$" doc:"Java regular expression; files and directories whose whole name matches are left alone, also if includePattern matches."`
	FileHeader      bool          `flume:"fileHeader" default:"false" doc:"Whether to add a header with the absolute path of the file."`
	FileHeaderKey   string        `flume:"fileHeaderKey" default:"file" doc:"Name of the header with the file's path."`
	BasenameHeader  bool          `flume:"basenameHeader" default:"false" doc:"Whether to add a header with the name of the file, without its directory."`
	BasenameKey     string        `flume:"basenameHeaderKey" default:"basename" doc:"Name of the header with the file's name."`
	ConsumeOrder    string        `flume:"consumeOrder" default:"oldest" enum:"oldest,youngest,random" doc:"Which file comes next, by the time of its last change. random is quickest with very many files."`
	PollDelay       time.Duration `flume:"pollDelay" unit:"ms" default:"500" min:"1" doc:"How long to wait before the directory is looked at again when there was nothing in it."`
	Recursive       bool          `flume:"recursiveDirectorySearch" default:"false" doc:"Whether directories below spoolDir are looked into, too, except those whose name begins with a dot."`
	BatchSize       int           `flume:"batchSize,batch" default:"100" min:"1" doc:"Most events handed to the channels at once. A batch has events of one file."`
	MaxBackoff      time.Duration `flume:"maxBackoff" unit:"ms" default:"4000" min:"0" doc:"Longest pause before a batch that the channels did not take is tried again. The first is 250 ms, and each is twice as long as the one before."`
	InputCharset    string        `flume:"inputCharset" default:"UTF-8" doc:"Character set of the files, for the deserializer LINE."`
	DecodeError     string        `flume:"decodeErrorPolicy" default:"FAIL" enum:"FAIL,REPLACE,IGNORE" doc:"What to do with bytes that mean nothing in inputCharset: set the file aside, replace them by U+FFFD, or drop them."`
	Deserializer    string        `flume:"deserializer" default:"LINE" enum:"LINE,AVRO,BLOB,org.apache.flume.serialization.LineDeserializer$Builder,org.apache.flume.serialization.AvroEventDeserializer$Builder,org.apache.flume.sink.solr.morphline.BlobDeserializer$Builder" doc:"What makes events of a file: one of each line, one of each record of an Avro container file, or one of the whole."`
	MaxLineLength   int           `flume:"deserializer.maxLineLength" default:"2048" min:"1" doc:"For LINE: most characters of an event, those outside the Basic Multilingual Plane counted twice. The rest of a longer line becomes further events."`
	OutputCharset   string        `flume:"deserializer.outputCharset" default:"UTF-8" doc:"For LINE: character set of the bodies."`
	SchemaType      string        `flume:"deserializer.schemaType" default:"HASH" enum:"HASH,LITERAL" doc:"For AVRO: whether each event has the fingerprint of its schema as a header, flume.avro.schema.hash, or all of it, flume.avro.schema.literal."`
	MaxBlobLength   int           `flume:"deserializer.maxBlobLength" default:"100000000" min:"1" unit:"bytes" doc:"For BLOB: longest body. The rest of a longer file becomes further events."`
	MaxBlockLength  int64         `flume:"deserializer.maxBlockLength" default:"134217728" min:"1024" max:"1073741824" unit:"bytes" doc:"For AVRO: largest block of a container file, compressed or not, that is read into memory. A file with a larger one is set aside."`
	SyncInterval    time.Duration `flume:"positionSyncInterval" unit:"ms" default:"100" min:"0" doc:"How often the position and the names of files are synced to disk while files are read; 0 syncs after each batch. It only matters for power cuts, see Delivery."`
	BufferMaxLines  int           `flume:"bufferMaxLines" default:"100" deprecated:"remove it" doc:"Has no effect, as in Flume."`
	BufferMaxLength *int          `flume:"bufferMaxLineLength" min:"1" deprecated:"use deserializer.maxLineLength" doc:"Old name of deserializer.maxLineLength. It wins over the new one if the deserializer is called LINE."`
}

// Values of properties.
const (
	immediate  = "immediate"
	trackerDir = "tracker_dir"
	youngest   = "youngest"
	random     = "random"
	policyFail = "FAIL"
	policyDrop = "IGNORE"
	literal    = "LITERAL"

	lineName = "LINE"
	avroName = "AVRO"
	blobName = "BLOB"
)

// Check finds patterns and character sets that are none, and suffixes that cannot work.
func (c Config) Check(r *component.Report) {
	for _, p := range []struct{ key, pattern string }{{"includePattern", c.Include}, {"ignorePattern", c.Ignore}} {
		if _, err := javaregex.Compile(p.pattern); err != nil {
			r.Error(p.key, err.Error(), "correct the Java regular expression for the whole name of a file")
		}
	}
	for _, p := range []struct{ key, name string }{{"inputCharset", c.InputCharset}, {"deserializer.outputCharset", c.OutputCharset}} {
		if _, err := charset.Lookup(p.name); err != nil {
			r.Error(p.key, err.Error(), "give the name of one, such as UTF-8 or ISO-8859-1")
		}
	}
	for _, p := range []struct{ key, suffix string }{{"fileSuffix", c.FileSuffix}, {"failedSuffix", c.FailedSuffix}} {
		switch {
		case p.suffix == "":
			r.Error(p.key, "is empty", "give a suffix, such as .COMPLETED: every name ends in an empty one, and no file would be read")
		case strings.ContainsRune(p.suffix, '/') || strings.ContainsRune(p.suffix, os.PathSeparator):
			r.Error(p.key, fmt.Sprintf("%q has a slash in it", p.suffix), "give the end of a file's name")
		}
	}
	if c.FileSuffix == c.FailedSuffix {
		r.Error("failedSuffix", "is the same as fileSuffix", "give another one, to tell what was set aside from what was handed on")
	}
	if c.SpoolDir == "" {
		r.Error("spoolDir", "is empty", "give the directory that files are put into")
	}
	c.checkUnused(r)
}

// checkUnused finds settings of deserializers other than the one that is used.
func (c Config) checkUnused(r *component.Report) {
	kind := c.deserializer()
	for key, of := range map[string]string{
		"maxLineLength": lineName, "outputCharset": lineName, "schemaType": avroName, "maxBlockLength": avroName, "maxBlobLength": blobName,
	} {
		if key = "deserializer." + key; of != kind && r.Given(key) {
			r.Warn(key, "has no effect with the deserializer "+kind, "remove it, or use the deserializer "+of)
		}
	}
	if kind == avroName && c.SchemaType == literal {
		r.Advise("deserializer.schemaType", "gives each event the whole schema as a header", "HASH is shorter")
	}
}

// Claims says that no other source can read the same directory, or use the same position file.
func (c Config) Claims() []component.Claim {
	spool, err := filepath.Abs(c.SpoolDir)
	if err != nil || c.SpoolDir == "" {
		return nil // New tells it
	}
	return []component.Claim{
		{What: "spool directory", ID: spool, Key: "spoolDir"},
		{What: "tracker directory", ID: filepath.Clean(c.tracker()), Key: "trackerDir"},
	}
}

// tracker returns the directory of the position file.
func (c Config) tracker() string {
	if filepath.IsAbs(c.TrackerDir) {
		return c.TrackerDir
	}
	return filepath.Join(c.SpoolDir, c.TrackerDir)
}

// notes reports whether a file that was handed on is noted in trackerDir.
func (c Config) notes() bool { return c.DeletePolicy != immediate && c.TrackingPolicy == trackerDir }

// deserializer returns LINE, AVRO or BLOB.
func (c Config) deserializer() string {
	switch name := strings.ToUpper(c.Deserializer); {
	case strings.Contains(name, ".AVROEVENT"), name == avroName:
		return avroName
	case strings.Contains(name, ".BLOB"), name == blobName:
		return blobName
	default:
		return lineName
	}
}

// maxLineLength returns the one that counts.
func (c Config) maxLineLength() int {
	if c.BufferMaxLength != nil && strings.EqualFold(c.Deserializer, lineName) {
		return *c.BufferMaxLength
	}
	return c.MaxLineLength
}

// javaPath is path as Java writes it: without doubled slashes and one at the end, and otherwise as it was given. Position files and
// headers have paths in this form.
func javaPath(path string) string {
	path = filepath.ToSlash(path)
	var b strings.Builder
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			b.WriteByte(path[i])
		}
	}
	if s := b.String(); len(s) > 1 {
		return strings.TrimSuffix(s, "/")
	}
	return b.String()
}
