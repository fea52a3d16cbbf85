package gss

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-krb5/krb5/iana/etypeID"
	"github.com/go-krb5/krb5/keytab"
	"github.com/go-krb5/krb5/types"

	"github.com/flume-go/flume/internal/vfs"
)

// mostKeytab is the most bytes that a keytab may have.
const mostKeytab = 1 << 20

// keys is a keytab that is read again when the file has changed. Safe for concurrent
// use.
type keys struct {
	fs   vfs.FS
	path string

	mu       sync.Mutex
	modified time.Time
	size     int64
	current  *keytab.Keytab
}

// get returns what is in the file, and whether that is new.
func (k *keys) get() (kt *keytab.Keytab, fresh bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	info, err := k.fs.Stat(k.path)
	switch {
	case err != nil:
		return nil, false, k.unusable(err)
	case info.IsDir():
		return nil, false, k.unusable(errors.New("it is a folder"))
	case info.Size() > mostKeytab:
		return nil, false, k.unusable(fmt.Errorf("it has more than %d bytes", mostKeytab))
	case k.current != nil && info.ModTime().Equal(k.modified) && info.Size() == k.size:
		return k.current, false, nil
	}
	if kt, err = k.read(); err != nil {
		return nil, false, k.unusable(err)
	}
	fresh = k.current != nil
	k.current, k.modified, k.size = kt, info.ModTime(), info.Size()
	return kt, fresh, nil
}

func (k *keys) read() (kt *keytab.Keytab, err error) {
	defer guarded(&err)
	data, err := vfs.ReadFile(k.fs, k.path)
	if err != nil {
		return nil, err
	}
	kt = keytab.New()
	if err := kt.Unmarshal(data); err != nil {
		return nil, errors.New("it is no keytab, or damaged")
	}
	return kt, nil
}

func (k *keys) unusable(err error) error {
	return fmt.Errorf("reading keytab %s: %w; it must be a keytab that the agent may read, made with kadmin's ktadd or with ktpass", k.path, err)
}

// typesOf returns the encryption types of p's keys that this package speaks, in
// order of preference.
func (k *keys) typesOf(kt *keytab.Keytab, p Principal) ([]int32, error) {
	var found []int32
	others := map[string]bool{}
	weak := false
	for i := range kt.Entries {
		e := &kt.Entries[i]
		name := nameOf(e.Principal.Components, e.Principal.Realm)
		switch {
		case name != p:
			others[name.String()] = true
		case slices.Contains(strong, e.Key.KeyType):
			found = append(found, e.Key.KeyType)
		default:
			weak = true
		}
	}
	switch {
	case len(found) > 0:
		return slices.DeleteFunc(slices.Clone(strong), func(t int32) bool { return !slices.Contains(found, t) }), nil
	case weak:
		return nil, fmt.Errorf("keytab %s has no AES key of %s; give the principal AES keys and export them again", k.path, p)
	default:
		return nil, fmt.Errorf("keytab %s has no key of %s, %s; correct the principal, or add its key to the keytab", k.path, p, listed(others))
	}
}

// listed says which principals a keytab has, at most a few.
func listed(names map[string]bool) string {
	if len(names) == 0 {
		return "and no other"
	}
	var all []string
	for n := range names {
		all = append(all, n)
	}
	slices.Sort(all)
	if len(all) > 5 {
		all = append(all[:5], "others")
	}
	return "only of " + strings.Join(all, ", ")
}

// own returns a keytab with p's latest key of each type that this package speaks. Of keys
// of one version, which a principal has that was removed and added again, the last one
// counts; the library would take the first.
func (k *keys) own(kt *keytab.Keytab, p Principal) *keytab.Keytab {
	out := keytab.New()
	for _, typ := range strong {
		latest := -1
		for i := range kt.Entries {
			e := &kt.Entries[i]
			if e.Key.KeyType == typ && nameOf(e.Principal.Components, e.Principal.Realm) == p && (latest < 0 || e.KVNO >= kt.Entries[latest].KVNO) {
				latest = i
			}
		}
		if latest >= 0 {
			out.Entries = append(out.Entries, kt.Entries[latest])
		}
	}
	return out
}

// key returns p's key of this type and version; 0 is for the latest one.
func (k *keys) key(kt *keytab.Keytab, p Principal, version int, typ int32) (types.EncryptionKey, error) {
	if version == 0 {
		kt = k.own(kt, p)
	}
	for i := len(kt.Entries) - 1; i >= 0; i-- {
		e := &kt.Entries[i]
		if e.Key.KeyType == typ && (version == 0 || e.KVNO == uint32(version)) && nameOf(e.Principal.Components, e.Principal.Realm) == p {
			return e.Key, nil
		}
	}
	return types.EncryptionKey{}, fmt.Errorf("keytab %s has no key of %s of version %d and type %s, %s; "+
		"the keys of the principal were changed: export them to the keytab again", k.path, p, version, typeName(typ), versions(kt, p))
}

func nameOf(components []string, realm string) Principal {
	return Principal{Name: strings.Join(components, "/"), Realm: realm}
}

// versions says which keys of p there are.
func versions(kt *keytab.Keytab, p Principal) string {
	var all []string
	for i := range kt.Entries {
		e := &kt.Entries[i]
		if nameOf(e.Principal.Components, e.Principal.Realm) == p {
			all = append(all, fmt.Sprintf("%d (%s)", e.KVNO, typeName(e.Key.KeyType)))
		}
	}
	if len(all) == 0 {
		return "and none of the principal at all"
	}
	return "only of version " + strings.Join(all, ", ")
}

func typeName(typ int32) string {
	switch typ {
	case etypeID.AES256_CTS_HMAC_SHA1_96:
		return "aes256-sha1"
	case etypeID.AES128_CTS_HMAC_SHA1_96:
		return "aes128-sha1"
	case etypeID.AES256_CTS_HMAC_SHA384_192:
		return "aes256-sha2"
	case etypeID.AES128_CTS_HMAC_SHA256_128:
		return "aes128-sha2"
	case etypeID.RC4_HMAC:
		return "rc4"
	}
	return fmt.Sprint("number ", typ)
}
