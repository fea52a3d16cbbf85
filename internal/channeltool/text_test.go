package channeltool

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestText shows what people see.
func TestText(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ago := func(d time.Duration) *time.Time {
		at := now.Add(-d)
		return &at
	}
	r := &Report{
		Subject: Subject{Channel: "channel c1 of agent a1", Layout: LayoutWAL, Data: []string{"/d1", "/d2"}, InUse: "process 7", Notes: []string{"mind the gap"}},
		Events:  1234567, Bytes: 3 << 30, Estimated: true, Oldest: ago(192 * time.Second), LastWrite: ago(time.Second),
		CheckpointFile: Checkpoint{Path: "/c/wal.checkpoint", Time: ago(12 * time.Second), Size: 240, State: "good"},
		Disks:          []Disk{{"/d1", 1 << 40}, {"/d2", 1 << 40}},
		Files: []File{
			{Path: "/d1/segment-00000001.wal", State: "staged", Generation: 1, Size: 64 << 20, Used: 60 << 20, Events: 5000, Staged: 12, Since: ago(192 * time.Second), Key: "key-1"},
			{Path: "/d2/segment-00000002.wal", State: "free", Size: 64 << 20},
		},
		FreeFiles: 1, Keys: []Key{{Alias: "key-1", Files: 1, Events: 12, Problem: "no key"}},
		Quarantine: []Quarantined{{Path: "/d1/quarantine/x.bad", Size: 10, Time: *ago(time.Hour)}},
		Damage:     []Damage{{File: "/d1/segment-00000001.wal", Offset: 4096, Length: 2000, What: "is damaged"}}, DamageCount: 1,
	}
	var out bytes.Buffer
	if err := r.WriteText(&out, now, false); err != nil {
		t.Fatal(err)
	}
	want := `channel     channel c1 of agent a1
written by  this program
data        /d1
data        /d2
open        in process 7; what is shown changes while it is looked at
note        mind the gap
staged      1,234,567 events, about 3.0 GiB (3,221,225,472 bytes)
oldest      3m12s ago (2026-01-02 03:00:53 UTC)
last write  1s ago (2026-01-02 03:04:04 UTC)
files       2 files, 128.0 MiB (134,217,728 bytes); 1 of them free to be used again, 64.0 MiB
checkpoint  good; written 12s ago, 240 bytes; /c/wal.checkpoint
encrypted   key "key-1": 1 file, 12 events staged; CANNOT BE READ: no key
disk        1.0 TiB free for /d1, /d2
quarantine  1 copy of damaged data, 10 bytes in /d1/quarantine; the last one 1h00m ago
damage      1 damaged place
  /d1/segment-00000001.wal: offset 4096 (2,000 bytes): is damaged

FILE                      STATE   GENERATION      SIZE      USED  EVENTS  STAGED      BEGUN  KEY
/d1/segment-00000001.wal  staged           1  64.0 MiB  60.0 MiB   5,000      12  3m12s ago  key-1
/d2/segment-00000002.wal  free             0  64.0 MiB       0 B       0       0          -  -
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestLongLists are cut short unless all is asked for.
func TestLongLists(t *testing.T) {
	r := &Report{Subject: Subject{Layout: LayoutWAL}, DamageCount: 30}
	v := &Verification{Subject: Subject{Layout: LayoutWAL}, DamageCount: 40}
	for i := range 30 {
		r.Files = append(r.Files, File{Path: fmt.Sprintf("file-%02d", i)})
		d := Damage{File: fmt.Sprintf("damage-%02d", i)}
		r.Damage, v.Damage = append(r.Damage, d), append(v.Damage, d)
	}
	for _, all := range []bool{false, true} {
		var out bytes.Buffer
		r.NotInUse = all
		if err := r.WriteText(&out, time.Now(), all); err != nil {
			t.Fatal(err)
		}
		for text, shown := range map[string]bool{"file-09": true, "file-10": all, "file-19": all, "file-20": true, "open        not as far as can be seen": !all, "open        no\n": all, "damage-19": true, "damage-20": all, "… 10 files more; --all": !all, "… 10 more; --all": !all} {
			if strings.Contains(out.String(), text) != shown {
				t.Errorf("all %v: %q is shown: %v\n%s", all, text, !shown, out.String())
			}
		}
		out.Reset()
		if err := v.WriteText(&out, time.Second, all); err != nil {
			t.Fatal(err)
		}
		if more := "… 20 more; --all"; strings.Contains(out.String(), more) == all || strings.Contains(out.String(), "… and 10 more") != all {
			t.Errorf("all %v:\n%s", all, out.String())
		}
	}
}

func TestSummary(t *testing.T) {
	r := &Repaired{Records: 6, Puts: 5, Valid: 3, Invalid: 2, Corrupt: 1}
	r.Add(&Repaired{Records: 1, Puts: 1, Valid: 1})
	var out bytes.Buffer
	r.Summary(&out)
	want := `---------- Summary --------------------
Number of Events in the Channel = 7
Number of Put Events Processed = 6
Number of Valid Put Events = 4
Number of Invalid Put Events = 2
Number of Put Events that threw Exception during validation = 0
Number of Corrupt Events = 1
---------------------------------------
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
