package component

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/flume-go/flume/property"
)

// FieldKind is the form of a property's value.
type FieldKind string

// The forms.
const (
	FieldString    FieldKind = "text"
	FieldBool      FieldKind = "true or false"
	FieldInt       FieldKind = "whole number"
	FieldFloat     FieldKind = "number"
	FieldDuration  FieldKind = "duration"
	FieldList      FieldKind = "list"
	FieldMap       FieldKind = "map"       // key.* = text
	FieldSettings  FieldKind = "settings"  // key.*, decoded elsewhere
	FieldGroup     FieldKind = "group"     // list of names, each with settings of its own
	FieldComponent FieldKind = "component" // type, with that type's settings below
)

// Field is one property, as the tags of a Config struct describe it:
//
//	flume:"key"             the name; "key.*" for maps and settings
//	flume:"key,required"    must be given
//	flume:"key,batch"       the most events the component handles at once
//	flume:"key,transaction" the most events a channel takes or gives at once
//	flume:",name"           in a group's element: its name in the list
//	default, min, max       in the property's own unit
//	unit                    "ms", "s" or "bytes"; durations need ms or s
//	enum                    allowed values, comma-separated, case does not count
//	sep                     "," for lists separated by commas; else white space
//	alias                   further names, comma-separated
//	deprecated              what to use instead
//	lenient                 "true": a bad value is replaced by the default, as Flume does
//	secret                  "true": never shown
//	doc                     one or two sentences
//
// A struct that is embedded without a flume tag adds its properties in its place:
// what several types have in common is spelled once.
type Field struct {
	Key         string
	Kind        FieldKind
	Required    bool
	Batch       bool
	Transaction bool
	Default     string
	HasDefault  bool
	Min, Max    *int64
	Unit        string
	Enum        []string
	Comma       bool
	Aliases     []string
	Deprecated  string
	Lenient     bool
	Secret      bool
	Doc         string
	Refers      Kind    // of FieldComponent: the kind of component
	Element     *Schema // of FieldGroup

	index   []int // for reflect.Value.FieldByIndex
	nameTag bool
}

// Schema is the properties of a Config struct, in the order of its fields.
type Schema struct {
	Fields []Field
	typ    reflect.Type
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	settingsType = reflect.TypeFor[property.Settings]()
	refType      = reflect.TypeFor[reference]()
)

// SchemaOf returns the schema of a Config struct (not a pointer to one).
func SchemaOf(config any) (*Schema, error) { return schemaOf(reflect.TypeOf(config)) }

func schemaOf(t reflect.Type) (*Schema, error) {
	if t == nil || t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("configuration type %v is not a struct", t)
	}
	s := &Schema{typ: t}
	for i := range t.NumField() {
		sf := t.Field(i)
		if sf.Tag.Get("flume") == "-" {
			continue
		}
		if embedded(sf) {
			part, err := schemaOf(sf.Type)
			if err != nil {
				return nil, err
			}
			for _, f := range part.Fields {
				f.index = append([]int{i}, f.index...)
				s.Fields = append(s.Fields, f)
			}
			continue
		}
		f, err := fieldOf(sf)
		if err != nil {
			return nil, fmt.Errorf("field %s.%s: %w", t.Name(), sf.Name, err)
		}
		f.index = []int{i}
		s.Fields = append(s.Fields, f)
	}
	return s, nil
}

// embedded reports whether the properties of sf stand among those of its struct.
func embedded(sf reflect.StructField) bool {
	_, tagged := sf.Tag.Lookup("flume")
	return sf.Anonymous && sf.IsExported() && sf.Type.Kind() == reflect.Struct && !tagged
}

func fieldOf(sf reflect.StructField) (Field, error) {
	tag := sf.Tag
	spec, ok := tag.Lookup("flume")
	if !ok || !sf.IsExported() {
		return Field{}, errors.New("has no flume tag or is not exported")
	}
	name, options, _ := strings.Cut(spec, ",")
	f := Field{
		Key: name, Doc: tag.Get("doc"), Unit: tag.Get("unit"), Deprecated: tag.Get("deprecated"),
		Comma: tag.Get("sep") == ",", Lenient: tag.Get("lenient") == "true", Secret: tag.Get("secret") == "true",
		Enum: splitComma(tag.Get("enum")), Aliases: splitComma(tag.Get("alias")),
	}
	f.Default, f.HasDefault = tag.Lookup("default")
	for _, o := range splitComma(options) {
		switch o {
		case "required":
			f.Required = true
		case "batch":
			f.Batch = true
		case "transaction":
			f.Transaction = true
		case "name":
			f.nameTag = true
		default:
			return f, fmt.Errorf("unknown option %q", o)
		}
	}
	var err error
	if f.Min, err = bound(tag, "min"); err != nil {
		return f, err
	}
	if f.Max, err = bound(tag, "max"); err != nil {
		return f, err
	}
	if err := f.setKind(sf.Type); err != nil {
		return f, err
	}
	if err := f.checkTags(sf.Type); err != nil {
		return f, err
	}
	if f.Doc == "" && !f.nameTag {
		return f, errors.New("has no doc tag")
	}
	return f, f.checkDefault(sf.Type)
}

func (f *Field) setKind(t reflect.Type) error {
	star := strings.HasSuffix(f.Key, ".*")
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == settingsType:
		f.Kind = FieldSettings
	case t == durationType:
		f.Kind = FieldDuration
		if f.Unit != "ms" && f.Unit != "s" {
			return fmt.Errorf("a duration needs unit ms or s, not %q", f.Unit)
		}
	case reflect.PointerTo(t).Implements(refType):
		f.Kind = FieldComponent
		r, _ := reflect.New(t).Interface().(reference)
		f.Refers = r.kind()
	case t.Kind() == reflect.String:
		f.Kind = FieldString
	case t.Kind() == reflect.Bool:
		f.Kind = FieldBool
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		f.Kind = FieldInt
	case t.Kind() == reflect.Float64:
		f.Kind = FieldFloat
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		f.Kind = FieldList
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String && t.Elem().Kind() == reflect.String:
		f.Kind = FieldMap
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		f.Kind = FieldGroup
		var err error
		if f.Element, err = schemaOf(t.Elem()); err != nil {
			return err
		}
	default:
		return fmt.Errorf("type %v cannot be configured", t)
	}
	if many := f.Kind == FieldMap || f.Kind == FieldSettings; many != star {
		return fmt.Errorf("key %q: \".*\" goes with maps and settings, and only with them", f.Key)
	}
	return nil
}

// checkTags finds tags that do not go with the field's type.
func (f *Field) checkTags(t reflect.Type) error {
	numeric := f.Kind == FieldInt || f.Kind == FieldFloat || f.Kind == FieldDuration
	plain := t.Kind() != reflect.Pointer
	switch {
	case f.Key == "" && !f.nameTag:
		return errors.New("the flume tag names no property")
	case f.nameTag && t.Kind() != reflect.String:
		return errors.New("the name of an element is a string")
	case (f.Batch || f.Transaction) && (f.Kind != FieldInt || !plain):
		return errors.New("batch and transaction go with plain whole numbers")
	case (f.Min != nil || f.Max != nil) && !numeric:
		return errors.New("min and max go with numbers")
	case len(f.Enum) > 0 && f.Kind != FieldString:
		return errors.New("enum goes with text")
	case !plain && !numeric && f.Kind != FieldString && f.Kind != FieldBool:
		return errors.New("only single values can be optional (pointers)")
	}
	return nil
}

// checkDefault makes sure at registration that the default is a legal value.
func (f *Field) checkDefault(t reflect.Type) error {
	if !f.HasDefault || f.Kind == FieldComponent {
		return nil
	}
	if t.Kind() == reflect.Pointer {
		return errors.New("an optional (pointer) field has no default")
	}
	if err := f.parse(f.Default, reflect.New(t).Elem()); err != nil {
		return fmt.Errorf("default: %w", err)
	}
	return nil
}

func bound(tag reflect.StructTag, name string) (*int64, error) {
	s, ok := tag.Lookup(name)
	if !ok {
		return nil, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &n, nil
}

func splitComma(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// parse reads text into v, which has the field's type. Errors complete the
// sentence "<value> …".
func (f *Field) parse(text string, v reflect.Value) error {
	switch f.Kind {
	case FieldString:
		canon, err := f.oneOf(text)
		if err != nil {
			return err
		}
		v.SetString(canon)
	case FieldBool:
		v.SetBool(strings.EqualFold(strings.TrimSpace(text), "true"))
	case FieldInt:
		n, err := f.number(text)
		if err != nil {
			return err
		}
		if v.OverflowInt(n) {
			return fmt.Errorf("%q is too large", text)
		}
		v.SetInt(n)
	case FieldFloat:
		x, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		if err := f.within(x); err != nil {
			return err
		}
		v.SetFloat(x)
	case FieldDuration:
		n, err := f.number(text)
		if err != nil {
			return err
		}
		unit := time.Second
		if f.Unit == "ms" {
			unit = time.Millisecond
		}
		if limit := int64(1<<63-1) / int64(unit); n > limit || n < -limit {
			// Java's longs hold more milliseconds than a Duration: "for ever" all the same.
			n = limit * sign(n)
		}
		v.SetInt(n * int64(unit))
	case FieldList:
		v.Set(reflect.ValueOf(f.split(text)))
	default:
		return fmt.Errorf("%q cannot be given to a %s", text, f.Kind)
	}
	return nil
}

func (f *Field) oneOf(text string) (string, error) {
	if len(f.Enum) == 0 {
		return text, nil
	}
	for _, e := range f.Enum {
		if strings.EqualFold(e, text) {
			return e, nil
		}
	}
	if near := Nearest(text, f.Enum); near != "" {
		return "", fmt.Errorf("%q is none of %s; did you mean %q?", text, strings.Join(f.Enum, ", "), near)
	}
	return "", fmt.Errorf("%q is none of %s", text, strings.Join(f.Enum, ", "))
}

func (f *Field) number(text string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%q is too large", text)
	case err != nil:
		return 0, fmt.Errorf("%q is not a whole number", text)
	case f.Min != nil && n < *f.Min:
		return 0, fmt.Errorf("%d is less than %d", n, *f.Min)
	case f.Max != nil && n > *f.Max:
		return 0, fmt.Errorf("%d is more than %d", n, *f.Max)
	}
	return n, nil
}

// within checks a number with a fraction; what is not a number is in no range.
func (f *Field) within(x float64) error {
	switch {
	case f.Min != nil && !(x >= float64(*f.Min)):
		return fmt.Errorf("%v is less than %d", x, *f.Min)
	case f.Max != nil && !(x <= float64(*f.Max)):
		return fmt.Errorf("%v is more than %d", x, *f.Max)
	}
	return nil
}

func (f *Field) split(text string) []string {
	if f.Comma {
		return splitComma(text)
	}
	return strings.Fields(text)
}

func sign(n int64) int64 {
	if n < 0 {
		return -1
	}
	return 1
}
