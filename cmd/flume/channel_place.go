package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/config/load"
	"github.com/flume-go/flume/internal/channeltool"
	"github.com/flume-go/flume/internal/keys"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/property"
)

// channelOptions are the options by which a command finds a channel.
type channelOptions struct {
	options // of a configuration, as far as they are used

	channel            string
	checkpoint, backup string
	store, password    string
	keys               []string
	layout             string
	define             []string
}

// addFlags declares the options. short is the short name of the channel's.
func (o *channelOptions) addFlags(c *cobra.Command, short string) {
	f := c.Flags()
	f.SortFlags = false
	f.StringArrayVarP(&o.files, "conf-file", "f", nil, "configuration `FILE` of the agent; may be repeated")
	f.StringVarP(&o.name, "name", "n", "", "`NAME` of the agent; not needed if the configuration has one only")
	f.StringVarP(&o.channel, "channel", short, "", "`NAME` of the channel; not needed if the agent has one file channel only")
	f.StringVar(&o.confDir, "conf", "", "`DIR` with flume-env.sh and classpath: resources")
	f.StringVar(&o.checkpoint, "checkpoint", "", "`DIR` of the checkpoint, with data directories; looked for beside them otherwise")
	f.StringVar(&o.backup, "backup-checkpoint", "", "`DIR` of Apache Flume's second checkpoint, with data directories")
	f.StringVar(&o.store, "key-store", "", "JCEKS `FILE` with the keys, with data directories")
	f.StringVar(&o.password, "key-store-password-file", "", "`FILE` with the password of the key store")
	f.StringArrayVar(&o.keys, "key", nil, "`ALIAS[=FILE]` of a key and the file of its password, if it has one of its own; may be repeated")
	f.StringVar(&o.layout, "layout", "", "`WHOSE` files, where there are both: wal for this program's, java for Apache Flume's")
	f.StringArrayVarP(&o.define, "define", "D", nil, "`KEY=VALUE` for ${sys:KEY} in the configuration; may be repeated")
	f.BoolP("help", "h", false, "show this help")
}

// place returns the channel that the options and directories name.
func (o *channelOptions) place(ctx context.Context, dirs []string) (channeltool.Place, error) {
	none := channeltool.Place{}
	p := channeltool.Place{Data: dirs, Checkpoint: o.checkpoint, Backup: o.backup, Layout: channeltool.Layout(o.layout)}
	switch p.Layout {
	case "", channeltool.LayoutJava, channeltool.LayoutWAL:
	default:
		return none, usageError(fmt.Errorf("layout %q is neither wal nor java", o.layout))
	}
	switch {
	case len(o.files) > 0 && (len(dirs) > 0 || o.checkpoint+o.backup+o.store+o.password != "" || len(o.keys) > 0):
		return none, usageError(errors.New("the configuration says where the channel is: give either --conf-file or directories"))
	case len(o.files) > 0:
		return o.configured(ctx, p)
	case len(dirs) == 0:
		return none, usageError(errors.New("which channel? Name its data directories, or the configuration with --conf-file"))
	case o.name+o.channel != "":
		return none, usageError(errors.New("--name and --channel need the configuration; give it with --conf-file"))
	}
	for i, d := range dirs {
		if dirs[i] = strings.TrimSpace(d); dirs[i] == "" {
			return none, usageError(errors.New("a data directory has an empty name"))
		}
		dirs[i] = filepath.Clean(dirs[i])
	}
	if o.store == "" {
		if o.password != "" || len(o.keys) > 0 {
			return none, usageError(errors.New("keys are in a key store; name it with --key-store"))
		}
		return p, nil
	}
	if o.password == "" {
		return none, usageError(errors.New("the key store has a password; name the file it is in with --key-store-password-file"))
	}
	ko := keys.Options{Store: o.store, PasswordFile: o.password}
	for _, k := range o.keys {
		alias, file, _ := strings.Cut(k, "=")
		ko.Aliases = append(ko.Aliases, keys.Alias{Name: alias, PasswordFile: file})
	}
	return withKeys(p, ko)
}

func withKeys(p channeltool.Place, ko keys.Options) (channeltool.Place, error) {
	ko.FS, ko.Log = vfs.OS{}, slog.New(slog.DiscardHandler)
	store, err := keys.Open(ko)
	if err != nil {
		return p, configError(withRemedy(err))
	}
	p.Key = store.Key
	return p, nil
}

// configured completes p with what the configuration says of the channel.
func (o *channelOptions) configured(ctx context.Context, p channeltool.Place) (channeltool.Place, error) {
	t, err := o.topology(ctx)
	if err != nil {
		return p, err
	}
	ch, err := o.choose(t)
	if err != nil {
		return p, configError(err)
	}
	p.Name = fmt.Sprintf("channel %s of agent %s", ch.Name, t.Agent)
	claimed := make(map[string][]string)
	for _, c := range ch.Decoded.Config.(component.Claimer).Claims() { //nolint:errcheck // choose takes no others
		claimed[c.Key] = append(claimed[c.Key], c.ID)
	}
	settings := ch.Decoded.Settings
	p.Data = claimed[keyData]
	if given := list(settings[keyData].Text, ","); len(given) > 0 {
		p.Data = given // one of them may be the checkpoint's, too
	}
	for key, dir := range map[string]*string{"checkpointDir": &p.Checkpoint, "backupCheckpointDir": &p.Backup} {
		if len(claimed[key]) > 0 {
			*dir = claimed[key][0]
		}
	}
	const encryption = "encryption.keyProvider."
	if settings[encryption+"keyStoreFile"].Text == "" {
		return p, nil
	}
	ko := keys.Options{Store: settings[encryption+"keyStoreFile"].Text, PasswordFile: settings[encryption+"keyStorePasswordFile"].Text}
	for _, alias := range list(settings[encryption+"keys"].Text, " \t") {
		ko.Aliases = append(ko.Aliases, keys.Alias{Name: alias, PasswordFile: settings[encryption+"keys."+alias+".passwordFile"].Text})
	}
	return withKeys(p, ko)
}

// keyData is the property by which channels on disk are known.
const keyData = "dataDirs"

func list(text, separators string) []string {
	var out []string
	for _, s := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// topology loads the configuration as the agent does. Errors in other components do not matter.
func (o *channelOptions) topology(ctx context.Context) (*config.Topology, error) {
	if err := o.environment(ctx, o.confDir); err != nil {
		return nil, usageError(err)
	}
	for _, d := range o.define {
		key, value, _ := strings.Cut(d, "=")
		if o.jvm.System == nil {
			o.jvm.System = make(map[string]string)
		}
		o.jvm.System[key] = value
	}
	lo := o.loadOptions(slog.New(slog.DiscardHandler))
	lo.BackupDir = ""
	if lo.Agent == "" {
		lo.Agent = "*"
	}
	loader, err := load.New(lo)
	if err != nil {
		return nil, usageError(err)
	}
	defer loader.Close()
	result, err := loader.Load(ctx)
	if err != nil {
		return nil, configError(err)
	}
	agent, err := chooseAgent(o.name, "", config.NewModel(result.Properties).Agents())
	if err != nil {
		return nil, configError(err)
	}
	return topologyOf(ctx, agent, result, false), nil
}

// choose returns the channel that is meant, which keeps its events in directories and is configured without errors.
func (o *channelOptions) choose(t *config.Topology) (*config.Channel, error) {
	var onDisk []string
	for _, c := range t.Channels {
		if isOnDisk(c) {
			onDisk = append(onDisk, c.Name)
		}
	}
	name := o.channel
	if name == "" && len(onDisk) == 1 {
		name = onDisk[0]
	}
	c := t.Channel(name)
	switch {
	case name == "" && len(onDisk) > 1:
		return nil, fmt.Errorf("agent %s has the file channels %s; choose one with --channel", t.Agent, quoted(onDisk))
	case c != nil && isOnDisk(c):
		return c, nil
	case c != nil && c.Decoded != nil && !c.Decoded.Failed():
		return nil, fmt.Errorf("channel %q of agent %s is of type %s, which keeps nothing in directories", name, t.Agent, c.Decoded.Entry.Info.Type)
	}
	for _, p := range t.Problems {
		if p.Severity == property.Error && (c == nil && len(t.Channels) == 0 || c != nil && strings.HasPrefix(p.Key, t.Agent+".channels."+name+".")) {
			return nil, property.Problems{p}
		}
	}
	if name == "" {
		return nil, fmt.Errorf("agent %s has no file channel", t.Agent)
	}
	if near := component.Nearest(name, onDisk); near != "" {
		return nil, fmt.Errorf("agent %s has no channel %q; did you mean %q?", t.Agent, name, near)
	}
	return nil, fmt.Errorf("agent %s has no channel %q; its file channels are %s", t.Agent, name, quoted(onDisk))
}

// isOnDisk reports whether a channel keeps its events in directories.
func isOnDisk(c *config.Channel) bool {
	if c.Decoded == nil || c.Decoded.Failed() {
		return false
	}
	claimer, ok := c.Decoded.Config.(component.Claimer)
	if !ok {
		return false
	}
	for _, claim := range claimer.Claims() {
		if claim.Key == keyData || claim.Key == "checkpointDir" {
			return true
		}
	}
	return false
}
