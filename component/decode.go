package component

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/flume-go/flume/property"
)

// Scope says where in a configuration a component stands, for messages.
type Scope struct {
	// Prefix is what precedes the component's keys: "a1.sources.r1.".
	Prefix string
	// At is pointed at when something is missing.
	At property.Position
	// Sinks are, for a sink processor, the sinks of its group in their order.
	Sinks []string
}

// Effective is one value in force, for explanations.
type Effective struct {
	Key     string // full key
	Field   *Field
	Text    string // the value; "(secret)" for secrets
	Given   bool   // written in the configuration, as opposed to a default
	Unset   bool   // neither written nor defaulted
	Setting property.Value
}

// Decoded is a component's configuration in its typed form.
type Decoded struct {
	Entry     *Entry
	Scope     Scope
	Settings  property.Settings
	Config    any // the Config struct, by value
	Effective []Effective
	Problems  property.Problems
}

// Checker is a Config struct with rules that concern more than one property.
type Checker interface {
	Check(r *Report)
}

// Report takes what a Checker finds; keys are as in the struct's tags.
type Report struct {
	d      *decoder
	prefix string
}

// Error reports something that keeps the component from working.
func (r *Report) Error(key, what, remedy string) { r.add(property.Error, key, what, remedy) }

// Warn reports something written that has no effect or not the intended one.
func (r *Report) Warn(key, what, remedy string) { r.add(property.Warning, key, what, remedy) }

// Advise reports something that works but is seldom wanted.
func (r *Report) Advise(key, what, remedy string) { r.add(property.Advice, key, what, remedy) }

// Given reports whether the configuration has this key or an alias of it.
func (r *Report) Given(key string) bool {
	_, ok := setting(r.d.settings, r.d.values, r.d.scope, r.prefix+key)
	return ok
}

// Sinks returns the names of the sinks that a sink processor works for, in the
// order of the group; none for other components.
func (r *Report) Sinks() []string { return r.d.scope.Sinks }

func (r *Report) add(s property.Severity, key, what, remedy string) {
	val, _ := setting(r.d.settings, r.d.values, r.d.scope, r.prefix+key)
	r.d.problem(s, r.d.place(val), r.prefix+key, what, remedy)
}

// setting finds what was given for a key, under whichever of its names.
func setting(settings property.Settings, values []Effective, scope Scope, key string) (property.Value, bool) {
	if v, ok := settings[key]; ok {
		return v, true
	}
	for i := range values {
		if e := &values[i]; e.Given && e.Key == scope.Prefix+key {
			return e.Setting, true
		}
	}
	return property.Value{}, false
}

// Decode turns settings into e's Config. common are pointers to further structs
// with tags, whose properties stand among the component's own (the channels of a
// source, say). All problems are reported, not the first; with errors among
// them, the result is for explanation only.
func Decode(e *Entry, settings property.Settings, scope Scope, common ...any) *Decoded {
	d := newDecoder(settings, scope)
	d.decodeCommon(common)
	d.remarks = true
	config := reflect.New(e.config).Elem()
	d.decodeStruct(e.Schema, config, "", "")
	d.check(config, "")
	d.unknown("")
	return &Decoded{
		Entry: e, Scope: scope, Settings: settings, Config: config.Interface(),
		Effective: d.values, Problems: d.problems,
	}
}

// DecodeCommon decodes common structs alone, when the type is not known. Keys
// that they do not know are left alone.
func DecodeCommon(settings property.Settings, scope Scope, common ...any) ([]Effective, property.Problems) {
	d := newDecoder(settings, scope)
	d.decodeCommon(common)
	return d.values, d.problems
}

// DecodeOnly decodes common structs that are all there is, and reports the keys
// that they do not know. elsewhere is a prefix below which those most likely
// belong.
func DecodeOnly(settings property.Settings, scope Scope, elsewhere string, common ...any) ([]Effective, property.Problems) {
	d := newDecoder(settings, scope)
	d.decodeCommon(common)
	d.unknown(elsewhere)
	return d.values, d.problems
}

// Failed reports whether d cannot be built.
func (d *Decoded) Failed() bool { return d.Problems.HasErrors() }

// At returns where the value of a property stands; where the component stands, if
// the property was not given. key is as in the struct's tag.
func (d *Decoded) At(key string) property.Position {
	if v, ok := setting(d.Settings, d.Effective, d.Scope, key); ok {
		return v.At
	}
	return d.Scope.At
}

// BatchSize returns the value and key of the property tagged "batch", or of the
// one tagged "transaction" if transaction is set; ok is false without one.
func (d *Decoded) BatchSize(transaction bool) (n int, key string, ok bool) {
	v := reflect.ValueOf(d.Config)
	for i := range d.Entry.Schema.Fields {
		f := &d.Entry.Schema.Fields[i]
		if (f.Batch && !transaction) || (f.Transaction && transaction) {
			return int(v.FieldByIndex(f.index).Int()), f.Key, true
		}
	}
	return 0, "", false
}

// New builds the component. more is what its kind needs besides: the channel
// names of a selector, the members of a sink processor.
func New[T any](d *Decoded, env Env, more any) (T, error) {
	var zero T
	c, err := d.Entry.build(d.Config, env, more)
	if err != nil {
		return zero, err
	}
	t, ok := c.(T)
	if !ok {
		return zero, fmt.Errorf("%s %s was registered with a constructor of another kind", d.Entry.Kind, d.Entry.Info.Type)
	}
	return t, nil
}

type decoder struct {
	settings property.Settings
	scope    Scope
	used     map[string]bool
	known    []string // keys that could have been given
	claimed  []string // prefixes below which nothing is called unknown
	remarks  bool     // free text is looked at; off where text is names, which others look up
	values   []Effective
	problems property.Problems
}

func newDecoder(settings property.Settings, scope Scope) *decoder {
	return &decoder{settings: settings, scope: scope, used: map[string]bool{}}
}

func (d *decoder) decodeCommon(common []any) {
	for _, c := range common {
		v := reflect.ValueOf(c).Elem()
		schema, err := schemaOf(v.Type())
		if err != nil {
			panic("component: " + err.Error())
		}
		d.decodeStruct(schema, v, "", "")
	}
}

func (d *decoder) problem(s property.Severity, at property.Position, key, what, remedy string) {
	d.problems = append(d.problems, property.Problem{Severity: s, At: at, Key: d.scope.Prefix + key, What: what, Remedy: remedy})
}

// place is where val stands, or the component if val was not given.
func (d *decoder) place(val property.Value) property.Position {
	if val.At.IsZero() {
		return d.scope.At
	}
	return val.At
}

func (d *decoder) claim(prefix string) { d.claimed = append(d.claimed, prefix) }

// value finds the setting of f by its key or an alias of it.
func (d *decoder) value(f *Field, key string) (text string, val property.Value, given bool) {
	d.known = append(d.known, key)
	prefix := strings.TrimSuffix(key, f.Key)
	for _, k := range append([]string{f.Key}, f.Aliases...) {
		k = prefix + k
		v, ok := d.settings[k]
		if !ok {
			continue
		}
		d.used[k] = true
		if given {
			d.problem(property.Warning, v.Key, k, fmt.Sprintf("is another name of %s, which is also given", key), "remove one of the two")
			continue
		}
		text, val, given = v.Text, v, true
	}
	if given && f.Deprecated != "" {
		d.problem(property.Advice, val.Key, key, "is deprecated", f.Deprecated)
	}
	return text, val, given
}

func (d *decoder) missing(f *Field, key string) {
	remedy := "set it: " + f.Doc
	for _, k := range d.settings.Keys() {
		if k != key && strings.EqualFold(k, key) {
			remedy = fmt.Sprintf("rename %s (%s): upper and lower case differ in keys", k, d.settings[k].Key)
		}
	}
	d.problem(property.Error, d.scope.At, key, "is required", remedy)
}

func (d *decoder) effective(f *Field, key, text string, val property.Value, given bool) {
	if f.Secret || val.Secret {
		text = "(secret)"
	}
	d.values = append(d.values, Effective{
		Key: d.scope.Prefix + key, Field: f, Text: text, Given: given, Unset: !given && !f.HasDefault, Setting: val,
	})
}

// decodeStruct fills v from the settings below prefix. name is the element's
// name when v is an element of a group.
func (d *decoder) decodeStruct(s *Schema, v reflect.Value, prefix, name string) {
	for i := range s.Fields {
		f := &s.Fields[i]
		fv, key := v.FieldByIndex(f.index), prefix+f.Key
		switch {
		case f.nameTag:
			fv.SetString(name)
		case f.Kind == FieldComponent:
			d.decodeRef(f, fv, key)
		case f.Kind == FieldMap, f.Kind == FieldSettings:
			// Below: a map gets what no other field asks for.
		case f.Kind == FieldGroup:
			d.decodeGroup(f, fv, key)
		default:
			d.decodeScalar(f, fv, key)
		}
	}
	for i := range s.Fields {
		if f := &s.Fields[i]; f.Kind == FieldMap || f.Kind == FieldSettings {
			d.decodeMap(f, v.FieldByIndex(f.index), prefix+f.Key)
		}
	}
}

func (d *decoder) decodeScalar(f *Field, v reflect.Value, key string) {
	text, val, given := d.value(f, key)
	if !given {
		if f.Required {
			d.missing(f, key)
		} else if f.HasDefault {
			d.mustParse(f, v)
		}
		d.effective(f, key, f.Default, val, false)
		return
	}
	target := v
	if v.Kind() == reflect.Pointer {
		target = reflect.New(v.Type().Elem()).Elem()
	}
	if err := f.parse(text, target); err != nil {
		if f.Lenient {
			d.fallBack(f, v, key, text, val, err)
			return
		}
		remedy := d.slip(f, text, val, target.Type())
		if remedy == "" {
			remedy = f.expectation()
		}
		d.problem(property.Error, d.place(val), key, fault(f, val, err), remedy)
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(target.Addr())
	}
	if t := strings.TrimSpace(text); f.Kind == FieldBool && !strings.EqualFold(t, "true") && !strings.EqualFold(t, "false") {
		what := fault(f, val, fmt.Errorf("%q is neither true nor false and counts as false", text))
		remedy := d.slip(f, text, val, target.Type())
		if remedy == "" {
			remedy = "write true or false"
		}
		d.problem(property.Warning, d.place(val), key, what, remedy)
	}
	if what := f.remark(text); what != "" && d.remarks && !val.Secret {
		d.problem(property.Advice, d.place(val), key, what, "put it on a line of its own if it is a comment")
	}
	if blank := f.Kind == FieldString && text == ""; f.Required && (blank || f.Kind == FieldList && v.Len() == 0) {
		d.missing(f, key)
	}
	d.effective(f, key, text, val, true)
}

// fallBack uses the default in place of a bad value, as Flume does for some
// properties; an optional one without a default stays unset.
func (d *decoder) fallBack(f *Field, v reflect.Value, key, text string, val property.Value, err error) {
	remedy := "it counts as not set"
	if f.HasDefault {
		d.mustParse(f, v)
		remedy = f.Default + " is used instead"
	}
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if slip := d.slip(f, text, val, t); slip != "" {
		remedy += "; " + slip
	}
	d.problem(property.Warning, d.place(val), key, fault(f, val, err), remedy)
	d.effective(f, key, f.Default, property.Value{}, false)
}

// slip is f.slip, but tells nothing of a secret.
func (d *decoder) slip(f *Field, text string, val property.Value, t reflect.Type) string {
	if f.Secret || val.Secret {
		return ""
	}
	return f.slip(text, t)
}

// fault says what is wrong with a value; of a secret, not even a part is told.
func fault(f *Field, val property.Value, err error) string {
	if f.Secret || val.Secret {
		return "the value, which is secret, cannot be used"
	}
	return err.Error()
}

// mustParse sets the default, which was checked at registration.
func (d *decoder) mustParse(f *Field, v reflect.Value) {
	if err := f.parse(f.Default, v); err != nil {
		panic("component: default of " + f.Key + ": " + err.Error())
	}
}

// expectation says what a good value looks like.
func (f *Field) expectation() string {
	s := "give a " + string(f.Kind)
	switch {
	case f.Kind == FieldString:
		s = "give one of " + strings.Join(f.Enum, ", ")
	case f.Kind == FieldDuration:
		s = "give a whole number of " + f.unitName()
	case f.Unit != "":
		s += " (" + f.Unit + ")"
	}
	switch {
	case f.Min != nil && f.Max != nil:
		s += fmt.Sprintf(" from %d to %d", *f.Min, *f.Max)
	case f.Min != nil:
		s += fmt.Sprintf(" of at least %d", *f.Min)
	case f.Max != nil:
		s += fmt.Sprintf(" of at most %d", *f.Max)
	}
	if f.HasDefault && f.Default != "" {
		s += fmt.Sprintf("; without it, %s is used", f.Default)
	}
	return s
}

func (d *decoder) decodeMap(f *Field, v reflect.Value, key string) {
	prefix := strings.TrimSuffix(key, "*")
	if f.Kind == FieldSettings {
		d.claim(prefix)
		v.Set(reflect.ValueOf(d.settings.Sub(strings.TrimSuffix(prefix, "."))))
		return
	}
	m := map[string]string{}
	for _, k := range d.settings.Keys() {
		if rest, ok := strings.CutPrefix(k, prefix); ok && rest != "" && !d.used[k] {
			val := d.settings[k]
			m[rest] = val.Text
			d.used[k] = true
			d.effective(f, k, val.Text, val, true)
		}
	}
	v.Set(reflect.ValueOf(m))
}

func (d *decoder) decodeGroup(f *Field, v reflect.Value, key string) {
	text, val, given := d.value(f, key)
	if !given && f.Required {
		d.missing(f, key)
		d.claim(key + ".")
		return
	}
	d.effective(f, key, text, val, given)
	seen := map[string]bool{}
	list := reflect.MakeSlice(v.Type(), 0, 4)
	for _, name := range d.elements(f, key, text, val) {
		if seen[name] {
			d.problem(property.Warning, d.place(val), key, fmt.Sprintf("lists %q twice", name), "remove one")
			continue
		}
		seen[name] = true
		elem := reflect.New(v.Type().Elem()).Elem()
		d.decodeStruct(f.Element, elem, key+"."+name+".", name)
		d.check(elem, key+"."+name+".")
		list = reflect.Append(list, elem)
	}
	if given && list.Len() == 0 && f.Required {
		d.missing(f, key)
	}
	v.Set(list)
}

// elements returns the names in a group's list.
func (d *decoder) elements(f *Field, key, text string, val property.Value) []string {
	if f.Comma || val.Secret {
		return f.split(text)
	}
	names, what, remedy := Names(text, func(name string) bool { return len(d.settings.Sub(key+"."+name)) > 0 })
	if what != "" {
		d.problem(property.Error, d.place(val), key, what, remedy)
	}
	return names
}

func (d *decoder) check(config reflect.Value, prefix string) {
	if c, ok := config.Interface().(Checker); ok && !d.problems.HasErrors() {
		c.Check(&Report{d: d, prefix: prefix})
	}
}

// unknown reports the keys that nothing asked for. elsewhere, if not empty, is
// where those without a likely meaning belong.
func (d *decoder) unknown(elsewhere string) {
	for _, k := range d.settings.Keys() {
		if d.used[k] || d.isClaimed(k) {
			continue
		}
		remedy := "remove it, or see the component's reference for its properties"
		near := d.meant(k)
		if near == "" && elsewhere != "" {
			near = elsewhere + k
		}
		if near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		d.problem(property.Warning, d.settings[k].Key, k, "unknown property, it has no effect", remedy)
	}
}

// meant returns the key that an unknown one was most likely to be, "" for none.
func (d *decoder) meant(key string) string {
	if near := Nearest(key, d.known); near != "" {
		return near
	}
	// Below a claimed prefix every key is possible.
	first, rest, deep := strings.Cut(key, ".")
	for _, prefix := range d.claimed {
		switch name := strings.TrimSuffix(prefix, "."); {
		case strings.Contains(name, "."), Nearest(first, []string{name}) == "":
			continue
		case deep:
			return prefix + rest
		default:
			return prefix + "type"
		}
	}
	return ""
}

func (d *decoder) isClaimed(key string) bool {
	for _, p := range d.claimed {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
}

// Claim is something that only one component of an agent can have: a port, a
// directory.
type Claim struct {
	What string // "TCP port", "directory"
	ID   string // "44444", "/var/lib/flume"
	Host string // for ports: the address, "" for all
	Key  string // the property it comes from
}

// Claimer is a Config struct that claims something. A port of 0 is not claimed.
type Claimer interface {
	Claims() []Claim
}
