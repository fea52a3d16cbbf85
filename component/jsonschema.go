package component

import (
	"fmt"
	"strconv"
	"strings"
)

// Flat returns the properties of a schema with those of its groups, which are
// named "group.<name>.key".
func (s *Schema) Flat() []Field {
	var out []Field
	for _, f := range s.Fields {
		if f.nameTag {
			continue
		}
		out = append(out, f)
		if f.Element != nil {
			for _, e := range f.Element.Flat() {
				e.Key = f.Key + ".<name>." + e.Key
				out = append(out, e)
			}
		}
	}
	return out
}

// Range says in a few words what a property takes: "required", its default and
// unit, its allowed values.
func (f *Field) Range() string {
	var parts []string
	switch {
	case f.Required:
		parts = append(parts, "required")
	case f.HasDefault && f.Default != "":
		parts = append(parts, strings.TrimSpace("default "+f.Default+" "+f.Unit))
	case f.Unit != "":
		parts = append(parts, f.Unit)
	}
	if len(f.Enum) > 0 {
		parts = append(parts, "one of "+strings.Join(f.Enum, ", "))
	}
	return strings.Join(parts, "; ")
}

// JSONSchema returns the JSON Schema (2020-12) of a type's properties, keys as in
// a configuration file.
func JSONSchema(e *Entry) map[string]any {
	properties := map[string]any{"type": map[string]any{"enum": append([]string{e.Info.Type}, e.Info.Aliases...)}}
	patterns := map[string]any{}
	required := []string{"type"}
	for _, f := range e.Schema.Flat() {
		p := f.jsonSchema()
		switch {
		case strings.Contains(f.Key, "<name>") || strings.HasSuffix(f.Key, ".*"):
			patterns[keyPattern(f.Key)] = p
		default:
			properties[f.Key] = p
			if f.Required {
				required = append(required, f.Key)
			}
		}
	}
	return map[string]any{
		"$schema":           "https://json-schema.org/draft/2020-12/schema",
		"title":             fmt.Sprintf("%s %s", e.Kind, e.Info.Type),
		"description":       e.Info.Summary,
		"type":              "object",
		"properties":        properties,
		"patternProperties": patterns,
		"required":          required,
	}
}

func keyPattern(key string) string {
	r := strings.NewReplacer(".", `\.`, "<name>", `[^.\s]+`, "*", ".+")
	return "^" + r.Replace(key) + "$"
}

func (f *Field) jsonSchema() map[string]any {
	s := map[string]any{"description": f.Doc}
	switch f.Kind {
	case FieldBool:
		s["type"] = "boolean"
	case FieldInt, FieldDuration:
		s["type"] = "integer"
	case FieldFloat:
		s["type"] = "number"
	default:
		s["type"] = "string"
	}
	if f.Unit != "" {
		s["x-unit"] = f.Unit
	}
	if f.Min != nil {
		s["minimum"] = *f.Min
	}
	if f.Max != nil {
		s["maximum"] = *f.Max
	}
	if len(f.Enum) > 0 {
		s["enum"] = f.Enum
	}
	if f.Deprecated != "" {
		s["deprecated"] = true
	}
	if f.Secret {
		s["writeOnly"] = true
	}
	if f.HasDefault {
		s["default"] = jsonDefault(f)
	}
	return s
}

func jsonDefault(f *Field) any {
	switch f.Kind {
	case FieldBool:
		return strings.EqualFold(f.Default, "true")
	case FieldInt, FieldDuration:
		if n, err := strconv.ParseInt(f.Default, 10, 64); err == nil {
			return n
		}
	case FieldFloat:
		if x, err := strconv.ParseFloat(f.Default, 64); err == nil {
			return x
		}
	}
	return f.Default
}
