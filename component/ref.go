package component

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/property"
)

// Serializer is a Config field that names an event serializer, whose own
// settings stand below the same key: "serializer = avro_event" and
// "serializer.compressionCodec = snappy".
type Serializer struct{ ref[flow.Encoding] }

func (*Serializer) kind() Kind { return KindSerializer }

// reference is a Config field that names a component.
type reference interface {
	kind() Kind
	set(e *Entry, config any)
}

// ref is the common part of the field types that name components.
type ref[T any] struct {
	entry  *Entry
	config any
}

func (r *ref[T]) set(e *Entry, config any) { r.entry, r.config = e, config }

// Type returns the registered type that is named, "" when none is.
func (r *ref[T]) Type() string {
	if r.entry == nil {
		return ""
	}
	return r.entry.Info.Type
}

// New makes the component that is named.
func (r *ref[T]) New(env Env) (T, error) {
	var zero T
	if r.entry == nil {
		return zero, fmt.Errorf("no type is configured")
	}
	c, err := r.entry.build(r.config, env, nil)
	if err != nil {
		return zero, err
	}
	return c.(T), nil
}

// decodeRef decodes a reference field: the type under key, its settings below.
func (d *decoder) decodeRef(f *Field, v reflect.Value, key string) {
	r, _ := v.Addr().Interface().(reference)
	name, val, given := d.value(f, key)
	if !given {
		if !f.HasDefault {
			if f.Required {
				d.missing(f, key)
			}
			return
		}
		name = f.Default
	}
	e, ok := Lookup(f.Refers, name)
	if !ok {
		what, remedy := Unknown(f.Refers, name)
		what = fault(f, val, errors.New(what))
		if val.Secret {
			remedy = "give the name of a type"
		}
		d.problem(property.Error, d.place(val), key, what, remedy)
		d.claim(key + ".")
		return
	}
	config := reflect.New(e.config).Elem()
	d.effective(f, key, name, val, given)
	d.decodeStruct(e.Schema, config, key+".", "")
	d.check(config, key+".")
	r.set(e, config.Interface())
}
