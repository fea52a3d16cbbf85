package file

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/javalock"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

func decode(t testing.TB, settings map[string]string) *component.Decoded {
	t.Helper()
	e, ok := component.Lookup(component.KindChannel, "org.apache.flume.channel.file.FileChannel")
	if !ok {
		t.Fatal("the class name is not registered")
	}
	given := property.Settings{}
	for i, k := range slices.Sorted(maps.Keys(settings)) {
		given[k] = property.Value{Text: settings[k], Raw: settings[k], At: property.Position{File: "a.conf", Line: i + 1, Col: 1}}
	}
	return component.Decode(e, given, component.Scope{Prefix: "a1.channels.c1."})
}

// rig is a channel made through the registry, and what it logs.
type rig struct {
	flow.Channel
	t   *testing.T
	set *metrics.Set
	log *bytes.Buffer
}

// newRig makes a channel in /c and /d of fsys; it is closed at the end of the test.
func newRig(t *testing.T, fsys vfs.FS, settings map[string]string) *rig {
	t.Helper()
	all := map[string]string{"checkpointDir": "/c", "dataDirs": "/d", "maxFileSize": "65536", "minimumRequiredSpace": "1048576", "keep-alive": "0"}
	maps.Copy(all, settings)
	d := decode(t, all)
	if d.Failed() {
		t.Fatal(d.Problems)
	}
	r := &rig{t: t, set: metrics.NewSet(metrics.KindChannel, "c1"), log: &bytes.Buffer{}}
	env := component.Env{Name: "c1", Log: slog.New(slog.NewTextHandler(r.log, nil)), Metrics: r.set, FS: fsys}
	ch, err := component.New[flow.Channel](d, env, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Channel = ch
	t.Cleanup(func() { _ = ch.Close(context.Background()) }) // may have lost its disk
	return r
}

func (r *rig) open() *rig {
	r.t.Helper()
	if err := r.Open(context.Background()); err != nil {
		r.t.Fatal(err)
	}
	return r
}

func (r *rig) close() {
	r.t.Helper()
	if err := r.Close(context.Background()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) put(bodies ...string) {
	r.t.Helper()
	b := event.NewBatch()
	defer b.Release()
	for _, s := range bodies {
		b.AppendCopy([]byte(s))
	}
	if err := r.Put(context.Background(), b); err != nil {
		r.t.Fatal(err)
	}
}

// take takes and acknowledges what is there.
func (r *rig) take() []string {
	r.t.Helper()
	var out []string
	for r.Stats().Events > 0 {
		d, err := r.Take(context.Background(), 100)
		if err != nil {
			r.t.Fatal(err)
		}
		for i := range d.Batch().Len() {
			out = append(out, string(d.Batch().At(i).Body))
		}
		if err := d.Ack(); err != nil {
			r.t.Fatal(err)
		}
	}
	return out
}

func (r *rig) is(name, want string) {
	r.t.Helper()
	for _, m := range r.set.Metrics() {
		if m.Name != name {
			continue
		}
		got := ""
		if m.Text != nil {
			got = m.Text()
		} else {
			got = metrics.FormatDouble(m.Number())
		}
		if got != want {
			r.t.Errorf("%s is %s, want %s", name, got, want)
		}
		return
	}
	r.t.Errorf("there is no %s", name)
}

func (r *rig) logged(text string, times int) {
	r.t.Helper()
	if got := strings.Count(r.log.String(), text); got != times {
		r.t.Errorf("%q was logged %d times, want %d:\n%s", text, got, times, r.log.String())
	}
}

const (
	none   = property.Severity(-1)
	advice = property.Advice
	warn   = property.Warning
	fail   = property.Error
)

func TestRules(t *testing.T) {
	encrypted := func(more ...string) map[string]string {
		m := map[string]string{
			"encryption.activeKey": "k1", "encryption.cipherProvider": "aesctrnopadding", "encryption.keyProvider": "jceksfile",
			"encryption.keyProvider.keyStoreFile": "/ks", "encryption.keyProvider.keyStorePasswordFile": "/pw", "encryption.keyProvider.keys": "k1 k2",
		}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	for name, c := range map[string]struct {
		settings map[string]string
		worst    property.Severity
		text     string // in what is reported
	}{
		"nothing":               {nil, none, ""},
		"capacity 0":            {map[string]string{"capacity": "0"}, warn, "1000000 is used instead"},
		"transaction -1":        {map[string]string{"transactionCapacity": "-1"}, warn, "10000 is used instead"},
		"transaction too large": {map[string]string{"capacity": "10", "transactionCapacity": "11"}, fail, "transactionCapacity (11) is more than capacity (10)"},
		"capacity too small":    {map[string]string{"capacity": "10"}, fail, "a1.channels.c1.capacity: transactionCapacity (10000)"},
		"interval 0":            {map[string]string{"checkpointInterval": "0"}, warn, "30000 is used instead"},
		"interval short":        {map[string]string{"checkpointInterval": "999"}, warn, "counts as 1000"},
		"file size 0":           {map[string]string{"maxFileSize": "0"}, fail, "0 is less than 1"},
		"file size small":       {map[string]string{"maxFileSize": "1000"}, warn, "65536, which is used"},
		"file size large":       {map[string]string{"maxFileSize": "2146435071"}, none, ""},
		"space small":           {map[string]string{"minimumRequiredSpace": "5"}, warn, "1048576, which is used"},
		"sync interval 0":       {map[string]string{"fsyncInterval": "0"}, warn, "5 is used instead"},
		"no checkpointDir":      {map[string]string{"checkpointDir": ""}, fail, "checkpointDir: is empty"},
		"no dataDirs":           {map[string]string{"dataDirs": " , "}, fail, "names no directory"},
		"dataDirs twice":        {map[string]string{"dataDirs": "/a,/b/,/b"}, fail, "lists /b twice"},
		"fast replay":           {map[string]string{"use-fast-replay": "true"}, advice, "has no effect"},
		"old replay":            {map[string]string{"use-log-replay-v1": "true"}, advice, "has no effect"},
		"replay off":            {map[string]string{"use-fast-replay": "false", "use-log-replay-v1": "false", "checkpointOnClose": "true"}, none, ""},
		"no checkpoint at end":  {map[string]string{"checkpointOnClose": "false"}, advice, "has no effect"},
		"dual":                  {map[string]string{"useDualCheckpoints": "true", "backupCheckpointDir": "/b"}, advice, "has no effect"},
		"dual without":          {map[string]string{"useDualCheckpoints": "true"}, fail, "backupCheckpointDir: is required"},
		"dual with itself":      {map[string]string{"useDualCheckpoints": "true", "checkpointDir": "/a", "backupCheckpointDir": "/b/../a"}, fail, "is the same directory"},
		"backup without dual":   {map[string]string{"checkpointDir": "/a", "backupCheckpointDir": "/a"}, none, ""},
		"compressed":            {map[string]string{"compressBackupCheckpoint": "true"}, advice, "has no effect"},
		"encrypted":             {encrypted(), advice, "AES-GCM"},
		"encrypted, class":      {encrypted("encryption.cipherProvider", "org.apache.flume.channel.file.encryption.AESCTRNoPaddingProvider"), advice, "AES-GCM"},
		"encrypted, ours":       {encrypted("encryption.cipherProvider", "AESGCM"), none, ""},
		"encrypted, provider":   {encrypted("encryption.keyProvider", "org.apache.flume.channel.file.encryption.JCEKSFileKeyProvider$Builder"), advice, "AES-GCM"},
		"other provider":        {encrypted("encryption.keyProvider", "com.example.Keys"), fail, "com.example.Keys"},
		"no keys":               {encrypted("encryption.keyProvider.keys", ""), fail, "encryption.keyProvider.keys: is required"},
		"key alone":             {map[string]string{"encryption.activeKey": "k"}, fail, "encryption.keyProvider: is required"},
		"provider alone":        {map[string]string{"encryption.keyProvider": "JCEKSFILE"}, fail, "encryption.activeKey: is required"},
	} {
		t.Run(name, func(t *testing.T) {
			worst := none
			problems := decode(t, c.settings).Problems
			for _, p := range problems {
				worst = max(worst, p.Severity)
			}
			if worst != c.worst || !strings.Contains(problems.Error(), c.text) {
				t.Errorf("severity %d, want %d with %q:\n%v", worst, c.worst, c.text, problems)
			}
		})
	}
}

func TestDefaultDirectories(t *testing.T) {
	t.Setenv("HOME", "/home/flume")
	t.Setenv("USERPROFILE", "/home/flume")
	claims := decode(t, nil).Config.(component.Claimer).Claims()
	want := []component.Claim{
		{What: "directory", ID: filepath.FromSlash("/home/flume/.flume/file-channel/checkpoint"), Key: "checkpointDir"},
		{What: "directory", ID: filepath.FromSlash("/home/flume/.flume/file-channel/data"), Key: "dataDirs"},
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	t.Setenv("HOME", "")
	t.Setenv("USERPROFILE", "")
	d := decode(t, nil)
	if got := d.Config.(component.Claimer).Claims(); got != nil {
		t.Errorf("without a home: %v", got)
	}
	_, err := component.New[flow.Channel](d, component.Env{Metrics: metrics.NewSet(metrics.KindChannel, "c1")}, nil)
	if err == nil || !strings.Contains(err.Error(), "set both") {
		t.Errorf("without a home: %v", err)
	}
}

func TestClaims(t *testing.T) {
	cfg := decode(t, map[string]string{"checkpointDir": "/a", "dataDirs": "/a, /b/../c", "useDualCheckpoints": "true", "backupCheckpointDir": "/e"}).Config
	var got []string
	for _, c := range cfg.(component.Claimer).Claims() {
		got = append(got, c.Key+" "+c.ID)
	}
	if diff := cmp.Diff([]string{"checkpointDir /a", "dataDirs /c", "backupCheckpointDir /e"}, got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

func TestLifeInMetricsAndLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem(1)
		first, second := newRig(t, disk, nil), newRig(t, disk, nil)
		first.is("Open", "false")
		first.is("Closed", "1.0")
		first.is("Unhealthy", "0.0")
		first.open()
		first.is("Open", "true")
		first.is("Closed", "0.0")
		first.is("ChannelCapacity", "1000000.0")
		first.put("a", "b", "c")
		if err := second.Open(t.Context()); !errors.Is(err, javalock.ErrLocked) || !strings.Contains(err.Error(), "/c") {
			t.Errorf("opening what another has open: %v", err)
		}
		second.is("Open", "false")
		second.is("Unhealthy", "1.0")
		d, err := first.Take(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		first.is("ChannelSize", "3.0") // with what is taken
		if err := d.Ack(); err != nil {
			t.Fatal(err)
		}
		first.is("segments", "1.0")
		first.close()
		first.is("Open", "false")
		first.is("segments", "0.0")
		first.logged("events that were not delivered stay on the disk", 1)
		second.open()
		second.is("Unhealthy", "0.0")
		second.is("ChannelSize", "2.0")
		if diff := cmp.Diff([]string{"b", "c"}, second.take()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		for _, name := range []string{"EventPutErrorCount", "EventTakeErrorCount", "CheckpointWriteErrorCount", "CheckpointBackupWriteErrorCount", "damaged_records"} {
			second.is(name, "0.0")
		}
		second.close()
		second.logged("stay on the disk", 0)
	})
}

func TestMissingFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem(1)
		r := newRig(t, disk, nil).open()
		r.put("lost")
		r.close()
		files, err := disk.ReadDir("/d")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if err := disk.Remove("/d/" + f.Name()); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "/d") || !strings.Contains(err.Error(), "allowMissingSegments = true") {
			t.Errorf("without its files: %v", err)
		}
		r.logged("are lost", 0) // they may be on a disk that is not mounted
		r = newRig(t, disk, map[string]string{"allowMissingSegments": "true"}).open()
		r.put("new")
		if diff := cmp.Diff([]string{"new"}, r.take()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestBackupDirectoryIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem(1)
		newRig(t, disk, map[string]string{"useDualCheckpoints": "true", "backupCheckpointDir": "/b"}).open()
		if info, err := disk.Stat("/b"); err != nil || !info.IsDir() {
			t.Errorf("%v", err)
		}
	})
}

// What is lost, and what comes again, when the process is killed or the power fails at once.
func TestSyncing(t *testing.T) {
	killed := vfs.CrashPolicy{Data: vfs.All, Entries: vfs.All}
	power := vfs.CrashPolicy{Data: vfs.None, Entries: vfs.None}
	lazy := map[string]string{"fsyncPerTransaction": "false", "fsyncInterval": "60"}
	for name, c := range map[string]struct {
		settings map[string]string
		wait     time.Duration // before the crash
		crash    vfs.CrashPolicy
		want     []string // "a" is taken and acknowledged, "b" is not
	}{
		"killed":                     {nil, 0, killed, []string{"b"}},
		"power":                      {nil, 0, power, []string{"a", "b"}},
		"power later":                {nil, 5 * time.Second, power, []string{"b"}},
		"synced takes":               {map[string]string{"fsyncTakes": "true"}, 0, power, []string{"b"}},
		"lazy, killed":               {lazy, 0, killed, []string{"b"}},
		"lazy, power":                {lazy, 0, power, nil},
		"lazy, power a minute later": {lazy, 2 * time.Minute, power, []string{"b"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk := vfs.NewMem(1)
				r := newRig(t, disk, c.settings).open()
				r.put("a")
				r.put("b")
				d, err := r.Take(t.Context(), 1)
				if err != nil {
					t.Fatal(err)
				}
				if err := d.Ack(); err != nil {
					t.Fatal(err)
				}
				flow.Sleep(t.Context(), c.wait)
				after := newRig(t, disk.Crash(c.crash), c.settings).open()
				if diff := cmp.Diff(c.want, after.take()); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		})
	}
}

func write(t *testing.T, fsys vfs.FS, name string, data []byte) {
	t.Helper()
	if err := fsys.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := vfs.ReplaceFile(fsys, name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEncryption(t *testing.T) {
	store, err := os.ReadFile("../../internal/jceks/testdata/aes.jceks")
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{
		"encryption.activeKey": "key-0", "encryption.cipherProvider": "AESGCM", "encryption.keyProvider": "JCEKSFILE",
		"encryption.keyProvider.keyStoreFile": "/k/aes.jceks", "encryption.keyProvider.keyStorePasswordFile": "/k/password",
		"encryption.keyProvider.keys": "key-0 key-1", "encryption.keyProvider.keys.key-0.passwordFile": "/k/key-0",
	}
	with := func(more map[string]string) map[string]string {
		m := maps.Clone(settings)
		maps.Copy(m, more)
		return m
	}
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem(1)
		write(t, disk, "/k/aes.jceks", store)
		write(t, disk, "/k/password", []byte("store-password\n"))
		write(t, disk, "/k/key-0", []byte("key-password\n"))
		plain := newRig(t, disk, nil).open()
		plain.put("written in the clear")
		plain.close()
		first := newRig(t, disk, settings).open()
		first.put("a body that nobody may read")
		first.close()
		second := newRig(t, disk, with(map[string]string{"encryption.activeKey": "key-1"})).open()
		second.put("under another key")
		second.close()
		for name, c := range map[string]struct {
			settings map[string]string
			text     string
		}{
			"without keys":   {nil, "key"},
			"alias left out": {with(map[string]string{"encryption.activeKey": "key-1", "encryption.keyProvider.keys": "key-1"}), `"key-0" is not among encryption.keyProvider.keys`},
			"unknown key":    {with(map[string]string{"encryption.activeKey": "key-7"}), "key-7"},
			"wrong password": {with(map[string]string{"encryption.keyProvider.keyStorePasswordFile": "/k/key-0"}), "wrong password"},
			"no store":       {with(map[string]string{"encryption.keyProvider.keyStoreFile": "/k/none"}), "/k/none"},
		} {
			r := newRig(t, disk, c.settings)
			if err := r.Open(t.Context()); err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: %v", name, err)
			}
			r.is("Unhealthy", "1.0")
		}
		files, err := disk.ReadDir("/d")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			data, err := vfs.ReadFile(disk, "/d/"+f.Name())
			if err == nil && (bytes.Contains(data, []byte("nobody may read")) || bytes.Contains(data, []byte("another key"))) {
				t.Errorf("%s can be read by anybody", f.Name())
			}
		}
		last := newRig(t, disk, settings).open()
		want := []string{"written in the clear", "a body that nobody may read", "under another key"}
		if diff := cmp.Diff(want, last.take()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// On real directories: the lock of Apache Flume is taken, told, and given up.
func TestDirectoriesAreLocked(t *testing.T) {
	base := t.TempDir()
	dir := func(name string) string { return filepath.Join(base, name) }
	settings := map[string]string{
		"checkpointDir": dir("c"), "dataDirs": dir("d1") + "," + dir("d2"),
		"useDualCheckpoints": "true", "backupCheckpointDir": dir("b"),
	}
	first := newRig(t, vfs.OS{}, settings).open()
	for _, name := range []string{"b", "c", "d1", "d2"} {
		if _, err := javalock.Lock(vfs.OS{}, dir(name)); !errors.Is(err, javalock.ErrLocked) || !strings.Contains(err.Error(), dir(name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	settings["checkpointDir"] = dir("other")
	second := newRig(t, vfs.OS{}, settings)
	if err := second.Open(t.Context()); !errors.Is(err, javalock.ErrLocked) {
		t.Errorf("opening what another has open: %v", err)
	}
	first.put("x")
	first.close()
	second.open()
	if diff := cmp.Diff([]string{"x"}, second.take()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestOpenAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, vfs.NewMem(1), nil)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Open(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Open with an ended context: %v", err)
		}
		r.open()
		if err := r.Open(t.Context()); err == nil {
			t.Error("opened twice")
		}
		r.put("kept")
		r.close()
		r.close()
		if diff := cmp.Diff([]string{"kept"}, r.open().take()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}
