package durable

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/keys"
	"github.com/flume-go/flume/wal"
)

// Config is the properties that all channels on disk have. They embed it in their own.
type Config struct {
	CheckpointDir string   `flume:"checkpointDir" doc:"Directory of the checkpoint, made if it is missing. Each channel needs its own. Without it: .flume/file-channel/checkpoint in the home directory."`
	DataDirs      []string `flume:"dataDirs" sep:"," doc:"Directories of the log, separated by commas, made if they are missing. Several, on disks of their own, are used in turn. Each channel needs its own. Without it: .flume/file-channel/data in the home directory."`

	TransactionCapacity  int   `flume:"transactionCapacity,transaction" default:"10000" min:"1" max:"2147483647" lenient:"true" doc:"Most events of one put and of one take. Not more than the capacity."`
	MaxFileSize          int64 `flume:"maxFileSize" default:"1623195647" min:"1" unit:"bytes" doc:"Largest file of the log. Files are of 64 MiB, or of this size when it is less, and at least 64 KiB; a batch that needs more gets a file of its own."`
	MinimumRequiredSpace int64 `flume:"minimumRequiredSpace" default:"524288000" unit:"bytes" doc:"Space on the disk that is left to others: puts wait while a new file of the log would leave less. At least 1 MiB."`

	FsyncPerTransaction bool          `flume:"fsyncPerTransaction" default:"true" doc:"True: a put has succeeded when its events survive a power cut. False: when they survive the end of the process; a power cut loses up to fsyncInterval."`
	FsyncInterval       time.Duration `flume:"fsyncInterval" default:"5" unit:"s" min:"1" max:"2147483647" lenient:"true" doc:"How long stored events may wait to be made safe from a power cut when fsyncPerTransaction is false."`
	FsyncTakes          bool          `flume:"fsyncTakes" default:"false" doc:"True: what was delivered is made safe from a power cut at once, too, at the price of a sync for each take. False: with the next put, or within a second; after a power cut, what was delivered since is delivered again."`

	AllowMissingSegments bool `flume:"allowMissingSegments" default:"false" doc:"False: the channel does not open when files of the log that hold events have vanished, which more often is a disk that is not mounted. True: it opens without them, and their events are lost."`

	CheckpointInterval time.Duration `flume:"checkpointInterval" default:"30000" unit:"ms" min:"1" lenient:"true" doc:"Time between checkpoints, which make the next start faster and nothing else. Less than a second counts as a second."`
	CheckpointOnClose  bool          `flume:"checkpointOnClose" default:"true" doc:"Accepted: a checkpoint is a few kilobytes, and an orderly stop always leaves one."`

	UseDualCheckpoints       bool   `flume:"useDualCheckpoints" default:"false" doc:"Accepted: the log needs no checkpoint to recover, so that a second one is not written. backupCheckpointDir must be given all the same."`
	BackupCheckpointDir      string `flume:"backupCheckpointDir" doc:"With useDualCheckpoints: a directory other than checkpointDir. It is made and locked, as Apache Flume does, and nothing is written to it."`
	CompressBackupCheckpoint bool   `flume:"compressBackupCheckpoint" default:"false" doc:"Accepted: there is no second checkpoint to be compressed."`
	UseLogReplayV1           bool   `flume:"use-log-replay-v1" default:"false" doc:"Accepted: there is one way to recover, which is right in all cases."`
	UseFastReplay            bool   `flume:"use-fast-replay" default:"false" doc:"Accepted: recovery reads the end of the log only."`

	ActiveKey            string `flume:"encryption.activeKey" doc:"Alias of the key with which new files of the log are encrypted. It goes together with encryption.cipherProvider and encryption.keyProvider."`
	CipherProvider       string `flume:"encryption.cipherProvider" enum:"AESCTRNOPADDING,org.apache.flume.channel.file.encryption.AESCTRNoPaddingProvider,AESGCM" doc:"The cipher. Whichever is named, it is AES-GCM, which also finds out changes that were made to the files."`
	KeyProvider          string `flume:"encryption.keyProvider" enum:"JCEKSFILE,org.apache.flume.channel.file.encryption.JCEKSFileKeyProvider$Builder" doc:"Where the keys are: in a key store of Java's type JCEKS."`
	KeyStoreFile         string `flume:"encryption.keyProvider.keyStoreFile" doc:"File of the key store."`
	KeyStorePasswordFile string `flume:"encryption.keyProvider.keyStorePasswordFile" doc:"File with the password of the key store. White space around it does not count."`
	Keys                 []Key  `flume:"encryption.keyProvider.keys" doc:"Aliases of the active key and of those with which files were encrypted that are still there."`
}

// Key is a key of the key store.
type Key struct {
	Name         string `flume:",name"`
	PasswordFile string `flume:"passwordFile" doc:"File with the password of the key. Without it: the password of the key store."`
}

const (
	segmentSize    = 64 << 20
	minSegmentSize = 64 << 10
	minSpace       = 1 << 20
	minCheckpoint  = time.Second
)

// Check reports what cannot work and what has no effect.
func (c Config) Check(r *component.Report) {
	c.checkDirs(r)
	c.checkEncryption(r)
	if c.MaxFileSize < minSegmentSize {
		r.Warn("maxFileSize", fmt.Sprintf("%d is less than %d, which is used", c.MaxFileSize, minSegmentSize), "give at least that; small files cost speed")
	}
	if c.MinimumRequiredSpace < minSpace {
		r.Warn("minimumRequiredSpace", fmt.Sprintf("%d is less than %d, which is used", c.MinimumRequiredSpace, minSpace), "give at least that")
	}
	if c.CheckpointInterval < minCheckpoint {
		r.Warn("checkpointInterval", "less than 1000 counts as 1000", "give at least that")
	}
	for _, p := range []struct {
		key   string
		given bool
		why   string
	}{
		{"use-fast-replay", c.UseFastReplay, "recovery reads the end of the log only"},
		{"use-log-replay-v1", c.UseLogReplayV1, "there is one way to recover, which is right in all cases"},
		{"useDualCheckpoints", c.UseDualCheckpoints, "the log recovers without any checkpoint, so that no second one is written"},
		{"compressBackupCheckpoint", c.CompressBackupCheckpoint, "there is no second checkpoint to be compressed"},
		{"checkpointOnClose", !c.CheckpointOnClose, "a checkpoint takes milliseconds, and an orderly stop always leaves one"},
	} {
		if p.given {
			r.Advise(p.key, "has no effect here: "+p.why, "it can be removed")
		}
	}
}

func (c Config) checkDirs(r *component.Report) {
	if r.Given("dataDirs") && len(c.DataDirs) == 0 {
		r.Error("dataDirs", "names no directory", "name one, or remove it to use the default")
	}
	if r.Given("checkpointDir") && c.CheckpointDir == "" {
		r.Error("checkpointDir", "is empty", "name a directory, or remove it to use the default")
	}
	for i, d := range c.DataDirs {
		if slices.ContainsFunc(c.DataDirs[:i], func(e string) bool { return filepath.Clean(e) == filepath.Clean(d) }) {
			r.Error("dataDirs", fmt.Sprintf("lists %s twice", d), "remove one")
		}
	}
	if !c.UseDualCheckpoints {
		return
	}
	switch dirs, err := c.dirs(); {
	case c.BackupCheckpointDir == "":
		r.Error("backupCheckpointDir", "is required with useDualCheckpoints", "name a directory, or remove useDualCheckpoints, which has no effect")
	case err == nil && dirs.backup == dirs.checkpoint:
		r.Error("backupCheckpointDir", "is the same directory as checkpointDir", "name another, or remove useDualCheckpoints, which has no effect")
	}
}

// encrypted reports whether any property of encryption is given.
func (c Config) encrypted() bool { return c.ActiveKey+c.CipherProvider+c.KeyProvider != "" }

func (c Config) checkEncryption(r *component.Report) {
	if !c.encrypted() {
		return
	}
	for _, p := range []struct{ key, value, remedy string }{
		{"encryption.activeKey", c.ActiveKey, "name a key of the key store"},
		{"encryption.cipherProvider", c.CipherProvider, "set it to AESCTRNOPADDING or AESGCM; AES-GCM is used in any case"},
		{"encryption.keyProvider", c.KeyProvider, "set it to JCEKSFILE"},
		{"encryption.keyProvider.keyStoreFile", c.KeyStoreFile, "name the key store; keytool -genseckey -storetype jceks makes one"},
		{"encryption.keyProvider.keyStorePasswordFile", c.KeyStorePasswordFile, "name the file with its password"},
	} {
		if p.value == "" {
			r.Error(p.key, "is required for encryption", p.remedy)
		}
	}
	if len(c.Keys) == 0 {
		r.Error("encryption.keyProvider.keys", "is required for encryption", "list the aliases of the keys")
	}
	if c.CipherProvider != "" && c.CipherProvider != "AESGCM" {
		r.Advise("encryption.cipherProvider", "the log is encrypted with AES-GCM, not with AES in counter mode",
			"AESGCM says the same; only new files are encrypted")
	}
}

// dirs is where a channel keeps what, as absolute paths.
type dirs struct {
	checkpoint string
	data       []string
	backup     string // empty without one
}

// dirs returns the directories, with the defaults filled in.
func (c Config) dirs() (dirs, error) {
	checkpoint, data, backup := c.CheckpointDir, c.DataDirs, ""
	if checkpoint == "" || len(data) == 0 {
		home, err := os.UserHomeDir()
		if err != nil {
			return dirs{}, fmt.Errorf("there is no home directory for the default of checkpointDir and dataDirs, set both: %w", err)
		}
		base := filepath.Join(home, ".flume", "file-channel")
		if checkpoint == "" {
			checkpoint = filepath.Join(base, "checkpoint")
		}
		if len(data) == 0 {
			data = []string{filepath.Join(base, "data")}
		}
	}
	if c.UseDualCheckpoints {
		backup = c.BackupCheckpointDir
	}
	return absolute(checkpoint, data, backup)
}

func absolute(checkpoint string, data []string, backup string) (d dirs, err error) {
	if d.checkpoint, err = filepath.Abs(checkpoint); err != nil {
		return d, err
	}
	for _, p := range data {
		if p, err = filepath.Abs(p); err != nil {
			return d, err
		}
		d.data = append(d.data, p)
	}
	if backup != "" {
		d.backup, err = filepath.Abs(backup)
	}
	return d, err
}

// all returns every directory once.
func (d dirs) all() []string {
	out := append([]string{d.checkpoint}, d.data...)
	if d.backup != "" {
		out = append(out, d.backup)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Claims says which directories no other channel may use.
func (c Config) Claims() []component.Claim {
	d, err := c.dirs()
	if err != nil {
		return nil // New tells
	}
	var out []component.Claim
	for _, p := range d.all() {
		key := "dataDirs"
		switch p {
		case d.checkpoint:
			key = "checkpointDir"
		case d.backup:
			key = "backupCheckpointDir"
		}
		out = append(out, component.Claim{What: "directory", ID: p, Key: key})
	}
	return out
}

// options returns the options of the log, but for what comes from the environment.
func (c Config) options(d dirs) wal.Options {
	o := wal.Options{
		Dirs: d.data, CheckpointDir: d.checkpoint,
		SegmentSize:        max(minSegmentSize, min(c.MaxFileSize, segmentSize)),
		MinFree:            max(minSpace, c.MinimumRequiredSpace),
		CheckpointInterval: max(minCheckpoint, c.CheckpointInterval),
		SyncAcks:           c.FsyncTakes,
		AllowMissing:       c.AllowMissingSegments,
	}
	if !c.FsyncPerTransaction {
		o.Sync, o.SyncDelay = wal.SyncDelayed, c.FsyncInterval
	}
	return o
}

// aliases returns the keys and where their passwords are.
func (c Config) aliases() []keys.Alias {
	var out []keys.Alias
	for _, k := range c.Keys {
		out = append(out, keys.Alias{Name: k.Name, PasswordFile: k.PasswordFile})
	}
	return out
}
