package componenttest

// waivers are the folders whose components need not run the suite of their kind,
// with the reason. The list only shrinks: a component that runs its suite must
// not be in it, and one that is added runs it from the start.
var waivers = map[string]string{}
