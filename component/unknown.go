package component

import (
	"fmt"
	"strings"
)

const seeCompatibility = "see docs/compatibility.md for what it has"

// Unknown says that no type of this kind has this name, and what to do.
func Unknown(kind Kind, name string) (what, remedy string) {
	if isAbsent(kind, name) {
		return fmt.Sprintf("%s type %q is one of Apache Flume's that this version does not have", kind, name), seeCompatibility
	}
	what = fmt.Sprintf("unknown %s type %q", kind, name)
	known := func(name string) bool {
		_, ok := Lookup(kind, name)
		return ok || isAbsent(kind, name)
	}
	if slip := Slip(name, known); slip != "" {
		return what, slip
	}
	for _, other := range Kinds {
		if _, ok := Lookup(other, name); ok {
			return what, fmt.Sprintf("%q is a type of %s", name, other)
		}
	}
	if remedy := instead(name, names(kind)); remedy != "" {
		return what, remedy
	}
	var types []string
	for _, e := range All(kind) {
		types = append(types, e.Info.Type)
	}
	remedy = "known types: " + strings.Join(types, ", ")
	if isClassName(name) {
		remedy = noJava + "; " + remedy + " (flume components describes them)"
	}
	return what, remedy
}

// UnknownType is Unknown for a name of which the kind is not known.
func UnknownType(name string) (what, remedy string) {
	var kinds, all []string
	for _, kind := range Kinds {
		all = append(all, names(kind)...)
		if isAbsent(kind, name) {
			kinds = append(kinds, string(kind))
		}
	}
	if len(kinds) > 0 {
		return fmt.Sprintf("type %q is one of Apache Flume's that this version does not have (%s)", name, strings.Join(kinds, ", ")), seeCompatibility
	}
	what = fmt.Sprintf("unknown type %q", name)
	if remedy := instead(name, all); remedy != "" {
		return what, remedy
	}
	remedy = "run the command components without a type to see all"
	if isClassName(name) {
		remedy = noJava + "; " + remedy
	}
	return what, remedy
}

const noJava = "Java classes cannot be loaded"

// instead names the type that comes nearest to an unknown one, if any is near.
func instead(name string, known []string) string {
	near := Nearest(name, known)
	switch {
	case near == "":
		return ""
	case isClassName(name) && !strings.HasPrefix(name, "org.apache.flume."):
		return fmt.Sprintf("%s; of those that are built in, %q comes nearest (flume components lists all)", noJava, near)
	}
	return fmt.Sprintf("did you mean %q?", near)
}

// isClassName reports whether name has the form of a Java class in a package.
func isClassName(name string) bool {
	parts := strings.Split(name, ".")
	for _, part := range parts {
		if part == "" || part[0] >= '0' && part[0] <= '9' {
			return false
		}
		for _, c := range part {
			if c != '_' && c != '$' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
		}
	}
	return len(parts) > 1
}
