package reference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/flume-go/flume/component"
)

// Schema returns the JSON Schema of all types: one definition for each, named
// as its page, which includes the definition of what its kind has in common.
func Schema(all []Component) ([]byte, error) {
	defs := map[string]any{}
	for _, c := range commons {
		s, err := c.schema()
		if err != nil {
			return nil, err
		}
		if len(s.Fields) == 0 {
			continue
		}
		def := component.JSONSchema(&component.Entry{Kind: c.kind, Schema: s})
		delete(def, "$schema")
		def["title"] = "all " + c.heading
		def["description"] = "Properties that all " + c.heading + " have. Keys stand below " + c.prefix
		required, _ := def["required"].([]string)
		slices.Sort(required)
		def["required"] = slices.Compact(required)
		defs[c.anchor()] = def
	}
	for _, x := range all {
		def := component.JSONSchema(x.Entry)
		delete(def, "$schema")
		c := commonOf(x.Entry.Kind)
		if _, ok := defs[c.anchor()]; ok {
			def["allOf"] = []any{map[string]any{"$ref": "#/$defs/" + c.anchor()}}
		} else {
			// A serializer's type is the value of the key above its properties.
			properties, _ := def["properties"].(map[string]any)
			delete(properties, "type")
			required, _ := def["required"].([]string)
			def["required"] = slices.DeleteFunc(required, func(s string) bool { return s == "type" })
		}
		name := PageName(x.Entry)
		defs[name[:len(name)-len(".md")]] = def
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(map[string]any{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       "Components of Flume",
		"description": "The properties of each type of component, by kind and type. Keys are as in a configuration file, without the part that names the component.",
		"$defs":       defs,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the schema: %w", err)
	}
	return b.Bytes(), nil
}
